//! Measures what producers write to the partitions that are to move.
//!
//! A throttle on the leaders also counts in-sync traffic. Below the rate of new data, new replicas receive nothing,
//! and no error shows it. The rate of new data is the growth of the leaders' logs between two reads.

use super::{Execution, Look};
use crate::error::Error;
use crate::events::{Note, RunContext};
use execute::catch_up::behind;
use execute::{MOVES_PER_BROKER, MoveState, Pace, Round, Seen};
use mapper::{BrokerId, Bytes, Move, Rate, RateMeter, Reason, Replicas, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

/// The time between the two reads.
const WATCHED: Duration = Duration::from_secs(4);
/// The least throttle, in percent of the rate of new data.
const MARGIN: u64 = 120;

/// A broker that needs a higher rate for new data alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starved {
    pub broker: BrokerId,
    /// The least sufficient rate, including the margin.
    pub least: Rate,
}

impl fmt::Display for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broker, least } = self;
        write!(
            f,
            "broker {broker} needs {} per second for new data alone ({} bytes, a margin of 20 % included): \
             replicas would never catch up",
            Bytes(least.0),
            least.0
        )
    }
}

/// Refuses a throttle below what any broker has to send and receive of new data alone.
pub async fn refuse_below_ingest(
    execution: &Execution<'_>,
    look: &Look,
    round: &Round,
    context: &mut RunContext<'_>,
) -> Result<(), Error> {
    let Pace::BytesPerSecond(rate) = execution.task.terms.pace else { return Ok(()) };
    refuse(starved(execution, look, round, rate).await, rate, context)
}

/// The same for a broker that returns with an empty disk: it copies all its replicas at once, and no replica is
/// added.
pub async fn refuse_below_ingest_of(
    client: &kafka::Client,
    seen: &Seen,
    broker: BrokerId,
    rate: Rate,
    context: &mut RunContext<'_>,
) -> Result<(), Error> {
    let of = behind(seen, broker);
    // A replica that the broker copies from scratch counts as a move to it.
    let moves = of.iter().filter_map(|of| copy(seen, of, &[broker], None)).collect();
    refuse(all_starved(client, seen, moves, rate).await, rate, context)
}

/// Replicas that `adding` copies, as a move to `target`; `None`: to the present replicas.
fn copy(
    seen: &Seen,
    of: &TopicPartition,
    adding: &[BrokerId],
    target: Option<&Replicas>,
) -> Option<Move> {
    let replicas = &seen.topics.get(&of.topic)?.partition(of.partition)?.replicas;
    Some(Move {
        topic: of.topic.as_str().into(),
        partition: of.partition,
        from: replicas.iter().copied().filter(|id| !adding.contains(id)).collect(),
        via: Box::default(),
        disk_bytes: Bytes(0),
        to: target.unwrap_or(replicas).clone(),
        log_dirs: Vec::new(),
        reason: Reason::Forced,
        bytes: None,
    })
}

/// Whether a rate is enough for all these moves at the same time.
async fn all_starved(
    client: &kafka::Client,
    seen: &Seen,
    moves: Vec<Move>,
    rate: Rate,
) -> Measured {
    let led = moves.iter().filter_map(|change| Some((change, seen.leader(change)?)));
    judged(client, &led.collect::<Vec<_>>(), usize::MAX, rate).await
}

fn refuse(measured: Measured, rate: Rate, context: &mut RunContext<'_>) -> Result<(), Error> {
    match measured {
        Measured::Starved(starved) => Err(local::Error::flag(
            "--throttle",
            format!("{} bytes per second", rate.0),
            starved.to_string(),
        )
        .into()),
        Measured::Enough => Ok(()),
        Measured::Unknown => {
            context.note(&Note::new("what is written meanwhile could not be measured"))
        }
    }
}

/// Whether a rate is sufficient for the new data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// The rate is enough for new data with a margin of 20 %, or nothing is to be copied.
    Enough,
    /// The rate is too low for new data alone: copies would never catch up.
    Starved(Starved),
    /// No broker reported the sizes of its logs.
    Unknown,
}

/// Whether a rate is enough for every open move of the plan.
pub(super) async fn starved(
    execution: &Execution<'_>,
    look: &Look,
    round: &Round,
    rate: Rate,
) -> Measured {
    let open = |standing: &MoveState| match standing {
        MoveState::Moving | MoveState::Ready | MoveState::Hindered(_) => true,
        MoveState::Done | MoveState::Left(_) => false,
    };
    let moves: Vec<(&Move, BrokerId)> = round
        .course
        .all(open)
        .filter_map(|index| execution.task.plan.moves.get(index))
        .filter(|change| change.added().next().is_some())
        .filter_map(|change| Some((change, look.seen.leader(change)?)))
        .collect();
    let limits = execution.task.terms.limits;
    let at_a_time = limits.moves.min(limits.moves_per_broker.unwrap_or(MOVES_PER_BROKER));
    judged(execution.client, &moves, at_a_time, rate).await
}

