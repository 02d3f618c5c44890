//! Setting configs of the throttle, each broker with a deadline of its own.

use super::act::unless_lost;
use crate::error::Error;
use execute::{Resource, Setting};
use futures::StreamExt;
use futures::stream;
use kafka::admin::{ConfigChange, ConfigResource};
use mapper::BrokerId;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a broker is given to take a change of its configs.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the cluster is given to take changes of topics' configs.
const TOPICS_PATIENCE: Duration = Duration::from_secs(30);
/// How many topics are changed in one request.
const TOPICS: usize = 200;
/// How many brokers are told at once.
const AT_ONCE: usize = 32;

/// Sets these configs, or deletes those without a value. What Kafka refuses, or gives no answer to, is logged, and how
/// many those were is returned: the next look tells what stands there.
///
/// # Errors
/// A missing right; a connection that no other try can mend.
pub async fn set_configs(
    client: &kafka::Client,
    sets: Vec<(Setting, Option<String>)>,
) -> Result<usize, Error> {
    let mut of_topics = Vec::new();
    let mut of_brokers: BTreeMap<BrokerId, Vec<ConfigChange>> = BTreeMap::new();
    for (setting, value) in sets {
        let key = setting.key.as_str().to_owned();
        match setting.resource {
            Resource::Topic(name) => {
                let resource = ConfigResource::Topic(name);
                of_topics.push(ConfigChange { resource, key, value });
            }
            Resource::Broker(id) => {
                let resource = ConfigResource::Broker(id);
                let change = ConfigChange { resource, key, value };
                of_brokers.entry(id).or_default().push(change);
            }
        }
    }
    let told = stream::iter(of_brokers.into_values())
        .map(async |changes| client.set_configs(&changes, PATIENCE).await);
    let mut answers: Vec<_> = told.buffer_unordered(AT_ONCE).collect().await;
    for some in of_topics.chunks(TOPICS) {
        answers.push(client.set_configs(some, TOPICS_PATIENCE).await);
    }
    let mut failed = 0;
    for answer in answers {
        let Some(refused) = unless_lost(answer)? else {
            failed += 1;
            continue;
        };
        failed += refused.len();
        for (resource, refusal) in refused {
            if let Some(denied) = refusal.denied {
                return Err(Error::from(kafka::Error::Authorization(Box::new(denied))));
            }
            tracing::warn!(?resource, %refusal, "a throttle is not taken");
        }
    }
    Ok(failed)
}
