//! Captures a cluster.
//!
//! In: a [`Client`]. Out: a [`mapper::Snapshot`], and a [`Notice`] for every fact that is missing from it and why.
//! A broker that does not answer costs its own facts and no others; a topic that we may not see is an error,
//! because a plan made without it would be wrong.

mod brokers;
mod configs;
mod cordons;
mod elr;
mod glance;
mod hidden;
mod moves;
mod notice;
mod settled;
mod storage;

#[cfg(test)]
mod tests;

pub use glance::{Glance, glance};
pub use notice::Notice;

use crate::admin::{Cluster, ConfigKeys, Topics};
use crate::client::{Client, Target};
use crate::error::Error;
use mapper::Snapshot;
use mapper::snapshot::{Leader, Partition, Parts, Topic};
use storage::Stored;

/// How many brokers are asked at once.
const AT_ONCE: usize = 64;

/// What a snapshot is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The time to write into it: RFC 3339, UTC.
    pub captured_at: String,
    /// All that is set on topics, or just what is needed.
    pub configs: ConfigKeys,
}

/// A snapshot, and what is missing from it.
#[derive(Debug)]
pub struct Capture {
    /// The cluster.
    pub snapshot: Snapshot,
    /// Why some facts are absent; empty when all were told.
    pub notices: Vec<Notice>,
}

/// Asks a cluster for everything that planning needs: each broker at most once for each kind of fact, but the
/// controller twice for its moves, and all again while a broker's death is still spreading.
///
/// Needs the ACLs Describe on the cluster, and Describe and DescribeConfigs on every topic; with Kafka 4.3, for cordons,
/// DescribeConfigs on the cluster.
///
/// # Errors
/// [`Error::HiddenTopics`] when topics hold data that we may not see, [`Error::Authorization`] when the cluster
/// does not tell its moves and log dirs, [`Error::AdvertisedUnreachable`] when not one broker can be reached at
/// the address it advertises; else as any call.
pub async fn snapshot(client: &Client, wanted: &Wanted) -> Result<Capture, Error> {
    let (mut cluster, mut topics) = settled::ask(client).await?;
    let (mut stored, mut notices) = storage::gather(client, &cluster).await?;
    if settled::lost_meanwhile(client, &notices).await? {
        (cluster, topics) = settled::ask(client).await?;
        (stored, notices) = storage::gather(client, &cluster).await?;
    }
    hidden::complete(client, &stored, &mut topics).await?;
    let snapshot = assemble(client, &cluster, topics, &stored, &mut notices, wanted).await?;
    Ok(Capture { snapshot, notices })
}

/// Joins to topics and disks what is asked for by topic. What is not told becomes a notice.
async fn assemble(
    client: &Client,
    cluster: &Cluster,
    mut topics: Topics,
    stored: &Stored,
    notices: &mut Vec<Notice>,
    wanted: &Wanted,
) -> Result<Snapshot, Error> {
    let (configs, eligible, cordons) = tokio::join!(
        configs::gather(client, stored, &topics, &wanted.configs),
        elr::gather(client, stored, &topics),
        cordons::gather(client, stored),
    );
    configs.add_to(&mut topics, notices);
    eligible.add_to(&mut topics, notices);
    storage::add_to(&mut topics, stored);
    let mut topics: Vec<Topic> = topics.into_values().collect();
    topics.iter_mut().flat_map(|topic| &mut topic.partitions).for_each(reconcile);
    let mut brokers = brokers::parts(cluster, stored, notices);
    cordons.add_to(&mut brokers, notices);
    Ok(Snapshot::new(Parts {
        cluster_id: cluster.id.clone(),
        captured_at: Some(wanted.captured_at.clone()),
        source: Some("kafka".to_owned()),
        brokers,
        topics,
    })?)
}

/// The brokers that answered, one after the other and round again: what any broker can tell is asked of all.
fn in_turn(stored: &Stored) -> impl Iterator<Item = Target> {
    let answering: Vec<Target> = stored.keys().copied().map(Target::Broker).collect();
    let count = answering.len().max(1);
    (0..count).cycle().map(move |turn| answering.get(turn).copied().unwrap_or(Target::Any))
}

/// The facts of one partition come from several answers, and the cluster moves on between them: what is said
/// of a broker that holds no replica any more is old.
fn reconcile(partition: &mut Partition) {
    let replicas = &partition.replicas;
    let Some(facts) = &mut partition.facts else {
        return;
    };
    let removing = facts.removing.clone();
    let held = |id: &mut mapper::BrokerId| replicas.contains(id) || removing.contains(id);
    if let Some(isr) = &mut facts.isr {
        isr.retain(held);
    }
    facts.offline.retain(held);
    facts.elr.retain(held);
    facts.last_known_elr.retain(held);
    if let Leader::Broker(mut leader) = facts.leader
        && !held(&mut leader)
    {
        facts.leader = Leader::Unknown;
    }
    if partition.size.is_none() {
        partition.size = facts.replica_sizes.iter().copied().flatten().max();
    }
}
