//! Sets configs of throttles, or deletes them: each broker by itself, with a deadline, so that none waits for another.

use execute::{Key, Place, Resource};
use futures::StreamExt;
use futures::stream;
use kafka::Client;
use kafka::admin::{ConfigChange, ConfigResource};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a broker is given to take a change.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the cluster is given to take changes of topics.
const TOPICS_PATIENCE: Duration = Duration::from_secs(30);
/// How many topics are changed in one request.
const TOPICS: usize = 200;
/// How many brokers are told at once.
const AT_ONCE: usize = 32;

/// What was not taken, and why, by place.
pub type Outcome = BTreeMap<Place, String>;

/// Makes these changes: place, name, new value or none.
pub async fn change(
    client: &Client,
    changes: impl IntoIterator<Item = (Place, Key, Option<String>)>,
) -> Outcome {
    let mut requests: BTreeMap<Place, Vec<ConfigChange>> = BTreeMap::new();
    let mut of_topics = Vec::new();
    for (place, key, value) in changes {
        let resource = resource(&place);
        let change = ConfigChange { resource, key: key.as_str().to_owned(), value };
        match place {
            Place::On(Resource::Topic(_)) => of_topics.push(change),
            Place::On(Resource::Broker(_)) | Place::EveryBroker => {
                requests.entry(place).or_default().push(change)
            }
        }
    }
    let mut failed = Outcome::new();
    // Lists first: a rate without a list paces nothing, and a list without a rate neither.
    of_topics.sort_by(|one, other| one.resource.cmp(&other.resource));
    for some in of_topics.chunks(TOPICS) {
        failed.extend(told(client, some, TOPICS_PATIENCE).await);
    }
    let asked = stream::iter(requests.into_values())
        .map(async |changes| told(client, &changes, PATIENCE).await);
    let answers: Vec<Outcome> = asked.buffer_unordered(AT_ONCE).collect().await;
    failed.extend(answers.into_iter().flatten());
    failed
}

async fn told(client: &Client, changes: &[ConfigChange], patience: Duration) -> Outcome {
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

fn resource(place: &Place) -> ConfigResource {
    match place {
        Place::EveryBroker => ConfigResource::EveryBroker,
        Place::On(Resource::Broker(id)) => ConfigResource::Broker(*id),
        Place::On(Resource::Topic(name)) => ConfigResource::Topic(name.clone()),
    }
}

pub(super) fn place(resource: ConfigResource) -> Place {
    match resource {
        ConfigResource::EveryBroker => Place::EveryBroker,
        ConfigResource::Broker(id) => Place::On(Resource::Broker(id)),
        ConfigResource::Topic(name) => Place::On(Resource::Topic(name)),
    }
}
