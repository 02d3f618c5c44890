//! Asks a broker about itself: its log dirs, then metadata of the topics in them, then the reassignments in flight.
//! The controller answers the last question.

use health::readiness::{Attendance, ReadinessReports};
use kafka::Client;
use kafka::admin::LogDirFacts;
use mapper::{BrokerId, TopicPartition};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

use crate::error::Error;
use crate::live;

/// The time limit for the controller; after it, the controller counts as unavailable.
const CONTROLLER: Duration = Duration::from_secs(3);

/// Asks the broker at this address.
///
/// # Errors
/// The client properties are wrong. A broker that does not answer is a result, not an error.
pub async fn ask_broker(
    bootstrap: &str,
    properties: Option<&Path>,
    broker: BrokerId,
) -> Result<ReadinessReports, Error> {
    let client = match live::hasty_client(bootstrap, properties).await {
        Ok(client) => client,
        Err(Error::Kafka(error)) if !matches!(*error, kafka::Error::Config(_)) => {
            return Ok(ReadinessReports::Silent { why: error.to_string() });
        }
        Err(error) => return Err(error),
    };
    Ok(match ask(&client, broker).await {
        Ok(told) => told,
        Err(error) => ReadinessReports::Silent { why: error.to_string() },
    })
}

async fn ask(client: &Client, broker: BrokerId) -> Result<ReadinessReports, kafka::Error> {
    let registered = client.cluster().live().any(|id| id == broker);
    let is_another = match client.answers_as(broker).await {
        Ok(is_it) => !is_it,
        Err(error @ kafka::Error::Authorization(_)) => {
            tracing::debug!(%error, "whether it is this broker is not asked");
            false
        }
        Err(error) => return Err(error),
    };
    let dirs = client.own_log_dirs().await?;
    let hosted = hosted(&dirs);
    let names: BTreeSet<String> = hosted.iter().map(|of| of.topic.clone()).collect();
    let topics = match names.is_empty() {
        true => kafka::admin::Named::default(),
        false => client.topics_named(&names).await?,
    };
    if !topics.forbidden.is_empty() {
        let (topics, principal) = (topics.forbidden, None);
        return Err(kafka::Error::HiddenTopics { topics, principal });
    }
    let moves = match timeout(CONTROLLER, client.reassignments()).await {
        Ok(Ok(moves)) => moves,
        Ok(Err(error @ kafka::Error::Authorization(_))) => return Err(error),
        Ok(Err(error)) => return Ok(ReadinessReports::Unconfirmed { why: error.to_string() }),
        Err(_) => {
            let why = format!("no answer within {} s", CONTROLLER.as_secs());
            return Ok(ReadinessReports::Unconfirmed { why });
        }
    };
    let adding = moves.into_iter().filter(|(_, moving)| moving.adding.contains(&broker));
    let adding = adding.map(|(of, _)| of).collect();
    let failed = dirs.into_iter().filter(|dir| dir.failure.is_some()).map(|dir| dir.path);
    Ok(ReadinessReports::Broker(Attendance {
        is_another,
        registered,
        failed_log_dirs: failed.collect(),
        ..Attendance::of(broker, &hosted, &topics.found, &adding)
    }))
}

fn hosted(dirs: &[LogDirFacts]) -> BTreeSet<TopicPartition> {
    let topics = dirs.iter().flat_map(|dir| &dir.topics);
    let replicas = topics.flat_map(|(topic, replicas)| {
        let of = move |partition| TopicPartition { topic: topic.clone(), partition };
        replicas.iter().map(move |(partition, _)| of(*partition))
    });
    replicas.collect()
}
