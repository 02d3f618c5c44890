//! Max-min fair shares of paths through ports.
//!
//! All paths are filled alike until a port of one is full; what goes through it stays at that, and the others are filled
//! on. So no path can get more but from one that has no more than itself, and what a path cannot use, because its other
//! end is slower or it asks for less, goes to those that can.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// From one port to another; an index for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// It can use no more than this, in bytes per second.
    pub(crate) wants: u64,
}

/// What one path gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Got {
    /// In bytes per second.
    pub(crate) share: u64,
    /// The port that holds it back; `None`: it has what it wants.
    pub(crate) held_by: Option<usize>,
}

/// The share of each path, where `room` is what each port can carry, in bytes per second. What does not divide evenly,
/// less than a byte for each path, is left.
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
            // Without the modest ones the port is full later or as soon: look again.
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
    /// What each port has left for the paths that are still being filled, and how many they are.
    left: Vec<(u64, u64)>,
    through: Vec<Vec<usize>>,
    /// At which level each port is full, or was when it was looked at last: levels only rise.
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

    /// The next port, and the level of its paths when it is full. Asked again, it is the same.
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

    /// Whether it was not settled before.
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
        // Port 0 sends to 1 and 2; 1 takes in little.
        let got = shares(&[100, 20, 90], &[path(0, 1), path(0, 2)]);
        assert_eq!(only(&got), [20, 80]);
        assert_eq!(got.iter().map(|got| got.held_by).collect::<Vec<_>>(), [Some(1), Some(0)]);
    }

    #[test]
    fn two_senders_into_one_do_not_starve_the_third() {
        // 0 -> 2, 0 -> 3, 1 -> 3: what comes into 3 is shared, and 0 gives 2 what is left of it.
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
