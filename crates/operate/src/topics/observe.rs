//! Reads the cluster for a run: everything in a snapshot, and the facts that only this command needs.

use crate::error::Error;
use crate::events::Note;
use crate::live;
use kafka::Notice;
use kafka::admin::ConfigKeys;
use mapper::snapshot::Topic;
use mapper::{Snapshot, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use topics::{Definitions, EndOffsets, TopicsRunRecord};

/// The facts about the cluster.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) snapshot: Snapshot,
    pub(super) ids: BTreeMap<String, TopicId>,
    pub(super) configs_untold: BTreeSet<String>,
    pub(super) end_offsets: BTreeMap<String, EndOffsets>,
    /// What is missing from the snapshot, and why.
    pub(super) notes: Vec<Note>,
}

impl Seen {
    /// A captured cluster. It has no topic ids, so facts of earlier runs cannot be confirmed.
    pub(super) fn of(snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            ids: BTreeMap::new(),
            configs_untold: BTreeSet::new(),
            end_offsets: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Reads a live cluster. Of the topic configs, reads only those that a definition or an earlier run names.
    pub(super) async fn ask(
        client: &kafka::Client,
        definitions: &Definitions,
        state: &TopicsRunRecord,
    ) -> Result<Self, Error> {
        let keys = definitions.config_keys().into_iter().chain(state.config_keys());
        let keys = ConfigKeys::Named(keys.map(str::to_owned).collect());
        let captured = live::captured_with(client, keys).await?;
        let mut seen = Self::of(captured.snapshot);
        for notice in &captured.notices {
            seen.notes.push(Note { text: notice.to_string(), hint: notice.hint() });
            if let Notice::ConfigsForbidden { topics, .. } | Notice::ConfigsMissing { topics, .. } =
                notice
            {
                seen.configs_untold.extend(topics.iter().cloned());
            }
        }
        let mut names = definitions.names();
        names.extend(state.topics.keys().cloned());
        names.retain(|name| seen.snapshot.topic(name).is_some());
        if !names.is_empty() {
            seen.ids = client.topic_ids(&names).await?;
        }
        let left: Vec<&Topic> = state
            .topics
            .iter()
            .filter(|(name, topic)| topic.owned && definitions.get(name).is_none())
            .filter_map(|(name, _)| seen.snapshot.topic(name))
            .collect();
        if !left.is_empty() {
            seen.end_offsets = client.end_offsets(&left).await?;
        }
        Ok(seen)
    }
}
