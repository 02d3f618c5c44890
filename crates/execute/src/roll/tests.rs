use super::*;
use crate::seen::Running;
use mapper::snapshot::{Leader, Partition, PartitionFacts, Topic};
use mapper::{PartitionId, Replicas};

const TERMS: RollTerms =
    RollTerms { allow_unavailable: false, settle_seconds: 60, max_parallel: MaxParallel::Pods(1) };
const OLD: u64 = 100_000;

fn ids(ids: &[u32]) -> Replicas {
    ids.iter().copied().map(BrokerId).collect()
}

fn partition(id: u32, replicas: &[u32], isr: &[u32]) -> Partition {
    let mut partition = Partition::new(PartitionId(id), ids(replicas));
    let leader = isr.first().map_or(Leader::None, |id| Leader::Broker(BrokerId(*id)));
    let facts = PartitionFacts { isr: Some(ids(isr)), leader, ..PartitionFacts::default() };
    partition.facts = Some(Box::new(facts));
    partition
}

fn of(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition: PartitionId(partition) }
}

/// Brokers 1 to 6 in racks a, b, c, a, b, c, all live and outdated.
fn six() -> RollScene {
    let racks = ["a", "b", "c"].iter().cycle();
    let pods = (1..=6).zip(racks).map(|(id, rack)| Pod {
        name: format!("kafka/kafka-{}", id - 1),
        uid: format!("first-{id}"),
        id: BrokerId(id),
        rack: Some((*rack).to_owned()),
        outdated: true,
        ready: true,
        terminating: false,
        age_seconds: OLD,
    });
    let mut scene = RollScene { pods: pods.collect(), ..RollScene::default() };
    scene.cluster.live = (1..=6).map(BrokerId).collect();
    let partitions = vec![
        partition(0, &[1, 2, 3], &[1, 2, 3]),
        partition(1, &[4, 5, 6], &[4, 5, 6]),
        partition(2, &[1, 5, 6], &[1, 5, 6]),
    ];
    add(&mut scene, "t", 2, partitions);
    scene
}

fn add(scene: &mut RollScene, name: &str, min: u32, partitions: Vec<Partition>) {
    let min_insync_replicas = Some(min);
    let topic = Topic { name: name.into(), partitions, min_insync_replicas, ..Topic::default() };
    scene.cluster.topics.insert(name.to_owned(), topic);
}

fn isr(scene: &mut RollScene, topic: &str, index: usize, isr: &[u32]) {
    let topic = scene.cluster.topics.get_mut(topic).unwrap();
    let replicas: Vec<u32> = topic.partitions[index].replicas.iter().map(|id| id.0).collect();
    topic.partitions[index] = partition(topic.partitions[index].id.0, &replicas, isr);
}

fn pod(scene: &mut RollScene, id: u32) -> &mut Pod {
    scene.pods.iter_mut().find(|pod| pod.id.0 == id).unwrap()
}

fn asked(scene: &RollScene) -> NextRestart {
    next(scene, &RollMemory::default(), &TERMS)
}

/// The ids in the order of their restarts.
fn ordered(scene: &RollScene) -> Vec<u32> {
    order(scene).into_iter().map(|index| scene.pods[index].id.0).collect()
}

fn waits(scene: &RollScene, memory: &RollMemory) -> Vec<String> {
    let next = next(scene, memory, &TERMS);
    let NextRestart::Wait(waits) = &next else { panic!("{next:?}") };
    waits.iter().map(ToString::to_string).collect()
}

#[test]
fn one_rack_goes_after_the_other_and_the_active_controller_last() {
    let mut scene = six();
    assert_eq!(ordered(&scene), [1, 4, 2, 5, 3, 6]);
    scene.controller = Some(BrokerId(4));
    assert_eq!(ordered(&scene), [1, 2, 5, 3, 6, 4]);
    scene.voters = Some(Voters { active: Some(BrokerId(2)), ..Voters::default() });
    assert_eq!(ordered(&scene), [1, 4, 5, 3, 6, 2], "in KRaft the quorum tells who is active");
    scene.cluster.live.remove(&BrokerId(6));
    assert_eq!(ordered(&scene)[0], 6, "what is down already costs nothing");
}

#[test]
fn what_is_up_to_date_is_left_alone() {
    let mut scene = six();
    assert_eq!(asked(&scene), NextRestart::Restart(0));
    scene.pods.iter_mut().for_each(|pod| pod.outdated = pod.id.0 == 3);
    assert_eq!(asked(&scene), NextRestart::Restart(2));
    pod(&mut scene, 3).outdated = false;
    assert_eq!(asked(&scene), NextRestart::Done);
}

