//! Tiered topics (KIP-405): the bytes in remote storage, and the bytes that a new replica copies.
//!
//! Log dirs report local bytes only. A leader reports offsets of its log; bytes follow from them in proportion.

use super::storage::Stored;
use super::{AT_ONCE, Notice};
use crate::admin::{LogOffset, OfLeader, OffsetsByTopic, Topics, by_leader};
use crate::client::Client;
use crate::error::Error;
use futures::{StreamExt, TryStreamExt};
use mapper::snapshot::{Leader, Partition, Topic};
use mapper::{BrokerId, Bytes, PartitionId};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether a broker's new replicas start at the last tiered offset (KIP-1023). Kafka 4.3 and later.
const FROM_LAST_TIERED: &str = "follower.fetch.last.tiered.offset.enable";

/// The deadline for the configs of a broker that has just reported its log dirs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The offsets of a leader's partitions.
struct LogOffsets {
    start: OffsetsByTopic,
    local_start: OffsetsByTopic,
    end: OffsetsByTopic,
    /// `None`: new replicas copy the whole local log.
    last_tiered: Option<OffsetsByTopic>,
}

/// Adds the bytes in remote storage, and those that a new replica copies. Asks nothing if no topic is tiered. Without an
/// answer, a new replica counts as copying the whole local log, which is never too little.
pub(super) async fn complete(
    client: &Client,
    stored: &Stored,
    topics: &mut Topics,
    notices: &mut Vec<Notice>,
) {
    let tiered: Vec<&Topic> = topics.values().filter(|topic| topic.is_tiered()).collect();
    if tiered.is_empty() {
        return;
    }
    let mut leaders = by_leader(tiered.iter().copied());
    leaders.retain(|leader, _| stored.contains_key(leader));
    match ask(client, stored, &leaders).await {
        Ok(offsets) => {
            for topic in topics.values_mut().filter(|topic| topic.is_tiered()) {
                for partition in &mut topic.partitions {
                    if let Leader::Broker(leader) = partition.leader()
                        && let Some(offsets) = offsets.get(&leader)
                    {
                        add_to(partition, &topic.name, offsets);
                    }
                }
            }
        }
        Err(error) => {
            let topics = tiered.iter().map(|topic| topic.name.clone()).collect();
            notices.push(Notice::TiersUntold { topics, error });
        }
    }
}

async fn ask(
    client: &Client,
    stored: &Stored,
    leaders: &BTreeMap<BrokerId, OfLeader<'_>>,
) -> Result<BTreeMap<BrokerId, LogOffsets>, Error> {
    let starts_late = start_late(client, stored).await?;
    let asking = leaders.iter().map(|(leader, partitions)| async move {
        let offsets = |which| client.offsets(*leader, partitions, which);
        let told = LogOffsets {
            start: offsets(LogOffset::Start).await?,
            local_start: offsets(LogOffset::LocalStart).await?,
            end: offsets(LogOffset::End).await?,
            last_tiered: match starts_late {
                true => Some(offsets(LogOffset::LastTiered).await?),
                false => None,
            },
        };
        Ok((*leader, told))
    });
    futures::stream::iter(asking).buffer_unordered(AT_ONCE).try_collect().await
}

/// Whether every broker's new replicas start at the last tiered offset. The config is meant for the whole cluster; while
/// brokers differ, the larger figure counts.
async fn start_late(client: &Client, stored: &Stored) -> Result<bool, Error> {
    let asking = stored.keys().map(|broker| client.broker_configs(*broker, PATIENCE));
    let mut answers = futures::stream::iter(asking).buffer_unordered(AT_ONCE);
    while let Some(configs) = answers.try_next().await? {
        let value = configs.get(FROM_LAST_TIERED).and_then(|config| config.value.as_deref());
        if value != Some("true") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn add_to(partition: &mut Partition, topic: &str, offsets: &LogOffsets) {
    let id = partition.id;
    let of = |all: &OffsetsByTopic| all.get(topic)?.get::<PartitionId>(&id).copied();
    let told = (of(&offsets.start), of(&offsets.local_start), of(&offsets.end));
    let ((Some(start), Some(local_start), Some(end)), Some(size)) = (told, partition.size) else {
        return;
    };
    let local = end.saturating_sub(local_start);
    let bytes = |records: u64| {
        let bytes = u128::from(size.0) * u128::from(records) / u128::from(local.max(1));
        Bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
    };
    let Some(facts) = &mut partition.facts else { return };
    let remote = (local > 0).then(|| bytes(local_start.saturating_sub(start)));
    facts.rare.edit(|rare| rare.remote = remote);
    // An empty follower asks for offset 0. A leader that still has it on its disk sends its whole log.
    if local > 0
        && local_start > 0
        && let Some(tiered) = offsets.last_tiered.as_ref().and_then(of)
    {
        let first = tiered.saturating_add(1).clamp(local_start, end);
        let copied = Some(bytes(end - first)).filter(|copied| *copied < size);
        facts.rare.edit(|rare| rare.copied = copied);
    }
}
