//! Sets or deletes throttle configs: each broker separately and with a time limit, so that no broker waits for
//! another.

use execute::{Key, ThrottlePlace, ThrottleResource};
use kafka::admin::{ConfigChange, ConfigResource};
use kafka::{Client, in_parallel};
use std::collections::BTreeMap;
use std::time::Duration;

/// The time limit for a broker to accept a change.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time limit for changes of topic configs.
const TOPICS_PATIENCE: Duration = Duration::from_secs(30);
/// The largest number of topics in one request.
const TOPICS: usize = 200;

/// Failed changes by place, with the reason.
pub type FailedChanges = BTreeMap<ThrottlePlace, String>;

/// Makes these changes: place, name, new value (`None`: delete).
pub async fn change(
    client: &Client,
    changes: impl IntoIterator<Item = (ThrottlePlace, Key, Option<String>)>,
) -> FailedChanges {
    let mut requests: BTreeMap<ThrottlePlace, Vec<ConfigChange>> = BTreeMap::new();
    let mut of_topics = Vec::new();
    for (place, key, value) in changes {
        let resource = resource(&place);
        let change = ConfigChange { resource, key: key.as_str().to_owned(), op: value.into() };
        match place {
            ThrottlePlace::On(ThrottleResource::Topic(_)) => of_topics.push(change),
            ThrottlePlace::On(ThrottleResource::Broker(_)) | ThrottlePlace::EveryBroker => {
                requests.entry(place).or_default().push(change)
            }
        }
    }
    let mut failed = FailedChanges::new();
    // Lists come first. Neither a rate without a list nor a list without a rate has any effect.
    of_topics.sort_by(|one, other| one.resource.cmp(&other.resource));
    for some in of_topics.chunks(TOPICS) {
        failed.extend(told(client, some, TOPICS_PATIENCE).await);
    }
    let asked = requests.into_values().map(async |changes| told(client, &changes, PATIENCE).await);
    failed.extend(in_parallel(asked).await.into_iter().flatten());
    failed
}

async fn told(client: &Client, changes: &[ConfigChange], patience: Duration) -> FailedChanges {
    match client.set_configs(changes, patience).await {
        Ok(refused) => refused
            .into_iter()
            .map(|(resource, refusal)| (place(resource), refusal.to_string()))
            .collect(),
        Err(error) => changes
            .iter()
            .map(|change| (place(change.resource.clone()), error.to_string()))
            .collect(),
    }
}

fn resource(place: &ThrottlePlace) -> ConfigResource {
    match place {
        ThrottlePlace::EveryBroker => ConfigResource::EveryBroker,
        ThrottlePlace::On(ThrottleResource::Broker(id)) => ConfigResource::Broker(*id),
        ThrottlePlace::On(ThrottleResource::Topic(name)) => ConfigResource::Topic(name.clone()),
    }
}

pub(super) fn place(resource: ConfigResource) -> ThrottlePlace {
    match resource {
        ConfigResource::EveryBroker => ThrottlePlace::EveryBroker,
        ConfigResource::Broker(id) => ThrottlePlace::On(ThrottleResource::Broker(id)),
        ConfigResource::Topic(name) => ThrottlePlace::On(ThrottleResource::Topic(name)),
    }
}
