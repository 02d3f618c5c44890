//! Eligible leaders, requested only if there can be any.

use super::moves::partition_mut;
use super::storage::Stored;
use super::{AT_ONCE, Notice, in_turn};
use crate::admin::{EligibleLeaders, Topics};
use crate::client::{Client, Target};
use crate::error::Error;
use futures::StreamExt;
use mapper::snapshot::Partition;
use std::collections::BTreeSet;

/// Topics in one request.
const TOPICS: usize = 500;

/// The eligible leaders that brokers reported, and the missing ones.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    told: EligibleLeaders,
    untold: Option<(BTreeSet<String>, Error)>,
}

/// Asks only about topics with an out-of-sync replica. Other topics have no eligible leader outside their ISR.
pub(super) async fn gather(client: &Client, stored: &Stored, topics: &Topics) -> Gathered {
    let lagging = topics.iter().filter(|(_, topic)| topic.partitions.iter().any(lags));
    let names: Vec<String> = lagging.map(|(name, _)| name.clone()).collect();
    let asking = names.chunks(TOPICS).zip(in_turn(stored)).map(|(names, broker)| async move {
        let names: BTreeSet<String> = names.iter().cloned().collect();
        let answer = ask(client, broker, &names).await;
        (names, answer)
    });
    let mut answers = futures::stream::iter(asking).buffer_unordered(AT_ONCE);
    let mut gathered = Gathered::default();
    while let Some((names, answer)) = answers.next().await {
        match answer {
            Ok(leaders) => gathered.told.extend(leaders.unwrap_or_default()),
            Err(error) => {
                gathered.untold.get_or_insert((BTreeSet::new(), error)).0.extend(names);
            }
        }
    }
    gathered
}

fn lags(partition: &Partition) -> bool {
    let isr = partition.facts.as_ref().and_then(|facts| facts.isr.as_ref());
    isr.is_some_and(|isr| partition.replicas.iter().any(|id| !isr.contains(id)))
}

/// Every broker knows every partition. If one does not answer, another can.
async fn ask(
    client: &Client,
    broker: Target,
    names: &BTreeSet<String>,
) -> Result<Option<EligibleLeaders>, Error> {
    match client.eligible_leaders(broker, names).await {
        Ok(leaders) => Ok(leaders),
        Err(error) => {
            tracing::debug!(?broker, %error, "asking another broker for eligible leaders");
            client.eligible_leaders(Target::Any, names).await
        }
    }
}

impl Gathered {
    /// Adds the eligible leaders to their partitions, and the missing ones to the notices.
    pub(super) fn add_to(self, topics: &mut Topics, notices: &mut Vec<Notice>) {
        for (name, partitions) in self.told {
            let Some(topic) = topics.get_mut(&name) else {
                continue;
            };
            for (id, eligible) in partitions {
                let partition = partition_mut(topic, id);
                if let Some(facts) = partition.and_then(|partition| partition.facts.as_mut()) {
                    facts.rare.edit(|rare| {
                        (rare.elr, rare.last_known_elr) = (eligible.elr, eligible.last_known);
                    });
                }
            }
        }
        if let Some((topics, error)) = self.untold {
            notices.push(Notice::EligibleLeadersMissing { topics, error });
        }
    }
}
