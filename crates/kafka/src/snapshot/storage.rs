//! The log dirs of every broker.

use super::moves::partition_mut;
use super::{AT_ONCE, Notice};
use crate::admin::{Cluster, LogDirFacts, Topics};
use crate::client::Client;
use crate::error::Error;
use futures::StreamExt;
use mapper::snapshot::{Leader, LogDirIndex, Partition};
use mapper::{BrokerId, Bytes};
use std::collections::BTreeMap;

/// The log dirs of each broker that answered.
pub(super) type Stored = BTreeMap<BrokerId, Vec<LogDirFacts>>;

/// Asks every live broker in parallel. A broker that does not answer becomes a notice. A missing right, or no answer at
/// all, is an error.
pub(super) async fn gather(
    client: &Client,
    cluster: &Cluster,
) -> Result<(Stored, Vec<Notice>), Error> {
    let asking =
        cluster.live().map(|broker| async move { (broker, client.log_dirs(broker).await) });
    let mut answers = futures::stream::iter(asking).buffer_unordered(AT_ONCE);
    let mut stored = Stored::new();
    let mut silent = BTreeMap::new();
    while let Some((broker, answer)) = answers.next().await {
        match answer {
            Ok(dirs) => drop(stored.insert(broker, dirs)),
            Err(error @ Error::Authorization(_)) => return Err(error),
            Err(error) => drop(silent.insert(broker, error)),
        }
    }
    if stored.is_empty()
        && let Some((_, error)) = silent.pop_first()
    {
        return Err(error);
    }
    let notice = |(broker, error)| Notice::BrokerSilent { broker, error };
    Ok((stored, silent.into_iter().map(notice).collect()))
}

/// Adds sizes and log dirs to the partitions. A copy that no replica list names (left behind by a cancelled
/// reassignment) belongs to no partition.
pub(super) fn add_to(topics: &mut Topics, stored: &Stored) {
    for (broker, dirs) in stored {
        for dir in dirs {
            for (name, replicas) in &dir.topics {
                let Some(topic) = topics.get_mut(name) else {
                    continue;
                };
                let place = topic.log_dir(&dir.path).ok();
                for (id, size) in replicas {
                    if let Some(partition) = partition_mut(topic, *id) {
                        add_replica(partition, *broker, *size, place);
                    }
                }
            }
        }
    }
}

fn add_replica(
    partition: &mut Partition,
    broker: BrokerId,
    size: Bytes,
    place: Option<LogDirIndex>,
) {
    let count = partition.replicas.len();
    let index = partition.replicas.iter().position(|id| *id == broker);
    let Some(facts) = &mut partition.facts else {
        return;
    };
    if facts.leader == Leader::Broker(broker) {
        partition.size = Some(size);
    }
    let Some(index) = index else { return };
    facts.replica_sizes.resize(count, None);
    facts.log_dirs.resize(count, None);
    facts.replica_sizes[index] = Some(size);
    facts.log_dirs[index] = place;
}
