//! Checks that every live broker agrees about partitions with the broker that was asked. Only then is a pod
//! restarted.

use crate::error::Error;
use ::kafka::{Client, Target};
use execute::roll::{NextRestart, RollMemory, RollScene, RollTerms, next};
use futures::{StreamExt, stream};
use mapper::snapshot::Topic;
use std::collections::BTreeSet;

/// The largest number of brokers asked in parallel.
const AT_ONCE: usize = 16;

/// Why a pod must not restart now, by the answers of other brokers; `None`: all agree.
pub(super) async fn disagreed(
    client: &Client,
    scene: &RollScene,
    expected: &NextRestart,
    memory: &RollMemory,
    terms: &RollTerms,
) -> Result<Option<Vec<String>>, Error> {
    let (NextRestart::Restart(index) | NextRestart::Join(index)) = expected else {
        return Ok(None);
    };
    let Some(pod) = scene.pods.get(*index) else { return Ok(None) };
    let names: BTreeSet<String> = scene.cluster.topics.keys().cloned().collect();
    if names.is_empty() {
        return Ok(None);
    }
    // The pod's own broker is not asked: it may be down. Those of its batch are stopping.
    let joins = matches!(expected, NextRestart::Join(_));
    let others = scene.cluster.live.iter().copied();
    let others = others.filter(|id| *id != pod.id && !(joins && memory.is_of_batch(*id)));
    let asked = others.map(|id| {
        let names = &names;
        async move { (id, client.topics_told_by(Target::Broker(id), names).await) }
    });
    let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some((id, told)) = answers.next().await {
        let told = match told {
            Ok(told) => told,
            Err(error) => return Ok(Some(vec![format!("broker {id} is live, and: {error}")])),
        };
        // Nearly all brokers tell the same. A copy of the scene for each of a thousand would cost minutes.
        let is_known = |(name, topic): (&String, &Topic)| {
            let known = scene.cluster.topics.get(name);
            known.is_some_and(|known| known.partitions == topic.partitions)
        };
        if told.found.iter().all(is_known) {
            continue;
        }
        let mut other = scene.clone();
        for (name, mut topic) in told.found {
            let known = scene.cluster.topics.get(&name);
            topic.min_insync_replicas = known.and_then(|known| known.min_insync_replicas);
            other.cluster.topics.insert(name, topic);
        }
        match next(&other, memory, terms) {
            same if same == *expected => {}
            NextRestart::Wait(waits) => {
                let waits = waits.iter().map(|wait| format!("to broker {id}, {wait}"));
                return Ok(Some(waits.collect()));
            }
            _ => {
                return Ok(Some(vec![format!(
                    "broker {id} tells something else of the partitions"
                )]));
            }
        }
    }
    Ok(None)
}
