//! Rolls in batches: which pods may be away together, how many batches there are, and whole simulated rolls.

use super::*;
use std::collections::BTreeMap;

fn terms(most: usize) -> RollTerms {
    RollTerms { max_parallel: MaxParallel::Pods(most), ..TERMS }
}

const AUTO: RollTerms = RollTerms { max_parallel: MaxParallel::Auto, ..TERMS };

/// Brokers from 1 in racks a, b, c, a, ...; partitions with a replica in each rack and min ISR 2.
fn racked(count: u32) -> RollScene {
    let one = six().pods.remove(0);
    let racks = ["a", "b", "c"].iter().cycle();
    let pods = (1..=count).zip(racks).map(|(id, rack)| Pod {
        name: format!("kafka/kafka-{}", id - 1),
        uid: format!("first-{id}"),
        id: BrokerId(id),
        rack: Some((*rack).to_owned()),
        ..one.clone()
    });
    let mut scene = RollScene { pods: pods.collect(), ..RollScene::default() };
    scene.cluster.live = (1..=count).map(BrokerId).collect();
    let next = |first: u32, n: u32| (first + n) % count + 1;
    let partitions = (0..count).map(|first| {
        let replicas = [first + 1, next(first, 1), next(first, 2)];
        partition(first, &replicas, &replicas)
    });
    add(&mut scene, "t", 2, partitions.collect());
    scene
}

/// The ids in each batch, and the least number of batches.
fn planned(scene: &RollScene, terms: &RollTerms) -> (Vec<Vec<u32>>, usize) {
    let all = batches(scene, terms);
    let ids = |batch: &Vec<usize>| batch.iter().map(|at| scene.pods[*at].id.0).collect();
    (all.batches.iter().map(ids).collect(), all.at_least)
}

/// The ids of the pods that `next` evicts one after the other while nothing comes back.
fn evicted(scene: &mut RollScene, terms: &RollTerms) -> Vec<u32> {
    let mut memory = RollMemory::default();
    let mut evicted = Vec::new();
    loop {
        let (index, joins) = match next(scene, &memory, terms) {
            NextRestart::Restart(index) => (index, false),
            NextRestart::Join(index) => (index, true),
            NextRestart::Wait(_) => return evicted,
            other @ (NextRestart::Done | NextRestart::Moving(_) | NextRestart::Unavailable(_)) => {
                panic!("{other:?}")
            }
        };
        assert_eq!(joins, !evicted.is_empty());
        memory.restarts(scene, &scene.pods[index], joins);
        scene.pods[index].terminating = true;
        evicted.push(scene.pods[index].id.0);
    }
}

#[test]
fn a_batch_is_a_rack_and_the_active_controller_goes_alone() {
    let mut scene = racked(9);
    let racks = vec![vec![1, 4, 7], vec![2, 5, 8], vec![3, 6, 9]];
    assert_eq!(planned(&scene, &terms(3)), (racks.clone(), 3));
    assert_eq!(planned(&scene, &terms(9)), (racks, 3));
    let one_by_one = ordered(&scene).into_iter().map(|id| vec![id]).collect();
    assert_eq!(planned(&scene, &terms(1)), (one_by_one, 9));
    scene.controller = Some(BrokerId(5));
    let last = vec![vec![1, 4, 7], vec![2, 8], vec![3, 6, 9], vec![5]];
    assert_eq!(planned(&scene, &terms(3)), (last, 4));
    assert_eq!(planned(&scene, &terms(2)).1, 6);
    assert_eq!(evicted(&mut scene, &terms(3)), [1, 4, 7]);
    let mut scene = racked(9);
    scene.controller = Some(BrokerId(4));
    assert_eq!(evicted(&mut scene, &terms(3)), [1, 7]);
    assert_eq!(evicted(&mut racked(9), &terms(2)), [1, 4]);
    assert_eq!(evicted(&mut racked(9), &terms(1)), [1]);
}

