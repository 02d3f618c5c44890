//! The record of earlier runs, and which part of it is still valid.
//!
//! In: the record, and the cluster. Out: what belongs to this tool: never a topic that another tool created, and never
//! a key that another tool set.

use crate::owned::{Intent, TopicState};
use crate::{Definitions, same_value};
use mapper::snapshot::{Snapshot, Topic};
use mapper::{Replicas, TopicId};
use std::collections::{BTreeMap, BTreeSet};

/// The record that one run leaves for the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicsRunRecord {
    /// The id of the cluster.
    pub cluster_id: Option<String>,
    /// The most documents that a run has read.
    pub documents: usize,
    /// The record of each topic.
    pub topics: BTreeMap<String, TopicState>,
}

impl TopicsRunRecord {
    /// The part that is still valid. Intents are kept as far as the cluster shows that they were carried out. The
    /// record of a topic that no longer exists, or is now another one, is removed. A created topic that no longer
    /// exists and is still defined stays: another tool deleted it.
    #[must_use]
    pub fn held_against(
        &self,
        snapshot: &Snapshot,
        ids: &BTreeMap<String, TopicId>,
        definitions: &Definitions,
    ) -> Self {
        let mut state = Self { topics: BTreeMap::new(), ..self.clone() };
        for (name, before) in &self.topics {
            let kept = match snapshot.topic(name) {
                Some(topic) => still_holds(before, topic, ids.get(name)),
                None => {
                    let missed = before.owned && definitions.get(name).is_some();
                    missed.then(|| TopicState { intent: None, ..before.clone() })
                }
            };
            if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
                state.topics.insert(name.clone(), kept);
            }
        }
        state
    }

    /// Whether an earlier run created this very topic.
    pub fn owns(&self, name: &str, id: Option<&TopicId>) -> bool {
        let told =
            |topic: &TopicState| topic.owned && topic.id.is_some() && topic.id.as_ref() == id;
        self.topics.get(name).is_some_and(told)
    }

    /// The keys that earlier runs have set on a topic.
    pub fn keys(&self, name: &str) -> BTreeSet<&str> {
        let keys = self.topics.get(name).into_iter().flat_map(|topic| &topic.keys);
        keys.map(String::as_str).collect()
    }

    /// Every key that an earlier run has set on some topic, or was about to set.
    pub fn config_keys(&self) -> BTreeSet<&str> {
        let set = self.topics.values().flat_map(|topic| &topic.keys);
        let intents = self.topics.values().filter_map(|topic| topic.intent.as_ref());
        let intended = intents.flat_map(|intent| intent.set.keys());
        set.chain(intended).map(String::as_str).collect()
    }

    /// Records that a topic is about to be created.
    pub fn intend_to_create(
        &mut self,
        name: &str,
        replicas: &[Replicas],
        config: &BTreeMap<String, String>,
    ) {
        let intent = Intent { create: Some(replicas.to_vec()), set: config.clone() };
        let topic = TopicState { intent: Some(intent), ..TopicState::default() };
        self.topics.insert(name.to_owned(), topic);
    }

    /// Records that configs are about to be set on an existing topic.
    pub fn intend_to_set(
        &mut self,
        name: &str,
        id: Option<&TopicId>,
        set: &BTreeMap<String, String>,
    ) {
        let topic = self.topics.entry(name.to_owned()).or_default();
        topic.id = id.cloned();
        topic.intent = Some(Intent { create: None, set: set.clone() });
    }

    /// Records that the intent was carried out.
    pub fn done(&mut self, name: &str, id: Option<&TopicId>) {
        let Some(topic) = self.topics.get_mut(name) else { return };
        if let Some(Intent { create, set }) = topic.intent.take() {
            topic.owned |= create.is_some();
            topic.keys.extend(set.into_keys());
        }
        topic.id = id.cloned().or_else(|| topic.id.take());
    }

    /// Records that the intent was not carried out.
    pub fn not_done(&mut self, name: &str) {
        if let Some(topic) = self.topics.get_mut(name) {
            topic.intent = None;
            if topic.is_empty() {
                self.topics.remove(name);
            }
        }
    }

    /// Records that keys are no longer set.
    pub fn unset<'k>(&mut self, name: &str, keys: impl IntoIterator<Item = &'k str>) {
        let Some(topic) = self.topics.get_mut(name) else { return };
        for key in keys {
            topic.keys.remove(key);
        }
        if topic.is_empty() {
            self.topics.remove(name);
        }
    }

    /// Records that a topic no longer exists.
    pub fn forget(&mut self, name: &str) {
        self.topics.remove(name);
    }
}

fn still_holds(before: &TopicState, topic: &Topic, id: Option<&TopicId>) -> Option<TopicState> {
    let Some(intent) = &before.intent else {
        return (before.id.as_ref() == id).then(|| before.clone());
    };
    let shows = |(key, value): &(&String, &String)| {
        topic.config.get(*key).is_some_and(|set| same_value(set, value))
    };
    let set = intent.set.iter().filter(shows).map(|(key, _)| key.clone());
    match &intent.create {
        // That run alone chose these replicas: a topic with exactly these replicas and configs is its own.
        Some(replicas) => {
            let made = replicas.iter().eq(topic.partitions.iter().map(|p| &p.replicas))
                && intent.set.iter().all(|entry| shows(&entry));
            made.then(|| TopicState {
                id: id.cloned(),
                owned: true,
                keys: set.collect(),
                ..TopicState::default()
            })
        }
        None if before.id.as_ref() == id => {
            let keys = before.keys.iter().cloned().chain(set).collect();
            Some(TopicState { keys, intent: None, ..before.clone() })
        }
        None => None,
    }
}
