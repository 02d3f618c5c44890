//! What each path gets.
//!
//! First what producers write to what is filled through it, for below that its replicas only fall further behind; then a
//! fair share of the rest, so that all come on alike.
//! A path that used far less of its share than it was given (a slow disk, a slow leader) leaves the rest to the others
//! through the same ports. What none of them can use goes back to it, so that no path is ever held back for nothing.

use crate::average::towards;
use crate::fair::{Got, Path, shares};
use crate::limits::Terms;
use crate::load::{Loads, Way};
use crate::state::OfPath;
use mapper::{Bytes, Rate};

/// Kafka's throttle lets bursts and pauses follow each other: use is an average over as long as this, in milliseconds.
const WATCHED: u64 = 20_000;
/// Below one third of its share a path is a modest one; it is then given four times what it used. The gap between the
/// two keeps it from being modest in one round and not in the next.
const MODEST: u64 = 3;
const ROOM_TO_GROW: u64 = 4;

/// What each path gets, in the order of the loads' ways, and what to remember of it.
pub(crate) fn share_out(
    loads: &Loads,
    room: &[u64],
    before: &[OfPath],
    elapsed: Option<u64>,
    terms: &Terms,
) -> (Vec<Got>, Vec<OfPath>) {
    let used: Vec<Use> = loads.ways.iter().map(|way| use_of(way, loads, before, elapsed)).collect();
    let mut filling = Poured::new(room, &loads.ways);
    filling.pour(|index, _| terms.floor_margin.of(Bytes(loads.ways[index].need)).0);
    let wants: Vec<u64> = used.iter().map(|used| used.wants(terms.min_rate)).collect();
    filling.pour(|index, share| wants[index].saturating_sub(share));
    if wants.iter().any(|wants| *wants < u64::MAX) {
        filling.pour(|_, _| u64::MAX);
    }
    let got = filling.got;
    let remember = |((way, used), got): ((&Way, Use), &Got)| OfPath {
        from: loads.name(way.from).0,
        to: loads.name(way.to).0,
        share: Rate(got.share),
        used: used.average,
    };
    let next = loads.ways.iter().zip(used).zip(&got).map(remember).collect();
    (got, next)
}

/// What a path uses of what it has.
struct Use {
    average: Option<Rate>,
    /// What it was given, if it has been watched for long enough.
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

fn use_of(way: &Way, loads: &Loads, before: &[OfPath], elapsed: Option<u64>) -> Use {
    let ends = (loads.name(way.from).0, loads.name(way.to).0);
    let old = before.binary_search_by_key(&ends, |path| (path.from, path.to)).ok();
    let old = old.and_then(|index| before.get(index));
    let moved = way.moved.map(Rate).zip(elapsed);
    let average = moved
        .map(|(moved, elapsed)| towards(old.and_then(|old| old.used), moved, elapsed, WATCHED));
    let given = old.filter(|_| way.watched >= WATCHED).map(|old| old.share);
    Use { average, given }
}

/// What was given in turns, each of what the ones before left.
struct Poured<'w> {
    ways: &'w [Way],
    left: Vec<u64>,
    got: Vec<Got>,
}

impl<'w> Poured<'w> {
    fn new(room: &[u64], ways: &'w [Way]) -> Self {
        Self { ways, left: room.to_vec(), got: vec![Got::default(); ways.len()] }
    }

    /// `wants` tells from the index of a way and what it has how much more it wants.
    fn pour(&mut self, wants: impl Fn(usize, u64) -> u64) {
        let path = |(index, (way, got)): (usize, (&Way, &Got))| Path {
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