#[test]
fn pods_that_a_partition_needs_are_not_away_together() {
    let mut scene = racked(9);
    // Two replicas in rack a, of which it can spare one.
    add(&mut scene, "near", 2, vec![partition(0, &[1, 4, 2], &[1, 4, 2])]);
    let batches = vec![vec![1, 7], vec![4], vec![2, 5, 8], vec![3, 6, 9]];
    assert_eq!(planned(&scene, &terms(3)), (batches, 4));
    assert_eq!(evicted(&mut scene, &terms(3)), [1, 7]);
    // One of them is out of sync: with trouble anywhere, pods go one by one.
    let mut scene = racked(9);
    add(&mut scene, "near", 1, vec![partition(0, &[4, 7, 2], &[4, 7])]);
    assert_eq!(evicted(&mut scene, &terms(3)), [1], "a replica lags");
    let mut scene = racked(9);
    add(&mut scene, "near", 1, vec![partition(0, &[4, 7], &[4, 7])]);
    assert_eq!(planned(&scene, &terms(3)).0[..2], [vec![1, 4], vec![7]]);
    assert_eq!(evicted(&mut scene, &terms(3)), [1, 4]);
    // Without a replica to spare, one at a time is the least harm.
    let mut scene = racked(9);
    add(&mut scene, "few", 2, vec![partition(0, &[1, 4], &[1, 4])]);
    let leave = RollTerms { allow_unavailable: true, ..terms(3) };
    assert_eq!(planned(&scene, &leave).0[..2], [vec![1, 7], vec![4]]);
    assert_eq!(evicted(&mut scene, &leave), [1, 7]);
    // The number that has to be in sync is unknown.
    let mut scene = racked(9);
    add(&mut scene, "dark", 1, vec![partition(0, &[4, 5, 6], &[4, 5, 6])]);
    scene.cluster.topics.get_mut("dark").unwrap().min_insync_replicas = None;
    assert_eq!(evicted(&mut scene, &terms(3)), [1, 7]);
}

#[test]
fn a_batch_has_one_vote_at_most() {
    let mut scene = racked(9);
    let behind_ms = [1, 4, 5].map(|id| (BrokerId(id), Some(0))).into();
    let active = Some(BrokerId(5));
    scene.voters = Some(Voters { zookeeper: false, active, behind_ms });
    let batches = vec![vec![1, 7], vec![4], vec![2, 8], vec![3, 6, 9], vec![5]];
    assert_eq!(planned(&scene, &terms(3)), (batches, 5));
    assert_eq!(evicted(&mut scene, &terms(3)), [1, 7]);
    for zookeeper in [false, true] {
        let mut scene = quorum(zookeeper);
        assert_eq!(planned(&scene, &terms(3)), (vec![vec![9001], vec![9002], vec![9000]], 3));
        assert_eq!(evicted(&mut scene, &terms(3)), [9001]);
    }
}

#[test]
fn a_server_that_is_down_goes_alone() {
    let mut scene = racked(9);
    for id in [3, 6] {
        scene.cluster.live.remove(&BrokerId(id));
        pod(&mut scene, id).rack = None;
    }
    let batches = vec![vec![3], vec![6], vec![1, 4, 7], vec![2, 5, 8], vec![9]];
    assert_eq!(planned(&scene, &terms(3)), (batches, 5));
    assert_eq!(evicted(&mut scene, &terms(3)), [3]);
}

#[test]
fn a_batch_takes_no_pod_after_one_is_back_or_with_trouble_elsewhere() {
    let begun = || {
        let mut scene = racked(9);
        let mut memory = RollMemory::default();
        memory.restarts(&scene, &scene.pods[0], false);
        pod(&mut scene, 1).terminating = true;
        (scene, memory)
    };
    let (mut scene, memory) = begun();
    assert_eq!(next(&scene, &memory, &terms(3)), NextRestart::Join(3));
    let waits = |scene: &RollScene, memory: &RollMemory| {
        let next = next(scene, memory, &terms(3));
        assert!(matches!(next, NextRestart::Wait(_)), "{next:?}");
    };
    waits(&scene, &RollMemory::default());
    pod(&mut scene, 9).ready = false;
    waits(&scene, &memory);
    pod(&mut scene, 9).ready = true;
    scene.missing = vec!["kafka/kafka-9".to_owned()];
    waits(&scene, &memory);
    // The pod of the batch is missing now, and its broker is gone.
    scene.missing = vec!["kafka/kafka-0".to_owned()];
    scene.pods.remove(0);
    assert_eq!(next(&scene, &memory, &terms(3)), NextRestart::Join(2));
    // It is back, and a second one is not.
    let (mut scene, mut memory) = begun();
    memory.restarts(&scene, &scene.pods[3], true);
    pod(&mut scene, 4).terminating = true;
    let first = pod(&mut scene, 1);
    (first.terminating, first.outdated, first.uid) = (false, false, "second".into());
    waits(&scene, &memory);
    assert!(memory.is_of_batch(BrokerId(4)) && !memory.is_of_batch(BrokerId(7)));
}

