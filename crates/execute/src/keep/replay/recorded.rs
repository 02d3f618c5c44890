//! A course from recorded snapshots: what topics held, and which brokers were live, cordoned and new. What was moved in that time
//! is left out, because a replay moves by itself.

use super::{Course, Happening, position};
use mapper::snapshot::{Broker, Topic};
use mapper::{BrokerId, Bytes, Snapshot, TopicRecord};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What a record says of a topic.
#[derive(Debug)]
struct TopicSeen {
    /// The sizes of its partitions, by their ids.
    sizes: Vec<Option<Bytes>>,
    bytes_in: Option<u64>,
}

/// What records show, one after the other.
#[derive(Debug, Default)]
pub struct RecordedCourse {
    /// Each topic, by the time of the record.
    topics: BTreeMap<String, BTreeMap<u64, TopicSeen>>,
    happenings: Vec<(u64, Happening)>,
    brokers: BTreeMap<BrokerId, Broker>,
    /// How many partitions each topic had at most.
    partitions: BTreeMap<String, usize>,
    begun: bool,
}

impl RecordedCourse {
    /// Adds a later record, of this time in seconds since 1970. The first one is the start of the replay.
    pub fn see(&mut self, at_seconds: u64, record: &Snapshot) {
        let mut happenings = self.of_brokers(record);
        happenings.extend(self.of_topics(record));
        if self.begun {
            self.happenings.extend(happenings.into_iter().map(|what| (at_seconds, what)));
        }
        self.begun = true;
        for topic in record.topics() {
            let mut sizes = Vec::new();
            for partition in &topic.partitions {
                let at = position(partition.id);
                sizes.resize(sizes.len().max(at + 1), None);
                sizes[at] = partition.size;
            }
            let seen = TopicSeen { sizes, bytes_in: TopicRecord::of(0, topic).bytes_in };
            self.topics.entry(topic.name.clone()).or_default().insert(at_seconds, seen);
        }
    }

    fn last(&self, topic: &str, at_seconds: u64) -> Option<&TopicSeen> {
        Some(self.topics.get(topic)?.range(..=at_seconds).next_back()?.1)
    }

    fn of_brokers(&mut self, record: &Snapshot) -> Vec<Happening> {
        let mut happenings = Vec::new();
        for broker in record.brokers() {
            let id = broker.id;
            let Some(before) = self.brokers.insert(id, broker.clone()) else {
                happenings.push(Happening::Joined(Box::new(broker.clone())));
                continue;
            };
            happenings.extend(match (before.live, broker.live) {
                (true, false) => Some(Happening::Lost(id)),
                (false, true) => Some(Happening::Back(id)),
                _ => None,
            });
            happenings.extend(match (before.is_cordoned(), broker.is_cordoned()) {
                (false, true) => Some(Happening::Cordoned(id)),
                (true, false) => Some(Happening::Uncordoned(id)),
                _ => None,
            });
        }
        let there: BTreeSet<BrokerId> = record.brokers().iter().map(|broker| broker.id).collect();
        for broker in self.brokers.values_mut().filter(|it| it.live && !there.contains(&it.id)) {
            broker.live = false;
            happenings.push(Happening::Lost(broker.id));
        }
        happenings
    }

    fn of_topics(&mut self, record: &Snapshot) -> Vec<Happening> {
        let mut happenings = Vec::new();
        for topic in record.topics() {
            let known = self.partitions.entry(topic.name.clone()).or_default();
            if topic.partitions.len() > *known {
                *known = topic.partitions.len();
                happenings.push(Happening::Grown(Box::new(topic.clone())));
            }
        }
        let there: BTreeSet<&str> = record.topics().iter().map(|topic| &*topic.name).collect();
        self.partitions.retain(|name, _| {
            let stays = there.contains(name.as_str());
            if !stays {
                happenings.push(Happening::Deleted(name.clone()));
            }
            stays
        });
        happenings
    }
}

impl Course for RecordedCourse {
    /// As in the last record until then.
    fn sizes(&self, topic: &str, at_seconds: u64) -> Cow<'_, [Option<Bytes>]> {
        Cow::Borrowed(self.last(topic, at_seconds).map_or(&[], |seen| &seen.sizes))
    }

    fn bytes_in(&self, topic: &str, at_seconds: u64) -> Option<u64> {
        self.last(topic, at_seconds)?.bytes_in
    }

    fn happenings(&self, after_seconds: u64, until_seconds: u64) -> Vec<(u64, Happening)> {
        super::between(&self.happenings, after_seconds, until_seconds)
    }
}

/// Adds what a topic has more than it had.
pub(super) fn grow(topics: &mut Vec<Topic>, grown: Topic) {
    match topics.iter_mut().find(|topic| topic.name == grown.name) {
        Some(topic) => {
            let had = topic.partitions.len();
            topic.partitions.extend(grown.partitions.into_iter().skip(had));
        }
        None => {
            topics.push(grown);
            topics.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
}
