//! How long partitions lack replicas: the order of moves in real executions, against the bound and against all moves at
//! once, three times each, and once each under clients at the daemon's rates. It is `cargo xtask test soak`; figures go to
//! `docs/figures`.

mod soak {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use mapper::{PlanFile, Rate, Snapshot};
    use serde_json::{Value, json as figures};
    use testbed::relay::Cap;
    use testbed::{Builder, Cluster, Mode, until};

    use crate::binary::{Run, topicmappr};
    use crate::daemon::Daemon;
    use crate::load::Load;
    use crate::long_moves::soak::keep;
    use crate::model::{self, Order};
    use crate::plan::Partition;
    use crate::traffic::Traffic;

    const BROKERS: i32 = 6;
    const PARTITIONS: i32 = 300;
    const LOST: i32 = 1001;
    const RATE: Rate = Rate(5_000_000);
    const RUNS: usize = 3;
    const OFTEN: Duration = Duration::from_millis(250);
    const LONG: Duration = Duration::from_secs(300);
    /// Of each broker where the daemon sets the rates, in bytes per second.
    const CARD: u64 = 8_000_000;
    /// What clients write there, and what they read.
    const APPETITE: u64 = 1_000_000;
    /// Of the plan's moves, as many at once as there are.
    const AT_ONCE: [&str; 2] = ["--max-moves-per-broker", "200"];

    /// What one execution did. Seconds count from the first move that Kafka began, and the sum over partitions is of the
    /// time without all replicas.
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Times {
        seconds: f64,
        partition_seconds: f64,
    }

    struct Measured {
        /// From the start of the command until Kafka began the first move.
        waited_seconds: f64,
        measured: Times,
        /// No order betters these.
        least: Times,
        /// The fluid model of `tests/order`, with the executor's decisions.
        model: Times,
        /// When half, nine tenths and all of the partitions had their replicas, from the start of the command.
        done_at: [f64; 3],
        /// The same, as the preview said it.
        said_done_at: [f64; 3],
    }

    /// Three replicas in turn, on every broker as many.
    fn replicas(partition: i32) -> Vec<i32> {
        let (first, step) = (partition % BROKERS, 1 + partition / BROKERS % 2);
        (0..3).map(|seat| 1001 + (first + seat * step) % BROKERS).collect()
    }

