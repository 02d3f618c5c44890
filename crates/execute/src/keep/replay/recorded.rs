//! A course from recorded snapshots: what topics held, and which brokers were live, cordoned and new. What was moved in that time
//! is left out, because a replay moves by itself.

use super::{Course, Happening, position};
use mapper::snapshot::{Broker, Topic};
use mapper::{BrokerId, Bytes, Snapshot};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The sizes of a topic's partitions, by their ids.
type SizesById = Vec<Option<Bytes>>;

/// What records show, one after the other.
#[derive(Debug, Default)]
pub struct RecordedCourse {
    /// The sizes of each topic, by the time of the record.
    sizes: BTreeMap<String, BTreeMap<u64, SizesById>>,
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
            let mut sizes = SizesById::new();
            for partition in &topic.partitions {
                let at = position(partition.id);
                sizes.resize(sizes.len().max(at + 1), None);
                sizes[at] = partition.size;
            }
            self.sizes.entry(topic.name.clone()).or_default().insert(at_seconds, sizes);
        }
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
        let last = self.sizes.get(topic).and_then(|all| all.range(..=at_seconds).next_back());
        Cow::Borrowed(last.map_or(&[], |(_, sizes)| sizes))
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
