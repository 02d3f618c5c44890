//! Keeps a plan within the limits of its request (`--max-bytes-moved`, `--max-moves`).
//!
//! A plan within the limits is kept as it is. Otherwise a limit of bytes goes down a ladder
//! ([`descent`](super::descent)) as far as it can. No rung depends on the limit, and no rung has a higher top or a lower
//! bottom than those above it. So a larger limit never ends less evenly.
//!
//! The ladder does not help if replicas are limited, or if no rung finds room. Then the changes are put in one order:
//! within a group of brokers in the order of their discovery, and first those of the group with the worst broker.
//! The plan keeps a first part of them. Of all first parts that stay within the limits and leave room for both copies,
//! it takes the one that ends most evenly.

use super::load_goals::Layout;
use super::state::{BalanceState, SeatShift};
use crate::bytes::Bytes;
use crate::dense::{BrokerIx, DenseCluster};
use crate::floor;
use crate::no_plan::NoPlan;
use crate::request::Balance;
use crate::work::Work;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Fails if the repairs alone exceed the limits: they have to move in any case.
pub(super) fn repairs_fit(
    cluster: &DenseCluster<'_>,
    balance: &Balance,
    repairs: &[Work],
) -> Result<(), NoPlan> {
    let (bytes, replicas) = needed(cluster, repairs);
    let fits = balance.max_bytes_moved.is_none_or(|most| bytes <= most.0)
        && balance.max_moves.is_none_or(|most| replicas <= most);
    if fits { Ok(()) } else { Err(NoPlan::BeyondLimit { bytes: Bytes(bytes), replicas }) }
}

/// The bytes and replicas that repairs copy.
fn needed(cluster: &DenseCluster<'_>, repairs: &[Work]) -> (u64, u64) {
    let replicas = repairs.iter().map(|item| u64::from(item.must_copy)).sum();
    (floor::must_copy(cluster, repairs).map_or(0, |bytes| bytes.0), replicas)
}

/// Whether the request has any limit.
pub(super) fn are_set(balance: &Balance) -> bool {
    balance.max_bytes_moved.is_some() || balance.max_moves.is_some()
}

/// Whether the changes of a state stay within the limits.
pub(super) fn allow(balance: &Balance, repairs: &[Work], state: &BalanceState<'_>) -> bool {
    let (bytes, replicas) = needed(state.cluster, repairs);
    let (mut bytes, mut replicas) = (i128::from(bytes), i128::from(replicas));
    for change in &state.log {
        let copies = i128::from(state.copies(*change));
        bytes += copies * i128::from(state.size[change.partition as usize]);
        replicas += copies;
    }
    balance.max_bytes_moved.is_none_or(|most| bytes <= most.0.into())
        && balance.max_moves.is_none_or(|most| replicas <= most.into())
}

/// The changes of a state in one order, and how many of them may be kept.
pub(super) struct ChangesInOrder {
    changes: Vec<SeatShift>,
    /// Numbers of changes within the limits. The one that ends most evenly is first; the last is zero.
    lengths: Vec<usize>,
    /// Whether the most important load is as even as possible: each broker is in its band, or all changes are kept.
    pub(super) is_enough: bool,
}

/// The most numbers of changes that are tried. Nearly always the first has room, because all changes together had room.
const TRIES: usize = 64;

impl ChangesInOrder {
    /// Afterwards `state` is as it was before the call.
    pub(super) fn new(
        state: &mut BalanceState<'_>,
        balance: &Balance,
        repairs: &[Work],
        layouts: &[Layout],
    ) -> Self {
        let mut way = Self { changes: Vec::new(), lengths: Vec::new(), is_enough: false };
        if let Some(first) = layouts.first() {
            let mut kept = way.walk(state, balance, repairs, layouts, first);
            kept.sort();
            let best = kept.first();
            way.is_enough = best.is_some_and(|(strains, _)| strains.first() == Some(&0))
                || kept.iter().any(|(_, length)| *length == way.changes.len());
            way.lengths.extend(kept.into_iter().map(|(_, length)| length).take(TRIES));
        }
        if !way.lengths.contains(&0) {
            way.lengths.push(0);
        }
        way
    }

