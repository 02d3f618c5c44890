//! The configs of topics, requested in batches from all brokers in turn.

use super::storage::Stored;
use super::{AT_ONCE, Notice, in_turn};
use crate::admin::{ConfigKeys, TopicConfigs, Topics};
use crate::client::{Client, Target};
use crate::error::{Denied, Error, Operation, Resource};
use futures::StreamExt;
use kafka_protocol::messages::DescribeConfigsRequest;
use std::collections::BTreeSet;

/// Topics in one request. With every key, the answer takes about 2 MB.
const TOPICS: usize = 500;

/// The configs that brokers reported, and the missing ones.
#[derive(Debug)]
pub(super) struct Gathered {
    told: TopicConfigs,
    untold: Option<(BTreeSet<String>, Error)>,
    denied: Denied,
}

/// Asks for the configs of every topic.
pub(super) async fn gather(
    client: &Client,
    stored: &Stored,
    topics: &Topics,
    keys: &ConfigKeys,
) -> Gathered {
    let names: Vec<String> = topics.keys().cloned().collect();
    let asking = names
        .chunks(TOPICS)
        .zip(in_turn(stored))
        .map(|(names, broker)| async move { (names, ask(client, broker, names, keys).await) });
    let mut answers = futures::stream::iter(asking).buffer_unordered(AT_ONCE);
    let denied =
        client.denied::<DescribeConfigsRequest>(Resource::Topics, Operation::DescribeConfigs);
    let mut gathered = Gathered { told: TopicConfigs::default(), untold: None, denied };
    while let Some((names, answer)) = answers.next().await {
        match answer {
            Ok(configs) => {
                gathered.told.found.extend(configs.found);
                gathered.told.forbidden.extend(configs.forbidden);
            }
            Err(error) => {
                let (untold, _) = gathered.untold.get_or_insert((BTreeSet::new(), error));
                untold.extend(names.iter().cloned());
            }
        }
    }
    gathered
}

/// Every broker knows every topic's configs. If one does not answer, another can.
async fn ask(
    client: &Client,
    broker: Target,
    names: &[String],
    keys: &ConfigKeys,
) -> Result<TopicConfigs, Error> {
    match client.topic_configs(broker, names, keys).await {
        Ok(configs) => Ok(configs),
        Err(error) => {
            tracing::debug!(?broker, %error, "asking another broker for configs");
            client.topic_configs(Target::Any, names, keys).await
        }
    }
}

impl Gathered {
    /// Adds the configs to their topics, and the missing ones to the notices.
    pub(super) fn add_to(self, topics: &mut Topics, notices: &mut Vec<Notice>) {
        for (name, config) in self.told.found {
            if let Some(topic) = topics.get_mut(&name) {
                topic.config = config.set;
                topic.min_insync_replicas = config.min_insync_replicas;
            }
        }
        if !self.told.forbidden.is_empty() {
            let (topics, denied) = (self.told.forbidden, self.denied);
            notices.push(Notice::ConfigsForbidden { topics, denied });
        }
        if let Some((topics, error)) = self.untold {
            notices.push(Notice::ConfigsMissing { topics, error });
        }
    }
}
