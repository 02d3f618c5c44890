//! What is wrong with a cluster now, and the next command for each problem.
//!
//! In: the facts about a cluster, live or in a snapshot. Out: [`DoctorFinding`]s, the worst first. A server that did not
//! answer is not a finding; it is reported as a gap.

pub(crate) mod ailing;
mod off_map;
mod outlook;
mod storage;

pub(crate) use off_map::OffMap;
pub(crate) use outlook::Outlook;

use health::ailments;
use mapper::{BrokerId, Snapshot, TopicPartition};
use serde::Serialize;
use std::collections::BTreeSet;

/// The topics and brokers of a command if there are no maps.
const ANYWHERE: &str = "--topics '.*' --brokers -2";
const TO_FILE: &str = "--out-file plan.json";

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Data cannot be read or written, or is about to be lost.
    Critical,
    /// One more failure leads to that, or something is left over.
    Warning,
    /// For information.
    Notice,
}

/// Something that the operator has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DoctorFinding {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    /// The finding in one sentence.
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) partitions: Vec<TopicPartition>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) brokers: Vec<BrokerId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) topics: Vec<String>,
    /// What it means, or what to do besides a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// The next command, without the flags that name the cluster and its maps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
    /// What the command needs to know about the cluster.
    #[serde(skip)]
    pub(crate) needs: Needs,
}

/// What a command needs in addition to its own flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The live cluster: a snapshot is not enough.
    Live,
    /// A snapshot is enough.
    Facts,
    /// A snapshot, and the maps.
    Maps,
}

impl DoctorFinding {
    pub(crate) fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
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

    pub(crate) fn partitions(self, partitions: impl IntoIterator<Item = TopicPartition>) -> Self {
        Self { partitions: partitions.into_iter().collect(), ..self }
    }

    pub(crate) fn brokers(self, brokers: impl IntoIterator<Item = BrokerId>) -> Self {
        Self { brokers: brokers.into_iter().collect(), ..self }
    }

    pub(crate) fn topics(self, topics: impl IntoIterator<Item = String>) -> Self {
        Self { topics: topics.into_iter().collect(), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn run(self, needs: Needs, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), needs, ..self }
    }

    /// The plan that replaces everything that is lost for good.
    pub(crate) fn rebuild(self, by_maps: bool) -> Self {
        self.plan("rebuild", by_maps)
    }

    /// A plan by this command. It uses any broker only if there are no maps.
    pub(crate) fn plan(self, command: &str, by_maps: bool) -> Self {
        match by_maps {
            true => self.run(Needs::Maps, format!("{command} {TO_FILE}")),
            false => self.run(Needs::Facts, format!("{command} {ANYWHERE} {TO_FILE}")),
        }
    }
}

/// The facts that are not in the snapshot.
#[derive(Default)]
pub(crate) struct OtherFacts {
    /// What the live cluster tells; none: no servers were asked.
    pub(crate) live: Option<Box<dyn LiveFacts>>,
    /// Problems with the maps; none: no map was given.
    pub(crate) maps: Option<OffMap>,
    /// When disks will be full; none: no recorded load was named.
    pub(crate) forecast: Option<Outlook>,
    pub(crate) unread: Vec<UnknownFact>,
}

/// Facts that only a live cluster has: controllers, throttles, the owners of moves.
pub(crate) trait LiveFacts {
    /// The findings from these facts.
    fn findings(&self, by_maps: bool) -> Vec<DoctorFinding>;
    /// Adds the owner of these moves to the finding.
    fn owner_of(&self, moves: &BTreeSet<TopicPartition>, finding: DoctorFinding) -> DoctorFinding;
    /// Whether the broker itself has reported failed log dirs.
    fn reports_log_dirs_of(&self, broker: BrokerId) -> bool;
    /// The leader and the voters of the controllers, if the cluster has a quorum.
    fn quorum(&self) -> Option<(Option<BrokerId>, Vec<BrokerId>)>;
}

/// A fact that is not known, so that it is not checked.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UnknownFact {
    /// The fact, in words.
    pub(crate) what: String,
    /// The error, in words.
    pub(crate) why: String,
}

impl OtherFacts {
    fn findings(&self) -> Vec<DoctorFinding> {
        let live = self.live.iter().flat_map(|live| live.findings(self.maps.is_some()));
        let by_maps = self.maps.is_some();
        let forecast = self.forecast.iter().flat_map(|outlook| outlook.findings(by_maps));
        live.chain(self.maps.iter().flat_map(OffMap::findings)).chain(forecast).collect()
    }
}

/// All findings, the worst first; equal ones in the order in which they were checked.
pub(crate) fn findings(snapshot: &Snapshot, around: &OtherFacts) -> Vec<DoctorFinding> {
    let mut found: Vec<DoctorFinding> = ailments(snapshot)
        .into_iter()
        .filter_map(|ailment| ailing::finding(ailment, around))
        .chain(around.findings())
        .chain(storage::findings(snapshot))
        .collect();
    found.sort_by_key(|finding| finding.severity);
    found
}
