//! What a cluster says of the partitions that one broker holds replicas of.
//!
//! In: a [`Client`] and a broker that is down. Out: a [`mapper::Snapshot`] of those partitions, as every live broker tells
//! them, for [`mapper::would_erase`]; or why the answer is not one to act on yet. An answer that may be incomplete
//! is an error: topics that we may not see are missing from metadata without a word.
//!
//! Needs Describe on every topic; where partitions have no leader, and these rights are there, also
//! Describe on the cluster (running reassignments) and DescribeConfigs on the topics.

use crate::admin::{Cluster, ConfigKeys, EligibleLeaders, Topics, UNCLEAN_ELECTIONS};
use crate::client::{Client, Target};
use crate::error::{Error, Operation, Resource};
use futures::{StreamExt, TryStreamExt, stream};
use kafka_protocol::messages::MetadataRequest;
use mapper::snapshot::{Broker, Leader, Partition, Parts, Topic};
use mapper::{BrokerId, Snapshot, TopicPartition};
use std::collections::BTreeSet;

/// How many brokers are asked at once, and how many topics one request about eligible leaders names.
const AT_ONCE: usize = 16;
const TOPICS: usize = 500;

/// What the cluster says.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// All live brokers tell the same.
    Settled(Box<Snapshot>),
    /// It will be different in a moment.
    Unsettled(Unsettled),
}

/// Why an answer is not one to act on yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// The broker itself counts as live: its last life has not been noticed to be over, or another process has its id.
    #[error("Kafka still counts broker {0} as live")]
    Live(BrokerId),
    /// A broker that counts as live does not answer.
    #[error("broker {broker} counts as live and does not answer: {problem}")]
    Silent {
        /// The broker.
        broker: BrokerId,
        /// What came instead.
        problem: String,
    },
    /// Two brokers tell different things of a partition.
    #[error("brokers {first} and {second} tell different things of {partition}")]
    Disagree {
        /// One of them.
        first: BrokerId,
        /// The other.
        second: BrokerId,
        /// The partition.
        partition: TopicPartition,
    },
    /// Somebody is about to be elected.
    #[error("{partition} has no leader, and broker {by} may lead it at any moment")]
    Electing {
        /// The partition.
        partition: TopicPartition,
        /// Who may lead it.
        by: BrokerId,
    },
}

/// Asks every live broker about the partitions that `broker` holds replicas of.
///
/// # Errors
/// [`Error::Authorization`] when the answer may lack topics; else as any call.
pub async fn standing(client: &Client, broker: BrokerId) -> Result<Standing, Error> {
    let cluster = client.describe_cluster().await?;
    if cluster.live().any(|id| id == broker) {
        return Ok(Standing::Unsettled(Unsettled::Live(broker)));
    }
    client.sees_every_topic().await?;
    let mut topics = client.topics().await?;
    keep(&mut topics, broker);
    let told = match told_by_all(client, &cluster, broker, &topics).await? {
        Ok(told) => told,
        Err(unsettled) => return Ok(Standing::Unsettled(unsettled)),
    };
    let mut topics = told.unwrap_or_default();
    if let Some(unsettled) = electing(&cluster, &topics, broker) {
        return Ok(Standing::Unsettled(unsettled));
    }
    look_closer(client, &cluster, &mut topics).await;
    let brokers = cluster.brokers.iter().map(|(id, known)| Broker {
        live: known.live,
        rack: known.rack.clone(),
        ..Broker::new(*id)
    });
    let snapshot = Snapshot::new(Parts {
        cluster_id: cluster.id.clone(),
        source: Some("kafka".to_owned()),
        brokers: brokers.collect(),
        topics: topics.into_values().collect(),
        ..Parts::default()
    })?;
    Ok(Standing::Settled(Box::new(snapshot)))
}

