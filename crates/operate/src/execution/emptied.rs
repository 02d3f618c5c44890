//! Brokers that a plan has emptied and that are down: KRaft lists them until they are unregistered.

use super::may_pass;
use execute::Seen;
use mapper::{BrokerId, Plan};
use std::collections::BTreeSet;

/// Brokers that the cluster lists as fenced, that gave all replicas away by the plan, and that hold none.
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
        // The list is only a hint for the operator, so an error is logged and ignored.
        Err(error) => {
            tracing::debug!(%error, "whether brokers are fenced is not told");
            Vec::new()
        }
    }
}

/// Refuses to drain brokers that hold replicas of topics hidden from this user. An operator who shuts a drained
/// broker down must know of all its replicas. A listing leaves out topics without the right to describe them, but log
/// dirs do not.
///
/// A broker that is down reports no log dirs; unregistering it is refused while topics are hidden.
///
/// # Errors
/// Hidden topics on these brokers, and the errors of any call to Kafka.
pub(super) async fn refuse_hidden(
    client: &kafka::Client,
    drained: &BTreeSet<BrokerId>,
    seen: &Seen,
) -> Result<(), kafka::Error> {
    let mut unlisted = BTreeSet::new();
    for id in drained.iter().filter(|id| seen.live.contains(id)) {
        let dirs = match client.log_dirs(*id).await {
            Ok(dirs) => dirs,
            Err(error) if may_pass(&error) => {
                tracing::warn!(broker = id.0, %error, "whether topics on it are hidden is not told");
                continue;
            }
            Err(error) => return Err(error),
        };
        let topics = dirs.into_iter().flat_map(|dir| dir.topics.into_keys());
        unlisted.extend(topics.filter(|name| !seen.topics.contains_key(name)));
    }
    if unlisted.is_empty() {
        return Ok(());
    }
    // Asked by name, Kafka reports a deleted topic as unknown, and refuses only a hidden one.
    let named = client.topics_named(&unlisted).await?;
    match named.forbidden.is_empty() {
        true => Ok(()),
        false => Err(client.hidden(named.forbidden)),
    }
}

fn gave_all_away(plan: &Plan, seen: &Seen) -> Vec<BrokerId> {
    let topics = seen.topics.values().flat_map(|topic| &topic.partitions);
    let holders: BTreeSet<BrokerId> =
        topics.flat_map(|partition| partition.replicas.iter().copied()).collect();
    let gave: BTreeSet<BrokerId> = plan.moves.iter().flat_map(|change| change.removed()).collect();
    gave.into_iter().filter(|id| !seen.live.contains(id) && !holders.contains(id)).collect()
}
