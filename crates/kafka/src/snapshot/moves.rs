//! Topics merged with the running reassignments.
//!
//! Metadata alone lists both the old and the new replicas of a partition that is being reassigned. A plan made from
//! that would raise the replication factor.

use crate::admin::{Reassignment, Topics};
use crate::client::Client;
use crate::error::Error;
use mapper::snapshot::{Partition, Topic};
use mapper::{PartitionId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// Every topic. `replicas` are the target lists; `adding` and `removing` are filled in.
///
/// Reassignments begin and end while metadata is read, so it asks the controller before and after. A reassignment in
/// the second answer is taken from there. If one ended in between, its topic is read again.
pub(super) async fn settled_topics(client: &Client) -> Result<Topics, Error> {
    let before = client.reassignments().await?;
    let mut topics = client.topics().await?;
    let running = client.reassignments().await?;
    let ended: BTreeSet<String> = before
        .into_keys()
        .filter(|partition| !running.contains_key(partition))
        .map(|partition| partition.topic)
        .collect();
    if !ended.is_empty() {
        topics.extend(client.topics_named(&ended).await?.found);
    }
    merge(&mut topics, &running);
    Ok(topics)
}

fn merge(topics: &mut Topics, running: &BTreeMap<TopicPartition, Reassignment>) {
    for (of, reassignment) in running {
        let Some(topic) = topics.get_mut(&of.topic) else {
            continue;
        };
        let Some(partition) = partition_mut(topic, of.partition) else {
            continue;
        };
        partition.replicas = reassignment.target();
        let Some(facts) = &mut partition.facts else {
            continue;
        };
        facts.rare.edit(|rare| reassignment.mark(rare, &partition.replicas));
    }
}

/// The partition with this number. Partitions are sorted by number.
pub(super) fn partition_mut(topic: &mut Topic, id: PartitionId) -> Option<&mut Partition> {
    let index = topic.partitions.binary_search_by_key(&id, |partition| partition.id).ok()?;
    topic.partitions.get_mut(index)
}
