//! Sets throttle configs, with a separate deadline for each broker.

use super::act::unless_lost;
use crate::error::Error;
use execute::{Setting, ThrottleResource};
use kafka::admin::{ConfigChange, ConfigResource};
use kafka::in_parallel;
use mapper::BrokerId;
use std::collections::BTreeMap;
use std::time::Duration;

/// The time limit for a broker to accept a change of its configs.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time limit for changes of topic configs.
const TOPICS_PATIENCE: Duration = Duration::from_secs(30);
/// The largest number of topics in one request.
const TOPICS: usize = 200;

/// Sets these configs, or deletes those without a value. Logs each change that Kafka refuses or does not answer, and
/// returns their number. The next look shows the actual values.
///
/// # Errors
/// A missing right, or a connection that no retry can repair.
pub async fn set_configs(
    client: &kafka::Client,
    sets: Vec<(Setting, Option<String>)>,
) -> Result<usize, Error> {
    let mut of_topics = Vec::new();
    let mut of_brokers: BTreeMap<BrokerId, Vec<ConfigChange>> = BTreeMap::new();
    for (setting, value) in sets {
        let key = setting.key.as_str().to_owned();
        match setting.resource {
            ThrottleResource::Topic(name) => {
                let resource = ConfigResource::Topic(name);
                of_topics.push(ConfigChange { resource, key, value });
            }
            ThrottleResource::Broker(id) => {
                let resource = ConfigResource::Broker(id);
                let change = ConfigChange { resource, key, value };
                of_brokers.entry(id).or_default().push(change);
            }
        }
    }
    let told =
        of_brokers.into_values().map(async |changes| client.set_configs(&changes, PATIENCE).await);
    let mut answers = in_parallel(told).await;
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
            tracing::warn!(?resource, %refusal, "a config is not taken");
        }
    }
    Ok(failed)
}
