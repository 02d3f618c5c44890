//! Reading the topic to its end.

use crate::error::Error;
use crate::topic::{PATIENCE, StateTopic, TOPIC};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The last record of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) offset: i64,
    pub(crate) value: Vec<u8>,
}

/// The last committed record of a key; `None` where there is none, or it was deleted.
pub(crate) fn last(topic: &StateTopic, key: &str) -> Result<Option<Stored>, Error> {
    Ok(all(topic)?.remove(key))
}

/// The last committed record of each key that has one.
pub(crate) fn all(topic: &StateTopic) -> Result<BTreeMap<String, Stored>, Error> {
    let what = "reading the topic of shared state";
    let mut config = topic.access.client();
    // librdkafka wants a group's name, and uses none: nothing is committed, and partitions are assigned by hand.
    config.set("group.id", "mappr-state").set("enable.auto.commit", "false");
    config.set("enable.partition.eof", "true").set("isolation.level", "read_committed");
    config.set("allow.auto.create.topics", "false").set("auto.offset.reset", "error");
    let consumer: BaseConsumer = config.create().map_err(Error::of(what))?;
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(TOPIC, 0, Offset::Beginning).map_err(Error::of(what))?;
    consumer.assign(&from).map_err(Error::of(what))?;
    let (mut last, begun, mut failure) = (BTreeMap::new(), Instant::now(), None);
    while begun.elapsed() < PATIENCE {
        match consumer.poll(Duration::from_secs(1)) {
            None => {}
            Some(Ok(record)) => {
                let key = record.key().map(|key| String::from_utf8_lossy(key).into_owned());
                match (key, record.payload()) {
                    (Some(key), Some(value)) => {
                        let stored = Stored { offset: record.offset(), value: value.to_vec() };
                        last.insert(key, stored);
                    }
                    (Some(key), None) => drop(last.remove(&key)),
                    (None, _) => {}
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(last),
            // librdkafka goes on trying by itself.
            Some(Err(error)) => failure = Some(error),
        }
    }
    Err(Error::of(what)(failure.unwrap_or(KafkaError::NoMessageReceived)))
}
