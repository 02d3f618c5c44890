//! The migration from ZooKeeper to KRaft in Kafka 3.9 (KIP-866), while the daemon runs, executions move replicas, and an
//! idempotent producer writes. It is `cargo xtask test soak --only migration`.

mod soak {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use serde_json::json as value;
    use testbed::{Cluster, FIRST_MEMBER, Step, until};

    use crate::admin::{in_flight, set};
    use crate::binary::{Ended, Run, topicmappr};
    use crate::daemon::Daemon;
    use crate::execution::{Configs, throttles};
    use crate::plan::Partition;
    use crate::producer::Producer;
    use crate::traffic::{SOON, Traffic};

    const TOPIC: &str = "events";
    const WRITES: &str = "writes";
    const PARTITIONS: i32 = 6;
    /// The size of a partition. A move copies six of them to each of two brokers.
    const BYTES: usize = 1_000_000;
    /// The moves of a run end within seconds.
    const QUICK: &str = "2MB/s";
    /// Without metrics the daemon uses the least rate. At this one, the moves of a run take longer than four brokers take to
    /// restart one by one.
    const DAEMON: [&str; 6] = ["--metrics", "none", "--interval", "2", "--min-rate", "0.05"];
    const LEAST: &str = "50000";
    const STORAGE: [&str; 2] = ["--broker-storage", "1001=9GB,1002=9GB,1003=9GB,1004=9GB"];

    /// Where daemon and executions keep their records.
    #[derive(Clone, Copy, PartialEq)]
    enum Place {
        Topic,
        ZooKeeper,
    }

