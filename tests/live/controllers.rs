//! Controllers get and lose their votes while a producer writes: three become five, five become three, one is replaced,
//! and one has lost its disk. Runs are killed at any moment and start again; controllers are killed, too.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use testbed::{Access, Cluster, Error, FIRST_MEMBER, Mechanism, Mode, Security, User, until};

use crate::admin::set;
use crate::bad_input::file;
use crate::binary::{Ended, Run, SOLE, command, topicmappr};
use crate::producer::Producer;
use crate::traffic::{SOON, Traffic};

const WRITES: &str = "writes";
/// Controllers with a process of their own, which can be killed.
const MORTAL: [i32; 2] = [3, 5];
/// The longest time after which a run is killed. A change takes half a second.
const KILLED_WITHIN_MS: u64 = 900;

struct Scene {
    cluster: Cluster,
    /// The controllers that run.
    up: BTreeSet<i32>,
    chance: StdRng,
    kills: u32,
}

fn id(index: i32) -> String {
    (FIRST_MEMBER + index).to_string()
}

impl Scene {
    fn of(cluster: Cluster) -> Self {
        let up = (0..3).collect();
        Self { cluster, up, chance: StdRng::seed_from_u64(7), kills: 0 }
    }

    fn args(&self, args: &[&str]) -> Vec<String> {
        let own = ["controllers"].iter().chain(args).map(|arg| (*arg).to_owned());
        own.chain(["--bootstrap-server".to_owned(), self.cluster.bootstrap()]).collect()
    }

    fn run(&self, args: &[&str]) -> Ended {
        topicmappr(self.args(args))
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.run(&["status", "--output", "json"]).stdout).unwrap()
    }

    fn voters(&self) -> Vec<i32> {
        let status = self.status();
        let voters = status["voters"].as_array().unwrap();
        let ids = voters.iter().map(|voter| voter["id"].as_i64().unwrap() as i32 - FIRST_MEMBER);
        let mut ids: Vec<i32> = ids.collect();
        ids.sort_unstable();
        ids
    }

    fn active(&self) -> i32 {
        let leader = || Some(self.status()["leader"].as_i64()? as i32 - FIRST_MEMBER);
        until("an active controller", SOON, leader).unwrap()
    }

    /// Kafka 4.3.1 may end a controller that starts while voters change ("Expected to be Follower, but the current state is
    /// Unattached"). Its supervisor starts it again.
    fn start(&mut self, index: i32) {
        let id = FIRST_MEMBER + index;
        for _ in 0..2 {
            match self.cluster.start_member(id) {
                Err(Error::Died { node, log, .. }) => {
                    eprintln!("{node} has ended, and is started again:\n{log}");
                    self.cluster.kill_member(id).unwrap();
                }
                started => {
                    started.unwrap();
                    self.up.insert(index);
                    return;
                }
            }
        }
        self.cluster.start_member(id).unwrap();
        self.up.insert(index);
    }

    fn stop(&mut self, index: i32) {
        self.cluster.stop_member(FIRST_MEMBER + index).unwrap();
        self.up.remove(&index);
    }

    fn kill(&mut self, index: i32) {
        self.cluster.kill_member(FIRST_MEMBER + index).unwrap();
        self.up.remove(&index);
    }

    /// The next controller has an empty disk again.
    fn wipe(&mut self, index: i32) {
        self.cluster.wipe_member(FIRST_MEMBER + index).unwrap();
    }

    /// Kills this command at a random moment, so many times, and runs it to its end.
    fn killed(&mut self, times: u32, args: &[&str]) -> Ended {
        // A claim outlives its holder by half a minute.
        let args = [args, &["--yes", SOLE]].concat();
        for _ in 0..times {
            let run = Run::start(self.args(&args));
            thread::sleep(Duration::from_millis(self.chance.random_range(0..KILLED_WITHIN_MS)));
            run.kill();
            self.kills += 1;
        }
        self.run(&args).with(0)
    }
}