    /// Each number of changes within the limits, with the evenness in which it ends.
    fn walk(
        &mut self,
        state: &mut BalanceState<'_>,
        balance: &Balance,
        repairs: &[Work],
        layouts: &[Layout],
        first: &Layout,
    ) -> Vec<(Strains, usize)> {
        let mut queues = GroupQueues::new(state, first);
        state.rewind(0);
        let (bytes, replicas) = needed(state.cluster, repairs);
        let (mut bytes, mut replicas) = (i128::from(bytes), i128::from(replicas));
        let most_bytes = balance.max_bytes_moved.map_or(i128::MAX, |most| most.0.into());
        let most_replicas = balance.max_moves.map_or(i128::MAX, i128::from);
        let mut topics: u64 = layouts.iter().map(|layout| layout.topics_off(state)).sum();
        let mut kept = vec![(worst_of_all(state, layouts, &queues.all, topics), 0)];
        while let Some(change) = queues.next(state, first) {
            let of_topic = |state: &BalanceState<'_>| -> u64 {
                layouts.iter().map(|layout| layout.topic_off(state, change.partition)).sum()
            };
            let before = of_topic(state);
            let copies = i128::from(state.copies(change));
            bytes += copies * i128::from(state.size[change.partition as usize]);
            replicas += copies;
            state.shift(change);
            topics = topics + of_topic(state) - before;
            if bytes <= most_bytes && replicas <= most_replicas {
                kept.push((worst_of_all(state, layouts, &queues.all, topics), state.log.len()));
            }
        }
        self.changes.clone_from(&state.log);
        kept
    }

    /// The numbers of changes to try, the best first.
    pub(super) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Carries out the first `length` changes, and no others.
    pub(super) fn go(&self, state: &mut BalanceState<'_>, length: usize) {
        state.rewind(0);
        self.changes[..length].iter().for_each(|change| state.shift(*change));
    }
}

/// The changes of each group of brokers, in order.
struct GroupQueues<'l> {
    groups: Vec<(&'l [BrokerIx], VecDeque<SeatShift>)>,
    all: Vec<BrokerIx>,
}

impl<'l> GroupQueues<'l> {
    fn new(state: &BalanceState<'_>, layout: &'l Layout) -> Self {
        let mut group_of = vec![0; state.used.len()];
        let mut groups: Vec<(&[BrokerIx], VecDeque<SeatShift>)> = Vec::new();
        for (at, group) in layout.shares.groups.iter().enumerate() {
            groups.push((&group.brokers, VecDeque::new()));
            for broker in &group.brokers {
                group_of[*broker as usize] = at;
            }
        }
        for change in &state.log {
            groups[group_of[change.from as usize]].1.push_back(*change);
        }
        let all = groups.iter().flat_map(|(brokers, _)| brokers.iter().copied()).collect();
        Self { groups, all }
    }

    /// The next change of the group whose worst broker is the worst of all.
    fn next(&mut self, state: &BalanceState<'_>, layout: &Layout) -> Option<SeatShift> {
        let waiting = self.groups.iter_mut().rev().filter(|(_, queue)| !queue.is_empty());
        waiting.max_by_key(|(brokers, _)| worst(state, layout, brokers))?.1.pop_front()
    }
}

type Strains = SmallVec<[u64; 3]>;

/// The strain of the worst broker for each load, the most important load first. For topics, it is the number of replicas
/// outside their bands.
fn worst_of_all(
    state: &BalanceState<'_>,
    layouts: &[Layout],
    brokers: &[BrokerIx],
    topics: u64,
) -> Strains {
    let strain = |layout: &Layout| match layout.topics {
        Some(_) => topics,
        None => worst(state, layout, brokers),
    };
    layouts.iter().map(strain).collect()
}

/// The strain of the worst of some brokers: its distance from its band.
fn worst(state: &BalanceState<'_>, layout: &Layout, brokers: &[BrokerIx]) -> u64 {
    let strain = |broker: &BrokerIx| {
        let at = *broker as usize;
        layout.bands[at].map_or(0, |band| band.strain(state.carried(layout.load)[at]))
    };
    brokers.iter().map(strain).max().unwrap_or(0)
}