#[test]
fn nothing_is_restarted_before_the_last_one_is_back_and_in_sync() {
    let mut scene = six();
    pod(&mut scene, 1).outdated = false;
    pod(&mut scene, 1).ready = false;
    assert_eq!(waits(&scene, &RollMemory::default()), ["pod kafka/kafka-0 is not ready"]);
    pod(&mut scene, 1).ready = true;
    scene.cluster.live.remove(&BrokerId(1));
    let said = "pod kafka/kafka-0 is ready, and broker 1 is not registered";
    assert_eq!(waits(&scene, &RollMemory::default()), [said]);
    scene.cluster.live.insert(BrokerId(1));
    isr(&mut scene, "t", 2, &[5, 6]);
    assert_eq!(waits(&scene, &RollMemory::default()), ["broker 1 is not in sync in t-2"]);
    isr(&mut scene, "t", 2, &[5, 6, 1]);
    assert_eq!(asked(&scene), NextRestart::Restart(3));
    scene.missing = vec!["kafka/kafka-6".to_owned()];
    assert_eq!(waits(&scene, &RollMemory::default()), ["pod kafka/kafka-6 does not exist"]);
}

#[test]
fn the_last_pod_is_waited_for_like_the_others() {
    let mut scene = six();
    scene.pods.iter_mut().for_each(|pod| pod.outdated = false);
    isr(&mut scene, "t", 0, &[1, 2]);
    assert_eq!(waits(&scene, &RollMemory::default()), ["broker 3 is not in sync in t-0"]);
}

#[test]
fn a_new_pod_counts_only_when_the_old_server_was_seen_to_go() {
    let mut scene = six();
    let mut memory = RollMemory::default();
    memory.restarts(&scene, &scene.pods[0], false);
    *pod(&mut scene, 1) =
        Pod { uid: "second".into(), outdated: false, age_seconds: 2, ..scene.pods[0].clone() };
    // The controller still counts the old server as live.
    memory.look(&scene);
    let said = "pod kafka/kafka-0 is 2 s old: the cluster may still tell of the broker before it";
    assert_eq!(waits(&scene, &memory), [said]);
    scene.cluster.live.remove(&BrokerId(1));
    memory.look(&scene);
    scene.cluster.live.insert(BrokerId(1));
    memory.look(&scene);
    assert_eq!(next(&scene, &memory, &TERMS), NextRestart::Restart(3));
    // Another run has not seen the restart, and waits.
    assert_eq!(waits(&scene, &RollMemory::default()), [said]);
    pod(&mut scene, 1).age_seconds = 60;
    assert_eq!(asked(&scene), NextRestart::Restart(3));
}

#[test]
fn no_partition_gets_under_its_min_isr() {
    let mut scene = six();
    isr(&mut scene, "t", 2, &[1, 5]);
    let said = "without broker 1, too few replicas are in sync of t-2";
    assert_eq!(waits(&scene, &RollMemory::default()), [said]);
    // In sync according to the controller, but not live.
    isr(&mut scene, "t", 2, &[1, 5, 6]);
    scene.cluster.live.remove(&BrokerId(6));
    pod(&mut scene, 6).outdated = false;
    assert!(waits(&scene, &RollMemory::default()).contains(&said.to_owned()));
    // A broker that is not in sync there makes no difference.
    let mut scene = six();
    isr(&mut scene, "t", 0, &[2, 3]);
    assert_eq!(asked(&scene), NextRestart::Restart(0));
}

#[test]
fn a_restart_of_what_is_down_already_is_never_held_back_by_what_it_would_heal() {
    let mut scene = six();
    scene.cluster.live.remove(&BrokerId(4));
    add(&mut scene, "once", 1, vec![partition(0, &[4], &[])]);
    isr(&mut scene, "t", 1, &[5, 6]);
    assert_eq!(asked(&scene), NextRestart::Restart(3));
}

#[test]
fn what_cannot_stay_available_is_named_and_needs_leave() {
    let mut scene = six();
    let partitions = vec![partition(0, &[2], &[2]), partition(1, &[3, 4], &[3, 4])];
    add(&mut scene, "few", 2, partitions);
    assert_eq!(asked(&scene), NextRestart::Unavailable([of("few", 0), of("few", 1)].into()));
    let leave = RollTerms { allow_unavailable: true, ..TERMS };
    assert_eq!(next(&scene, &RollMemory::default(), &leave), NextRestart::Restart(0));
    // If no pod with one of their replicas is restarted, they do not matter.
    for id in [2, 3, 4] {
        pod(&mut scene, id).outdated = false;
    }
    assert_eq!(asked(&scene), NextRestart::Restart(0));
}

