//! Short words for facts.

use mapper::{BrokerId, Bytes, PartitionId, Rate, TopicPartition};
use std::time::Duration;
use throttle::{
    BrokerSeen, Cause, CopySeen, Decided, Decision, Destination, Limits, Override, Ports, Role,
    Seen, Share, State, Terms, Traffic, decide,
};

pub(crate) const MB: u64 = 1_000_000;

pub(crate) fn megabytes(n: u64) -> Rate {
    Rate(n * MB)
}

pub(crate) fn ids<C: FromIterator<BrokerId>>(ids: &[u32]) -> C {
    ids.iter().copied().map(BrokerId).collect()
}

pub(crate) fn of(partition: u32) -> TopicPartition {
    TopicPartition { topic: "events".to_owned(), partition: PartitionId(partition) }
}

/// A broker through which so many MB/s pass.
pub(crate) fn broker(capacity: u64, tx: u64, rx: u64) -> BrokerSeen {
    let total = Ports { tx: megabytes(tx), rx: megabytes(rx) };
    BrokerSeen {
        live: true,
        capacity: Some(Ports::both(megabytes(capacity))),
        traffic: Some(Traffic { total, ..Traffic::default() }),
        ..BrokerSeen::default()
    }
}

/// A partition of a reassignment, its leader first among those in sync.
pub(crate) fn copy(partition: u32, in_sync: &[u32], to: &[u32]) -> CopySeen {
    let to = to.iter().map(|id| Destination { broker: BrokerId(*id), done: None });
    CopySeen {
        of: of(partition),
        cause: Cause::Reassignment,
        leader: in_sync.first().copied().map(BrokerId),
        in_sync: ids(in_sync),
        destinations: to.collect(),
        min_insync: Some(1),
        leader_bytes: None,
        ingest: None,
    }
}

/// The same with what producers write to it, in MB/s.
pub(crate) fn written(copy: CopySeen, ingest: u64) -> CopySeen {
    CopySeen { ingest: Some(megabytes(ingest)), ..copy }
}

/// A replica that fell behind by so many MB.
pub(crate) fn behind(partition: u32, in_sync: &[u32], to: u32, missing: u64) -> CopySeen {
    let to = Destination { broker: BrokerId(to), done: Some(Bytes(1000 * MB)) };
    CopySeen {
        cause: Cause::Recovery,
        destinations: vec![to],
        leader_bytes: Some(Bytes((1000 + missing) * MB)),
        ..copy(partition, in_sync, &[])
    }
}

pub(crate) fn seen(brokers: &[(u32, BrokerSeen)], copies: &[CopySeen]) -> Seen {
    Seen {
        brokers: brokers.iter().map(|(id, seen)| (BrokerId(*id), seen.clone())).collect(),
        copies: copies.to_vec(),
        ..Seen::default()
    }
}

/// The same, so many seconds after the start.
pub(crate) fn at(seconds: u64, seen: Seen) -> Seen {
    Seen { at: Duration::from_secs(seconds), ..seen }
}

pub(crate) fn asked(rate: u64) -> Override {
    Override { rate: megabytes(rate), autoremove: false }
}

/// 90 % of both directions, at least 10 MB/s.
pub(crate) fn limits() -> Limits {
    Limits::default()
}

pub(crate) fn limits_with(change: impl FnOnce(&mut Terms)) -> Limits {
    let mut terms = Terms::default();
    change(&mut terms);
    Limits::new(terms).expect("the terms of a test make sense")
}

/// The formula of kafka-kit, without paths.
pub(crate) fn formula(change: impl FnOnce(&mut Terms)) -> Limits {
    limits_with(|terms| {
        terms.share = Share::Headroom;
        change(terms);
    })
}

pub(crate) fn first(seen: &Seen, limits: &Limits) -> Decision {
    decide(State::default(), seen, limits).1
}

/// The last decision of several rounds.
pub(crate) fn last(rounds: impl IntoIterator<Item = Seen>, limits: &Limits) -> Decision {
    let mut state = State::default();
    let mut last = Decision::default();
    for seen in rounds {
        (state, last) = decide(state, &seen, limits);
    }
    last
}

pub(crate) fn of_port(decision: &Decision, broker: u32, role: Role) -> Decided {
    decision.rates[&(BrokerId(broker), role)]
}

/// In whole MB/s.
pub(crate) fn rate(decision: &Decision, broker: u32, role: Role) -> u64 {
    of_port(decision, broker, role).rate.0 / MB
}