impl Client {
    /// Whether [`topics`](Self::topics) tells of every topic: whoever may not describe a topic that he has never heard of
    /// does not see all the others either.
    ///
    /// # Errors
    /// [`Error::Authorization`] where topics may be hidden; else as any call.
    pub async fn sees_every_topic(&self) -> Result<(), Error> {
        let nobodys = format!("topicmappr-may-it-see-every-topic-{:016x}", rand::random::<u64>());
        let asked = self.topics_named(&[nobodys].into()).await?;
        if asked.forbidden.is_empty() {
            return Ok(());
        }
        let denied = self.denied::<MetadataRequest>(Resource::Topics, Operation::Describe);
        Err(Error::Authorization(Box::new(denied)))
    }
}

/// Leaves what the broker holds a replica of.
fn keep(topics: &mut Topics, broker: BrokerId) {
    for topic in topics.values_mut() {
        topic.partitions.retain(|partition| partition.replicas.contains(&broker));
    }
    topics.retain(|_, topic| !topic.partitions.is_empty());
}

type Told = Result<Option<Topics>, Unsettled>;

/// The topics, if each live broker tells the same of them.
async fn told_by_all(
    client: &Client,
    cluster: &Cluster,
    broker: BrokerId,
    first: &Topics,
) -> Result<Told, Error> {
    let names: BTreeSet<String> = first.keys().cloned().collect();
    if names.is_empty() {
        return Ok(Ok(None));
    }
    let asked = cluster.live().map(|id| {
        let names = &names;
        async move { (id, told_by(client, id, broker, names).await) }
    });
    let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
    let mut agreed: Option<(BrokerId, Topics)> = None;
    while let Some((id, answer)) = answers.next().await {
        let told = match answer {
            Ok(told) => told,
            Err(error @ (Error::Authorization(_) | Error::HiddenTopics { .. })) => {
                return Err(error);
            }
            Err(error) => {
                let problem = error.to_string();
                return Ok(Err(Unsettled::Silent { broker: id, problem }));
            }
        };
        match &agreed {
            None => agreed = Some((id, told)),
            Some((first, known)) => {
                if let Some(partition) = difference(known, &told) {
                    return Ok(Err(Unsettled::Disagree { first: *first, second: id, partition }));
                }
            }
        }
    }
    Ok(Ok(agreed.map(|(_, topics)| topics)))
}

/// What one broker tells: metadata, and who is eligible.
async fn told_by(
    client: &Client,
    asked: BrokerId,
    about: BrokerId,
    names: &BTreeSet<String>,
) -> Result<Topics, Error> {
    let target = Target::Broker(asked);
    let named = client.topics_told_by(target, names).await?;
    if !named.forbidden.is_empty() {
        return Err(client.hidden(named.forbidden));
    }
    let mut topics = named.found;
    keep(&mut topics, about);
    let names: Vec<&String> = names.iter().collect();
    let chunks = names.chunks(TOPICS).map(|some| some.iter().copied().cloned().collect());
    let eligible: Vec<Option<EligibleLeaders>> = stream::iter(chunks)
        .then(|some: BTreeSet<String>| async move { client.eligible_leaders(target, &some).await })
        .try_collect()
        .await?;
    for (name, partitions) in eligible.into_iter().flatten().flatten() {
        let Some(topic) = topics.get_mut(&name) else { continue };
        for partition in &mut topic.partitions {
            if let (Some(facts), Some(told)) = (&mut partition.facts, partitions.get(&partition.id))
            {
                facts.elr = told.elr.clone();
                facts.last_known_elr = told.last_known.clone();
            }
        }
    }
    Ok(topics)
}

