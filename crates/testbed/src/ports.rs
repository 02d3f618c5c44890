//! Blocks of free ports, so that any number of clusters can run at the same time.
//!
//! The first port of a block is the lock for the rest: the process that uses the block listens on it. The kernel
//! releases the lock, however that process ends, and processes need no common lock file.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// Ports of one cluster: the lock, ZooKeeper or a controller, Prometheus, the exporter, and four for each of 15
/// brokers.
pub(crate) const BLOCK: u16 = 64;
/// The index of the last broker of a block.
const LAST_BROKER: u16 = 14;
/// Below the range from which systems take ports for outgoing connections (32768 on Linux).
const FIRST: u16 = 20_032;
const BLOCKS: u16 = 190;

/// A loopback port for a test's own server. It is of a block that this process keeps until its end, so no other process
/// takes it, also before that server listens and while it is away. This process does not use it a second time.
///
/// # Errors
/// [`Error::NoPorts`] if no block is free.
pub fn lone_port() -> Result<u16, Error> {
    static KEPT: Mutex<(Vec<Block>, Range<u16>)> = Mutex::new((Vec::new(), 0..0));
    let (blocks, ports) = &mut *KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(port) = ports.next() {
        return Ok(port);
    }
    let block = Block::take(&[Ipv4Addr::LOCALHOST])?;
    let first = block.at(1);
    *ports = first + 1..block.at(BLOCK);
    blocks.push(block);
    Ok(first)
}

/// Ports that no other cluster takes while this value exists.
#[derive(Debug)]
pub(crate) struct Block {
    base: u16,
    _lock: TcpListener,
}

impl Block {
    /// Takes a block whose ports are free on all of `hosts`.
    pub(crate) fn take(hosts: &[Ipv4Addr]) -> Result<Self, Error> {
        // Processes that start at the same time should not all try the same block first.
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

    /// The port at this index in the block; 0 is the lock.
    pub(crate) fn at(&self, place: u16) -> u16 {
        self.base + place
    }

    /// The port of a ZooKeeper server or KRaft controller. All but the first use ports of the last brokers, from 15
    /// down, because a cluster has only one of the two kinds.
    pub(crate) fn member(&self, index: u16) -> u16 {
        if index == 0 { self.base + 1 } else { self.broker(LAST_BROKER - index) }
    }

    /// The ports between ZooKeeper servers: for followers of a leader, and for leader elections.
    pub(crate) fn among_members(&self, index: u16) -> (u16, u16) {
        let first = self.broker(LAST_BROKER - index);
        (first + 1, first + 2)
    }

    /// The port of Prometheus.
    pub(crate) fn prometheus(&self) -> u16 {
        self.base + 2
    }

    /// The port with TLS of a ZooKeeper server. Such a cluster has no Prometheus.
    pub(crate) fn secure_zookeeper(&self) -> u16 {
        self.prometheus()
    }

    /// The port of every JMX exporter, each on its broker's host.
    pub(crate) fn exporter(&self) -> u16 {
        self.base + 3
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
    fn a_lone_port_is_given_once_and_in_no_block_that_is_free() {
        let given: Vec<u16> = (0..100).map(|_| lone_port().unwrap()).collect();
        let different: std::collections::BTreeSet<&u16> = given.iter().collect();
        assert_eq!(different.len(), given.len());
        for port in given {
            let base = port - (port - FIRST) % BLOCK;
            assert!(port > base);
            assert!(Block::lock(base, &[Ipv4Addr::LOCALHOST]).is_none());
        }
    }

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
