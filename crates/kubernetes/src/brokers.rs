//! Finds brokers from pods and nodes.
//!
//! In: an [`Inventory`], [`Rules`], and the groups that maps name. Out: [`Brokers`]: the members of each group, and a
//! [`Finding`] for everything unusual about their pods. No IO: the same inventory gives the same answer.

use crate::facts::{Health, Keys, Name, NodeFacts, Phase, PodFacts};
use crate::finding::{Finding, NodeLoss, Trouble};
use crate::identity::{Identified, IdentityError, Order, broker_id};
use crate::inventory::Inventory;
use mapper::BrokerId;
use mapper::maps::{Group, Members};
use std::collections::{BTreeMap, BTreeSet};

/// In a map's `nodeLabels`, this key stands for the provider's own node group label.
pub const NODE_GROUP: &str = "node-group";
const STRIMZI_BROKER: &str = "strimzi.io/broker-role";

/// The labels and conventions of this Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How to find a pod's broker id.
    pub identity: Order,
    /// Whether a label selector chose the pods, so that each counts as a broker. Otherwise only pods with a stable
    /// identity count.
    pub pods_are_chosen: bool,
    /// Node labels for the rack. The first one that a node has counts.
    pub racks: Vec<String>,
    /// Node labels for the instance type. The first one that a node has counts.
    pub instance_types: Vec<String>,
    /// Node labels for the node group. The first one that a node has counts.
    pub node_groups: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        Self {
            identity: Order::default(),
            pods_are_chosen: false,
            racks: keys(&["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"]),
            instance_types: keys(&[
                "node.kubernetes.io/instance-type",
                "beta.kubernetes.io/instance-type",
            ]),
            node_groups: keys(&[
                "eks.amazonaws.com/nodegroup",
                "karpenter.sh/nodepool",
                "cloud.google.com/gke-nodepool",
            ]),
        }
    }
}

/// A broker's pod and its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerPod {
    /// Its namespace and name.
    pub name: Name,
    /// Its broker id, or why it is unknown.
    pub identity: Result<Identified, IdentityError>,
    /// The StatefulSet that controls it.
    pub stateful_set: Option<Name>,
    /// Strimzi's node pool that it belongs to.
    pub node_pool: Option<Name>,
    /// The node that it is bound to.
    pub node: Option<String>,
    /// The labels of that node. If the pod has no node yet, the labels that a node must have for it.
    pub node_labels: Keys,
    /// Whether that node is cordoned.
    pub node_cordoned: bool,
    /// The rack: its node's zone.
    pub rack: Option<String>,
    /// The type of its node.
    pub instance_type: Option<String>,
    /// The provider's name for the group of its node.
    pub node_group: Option<String>,
    /// Whether its `Ready` condition is true.
    pub ready: bool,
    /// The total size of its volumes, in bytes; `None` if it has none, or if claims were not requested.
    pub volume_bytes: Option<u64>,
}

impl BrokerPod {
    /// Its broker id, if known.
    pub fn id(&self) -> Option<BrokerId> {
        self.identity.as_ref().ok().map(|found| found.id)
    }

    fn belongs_to(&self, group: &Group) -> bool {
        match group {
            Group::InstanceType(wanted) => self.instance_type.as_ref() == Some(wanted),
            Group::StatefulSet { namespace, name } => {
                self.stateful_set == Some(Name::new(namespace, name))
            }
            Group::KafkaNodePool { namespace, name } => {
                self.node_pool == Some(Name::new(namespace, name))
            }
            Group::NodeLabels(labels) => labels.iter().all(|(key, value)| {
                let is_group = key == NODE_GROUP && self.node_group.as_ref() == Some(value);
                is_group || self.node_labels.get(key) == Some(value)
            }),
        }
    }
}

/// The brokers of the groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Brokers {
    /// Their pods, in order of namespace and name.
    pub pods: Vec<BrokerPod>,
    /// The members of each group, with their racks.
    pub groups: BTreeMap<Group, Members>,
    /// Unusual facts about the pods, each with the groups that it concerns.
    pub findings: Vec<(Finding, BTreeSet<Group>)>,
}

impl Brokers {
    /// Every pod that claims an id; more than one is a finding.
    pub fn pods_of(&self, id: BrokerId) -> impl Iterator<Item = &BrokerPod> {
        self.pods.iter().filter(move |pod| pod.id() == Some(id))
    }

    /// The pod of a broker, if exactly one pod claims its id.
    pub fn pod_of(&self, id: BrokerId) -> Option<&BrokerPod> {
        let mut pods = self.pods_of(id);
        pods.next().filter(|_| pods.next().is_none())
    }
}

