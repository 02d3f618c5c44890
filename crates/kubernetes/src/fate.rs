//! What becomes of a lost broker: does a pod bring it back under its id, or is it gone for good?
//!
//! In: the id, the [`Brokers`] and the [`Inventory`] with the volumes of the broker's pod. Out: a [`Fate`]. While a pod
//! claims the id, moving its data away is the wrong answer; freeing the pod is the right one, and the fate says how.

use crate::brokers::{BrokerPod, Brokers, loss};
use crate::facts::{Name, PodFacts, VolumeFacts};
use crate::finding::NodeLoss;
use crate::inventory::Inventory;
use mapper::BrokerId;
use std::fmt;

/// What becomes of a lost broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its pod exists: it comes back under its id.
    Returns(Return),
    /// No pod claims its id.
    Gone,
}

/// How a broker comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// Its pod.
    pub pod: Name,
    /// What its disks will hold.
    pub disks: Disks,
    /// What keeps the pod from running; empty: it starts, or fails to.
    pub pins: Vec<Pin>,
    /// What frees it, as a shell reads it, in this order.
    pub commands: Vec<String>,
}

/// What the disks of a broker hold when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disks {
    /// Its data.
    Data,
    /// Nothing: they went with their node.
    Empty,
    /// Nobody could look at its claims and volumes.
    Unknown,
}

/// Something that keeps a pod from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// It is bound to a node that is lost.
    Node {
        /// The node.
        node: String,
        /// What is known of it.
        loss: NodeLoss,
    },
    /// Its claim is bound to a volume that no living node can use.
    Volume {
        /// The claim.
        claim: String,
        /// The volume.
        volume: String,
        /// What its node has to be like: `kubernetes.io/hostname in [node-3]`.
        needs: String,
    },
    /// The scheduler finds no node.
    Scheduler {
        /// In its words.
        reason: String,
    },
}

/// Whether claims and volumes could be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumesSeen {
    /// They are in the inventory, as far as they exist.
    Yes,
    /// We may not read them.
    No,
}

/// What becomes of the broker.
pub fn fate(id: BrokerId, brokers: &Brokers, inventory: &Inventory, seen: VolumesSeen) -> Fate {
    let of = |broker: &BrokerPod| inventory.pods.iter().find(|pod| pod.name == broker.name);
    match brokers.pods_of(id).find_map(of) {
        Some(pod) => Fate::Returns(returns(pod, inventory, seen)),
        None => Fate::Gone,
    }
}

fn returns(pod: &PodFacts, inventory: &Inventory, seen: VolumesSeen) -> Return {
    let node = pod.node.as_ref().and_then(|name| {
        let loss = loss(inventory.nodes.get(name))?;
        Some(Pin::Node { node: name.clone(), loss })
    });
    let volumes: Vec<Pin> = pinned_volumes(pod, inventory).collect();
    let scheduler = pod.reason.as_ref().filter(|_| pod.node.is_none() && volumes.is_empty());
    let scheduler = scheduler.map(|reason| Pin::Scheduler { reason: reason.clone() });
    let disks = disks(pod, inventory, seen, node.is_some(), volumes.is_empty());
    let pins: Vec<Pin> = node.into_iter().chain(volumes).chain(scheduler).collect();
    Return { pod: pod.name.clone(), disks, commands: commands(pod, &pins), pins }
}

fn disks(
    pod: &PodFacts,
    inventory: &Inventory,
    seen: VolumesSeen,
    node_is_lost: bool,
    volumes_are_free: bool,
) -> Disks {
    match seen {
        VolumesSeen::No if !pod.claims.is_empty() => Disks::Unknown,
        // What is in no claim lies on the node.
        _ if pod.claims.is_empty() && (node_is_lost || pod.node.is_none()) => Disks::Empty,
        _ if inventory.volumes_of(pod).count() < pod.claims.len() => Disks::Empty,
        _ if volumes_are_free => Disks::Data,
        _ => Disks::Empty,
    }
}

/// The volumes that only lost nodes could use.
fn pinned_volumes(pod: &PodFacts, inventory: &Inventory) -> impl Iterator<Item = Pin> {
    let usable = |volume: &VolumeFacts| {
        let mut alive = inventory.nodes.values().filter(|node| loss(Some(node)).is_none());
        volume.node_affinity.is_empty() || alive.any(|node| volume.is_usable_on(node))
    };
    let pinned = inventory.volumes_of(pod).filter(move |(_, volume)| !usable(volume));
    pinned.map(|(claim, volume)| Pin::Volume {
        claim: claim.name.name.clone(),
        volume: volume.name.clone(),
        needs: needs(volume),
    })
}

fn needs(volume: &VolumeFacts) -> String {
    let each = volume.node_affinity.iter();
    let each = each.map(|(key, values)| format!("{key} in [{}]", values.join(", ")));
    each.collect::<Vec<_>>().join(" and ")
}

fn commands(pod: &PodFacts, pins: &[Pin]) -> Vec<String> {
    let Name { namespace, name } = &pod.name;
    let mut commands = Vec::new();
    let mut delete_pod = false;
    for pin in pins {
        match pin {
            Pin::Node { loss: NodeLoss::Gone, .. } => commands.push(format!(
                "kubectl delete pod {name} --namespace {namespace} --force --grace-period=0"
            )),
            Pin::Node { node, .. } => commands.push(format!("kubectl delete node {node}")),
            Pin::Volume { claim, .. } => {
                let command =
                    format!("kubectl delete pvc {claim} --namespace {namespace} --wait=false");
                commands.push(command);
                delete_pod = true;
            }
            Pin::Scheduler { .. } => {}
        }
    }
    // The claim goes once no pod uses it; the StatefulSet then makes both anew.
    if delete_pod {
        commands.push(format!("kubectl delete pod {name} --namespace {namespace}"));
    }
    if pins.is_empty() {
        commands.push(format!("kubectl logs {name} --namespace {namespace}"));
    }
    commands
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { node, loss } => {
                write!(f, "the pod is bound to node {node}, which {loss}")
            }
            Self::Volume { claim, volume, needs } => write!(
                f,
                "claim {claim} is bound to volume {volume}, which needs a node with {needs}; none is alive"
            ),
            Self::Scheduler { reason } => {
                write!(f, "the scheduler finds no node: {}", reason.trim_end_matches('.'))
            }
        }
    }
}

impl fmt::Display for Disks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "with its data",
            Self::Empty => "with an empty disk",
            Self::Unknown => "with whatever its volumes hold",
        })
    }
}

#[cfg(test)]
mod tests;
