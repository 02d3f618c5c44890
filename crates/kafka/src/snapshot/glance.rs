//! A quick view of a cluster, for callers that need an answer now and can accept missing facts.
//!
//! Unlike a [`snapshot`](super::snapshot), it does not wait for the cluster to settle. Each missing answer becomes a
//! line in [`Glance::untold`]. It fails only if no broker can be reached.

use super::{AT_ONCE, Notice, Wanted, assemble, moves, storage};
use crate::admin::{Cluster, ConfigKeys, Quorum, Topics};
use crate::client::{Client, Target};
use crate::error::Error;
use futures::StreamExt;
use kafka_protocol::ResponseError;
use mapper::counted;
use mapper::snapshot::{DISKLESS, TIERED};
use mapper::{BrokerId, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The facts that brokers reported.
#[derive(Debug)]
pub struct Glance {
    /// The registered brokers.
    pub cluster: Arc<Cluster>,
    /// Brokers, topics and disks, as far as brokers reported them.
    pub snapshot: Snapshot,
    /// The controllers. `None` in ZooKeeper mode, or if no broker reported them.
    pub quorum: Option<Quorum>,
    /// Log dirs that live brokers have taken offline, with the error code.
    pub failed_log_dirs: BTreeMap<BrokerId, Vec<(String, ResponseError)>>,
    /// Live brokers grouped by the request versions that they offer. More than one group means more than one version of
    /// Kafka.
    pub versions: Vec<BTreeSet<BrokerId>>,
    /// The missing facts, each with its error.
    pub untold: Vec<(String, Error)>,
}

/// Sends all requests at once. Needs the same rights as a snapshot; a missing right becomes a line in `untold`.
///
/// # Errors
/// If no broker lists the brokers; [`Error::Contradictory`] if the answers contradict each other.
pub async fn glance(client: &Client, captured_at: String) -> Result<Glance, Error> {
    let cluster = client.describe_cluster().await?;
    let mut untold = Vec::new();
    let (topics, quorum, hidden, (stored, mut notices), versions) = tokio::join!(
        topics(client),
        client.quorum(),
        client.sees_every_topic(),
        stored(client, &cluster),
        versions(client, &cluster),
    );
    let topics = match topics {
        (topics, None) => topics,
        (topics, Some((what, error))) => {
            untold.push((what.to_owned(), error));
            topics
        }
    };
    if let Err(error) = hidden {
        untold.push(("topics that we may not describe".to_owned(), error));
    }
    let quorum = quorum.unwrap_or_else(|error| {
        untold.push(("the controllers' quorum".to_owned(), error));
        None
    });
    let storage = [TIERED].into_iter().chain(DISKLESS).map(str::to_owned).collect();
    let wanted = Wanted { configs: ConfigKeys::Named(storage), captured_at };
    let snapshot = assemble(client, &cluster, topics, &stored, &mut notices, &wanted).await?;
    let mut failed_log_dirs: BTreeMap<BrokerId, Vec<(String, ResponseError)>> = BTreeMap::new();
    for notice in notices {
        match told(notice) {
            Ok((broker, path, code)) => {
                failed_log_dirs.entry(broker).or_default().push((path, code));
            }
            Err(missing) => untold.extend(missing),
        }
    }
    Ok(Glance { cluster, snapshot, quorum, failed_log_dirs, versions, untold })
}

/// Topics with their reassignments, or without these if the controller does not answer.
async fn topics(client: &Client) -> (Topics, Option<(&'static str, Error)>) {
    let error = match moves::settled_topics(client).await {
        Ok(topics) => return (topics, None),
        Err(error) => error,
    };
    match client.topics().await {
        Ok(topics) => (topics, Some(("running reassignments", error))),
        Err(error) => (Topics::new(), Some(("every topic", error))),
    }
}

async fn stored(client: &Client, cluster: &Cluster) -> (storage::Stored, Vec<Notice>) {
    let asked = cluster.live().map(|broker| async move { (broker, client.log_dirs(broker).await) });
    let mut answers = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
    let (mut stored, mut silent) = (storage::Stored::new(), BTreeMap::new());
    while let Some((broker, answer)) = answers.next().await {
        match answer {
            Ok(dirs) => drop(stored.insert(broker, dirs)),
            Err(error) => drop(silent.insert(broker, error)),
        }
    }
    let notice = |(broker, error)| Notice::BrokerSilent { broker, error };
    (stored, silent.into_iter().map(notice).collect())
}

/// A broker that does not answer is in no group.
async fn versions(client: &Client, cluster: &Cluster) -> Vec<BTreeSet<BrokerId>> {
    let asked =
        cluster.live().map(|id| async move { (id, client.offered(Target::Broker(id)).await) });
    let mut answers = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
    let mut groups: BTreeMap<Vec<(i16, i16, i16)>, BTreeSet<BrokerId>> = BTreeMap::new();
    while let Some((id, answer)) = answers.next().await {
        if let Ok(offered) = answer {
            groups.entry(offered).or_default().insert(id);
        }
    }
    let mut groups: Vec<BTreeSet<BrokerId>> = groups.into_values().collect();
    groups.sort();
    groups
}

/// Sorts a notice: a failed log dir is a fact; everything else is missing information.
fn told(notice: Notice) -> Result<(BrokerId, String, ResponseError), Option<(String, Error)>> {
    Err(match notice {
        Notice::LogDirFailed { broker, path, code } => return Ok((broker, path, code)),
        Notice::BrokerSilent { broker, error } => {
            Some((format!("the disks of broker {broker}"), error))
        }
        Notice::ConfigsForbidden { topics, denied } => {
            let what = format!("min.insync.replicas of {}", counted(topics.len(), "topic"));
            Some((what, Error::Authorization(Box::new(denied))))
        }
        Notice::ConfigsMissing { topics, error } => {
            Some((format!("min.insync.replicas of {}", counted(topics.len(), "topic")), error))
        }
        Notice::CordonsUntold { brokers, error } => {
            Some((format!("the cordons of {}", counted(brokers.len(), "broker")), error))
        }
        Notice::TiersUntold { topics, error } => {
            Some((format!("remote storage of {}", counted(topics.len(), "topic")), error))
        }
        Notice::EligibleLeadersMissing { topics, error } => {
            Some((format!("the eligible leaders of {}", counted(topics.len(), "topic")), error))
        }
        // Disks cannot be judged without volumes, and brokers before Kafka 3.3 report none.
        Notice::VolumesUntold { .. } => None,
    })
}
