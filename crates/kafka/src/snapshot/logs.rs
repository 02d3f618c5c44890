//! Looks at the logs of leaders: their sizes, and their first and last records. Each answer has its own time, because a
//! look at many brokers takes a while.

use crate::admin::{LogDirFacts, LogOffset, OfLeader, OffsetsByTopic, by_leader};
use crate::client::{Client, Target};
use crate::error::Error;
use crate::in_parallel;
use kafka_protocol::messages::ListOffsetsRequest;
use mapper::{
    BrokerId, LogLook, LogOffsetsSeen, LogSeen, LogSizeSeen, PartitionId, TopicPartition,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The deadline for each answer. A broker that exceeds it is silent in this look, and the look goes on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks at the log of every partition that has a leader. A broker that does not answer leaves its facts out. `since` is
/// the start of the clock. Needs Describe on the cluster and on the topics.
///
/// # Errors
/// If no broker lists the topics.
pub async fn log_look(client: &Client, since: Instant) -> Result<LogLook, Error> {
    let topics = client.topics().await?;
    let leaders = by_leader(topics.values());
    let led = leaders.iter().map(|(leader, of)| (*leader, partitions(of))).collect();
    let asked = leaders.iter().map(|(leader, of)| offsets(client, *leader, of, since));
    let (mut look, offsets) = tokio::join!(log_sizes(client, &led, since), in_parallel(asked));
    for (of, seen) in offsets.into_iter().flatten() {
        if let Some(log) = look.get_mut(&of) {
            log.offsets = Some(seen);
        }
    }
    Ok(look)
}

/// Looks only at the sizes of these partitions' logs, by their leader. Gives up on a silent broker after some seconds.
pub async fn log_sizes(
    client: &Client,
    led: &BTreeMap<BrokerId, BTreeSet<TopicPartition>>,
    since: Instant,
) -> LogLook {
    let asked = led.iter().map(async |(leader, wanted)| {
        let answer = client.log_dirs_of(*leader, wanted, PATIENCE).await;
        (*leader, wanted, answer, milliseconds(since))
    });
    let mut look = LogLook::new();
    for (leader, wanted, answer, at_milliseconds) in in_parallel(asked).await {
        let silent = LogSeen { leader, size: None, offsets: None };
        look.extend(wanted.iter().map(|of| (of.clone(), silent)));
        let dirs = answer.unwrap_or_default().into_iter();
        for (of, bytes) in dirs.flat_map(LogDirFacts::into_replicas) {
            if let Some(log) = look.get_mut(&of) {
                log.size = Some(LogSizeSeen { bytes, at_milliseconds });
            }
        }
    }
    look
}

fn partitions(of: &OfLeader<'_>) -> BTreeSet<TopicPartition> {
    let of_topic = |(topic, partitions): (&&str, &Vec<PartitionId>)| {
        let topic = (*topic).to_owned();
        partitions
            .clone()
            .into_iter()
            .map(move |partition| TopicPartition { topic: topic.clone(), partition })
    };
    of.iter().flat_map(of_topic).collect()
}

/// The offsets of a leader's logs; nothing if it does not answer.
async fn offsets(
    client: &Client,
    leader: BrokerId,
    of: &OfLeader<'_>,
    since: Instant,
) -> Vec<(TopicPartition, LogOffsetsSeen)> {
    let ask = |which| {
        let asked = client.offsets(leader, of, which);
        let target = Target::Broker(leader);
        client.within::<ListOffsetsRequest, _, _>(target, PATIENCE, |error| error, asked)
    };
    let told = tokio::try_join!(ask(LogOffset::Start), ask(LogOffset::End));
    let at_milliseconds = milliseconds(since);
    let Ok((starts, ends)) = told else { return Vec::new() };
    let offset =
        |all: &OffsetsByTopic, of: &TopicPartition| all.get(&of.topic)?.get(&of.partition).copied();
    let seen = partitions(of).into_iter().filter_map(|of| {
        let (start, end) = (offset(&starts, &of)?, offset(&ends, &of)?);
        Some((of, LogOffsetsSeen { start, end, at_milliseconds }))
    });
    seen.collect()
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
