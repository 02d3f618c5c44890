//! Checks whether a change without an answer was made. Only reads the cluster, and never sends the change again.

use kafka::Client;
use kafka::admin::{AlterTopic, ConfigKeys, MorePartitions, NewTopic};
use kafka::{Error, Target};
use mapper::TopicId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use topics::same_value;

/// The most reads of the cluster, and the pause between two.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// The changes that the cluster shows, as soon as all are there or the time is up.
async fn settled<F>(wanted: usize, look: impl Fn() -> F) -> BTreeSet<String>
where
    F: Future<Output = Result<BTreeSet<String>, Error>>,
{
    let mut seen = BTreeSet::new();
    if wanted == 0 {
        return seen;
    }
    for _ in 0..LOOKS {
        match look().await {
            Ok(now) => seen = now,
            Err(error) => tracing::warn!(%error, "cannot look whether a change was made"),
        }
        if seen.len() == wanted {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    seen
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    names.cloned().collect()
}

/// The topics that exist with exactly these replicas.
pub(super) async fn created(client: &Client, topics: &[NewTopic]) -> BTreeSet<String> {
    let all = names(topics.iter().map(|topic| &topic.name));
    settled(topics.len(), || async {
        let found = client.topics_named(&all).await?.found;
        let made = topics.iter().filter(|topic| {
            found.get(&topic.name).is_some_and(|found| {
                found.partitions.iter().map(|p| &p.replicas).eq(topic.replicas.iter())
            })
        });
        Ok(names(made.map(|topic| &topic.name)))
    })
    .await
}

/// Waits briefly until every live broker knows these topics. Producers and the next run may ask any broker. A broker
/// that does not know a new topic yet would answer that it does not exist.
pub(super) async fn known_everywhere(client: &Client, topics: &BTreeSet<String>) {
    let asking = async {
        let Ok(cluster) = client.describe_cluster().await else { return };
        for broker in cluster.live() {
            settled(topics.len(), || async {
                let told = client.topics_told_by(Target::Broker(broker), topics).await?;
                Ok(told.found.into_keys().collect())
            })
            .await;
        }
    };
    if !topics.is_empty() && tokio::time::timeout(PAUSE * LOOKS, asking).await.is_err() {
        tracing::info!("some broker does not know all new topics yet");
    }
}

/// The topics that have all their partitions.
pub(super) async fn grown(client: &Client, topics: &[&MorePartitions]) -> BTreeSet<String> {
    let all = names(topics.iter().map(|topic| &topic.topic));
    settled(topics.len(), || async {
        let found = client.topics_named(&all).await?.found;
        let grown = topics.iter().filter(|topic| {
            let wanted = topic.from as usize + topic.replicas.len();
            found.get(&topic.topic).is_some_and(|found| found.partitions.len() >= wanted)
        });
        Ok(names(grown.map(|topic| &topic.topic)))
    })
    .await
}

/// The topics that have these configs, and no longer those to unset.
pub(super) async fn altered(client: &Client, topics: &[&AlterTopic]) -> BTreeSet<String> {
    let all: Vec<String> = topics.iter().map(|topic| topic.topic.clone()).collect();
    let keys = topics.iter().flat_map(|topic| topic.set.keys().chain(&topic.unset));
    let keys = &ConfigKeys::Named(keys.cloned().collect());
    settled(topics.len(), || async {
        let found = client.topic_configs(Target::Any, &all, keys).await?.found;
        let altered = topics.iter().filter(|topic| {
            found.get(&topic.topic).is_some_and(|found| {
                let same = |(key, value): (&String, &String)| {
                    found.set.get(key).is_some_and(|set| same_value(set, value))
                };
                topic.set.iter().all(same)
                    && !topic.unset.iter().any(|key| found.set.contains_key(key))
            })
        });
        Ok(names(altered.map(|topic| &topic.topic)))
    })
    .await
}

/// The topics that are gone; another topic of the same name may exist.
pub(super) async fn deleted(
    client: &Client,
    topics: &BTreeMap<String, TopicId>,
) -> BTreeSet<String> {
    let all = names(topics.keys());
    settled(topics.len(), || async {
        let found = client.topic_ids(&all).await?;
        let gone = topics.iter().filter(|(name, id)| found.get(*name) != Some(*id));
        Ok(names(gone.map(|(name, _)| name)))
    })
    .await
}
