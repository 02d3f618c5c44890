//! Which moves begin now, and which come next: a short window of bytes for each port.
//!
//! A broker sends through one port and receives through another. If all its moves begin at once, they share the port
//! and all end late. In a short window they end one after the other, the smallest first, and the port is as busy. So
//! partitions lack replicas for the shortest time. Sources: docs/execute.md.

use crate::config::{Key, ThrottleResource};
use crate::copies::CopyPort;
use crate::dirs;
use crate::health;
use crate::room::{copy_to_dir, each_copy};
use crate::seen::Seen;
use crate::task::{Pace, Task};
use mapper::{Move, Rate, Reason, StepOrder};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A window lasts this many seconds at the port's rate, longer than a look with the controller's answer. In a longer one
/// more moves share the port, and each ends later.
const WINDOW_SECONDS: u64 = 5;
/// A window lasts this many looks, where looks take long.
const WINDOW_LOOKS: u64 = 3;
/// What one partition gets over a slow path, in bytes per second: `replica.fetch.max.bytes` (1 MiB) in each round trip
/// of 20 ms. A faster port needs more copies in flight, however large they are.
const BYTES_OF_ONE_COPY: u64 = 50_000_000;
/// The rate of a port without a throttle: a network of 10 Gbit/s.
const UNTHROTTLED: Rate = Rate(1_250_000_000);
/// Copies that get less than this share of a port leave place for another, in percent. The others are held up at their
/// other ends.
const BUSY_PERCENT: f64 = 90.0;
/// The busiest port shares its moves' other ends with this many copies.
const SHARED_BY: usize = 8;

/// What goes through one port.
#[derive(Debug, Clone, Default)]
struct PortLoad {
    /// The other ends of the copies in flight, without those that have stalled.
    ends: Vec<Option<CopyPort>>,
    /// The bytes that are left of them.
    bytes: u64,
    /// The bytes of all moves that are not done.
    left: u64,
}

/// One port of a move: the other ends of the copies through it, and their bytes.
#[derive(Debug)]
struct PortUse {
    port: CopyPort,
    ends: Vec<Option<CopyPort>>,
    bytes: u64,
}

/// A move that may begin, with its place in the order in which moves begin; the least is the first.
#[derive(Debug)]
pub(crate) struct Turn<'m> {
    pub(crate) index: usize,
    pub(crate) change: &'m Move,
    uses: Vec<PortUse>,
    order: (Reverse<u8>, Reverse<bool>, u64, usize),
}

/// What is in flight through each port.
#[derive(Debug)]
pub(crate) struct CopyWindow<'a> {
    task: &'a Task<'a>,
    seen: &'a Seen,
    loads: BTreeMap<CopyPort, PortLoad>,
    /// The ports with the most seconds of copies left.
    busiest: BTreeSet<CopyPort>,
}

impl<'a> CopyWindow<'a> {
    /// The window with the moves in flight, and the turns of those that may begin, by index.
    ///
    /// 1. The danger: one replica in sync is left; then below min ISR; then a replica is missing.
    /// 2. Moves through the busiest port: it ends last, so it must never be idle. And moves that copy nothing.
    /// 3. The bytes to copy, the fewest first, unless the plan asks for the largest. Unknown sizes come last, because
    ///    they may be large.
    /// 4. The plan's order.
    pub(crate) fn of<'m>(
        task: &'a Task<'a>,
        seen: &'a Seen,
        under_way: &[&Move],
        ready: impl IntoIterator<Item = (usize, &'m Move)>,
    ) -> (Self, Vec<Turn<'m>>) {
        let (loads, busiest) = (BTreeMap::new(), BTreeSet::new());
        let mut window = Self { task, seen, loads, busiest };
        for change in under_way {
            for used in uses(seen, change) {
                window.left(&used);
                if !has_stalled(seen, change, used.port) {
                    window.add(used);
                }
            }
        }
        let largest_first = task.plan.request.terms().pacing.order == StepOrder::LargeFirst;
        let turn = |(index, change): (usize, &'m Move)| {
            let uses = uses(seen, change);
            uses.iter().for_each(|used| window.left(used));
            let all = change.bytes.map(|bytes| bytes.plus(change.disk_bytes));
            let bytes = match (uses.is_empty(), all) {
                (true, _) => 0,
                (false, Some(bytes)) if largest_first => u64::MAX - bytes.0,
                (false, bytes) => bytes.map_or(u64::MAX, |bytes| bytes.0),
            };
            let order = (Reverse(danger(seen, change)), Reverse(false), bytes, index);
            Turn { index, change, uses, order }
        };
        let mut turns: Vec<Turn<'_>> = ready.into_iter().map(turn).collect();
        window.find_busiest();
        for turn in &mut turns {
            let busiest = turn.uses.iter().any(|used| window.busiest.contains(&used.port));
            turn.order.1 = Reverse(busiest || turn.uses.is_empty());
        }
        turns.sort_unstable_by_key(|turn| turn.order);
        (window, turns)
    }

