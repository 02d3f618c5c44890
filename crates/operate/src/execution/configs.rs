//! Sets throttle configs, with a separate deadline for each broker.

use super::act::unless_lost;
use crate::error::Error;
use execute::{ConfigEdit, Setting, ThrottleResource, ThrottleValue};
use kafka::admin::{ConfigChange, ConfigOp, ConfigResource};
use kafka::in_parallel;
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The time limit for a broker to accept a change of its configs.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time limit for changes of topic configs.
const TOPICS_PATIENCE: Duration = Duration::from_secs(30);
/// The largest number of topics in one request.
const TOPICS: usize = 200;

/// Changes these configs. Logs each change that Kafka refuses or does not answer, and returns their number. The next
/// look shows the actual values.
///
/// # Errors
/// A missing right, or a connection that no retry can repair.
pub async fn set_configs(
    client: &kafka::Client,
    sets: Vec<(Setting, ConfigEdit)>,
) -> Result<usize, Error> {
    // What a list loses is a request of its own, after what lists gain: a copy keeps its pace.
    let (mut of_topics, mut subtracted) = (Vec::new(), Vec::new());
    let mut of_brokers: BTreeMap<BrokerId, Vec<ConfigChange>> = BTreeMap::new();
    for (setting, edit) in sets {
        let [gain, loss] = ops(edit);
        let resource = match &setting.resource {
            ThrottleResource::Topic(name) => ConfigResource::Topic(name.clone()),
            ThrottleResource::Broker(id) => ConfigResource::Broker(*id),
        };
        let key = setting.key.as_str().to_owned();
        let change = |op| ConfigChange { resource: resource.clone(), key: key.clone(), op };
        subtracted.extend(loss.map(change));
        let Some(gain) = gain.map(change) else { continue };
        match setting.resource {
            ThrottleResource::Topic(_) => of_topics.push(gain),
            ThrottleResource::Broker(id) => of_brokers.entry(id).or_default().push(gain),
        }
    }
    let told =
        of_brokers.into_values().map(async |changes| client.set_configs(&changes, PATIENCE).await);
    let mut answers = in_parallel(told).await;
    for some in of_topics.chunks(TOPICS).chain(subtracted.chunks(TOPICS)) {
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

/// What is done to a config, first and after that.
fn ops(edit: ConfigEdit) -> [Option<ConfigOp>; 2] {
    let words = |entries: &BTreeSet<ThrottleValue>| {
        let words: Vec<String> = entries.iter().map(ToString::to_string).collect();
        (!words.is_empty()).then(|| words.join(","))
    };
    match edit {
        ConfigEdit::To(value) => [Some(value.into()), None],
        ConfigEdit::Entries { add, remove } => {
            [words(&add).map(ConfigOp::Append), words(&remove).map(ConfigOp::Subtract)]
        }
    }
}
