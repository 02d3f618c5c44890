//! The ways in which a node fails, and what frees the pod in each case.

use super::*;
use crate::facts::{Health, Phase};
use crate::testing::{nine, pod, resolved, set_group};

fn fate_of_1003(inventory: &Inventory) -> Fate {
    let brokers = resolved(inventory, &[set_group("events")]);
    fate(BrokerId(1003), &brokers, inventory, VolumesSeen::Yes)
}

fn returning(inventory: &Inventory) -> Return {
    match fate_of_1003(inventory) {
        Fate::Returns(returning) => returning,
        Fate::Gone => panic!("pod events-2 claims 1003"),
    }
}

fn pins(returning: &Return) -> Vec<String> {
    returning.pins.iter().map(ToString::to_string).collect()
}

fn silent(inventory: &mut Inventory, node: &str) {
    inventory.nodes.get_mut(node).unwrap().health = Health::Silent { since: None };
}

fn pending(inventory: &mut Inventory) {
    let pod = pod(inventory, "events-2");
    (pod.node, pod.ready, pod.phase) = (None, false, Phase::Pending);
    pod.reason = Some("0/9 nodes are available: volume node affinity conflict.".into());
}

#[test]
fn a_silent_node_pins_the_pod_by_its_object_and_by_the_local_volume() {
    let mut inventory = nine();
    silent(&mut inventory, "events-node-2");
    pod(&mut inventory, "events-2").terminating = true;
    let returning = returning(&inventory);
    assert_eq!(returning.disks, Disks::Empty);
    assert_eq!(
        pins(&returning),
        [
            "the pod is bound to node events-node-2, which is silent",
            "claim data-events-2 is bound to volume pv-events-2, which needs a node with \
             kubernetes.io/hostname in [events-node-2]; none is alive",
        ]
    );
    assert_eq!(
        returning.commands,
        [
            "kubectl delete node events-node-2",
            "kubectl delete pvc data-events-2 --namespace kafka --wait=false",
            "kubectl delete pod events-2 --namespace kafka",
        ]
    );
}

#[test]
fn a_deleted_node_leaves_the_claim_as_the_only_pin() {
    let mut inventory = nine();
    inventory.nodes.remove("events-node-2");
    pending(&mut inventory);
    let returning = returning(&inventory);
    assert_eq!(returning.disks, Disks::Empty);
    assert_eq!(returning.pins.len(), 1);
    assert_eq!(
        returning.commands,
        [
            "kubectl delete pvc data-events-2 --namespace kafka --wait=false",
            "kubectl delete pod events-2 --namespace kafka",
        ]
    );
}

#[test]
fn a_volume_of_the_zone_brings_the_data_back() {
    let mut inventory = nine();
    let zone = ("topology.kubernetes.io/zone".to_owned(), vec!["eu-1c".to_owned()]);
    inventory.volumes.get_mut("pv-events-2").unwrap().node_affinity = vec![zone];
    silent(&mut inventory, "events-node-2");
    let bound = returning(&inventory);
    assert_eq!((bound.disks, bound.pins.len()), (Disks::Data, 1));
    assert_eq!(bound.commands, ["kubectl delete node events-node-2"]);
    inventory.nodes.remove("events-node-2");
    pending(&mut inventory);
    let free = returning(&inventory);
    assert_eq!(free.disks, Disks::Data);
    assert_eq!(
        pins(&free),
        ["the scheduler finds no node: 0/9 nodes are available: volume node affinity conflict"]
    );
    assert_eq!(free.commands, [""; 0]);
}

#[test]
fn a_pod_on_a_living_node_is_about_to_start_or_fails_to() {
    let returning = returning(&nine());
    assert_eq!((returning.disks, returning.pins.len()), (Disks::Data, 0));
    assert_eq!(returning.commands, ["kubectl logs events-2 --namespace kafka"]);
}

#[test]
fn without_claims_the_data_goes_with_the_node() {
    let mut inventory = nine();
    pod(&mut inventory, "events-2").claims.clear();
    silent(&mut inventory, "events-node-2");
    assert_eq!(returning(&inventory).disks, Disks::Empty);
}

#[test]
fn volumes_that_we_may_not_read_are_unknown_not_empty() {
    let mut inventory = nine();
    (inventory.claims, inventory.volumes) = Default::default();
    let brokers = resolved(&inventory, &[set_group("events")]);
    match fate(BrokerId(1003), &brokers, &inventory, VolumesSeen::No) {
        Fate::Returns(returning) => assert_eq!(returning.disks, Disks::Unknown),
        Fate::Gone => panic!("pod events-2 claims 1003"),
    }
}

#[test]
fn a_broker_that_no_pod_claims_is_gone() {
    let mut inventory = nine();
    inventory.pods.retain(|pod| pod.name.name != "events-2");
    assert_eq!(fate_of_1003(&inventory), Fate::Gone);
}

/// Node and claim of events-2 have been lost since seven o'clock.
fn lost() -> Inventory {
    let mut inventory = nine();
    let since = Some("2026-11-20T07:00:00Z".to_owned());
    inventory.nodes.get_mut("events-node-2").unwrap().health = Health::Silent { since };
    pod(&mut inventory, "events-2").ready = false;
    inventory
}

fn node(inventory: &mut Inventory) -> &mut crate::facts::NodeFacts {
    inventory.nodes.get_mut("events-node-2").unwrap()
}

