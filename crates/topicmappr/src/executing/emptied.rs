//! Brokers that a plan has emptied and that do not run any more: KRaft lists them until they are unregistered.

use execute::Seen;
use mapper::{BrokerId, Plan};
use std::collections::BTreeSet;

/// Those that the cluster lists as fenced, that gave replicas away by the plan, and that hold none.
pub(super) async fn emptied(client: &kafka::Client, plan: &Plan, seen: &Seen) -> Vec<BrokerId> {
    let gone = gave_all_away(plan, seen);
    if gone.is_empty() {
        return gone;
    }
    match client.describe_cluster().await {
        Ok(cluster) => {
            let fenced = |id: &BrokerId| cluster.brokers.get(id).is_some_and(|broker| !broker.live);
            gone.into_iter().filter(fenced).collect()
        }
        // It is only an offer.
        Err(error) => {
            tracing::debug!(%error, "whether brokers are fenced is not told");
            Vec::new()
        }
    }
}

fn gave_all_away(plan: &Plan, seen: &Seen) -> Vec<BrokerId> {
    let topics = seen.topics.values().flat_map(|topic| &topic.partitions);
    let holders: BTreeSet<BrokerId> =
        topics.flat_map(|partition| partition.replicas.iter().copied()).collect();
    let gave: BTreeSet<BrokerId> = plan.moves.iter().flat_map(|change| change.removed()).collect();
    gave.into_iter().filter(|id| !seen.live.contains(id) && !holders.contains(id)).collect()
}
