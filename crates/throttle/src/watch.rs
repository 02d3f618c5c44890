//! Measurements from two looks: what producers write, and what new replicas got.
//!
//! In: what was remembered of the partitions, and the partitions now. Out: what to remember, and the measurements.

use crate::average::{per_second, towards};
use crate::paced::{Paced, ThrottledTarget};
use crate::seen::CopySeen;
use mapper::{BrokerId, Bytes, Rate, TopicPartition};
use serde::{Deserialize, Serialize};

/// Producers write in batches: growth is measured over at least this time, the first time over less.
const WATCHED_MILLISECONDS: u64 = 10_000;
const WATCHED_FIRST_MILLISECONDS: u64 = 1_000;
/// How slowly a floor sinks after what producers write; it rises at once.
const SLOWNESS_MILLISECONDS: u64 = 20_000;

/// What is remembered of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WatchedPartition {
    #[serde(flatten)]
    of: TopicPartition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<LogMark>,
    /// What producers write, in bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ingest: Option<Rate>,
    to: Vec<Filled>,
}

/// The size of a leader's log at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct LogMark {
    leader: BrokerId,
    bytes: Bytes,
    at_milliseconds: u64,
}

/// A replica that is being filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Filled {
    broker: BrokerId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<Bytes>,
    /// When it was first seen.
    since_milliseconds: u64,
    /// When it last grew.
    grew_milliseconds: u64,
}

/// The measurements of one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Growth {
    /// What producers write.
    pub(crate) ingest: Ingest,
    /// One for each destination that is throttled, in their order.
    pub(crate) to: Vec<ReplicaProgress>,
}

/// What producers write to a partition, in bytes per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ingest {
    Now(Rate),
    /// It cannot be measured now: the last known rate.
    Before(Rate),
    #[default]
    Unknown,
}

impl Ingest {
    pub(crate) fn rate(self) -> Option<Rate> {
        match self {
            Self::Now(rate) | Self::Before(rate) => Some(rate),
            Self::Unknown => None,
        }
    }
}

/// The progress of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplicaProgress {
    /// What it got since the round before; `None`: not known.
    pub(crate) moved: Option<Rate>,
    /// How long it has been watched, and how long it has not grown; in milliseconds.
    pub(crate) watched: u64,
    pub(crate) stood: u64,
}

/// The time of this round, and the time since the one before if something can be measured; in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: u64,
    pub(crate) elapsed: Option<u64>,
}

/// What to remember, and the measurements, for each partition in its order.
pub(crate) fn look(
    before: Vec<WatchedPartition>,
    paced: &[Paced<'_>],
    moment: Moment,
) -> (Vec<WatchedPartition>, Vec<Growth>) {
    let mut before = before.into_iter().peekable();
    let each = paced.iter().map(|one| {
        while before.next_if(|old| old.of < one.copy.of).is_some() {}
        let old = before.next_if(|old| old.of == one.copy.of);
        look_at(old, one, moment)
    });
    each.unzip()
}

fn look_at(
    old: Option<WatchedPartition>,
    one: &Paced<'_>,
    moment: Moment,
) -> (WatchedPartition, Growth) {
    let (log, ingest) = written(old.as_ref(), one.copy, moment);
    let of_old = |broker| old.as_ref()?.to.iter().find(|filled| filled.broker == broker);
    let (to, progress) = one.to.iter().map(|to| fill(of_old(to.broker), to, moment)).unzip();
    let of = old.map_or_else(|| one.copy.of.clone(), |old| old.of);
    let watched = WatchedPartition { of, log, ingest: ingest.rate(), to };
    (watched, Growth { ingest, to: progress })
}

fn written(
    old: Option<&WatchedPartition>,
    copy: &CopySeen,
    moment: Moment,
) -> (Option<LogMark>, Ingest) {
    let rate = old.and_then(|old| old.ingest);
    let before = rate.map_or(Ingest::Unknown, Ingest::Before);
    let mark = old.and_then(|old| old.log).filter(|mark| mark.at_milliseconds <= moment.now);
    if let Some(given) = copy.ingest {
        return (mark, Ingest::Now(given));
    }
    let Some((leader, bytes)) = copy.leader.zip(copy.leader_bytes) else { return (mark, before) };
    let fresh = LogMark { leader, bytes, at_milliseconds: moment.now };
    // Two brokers' logs of one partition differ in size.
    let Some(mark) = mark.filter(|mark| mark.leader == leader) else {
        return (Some(fresh), before);
    };
    let now = rate.map_or(Ingest::Unknown, Ingest::Now);
    let age = moment.now - mark.at_milliseconds;
    let enough = if rate.is_some() { WATCHED_MILLISECONDS } else { WATCHED_FIRST_MILLISECONDS };
    if age < enough {
        return (Some(mark), now);
    }
    // Retention removes whole segments: what was written in that time cannot be measured.
    let Some(grown) = bytes.0.checked_sub(mark.bytes.0) else { return (Some(fresh), now) };
    let measured = per_second(grown, age);
    let slowness = if rate.is_some_and(|rate| measured < rate) { SLOWNESS_MILLISECONDS } else { 0 };
    (Some(fresh), Ingest::Now(towards(rate, measured, age, slowness)))
}

fn fill(old: Option<&Filled>, to: &ThrottledTarget, moment: Moment) -> (Filled, ReplicaProgress) {
    let first = Filled {
        broker: to.broker,
        done: to.done,
        since_milliseconds: moment.now,
        grew_milliseconds: moment.now,
    };
    let old = old.filter(|old| old.grew_milliseconds <= moment.now);
    let Some(old) = old else {
        // The bytes that it had when it was first seen arrived before.
        let moved = moment.elapsed.and(to.done).map(|_| Rate(0));
        return (first, ReplicaProgress { moved, watched: 0, stood: 0 });
    };
    let grown = to.done.zip(old.done).map(|(now, before)| now.0.saturating_sub(before.0));
    // A replica counts as growing if its live broker does not report its size; on a broker that is down it does not.
    let grew = grown.is_some_and(|grown| grown > 0) || (to.done.is_none() && to.live);
    let grew_milliseconds = if grew { moment.now } else { old.grew_milliseconds };
    let now = Filled { grew_milliseconds, since_milliseconds: old.since_milliseconds, ..first };
    let progress = ReplicaProgress {
        moved: grown.zip(moment.elapsed).map(|(grown, elapsed)| per_second(grown, elapsed)),
        watched: moment.now - now.since_milliseconds.min(moment.now),
        stood: moment.now - now.grew_milliseconds,
    };
    (now, progress)
}