#[test]
fn auto_restarts_a_tenth_and_doubles_no_leaders() {
    assert_eq!(evicted(&mut racked(9), &AUTO), [1]);
    let mut scene = racked(30);
    assert_eq!(evicted(&mut scene, &AUTO), [1, 4, 7]);
    // While they are away, the share is still that of all brokers.
    let mut scene = racked(21);
    let mut memory = RollMemory::default();
    for (index, joins) in [(0, false), (3, true)] {
        memory.restarts(&scene, &scene.pods[index], joins);
        scene.pods[index].terminating = true;
        scene.cluster.live.remove(&scene.pods[index].id);
    }
    assert_eq!(next(&scene, &memory, &AUTO), NextRestart::Join(6));
    assert_eq!(planned(&racked(30), &AUTO).1, 12);
    // Broker 2 would lead in the place of 1 twice, and of 4 and 7.
    let mut scene = racked(30);
    let led = |n: u32, id: u32| partition(n, &[id, 2, 3], &[id, 2, 3]);
    add(&mut scene, "u", 2, vec![led(0, 1), led(1, 4), led(2, 7)]);
    let leads: usize = scene.cluster.topics.values().map(|topic| topic.partitions.len()).sum();
    assert_eq!(leads.div_ceil(30), 2, "a broker leads two on average");
    assert_eq!(evicted(&mut scene.clone(), &AUTO), [1, 10, 13]);
    assert_eq!(planned(&scene, &AUTO).0[0], [1, 10, 13]);
    assert_eq!(evicted(&mut scene, &terms(3)), [1, 4, 7], "a number is the operator's word");
}

/// Without optimisation, a plan takes 0.4 s and a choice of the next pod 0.2 s. Work of pods times partitions would take
/// minutes.
#[test]
fn a_thousand_pods_with_a_hundred_thousand_partitions_are_planned_quickly() {
    let mut scene = racked(1_000);
    for topic in 0..33 {
        let shift = topic * 3;
        let at = |first: u32, n: u32| (first + n) % 1_000 + 1;
        let partitions = (0..3_000).map(|first| {
            let replicas = [at(first, 0), at(first, shift + 1), at(first, shift + 2)];
            partition(first, &replicas, &replicas)
        });
        add(&mut scene, &format!("topic-{topic}"), 2, partitions.collect());
    }
    for (terms, most, expected) in [(terms(50), 50, 21), (AUTO, 100, 12)] {
        let all = batches(&scene, &terms);
        let mut memory = RollMemory::default();
        memory.restarts(&scene, &scene.pods[0], false);
        scene.pods[0].terminating = true;
        assert!(matches!(next(&scene, &memory, &terms), NextRestart::Join(_)));
        scene.pods[0].terminating = false;
        assert!(all.batches.iter().all(|batch| batch.len() <= most));
        assert_eq!(all.batches.concat().len(), 1_000);
        assert_eq!((all.batches.len(), all.at_least), (expected, expected));
    }
}

/// A small generator, so that a failure names the seed that repeats it.
struct Dice(u64);

impl Dice {
    fn pick(&mut self, from: &mut Vec<u32>) -> u32 {
        let at = self.below(u32::try_from(from.len()).unwrap());
        from.remove(at as usize)
    }

    fn below(&mut self, end: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }
}

