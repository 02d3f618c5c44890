//! Whether a pod may be freed: its nodes are lost for good, and nothing has changed since the operator agreed.
//!
//! In: the state that the operator agreed to, the current state, and the API server's clock. Out: a reason against the
//! deletion, if there is one. No IO. A deletion is final, so any doubt is a reason against it.

use super::{Fate, Pin, Return, Step};
use crate::finding::NodeLoss;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// Why nothing may be deleted: what holds the pod is not lost, or not for long enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotLost {
    /// The heartbeats of its node stopped too recently.
    Moment {
        /// The node.
        node: String,
        /// How long the node has been silent.
        silent: Duration,
        /// How long it must be silent.
        needed: Duration,
    },
    /// It is unknown since when its node is silent.
    Unknown {
        /// The node.
        node: String,
    },
    /// Its node reports that it is not ready. The machine runs, and its containers may run, too.
    Reports {
        /// The node.
        node: String,
        /// The reported reason.
        reason: String,
    },
    /// The pod counts as ready.
    Ready,
}

impl Return {
    /// Why its steps must not be carried out yet.
    ///
    /// A node whose object was deleted counts as lost at once, because an operator or the cloud deleted it. A silent
    /// node counts as lost after `needed`, measured by the API server's clock, `now`.
    pub fn not_lost(&self, now: Timestamp, needed: Duration) -> Option<NotLost> {
        if self.steps.is_empty() {
            return None;
        }
        if self.ready {
            return Some(NotLost::Ready);
        }
        self.nodes.iter().find_map(|(node, lost)| {
            let node = node.clone();
            match &lost.loss {
                NodeLoss::Gone => None,
                NodeLoss::NotReady { reason } => {
                    Some(NotLost::Reports { node, reason: reason.clone() })
                }
                NodeLoss::Silent { since } => match silence(since.as_deref(), now) {
                    None => Some(NotLost::Unknown { node }),
                    Some(silent) if silent < needed => {
                        Some(NotLost::Moment { node, silent, needed })
                    }
                    Some(_) => None,
                },
            }
        })
    }

    /// A change that forbids the steps from number `next` on. We carried out the earlier steps ourselves.
    pub fn changed(&self, now: &Fate, next: usize) -> Option<String> {
        let Fate::Returns(now) = now else {
            return Some(format!("pod {} does not exist any more", self.pod));
        };
        if (&self.pod, &self.uid) != (&now.pod, &now.uid) {
            return Some(format!("pod {} is another one now", now.pod));
        }
        if now.ready {
            return Some(format!("pod {} is ready", now.pod));
        }
        let is_bound_to_lost = now.pins.iter().any(|pin| matches!(pin, Pin::Node { .. }));
        if let Some(node) = now.node.as_ref().filter(|_| !is_bound_to_lost) {
            return Some(format!("node {node}, where the pod is, is alive"));
        }
        self.other_node(now).or_else(|| {
            let left = self.steps.get(next..).unwrap_or_default();
            left.iter().find_map(|step| void(step, now)).or_else(|| self.more(now, next))
        })
    }

    /// A node that did not exist, or was a different one, when the operator agreed.
    fn other_node(&self, now: &Self) -> Option<String> {
        now.nodes.iter().find_map(|(name, node)| match self.nodes.get(name) {
            None => Some(format!("node {name} has joined")),
            Some(before) if before.uid != node.uid => {
                Some(format!("node {name} is another one now"))
            }
            Some(_) => None,
        })
    }

    /// Before the first step: an object to delete that the operator has not seen.
    fn more(&self, now: &Self, next: usize) -> Option<String> {
        let known = |step: &&Step| self.steps.iter().any(|own| own.is_about(step));
        let more = now.steps.iter().find(|step| next == 0 && !known(step));
        more.map(|step| format!("{step} would have to be deleted, too"))
    }
}

/// Why a step is no longer needed.
fn void(step: &Step, now: &Return) -> Option<String> {
    match step {
        // It does not matter if another tool deleted it. `other_node` finds a successor with the same name.
        Step::Node { .. } => None,
        // The pod has the uid that was seen.
        Step::Pod { .. } => None,
        Step::Claim { claim, uid } => {
            let found = now.steps.iter().find_map(|one| match one {
                Step::Claim { claim: other, uid } if other == claim => Some(uid),
                _ => None,
            });
            match found {
                Some(found) if found == uid => None,
                Some(_) => Some(format!("claim {claim} is another one now")),
                None => Some(format!("claim {claim} is not bound to a lost volume any more")),
            }
        }
    }
}

impl Step {
    /// Whether both are about the same object, by name.
    fn is_about(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Node { node: one, .. }, Self::Node { node: other, .. }) => one == other,
            (Self::Claim { claim: one, .. }, Self::Claim { claim: other, .. }) => one == other,
            (Self::Pod { pod: one, .. }, Self::Pod { pod: other, .. }) => one == other,
            _ => false,
        }
    }
}

/// The length of the silence; `None` if unknown, or if its start is later than `now`.
fn silence(since: Option<&str>, now: Timestamp) -> Option<Duration> {
    let since: Timestamp = since?.parse().ok()?;
    Duration::try_from(now.duration_since(since)).ok()
}

impl fmt::Display for NotLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment { node, silent, needed } => write!(
                f,
                "node {node} has been silent for {} s, and counts as lost after {} s",
                silent.as_secs(),
                needed.as_secs()
            ),
            Self::Unknown { node } => {
                write!(f, "nothing tells since when node {node} is silent")
            }
            Self::Reports { node, reason } => {
                write!(f, "node {node} reports that it is not ready ({reason}): the machine runs")
            }
            Self::Ready => f.write_str("the pod is ready"),
        }
    }
}
