//! Blocks of free ports, so that any number of clusters runs side by side.
//!
//! The first port of a block is the lock on the rest: the process that uses the block listens there
//! for as long as it does. The kernel takes the lock back however that process ends, and processes
//! need not agree on a place for a lock file.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::Error;

/// Ports of one cluster: the lock, ZooKeeper or controller, and four for each of 15 brokers.
pub(crate) const BLOCK: u16 = 64;
/// Below the range from which systems take ports for outgoing connections (32768 on Linux).
const FIRST: u16 = 20_032;
const BLOCKS: u16 = 190;

/// Ports that nobody else takes while this value lives.
#[derive(Debug)]
pub(crate) struct Block {
    base: u16,
    _lock: TcpListener,
}

impl Block {
    /// Takes a block whose ports are free on all of `hosts`.
    pub(crate) fn take(hosts: &[Ipv4Addr]) -> Result<Self, Error> {
        // Processes that start together should not all try the same block first.
        let offset = (std::process::id() % u32::from(BLOCKS)) as u16;
        (0..BLOCKS)
            .map(|i| FIRST + (i + offset) % BLOCKS * BLOCK)
            .find_map(|base| Self::lock(base, hosts))
            .ok_or(Error::NoPorts { wanted: BLOCK, first: FIRST, last: FIRST + BLOCKS * BLOCK - 1 })
    }

    fn lock(base: u16, hosts: &[Ipv4Addr]) -> Option<Self> {
        let lock = TcpListener::bind((Ipv4Addr::LOCALHOST, base)).ok()?;
        let free = |port| hosts.iter().all(|host| TcpListener::bind((*host, port)).is_ok());
        (base + 1..base + BLOCK).all(free).then_some(Self { base, _lock: lock })
    }

    /// The port at this place in the block; 0 is the lock.
    pub(crate) fn at(&self, place: u16) -> u16 {
        self.base + place
    }

    /// Where ZooKeeper or the KRaft controller listens.
    pub(crate) fn quorum(&self) -> u16 {
        self.base + 1
    }

    /// The first of the four ports of the broker with this index.
    pub(crate) fn broker(&self, index: u16) -> u16 {
        self.base + 4 + 4 * index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_share_no_port_and_pass_over_taken_ones() {
        let one = Block::take(&[Ipv4Addr::LOCALHOST]).unwrap();
        let two = Block::take(&[Ipv4Addr::LOCALHOST]).unwrap();
        assert!(one.base.abs_diff(two.base) >= BLOCK);

        let base = one.base;
        assert!(Block::lock(base, &[Ipv4Addr::LOCALHOST]).is_none());
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, base + 7)).unwrap();
        drop(one);
        assert!(Block::lock(base, &[Ipv4Addr::LOCALHOST]).is_none());
    }
}
