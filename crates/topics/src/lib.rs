//! Topic definitions: the topics that should exist, as operators write them, and the changes that make them so.
//!
//! In: documents in YAML, maps, a snapshot, and what earlier runs have done. Out: [`Definitions`], or every mistake
//! with its place; then a [`TopicChanges`], which the caller only carries out.

mod config;
mod decide;
mod error;
mod even;
mod export;
mod mistake;
mod owned;
mod partitions;
mod place;
mod prune;
mod read;
mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tree;
mod within;

pub use config::same_value;
pub use decide::{
    Create, Grow, HeldTopic, Moving, Observed, Options, PruneLimits, TopicChanges,
    TopicConfigChange, WhyHeld, decide,
};
pub use error::{DefinitionError, DefinitionErrors};
pub use export::{Exported, export};
pub use mistake::DefinitionMistake;
pub use owned::{Absence, Intent, TopicState};
pub use partitions::{Deployment, DeploymentReplicas, PartitionCount, ReplicasOf};
pub use prune::{EndOffsets, Prune, PruneRefusal};
pub use state::TopicsRunRecord;
pub use within::{Mapped, within};

use mapper::maps::{MapName, MapPlace};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The topics of all documents, each name once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Definitions {
    topics: BTreeMap<String, Definition>,
    documents: usize,
}

impl Definitions {
    /// Reads documents: what errors call each (a path, a ConfigMap's name and key), and its text.
    ///
    /// A text may hold several YAML documents. Each document's defaults are its own.
    ///
    /// # Errors
    /// Every mistake in every document.
    ///
    /// ```
    /// use mappr_topics::{Definitions, PartitionCount};
    ///
    /// let text = "{version: 1, topics: [{name: orders, partitions: 3, replication: 2}]}";
    /// let definitions = Definitions::read([("topics.yaml", text)])?;
    /// let orders = definitions.get("orders").map(|topic| &topic.partitions);
    /// assert_eq!(orders, Some(&PartitionCount::Number(3)));
    /// # Ok::<(), mappr_topics::DefinitionErrors>(())
    /// ```
    pub fn read<'t>(
        documents: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Self, DefinitionErrors> {
        let (mut all, mut errors) = (Self::default(), Vec::new());
        for (document, text) in documents {
            let read = read::read(document, text);
            errors.extend(read.errors);
            all.documents += read.documents;
            for topic in read.topics {
                if let Some(twice) = all.add(topic) {
                    errors.push(twice);
                }
            }
        }
        if errors.is_empty() { Ok(all) } else { Err(DefinitionErrors(errors)) }
    }

    fn add(&mut self, topic: Definition) -> Option<DefinitionError> {
        if let Some(first) = self.topics.get(&topic.name) {
            let mistake = DefinitionMistake::TopicTwice { first: first.place.clone() };
            return Some(DefinitionError::of(&topic, &topic.place, "name", mistake));
        }
        self.topics.insert(topic.name.clone(), topic);
        None
    }

    /// The topics, in order of name.
    pub fn topics(&self) -> impl Iterator<Item = &Definition> {
        self.topics.values()
    }

    /// One topic by its name.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.topics.get(name)
    }

    /// Their names.
    pub fn names(&self) -> BTreeSet<String> {
        self.topics.keys().cloned().collect()
    }

    /// Every config key that one of them defines.
    pub fn config_keys(&self) -> BTreeSet<&str> {
        self.topics.values().flat_map(|topic| topic.config.keys().map(String::as_str)).collect()
    }

    /// Every Deployment whose replicas decide a number of partitions.
    pub fn deployments(&self) -> BTreeSet<&Deployment> {
        self.topics.values().filter_map(|topic| topic.partitions.deployment()).collect()
    }

    /// The number of documents.
    pub fn documents(&self) -> usize {
        self.documents
    }
}

/// The definition of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The map that it names; none: the maps' regexes decide.
    pub map: Option<Written<MapName>>,
    /// How many partitions.
    pub partitions: PartitionCount,
    /// The replication factor, at least 1; none: its map decides.
    pub replication: Option<Written<u32>>,
    /// Its configs by key, defaults included.
    pub config: BTreeMap<String, Written<String>>,
    /// The person or team to ask about it.
    pub owner: Option<String>,
    /// Free notes of its owner.
    pub labels: BTreeMap<String, String>,
    /// Settings that are intended here, and errors in other topics.
    pub allow: BTreeSet<Allowance>,
    /// Where it was written.
    pub place: MapPlace,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: MapPlace,
    /// Written in the topic itself, not in its document's defaults.
    pub own: bool,
}

/// A setting that a topic marks as intended, although it is an error in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allowance {
    /// `min.insync.replicas` may equal the replication factor: with one replica less, writes with `acks=all` fail.
    MinIsr,
}

impl Allowance {
    /// As it is written in a definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MinIsr => "min-isr",
        }
    }
}