/// Finds the members of the groups; without groups, every broker pod of the inventory.
pub fn brokers(inventory: &Inventory, rules: &Rules, groups: &BTreeSet<Group>) -> Brokers {
    let pods = inventory.pods.iter().filter(|pod| may_be_broker(pod, rules));
    let all = pods.map(|pod| (pod, broker_pod(pod, inventory, rules)));
    let meant = all.filter(|(_, broker)| {
        groups.is_empty() || groups.iter().any(|group| broker.belongs_to(group))
    });
    let mut meant: Vec<(&PodFacts, BrokerPod)> = meant.collect();
    meant.sort_by(|a, b| a.1.name.cmp(&b.1.name));
    let mut findings = Vec::new();
    findings.extend(sets_missing(inventory, groups));
    findings.extend(pods_missing(inventory, groups));
    findings.extend(ids_claimed_twice(meant.iter().map(|(_, broker)| broker)));
    for (pod, broker) in &meant {
        findings.extend(of_pod(pod, broker, inventory));
    }
    findings.extend(of_nodes(&meant, inventory));
    let pods: Vec<BrokerPod> = meant.into_iter().map(|(_, broker)| broker).collect();
    let concerned = |finding: Finding| {
        let groups = groups.iter().filter(|group| concerns(&finding, group, &pods));
        let groups = groups.cloned().collect();
        (finding, groups)
    };
    let findings = findings.into_iter().map(concerned).collect();
    let members = groups.iter().map(|group| (group.clone(), members(group, &pods)));
    Brokers { groups: members.collect(), findings, pods }
}

fn concerns(finding: &Finding, group: &Group, pods: &[BrokerPod]) -> bool {
    let set = |name: &Name| {
        let (namespace, name) = (name.namespace.clone(), name.name.clone());
        *group == Group::StatefulSet { namespace, name }
    };
    let of_group =
        |name: &&Name| pods.iter().any(|pod| pod.name == **name && pod.belongs_to(group));
    finding.stateful_set().is_some_and(set) || finding.pods().iter().any(of_group)
}

fn members(group: &Group, pods: &[BrokerPod]) -> Members {
    let pods = pods.iter().filter(|pod| pod.belongs_to(group));
    pods.filter_map(|pod| Some((pod.id()?, pod.rack.clone()))).collect()
}

/// Pods with a stable identity: pods of a StatefulSet or of Strimzi, and pods that name their broker id.
fn may_be_broker(pod: &PodFacts, rules: &Rules) -> bool {
    if pod.labels.get(STRIMZI_BROKER).is_some_and(|is_broker| is_broker == "false") {
        return false;
    }
    let owned = pod.owner.is_some() && pod.is_numbered();
    rules.pods_are_chosen || owned || broker_id(pod, None, None, &rules.identity).is_ok()
}

fn broker_pod(pod: &PodFacts, inventory: &Inventory, rules: &Rules) -> BrokerPod {
    let node = pod.node.as_ref().and_then(|name| inventory.nodes.get(name));
    let set = pod.stateful_set();
    let facts_of_set = set.as_ref().and_then(|name| inventory.stateful_sets.get(name));
    let node_labels = node.map_or_else(|| expected_labels(pod, inventory), |n| n.labels.clone());
    let first = |keys: &[String]| keys.iter().find_map(|key| node_labels.get(key)).cloned();
    BrokerPod {
        identity: broker_id(pod, facts_of_set, node, &rules.identity),
        name: pod.name.clone(),
        node: pod.node.clone(),
        node_cordoned: node.is_some_and(|node| node.cordoned),
        rack: first(&rules.racks),
        instance_type: first(&rules.instance_types),
        node_group: first(&rules.node_groups),
        ready: pod.ready && !pod.terminating,
        volume_bytes: volume_bytes(pod, inventory),
        stateful_set: set,
        node_pool: pod.node_pool(),
        node_labels,
    }
}

/// The labels of the pod's next node, as far as its selector and its volumes determine them.
fn expected_labels(pod: &PodFacts, inventory: &Inventory) -> Keys {
    let mut labels = pod.node_selector.clone();
    for (_, volume) in inventory.volumes_of(pod) {
        for (key, values) in &volume.node_affinity {
            if let [only] = &values[..] {
                labels.entry(key.clone()).or_insert_with(|| only.clone());
            }
        }
    }
    labels
}

fn volume_bytes(pod: &PodFacts, inventory: &Inventory) -> Option<u64> {
    let claim =
        |claim: &String| inventory.claims.get(&Name::new(&pod.name.namespace, claim))?.bytes;
    let sizes: Option<Vec<u64>> = pod.claims.iter().map(claim).collect();
    sizes
        .filter(|sizes| !sizes.is_empty())
        .map(|sizes| sizes.into_iter().fold(0, u64::saturating_add))
}

fn sets_missing<'a>(
    inventory: &'a Inventory,
    groups: &'a BTreeSet<Group>,
) -> impl Iterator<Item = Finding> + 'a {
    let missing = |name: &Name| !inventory.stateful_sets.contains_key(name);
    let names = stateful_sets(groups).filter(missing);
    names.map(|name| Finding::NoStatefulSet { name })
}