fn three_controllers(spares: u16) -> testbed::Builder {
    Cluster::builder().quorum(3).dynamic(spares).brokers(3)
}

fn producer(scene: &Scene) -> Producer {
    let topic = (WRITES.to_owned(), vec![vec![1001, 1002, 1003]]);
    Traffic::of(&scene.cluster).create(&[topic].into());
    set(&scene.cluster, "topics", WRITES, "min.insync.replicas=2");
    Producer::start(&scene.cluster, WRITES)
}

/// The cluster takes new metadata, and has kept what it had.
fn has_its_metadata(scene: &Scene, name: &str) {
    let traffic = Traffic::of(&scene.cluster);
    traffic.create(&[(name.to_owned(), vec![vec![1001, 1002]])].into());
    let seen = traffic.seen();
    for topic in [WRITES, name] {
        assert!(seen.keys().any(|of| of.0 == topic), "{topic} is missing: {seen:?}");
    }
}

/// Three become five.
fn grown(scene: &mut Scene) {
    let waits = scene.run(&["add", &id(3), "--dry-run"]).with(5);
    assert!(waits.stdout.contains("does not follow the quorum yet"), "{}", waits.stdout);
    scene.run(&["add", "1001", "--yes"]).with(1).complaining_of("1001 is a broker");
    scene.start(3);
    scene.start(4);
    let ready = || {
        let plan = scene.run(&["add", &id(3), "--dry-run"]).with(5).stdout;
        (!plan.contains("Before the first change")).then_some(plan)
    };
    let plan = until("a new controller that has caught up", SOON, ready).unwrap();
    assert!(plan.contains("CONTROLLER://127.0.0.1:"), "{plan}");
    assert_eq!(scene.voters(), [0, 1, 2], "a rehearsal changes nothing");
    scene.killed(1, &["add", &id(3)]);
    scene.killed(1, &["add", &id(4)]);
    assert_eq!(scene.voters(), [0, 1, 2, 3, 4]);
}

/// While a run waits for its controller, no other run begins.
fn one_at_a_time(scene: &Scene) {
    let log = scene.cluster.path().join("first.log");
    let mut first = command();
    first.args(scene.args(&["add", &id(9), "--yes"]));
    let first = Run::logging(first, &log);
    let waits = || fs::read_to_string(&log).unwrap().contains("waiting (").then_some(());
    until("a run that has claimed the cluster", SOON, waits).unwrap();
    let second = scene.run(&["add", &id(9), "--yes", "--timeout", "1s"]).with(7);
    second.complaining_of("the claim executor in __mappr_state");
    first.signal("-TERM");
    first.end();
    let third = scene.run(&["add", &id(9), "--yes", "--timeout", "1s"]).with(6);
    assert!(third.stdout.contains("does not follow the quorum yet"), "{}", third.stdout);
}

/// One of five is replaced, and the new one dies before it has caught up.
fn replaced(scene: &mut Scene) {
    scene.start(5);
    scene.kill(5);
    let (old, new) = (id(1), id(5));
    let run = Run::start(scene.args(&["replace", &old, &new, "--yes", SOLE]));
    thread::sleep(Duration::from_secs(2));
    assert!(scene.voters().contains(&1), "the old one keeps its vote");
    scene.start(5);
    run.end().with(0);
    scene.killed(1, &["replace", &old, &new]);
    assert_eq!(scene.voters(), [0, 2, 3, 4, 5]);
    scene.stop(1);
}

/// Five become three. The active controller goes, too.
fn shrunk(scene: &mut Scene) -> Vec<i32> {
    let active = scene.active();
    let gone = scene.run(&["remove", &id(active), "--yes", SOLE]).with(0);
    assert!(gone.stderr.contains("removing the active controller"), "{}", gone.stderr);
    let second = scene.voters().into_iter().rfind(|index| !MORTAL.contains(index)).unwrap();
    scene.killed(1, &["remove", &id(second)]);
    let left = scene.voters();
    assert!(left.len() == 3 && !left.contains(&active) && !left.contains(&second), "{left:?}");
    scene.stop(active);
    scene.stop(second);
    left
}

