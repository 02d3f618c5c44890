//! What becomes of lost brokers, as Kubernetes tells: who comes back, what keeps it from it, and what frees it.

use ::kubernetes::brokers::BrokerPod;
use ::kubernetes::fate::{Disks, Fate, Return};
use mapper::BrokerId;
use serde::Serialize;
use std::fmt;

/// A lost broker whose replicas a plan places again.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LostBroker {
    broker: BrokerId,
    #[serde(flatten)]
    fate: FateView,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "case", rename_all = "snake_case")]
enum FateView {
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
struct Joined {
    broker: BrokerId,
    pod: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rack: Option<String>,
}

impl LostBroker {
    /// `joined` are the pods of live brokers without replicas.
    pub(crate) fn of(broker: BrokerId, fate: Fate, joined: &[(BrokerId, &BrokerPod)]) -> Self {
        let fate = match fate {
            Fate::Returns(returning) => FateView::returns(&returning),
            Fate::Gone => {
                let joined = joined.iter().map(|(id, pod)| Joined::of(*id, pod));
                FateView::Gone { joined: joined.collect() }
            }
        };
        Self { broker, fate }
    }

    /// Its broker's id, if it comes back.
    pub(crate) fn returns(&self) -> Option<BrokerId> {
        match self.fate {
            FateView::Returns { .. } => Some(self.broker),
            FateView::Gone { .. } => None,
        }
    }
}

impl FateView {
    fn returns(returning: &Return) -> Self {
        Self::Returns {
            pod: returning.pod.to_string(),
            disks: match returning.disks {
                Disks::Data => "data",
                Disks::Empty => "empty",
                Disks::Unknown => "unknown",
            },
            comes_back: returning.disks.to_string(),
            pinned_by: returning.pins.iter().map(ToString::to_string).collect(),
            commands: returning.commands.clone(),
        }
    }
}

impl Joined {
    fn of(broker: BrokerId, pod: &BrokerPod) -> Self {
        let (node, rack) = (pod.node.clone(), pod.rack.clone());
        Self { broker, pod: pod.name.to_string(), node, rack }
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
