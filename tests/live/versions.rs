//! The releases that README names: a snapshot, a paced execution, topics, throttles and doctor, on each of them. It is
//! `cargo xtask test soak --only versions`.

mod soak {
    use std::collections::BTreeMap;
    use std::fs;

    use testbed::{Cluster, Mode, Version};

    use crate::binary::{Ended, topicmappr};
    use crate::execution::throttles;
    use crate::facts::entries_of_a_list_come_and_go;
    use crate::plan::Partition;
    use crate::traffic::Traffic;

    const MAPS: &str = "version: 1\nmaps:\n  all: {topics: \".*\", brokers: [1001..1004]}\n";
    const TOPICS: &str = "version: 1\ntopics:\n  - {name: audit, partitions: 4, replication: 2, config: {retention.ms: 3600000}}\n";

    /// A partition of the topic that moves.
    fn of(number: i32) -> Partition {
        ("events".to_owned(), number)
    }

    /// What an operator does with a cluster, with the lead in the topic.
    fn every_command_works(version: Version, mode: Mode) {
        let builder = Cluster::builder().version(version).mode(mode).brokers(4);
        let cluster = builder.processes().start().unwrap();
        let traffic = Traffic::of(&cluster);
        let lists = (0..6).map(|_| vec![1001, 1002, 1003]).collect();
        traffic.create(&BTreeMap::from([("events".to_owned(), lists)]));
        traffic.write_in(&(0..6).map(|at| (of(at), 200_000)).collect(), 1_000, 100_000);
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let (bootstrap, plan, snapshot) =
            (cluster.bootstrap(), at("plan.json"), at("snapshot.json"));
        let storage = ["--broker-storage", "1001=9GB,1002=9GB,1003=9GB,1004=9GB"];
        let run = |args: &[&str]| -> Ended {
            topicmappr(args.iter().copied().chain(["--bootstrap-server", &bootstrap]))
        };
        run(&["snapshot", "--out-file", &snapshot]).with(0);
        let asked =
            ["rebuild", "--topics", "events", "--brokers", "1002..1004", "--out-file", &plan];
        run(&[&asked[..], &storage, &["--ignore-warns"]].concat()).with(0);
        run(&["execute", &plan, "--yes", "--state-topic", "--throttle", "100KB/s"]).with(0);
        let seen = traffic.seen();
        for number in 0..6 {
            let replicas = &seen[&of(number)].replicas;
            assert!(!replicas.contains(&1001), "{version}: {replicas:?}");
        }
        let replicas = seen.into_iter().map(|(of, seen)| (of, seen.replicas)).collect();
        assert_eq!(throttles(&cluster, &replicas).values().map(BTreeMap::len).sum::<usize>(), 0);
        entries_of_a_list_come_and_go(&cluster, "events");
        fs::write(at("maps.yaml"), MAPS).unwrap();
        fs::write(at("topics.yaml"), TOPICS).unwrap();
        let (maps, topics) = (at("maps.yaml"), at("topics.yaml"));
        run(&["topics", "apply", "--maps", &maps, "--file", &topics]).with(0);
        assert_eq!(traffic.seen().keys().filter(|(topic, _)| topic == "audit").count(), 4);
        run(&["topics", "diff", "--maps", &maps, "--file", &topics]).with(0);
        let shown = run(&["throttle", "show"]).with(0);
        assert!(!shown.stdout.contains("1001"), "{}", shown.stdout);
        let doctor = run(&[&["doctor"][..], &storage].concat());
        assert!(matches!(doctor.code, Some(0 | 5)), "{doctor:?}");
    }

    #[test]
    #[ignore = "live"]
    fn every_command_works_on_2_8_with_zookeeper() {
        every_command_works(Version::V2_8, Mode::ZooKeeper);
    }

    #[test]
    #[ignore = "live"]
    fn every_command_works_on_3_3_with_zookeeper() {
        every_command_works(Version::V3_3, Mode::ZooKeeper);
    }

    #[test]
    #[ignore = "live"]
    fn every_command_works_on_3_6_with_zookeeper() {
        every_command_works(Version::V3_6, Mode::ZooKeeper);
    }

    #[test]
    #[ignore = "live"]
    fn every_command_works_on_3_9_with_zookeeper() {
        every_command_works(Version::V3_9, Mode::ZooKeeper);
    }

    #[test]
    #[ignore = "live"]
    fn every_command_works_on_3_9_with_kraft() {
        every_command_works(Version::V3_9, Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn every_command_works_on_4_0_with_kraft() {
        every_command_works(Version::V4_0, Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn every_command_works_on_4_1_with_kraft() {
        every_command_works(Version::V4_1, Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn every_command_works_on_4_3_with_kraft() {
        every_command_works(Version::V4_3, Mode::KRaft);
    }
}
