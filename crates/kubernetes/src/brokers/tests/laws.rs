//! Properties that hold for any pods and nodes.

use super::super::*;
use crate::facts::{EnvValue, EnvVar, Owner, StatefulSetFacts};
use proptest::collection::vec;
use proptest::prelude::*;

/// Texts that are ids, almost ids, or no ids.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (0_u32..6).prop_map(|id| id.to_string()),
        1 => prop::sample::select(vec!["", "-1", "2147483647", "2147483648", "x", " 3 "])
            .prop_map(str::to_owned),
    ]
}

fn keys(names: &'static [&'static str]) -> impl Strategy<Value = Keys> {
    let one = (prop::sample::select(names), value());
    vec(one, 0..3).prop_map(|all| all.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

fn pod() -> impl Strategy<Value = PodFacts> {
    const KEYS: [&str; 4] =
        ["broker-id", "x/broker-id", "x/broker-id-base", "apps.kubernetes.io/pod-index"];
    let name = (prop::sample::select(vec!["a", "b"]), prop::option::of(0_u32..4));
    let owner = prop::sample::select(vec!["", "StatefulSet", "StrimziPodSet", "ReplicaSet"]);
    let env =
        vec((prop::sample::select(vec!["KAFKA_BROKER_ID", "BROKER_ID_BASE", "X"]), value()), 0..2);
    let node = prop::option::of(prop::sample::select(vec!["n0", "n1", "n2", "gone"]));
    let phase = prop::sample::select(vec![Phase::Pending, Phase::Running, Phase::Ended]);
    let flags = (any::<bool>(), any::<bool>());
    (name, owner, keys(&KEYS), keys(&KEYS), env, node, phase, flags).prop_map(
        |((set, number), owner, labels, annotations, env, node, phase, (ready, terminating))| {
            let name = number.map_or(set.to_owned(), |number| format!("{set}-{number}"));
            let env = env.into_iter().map(|(name, value)| {
                let value = EnvValue::Text(value);
                EnvVar { name: name.to_owned(), value }
            });
            PodFacts {
                name: Name::new("kafka", &name),
                owner: (!owner.is_empty())
                    .then(|| Owner { kind: owner.to_owned(), name: set.to_owned() }),
                env: env.collect(),
                node: node.map(str::to_owned),
                labels,
                annotations,
                phase,
                ready,
                terminating,
                ..PodFacts::default()
            }
        },
    )
}

prop_compose! {
    fn inventory()(
        pods in vec(pod(), 0..9),
        labels in vec(keys(&["zone", "topology.kubernetes.io/zone", "broker-id"]), 3),
        health in vec(prop::sample::select(vec![Health::Ready, Health::Unasked, Health::Silent { since: None }]), 3),
        replicas in 0_u32..5,
    ) -> Inventory {
        let nodes = labels.into_iter().zip(health).enumerate().map(|(number, (labels, health))| {
            let name = format!("n{number}");
            (name.clone(), NodeFacts { name, labels, health, ..NodeFacts::default() })
        });
        let set = StatefulSetFacts { name: Name::new("kafka", "a"), replicas, ..Default::default() };
        let by_name: BTreeMap<Name, PodFacts> = pods.into_iter().map(|pod| (pod.name.clone(), pod)).collect();
        Inventory {
            pods: by_name.into_values().collect(),
            nodes: nodes.collect(),
            stateful_sets: [(set.name.clone(), set)].into(),
            ..Inventory::default()
        }
    }
}

fn groups() -> BTreeSet<Group> {
    let set = |name: &str| Group::StatefulSet { namespace: "kafka".into(), name: name.into() };
    let zone = [("topology.kubernetes.io/zone".to_owned(), "1".to_owned())];
    BTreeSet::from([set("a"), set("b"), Group::NodeLabels(zone.into())])
}

proptest! {
    #[test]
    fn an_id_is_one_pods_or_said_to_be_claimed_twice(inventory in inventory()) {
        let found = brokers(&inventory, &Rules::default(), &groups());
        let mut claims: BTreeMap<BrokerId, usize> = BTreeMap::new();
        for id in found.pods.iter().filter_map(BrokerPod::id) {
            *claims.entry(id).or_default() += 1;
        }
        for (id, pods) in claims {
            let said = found.findings.iter().any(
                |(finding, _)| matches!(finding, Finding::IdClaimedTwice { id: twice, .. } if *twice == id),
            );
            prop_assert_eq!(said, pods > 1, "broker {}", id);
            prop_assert_eq!(found.pod_of(id).is_some(), pods == 1);
        }
    }

    #[test]
    fn every_pod_of_a_set_is_a_member_or_said_to_have_no_id(inventory in inventory()) {
        let found = brokers(&inventory, &Rules::default(), &groups());
        for pod in inventory.pods.iter().filter(|pod| pod.stateful_set().is_some()) {
            let broker = found.pods.iter().find(|broker| broker.name == pod.name);
            let broker = broker.expect("both sets are asked for");
            let name = pod.stateful_set().expect("it was filtered by it");
            let group = Group::StatefulSet { namespace: name.namespace, name: name.name };
            let member = broker.id().is_some_and(|id| found.groups[&group].contains_key(&id));
            let said = found.findings.iter().any(
                |(finding, _)| matches!(finding, Finding::NoIdentity { pod: named, .. } if *named == pod.name),
            );
            prop_assert!(member != said, "{}", pod.name);
        }
    }

    #[test]
    fn the_order_in_which_the_api_lists_pods_changes_nothing(inventory in inventory()) {
        let mut backwards = inventory.clone();
        backwards.pods.reverse();
        let (rules, groups) = (Rules::default(), groups());
        prop_assert_eq!(brokers(&inventory, &rules, &groups), brokers(&backwards, &rules, &groups));
    }
}
