//! Whether a broker, a controller or a ZooKeeper server is ready for its clients.
//!
//! In: what the server and its cluster report ([`ReadinessReports`]), what the controller last confirmed
//! ([`ConfirmedReadiness`]), and the orders of operators ([`Force`]). Out: a [`ReadinessVerdict`]: yes or no, in one
//! sentence.

use mapper::snapshot::Topic;
use mapper::{BrokerId, TopicPartition, few, joined};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The most partitions that a sentence names.
const FEW: usize = 3;

/// What the server and its cluster report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadinessReports {
    /// No server answers at its address, or the answer is not the expected one.
    Silent {
        /// What happened instead.
        why: String,
    },
    /// A broker, confirmed by the controller.
    Broker(Attendance),
    /// A broker; the controller does not answer, so the broker's report may be outdated.
    Unconfirmed {
        /// The problem with the controller.
        why: String,
    },
    /// A KRaft controller, as the active controller reports it.
    Controller(Vote),
    /// A ZooKeeper server: `leader`, `follower`, `observer`, `standalone`, or any other mode that it reports.
    ZooKeeper {
        /// Its mode, as the server names it.
        mode: String,
    },
}

/// What a broker and its cluster report of the replicas on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attendance {
    /// The broker at this address reports another id.
    pub is_another: bool,
    /// It is registered, and not fenced.
    pub registered: bool,
    /// How many of its replicas are in sync.
    pub in_sync: usize,
    /// The replicas that a running reassignment still adds: they do not count yet.
    pub adding: BTreeSet<TopicPartition>,
    /// The replicas that are not in sync.
    pub lagging: BTreeSet<TopicPartition>,
    /// Log dirs that have failed.
    pub failed_log_dirs: BTreeSet<String>,
}

/// What the active controller reports of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// It is a voter.
    pub is_voter: bool,
    /// It is the active controller.
    pub leads: bool,
    /// Its delay behind the active one, in milliseconds; `None`: not known.
    pub behind_ms: Option<u64>,
}

/// A readiness that the controller confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedReadiness {
    /// It was ready.
    pub ready: bool,
    /// The reason.
    pub reason: String,
    /// When, in seconds since 1970.
    pub at_seconds: u64,
}

/// An operator's order that a server counts as ready, whatever it reports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Force {
    /// The servers that it covers: `pod kafka/kafka-0`, `broker 1001`, `map events`, `cluster`.
    pub scope: String,
    /// Where it is written.
    pub place: String,
    /// Until when, in seconds since 1970.
    pub until_seconds: u64,
    /// The same, as the operator wrote it.
    pub until: String,
    /// The reason.
    pub reason: String,
}

/// The conditions for readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadinessTerms {
    /// The most replicas that may be out of sync.
    pub max_lagging: usize,
    /// How long the last known state counts while the controller does not answer, in seconds.
    pub max_age_seconds: u64,
    /// The longest delay of a controller behind the active one, in milliseconds.
    pub max_behind_ms: u64,
}

/// Yes or no, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadinessVerdict {
    /// It is ready.
    pub ready: bool,
    /// The reason.
    pub reason: String,
    /// The order, if it is ready only because of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced: Option<Force>,
    /// Orders that have expired.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expired: Vec<Force>,
    /// What the controller has just confirmed, to be remembered.
    #[serde(skip)]
    pub confirmed: Option<ConfirmedReadiness>,
}

impl Attendance {
    /// Finds the state of a broker's replicas in metadata. `hosted` are those in its log dirs. A hosted replica that
    /// metadata does not list is a left-over, and does not count. `adding` are the replicas that reassignments add.
    pub fn of(
        broker: BrokerId,
        hosted: &BTreeSet<TopicPartition>,
        topics: &BTreeMap<String, Topic>,
        adding: &BTreeSet<TopicPartition>,
    ) -> Self {
        let mut found = Self::default();
        for of in hosted {
            let Some(topic) = topics.get(&of.topic) else { continue };
            let Some(partition) = topic.partitions.iter().find(|p| p.id == of.partition) else {
                continue;
            };
            if !partition.replicas.contains(&broker) {
                continue;
            }
            let isr = partition.facts.as_ref().and_then(|facts| facts.isr.as_deref());
            if isr.is_some_and(|isr| isr.contains(&broker)) {
                found.in_sync += 1;
            } else if adding.contains(of) {
                found.adding.insert(of.clone());
            } else {
                found.lagging.insert(of.clone());
            }
        }
        found
    }

