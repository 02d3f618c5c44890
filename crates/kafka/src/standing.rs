//! The state of all partitions that one broker has replicas of.
//!
//! In: a [`Client`] and a broker that is down. Out: a [`mapper::Snapshot`] of those partitions for
//! [`health::would_erase`], on which every live broker agrees, or the reason to wait. An answer that may be incomplete
//! is an error, because metadata silently leaves out topics that we may not see.
//!
//! It needs Describe on every topic. For partitions without a leader, it also uses Describe on the cluster (running
//! reassignments) and DescribeConfigs on the topics, if it has these rights.

use crate::admin::{Cluster, ConfigKeys, EligibleLeaders, Topics, UNCLEAN_ELECTIONS};
use crate::client::{Client, Target};
use crate::error::{Error, Operation, Resource};
use futures::{StreamExt, TryStreamExt, stream};
use kafka_protocol::messages::MetadataRequest;
use mapper::snapshot::{Broker, Leader, Partition, Parts, Topic};
use mapper::{BrokerId, Snapshot, TopicPartition};
use std::collections::BTreeSet;

/// How many brokers are asked in parallel, and how many topics are in one request about eligible leaders.
const AT_ONCE: usize = 16;
const TOPICS: usize = 500;

/// The cluster's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// All live brokers agree.
    Settled(Box<Snapshot>),
    /// The answer will change in a moment.
    Unsettled(Unsettled),
}

/// Why the caller must not act on an answer yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// Kafka still lists the broker as live: it has not noticed its end yet, or another process uses its id.
    #[error("Kafka still counts broker {0} as live")]
    Live(BrokerId),
    /// A broker that Kafka lists as live does not answer.
    #[error("broker {broker} counts as live and does not answer: {problem}")]
    Silent {
        /// The broker.
        broker: BrokerId,
        /// Why there is no answer.
        problem: String,
    },
    /// Two brokers report different states of a partition.
    #[error("brokers {first} and {second} report different states of {partition}")]
    Disagree {
        /// One of the two.
        first: BrokerId,
        /// The other.
        second: BrokerId,
        /// The partition.
        partition: TopicPartition,
    },
    /// An election is about to happen.
    #[error("{partition} has no leader, and broker {by} may lead it at any moment")]
    Electing {
        /// The partition.
        partition: TopicPartition,
        /// Who may lead it.
        by: BrokerId,
    },
}

/// Asks every live broker about the partitions that `broker` has replicas of.
///
/// # Errors
/// [`Error::Authorization`] if the answer may lack topics; otherwise as any call.
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
    /// Checks that [`topics`](Self::topics) returns every topic. It requests a topic with a made-up name: if Kafka
    /// denies this one, it hides others, too.
    ///
    /// # Errors
    /// [`Error::Authorization`] if topics may be hidden; otherwise as any call.
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

/// Keeps only the partitions that the broker has a replica of.
fn keep(topics: &mut Topics, broker: BrokerId) {
    for topic in topics.values_mut() {
        topic.partitions.retain(|partition| partition.replicas.contains(&broker));
    }
    topics.retain(|_, topic| !topic.partitions.is_empty());
}

type Told = Result<Option<Topics>, Unsettled>;

/// The topics, if all live brokers report the same.
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

/// One broker's report: metadata, and the eligible leaders.
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
                facts.rare.edit(|rare| {
                    (rare.elr, rare.last_known_elr) = (told.elr.clone(), told.last_known.clone());
                });
            }
        }
    }
    Ok(topics)
}

/// A partition that two brokers report differently. Facts about replicas that are down do not count.
fn difference(one: &Topics, other: &Topics) -> Option<TopicPartition> {
    let name = |topic: &Topic, partition: &Partition| TopicPartition {
        topic: topic.name.clone(),
        partition: partition.id,
    };
    let facts = |partition: &Partition| {
        let facts = partition.facts.as_deref().cloned().unwrap_or_default();
        let sorted = |ids: &[BrokerId]| ids.iter().copied().collect::<BTreeSet<_>>();
        let isr = facts.isr.as_deref().map(sorted);
        let (elr, last) = (sorted(&facts.rare.elr), sorted(&facts.rare.last_known_elr));
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

/// A partition without a live leader that another broker may lead.
fn electing(cluster: &Cluster, topics: &Topics, broker: BrokerId) -> Option<Unsettled> {
    let live = |id: BrokerId| cluster.brokers.get(&id).is_some_and(|known| known.live);
    for topic in topics.values() {
        for partition in topic.partitions.iter().filter(|partition| !led(partition, &live)) {
            let Some(facts) = &partition.facts else { continue };
            let in_sync = facts.isr.as_deref().unwrap_or_default();
            let mut next = in_sync.iter().chain(&facts.rare.elr).copied();
            let next =
                next.find(|id| *id != broker && live(*id) && !facts.rare.offline.contains(id));
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

/// For topics with leaderless partitions, adds the facts that matter only there, as far as our rights allow.
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
                // The value in force, even if it is a broker's default, because an election uses that value.
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

/// Metadata also lists replicas that are being removed. A snapshot has a separate list for them.
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
            facts.rare.edit(|rare| reassignment.mark(rare, &partition.replicas));
        }
    }
}

#[cfg(test)]
mod tests;