fn random(dice: &mut Dice) -> RollScene {
    let racks = 1 + dice.below(3);
    let count = racks * (1 + dice.below(4));
    let mut scene = racked(count);
    for (index, pod) in (0..).zip(&mut scene.pods) {
        let rack = ["a", "b", "c"][(index % racks) as usize];
        pod.rack = (racks > 1).then(|| rack.to_owned());
    }
    for topic in 0..1 + dice.below(4) {
        let size = 1 + dice.below(count.min(4));
        let partitions = (0..1 + dice.below(5)).map(|id| {
            let mut all: Vec<u32> = (1..=count).collect();
            let replicas: Vec<u32> = (0..size).map(|_| dice.pick(&mut all)).collect();
            partition(id, &replicas, &replicas)
        });
        let partitions = partitions.collect();
        add(&mut scene, &format!("random-{topic}"), 1 + dice.below(3), partitions);
    }
    scene.cluster.topics.remove("t");
    match dice.below(3) {
        0 => scene.controller = Some(BrokerId(1 + dice.below(count))),
        1 => {
            let voters: Vec<BrokerId> = (1..=count.min(3)).map(BrokerId).collect();
            let behind_ms = voters.iter().map(|id| (*id, Some(0))).collect();
            scene.voters = Some(Voters { zookeeper: false, active: Some(voters[0]), behind_ms });
        }
        _ => {}
    }
    scene
}

/// A cluster whose restarted pods take random times for each step.
struct World {
    scene: RollScene,
    racks: BTreeMap<BrokerId, Option<String>>,
    /// The servers that do not run, whatever the cluster reports of them.
    down: BTreeSet<BrokerId>,
    full: BTreeMap<String, Topic>,
}

impl World {
    fn of(scene: RollScene) -> Self {
        let racks = scene.pods.iter().map(|pod| (pod.id, pod.rack.clone())).collect();
        let full = scene.cluster.topics.clone();
        Self { scene, racks, down: BTreeSet::new(), full }
    }

    fn evict(&mut self, index: usize) {
        self.scene.pods[index].terminating = true;
    }

    /// Some of the pods and servers that are on their way get one step further.
    fn advance(&mut self, dice: &mut Dice) {
        for index in 0..self.scene.pods.len() {
            let pod = &mut self.scene.pods[index];
            pod.age_seconds += 1;
            let id = pod.id;
            if pod.terminating {
                // The server ends, then its pod. The new pod may be ready before the cluster has noticed.
                match self.down.contains(&id) {
                    false if dice.one_in(3) => drop(self.down.insert(id)),
                    true if dice.one_in(2) => {
                        let uid = format!("{}+", pod.uid);
                        let ready = dice.one_in(2);
                        let (outdated, terminating, age_seconds) = (false, false, 0);
                        *pod =
                            Pod { uid, outdated, terminating, age_seconds, ready, ..pod.clone() };
                    }
                    _ => {}
                }
            } else if self.down.contains(&id) {
                pod.ready |= dice.one_in(2);
                // It starts only once the cluster has noticed: a broker cannot register twice.
                if pod.ready && !self.scene.cluster.live.contains(&id) && dice.one_in(3) {
                    self.down.remove(&id);
                    self.scene.cluster.live.insert(id);
                    let rack = self.racks[&id].clone();
                    self.scene.pods[index].rack = rack;
                    self.behind(id, Some(0));
                }
            }
            if self.down.contains(&id) && self.scene.cluster.live.contains(&id) && dice.one_in(2) {
                self.scene.cluster.live.remove(&id);
                self.scene.pods[index].rack = None;
                self.behind(id, None);
            }
        }
        self.sync(dice);
    }

    fn behind(&mut self, id: BrokerId, ms: Option<u64>) {
        if let Some(voters) = &mut self.scene.voters
            && let Some(behind) = voters.behind_ms.get_mut(&id)
        {
            *behind = ms;
        }
    }

    /// Replicas of brokers that are not live leave the ISR, and those of live ones come back some time.
    fn sync(&mut self, dice: &mut Dice) {
        let live = self.scene.cluster.live.clone();
        for (name, topic) in &self.full {
            for (index, whole) in topic.partitions.iter().enumerate() {
                let replicas: Vec<u32> = whole.replicas.iter().map(|id| id.0).collect();
                let now = &self.scene.cluster.topics[name].partitions[index];
                let was = crate::seen::isr(now).to_vec();
                let kept: Vec<u32> = replicas
                    .iter()
                    .filter(|id| live.contains(&BrokerId(**id)))
                    .filter(|id| was.contains(&BrokerId(**id)) || dice.one_in(3))
                    .copied()
                    .collect();
                isr(&mut self.scene, name, index, &kept);
            }
        }
    }

