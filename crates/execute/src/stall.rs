//! Copies that make no progress for too long, and the broker that limits them.
//!
//! In: the bytes of each new replica, look by look. Out: [`Stall`]s, each with the broker and the direction that
//! limits, as far as that is visible from outside. A copy counts as making progress if its broker does not report its
//! size.

use crate::copies::CopyPort;
use crate::seen::{Running, Seen};
use mapper::snapshot::Partition;
use mapper::{BrokerId, Bytes, Move, Plan, TopicPartition};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A move without a byte for this long gives its place to another one, in seconds. It is longer than a broker waits
/// from one fetch under a throttle to the next: at most the quota's window of 11 seconds.
const IDLE_SECONDS: u64 = 20;

/// Stalled copies with the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// The broker that limits them.
    pub broker: BrokerId,
    /// The side of that broker.
    pub direction: LimitingSide,
    /// The cause.
    pub cause: StallCause,
    /// Since when all of them have made no progress, in seconds as in `Seen::at_seconds`.
    pub since_seconds: u64,
    /// Their partitions.
    pub partitions: BTreeSet<TopicPartition>,
}

/// The side of a broker that limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitingSide {
    /// The bytes that it sends as a leader.
    Outgoing,
    /// The bytes that it receives.
    Incoming,
}

/// Why a copy makes no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StallCause {
    /// The broker is not live.
    Dead,
    /// The partition has no leader; it gets one again when the broker returns.
    NoLeader,
    /// The broker's rate, or its network or disk, is used up by something else.
    UsedUp,
}

/// The progress of the copies so far. It is lost with the process; the next process starts to watch again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch(BTreeMap<(TopicPartition, BrokerId), WatchedCopy>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct WatchedCopy {
    leader: Option<BrokerId>,
    bytes: Option<Bytes>,
    /// When it last grew, or was first seen.
    stands_since: u64,
    has_grown: bool,
}

impl WatchedCopy {
    /// The ports that it goes through.
    fn ports(&self, to: BrokerId) -> impl Iterator<Item = CopyPort> + use<> {
        self.leader.map(CopyPort::Out).into_iter().chain([CopyPort::In(to)])
    }
}

impl Watch {
    /// Applies one look, and adds to it what the copies have shown. Returns those without progress for
    /// `patience_seconds`, in order.
    pub fn look(&mut self, plan: &Plan, seen: &mut Seen, patience_seconds: u64) -> Vec<Stall> {
        let mut now = BTreeMap::new();
        for change in plan.moves.iter().filter(|change| seen.runs(change)) {
            let Some(running) = seen.running.get(&change.of()) else { continue };
            for to in awaited(seen, change, running) {
                let key = (change.of(), to);
                let told = seen.copies.bytes.get(&key).copied();
                let leader = seen.leader(change).filter(|id| seen.live.contains(id));
                let copy = self.followed(&key, leader, told, seen);
                now.insert(key, copy);
            }
        }
        self.0 = now;
        self.mark(seen);
        self.stalls(seen, patience_seconds)
    }

    fn mark(&self, seen: &mut Seen) {
        let now = seen.at_seconds;
        let grows = |copy: &WatchedCopy| now.saturating_sub(copy.stands_since) < IDLE_SECONDS;
        let growing = self.0.iter().filter(|(_, copy)| copy.has_grown && grows(copy));
        seen.copies.flowing = growing.flat_map(|((_, to), copy)| copy.ports(*to)).collect();
        seen.copies.idle = self.0.keys().map(|(of, _)| of.clone()).collect();
        for ((of, _), _) in self.0.iter().filter(|(_, copy)| grows(copy)) {
            seen.copies.idle.remove(of);
        }
    }

    fn followed(
        &self,
        key: &(TopicPartition, BrokerId),
        leader: Option<BrokerId>,
        told: Option<Bytes>,
        seen: &Seen,
    ) -> WatchedCopy {
        let at = seen.at_seconds;
        let Some(before) = self.0.get(key) else {
            return WatchedCopy { leader, bytes: told, stands_since: at, has_grown: false };
        };
        let grew = told.is_some_and(|told| before.bytes.is_none_or(|bytes| told > bytes));
        // A live broker that does not report the size may have a growing replica.
        let unknown = told.is_none() && seen.live.contains(&key.1) && leader.is_some();
        WatchedCopy {
            leader,
            bytes: told.or(before.bytes),
            stands_since: if grew || unknown { at } else { before.stands_since },
            has_grown: before.has_grown || grew,
        }
    }

    fn stalls(&self, seen: &Seen, patience: u64) -> Vec<Stall> {
        let stands =
            |copy: &WatchedCopy| seen.at_seconds.saturating_sub(copy.stands_since) >= patience;
        let mut found: BTreeMap<(BrokerId, LimitingSide, StallCause), Stall> = BTreeMap::new();
        for ((of, to), copy) in self.0.iter().filter(|(_, copy)| stands(copy)) {
            let (broker, direction, cause) = self.held_by(of, *to, copy, seen, patience);
            let stall = found.entry((broker, direction, cause)).or_insert_with(|| Stall {
                broker,
                direction,
                cause,
                since_seconds: copy.stands_since,
                partitions: BTreeSet::new(),
            });
            stall.since_seconds = stall.since_seconds.max(copy.stands_since);
            stall.partitions.insert(of.clone());
        }
        found.into_values().collect()
    }

    fn held_by(
        &self,
        of: &TopicPartition,
        to: BrokerId,
        copy: &WatchedCopy,
        seen: &Seen,
        patience: u64,
    ) -> (BrokerId, LimitingSide, StallCause) {
        if !seen.live.contains(&to) {
            return (to, LimitingSide::Incoming, StallCause::Dead);
        }
        let Some(leader) = copy.leader else {
            let partition = seen.partition_of(of);
            let heals = partition.map(Partition::heals).unwrap_or_default();
            let dead = heals.iter().copied().find(|id| !seen.live.contains(id));
            let heals = dead.or(heals.first().copied()).unwrap_or(to);
            return (heals, LimitingSide::Outgoing, StallCause::NoLeader);
        };
        let goes_on = |other: &&WatchedCopy| {
            other.has_grown && seen.at_seconds.saturating_sub(other.stands_since) < patience
        };
        let into = self.0.iter().filter(|((_, id), _)| *id == to).map(|(_, other)| other);
        let into = into.filter(goes_on).count();
        let out_of = self.0.values().filter(|other| other.leader == Some(leader));
        let out_of = out_of.filter(goes_on).count();
        // A new replica's quota counts only moves; a leader's quota also counts what producers write. If no visible
        // traffic uses up the rate, the leader's quota is the cause.
        if into > out_of {
            (to, LimitingSide::Incoming, StallCause::UsedUp)
        } else {
            (leader, LimitingSide::Outgoing, StallCause::UsedUp)
        }
    }
}

/// The brokers that the move still waits for: Kafka ends it when they are in sync.
fn awaited(seen: &Seen, change: &Move, running: &Running) -> Vec<BrokerId> {
    let in_sync = seen.in_sync(change);
    running.target.iter().copied().filter(|id| !in_sync.contains(id)).collect()
}

#[cfg(test)]
mod tests;