/// One of three is killed, so no other may go. It returns with an empty disk.
fn renewed(scene: &mut Scene, left: &[i32]) {
    let dies = MORTAL.into_iter().find(|index| left.contains(index)).unwrap();
    let other = left.iter().copied().find(|index| *index != dies).unwrap();
    scene.kill(dies);
    let silent = || (scene.run(&["status"]).code == Some(5)).then_some(());
    until("a controller that is silent", SOON, silent).unwrap();
    scene.run(&["remove", &id(other), "--yes"]).with(1).complaining_of("a majority is 2");
    scene.wipe(dies);
    scene.start(dies);
    let lost = id(dies);
    scene.killed(1, &["replace", &lost, &lost]);
    assert_eq!(scene.voters(), left);
    let whole = || (scene.run(&["status"]).code == Some(0)).then_some(());
    until("a whole quorum", SOON, whole).unwrap();
}

#[test]
#[ignore = "live"]
fn controllers_are_added_replaced_and_removed_under_writes() {
    let mortal = MORTAL.map(|index| FIRST_MEMBER + index);
    let mut scene = Scene::of(three_controllers(3).processes_of(mortal).start().unwrap());
    let producer = producer(&scene);
    let status = scene.run(&["status"]).with(0).stdout;
    assert!(status.starts_with("A dynamic quorum (kraft.version 1): 3 voters"), "{status}");
    grown(&mut scene);
    one_at_a_time(&scene);
    replaced(&mut scene);
    let left = shrunk(&mut scene);
    has_its_metadata(&scene, "after-three");
    renewed(&mut scene, &left);
    has_its_metadata(&scene, "at-the-end");
    producer.has_lost_nothing();
}

#[test]
#[ignore = "live"]
fn other_quorums_are_told_what_to_do() {
    let zookeeper = Cluster::builder().mode(Mode::ZooKeeper).brokers(1).start().unwrap();
    for flags in [["--bootstrap-server", &zookeeper.bootstrap()], ["--zookeeper", "127.0.0.1:1"]] {
        for words in [&["status"][..], &["add", "9001", "--yes"], &["replace", "1", "2", "--yes"]] {
            let args = [&["controllers"], words, &flags].concat();
            topicmappr(args).with(1).complaining_of("keeps its metadata in ZooKeeper");
        }
    }
    let scene = Scene::of(Cluster::builder().brokers(1).start().unwrap());
    let status = scene.run(&["status"]).with(0).stdout;
    assert!(status.starts_with("A static quorum (kraft.version 0): 1 voter"), "{status}");
    assert!(status.contains("upgrade --feature kraft.version=1"), "{status}");
    let refused = scene.run(&["remove", &id(0), "--yes"]).with(1);
    refused.complaining_of("static").complaining_of("kraft.version=1");
    // What the hint says works.
    scene.cluster.tool("features", ["upgrade", "--feature", "kraft.version=1"]).unwrap();
    let dynamic = || {
        let status = scene.run(&["status"]).with(0).stdout;
        status.starts_with("A dynamic quorum").then_some(())
    };
    until("a dynamic quorum", SOON, dynamic).unwrap();
    scene.run(&["remove", &id(0), "--yes"]).with(1).complaining_of("is the only voter");
}

/// Brokers that are controllers, too, take all votes over. The controllers' listeners are those of the chart's example
/// `combined.yaml`: TLS with client certificates.
#[test]
#[ignore = "live"]
fn combined_nodes_get_votes_over_tls() {
    votes_go_to_combined_nodes("SSL", &Access::MutualTls);
}

