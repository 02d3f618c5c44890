//! The ways in which a node dies, and what frees the pod in each.

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