/// Whether a rate is enough for these moves with their leaders, if `at_a_time` of them run at once.
async fn judged(
    client: &kafka::Client,
    moves: &[(&Move, BrokerId)],
    at_a_time: usize,
    rate: Rate,
) -> Measured {
    let written = written(client, moves).await;
    match floor(moves, &written, at_a_time) {
        Some((broker, least)) if rate < least => Measured::Starved(Starved { broker, least }),
        Some(_) => Measured::Enough,
        None if moves.is_empty() => Measured::Enough,
        None => Measured::Unknown,
    }
}

/// Whether a rate is enough for all copies in flight, whichever tool began them.
pub async fn starved_in_flight(client: &kafka::Client, seen: &Seen, rate: Rate) -> Measured {
    let running = seen.running.iter();
    let moves =
        running.filter_map(|(of, run)| copy(seen, of, &run.adding, Some(&run.target))).collect();
    all_starved(client, seen, moves, rate).await
}

/// The rate of new data of each partition whose leader answered both reads.
async fn written(
    client: &kafka::Client,
    moves: &[(&Move, BrokerId)],
) -> BTreeMap<TopicPartition, Rate> {
    let mut led: BTreeMap<BrokerId, BTreeSet<TopicPartition>> = BTreeMap::new();
    for (change, leader) in moves {
        led.entry(*leader).or_default().insert(change.of());
    }
    let (since, mut meter) = (Instant::now(), RateMeter::default());
    let first = kafka::log_sizes(client, &led, since).await;
    if first.values().all(|log| log.size.is_none()) {
        return BTreeMap::new();
    }
    meter.see(&first);
    tokio::time::sleep(WATCHED).await;
    meter.see(&kafka::log_sizes(client, &led, since).await);
    let rates = meter.rates().into_iter();
    rates.filter_map(|(of, rate)| Some((of, rate.ok()?.bytes))).collect()
}

/// The broker with the highest need, and its rate with the margin. A leader sends new data to all followers, old and
/// new; a new follower receives it. Counts the `at_a_time` largest moves.
fn floor(
    moves: &[(&Move, BrokerId)],
    written: &BTreeMap<TopicPartition, Rate>,
    at_a_time: usize,
) -> Option<(BrokerId, Rate)> {
    let mut needs: BTreeMap<(BrokerId, bool), Vec<u64>> = BTreeMap::new();
    for (change, leader) in moves {
        let Some(Rate(rate)) = written.get(&change.of()) else { continue };
        let followers = change.from.len().saturating_sub(1) + change.added().count();
        let sent = rate.saturating_mul(followers as u64);
        needs.entry((*leader, true)).or_default().push(sent);
        for broker in change.added() {
            needs.entry((broker, false)).or_default().push(*rate);
        }
    }
    let of_brokers = needs.into_iter().map(|((broker, _), mut rates)| {
        rates.sort_unstable_by(|a, b| b.cmp(a));
        let sum = rates.iter().take(at_a_time).fold(0_u64, |sum, rate| sum.saturating_add(*rate));
        (broker, Rate(sum.saturating_mul(MARGIN) / 100))
    });
    of_brokers.max_by_key(|(broker, least)| (*least, std::cmp::Reverse(*broker)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::PartitionId;

    #[test]
    fn a_leader_needs_what_it_sends_to_all_followers_and_a_margin() {
        let change = |partition: u32, from: &[u32], to: &[u32]| Move {
            topic: "t".into(),
            partition: PartitionId(partition),
            from: from.iter().copied().map(BrokerId).collect(),
            via: Box::default(),
            disk_bytes: Bytes(0),
            log_dirs: Vec::new(),
            to: to.iter().copied().map(BrokerId).collect(),
            reason: Reason::Balance,
            bytes: None,
        };
        let (one, two) = (change(0, &[1, 2], &[1, 3]), change(1, &[1, 2], &[1, 4]));
        let moves = [(&one, BrokerId(1)), (&two, BrokerId(1))];
        let written = [(one.of(), Rate(100)), (two.of(), Rate(50))].into();
        // Each has an old and a new follower.
        assert_eq!(floor(&moves, &written, 9), Some((BrokerId(1), Rate(360))));
        assert_eq!(floor(&moves, &written, 1), Some((BrokerId(1), Rate(240))));
        assert_eq!(floor(&moves, &BTreeMap::new(), 9), None);
    }
}