#[test]
fn moves_of_others_stop_it_and_missing_facts_too() {
    let mut scene = six();
    let moving = Running { target: ids(&[1, 2, 4]), adding: ids(&[4]) };
    scene.cluster.running.insert(of("t", 0), moving);
    assert_eq!(asked(&scene), NextRestart::Moving([of("t", 0)].into()));
    let mut scene = six();
    scene.cluster.topics.get_mut("t").unwrap().min_insync_replicas = None;
    assert_eq!(
        waits(&scene, &RollMemory::default()),
        ["min.insync.replicas is not told of t, on broker 1"]
    );
    let mut scene = six();
    isr(&mut scene, "t", 0, &[]);
    assert_eq!(
        waits(&scene, &RollMemory::default()),
        ["nobody leads t-0, of which broker 1 has replicas"]
    );
}

#[test]
fn the_quorum_keeps_its_majority() {
    let mut scene = six();
    let behind = |three: [Option<u64>; 3]| Voters {
        active: Some(BrokerId(3)),
        behind_ms: (1..=3).map(BrokerId).zip(three).collect(),
        zookeeper: false,
    };
    scene.voters = Some(behind([Some(0), Some(100), Some(0)]));
    assert_eq!(asked(&scene), NextRestart::Restart(0));
    scene.voters = Some(behind([Some(0), Some(60_000), Some(0)]));
    let said = "without pod kafka/kafka-0, 1 of its quorum have caught up, and a majority is 2";
    assert_eq!(waits(&scene, &RollMemory::default()), [said]);
    // A restarted voter has to catch up first.
    pod(&mut scene, 2).outdated = false;
    let waiting = waits(&scene, &RollMemory::default());
    assert_eq!(waiting, ["pod kafka/kafka-1 is 60000 ms behind its quorum", said]);
}

/// Voters 9000 to 9002 in separate pods, all outdated; the first is the active one.
fn quorum(zookeeper: bool) -> RollScene {
    let pods = (0..3).map(|index| Pod {
        name: format!("kafka/quorum-{index}"),
        uid: format!("first-{index}"),
        id: BrokerId(9000 + index),
        rack: None,
        outdated: true,
        ready: true,
        terminating: false,
        age_seconds: OLD,
    });
    let behind_ms = (9000..9003).map(|id| (BrokerId(id), Some(0))).collect();
    let voters = Voters { zookeeper, active: Some(BrokerId(9000)), behind_ms };
    RollScene { pods: pods.collect(), voters: Some(voters), ..RollScene::default() }
}

fn behind(scene: &mut RollScene, id: u32, ms: Option<u64>) {
    scene.voters.as_mut().unwrap().behind_ms.insert(BrokerId(id), ms);
}

#[test]
fn voters_that_are_no_brokers_go_one_by_one_and_their_leader_last() {
    for zookeeper in [false, true] {
        let mut scene = quorum(zookeeper);
        assert_eq!(ordered(&scene), [9001, 9002, 9000]);
        assert_eq!(asked(&scene), NextRestart::Restart(1));
        // One voter is already down: it goes first, and no other with it.
        behind(&mut scene, 9002, None);
        assert_eq!(asked(&scene), NextRestart::Restart(2));
        pod(&mut scene, 9002).outdated = false;
        let waiting = waits(&scene, &RollMemory::default());
        assert_eq!(
            waiting,
            [
                "pod kafka/quorum-2 has not been heard of in its quorum",
                "without pod kafka/quorum-1, 1 of its quorum have caught up, and a majority is 2"
            ]
        );
    }
    assert_eq!(quorum(true).role(BrokerId(9001)), ServerRole::ZooKeeper);
    assert_eq!(quorum(false).role(BrokerId(9001)), ServerRole::Controller);
    assert_eq!(six().role(BrokerId(1)), ServerRole::Broker);
}

