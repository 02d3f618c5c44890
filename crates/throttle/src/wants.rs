//! The share of each path.
//!
//! A path first gets what producers write to the replicas that it fills: below that they only fall further behind. Then
//! it gets a fair share of the rest, so that all paths progress alike. A path that used far less than its share (a slow
//! disk, a slow leader) leaves the rest to other paths through the same ports. What none of them can use goes back to
//! it, so that no path is throttled without need.

use crate::average::towards;
use crate::fair::{Got, Path, shares};
use crate::limits::ThrottleTerms;
use crate::load::{CopyPath, Loads};
use crate::state::PathMemory;
use mapper::{Bytes, Rate};

/// The window over which use is averaged, in milliseconds: Kafka's throttle alternates bursts and pauses.
const WATCHED: u64 = 20_000;
/// A path is modest if it uses less than one part in this many of its share. It then gets four times what it used. The
/// gap between the two factors keeps it from changing its state in every round.
const MODEST: u64 = 3;
const ROOM_TO_GROW: u64 = 4;

/// The share of each path, in the order of the loads' ways, and what to remember of it.
pub(crate) fn share_out(
    loads: &Loads,
    room: &[u64],
    before: &[PathMemory],
    elapsed: Option<u64>,
    terms: &ThrottleTerms,
) -> (Vec<Got>, Vec<PathMemory>) {
    let used: Vec<Use> = loads.ways.iter().map(|way| use_of(way, loads, before, elapsed)).collect();
    let mut filling = Poured::new(room, &loads.ways);
    filling.pour(|index, _| terms.floor_margin.of(Bytes(loads.ways[index].need)).0);
    let wants: Vec<u64> = used.iter().map(|used| used.wants(terms.min_rate)).collect();
    filling.pour(|index, share| wants[index].saturating_sub(share));
    if wants.iter().any(|wants| *wants < u64::MAX) {
        filling.pour(|_, _| u64::MAX);
    }
    let got = filling.got;
    let remember = |((way, used), got): ((&CopyPath, Use), &Got)| PathMemory {
        from: loads.name(way.from).0,
        to: loads.name(way.to).0,
        share: Rate(got.share),
        used: used.average,
    };
    let next = loads.ways.iter().zip(used).zip(&got).map(remember).collect();
    (got, next)
}

/// How much of its share a path uses.
struct Use {
    average: Option<Rate>,
    /// Its share, if it has been watched for long enough.
    given: Option<Rate>,
}

impl Use {
    fn wants(&self, min_rate: Rate) -> u64 {
        match self.average.zip(self.given) {
            Some((used, given)) if used.0.saturating_mul(MODEST) < given.0 => {
                used.0.saturating_mul(ROOM_TO_GROW).max(min_rate.0)
            }
            Some(_) | None => u64::MAX,
        }
    }
}

fn use_of(way: &CopyPath, loads: &Loads, before: &[PathMemory], elapsed: Option<u64>) -> Use {
    let ends = (loads.name(way.from).0, loads.name(way.to).0);
    let old = before.binary_search_by_key(&ends, |path| (path.from, path.to)).ok();
    let old = old.and_then(|index| before.get(index));
    let moved = way.moved.map(Rate).zip(elapsed);
    let average = moved
        .map(|(moved, elapsed)| towards(old.and_then(|old| old.used), moved, elapsed, WATCHED));
    let given = old.filter(|_| way.watched >= WATCHED).map(|old| old.share);
    Use { average, given }
}

/// Shares that were given in turns, each from what the turns before left.
struct Poured<'w> {
    ways: &'w [CopyPath],
    left: Vec<u64>,
    got: Vec<Got>,
}

impl<'w> Poured<'w> {
    fn new(room: &[u64], ways: &'w [CopyPath]) -> Self {
        Self { ways, left: room.to_vec(), got: vec![Got::default(); ways.len()] }
    }

    /// `wants` returns how much more a path wants, from its index and its current share.
    fn pour(&mut self, wants: impl Fn(usize, u64) -> u64) {
        let path = |(index, (way, got)): (usize, (&CopyPath, &Got))| Path {
            from: way.from,
            to: way.to,
            wants: wants(index, got.share),
        };
        let paths: Vec<Path> = self.ways.iter().zip(&self.got).enumerate().map(path).collect();
        for ((path, got), more) in paths.iter().zip(&mut self.got).zip(shares(&self.left, &paths)) {
            *got = Got { share: got.share.saturating_add(more.share), held_by: more.held_by };
            for port in [path.from, path.to] {
                self.left[port] = self.left[port].saturating_sub(more.share);
            }
        }
    }
}
