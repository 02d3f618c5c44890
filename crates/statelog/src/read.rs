//! Reads the topic to its end, and then follows it.

use crate::access::LoginContext;
use crate::error::Error;
use crate::topic::{PATIENCE, StateTopic, TOPIC};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const WHAT: &str = "reading the topic of shared state";

/// The last record of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) offset: i64,
    pub(crate) value: Vec<u8>,
}

/// The last committed record of a key; `None` if there is none, or if it was deleted.
pub(crate) fn last(topic: &StateTopic, key: &str) -> Result<Option<Stored>, Error> {
    Ok(Reader::at_the_end(topic, key)?.last.remove(key))
}

/// The last committed record of each key with this prefix.
pub(crate) fn all(topic: &StateTopic, prefix: &str) -> Result<BTreeMap<String, Stored>, Error> {
    Ok(Reader::at_the_end(topic, prefix)?.last)
}

/// A reader that has read the topic to its end and follows it.
pub(crate) struct Reader {
    consumer: BaseConsumer<LoginContext>,
    /// Records of other keys are dropped.
    prefix: String,
    last: BTreeMap<String, Stored>,
}

impl Reader {
    /// Reads all committed records.
    pub(crate) fn at_the_end(topic: &StateTopic, prefix: &str) -> Result<Self, Error> {
        let mut config = topic.access.client();
        // librdkafka requires a group name but does not use it: nothing is committed, and partitions are assigned
        // manually.
        config.set("group.id", "mappr-state").set("enable.auto.commit", "false");
        config.set("enable.partition.eof", "true").set("isolation.level", "read_committed");
        config.set("allow.auto.create.topics", "false").set("auto.offset.reset", "error");
        // An empty fetch shows the end. By default, a broker holds such a fetch for half a second.
        config.set("fetch.wait.max.ms", "100");
        let consumer: BaseConsumer<LoginContext> =
            topic.access.create(&config).map_err(Error::of(WHAT))?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(TOPIC, 0, Offset::Beginning).map_err(Error::of(WHAT))?;
        consumer.assign(&from).map_err(Error::of(WHAT))?;
        let (mut last, begun, mut failure) = (BTreeMap::new(), Instant::now(), None);
        while begun.elapsed() < PATIENCE {
            match consumer.poll(Duration::from_secs(1)) {
                None => {}
                Some(Ok(record)) => {
                    take_in(&mut last, prefix, &record);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    return Ok(Self { consumer, prefix: prefix.to_owned(), last });
                }
                // librdkafka retries by itself.
                Some(Err(error)) => failure = Some(error),
            }
        }
        let silence = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
        Err(Error::of(WHAT)(failure.unwrap_or(silence)))
    }

    /// The last record of this key so far.
    pub(crate) fn last(&self, key: &str) -> Option<&Stored> {
        self.last.get(key)
    }

    /// Reads until a new record of this key arrives, or until `within` has passed. Returns whether one arrived. A
    /// reader that is cut off from Kafka gets none.
    pub(crate) fn changes(&mut self, key: &str, within: Duration) -> bool {
        let begun = Instant::now();
        loop {
            let left = within.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return false;
            }
            if let Some(Ok(record)) = self.consumer.poll(left) {
                let read = take_in(&mut self.last, &self.prefix, &record);
                if read.as_deref() == Some(key) {
                    return true;
                }
            }
        }
    }
}

/// Stores a record, or removes the one that it deletes. Returns the key if it is one to keep.
fn take_in(
    last: &mut BTreeMap<String, Stored>,
    prefix: &str,
    record: &BorrowedMessage<'_>,
) -> Option<String> {
    let key = String::from_utf8_lossy(record.key()?).into_owned();
    if !key.starts_with(prefix) {
        return None;
    }
    match record.payload() {
        Some(value) => {
            let stored = Stored { offset: record.offset(), value: value.to_vec() };
            drop(last.insert(key.clone(), stored));
        }
        None => drop(last.remove(&key)),
    }
    Some(key)
}
