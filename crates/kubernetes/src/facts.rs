//! Facts about pods, nodes, StatefulSets, claims and volumes as plain values, as far as this crate needs them.

use std::collections::BTreeMap;
use std::fmt;

/// The label with the node pool of a pod (Strimzi's `ResourceLabels`).
const STRIMZI_POOL: &str = "strimzi.io/pool-name";

/// Labels or annotations.
pub type Keys = BTreeMap<String, String>;

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodFacts {
    /// Its namespace and name.
    pub name: Name,
    /// Distinguishes it from earlier pods with the same name.
    pub uid: String,
    /// `metadata.labels`.
    pub labels: Keys,
    /// `metadata.annotations`.
    pub annotations: Keys,
    /// The object that controls it.
    pub owner: Option<Owner>,
    /// The environment of its containers, then of its init containers, as far as the pod's spec contains the values.
    pub env: Vec<EnvVar>,
    /// The node that it is bound to; `None`: not scheduled yet.
    pub node: Option<String>,
    /// `spec.nodeSelector`: the labels that its node must have.
    pub node_selector: Keys,
    /// The phase of its life cycle.
    pub phase: Phase,
    /// Whether its `Ready` condition is true.
    pub ready: bool,
    /// Whether it has been deleted but still exists.
    pub terminating: bool,
    /// Why the scheduler finds no node, or why a container does not run, in the words of Kubernetes.
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

    /// Strimzi's node pool (KafkaNodePool) that it belongs to.
    pub fn node_pool(&self) -> Option<Name> {
        let pool = self.labels.get(STRIMZI_POOL)?;
        Some(Name { namespace: self.name.namespace.clone(), name: pool.clone() })
    }

    /// Whether its name ends in a stable number: it belongs to a StatefulSet or a StrimziPodSet, or has no owner.
    pub fn is_numbered(&self) -> bool {
        let kind = self.owner.as_ref().map(|owner| owner.kind.as_str());
        matches!(kind, None | Some("StatefulSet" | "StrimziPodSet"))
    }
}

/// A namespace and an object's name in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Name {
    /// A name from its two parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// `NAMESPACE/NAME`, or the name of an object in `namespace`.
    pub fn parsed(text: &str, namespace: &str) -> Self {
        let (namespace, name) = text.split_once('/').unwrap_or((namespace, text));
        Self::new(namespace, name)
    }

    /// The full name: without a namespace, that of an object in `namespace`.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        let own = Some(self.namespace.as_str()).filter(|own| !own.is_empty());
        Self::new(own.unwrap_or(namespace), &self.name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => f.write_str(&self.name),
            namespace => write!(f, "{namespace}/{}", self.name),
        }
    }
}

/// The object that controls a pod.
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
    /// Its value.
    pub value: EnvValue,
}

/// The value of a variable, as in the pod's spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// The text itself, or a field of the pod, after `$(OTHER)` is expanded.
    Text(String),
    /// The value comes from another object, which this program does not read: `ConfigMap`, `Secret`, `field spec.x`.
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
    /// Ended and not restarted: `Succeeded` or `Failed`.
    Ended,
    /// The node does not report it.
    Unknown,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// Distinguishes it from earlier nodes with the same name.
    pub uid: String,
    /// `metadata.resourceVersion`, which changes with each write.
    pub version: String,
    /// `metadata.labels`.
    pub labels: Keys,
    /// Its health, if known.
    pub health: Health,
    /// `spec.unschedulable`: `kubectl cordon` and `kubectl drain` set it.
    pub cordoned: bool,
}

/// The `Ready` condition of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Health {
    /// Not requested: only nodes of pods that are not ready are read.
    #[default]
    Unasked,
    /// Ready.
    Ready,
    /// Its kubelet reports that it is not ready.
    NotReady {
        /// The condition's reason.
        reason: String,
    },
    /// Its heartbeats have stopped.
    Silent {
        /// Since when (RFC 3339), if known.
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
    /// `spec.replicas`: how many pods it should have.
    pub replicas: u32,
    /// The ordinal of its first pod (`spec.ordinals.start`).
    pub first_ordinal: u32,
}

/// A claim (PersistentVolumeClaim).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimFacts {
    /// Its namespace and name.
    pub name: Name,
    /// Distinguishes it from earlier claims with the same name.
    pub uid: String,
    /// The volume (PersistentVolume) that it is bound to.
    pub volume: Option<String>,
    /// `status.capacity.storage`, or else the requested size.
    pub bytes: Option<u64>,
}

/// A volume (PersistentVolume).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VolumeFacts {
    /// Its name.
    pub name: String,
    /// The requirements on its node, one entry for each required expression: the key and the allowed values.
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
