//! Measures what producers write to each partition of a live cluster.

use crate::error::Error;
use crate::events::Note;
use mapper::RateMeter;
use mapper::snapshot::{MeasuredRates, UnmeasuredPartitions};
use std::time::{Duration, Instant};

/// The wished time between two looks, in seconds.
const EVERY_SECONDS: u64 = 10;
/// The number of intervals. Two or more: one may have to be left out, because segments were deleted in it. The most
/// bounds the load of a long measurement; a look at 4,000 replicas costs a broker some milliseconds.
const INTERVALS: (u64, u64) = (2, 6);

/// Looks at all logs, again and again, during this time.
///
/// # Errors
/// If no broker lists the topics.
pub async fn measured(client: &kafka::Client, during: Duration) -> Result<MeasuredRates, Error> {
    let (since, mut meter) = (Instant::now(), RateMeter::default());
    meter.see(&kafka::log_look(client, since).await?);
    // The time counts from the first answers: connecting takes time, too.
    let (started, (least, most)) = (tokio::time::Instant::now(), INTERVALS);
    let intervals = u32::try_from((during.as_secs() / EVERY_SECONDS).clamp(least, most));
    let intervals = intervals.unwrap_or(1);
    for interval in 1..=intervals {
        tokio::time::sleep_until(started + during / intervals * interval).await;
        meter.see(&kafka::log_look(client, since).await?);
    }
    Ok(meter.rates())
}

/// Notes on partitions whose rates are unknown.
pub(crate) fn notes(unmeasured: &[UnmeasuredPartitions]) -> impl Iterator<Item = Note> {
    unmeasured.iter().map(|UnmeasuredPartitions { why, partitions, first }| Note {
        text: format!(
            "the rates of {} are unknown, {first} the first: {}",
            mapper::counted(*partitions, "partition"),
            why.words()
        ),
        hint: Some("measure again once the cluster is quiet, or for a longer time".to_owned()),
    })
}