    /// From 400 kB to 24 MB. Few are large.
    fn bytes(partition: i32) -> usize {
        let dice = u64::from(partition.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let share = dice as f64 / f64::from(1 << 24);
        (4e5 * 60_f64.powf(share)) as usize
    }

    /// What the model says of a plan, and what no order betters. Of a throttle, new replicas get nine tenths.
    fn modelled(saved: &Path, plan: &Path, order: Order) -> (Times, Times) {
        let snapshot = Snapshot::from_json(&fs::read(saved).unwrap()).unwrap();
        let file = PlanFile::from_json(&fs::read(plan).unwrap()).unwrap();
        let plan = file.plan.unwrap();
        let bounds = model::Run::of(&snapshot, plan.clone(), RATE).bounds();
        let rate = |bytes: f64| bytes / RATE.0 as f64;
        let least = Times {
            seconds: rate(bounds.busiest.0 as f64),
            partition_seconds: rate(bounds.exposure as f64),
        };
        let mut run = model::Run::of(&snapshot, plan, Rate(RATE.0 / 10 * 9));
        run.ends(order);
        let (seconds, partition_seconds) = run.figures();
        (Times { seconds, partition_seconds }, least)
    }

    /// A cluster that has lost a broker, and a plan that places its replicas elsewhere.
    struct Lost {
        cluster: Cluster,
        folder: tempfile::TempDir,
        plan: PathBuf,
        saved: PathBuf,
        partitions: Vec<Partition>,
    }

    /// What was seen of an execution.
    struct Watched {
        waited_seconds: f64,
        measured: Times,
        /// When each partition had its replicas, in order.
        done: Vec<f64>,
        preview: Value,
    }

    impl Lost {
        fn set(builder: Builder) -> Self {
            let cluster = builder.brokers(6).processes().start().unwrap();
            let traffic = Traffic::of(&cluster);
            let topic = |partition: i32| format!("t{}", partition / 20);
            let of = |partition: i32| -> Partition { (topic(partition), partition % 20) };
            let mut topics: BTreeMap<String, Vec<Vec<i32>>> = BTreeMap::new();
            for partition in 0..PARTITIONS {
                topics.entry(topic(partition)).or_default().push(replicas(partition));
            }
            topics.insert("clients".to_owned(), vec![vec![1002, 1003, 1004]]);
            traffic.create(&topics);
            let sizes: BTreeMap<Partition, usize> =
                (0..PARTITIONS).map(|partition| (of(partition), bytes(partition))).collect();
            traffic.write_in(&sizes, 10_000, 100_000);
            cluster.kill_broker(LOST).unwrap();
            traffic.without(LOST);

            let folder = tempfile::tempdir().unwrap();
            let [plan, saved] = ["plan.json", "now.json"].map(|name| folder.path().join(name));
            let bootstrap = cluster.bootstrap();
            let storage: Vec<String> = (1001..1007).map(|id| format!("{id}=20GB")).collect();
            let storage = storage.join(",");
            let (plan_name, saved_name) = (plan.to_str().unwrap(), saved.to_str().unwrap());
            let asked = ["rebuild", "--topics", "t.*", "--brokers", "-2", "--out-file", plan_name];
            let facts = ["--broker-storage", &storage, "--save-snapshot", saved_name];
            let server = ["--bootstrap-server", &bootstrap];
            topicmappr(asked.iter().chain(&server).chain(&facts)).with(0);
            Self { cluster, folder, plan, saved, partitions: sizes.into_keys().collect() }
        }

        fn execute(&self, flags: &[&str]) -> Watched {
            let traffic = Traffic::of(&self.cluster);
            let before = traffic.seen();
            let bootstrap = self.cluster.bootstrap();
            let own = ["execute", self.plan.to_str().unwrap(), "--yes", "--output", "json"];
            let start = Instant::now();
            let run =
                Run::start(own.iter().chain(&["--bootstrap-server", &bootstrap]).chain(flags));
            let (mut last, mut partition_seconds, mut waited_seconds) = (start, 0.0, None);
            let lacking = self.partitions.iter().filter(|of| before[*of].isr.len() < 3);
            let mut missed: Vec<&Partition> = lacking.collect();
            let (mut done, all) = (Vec::new(), missed.len());
            while done.len() < all {
                std::thread::sleep(OFTEN);
                let seen = traffic.seen();
                let now = start.elapsed().as_secs_f64();
                assert!(now < 900.0, "{} partitions lack replicas", missed.len());
                let moved = |of: &Partition| seen[of].replicas != before[of].replicas;
                if waited_seconds.is_none() && self.partitions.iter().any(moved) {
                    waited_seconds = Some(now);
                }
                missed.retain(|of| seen[*of].isr.len() < 3);
                done.resize(all - missed.len(), now);
                if waited_seconds.is_some() {
                    partition_seconds += missed.len() as f64 * last.elapsed().as_secs_f64();
                }
                last = Instant::now();
            }
            let waited_seconds = waited_seconds.unwrap();
            let seconds = done.last().unwrap() - waited_seconds;
            let ended = run.end().with(0);
            let preview = serde_json::from_str(ended.stdout.lines().next().unwrap()).unwrap();
            let measured = Times { seconds, partition_seconds };
            Watched { waited_seconds, measured, done, preview }
        }
    }

    fn execution(mode: Mode, order: Order) -> Measured {
        let lost = Lost::set(Cluster::builder().mode(mode));
        let (model, least) = modelled(&lost.saved, &lost.plan, order);
        let fixed = ["--throttle", "5MB/s"];
        let Watched { waited_seconds, measured, done, preview } = match order {
            Order::Ours => lost.execute(&fixed),
            Order::AsPlanned => lost.execute(&[fixed, AT_ONCE].concat()),
        };
        let percents = [50, 90, 100];
        let said = |percent: usize| {
            let points = preview["done_at"].as_array().unwrap().iter();
            let mut at = points.filter(|point| point["percent"] == percent);
            at.next().unwrap()["seconds"].as_f64().unwrap()
        };
        Measured {
            waited_seconds,
            measured,
            least,
            model,
            done_at: percents.map(|percent| done[(done.len() * percent).div_ceil(100) - 1]),
            said_done_at: percents.map(said),
        }
    }

    /// Clients write and read on brokers that copy, behind cards, and the daemon sets the rates.
    fn under_clients(order: Order) -> Times {
        let builder = Cluster::builder().network(Cap::default()).exporter();
        let lost = Lost::set(builder.property("replica.fetch.response.max.bytes", "1048576"));
        for id in lost.cluster.running().into_keys() {
            lost.cluster.card(id).unwrap().limit(Cap::both(CARD));
        }
        let any = lost.cluster.exporters().into_values().next().unwrap();
        let port = any.trim_end_matches("/metrics").rsplit(':').next().unwrap();
        let exporter = format!("http://{{host}}:{port}/metrics");
        let capacity = format!("{{\"default\": {}}}", CARD / 1_000_000);
        let limits = ["--interval", "2", "--cap-map", &capacity, "--min-rate", "1"];
        let metrics = ["--metrics", "exporter", "--exporter-url", &exporter];
        let flags: Vec<&str> = limits.into_iter().chain(metrics).collect();
        let daemon = Daemon::start(&lost.cluster.bootstrap(), lost.folder.path(), &flags);
        let load = Load::start(&lost.cluster, "clients", APPETITE);
        let url = daemon.url();
        let auto = ["--throttle", "auto", "--autothrottle", url.trim_end_matches('/')];
        let watched = match order {
            Order::Ours => lost.execute(&auto),
            Order::AsPlanned => lost.execute(&[&auto[..], &AT_ONCE].concat()),
        };
        drop(load);
        assert_eq!(daemon.leave().0, Some(143));
        watched.measured
    }

    fn rounded(times: Times) -> Value {
        figures!({
            "seconds": times.seconds.round(), "partition_seconds": times.partition_seconds.round(),
        })
    }

    fn told(it: &Measured) -> Value {
        figures!({
            "waited_seconds": it.waited_seconds.round(), "measured": rounded(it.measured),
            "least": rounded(it.least), "model": rounded(it.model),
            "done_at_percent_50_90_100": it.done_at.map(f64::round),
            "said_done_at_percent_50_90_100": it.said_done_at.map(f64::round),
        })
    }

    fn mean(runs: &[Measured], of: fn(&Measured) -> f64) -> f64 {
        runs.iter().map(of).sum::<f64>() / runs.len() as f64
    }

    fn the_smallest_first_leave_partitions_without_replicas_for_less_time(mode: Mode) {
        let runs = |order| (0..RUNS).map(|_| execution(mode, order)).collect::<Vec<_>>();
        let (windows, at_once) = (runs(Order::Ours), runs(Order::AsPlanned));
        let all = |runs: &[Measured]| runs.iter().map(told).collect::<Vec<_>>();
        let both = figures!({"windows": all(&windows), "at_once": all(&at_once)});
        keep("execution-order", mode, &both);
        let exposure = |runs| mean(runs, |it| it.measured.partition_seconds);
        let least = mean(&windows, |it| it.least.partition_seconds);
        // All at once breaks the throttle, and ends before the least time: otherwise it would be twice as long at risk.
        assert!(exposure(&windows) <= 0.7 * exposure(&at_once), "{both:#}");
        assert!(exposure(&windows) <= 1.15 * least, "{both:#}");
        let of_model = |it: &Measured| it.measured.partition_seconds / it.model.partition_seconds;
        assert!((mean(&windows, of_model) - 1.0).abs() <= 0.1, "{both:#}");
        let of_said = |it: &Measured| it.done_at[2] / it.said_done_at[2];
        assert!((mean(&windows, of_said) - 1.0).abs() <= 0.1, "{both:#}");
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

    #[test]
    #[ignore = "live"]
    fn the_same_holds_under_clients_at_the_daemons_rates() {
        let [windows, at_once] = [Order::Ours, Order::AsPlanned].map(under_clients);
        let both = figures!({"windows": rounded(windows), "at_once": rounded(at_once)});
        keep("execution-order-auto", Mode::KRaft, &both);
        assert!(windows.partition_seconds <= 0.7 * at_once.partition_seconds, "{both:#}");
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
        let run = Run::start(own.iter().chain(&AT_ONCE).chain(&server));
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