    /// The bytes that go through a port of each move until it is done, if every port copies one move after the other and
    /// is never idle.
    pub(crate) fn ends(mut turns: Vec<Turn<'_>>) -> Vec<u64> {
        // Small moves of other ports go on beside those of the busiest one.
        turns.sort_unstable_by_key(|turn| (turn.order.0, turn.order.2, turn.order.3));
        let mut through: BTreeMap<CopyPort, u64> = BTreeMap::new();
        let ends = turns.iter().map(|turn| {
            let ports = turn.uses.iter().map(|used| {
                let so_far = through.entry(used.port).or_default();
                *so_far = so_far.saturating_add(used.bytes);
                *so_far
            });
            ports.max().unwrap_or_default()
        });
        ends.collect()
    }

    fn find_busiest(&mut self) {
        let seconds = |(port, load): (&CopyPort, &PortLoad)| {
            (load.left as f64 / self.rate(*port).0.max(1) as f64, *port)
        };
        let all: Vec<(f64, CopyPort)> = self.loads.iter().map(seconds).collect();
        let most = all.iter().map(|(seconds, _)| *seconds).fold(0.0, f64::max);
        self.busiest = all.iter().filter(|(it, _)| *it >= most).map(|(_, port)| *port).collect();
    }

    /// Whether the move begins: each of its ports has place, or the busiest one has, and shares the others. With a limit
    /// in moves, there are no windows.
    pub(crate) fn has_place(&self, turn: &Turn<'_>) -> bool {
        if self.task.terms.limits.moves_per_broker.is_some() {
            return true;
        }
        let is_open = |used: &PortUse| self.is_open(used.port);
        let shares = |used: &PortUse| self.copies(used.port) < SHARED_BY;
        turn.uses.iter().all(is_open)
            || (turn.uses.iter().any(|it| self.busiest.contains(&it.port) && is_open(it))
                && turn.uses.iter().all(shares))
    }

    /// Whether the move comes next: its ports will have place within two windows' time. Its configs spread for three
    /// seconds.
    pub(crate) fn comes_next(&self, turn: &Turn<'_>) -> bool {
        turn.uses.iter().all(|used| {
            let load = self.loads.get(&used.port);
            load.map_or(0, |load| load.bytes) < self.window(used.port).saturating_mul(3)
        })
    }

    /// Adds a move that begins, or comes next.
    pub(crate) fn take(&mut self, turn: Turn<'_>) {
        turn.uses.into_iter().for_each(|used| self.add(used));
    }

    fn add(&mut self, used: PortUse) {
        let load = self.loads.entry(used.port).or_default();
        load.bytes = load.bytes.saturating_add(used.bytes);
        load.ends.extend(used.ends);
    }

    fn left(&mut self, used: &PortUse) {
        let load = self.loads.entry(used.port).or_default();
        load.left = load.left.saturating_add(used.bytes);
    }

    fn is_open(&self, port: CopyPort) -> bool {
        let Some(load) = self.loads.get(&port) else { return true };
        let copies = self.rate(port).0.div_ceil(BYTES_OF_ONE_COPY);
        load.bytes < self.window(port)
            || (load.ends.len() as u64) < copies
            || self.used_percent(load) < BUSY_PERCENT
    }

