//! What happens to a lost broker: does a pod bring it back under its id, or is it gone for good?
//!
//! In: the id, the [`Brokers`], and the [`Inventory`] with the volumes of the broker's pod. Out: a [`Fate`]. While a
//! pod claims the id, do not move the broker's data away. Free the pod instead; the fate lists the steps.

use crate::brokers::{BrokerPod, Brokers, loss};
use crate::facts::{Name, NodeFacts, PodFacts, VolumeFacts};
use crate::finding::NodeLoss;
use crate::inventory::Inventory;
use mapper::BrokerId;
use std::collections::BTreeMap;
use std::fmt;

mod justified;

pub use justified::NotLost;

/// What happens to a lost broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its pod exists, so it comes back under its id.
    Returns(Return),
    /// No pod claims its id.
    Gone,
}

/// How a broker comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// Its pod.
    pub pod: Name,
    /// Distinguishes the pod from earlier ones with the same name.
    pub uid: String,
    /// Whether the pod counts as ready.
    pub ready: bool,
    /// The node that the pod is bound to.
    pub node: Option<String>,
    /// What its disks will contain.
    pub disks: Disks,
    /// What prevents the pod from running. Empty: it starts, or fails to start.
    pub pins: Vec<Pin>,
    /// The lost nodes behind the pins that still exist as objects.
    pub nodes: BTreeMap<String, LostNode>,
    /// The steps that free it, in this order.
    pub steps: Vec<Step>,
    /// The same as shell commands. Without steps, the command that shows why the pod does not run.
    pub commands: Vec<String>,
}

/// A lost node that still exists as an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostNode {
    /// Distinguishes it from earlier nodes with the same name.
    pub uid: String,
    /// Its `resourceVersion`, which changes with any change of the object.
    pub version: String,
    /// How it was lost.
    pub loss: NodeLoss,
}

/// One deletion: an object's name, and the uid that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A lost node.
    Node {
        /// Its name.
        node: String,
        /// Its uid.
        uid: String,
    },
    /// The claim of a volume that no live node can use. Kubernetes removes it when no pod uses it any more.
    Claim {
        /// Its namespace and name.
        claim: Name,
        /// Its uid.
        uid: String,
    },
    /// The pod. The StatefulSet then creates it and its claims again.
    Pod {
        /// Its namespace and name.
        pod: Name,
        /// Its uid.
        uid: String,
        /// Whether to delete it without waiting for a kubelet, because its node no longer exists.
        force: bool,
    },
}

/// What a broker's disks contain when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disks {
    /// Its data.
    Data,
    /// Nothing: they were lost with their node.
    Empty,
    /// Unknown, because its claims and volumes could not be read.
    Unknown,
}

/// A reason that prevents a pod from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// It is bound to a lost node.
    Node {
        /// The node.
        node: String,
        /// How the node was lost.
        loss: NodeLoss,
    },
    /// Its claim is bound to a volume that no live node can use.
    Volume {
        /// The claim.
        claim: String,
        /// The volume.
        volume: String,
        /// The volume's requirements on its node: `kubernetes.io/hostname in [node-3]`.
        needs: String,
    },
    /// The scheduler finds no node.
    Scheduler {
        /// The scheduler's message.
        reason: String,
    },
}

/// Whether claims and volumes could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumesSeen {
    /// They are in the inventory, if they exist.
    Yes,
    /// We may not read them.
    No,
}

/// What happens to the broker.
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
    let steps = steps(pod, &pins, inventory);
    Return {
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        ready: pod.ready && !pod.terminating,
        node: pod.node.clone(),
        disks,
        nodes: lost_nodes(&pins, inventory),
        commands: commands(pod, &steps, pins.is_empty()),
        steps,
        pins,
    }
}

/// The lost nodes behind the pins: the pod's own, and those that a pinned volume needs.
fn lost_nodes(pins: &[Pin], inventory: &Inventory) -> BTreeMap<String, LostNode> {
    let needed = |node: &&NodeFacts| {
        pins.iter().any(|pin| match pin {
            Pin::Node { node: own, .. } => *own == node.name,
            Pin::Volume { volume, .. } => {
                inventory.volumes.get(volume).is_some_and(|volume| volume.is_usable_on(node))
            }
            Pin::Scheduler { .. } => false,
        })
    };
    let lost = inventory.nodes.values().filter(needed).filter_map(|node| {
        let (uid, version) = (node.uid.clone(), node.version.clone());
        Some((node.name.clone(), LostNode { uid, version, loss: loss(Some(node))? }))
    });
    lost.collect()
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
        // Without a claim, the data was on the node.
        _ if pod.claims.is_empty() && (node_is_lost || pod.node.is_none()) => Disks::Empty,
        _ if inventory.volumes_of(pod).count() < pod.claims.len() => Disks::Empty,
        _ if volumes_are_free => Disks::Data,
        _ => Disks::Empty,
    }
}

/// The volumes that only lost nodes can use.
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

fn steps(pod: &PodFacts, pins: &[Pin], inventory: &Inventory) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut pod_goes = None;
    for pin in pins {
        match pin {
            // No kubelet is left to end the pod.
            Pin::Node { loss: NodeLoss::Gone, .. } => pod_goes = Some(true),
            Pin::Node { node, .. } => {
                let uid = inventory.nodes.get(node).map(|node| node.uid.clone());
                steps.push(Step::Node { node: node.clone(), uid: uid.unwrap_or_default() });
            }
            Pin::Volume { claim, .. } => {
                let claim = Name::new(&pod.name.namespace, claim);
                let uid = inventory.claims.get(&claim).map(|claim| claim.uid.clone());
                steps.push(Step::Claim { claim, uid: uid.unwrap_or_default() });
                pod_goes.get_or_insert(false);
            }
            Pin::Scheduler { .. } => {}
        }
    }
    // Kubernetes removes the claim when no pod uses it. The StatefulSet then creates both again.
    if let Some(force) = pod_goes {
        steps.push(Step::Pod { pod: pod.name.clone(), uid: pod.uid.clone(), force });
    }
    steps
}

fn commands(pod: &PodFacts, steps: &[Step], nothing_holds_it: bool) -> Vec<String> {
    let Name { namespace, name } = &pod.name;
    let command = |step: &Step| match step {
        Step::Node { node, .. } => format!("kubectl delete node {node}"),
        Step::Claim { claim, .. } => {
            format!("kubectl delete pvc {} --namespace {namespace} --wait=false", claim.name)
        }
        Step::Pod { force: false, .. } => {
            format!("kubectl delete pod {name} --namespace {namespace}")
        }
        Step::Pod { force: true, .. } => {
            format!("kubectl delete pod {name} --namespace {namespace} --force --grace-period=0")
        }
    };
    let mut commands: Vec<String> = steps.iter().map(command).collect();
    if nothing_holds_it {
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

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { node, .. } => write!(f, "node {node}"),
            Self::Claim { claim, .. } => write!(f, "claim {claim}"),
            Self::Pod { pod, .. } => write!(f, "pod {pod}"),
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