fn votes_go_to_combined_nodes(protocol: &'static str, access: &Access) {
    let builder = Cluster::builder().quorum(3).dynamic(0).brokers(3).combined();
    let builder = builder.security(Security::Authenticated).controllers_by(protocol);
    let scene = Scene::of(builder.start().unwrap());
    let producer = producer(&scene);
    let client = scene.cluster.client(access);
    let sound = file(&scene.cluster, &client.librdkafka());
    let other = file(&scene.cluster, &client.trusting_a_stranger().librdkafka());
    let add = ["add", "1001", "--yes", SOLE];
    // Without the properties for that listener, and with the wrong authority.
    let plain =
        scene.run(&add).with(3).complaining_of("where controller 1001 listens is not known");
    plain.complaining_of("--controller-config");
    let distrusted = scene.run(&[&add[..], &["--controller-config", &other]].concat()).with(3);
    distrusted.complaining_of("its certificate is not signed by a trusted CA");
    let secured = ["--yes", SOLE, "--controller-config", &sound];
    let run = |words: &[&str]| scene.run(&[words, &secured].concat()).with(0);
    run(&["add", "1001"]);
    run(&["replace", &id(0), "1002"]);
    run(&["replace", &id(1), "1003"]);
    scene.run(&["remove", &id(2), "--yes", SOLE]).with(0);
    let status = scene.status();
    let voters = status["voters"].as_array().unwrap();
    let ids: BTreeSet<i64> = voters.iter().map(|voter| voter["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [1001, 1002, 1003].into(), "{status:#}");
    // The named listener needs no controller that tells.
    scene.run(&["remove", "1003", "--yes", SOLE]).with(0);
    let at = voters.iter().find(|voter| voter["id"] == 1003).unwrap();
    let endpoint = at["endpoints"][0].as_str().unwrap();
    scene.run(&["add", "1003", "--yes", SOLE, "--endpoint", endpoint]).with(0);
    has_its_metadata(&scene, "at-the-end");
    producer.has_lost_nothing();
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn combined_nodes_get_votes_over_sasl() {
        let access = Access::Sasl(Mechanism::Plain, User::ADMIN);
        votes_go_to_combined_nodes("SASL_SSL", &access);
    }

    const ROUNDS: u32 = 30;

    /// One step of a round: a command, while it is killed, and at times a controller, too.
    fn step(scene: &mut Scene, args: &[&str]) {
        let args = [args, &["--yes", "--timeout", "3m", SOLE]].concat();
        let run = Run::start(scene.args(&args));
        thread::sleep(Duration::from_millis(scene.chance.random_range(0..KILLED_WITHIN_MS)));
        run.kill();
        scene.kills += 1;
        let up: Vec<i32> = scene.up.iter().copied().collect();
        let victim = up[scene.chance.random_range(0..up.len())];
        scene.kill(victim);
        let again = Run::start(scene.args(&args));
        thread::sleep(Duration::from_millis(scene.chance.random_range(0..3_000)));
        scene.start(victim);
        // A run may rightly have refused while the controller was down.
        let ended = again.end();
        assert!(matches!(ended.code, Some(0 | 1 | 3)), "{ended:?}");
        let whole = || scene.run(&args).code.filter(|code| *code == 0);
        until("the end of the command", SOON, whole).unwrap();
    }

    #[test]
    #[ignore = "soak"]
    fn voters_change_while_runs_and_controllers_are_killed() {
        let mut scene = Scene::of(three_controllers(3).processes().start().unwrap());
        let producer = producer(&scene);
        while scene.kills < ROUNDS {
            let voters = scene.voters();
            assert_eq!(voters.len(), 3, "{voters:?}");
            let spares: Vec<i32> = (0..6).filter(|index| !voters.contains(index)).collect();
            spares.iter().for_each(|index| scene.start(*index));
            step(&mut scene, &["add", &id(spares[0])]);
            step(&mut scene, &["add", &id(spares[1])]);
            let old = scene.active();
            step(&mut scene, &["replace", &id(old), &id(spares[2])]);
            for _ in 0..2 {
                let first = scene.voters()[0];
                step(&mut scene, &["remove", &id(first)]);
            }
            let voters = scene.voters();
            for index in (0..6).filter(|index| !voters.contains(index)) {
                scene.stop(index);
                scene.wipe(index);
            }
            has_its_metadata(&scene, &format!("after-{}", scene.kills));
        }
        producer.has_lost_nothing();
    }
}
