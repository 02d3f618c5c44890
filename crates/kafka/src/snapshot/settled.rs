//! Waits until the brokers agree about the cluster's state.
//!
//! For some seconds after a broker's death, the others disagree. One still lists it, another has removed it but does
//! not know the new leaders yet. A plan made from such a mixture repairs only a part of the damage, without a warning.

use super::{Notice, moves};
use crate::admin::{Cluster, Topics};
use crate::client::Client;
use crate::error::Error;
use mapper::BrokerId;
use mapper::snapshot::{Leader, Partition};
use std::sync::Arc;
use std::time::Duration;

/// The number of attempts, and the pause between them. Together they last longer than an election, and are short enough
/// to wait for a partition that stays without a leader.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// The brokers and the topics, once no election is running, or as they are after [`TRIES`] attempts.
pub(super) async fn ask(client: &Client) -> Result<(Arc<Cluster>, Topics), Error> {
    let mut tries = TRIES;
    loop {
        let cluster = client.describe_cluster().await?;
        let topics = moves::settled_topics(client).await?;
        tries -= 1;
        if tries == 0 || !electing(&cluster, &topics) {
            return Ok((cluster, topics));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a partition has no live leader although a live replica may lead it.
fn electing(cluster: &Cluster, topics: &Topics) -> bool {
    let live = |id: BrokerId| cluster.brokers.get(&id).is_some_and(|broker| broker.live);
    let mut partitions = topics.values().flat_map(|topic| &topic.partitions);
    partitions.any(|partition| !led(partition, &live) && could_be_led(partition, &live))
}

fn led(partition: &Partition, live: &dyn Fn(BrokerId) -> bool) -> bool {
    match partition.leader() {
        Leader::Broker(id) => live(id),
        Leader::None => false,
        Leader::Unknown => true,
    }
}

fn could_be_led(partition: &Partition, live: &dyn Fn(BrokerId) -> bool) -> bool {
    let in_sync = partition.facts.as_ref().and_then(|facts| facts.isr.as_deref());
    let up = |id: &BrokerId| live(*id) && !partition.offline().contains(id);
    in_sync.unwrap_or_default().iter().any(up)
}

/// Whether a broker that did not answer leaves the list of live brokers, now or within a few seconds.
pub(super) async fn lost_meanwhile(client: &Client, notices: &[Notice]) -> Result<bool, Error> {
    let mut silent = Vec::new();
    // A broker that let its deadline pass has already been waited for.
    let mut tries = 1;
    for notice in notices {
        if let Notice::BrokerSilent { broker, error } = notice {
            silent.push(*broker);
            tries = if matches!(error, Error::Timeout { .. }) { tries } else { TRIES };
        }
    }
    while tries > 0 && !silent.is_empty() {
        let cluster = client.describe_cluster().await?;
        let live = |id: &BrokerId| cluster.brokers.get(id).is_some_and(|broker| broker.live);
        if !silent.iter().all(live) {
            return Ok(true);
        }
        tries -= 1;
        if tries > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(false)
}
