//! What is wrong with a cluster now, and the next command for each of it.
//!
//! In: what was seen of a cluster, live or in a snapshot. Out: [`Finding`]s, the worst first. Whoever did not answer is
//! no finding but a gap, and is named as one.

mod ailing;
mod around;

pub(crate) use around::{Around, Moves, OffMap};

use health::ailments;
use mapper::{BrokerId, Snapshot, TopicPartition};
use serde::Serialize;

/// What is placed, and where, if no map says.
const ANYWHERE: &str = "--topics '.*' --brokers -2";
const TO_FILE: &str = "--out-file plan.json";

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Data cannot be read or written, or is about to be lost.
    Critical,
    /// One more mishap away from that, or left over.
    Warning,
    /// Good to know.
    Notice,
}

/// Something that an operator has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    /// In one sentence.
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) partitions: Vec<TopicPartition>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) brokers: Vec<BrokerId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) topics: Vec<String>,
    /// What it means, or what to do that is no command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// What to run next, without the flags that name the cluster and its maps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
    /// What the command needs to know of the cluster.
    #[serde(skip)]
    pub(crate) needs: Needs,
}

/// What a command needs beside its own flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The cluster as it is: a snapshot does not do.
    Live,
    /// A snapshot does.
    Facts,
    /// The same, and the maps.
    Maps,
}

impl Finding {
    fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            partitions: Vec::new(),
            brokers: Vec::new(),
            topics: Vec::new(),
            hint: None,
            command: None,
            needs: Needs::Facts,
        }
    }

    fn partitions(self, partitions: impl IntoIterator<Item = TopicPartition>) -> Self {
        Self { partitions: partitions.into_iter().collect(), ..self }
    }

    fn brokers(self, brokers: impl IntoIterator<Item = BrokerId>) -> Self {
        Self { brokers: brokers.into_iter().collect(), ..self }
    }

    fn topics(self, topics: impl IntoIterator<Item = String>) -> Self {
        Self { topics: topics.into_iter().collect(), ..self }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn run(self, needs: Needs, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), needs, ..self }
    }

    /// The plan that heals what is gone for good.
    fn rebuild(self, by_maps: bool) -> Self {
        self.plan("rebuild", by_maps)
    }

    /// A plan by this command: onto any broker only where no map says which.
    fn plan(self, command: &str, by_maps: bool) -> Self {
        match by_maps {
            true => self.run(Needs::Maps, format!("{command} {TO_FILE}")),
            false => self.run(Needs::Facts, format!("{command} {ANYWHERE} {TO_FILE}")),
        }
    }
}

/// Everything, the worst first; equal ones in the order in which they were looked for.
pub(crate) fn findings(snapshot: &Snapshot, around: &Around) -> Vec<Finding> {
    let mut found: Vec<Finding> = ailments(snapshot)
        .into_iter()
        .filter_map(|ailment| ailing::finding(ailment, around))
        .chain(around.findings())
        .collect();
    found.sort_by_key(|finding| finding.severity);
    found
}
