//! The topic, made on first use.

use crate::access::Access;
use crate::error::Error;
use crate::read::all;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::BTreeMap;
use std::time::Duration;

/// The compacted topic of the state that machines share.
pub const TOPIC: &str = "__mappr_state";

/// How long Kafka has for one request.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// As many copies as Kafka's own topics have.
pub const REPLICATION: usize = 3;

/// The topic of one cluster, which is there.
#[derive(Debug, Clone)]
pub struct StateTopic {
    pub(crate) access: Access,
    created: bool,
}

impl StateTopic {
    /// Makes the topic if it is not there: one partition, compacted, on up to three of the cluster's `live_brokers`.
    ///
    /// # Errors
    /// [`Error::NotCompacted`] if somebody else has made it otherwise; [`Error::Unavailable`] and [`Error::Forbidden`] when
    /// Kafka does not answer, or not us.
    pub fn open(access: Access, live_brokers: usize) -> Result<Self, Error> {
        let copies = live_brokers.clamp(1, REPLICATION);
        let fixed = TopicReplication::Fixed(i32::try_from(copies).unwrap_or(1));
        Self::made(access, copies, fixed)
    }

    /// The same with a copy on each of these brokers, the first of which is to lead: for whoever knows which brokers stay.
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
            access.client().create().map_err(Error::of("a client for shared state"))?;
        let created = create(&admin, copies, replication)?;
        if !created {
            is_compacted(&admin)?;
        }
        Ok(Self { access, created })
    }

    /// The topic, which somebody has made. Changes nothing.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn existing(access: Access) -> Result<Self, Error> {
        let admin: AdminClient<DefaultClientContext> =
            access.client().create().map_err(Error::of("a client for shared state"))?;
        is_compacted(&admin)?;
        Ok(Self { access, created: false })
    }

    /// The records whose keys begin with this, by the rest of the key.
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

    /// Whether this made it.
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
    // With one copy lost, the rest still takes writes.
    let in_sync = (copies.max(2) - 1).to_string();
    let topic = NewTopic::new(TOPIC, 1, replication)
        .set("cleanup.policy", "compact")
        .set("min.insync.replicas", &in_sync)
        // Renewals are rewritten soon: whoever opens it reads all of it.
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

fn is_compacted(admin: &AdminClient<DefaultClientContext>) -> Result<(), Error> {
    let what = "reading the configs of the topic of shared state";
    let asked = admin.describe_configs([&ResourceSpecifier::Topic(TOPIC)], &options());
    for answer in futures_executor::block_on(asked).map_err(Error::of(what))? {
        let configs = answer.map_err(|code| Error::of(what)(KafkaError::AdminOp(code)))?;
        let policy = configs.get("cleanup.policy").and_then(|entry| entry.value.clone());
        let policy = policy.unwrap_or_default();
        if policy != "compact" {
            return Err(Error::NotCompacted { policy });
        }
    }
    Ok(())
}
