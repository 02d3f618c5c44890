//! The state topic. It is created on first use.

use crate::access::Access;
use crate::error::Error;
use crate::read::all;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// The compacted topic for state that machines share.
pub const TOPIC: &str = "__mappr_state";

/// The deadline of one request to Kafka.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Between two questions to brokers about a topic that one of them does not know yet.
const PAUSE: Duration = Duration::from_millis(200);

const CLIENT: &str = "a client for shared state";
const READING: &str = "reading the configs of the topic of shared state";

/// The replication factor: the same as for Kafka's own topics.
pub const REPLICATION: usize = 3;

/// The existing state topic of one cluster.
#[derive(Debug, Clone)]
pub struct StateTopic {
    pub(crate) access: Access,
    created: bool,
}

impl StateTopic {
    /// Creates the topic if it does not exist: one partition, compacted, on up to three of the cluster's
    /// `live_brokers`.
    ///
    /// # Errors
    /// [`Error::NotCompacted`] if another program created it with a different policy; [`Error::Unavailable`] if Kafka
    /// does not answer; [`Error::Forbidden`] if a right is missing.
    pub fn open(access: Access, live_brokers: usize) -> Result<Self, Error> {
        let copies = live_brokers.clamp(1, REPLICATION);
        let fixed = TopicReplication::Fixed(i32::try_from(copies).unwrap_or(1));
        Self::made(access, copies, fixed)
    }

    /// The same with a replica on each of these brokers; the first is the preferred leader. For callers that know which
    /// brokers stay.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_on(access: Access, brokers: &[i32]) -> Result<Self, Error> {
        Self::made(access, brokers.len(), TopicReplication::Variable(&[brokers]))
    }

    fn made(
        access: Access,
        copies: usize,
        replication: TopicReplication<'_>,
    ) -> Result<Self, Error> {
        let admin: AdminClient<DefaultClientContext> =
            access.client().create().map_err(Error::of(CLIENT))?;
        let created = create(&admin, copies, replication)?;
        if !created {
            is_compacted(&admin)?;
        }
        Ok(Self { access, created })
    }

    /// The topic, which must exist. Changes nothing.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn existing(access: Access) -> Result<Self, Error> {
        let admin: AdminClient<DefaultClientContext> =
            access.client().create().map_err(Error::of(CLIENT))?;
        is_compacted(&admin)?;
        Ok(Self { access, created: false })
    }

    /// The topic, if it exists. Changes nothing.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn find(access: Access) -> Result<Option<Self>, Error> {
        is_there(&access)?.then(|| Self::existing(access)).transpose()
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

    /// Whether this call created the topic.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.created
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

fn create(
    admin: &AdminClient<DefaultClientContext>,
    copies: usize,
    replication: TopicReplication<'_>,
) -> Result<bool, Error> {
    // The other replicas still accept writes when one is lost.
    let in_sync = (copies.max(2) - 1).to_string();
    let topic = NewTopic::new(TOPIC, 1, replication)
        .set("cleanup.policy", "compact")
        .set("min.insync.replicas", &in_sync)
        // Compacts renewals soon, because each start reads the whole topic.
        .set("segment.ms", "3600000")
        .set("min.cleanable.dirty.ratio", "0.1");
    let what = "creating the topic of shared state";
    let asked = futures_executor::block_on(admin.create_topics([&topic], &options()));
    for answer in asked.map_err(Error::of(what))? {
        match answer {
            Ok(_) => {}
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(false),
            Err((_, code)) => return Err(Error::of(what)(KafkaError::AdminOp(code))),
        }
    }
    Ok(true)
}

/// Whether the cluster has the topic. Kafka refuses the question of a user who may not describe it.
fn is_there(access: &Access) -> Result<bool, Error> {
    let mut config = access.client();
    // Asking must not create it.
    config.set("allow.auto.create.topics", "false").set("group.id", "mappr-state");
    let client: BaseConsumer = config.create().map_err(Error::of(CLIENT))?;
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

/// Waits for a broker that has not heard of a new topic yet.
fn is_compacted(admin: &AdminClient<DefaultClientContext>) -> Result<(), Error> {
    let denied = KafkaError::AdminOp(RDKafkaErrorCode::TopicAuthorizationFailed);
    let begun = Instant::now();
    loop {
        match policy(admin)? {
            Some(policy) if policy == "compact" => return Ok(()),
            Some(policy) => return Err(Error::NotCompacted { policy }),
            None if begun.elapsed() > PATIENCE => return Err(Error::of(READING)(denied)),
            None => thread::sleep(PAUSE),
        }
    }
}

/// The topic's `cleanup.policy`. `None`: the broker answers with an error, which rdkafka does not pass on: it does not know
/// the topic, or this user may not read configs.
fn policy(admin: &AdminClient<DefaultClientContext>) -> Result<Option<String>, Error> {
    let asked = admin.describe_configs([&ResourceSpecifier::Topic(TOPIC)], &options());
    let answers = futures_executor::block_on(asked).map_err(Error::of(READING))?;
    let configs = answers.into_iter().flatten().next();
    Ok(configs.and_then(|configs| configs.get("cleanup.policy")?.value.clone()))
}