    struct Scene<'c> {
        cluster: &'c Cluster,
        traffic: Traffic<'c>,
        folder: tempfile::TempDir,
        place: Place,
        /// `None` while it restarts.
        daemon: Option<Daemon>,
        before: Configs,
        /// The brokers of every replica of the topic.
        home: [i32; 2],
        began: Instant,
        runs: u32,
    }

    /// An execution that is on its way to these brokers.
    struct Moving {
        run: Run,
        to: [i32; 2],
    }

    fn only() -> BTreeMap<Partition, Vec<i32>> {
        [((TOPIC.to_owned(), 0), Vec::new())].into()
    }

    fn start_daemon(cluster: &Cluster, folder: &tempfile::TempDir, place: Place) -> Daemon {
        let zookeeper = cluster.zookeeper();
        let mut flags = DAEMON.to_vec();
        if place == Place::ZooKeeper {
            flags.extend(["--zookeeper", &zookeeper]);
        }
        let daemon = Daemon::elsewhere(&cluster.bootstrap(), folder.path(), &flags);
        until("the lead", SOON, || daemon.leads().then_some(()))
            .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
        daemon
    }

    impl<'c> Scene<'c> {
        fn of(cluster: &'c Cluster, place: Place) -> Self {
            let traffic = Traffic::of(cluster);
            let lists = (0..PARTITIONS).map(|_| vec![1001, 1002]).collect();
            let writes = (WRITES.to_owned(), vec![vec![1001, 1002, 1003]]);
            traffic.create(&BTreeMap::from([(TOPIC.to_owned(), lists), writes]));
            let bytes = (0..PARTITIONS).map(|p| ((TOPIC.to_owned(), p), BYTES)).collect();
            traffic.write_in(&bytes, 1_000, 20_000);
            set(cluster, "topics", WRITES, "min.insync.replicas=2");
            // What an operator has set. It slows the moves of another tool, so that the daemon meets them on any machine.
            set(cluster, "brokers", "1002", "leader.replication.throttled.rate=44444444");
            for id in ["1001", "1002", "1003", "1004"] {
                set(cluster, "brokers", id, "follower.replication.throttled.rate=30000");
            }
            set(cluster, "topics", TOPIC, "leader.replication.throttled.replicas=[77:1001]");
            set(cluster, "topics", TOPIC, "follower.replication.throttled.replicas=*");
            let before = throttles(cluster, &only());
            let folder = tempfile::tempdir().unwrap();
            let daemon = Some(start_daemon(cluster, &folder, place));
            let (home, began) = ([1001, 1002], Instant::now());
            Self { cluster, traffic, folder, place, daemon, before, home, began, runs: 0 }
        }

        fn say(&self, what: &str) {
            eprintln!("{:>4} s  {what}", self.began.elapsed().as_secs());
        }

        fn daemon(&self) -> &Daemon {
            self.daemon.as_ref().unwrap()
        }

        fn said(&self) -> String {
            self.daemon.as_ref().map(Daemon::said).unwrap_or_default()
        }

        /// Ends the daemon, which has restored everything.
        fn stop_daemon(&mut self) {
            let (code, said) = self.daemon.take().unwrap().leave();
            assert_eq!(code, Some(143), "{said}");
        }

        fn start_daemon(&mut self) {
            self.daemon = Some(start_daemon(self.cluster, &self.folder, self.place));
        }

        fn other_home(&self) -> [i32; 2] {
            if self.home == [1001, 1002] { [1003, 1004] } else { [1001, 1002] }
        }

        fn run(&self, args: &[&str]) -> Ended {
            let bootstrap = self.cluster.bootstrap();
            topicmappr(args.iter().chain(&["--bootstrap-server", &bootstrap]))
        }

        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Begins to move every replica to the other two brokers.
        fn begin(&mut self, pace: &[&str]) -> Moving {
            self.runs += 1;
            let plan = self.at(&format!("plan-{}.json", self.runs)).display().to_string();
            let to = self.other_home();
            let brokers = format!("{},{}", to[0], to[1]);
            let asked = ["rebuild", "--topics", TOPIC, "--brokers", &brokers, "--out-file", &plan];
            self.run(&[&asked[..], &STORAGE, &["--ignore-warns"]].concat()).with(0);
            let (bootstrap, zookeeper) = (self.cluster.bootstrap(), self.cluster.zookeeper());
            let mut own = vec!["execute", &plan, "--bootstrap-server", &bootstrap, "--yes"];
            if self.place == Place::ZooKeeper {
                own.extend(["--zookeeper", &zookeeper]);
            }
            Moving { run: Run::start(own.iter().chain(pace)), to }
        }

        /// The same at the daemon's rate, once the first replica is on its way.
        fn begin_slowly(&mut self) -> Moving {
            let url = self.daemon().url();
            let url = url.trim_end_matches('/');
            let moving = self.begin(&["--throttle", "auto", "--autothrottle", url]);
            let begun = || (!in_flight(self.cluster).is_empty()).then_some(());
            until("a move in flight", SOON, begun).unwrap();
            moving
        }

        /// Waits for the end of an execution. Every throttle is as its operator left it.
        fn end(&mut self, moving: Moving) {
            let ended = moving.run.end();
            assert_eq!(ended.code, Some(0), "{}\n{}", ended.stderr, self.said());
            self.home = moving.to;
            self.is_at_home();
            self.is_as_before(&ended.stderr);
        }

        /// Brokers tell of an end later than the controller, which executions and [`in_flight`] ask.
        fn is_at_home(&self) {
            let home = BTreeSet::from(self.home);
            let there = |partition| {
                let seen = self.traffic.seen();
                let replicas = &seen[&(TOPIC.to_owned(), partition)].replicas;
                let replicas: BTreeSet<i32> = replicas.iter().copied().collect();
                (replicas == home).then_some(())
            };
            for partition in 0..PARTITIONS {
                until(format!("{TOPIC}-{partition} on {home:?}"), SOON, || there(partition))
                    .unwrap();
            }
        }

        fn is_as_before(&self, said: &str) {
            let now = || throttles(self.cluster, &only());
            until("throttles as before", SOON, || (now() == self.before).then_some(()))
                .unwrap_or_else(|why| panic!("{why}\n{:#?}\n{said}\n{}", now(), self.said()));
        }

        /// An execution sets its own rate. The daemon leaves it, and lists the same replicas.
        fn executes(&mut self) {
            let moving = self.begin(&["--throttle", QUICK]);
            self.end(moving);
            self.say("an execution with its own rate");
        }

        /// The daemon sets the rate of an execution.
        fn executes_by_the_daemon(&mut self) {
            let url = self.daemon().url();
            let url = url.trim_end_matches('/');
            let moving = self.begin(&["--throttle", QUICK, "--autothrottle", url]);
            self.end(moving);
            self.say("an execution that the daemon paces");
        }

        /// Kafka's own tool moves the replicas. The daemon paces them, and cleans up.
        fn daemon_paces(&mut self) {
            let to = self.other_home();
            let of = |partition| value!({"topic": TOPIC, "partition": partition, "replicas": to});
            let moves: Vec<_> = (0..PARTITIONS).map(of).collect();
            let file = self.at("move.json");
            let text = value!({"version": 1, "partitions": moves}).to_string();
            std::fs::write(&file, text).unwrap();
            let file = file.display().to_string();
            let args = ["--execute", "--reassignment-json-file", &file];
            self.cluster.tool("reassign", args).unwrap();
            let (from, to_id) = (self.home.map(|id| id.to_string()), to.map(|id| id.to_string()));
            until("the daemon's rate", SOON, || {
                let now = throttles(self.cluster, &only());
                let has = |id: &String, side: &str| {
                    now[id].get(&format!("{side}.replication.throttled.rate"))
                        == Some(&LEAST.to_owned())
                };
                let all = to_id.iter().all(|id| has(id, "follower"));
                (all && from.iter().any(|id| has(id, "leader"))).then_some(())
            })
            .unwrap_or_else(|why| panic!("{why}\n{}", self.said()));
            self.daemon().ask("POST", "/throttle?rate=150&autoremove=true");
            until("the end of the moves", SOON, || {
                in_flight(self.cluster).is_empty().then_some(())
            })
            .unwrap_or_else(|why| panic!("{why}\n{}", self.said()));
            self.home = to;
            self.is_at_home();
            self.is_as_before("");
            self.say("the daemon has paced another tool's moves");
        }

        fn all_in_sync(&self) {
            let whole = || (self.traffic.in_sync(WRITES, 0) == Some(3)).then_some(());
            until("three replicas in sync", SOON, whole).unwrap();
        }

        fn restart(&self, ids: &[i32], step: Step) {
            for id in ids {
                self.all_in_sync();
                self.cluster.restart_at(*id, step).unwrap();
            }
            self.all_in_sync();
            self.say(&format!("brokers {ids:?}: {step:?}"));
        }

        /// Everything, in one phase of the migration.
        fn all_works(&mut self, phase: &str) {
            self.say(&format!("--- {phase}"));
            self.daemon_paces();
            self.executes();
            self.executes_by_the_daemon();
            let doctor = self.run(&[&["doctor"][..], &STORAGE].concat());
            assert!(matches!(doctor.code, Some(0 | 5)), "{doctor:?}");
        }

        /// A snapshot of znodes alone.
        fn by_znodes(&self) -> Ended {
            let (zookeeper, file) = (self.cluster.zookeeper(), self.at("znodes.json"));
            let file = file.display().to_string();
            topicmappr(["snapshot", "--zookeeper", &zookeeper, "--out-file", &file])
        }

        /// What ZooKeeper knows is not the whole cluster, or is old.
        fn znodes_are_refused(&self) {
            let refused = self.by_znodes().with(2).complaining_of("leads this cluster");
            refused.complaining_of("--bootstrap-server");
        }

        /// The brokers that are registered in ZooKeeper.
        fn registered(&self) -> Vec<i32> {
            let shown = self.cluster.tool("zookeeper-shell", ["ls", "/brokers/ids"]).unwrap();
            let list = shown.lines().find_map(|line| line.trim().strip_prefix('[')).unwrap();
            let ids = list.trim_end_matches(']').split(',').map(str::trim);
            let mut ids: Vec<i32> = ids.map(|id| id.parse().unwrap()).collect();
            ids.sort_unstable();
            ids
        }
    }

    fn a_cluster_migrates(place: Place) {
        let cluster = Cluster::builder().migrating(3).brokers(4).small_fetches().start().unwrap();
        let mut scene = Scene::of(&cluster, place);
        let producer = Producer::prompt(&cluster, WRITES);
        scene.all_works("on ZooKeeper");
        scene.by_znodes().with(0);

        cluster.start_successors().unwrap();
        scene.say("--- controllers run");
        scene.executes();
        let mut moving = scene.begin_slowly();
        scene.restart(&[1001, 1002, 1003, 1004], Step::Migrating);
        cluster.await_migration(Duration::from_secs(120)).unwrap();
        assert!(moving.run.is_up(), "it has ended too early");
        scene.say("the metadata is copied, while replicas move");
        scene.end(moving);
        scene.say("an execution across all restarts");

        scene.all_works("both are written");
        scene.znodes_are_refused();
        let mut moving = scene.begin_slowly();
        scene.restart(&[1001, 1002], Step::KRaft);
        assert_eq!(scene.registered(), [1003, 1004], "a plan would take the others for lost");
        scene.znodes_are_refused();
        scene.restart(&[1003, 1004], Step::KRaft);
        assert!(moving.run.is_up(), "it has ended too early");
        scene.end(moving);
        scene.say("an execution across all restarts");
        scene.all_works("all brokers in KRaft mode");

        for (id, _) in cluster.successors() {
            cluster.finalise(id).unwrap();
            let whole = || (scene.run(&["controllers", "status"]).code == Some(0)).then_some(());
            until("controllers that have caught up", SOON, whole).unwrap();
        }
        scene.say("--- finalised");
        scene.executes();
        scene.znodes_are_refused();
        scene.stop_daemon();
        scene.place = Place::Topic;
        cluster.stop_member(FIRST_MEMBER).unwrap();
        scene.start_daemon();
        scene.all_works("without ZooKeeper");
        let p99 = producer.has_lost_nothing();
        eprintln!("99 % acknowledged within {p99:?}\n{}", scene.said());
    }

    #[test]
    #[ignore = "live"]
    fn a_cluster_migrates_with_the_state_in_the_topic() {
        a_cluster_migrates(Place::Topic);
    }

    #[test]
    #[ignore = "live"]
    fn a_cluster_migrates_with_the_state_in_zookeeper() {
        a_cluster_migrates(Place::ZooKeeper);
    }
}
