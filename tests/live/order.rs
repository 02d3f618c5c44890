//! How long partitions lack replicas: the order of moves in real executions, against the bound and against all moves at
//! once. It is `cargo xtask test soak`; figures go to `docs/figures`.

mod soak {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use serde_json::{Value, json as figures};
    use testbed::{Cluster, Mode, until};

    use crate::binary::{Run, json, topicmappr};
    use crate::long_moves::soak::keep;
    use crate::plan::{Partition, targets};
    use crate::traffic::Traffic;

    const BROKERS: i32 = 6;
    const PARTITIONS: i32 = 300;
    const LOST: i32 = 1001;
    const RATE: f64 = 5e6;
    const OFTEN: Duration = Duration::from_millis(250);
    const LONG: Duration = Duration::from_secs(300);

    /// What one execution did.
    struct Measured {
        /// Until the last partition had all its replicas.
        seconds: f64,
        /// The sum over partitions of the time without all replicas.
        partition_seconds: f64,
        /// No order betters these.
        least_seconds: f64,
        least_partition_seconds: f64,
    }

    /// Three replicas in turn, on every broker as many.
    fn replicas(partition: i32) -> Vec<i32> {
        let (first, step) = (partition % BROKERS, 1 + partition / BROKERS % 2);
        (0..3).map(|seat| 1001 + (first + seat * step) % BROKERS).collect()
    }