fn stateful_sets(groups: &BTreeSet<Group>) -> impl Iterator<Item = Name> {
    groups.iter().filter_map(|group| match group {
        Group::StatefulSet { namespace, name } => Some(Name::new(namespace, name)),
        Group::InstanceType(_) | Group::KafkaNodePool { .. } | Group::NodeLabels(_) => None,
    })
}

/// Pods of a StatefulSet that do not exist, not even as pending.
fn pods_missing<'a>(
    inventory: &'a Inventory,
    groups: &'a BTreeSet<Group>,
) -> impl Iterator<Item = Finding> + 'a {
    let existing: BTreeSet<&Name> = inventory.pods.iter().map(|pod| &pod.name).collect();
    stateful_sets(groups).filter_map(move |name| {
        let set = inventory.stateful_sets.get(&name)?;
        let ordinals = set.first_ordinal..set.first_ordinal.saturating_add(set.replicas);
        let pods = ordinals.map(|ordinal| format!("{}-{ordinal}", name.name));
        let missing: Vec<String> =
            pods.filter(|pod| !existing.contains(&Name::new(&name.namespace, pod))).collect();
        let finding = Finding::PodsMissing { wanted: set.replicas, name, missing };
        match &finding {
            Finding::PodsMissing { missing, .. } if missing.is_empty() => None,
            _ => Some(finding),
        }
    })
}

fn ids_claimed_twice<'p>(pods: impl Iterator<Item = &'p BrokerPod>) -> Vec<Finding> {
    let mut claims: BTreeMap<BrokerId, Vec<Name>> = BTreeMap::new();
    for pod in pods {
        if let Some(id) = pod.id() {
            claims.entry(id).or_default().push(pod.name.clone());
        }
    }
    let twice = claims.into_iter().filter(|(_, pods)| pods.len() > 1);
    twice.map(|(id, pods)| Finding::IdClaimedTwice { id, pods }).collect()
}

fn of_pod(pod: &PodFacts, broker: &BrokerPod, inventory: &Inventory) -> Vec<Finding> {
    let name = || pod.name.clone();
    let mut findings = Vec::new();
    if let Err(error) = &broker.identity {
        findings.push(Finding::NoIdentity { pod: name(), error: error.clone() });
    }
    if let Some(trouble) = trouble(pod) {
        findings.push(Finding::PodTrouble { pod: name(), id: broker.id(), trouble });
    }
    let node = pod.node.as_ref().filter(|node| inventory.nodes.contains_key(*node));
    if let Some(node) = node.filter(|_| broker.rack.is_none()) {
        findings.push(Finding::NoZone { pod: name(), node: node.clone() });
    }
    findings
}

fn trouble(pod: &PodFacts) -> Option<Trouble> {
    let reason = pod.reason.clone();
    match (&pod.node, pod.phase) {
        _ if pod.terminating => Some(Trouble::Terminating),
        (None, _) => Some(Trouble::Unscheduled { reason }),
        (Some(_), Phase::Ended) => Some(Trouble::Ended),
        (Some(_), Phase::Pending) => Some(Trouble::Pending { reason }),
        (Some(_), Phase::Running | Phase::Unknown) if !pod.ready => {
            Some(Trouble::NotReady { reason })
        }
        (Some(_), Phase::Running | Phase::Unknown) => None,
    }
}

/// Lost nodes, and nodes with more than one broker.
fn of_nodes(meant: &[(&PodFacts, BrokerPod)], inventory: &Inventory) -> Vec<Finding> {
    let mut by_node: BTreeMap<&String, Vec<&PodFacts>> = BTreeMap::new();
    for (pod, _) in meant {
        if let Some(node) = &pod.node {
            by_node.entry(node).or_default().push(pod);
        }
    }
    let mut findings = Vec::new();
    for (node, pods) in by_node {
        let names: Vec<Name> = pods.iter().map(|pod| pod.name.clone()).collect();
        if let Some(loss) = loss(inventory.nodes.get(node)) {
            findings.push(Finding::NodeLost { node: node.clone(), loss, pods: names.clone() });
        }
        if names.len() > 1 {
            findings.push(Finding::NodeShared { node: node.clone(), pods: names });
        }
    }
    findings
}

/// Why a node cannot run pods; `None` if it can, or if its health was not requested.
pub(crate) fn loss(node: Option<&NodeFacts>) -> Option<NodeLoss> {
    match node.map(|node| &node.health) {
        None => Some(NodeLoss::Gone),
        Some(Health::Silent { since }) => Some(NodeLoss::Silent { since: since.clone() }),
        Some(Health::NotReady { reason }) => Some(NodeLoss::NotReady { reason: reason.clone() }),
        Some(Health::Ready | Health::Unasked) => None,
    }
}

#[cfg(test)]
mod tests;
