//! The state topic. The first use creates it, over the admin plane.

use crate::access::{Access, LoginContext};
use crate::error::Error;
use crate::read::all;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::BTreeMap;
use std::time::Duration;

/// The compacted topic for state that machines share.
pub const TOPIC: &str = "__mappr_state";

/// The deadline of one request to Kafka.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

const CLIENT: &str = "a client for shared state";

/// The replication factor: the same as for Kafka's own topics.
pub const REPLICATION: usize = 3;

/// The configs of the topic. With one of its `copies` lost, the others still accept writes.
pub fn configs(copies: usize) -> BTreeMap<String, String> {
    let in_sync = (copies.max(2) - 1).to_string();
    // Compacts renewals soon, because each start reads the whole topic.
    let (segment, dirty) = (("segment.ms", "3600000"), ("min.cleanable.dirty.ratio", "0.1"));
    let all = [(POLICY, COMPACT), ("min.insync.replicas", &in_sync), segment, dirty];
    all.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// The config that keeps the last record of each key, and its value.
pub const POLICY: &str = "cleanup.policy";
/// The value of [`POLICY`].
pub const COMPACT: &str = "compact";

/// The state topic of one cluster. The admin plane has created it: librdkafka's own never asks for a token.
#[derive(Debug, Clone)]
pub struct StateTopic {
    pub(crate) access: Access,
}

impl StateTopic {
    /// The topic, which must exist.
    pub fn existing(access: Access) -> Self {
        Self { access }
    }

    /// The topic, if it exists. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if Kafka does not answer; [`Error::Forbidden`] if a right is missing.
    pub fn find(access: Access) -> Result<Option<Self>, Error> {
        Ok(is_there(&access)?.then(|| Self::existing(access)))
    }

    /// The records with this key prefix, by the rest of the key.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Forbidden`].
    pub fn records(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let all = all(self, prefix)?.into_iter();
        let own = all.filter_map(|(key, stored)| {
            let rest = key.strip_prefix(prefix)?.to_owned();
            Some((rest, stored.value))
        });
        Ok(own.collect())
    }
}

/// Whether the cluster has the topic. Kafka refuses the question of a user who may not describe it.
fn is_there(access: &Access) -> Result<bool, Error> {
    let mut config = access.client();
    // Asking must not create it.
    config.set("allow.auto.create.topics", "false").set("group.id", "mappr-state");
    let client: BaseConsumer<LoginContext> = access.create(&config).map_err(Error::of(CLIENT))?;
    if access.needs_token() {
        let _ = client.poll(Duration::ZERO);
    }
    let what = "looking for the topic of shared state";
    let found = client.fetch_metadata(Some(TOPIC), PATIENCE).map_err(Error::of(what))?;
    match found.topics().first().and_then(|topic| topic.error()).map(RDKafkaErrorCode::from) {
        None => Ok(!found.topics().is_empty()),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            Ok(false)
        }
        Some(code) => Err(Error::of(what)(KafkaError::MetadataFetch(code))),
    }
}
