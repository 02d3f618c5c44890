//! How much of a rate Kafka's replication quotas let through. The ETA of an execution depends on it.

mod soak {
    use std::fs;
    use std::time::{Duration, Instant};

    use testbed::{Cluster, Mode, until};

    use crate::admin::set;
    use crate::traffic::{SOON, Traffic};

    /// The rate of each end, in bytes per second.
    const RATE: u64 = 2_000_000;
    /// The time until the bursts of idle quotas are over.
    const BURSTS: Duration = Duration::from_secs(15);
    const WATCHED: Duration = Duration::from_secs(45);
    /// A topic, its source and destination, and the size of its batches.
    const MOVES: [(&str, i32, i32, usize); 2] =
        [("whole", 1001, 1003, 64_000), ("torn", 1002, 1004, 35_000)];

    fn arrived(cluster: &Cluster, topic: &str, broker: i32) -> u64 {
        let folders =
            cluster.log_dirs(broker).into_iter().map(|dir| dir.join(format!("{topic}-0")));
        let files = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let logs = files.filter_map(Result::ok);
        let logs = logs.filter(|file| file.path().extension().is_some_and(|end| end == "log"));
        logs.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    }

    /// Both ends have the same rate, and a fetch brings 64 KiB. For one topic nearly all of that are complete batches,
    /// for the other only half.
    #[test]
    #[ignore = "live"]
    fn a_quota_counts_what_a_fetch_tears_with_kraft() {
        let cluster =
            Cluster::builder().mode(Mode::KRaft).brokers(4).small_fetches().start().unwrap();
        let traffic = Traffic::of(&cluster);
        let mut partitions = Vec::new();
        for (topic, from, to, batch) in MOVES {
            traffic.create(&[(topic.to_owned(), vec![vec![from]])].into());
            let bytes = 75 * RATE as usize;
            let record = if batch > 60_000 { batch / 2 } else { batch };
            traffic.write_in(&[((topic.to_owned(), 0), bytes)].into(), record, batch + 900);
            for (broker, side) in [(from, "leader"), (to, "follower")] {
                let rate = format!("{side}.replication.throttled.rate={RATE}");
                set(&cluster, "brokers", &broker.to_string(), &rate);
                let list = format!("{side}.replication.throttled.replicas=0:{broker}");
                set(&cluster, "topics", topic, &list);
            }
            partitions
                .push(format!("{{\"topic\":\"{topic}\",\"partition\":0,\"replicas\":[{to}]}}"));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("move.json");
        fs::write(&path, format!("{{\"version\":1,\"partitions\":[{}]}}", partitions.join(",")))
            .unwrap();
        let flags = ["--execute", "--reassignment-json-file", path.to_str().unwrap()];
        cluster.tool("reassign", flags).unwrap();
        let begun = || MOVES.iter().all(|(topic, _, to, _)| arrived(&cluster, topic, *to) > 0);
        until("both moves under way", SOON, || begun().then_some(())).unwrap();
        std::thread::sleep(BURSTS);
        let before = MOVES.map(|(topic, _, to, _)| arrived(&cluster, topic, to));
        let start = Instant::now();
        std::thread::sleep(WATCHED);
        let seconds = start.elapsed().as_secs_f64();
        let of_rate: Vec<f64> = MOVES
            .iter()
            .zip(before)
            .map(|((topic, _, to, _), before)| {
                (arrived(&cluster, topic, *to) - before) as f64 / seconds / RATE as f64
            })
            .collect();
        eprintln!("of the rate, whole and torn: {of_rate:.3?}");
        assert!((0.8..=1.02).contains(&of_rate[0]), "{of_rate:?}");
        assert!((0.4..=0.62).contains(&of_rate[1]), "{of_rate:?}");
    }
}
