//! What pods, nodes, StatefulSets, claims and volumes say, as plain values: as much as brokers are found by.

use std::collections::BTreeMap;
use std::fmt;

/// Labels or annotations.
pub type Keys = BTreeMap<String, String>;

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodFacts {
    /// Its namespace and name.
    pub name: Name,
    /// What tells it from its predecessor of that name.
    pub uid: String,
    /// `metadata.labels`.
    pub labels: Keys,
    /// `metadata.annotations`.
    pub annotations: Keys,
    /// The object that controls it.
    pub owner: Option<Owner>,
    /// The environment of its containers, then of its init containers, as far as the pod spells it out.
    pub env: Vec<EnvVar>,
    /// The node that it is bound to; `None`: the scheduler has found none.
    pub node: Option<String>,
    /// `spec.nodeSelector`: what its node has to be like.
    pub node_selector: Keys,
    /// Where it is in its life.
    pub phase: Phase,
    /// Its `Ready` condition is true.
    pub ready: bool,
    /// It has been deleted and is not gone yet.
    pub terminating: bool,
    /// Why the scheduler finds no node, or a container does not run, in the words of Kubernetes.
    pub reason: Option<String>,
    /// The names of its claims (PersistentVolumeClaims), in the order of its volumes.
    pub claims: Vec<String>,
}

impl PodFacts {
    /// The StatefulSet that controls it.
    pub fn stateful_set(&self) -> Option<Name> {
        let owner = self.owner.as_ref().filter(|owner| owner.kind == "StatefulSet")?;
        Some(Name { namespace: self.name.namespace.clone(), name: owner.name.clone() })
    }

    /// Whether its name has a stable number at its end: a StatefulSet's or StrimziPodSet's pod, or one of nobody.
    pub fn is_numbered(&self) -> bool {
        let kind = self.owner.as_ref().map(|owner| owner.kind.as_str());
        matches!(kind, None | Some("StatefulSet" | "StrimziPodSet"))
    }
}

/// A namespace and a name in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Name {
    /// Both parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What controls a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `StatefulSet`, `StrimziPodSet`, `ReplicaSet`, ...
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// One variable of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// What it is set to.
    pub value: EnvValue,
}

/// The value of a variable, as the pod's spec tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// The text itself, or a field of the pod, with `$(OTHER)` filled in.
    Text(String),
    /// It stands in another object, which nobody reads for it: `ConfigMap`, `Secret`, `field spec.x`.
    Elsewhere(String),
}

/// `status.phase` of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Not all containers have started.
    #[default]
    Pending,
    /// Bound, and at least one container runs.
    Running,
    /// Ended, and not restarted: `Succeeded` or `Failed`.
    Ended,
    /// The node does not tell.
    Unknown,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// What tells it from its predecessor of that name.
    pub uid: String,
    /// `metadata.resourceVersion`: another after each change of the object.
    pub version: String,
    /// `metadata.labels`.
    pub labels: Keys,
    /// What is known of its health.
    pub health: Health,
}

/// The `Ready` condition of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Health {
    /// Nobody looked: only the nodes of pods that are not ready are looked at.
    #[default]
    Unasked,
    /// Ready.
    Ready,
    /// Its kubelet says that it is not.
    NotReady {
        /// The condition's reason.
        reason: String,
    },
    /// Its heartbeats have stopped.
    Silent {
        /// Since when (RFC 3339), where told.
        since: Option<String>,
    },
}

/// A StatefulSet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatefulSetFacts {
    /// Its namespace and name.
    pub name: Name,
    /// `metadata.labels`.
    pub labels: Keys,
    /// `metadata.annotations`.
    pub annotations: Keys,
    /// How many pods it is to have.
    pub replicas: u32,
    /// The ordinal of its first pod (`spec.ordinals.start`).
    pub first_ordinal: u32,
}

/// A claim (PersistentVolumeClaim).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimFacts {
    /// Its namespace and name.
    pub name: Name,
    /// What tells it from its predecessor of that name.
    pub uid: String,
    /// The volume (PersistentVolume) that it is bound to.
    pub volume: Option<String>,
    /// `status.capacity.storage`, else what it requests.
    pub bytes: Option<u64>,
}

/// A volume (PersistentVolume).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VolumeFacts {
    /// Its name.
    pub name: String,
    /// What its node has to be like, one entry for each required expression: key and the values allowed.
    pub node_affinity: Vec<(String, Vec<String>)>,
}

impl VolumeFacts {
    /// Whether pods on the node can use the volume.
    pub(crate) fn is_usable_on(&self, node: &NodeFacts) -> bool {
        let has = |(key, values): &(String, Vec<String>)| {
            node.labels.get(key).is_some_and(|value| values.contains(value))
        };
        self.node_affinity.iter().all(has)
    }
}