    /// No partition with a replica to spare is under its min ISR, counting only servers that run.
    fn check(&self, told: &str) {
        for (topic, partition) in impact::partitions(&self.scene) {
            let runs = |id: &&BrokerId| !self.down.contains(id);
            let left = crate::seen::isr(partition).iter().filter(runs).count();
            let min = topic.min_insync_replicas.unwrap() as usize;
            let replicas = partition.replicas.len();
            if replicas > min {
                assert!(left >= min, "{told}: {} {partition:?}, down: {:?}", topic.name, self.down);
            } else {
                assert!(left + 1 >= replicas, "{told}: {} {partition:?}", topic.name);
            }
        }
        if let Some(voters) = &self.scene.voters {
            let away = voters.behind_ms.keys().filter(|id| self.down.contains(id)).count();
            assert!(away <= 1, "{told}: two votes are away");
        }
    }
}

#[test]
fn rolls_in_batches_of_random_clusters_never_harm_and_end() {
    let mut together = 0;
    for seed in 0..600 {
        let mut dice = Dice(seed);
        let scene = random(&mut dice);
        let most = 1 + dice.below(4);
        let max_parallel = match dice.one_in(6) {
            true => MaxParallel::Auto,
            false => MaxParallel::Pods(most as usize),
        };
        let most = if max_parallel == MaxParallel::Auto { 2 } else { most as usize };
        let terms = RollTerms { allow_unavailable: true, max_parallel, settle_seconds: 30 };
        let killed_every = [usize::MAX, 40, 7][dice.below(3) as usize];
        let plan = batches(&scene, &terms);
        let told = format!("seed {seed}, {max_parallel:?}, killed every {killed_every}");
        let (count, mut begun) = (scene.pods.len(), 0);
        let (mut world, mut memory) = (World::of(scene), RollMemory::default());
        let mut restarted: BTreeSet<BrokerId> = BTreeSet::new();
        let mut ended = false;
        for look in 1..20_000 {
            if look % killed_every == 0 {
                memory = RollMemory::default();
            }
            world.advance(&mut dice);
            world.check(&told);
            memory.look(&world.scene);
            let (index, joins) = match next(&world.scene, &memory, &terms) {
                NextRestart::Done => {
                    ended = true;
                    break;
                }
                NextRestart::Wait(_) => continue,
                NextRestart::Restart(index) => (index, false),
                NextRestart::Join(index) => (index, true),
                other @ (NextRestart::Moving(_) | NextRestart::Unavailable(_)) => {
                    panic!("{told}: {other:?}")
                }
            };
            let pod = world.scene.pods[index].clone();
            memory.restarts(&world.scene, &pod, joins);
            assert!(restarted.insert(pod.id), "{told}: {pod:?} twice");
            world.evict(index);
            begun += usize::from(!joins);
            let away = |pod: &&Pod| pod.terminating || world.down.contains(&pod.id);
            let away: Vec<BrokerId> =
                world.scene.pods.iter().filter(away).map(|pod| pod.id).collect();
            assert!(away.len() <= most, "{told}: {away:?}");
            assert!(
                away.iter().all(|id| world.racks[id] == world.racks[&pod.id]),
                "{told}: {away:?}"
            );
            together += usize::from(away.len() > 1);
            let active =
                world.scene.voters.as_ref().map_or(world.scene.controller, |all| all.active);
            assert!(active != Some(pod.id) || away.len() == 1, "{told}: {away:?}");
        }
        assert!(ended && restarted.len() == count, "{told}: {restarted:?}");
        assert!(begun >= plan.at_least, "{told}: {begun} batches, at least {}", plan.at_least);
        assert!(plan.batches.len() >= plan.at_least, "{told}: {plan:?}");
    }
    assert!(together > 500, "only {together} restarts while others were away");
}
