//! Captures a cluster.
//!
//! In: a [`Client`]. Out: a [`mapper::Snapshot`], and a [`Notice`] for every missing fact with its reason. If a broker
//! does not answer, only its own facts are missing. A topic that we may not see is an error, because a plan without it
//! would be wrong.

mod brokers;
mod configs;
mod cordons;
mod elr;
mod glance;
mod hidden;
mod logs;
mod moves;
mod notice;
mod settled;
mod storage;
mod tiers;

#[cfg(test)]
mod tests;

pub use glance::{Glance, glance};
pub use logs::{log_look, log_sizes};
pub use notice::Notice;

use crate::admin::{Cluster, ConfigKeys, Topics};
use crate::client::{Client, Target};
use crate::error::Error;
use mapper::Snapshot;
use mapper::snapshot::{Leader, Partition, Parts, Topic};
use storage::Stored;

/// How many brokers are asked in parallel.
const AT_ONCE: usize = 64;

/// The content of a snapshot to capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The capture time to record: RFC 3339, UTC.
    pub captured_at: String,
    /// All configs of topics, or only the needed ones.
    pub configs: ConfigKeys,
}

/// A snapshot, and the reasons for its gaps.
#[derive(Debug)]
pub struct Capture {
    /// The cluster.
    pub snapshot: Snapshot,
    /// Why some facts are missing; empty if the snapshot is complete.
    pub notices: Vec<Notice>,
}

/// Asks a cluster for everything that planning needs.
///
/// It asks each broker at most once for each kind of fact, but the controller twice for its reassignments. While
/// brokers still disagree after another broker's death, it asks for everything again.
///
/// It needs the ACLs Describe on the cluster, and Describe and DescribeConfigs on every topic. For the cordons and the
/// tiered topics of Kafka 4.3, it needs DescribeConfigs on the cluster.
///
/// # Errors
/// - [`Error::HiddenTopics`] if topics hold data that we may not see.
/// - [`Error::Authorization`] if the cluster denies its reassignments and log dirs.
/// - [`Error::AdvertisedUnreachable`] if no broker can be reached at its advertised address.
/// - Otherwise as any call.
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

/// Adds the facts that are requested by topic to topics and disks. Each missing fact becomes a notice.
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
    tiers::complete(client, stored, &mut topics, notices).await;
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
        ..Parts::default()
    })?)
}

/// The brokers that answered, in an endless cycle. It spreads requests that any broker can answer.
fn in_turn(stored: &Stored) -> impl Iterator<Item = Target> {
    let answering: Vec<Target> = stored.keys().copied().map(Target::Broker).collect();
    let count = answering.len().max(1);
    (0..count).cycle().map(move |turn| answering.get(turn).copied().unwrap_or(Target::Any))
}

/// Removes outdated facts from one partition. They come from several answers, and the cluster changes between them. A
/// fact about a broker that no longer has a replica is outdated.
fn reconcile(partition: &mut Partition) {
    let replicas = &partition.replicas;
    let Some(facts) = &mut partition.facts else {
        return;
    };
    let removing = facts.rare.removing.clone();
    let held = |id: &mut mapper::BrokerId| replicas.contains(id) || removing.contains(id);
    if let Some(isr) = &mut facts.isr {
        isr.retain(held);
    }
    facts.rare.edit(|rare| {
        for list in [&mut rare.offline, &mut rare.elr, &mut rare.last_known_elr] {
            list.retain(held);
        }
    });
    if let Leader::Broker(mut leader) = facts.leader
        && !held(&mut leader)
    {
        facts.leader = Leader::Unknown;
    }
    if partition.size.is_none() {
        partition.size = facts.replica_sizes.iter().copied().flatten().max();
    }
}