fn claim(inventory: &mut Inventory) -> &mut crate::facts::ClaimFacts {
    inventory.claims.get_mut(&Name::new("kafka", "data-events-2")).unwrap()
}

#[test]
fn a_node_that_was_silent_for_a_moment_is_not_lost() {
    let at = |seconds: i64| jiff::Timestamp::from_second(1_795_158_000 + seconds).unwrap();
    let needed = std::time::Duration::from_secs(300);
    let seen = returning(&lost());
    assert!(matches!(seen.not_lost(at(299), needed), Some(NotLost::Moment { .. })));
    assert_eq!(seen.not_lost(at(300), needed), None);
    // A clock that goes backwards proves nothing.
    assert!(matches!(seen.not_lost(at(-1), needed), Some(NotLost::Unknown { .. })));
    let mut inventory = lost();
    silent(&mut inventory, "events-node-2");
    assert!(matches!(
        returning(&inventory).not_lost(at(900), needed),
        Some(NotLost::Unknown { .. })
    ));
    node(&mut inventory).health = Health::NotReady { reason: "KubeletNotReady".into() };
    assert!(matches!(
        returning(&inventory).not_lost(at(900), needed),
        Some(NotLost::Reports { .. })
    ));
    let mut inventory = lost();
    pod(&mut inventory, "events-2").ready = true;
    assert_eq!(returning(&inventory).not_lost(at(900), needed), Some(NotLost::Ready));
    // The pod waits for a node. Its volume is on a node that has been silent for a moment.
    let mut inventory = lost();
    pending(&mut inventory);
    let waiting = returning(&inventory);
    assert_eq!(waiting.steps.len(), 2, "{waiting:?}");
    assert!(matches!(waiting.not_lost(at(9), needed), Some(NotLost::Moment { .. })));
    // The cloud reports that the machine is gone, so no silence is needed.
    inventory.nodes.remove("events-node-2");
    assert_eq!(returning(&inventory).not_lost(at(0), needed), None);
}

#[test]
fn whatever_changed_since_it_was_agreed_to_is_a_reason_to_delete_nothing() {
    let before = returning(&lost());
    assert_eq!(before.steps.len(), 3);
    let changed = |change: &dyn Fn(&mut Inventory)| {
        let mut inventory = lost();
        change(&mut inventory);
        before.changed(&fate_of_1003(&inventory), 0)
    };
    assert_eq!(changed(&|_| {}), None);
    // An update by the controllers changes only the version.
    assert_eq!(changed(&|all| node(all).version = "8".into()), None);
    // Another tool, or the cloud, was faster.
    assert_eq!(changed(&|all| drop(all.nodes.remove("events-node-2"))), None);
    type Reason = (&'static dyn Fn(&mut Inventory), &'static str);
    let reasons: [Reason; 9] = [
        (&|all| node(all).health = Health::Ready, "node events-node-2, where the pod is, is alive"),
        (&|all| node(all).uid = "new".into(), "node events-node-2 is another one now"),
        (&|all| claim(all).uid = "new".into(), "claim kafka/data-events-2 is another one now"),
        (&|all| claim(all).volume = None, "is not bound to a lost volume any more"),
        (&|all| pod(all, "events-2").uid = "new".into(), "pod kafka/events-2 is another one now"),
        (&|all| pod(all, "events-2").ready = true, "pod kafka/events-2 is ready"),
        (&|all| all.pods.retain(|pod| pod.name.name != "events-2"), "does not exist any more"),
        (
            &|all| pod(all, "events-2").node = Some("events-node-1".into()),
            "node events-node-1, where the pod is, is alive",
        ),
        (
            &|all| {
                let labels = node(all).labels.clone();
                let (name, uid) = ("late".to_owned(), "late".to_owned());
                let health = Health::Silent { since: None };
                let late =
                    crate::facts::NodeFacts { name, uid, labels, health, ..node(all).clone() };
                all.nodes.insert("late".to_owned(), late);
            },
            "node late has joined",
        ),
    ];
    for (change, reason) in reasons {
        let found = changed(change).unwrap_or_else(|| panic!("{reason}"));
        assert!(found.contains(reason), "{found:?} does not say {reason:?}");
    }
}

#[test]
fn between_two_deletions_our_own_are_no_change_and_a_return_is() {
    let before = returning(&lost());
    let mut inventory = lost();
    let machine = inventory.nodes.remove("events-node-2").unwrap();
    assert_eq!(before.changed(&fate_of_1003(&inventory), 1), None);
    // The claim disappears at once, or waits for its pod.
    assert_eq!(before.changed(&fate_of_1003(&inventory), 2), None);
    let mut gone = inventory.clone();
    gone.claims.remove(&Name::new("kafka", "data-events-2"));
    assert_eq!(before.changed(&fate_of_1003(&gone), 2), None);
    assert!(before.changed(&fate_of_1003(&gone), 1).is_some(), "it was not ours to go");
    // The machine joins again under its name, ready or not yet ready.
    for health in [Health::Ready, Health::NotReady { reason: "starting".into() }] {
        let back = crate::facts::NodeFacts { uid: "new".into(), health, ..machine.clone() };
        inventory.nodes.insert("events-node-2".to_owned(), back);
        for next in [1, 2] {
            assert!(before.changed(&fate_of_1003(&inventory), next).is_some());
        }
    }
}
