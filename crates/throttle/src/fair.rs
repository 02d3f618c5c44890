//! Max-min fair shares of paths through ports.
//!
//! All paths grow at the same speed until one port is full. The paths through that port keep their share, and the
//! others grow on. So a path could only get more by taking it from one with an equal or smaller share. A path may use
//! less because its other end is slower, or because it asks for less. The other paths get the rest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A path from one port to another, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// It can use no more than this, in bytes per second.
    pub(crate) wants: u64,
}

/// The share of one path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Got {
    /// In bytes per second.
    pub(crate) share: u64,
    /// The port that limits it; `None`: it has all that it wants.
    pub(crate) held_by: Option<usize>,
}

/// The share of each path; `room` is the capacity of each port, in bytes per second. A remainder of less than a byte
/// for each path is left over.
pub(crate) fn shares(room: &[u64], paths: &[Path]) -> Vec<Got> {
    let mut filling = Filling::new(room, paths);
    let mut by_wants: Vec<usize> = (0..paths.len()).collect();
    by_wants.sort_by_key(|index| (paths[*index].wants, *index));
    let mut modest = by_wants.into_iter().peekable();
    while let Some((level, port)) = filling.next_to_be_full() {
        let mut settled = false;
        while let Some(index) = modest.next_if(|index| paths[*index].wants <= level) {
            settled |= filling.settle(index, Got { share: paths[index].wants, held_by: None });
        }
        if settled {
            // The paths that want little leave more for the others, so the port fills later or at the same level: check
            // again.
            continue;
        }
        for index in std::mem::take(&mut filling.through[port]) {
            filling.settle(index, Got { share: level, held_by: Some(port) });
        }
    }
    filling.got.into_iter().map(Option::unwrap_or_default).collect()
}

struct Filling<'p> {
    paths: &'p [Path],
    got: Vec<Option<Got>>,
    /// For each port: what is left for the paths that still grow, and how many there are.
    left: Vec<(u64, u64)>,
    through: Vec<Vec<usize>>,
    /// The level at which each port is full, as of the last check: levels only rise.
    levels: BinaryHeap<Reverse<(u64, usize)>>,
}

impl<'p> Filling<'p> {
    fn new(room: &[u64], paths: &'p [Path]) -> Self {
        let mut through = vec![Vec::new(); room.len()];
        for (index, path) in paths.iter().enumerate() {
            through[path.from].push(index);
            through[path.to].push(index);
        }
        let left: Vec<(u64, u64)> =
            room.iter().zip(&through).map(|(room, paths)| (*room, paths.len() as u64)).collect();
        let levels = (0..left.len()).map(|port| Reverse((0, port))).collect();
        Self { paths, got: vec![None; paths.len()], left, through, levels }
    }

    /// The next port to be full, and the level of its paths then. A repeated call returns the same.
    fn next_to_be_full(&mut self) -> Option<(u64, usize)> {
        while let Some(Reverse((known, port))) = self.levels.pop() {
            let (room, paths) = self.left[port];
            let Some(level) = room.checked_div(paths) else { continue };
            self.levels.push(Reverse((level, port)));
            if level == known {
                return Some((level, port));
            }
        }
        None
    }

    /// Returns whether the path was still unsettled.
    fn settle(&mut self, index: usize, got: Got) -> bool {
        if self.got[index].is_some() {
            return false;
        }
        self.got[index] = Some(got);
        for port in [self.paths[index].from, self.paths[index].to] {
            let (room, paths) = &mut self.left[port];
            *room = room.saturating_sub(got.share);
            *paths -= 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(from: usize, to: usize) -> Path {
        Path { from, to, wants: u64::MAX }
    }

    fn only(got: &[Got]) -> Vec<u64> {
        got.iter().map(|got| got.share).collect()
    }

    #[test]
    fn what_a_slow_end_leaves_goes_to_the_others() {
        // Port 0 sends to 1 and 2; port 1 can receive little.
        let got = shares(&[100, 20, 90], &[path(0, 1), path(0, 2)]);
        assert_eq!(only(&got), [20, 80]);
        assert_eq!(got.iter().map(|got| got.held_by).collect::<Vec<_>>(), [Some(1), Some(0)]);
    }

    #[test]
    fn two_senders_into_one_do_not_starve_the_third() {
        // 0 -> 2, 0 -> 3, 1 -> 3: the paths into 3 share it, and 0 gives the rest of its capacity to 2.
        let got = shares(&[100, 100, 90, 90], &[path(0, 2), path(0, 3), path(1, 3)]);
        assert_eq!(only(&got), [55, 45, 45]);
    }

    #[test]
    fn a_path_that_wants_less_leaves_the_rest() {
        let modest = Path { wants: 10, ..path(0, 1) };
        let got = shares(&[100, 100, 100], &[modest, path(0, 2)]);
        assert_eq!(only(&got), [10, 90]);
        assert_eq!(got[0].held_by, None);
    }

    #[test]
    fn a_port_without_room_holds_only_its_own_paths() {
        assert_eq!(only(&shares(&[0, 5, 5], &[path(0, 1), path(2, 1)])), [0, 5]);
        assert_eq!(shares(&[7], &[]), []);
    }

    fn networks() -> impl Strategy<Value = (Vec<u64>, Vec<Path>)> {
        (2..9_usize).prop_flat_map(|ports| {
            let room = prop_oneof![Just(0), 1..50_u64, 1_000_000..2_000_000_000_u64];
            let wants =
                prop_oneof![3 => Just(u64::MAX), 1 => 0..100_u64, 1 => 0..1_000_000_000_u64];
            let ends = (0..ports, 1..ports, wants);
            let path = ends.prop_map(move |(from, step, wants)| Path {
                from,
                to: (from + step) % ports,
                wants,
            });
            (prop::collection::vec(room, ports), prop::collection::vec(path, 0..24))
        })
    }

    proptest! {
        #[test]
        fn no_port_carries_more_than_it_can((room, paths) in networks()) {
            let got = shares(&room, &paths);
            for (port, room) in room.iter().enumerate() {
                let through = paths.iter().zip(&got).filter(|(path, _)| path.from == port || path.to == port);
                let sum: u64 = through.map(|(_, got)| got.share).sum();
                prop_assert!(sum <= *room, "port {port} of {room} carries {sum}");
            }
        }

        #[test]
        fn nobody_can_get_more_but_from_one_with_no_more((room, paths) in networks()) {
            let got = shares(&room, &paths);
            for (path, own) in paths.iter().zip(&got) {
                prop_assert!(own.share <= path.wants);
                let full = |port: &usize| {
                    let through = || paths.iter().zip(&got).filter(|(p, _)| p.from == *port || p.to == *port);
                    let sum: u64 = through().map(|(_, got)| got.share).sum();
                    // Less than a byte for each path is left over.
                    room[*port] - sum < through().count() as u64
                        && through().all(|(_, other)| other.share <= own.share)
                };
                let held = [path.from, path.to].iter().any(full);
                prop_assert!(own.share == path.wants || held, "{path:?} could have more than {own:?}");
            }
        }

        #[test]
        fn the_order_of_paths_does_not_count((room, paths) in networks()) {
            let backwards: Vec<Path> = paths.iter().rev().copied().collect();
            let mut again = only(&shares(&room, &backwards));
            again.reverse();
            prop_assert_eq!(only(&shares(&room, &paths)), again);
        }
    }
}