    /// The part of a port that its copies use, if each port divides its rate evenly.
    fn used_percent(&self, load: &PortLoad) -> f64 {
        let here = load.ends.len();
        let share = |end: &Option<CopyPort>| {
            let there = end.map_or(1, |port| self.copies(port));
            100.0 / here.max(there).max(1) as f64
        };
        load.ends.iter().map(share).sum()
    }

    fn copies(&self, port: CopyPort) -> usize {
        self.loads.get(&port).map_or(0, |load| load.ends.len())
    }

    fn window(&self, port: CopyPort) -> u64 {
        let seconds = WINDOW_SECONDS.max(self.seen.look_seconds.saturating_mul(WINDOW_LOOKS));
        self.rate(port).0.saturating_mul(seconds)
    }

    /// The rate of a port: the throttle, or what the daemon has set.
    fn rate(&self, port: CopyPort) -> Rate {
        let (broker, key) = match port {
            CopyPort::In(id) => (id, Key::FollowerRate),
            CopyPort::Out(id) => (id, Key::LeaderRate),
            CopyPort::Dirs(id) => (id, Key::LogDirRate),
        };
        match self.task.terms.pace {
            Pace::BytesPerSecond(rate) => rate,
            Pace::Unthrottled => UNTHROTTLED,
            Pace::Auto => {
                let set = self.seen.configs.get(&ThrottleResource::Broker(broker));
                let set = set.and_then(|set| set.get(&key)?.parse().ok());
                set.map_or(UNTHROTTLED, Rate)
            }
        }
    }
}

/// The ports of a move, with what is left to copy through each.
fn uses(seen: &Seen, change: &Move) -> Vec<PortUse> {
    let each = each_copy(change);
    let within = |id| {
        let bytes = copy_to_dir(change, id);
        PortUse { port: CopyPort::Dirs(id), ends: vec![None], bytes }
    };
    let mut uses: Vec<PortUse> = dirs::copying(seen, change).map(within).collect();
    if seen.has_arrived(change) {
        return uses;
    }
    let source = seen.leader(change).map(CopyPort::Out);
    let (mut ends, mut sent) = (Vec::new(), 0_u64);
    for id in change.added() {
        let arrived = seen.copies.bytes.get(&(change.of(), id)).map_or(0, |bytes| bytes.0);
        let (port, bytes) = (CopyPort::In(id), each.saturating_sub(arrived));
        uses.push(PortUse { port, ends: vec![source], bytes });
        ends.push(Some(port));
        sent = sent.saturating_add(bytes);
    }
    let sends = |port| PortUse { port, ends, bytes: sent };
    uses.extend(source.filter(|_| change.added().next().is_some()).map(sends));
    uses
}

/// Whether a move in flight gives its place at this port to another one: it gets no bytes, and the fault is at its
/// other end. A port through which nothing goes keeps its moves, so that it does not collect more of them.
fn has_stalled(seen: &Seen, change: &Move, port: CopyPort) -> bool {
    let flows = |port: CopyPort| seen.copies.flowing.contains(&port);
    let source = seen.leader(change).map(CopyPort::Out);
    let blocked = match port {
        CopyPort::In(_) => !flows(port) && source.is_some_and(flows),
        CopyPort::Out(_) | CopyPort::Dirs(_) => !flows(port),
    };
    seen.copies.idle.contains(&change.of()) && !blocked
}

/// Whether the move adds a replica to a partition that lacks one.
pub(crate) fn heals(seen: &Seen, change: &Move) -> bool {
    danger(seen, change) > 0
}

/// How close a partition is to the loss of data, where the move adds a replica to it.
fn danger(seen: &Seen, change: &Move) -> u8 {
    let Some(partition) = seen.partition(change) else { return 0 };
    let (in_sync, wanted) = (seen.in_sync(change).len(), partition.replicas.len());
    let lacks = in_sync < wanted && change.added().any(|id| seen.live.contains(&id));
    match (lacks, in_sync) {
        (true, 1) => 3,
        (true, 2..) if health::is_under_min_isr(seen, change) => 2,
        (true, _) => 1,
        (false, _) => u8::from(change.reason == Reason::Lost),
    }
}

#[cfg(test)]
pub(crate) mod tests;