/// A partition of which two brokers tell different things; what they tell of down replicas does not matter.
fn difference(one: &Topics, other: &Topics) -> Option<TopicPartition> {
    let name = |topic: &Topic, partition: &Partition| TopicPartition {
        topic: topic.name.clone(),
        partition: partition.id,
    };
    let facts = |partition: &Partition| {
        let facts = partition.facts.as_deref().cloned().unwrap_or_default();
        let sorted = |ids: &[BrokerId]| ids.iter().copied().collect::<BTreeSet<_>>();
        let isr = facts.isr.as_deref().map(sorted);
        let (elr, last) = (sorted(&facts.elr), sorted(&facts.last_known_elr));
        (partition.id, partition.replicas.clone(), facts.leader, isr, elr, last)
    };
    let all = |topics: &Topics| -> std::collections::BTreeMap<TopicPartition, _> {
        let partitions = topics.values().flat_map(|topic| {
            topic.partitions.iter().map(move |partition| (name(topic, partition), facts(partition)))
        });
        partitions.collect()
    };
    let (one, other) = (all(one), all(other));
    let keys: BTreeSet<&TopicPartition> = one.keys().chain(other.keys()).collect();
    keys.into_iter().find(|key| one.get(*key) != other.get(*key)).cloned()
}

/// A partition that no live broker leads, and that another one may lead.
fn electing(cluster: &Cluster, topics: &Topics, broker: BrokerId) -> Option<Unsettled> {
    let live = |id: BrokerId| cluster.brokers.get(&id).is_some_and(|known| known.live);
    for topic in topics.values() {
        for partition in topic.partitions.iter().filter(|partition| !led(partition, &live)) {
            let Some(facts) = &partition.facts else { continue };
            let in_sync = facts.isr.as_deref().unwrap_or_default();
            let mut next = in_sync.iter().chain(&facts.elr).copied();
            let next = next.find(|id| *id != broker && live(*id) && !facts.offline.contains(id));
            if let Some(by) = next {
                let partition =
                    TopicPartition { topic: topic.name.clone(), partition: partition.id };
                return Some(Unsettled::Electing { partition, by });
            }
        }
    }
    None
}

fn led(partition: &Partition, live: &dyn Fn(BrokerId) -> bool) -> bool {
    matches!(partition.leader(), Leader::Broker(leader) if live(leader))
}

/// Adds to topics with leaderless partitions what matters for them alone, as far as we may know it.
async fn look_closer(client: &Client, cluster: &Cluster, topics: &mut Topics) {
    let live = |id: BrokerId| cluster.brokers.get(&id).is_some_and(|known| known.live);
    let leaderless = |topic: &&mut Topic| topic.partitions.iter().any(|one| !led(one, &live));
    let names: Vec<String> =
        topics.values_mut().filter(leaderless).map(|topic| topic.name.clone()).collect();
    if names.is_empty() {
        return;
    }
    let keys = ConfigKeys::Named([UNCLEAN_ELECTIONS.to_owned()].into());
    match client.topic_configs(Target::Any, &names, &keys).await {
        Ok(configs) => {
            for (name, config) in configs.found {
                // What is in force, also where a broker's default says it: an election asks for no more.
                let told = config.unclean_elections.map(|on| on.to_string());
                let told = told.map(|on| (UNCLEAN_ELECTIONS.to_owned(), on)).into_iter().collect();
                topics.entry(name).and_modify(|topic| topic.config = told);
            }
        }
        Err(error) => tracing::debug!(%error, "the configs of leaderless topics are not told"),
    }
    match client.reassignments().await {
        Ok(running) => mark(topics, &running),
        Err(error) => tracing::debug!(%error, "running reassignments are not told"),
    }
}

/// Metadata shows replicas that are being removed, too; a snapshot has them in a list of their own.
fn mark(
    topics: &mut Topics,
    running: &std::collections::BTreeMap<TopicPartition, crate::admin::Reassignment>,
) {
    for (of, reassignment) in running {
        let Some(topic) = topics.get_mut(&of.topic) else { continue };
        let found = topic.partitions.iter_mut().find(|partition| partition.id == of.partition);
        let Some(partition) = found else { continue };
        partition.replicas.retain(|id| !reassignment.removing.contains(id));
        if let Some(facts) = &mut partition.facts {
            facts.adding = reassignment.adding.clone();
            facts.adding.retain(|id| partition.replicas.contains(id));
            facts.removing = reassignment.removing.clone();
        }
    }
}

#[cfg(test)]
mod tests;
