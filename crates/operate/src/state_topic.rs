//! Makes the topic of shared state, over the admin plane.

use crate::error::Error;
use crate::seats::seats;
use kafka::admin::{ConfigKeys, NewTopic};
use kafka::{Client, ResponseError, Target, in_parallel};
use mapper::{BrokerId, Plan};
use statelog::{COMPACT, POLICY, REPLICATION, TOPIC};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The time limit for a broker to report its cordon. A broker that does not answer counts as not cordoned.
const CORDONS_WITHIN: Duration = Duration::from_secs(3);
/// How long a broker may take to hear of a new topic.
const HEARD_WITHIN: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(200);

/// Finds the topic, or creates it: one partition, compacted, on up to three brokers. The plan and the cordons show which
/// brokers should get no replica of it. Returns the brokers if this call created it.
///
/// # Errors
/// [`Error::Claim`] if another program created it with another policy, or if a right is missing; [`Error::Kafka`].
pub async fn open(client: &Client, plan: Option<&Plan>) -> Result<Option<Vec<BrokerId>>, Error> {
    // A user without the right to create the topic may still use it.
    if exists(client).await? {
        return Ok(None);
    }
    let cluster = client.describe_cluster().await?;
    let asked = cluster.live().map(async |id| {
        let every = client.cordons(id, CORDONS_WITHIN).await.is_ok_and(|cordons| cordons.every);
        every.then_some(id)
    });
    let cordoned: BTreeSet<BrokerId> = in_parallel(asked).await.into_iter().flatten().collect();
    let brokers = seats(&cluster, plan, &cordoned, REPLICATION);
    let replicas = vec![brokers.iter().copied().collect()];
    let config = statelog::configs(brokers.len());
    let topic = NewTopic { name: TOPIC.to_owned(), replicas, config };
    let what = "creating the topic of shared state";
    let answers = client.create_topics(&[topic]).await;
    let answers = answers.map_err(|error| unavailable(what, error.to_string()))?;
    let created = match answers.into_values().find_map(Result::err) {
        None => true,
        Some(refusal) if refusal.code == ResponseError::TopicAlreadyExists => false,
        Some(refusal) if refusal.denied.is_some() => {
            let why = refusal.to_string();
            return Err(Error::Claim(Box::new(statelog::Error::Forbidden { what, why })));
        }
        Some(refusal) => return Err(unavailable(what, refusal.to_string())),
    };
    is_compacted(client).await.map(|()| created.then_some(brokers))
}

/// Whether the topic exists, as this program needs it. Changes nothing.
///
/// # Errors
/// As for [`open`].
pub async fn exists(client: &Client) -> Result<bool, Error> {
    let is_there = client.has_topic(TOPIC).await?;
    if is_there {
        is_compacted(client).await?;
    }
    Ok(is_there)
}

/// Waits for a broker that has not heard of a new topic yet.
async fn is_compacted(client: &Client) -> Result<(), Error> {
    let what = "reading the configs of the topic of shared state";
    let keys = ConfigKeys::Named([POLICY.to_owned()].into());
    let begun = Instant::now();
    loop {
        let mut said = client.topic_configs(Target::Any, &[TOPIC.to_owned()], &keys).await?;
        let problem = match said.found.remove(TOPIC) {
            Some(found) => {
                let policy = found.set.get(POLICY).map_or("delete", String::as_str).to_owned();
                if policy == COMPACT {
                    return Ok(());
                }
                statelog::Error::NotCompacted { policy }
            }
            None if said.forbidden.contains(TOPIC) => {
                let why = "the right DescribeConfigs is missing".to_owned();
                statelog::Error::Forbidden { what, why }
            }
            None if begun.elapsed() < HEARD_WITHIN => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            None => return Err(unavailable(what, "the broker does not know it".to_owned())),
        };
        return Err(Error::Claim(Box::new(problem)));
    }
}

fn unavailable(what: &'static str, why: String) -> Error {
    Error::Claim(Box::new(statelog::Error::Unavailable { what, why }))
}