    fn judge(&self, terms: &ReadinessTerms) -> (bool, String) {
        if self.is_another {
            return (false, "another broker answers at its address".to_owned());
        }
        if !self.registered {
            let why =
                "it is not registered, or fenced: it starts, or the controller does not hear it";
            return (false, why.to_owned());
        }
        let hosted = self.in_sync + self.lagging.len();
        let lagging = format!("{} of {hosted}: {}", self.lagging.len(), few(&self.lagging, FEW));
        let mut reason = match self.lagging.len() {
            0 if hosted == 0 => "it is registered, and hosts no partition".to_owned(),
            0 => format!("it is in sync in all {hosted} partitions that it hosts"),
            some if some <= terms.max_lagging => {
                format!("it is not in sync in {lagging}, and {} may lag", terms.max_lagging)
            }
            _ => format!("it is not in sync in {lagging}"),
        };
        if !self.adding.is_empty() {
            reason += &format!("; {} still being added do not count", self.adding.len());
        }
        if !self.failed_log_dirs.is_empty() {
            reason += &format!("; failed log dirs: {}", joined(&self.failed_log_dirs));
        }
        (self.lagging.len() <= terms.max_lagging, reason)
    }
}

impl Vote {
    fn judge(self, terms: &ReadinessTerms) -> (bool, String) {
        match self {
            Self { is_voter: false, .. } => (false, "it has no vote in the quorum".to_owned()),
            Self { leads: true, .. } => (true, "it is the active controller".to_owned()),
            Self { behind_ms: None, .. } => {
                (false, "the active controller has not heard of it".to_owned())
            }
            Self { behind_ms: Some(behind), .. } if behind > terms.max_behind_ms => {
                (false, format!("it is {behind} ms behind the active controller"))
            }
            Self { .. } => (true, "it is in the quorum, and has caught up".to_owned()),
        }
    }
}

/// Whether the server is ready at `now_seconds` (since 1970).
pub fn readiness(
    told: &ReadinessReports,
    known: Option<&ConfirmedReadiness>,
    forces: &[Force],
    now_seconds: u64,
    terms: &ReadinessTerms,
) -> ReadinessVerdict {
    let (ready, reason) = match told {
        ReadinessReports::Silent { why } => (false, why.clone()),
        ReadinessReports::Broker(attendance) => attendance.judge(terms),
        ReadinessReports::Unconfirmed { why } => unconfirmed(why, known, now_seconds, terms),
        ReadinessReports::Controller(vote) => vote.judge(terms),
        ReadinessReports::ZooKeeper { mode } => zookeeper(mode),
    };
    let confirms = matches!(
        told,
        ReadinessReports::Broker(_)
            | ReadinessReports::Controller(_)
            | ReadinessReports::ZooKeeper { .. }
    );
    let confirmed = confirms.then(|| ConfirmedReadiness {
        ready,
        reason: reason.clone(),
        at_seconds: now_seconds,
    });
    let (mut valid, expired): (Vec<&Force>, Vec<&Force>) =
        forces.iter().partition(|force| force.until_seconds > now_seconds);
    // The order that is valid for longest; its text decides a tie.
    valid.sort_by_key(|force| (force.until_seconds, (*force).clone()));
    let forced = valid.pop().filter(|_| !ready).cloned();
    ReadinessVerdict {
        ready: ready || forced.is_some(),
        reason,
        forced,
        expired: expired.into_iter().cloned().collect(),
        confirmed,
    }
}

fn unconfirmed(
    why: &str,
    known: Option<&ConfirmedReadiness>,
    now_seconds: u64,
    terms: &ReadinessTerms,
) -> (bool, String) {
    let Some(known) = known else {
        let reason =
            format!("the controller does not answer ({why}), and nothing is known from before");
        return (false, reason);
    };
    let age = now_seconds.saturating_sub(known.at_seconds);
    let limit = terms.max_age_seconds;
    if age > limit {
        let reason = format!(
            "the controller does not answer ({why}), and what it last said is {age} s old: more than {limit} s"
        );
        return (false, reason);
    }
    let reason = format!("the controller does not answer ({why}); {age} s ago: {}", known.reason);
    (known.ready, reason)
}

fn zookeeper(mode: &str) -> (bool, String) {
    let serves = matches!(mode, "leader" | "follower" | "observer" | "standalone");
    let reason = if serves { format!("it is {mode}") } else { format!("it serves nobody: {mode}") };
    (serves, reason)
}

impl fmt::Display for Force {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} until {} by {}: {}", self.scope, self.until, self.place, self.reason)
    }
}

impl fmt::Display for ReadinessVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.forced {
            Some(force) => write!(f, "ready by force, {force}; in truth: {}", self.reason),
            None if self.ready => write!(f, "ready: {}", self.reason),
            None => write!(f, "not ready: {}", self.reason),
        }?;
        for force in &self.expired {
            write!(f, "; no longer forced, {force}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