    /// From 200 kB to 12 MB. Few are large.
    fn bytes(partition: i32) -> usize {
        let dice = u64::from(partition.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let share = dice as f64 / f64::from(1 << 24);
        (2e5 * 60_f64.powf(share)) as usize
    }

    /// The sum of completion times on ports that copy the smallest first, and the seconds of the busiest port.
    fn least(ports: &BTreeMap<i32, Vec<f64>>) -> (f64, f64) {
        let (mut sum, mut busiest) = (0.0, 0_f64);
        for sizes in ports.values() {
            let (mut sizes, mut now) = (sizes.clone(), 0.0);
            sizes.sort_by(f64::total_cmp);
            for bytes in sizes {
                now += bytes / RATE;
                sum += now;
            }
            busiest = busiest.max(now);
        }
        (sum, busiest)
    }

    /// A broker is lost, and its replicas are placed elsewhere.
    fn execution(mode: Mode, flags: &[&str]) -> Measured {
        let cluster = Cluster::builder().mode(mode).brokers(6).processes().start().unwrap();
        let traffic = Traffic::of(&cluster);
        let topic = |partition: i32| format!("t{}", partition / 20);
        let of = |partition: i32| -> Partition { (topic(partition), partition % 20) };
        let mut topics: BTreeMap<String, Vec<Vec<i32>>> = BTreeMap::new();
        for partition in 0..PARTITIONS {
            topics.entry(topic(partition)).or_default().push(replicas(partition));
        }
        traffic.create(&topics);
        let sizes: BTreeMap<Partition, usize> =
            (0..PARTITIONS).map(|partition| (of(partition), bytes(partition))).collect();
        traffic.write_in(&sizes, 10_000, 100_000);
        cluster.kill_broker(LOST).unwrap();
        traffic.without(LOST);

        let folder = tempfile::tempdir().unwrap();
        let plan = folder.path().join("plan.json");
        let (plan, bootstrap) = (plan.to_str().unwrap(), cluster.bootstrap());
        let server = ["--bootstrap-server", &bootstrap];
        let storage: Vec<String> = (1001..1007).map(|id| format!("{id}=20GB")).collect();
        let storage = storage.join(",");
        let asked = ["rebuild", "--topics", "t.*", "--brokers", "-2", "--out-file", plan];
        topicmappr(asked.iter().chain(&server).chain(&["--broker-storage", &storage])).with(0);
        let before = traffic.seen();
        let (mut into, mut out_of) = (BTreeMap::new(), BTreeMap::new());
        for (partition, replicas) in targets(&json(Path::new(plan))) {
            let (seen, bytes) = (&before[&partition], sizes[&partition] as f64);
            let added = replicas.iter().find(|id| !seen.replicas.contains(id)).unwrap();
            into.entry(*added).or_insert_with(Vec::new).push(bytes);
            out_of.entry(seen.leader).or_insert_with(Vec::new).push(bytes);
        }
        let (bounds_in, bounds_out) = (least(&into), least(&out_of));

        let own = ["execute", plan, "--yes", "--throttle", "5MB/s"];
        let began = Instant::now();
        let run = Run::start(own.iter().chain(&server).chain(flags));
        let (mut last, mut partition_seconds) = (Instant::now(), 0.0);
        let seconds = loop {
            std::thread::sleep(OFTEN);
            let seen = traffic.seen();
            let lacking = |partition: &&Partition| seen[*partition].isr.len() < 3;
            let lack = sizes.keys().filter(lacking).count();
            partition_seconds += lack as f64 * last.elapsed().as_secs_f64();
            last = Instant::now();
            let seconds = began.elapsed().as_secs_f64();
            if lack == 0 {
                break seconds;
            }
            assert!(seconds < 600.0, "{lack} partitions lack replicas");
        };
        run.end().with(0);
        Measured {
            seconds,
            partition_seconds,
            least_seconds: bounds_in.1.max(bounds_out.1),
            least_partition_seconds: bounds_in.0.max(bounds_out.0),
        }
    }

    fn told(it: &Measured) -> Value {
        figures!({
            "seconds": it.seconds.round(), "partition_seconds": it.partition_seconds.round(),
            "least_seconds": it.least_seconds.round(),
            "least_partition_seconds": it.least_partition_seconds.round(),
        })
    }

    fn the_smallest_first_leave_partitions_without_replicas_for_less_time(mode: Mode) {
        let windows = execution(mode, &[]);
        let at_once = execution(mode, &["--max-moves-per-broker", "200"]);
        let both = figures!({"windows": told(&windows), "at_once": told(&at_once)});
        keep("execution-order", mode, &both);
        assert!(windows.partition_seconds < 0.8 * at_once.partition_seconds, "{both:#}");
    }

    #[test]
    #[ignore = "live"]
    fn the_smallest_first_leave_partitions_without_replicas_for_less_time_with_kraft() {
        the_smallest_first_leave_partitions_without_replicas_for_less_time(Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn the_smallest_first_leave_partitions_without_replicas_for_less_time_with_zookeeper() {
        the_smallest_first_leave_partitions_without_replicas_for_less_time(Mode::ZooKeeper);
    }

    /// The bytes per second that arrive of a throttle, from the first byte to the last.
    fn arriving(cluster: &Cluster, traffic: &Traffic<'_>, rate: usize, partitions: i32) -> f64 {
        let topic = format!("r{rate}p{partitions}");
        let of = |partition: i32| (topic.clone(), partition);
        let all = rate * 30;
        let each = all / usize::try_from(partitions).unwrap();
        traffic.create(&[(topic.clone(), (0..partitions).map(|_| vec![1001]).collect())].into());
        traffic.write_in(&(0..partitions).map(|id| (of(id), each)).collect(), 10_000, 100_000);
        let folder = tempfile::tempdir().unwrap();
        let plan = folder.path().join("plan.json");
        let (plan, bootstrap) = (plan.to_str().unwrap(), cluster.bootstrap());
        let server = ["--bootstrap-server", &bootstrap];
        let storage = ["--broker-storage", "1001=20GB,1002=20GB,1003=20GB", "--out-file", plan];
        let asked = ["replace", "--topics", &topic, "--broker", "1001", "--with", "1002"];
        topicmappr(asked.iter().chain(&storage).chain(&server)).with(0);
        let throttle = rate.to_string();
        let own = ["execute", plan, "--yes", "--throttle", &throttle];
        let at_once = ["--max-moves-per-broker", "200"];
        let run = Run::start(own.iter().chain(&at_once).chain(&server));
        let size = || -> u64 {
            let dirs = cluster.log_dirs(1002);
            let names = (0..partitions).map(|id| format!("{topic}-{id}/00000000000000000000.log"));
            let logs = names.flat_map(|name| dirs.iter().map(move |dir| dir.join(&name)));
            logs.filter_map(|log| Some(fs::metadata(log).ok()?.len())).sum()
        };
        let first = until("the first byte", LONG, || (size() > 0).then(Instant::now)).unwrap();
        let last = until("all", LONG, || (size() >= all as u64).then(Instant::now)).unwrap();
        run.end().with(0);
        all as f64 / (last - first).as_secs_f64()
    }

    #[test]
    #[ignore = "live"]
    fn one_partition_fills_a_throttled_port_as_eight_do() {
        let cluster = Cluster::builder().mode(Mode::KRaft).brokers(3).processes().start().unwrap();
        let traffic = Traffic::of(&cluster);
        for rate in [2_000_000, 5_000_000, 20_000_000] {
            let [one, eight] = [1, 8].map(|count| arriving(&cluster, &traffic, rate, count));
            eprintln!("throttle {rate}: one partition {one:.0}, eight {eight:.0} bytes per second");
            assert!(one > 0.9 * eight, "{one} {eight}");
        }
    }
}
