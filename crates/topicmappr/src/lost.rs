//! What becomes of lost brokers, as Kubernetes tells: who comes back, what keeps it from it, and what frees it.

use mapper::BrokerId;
use serde::Serialize;
use std::fmt;

/// A lost broker whose replicas a plan places again.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LostBroker {
    pub(crate) broker: BrokerId,
    #[serde(flatten)]
    pub(crate) fate: FateView,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "case", rename_all = "snake_case")]
pub(crate) enum FateView {
    /// Its pod exists: it comes back under its id.
    Returns {
        pod: String,
        disks: &'static str,
        #[serde(skip)]
        comes_back: String,
        pinned_by: Vec<String>,
        commands: Vec<String>,
    },
    /// No pod claims its id.
    Gone {
        /// Live brokers that hold nothing yet.
        joined: Vec<Joined>,
    },
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Joined {
    pub(crate) broker: BrokerId,
    pub(crate) pod: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rack: Option<String>,
}

impl LostBroker {
    /// Its broker's id, if it comes back.
    pub(crate) fn returns(&self) -> Option<BrokerId> {
        match self.fate {
            FateView::Returns { .. } => Some(self.broker),
            FateView::Gone { .. } => None,
        }
    }
}

impl fmt::Display for LostBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.broker;
        match &self.fate {
            FateView::Returns { pod, comes_back, pinned_by, commands, .. } => {
                writeln!(
                    f,
                    "  {id} comes back under its id, {comes_back}: pod {pod} is that broker"
                )?;
                if pinned_by.is_empty() {
                    writeln!(
                        f,
                        "    nothing blocks the pod: it starts, or reports why it does not"
                    )?;
                }
                for pin in pinned_by {
                    writeln!(f, "    held: {pin}")?;
                }
                for command in commands {
                    writeln!(f, "    run   {command}")?;
                }
                writeln!(f, "    then Kafka fills it again by itself, and there is nothing to plan")
            }
            FateView::Gone { joined } => {
                writeln!(f, "  {id} does not come back: no pod claims its id")?;
                for Joined { broker, pod, node, rack } in joined {
                    write!(f, "    joined: {broker}, pod {pod}")?;
                    if let Some(node) = node {
                        write!(f, " on node {node}")?;
                    }
                    match rack {
                        Some(rack) => writeln!(f, ", rack {rack}")?,
                        None => writeln!(f)?,
                    }
                }
                match joined.is_empty() {
                    true => writeln!(
                        f,
                        "    no broker has joined: this plan spreads its replicas over the others"
                    ),
                    false => writeln!(f, "    this plan replaces it"),
                }
            }
        }
    }
}