#[test]
fn a_restarted_voter_counts_only_when_it_has_come_back_and_not_while_its_silence_is_young() {
    let mut scene = quorum(false);
    let mut memory = RollMemory::default();
    memory.restarts(&scene, &scene.pods[1], false);
    // The voter pauses before its end: that is not the end yet.
    behind(&mut scene, 9001, Some(4_000));
    pod(&mut scene, 9001).terminating = true;
    memory.look(&scene);
    *pod(&mut scene, 9001) = Pod {
        uid: "second".into(),
        outdated: false,
        terminating: false,
        age_seconds: 1,
        ..scene.pods[1].clone()
    };
    // The quorum still remembers its last fetch, and its pod is ready.
    behind(&mut scene, 9001, Some(900));
    memory.look(&scene);
    let young = "pod kafka/quorum-1 is 1 s old: the cluster may still tell of the broker before it";
    assert_eq!(waits(&scene, &memory), [young]);
    behind(&mut scene, 9001, Some(CAUGHT_UP_MS + 1));
    memory.look(&scene);
    let behind_it = "pod kafka/quorum-1 is 3001 ms behind its quorum";
    assert!(waits(&scene, &memory).contains(&behind_it.to_owned()));
    behind(&mut scene, 9001, Some(20));
    memory.look(&scene);
    assert_eq!(next(&scene, &memory, &TERMS), NextRestart::Restart(2));
    assert_eq!(waits(&scene, &RollMemory::default()), [young], "another run has not seen it");
}

#[test]
fn one_or_two_voters_need_leave_to_be_away() {
    let mut scene = quorum(true);
    scene.pods.truncate(1);
    scene.voters.as_mut().unwrap().behind_ms.retain(|id, _| id.0 == 9000);
    let said = "without pod kafka/quorum-0, 0 of its quorum have caught up, and a majority is 1";
    assert_eq!(waits(&scene, &RollMemory::default()), [said]);
    let leave = RollTerms { allow_unavailable: true, ..TERMS };
    assert_eq!(next(&scene, &RollMemory::default(), &leave), NextRestart::Restart(0));
}

/// Restarts everything in a simulated cluster, with a run that is killed between any two looks. After each step no
/// partition is under its min ISR, and at most one broker is down.
#[test]
fn a_roll_that_is_killed_again_and_again_ends_and_never_harms() {
    for killed_every in [usize::MAX, 1, 2, 3, 7] {
        let mut scene = six();
        let mut memory = RollMemory::default();
        let mut down: Option<(u32, u32)> = None;
        let mut restarts = Vec::new();
        for look in 1..2_000 {
            if look % killed_every == 0 {
                memory = RollMemory::default();
            }
            scene.pods.iter_mut().for_each(|pod| pod.age_seconds += 1);
            advance(&mut scene, &mut down);
            memory.look(&scene);
            for topic in scene.cluster.topics.values() {
                for partition in &topic.partitions {
                    assert!(
                        crate::seen::isr(partition).len() >= 2,
                        "{killed_every}: {partition:?}"
                    );
                }
            }
            match next(&scene, &memory, &TERMS) {
                NextRestart::Done => break,
                NextRestart::Wait(_) => {}
                NextRestart::Restart(index) => {
                    assert!(down.is_none(), "{killed_every}: two at once");
                    memory.restarts(&scene, &scene.pods[index], false);
                    let pod = &mut scene.pods[index];
                    restarts.push(pod.id.0);
                    (pod.uid, pod.outdated, pod.age_seconds) = ("second".into(), false, 0);
                    down = Some((pod.id.0, 0));
                }
                stopped @ (NextRestart::Join(_)
                | NextRestart::Moving(_)
                | NextRestart::Unavailable(_)) => {
                    panic!("{stopped:?}")
                }
            }
        }
        assert_eq!(restarts, [1, 4, 2, 5, 3, 6], "killed every {killed_every}");
    }
}

/// The new pod is ready at once. Two looks later the cluster notices that the broker is gone. The broker is back after
/// five looks, and in sync after eight.
fn advance(scene: &mut RollScene, down: &mut Option<(u32, u32)>) {
    let Some((id, looks)) = down else { return };
    let (id, now) = (*id, *looks);
    *looks += 1;
    let partitions: Vec<(usize, Vec<u32>)> = scene.cluster.topics["t"]
        .partitions
        .iter()
        .enumerate()
        .filter(|(_, partition)| partition.replicas.contains(&BrokerId(id)))
        .map(|(index, partition)| (index, partition.replicas.iter().map(|id| id.0).collect()))
        .collect();
    match now {
        2 => {
            scene.cluster.live.remove(&BrokerId(id));
            for (index, replicas) in partitions {
                let left: Vec<u32> = replicas.into_iter().filter(|other| *other != id).collect();
                isr(scene, "t", index, &left);
            }
        }
        5 => drop(scene.cluster.live.insert(BrokerId(id))),
        8 => {
            partitions.into_iter().for_each(|(index, replicas)| isr(scene, "t", index, &replicas));
            *down = None;
        }
        _ => {}
    }
}

mod batches;
