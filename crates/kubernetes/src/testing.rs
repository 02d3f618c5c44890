//! Small clusters for tests: one node for each pod, in zones a to c in turn.

use crate::brokers::{Brokers, Rules, brokers};
use crate::facts::{
    ClaimFacts, Keys, Name, NodeFacts, Owner, Phase, PodFacts, StatefulSetFacts, VolumeFacts,
};
use crate::inventory::Inventory;
use mapper::maps::Group;
use std::collections::BTreeSet;

pub(crate) fn keys(pairs: &[(&str, &str)]) -> Keys {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// StatefulSet `kafka/NAME` with this number of ready pods, on nodes `NAME-node-0`... of that type, with local volumes.
pub(crate) fn add_set(
    inventory: &mut Inventory,
    name: &str,
    base: u32,
    pods: u32,
    node_type: &str,
) {
    let set = StatefulSetFacts {
        name: Name::new("kafka", name),
        annotations: keys(&[("kafka.example.com/broker-id-base", &base.to_string())]),
        replicas: pods,
        ..StatefulSetFacts::default()
    };
    inventory.stateful_sets.insert(set.name.clone(), set);
    for ordinal in 0..pods {
        let node = format!("{name}-node-{ordinal}");
        let zone = ["eu-1a", "eu-1b", "eu-1c"][ordinal as usize % 3];
        let labels = keys(&[
            ("kubernetes.io/hostname", &node),
            ("topology.kubernetes.io/zone", zone),
            ("node.kubernetes.io/instance-type", node_type),
            ("eks.amazonaws.com/nodegroup", name),
        ]);
        let uid = format!("uid-{node}");
        let facts = NodeFacts { name: node.clone(), uid, labels, ..NodeFacts::default() };
        inventory.nodes.insert(node.clone(), facts);
        let (claim, volume) = (format!("data-{name}-{ordinal}"), format!("pv-{name}-{ordinal}"));
        let affinity = vec![("kubernetes.io/hostname".to_owned(), vec![node.clone()])];
        let facts = VolumeFacts { name: volume.clone(), node_affinity: affinity };
        inventory.volumes.insert(volume.clone(), facts);
        let full = Name::new("kafka", &claim);
        let (name_of_claim, uid) = (full.clone(), format!("uid-{claim}"));
        let (volume, bytes) = (Some(volume), Some(1 << 40));
        let facts = ClaimFacts { name: name_of_claim, uid, volume, bytes };
        inventory.claims.insert(full, facts);
        inventory.pods.push(PodFacts {
            name: Name::new("kafka", &format!("{name}-{ordinal}")),
            uid: format!("uid-{name}-{ordinal}"),
            owner: Some(Owner { kind: "StatefulSet".into(), name: name.into() }),
            node: Some(node),
            phase: Phase::Running,
            ready: true,
            claims: vec![claim],
            ..PodFacts::default()
        });
    }
}

/// Two StatefulSets: events 1001..1006 on i3.4xlarge, logs 2000..2002 on i3.8xlarge.
pub(crate) fn nine() -> Inventory {
    let mut inventory = Inventory::default();
    add_set(&mut inventory, "events", 1001, 6, "i3.4xlarge");
    add_set(&mut inventory, "logs", 2000, 3, "i3.8xlarge");
    inventory
}

pub(crate) fn pod<'i>(inventory: &'i mut Inventory, name: &str) -> &'i mut PodFacts {
    inventory.pods.iter_mut().find(|pod| pod.name.name == name).unwrap()
}

pub(crate) fn set_group(name: &str) -> Group {
    Group::StatefulSet { namespace: "kafka".into(), name: name.into() }
}

pub(crate) fn resolved(inventory: &Inventory, groups: &[Group]) -> Brokers {
    let groups: BTreeSet<Group> = groups.iter().cloned().collect();
    brokers(inventory, &Rules::default(), &groups)
}

/// The findings as text.
pub(crate) fn said(brokers: &Brokers) -> Vec<String> {
    brokers.findings.iter().map(|(finding, _)| finding.to_string()).collect()
}
