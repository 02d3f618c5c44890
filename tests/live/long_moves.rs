//! Measures the duration of moves: compared with the prediction, with the throttle, and with Kafka's own tool. Also an
//! execution that is killed thirty times. All of it is `cargo xtask test soak`; figures go to `docs/figures`.

pub(crate) mod soak {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use serde_json::{Value, json as figures};
    use testbed::{Builder, Cluster, Mode, until};

    use crate::admin::in_flight;
    use crate::binary::{Run, topicmappr};
    use crate::execution::throttles;
    use crate::plan::targets;
    use crate::traffic::{SOON, Traffic};

    const TOPIC: &str = "large";
    /// Moves everything from 1001 to 1003.
    const ASKED: [&str; 7] = ["replace", "--topics", TOPIC, "--broker", "1001", "--with", "1004"];
    const STORAGE: &str = "1001=20GB,1002=20GB,1003=20GB,1004=20GB";
    const LONG: Duration = Duration::from_secs(1200);

    struct Scene {
        cluster: Cluster,
        folder: tempfile::TempDir,
        partitions: i32,
    }

    /// Partitions of `bytes` bytes on 1001 and 1002.
    fn scene(mode: Mode, partitions: i32, bytes: usize) -> Scene {
        let cluster = Cluster::builder().mode(mode).brokers(4).small_fetches();
        scene_of(cluster, partitions, bytes)
    }

    fn scene_of(builder: Builder, partitions: i32, bytes: usize) -> Scene {
        let cluster = builder.start().unwrap();
        let traffic = Traffic::of(&cluster);
        let lists = vec![vec![1001, 1002]; usize::try_from(partitions).unwrap()];
        traffic.create(&[(TOPIC.to_owned(), lists)].into());
        // One after the other, because each write is waited for. With one record in each batch: the part of a batch at
        // the end of a fetch counts against a quota but is discarded (quotas.rs).
        for partition in 0..partitions {
            traffic.write_in(&[((TOPIC.to_owned(), partition), bytes)].into(), 10_000, 10_000);
        }
        Scene { cluster, folder: tempfile::tempdir().unwrap(), partitions }
    }

    impl Scene {
        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn plan(&self, name: &str, asked: &[&str]) {
            let (bootstrap, plan) = (self.cluster.bootstrap(), self.at(name));
            let to = ["--bootstrap-server", &bootstrap, "--broker-storage", STORAGE, "--out-file"];
            topicmappr(asked.iter().chain(&to).chain(&[plan.to_str().unwrap()])).with(0);
        }

        fn execution(&self, plan: &str, more: &[&str]) -> Vec<String> {
            let (bootstrap, plan) = (self.cluster.bootstrap(), self.at(plan));
            let own =
                ["execute", plan.to_str().unwrap(), "--bootstrap-server", &bootstrap, "--yes"];
            own.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
        }

        /// The bytes of the topic on a broker's disk.
        fn on_disk(&self, broker: i32) -> u64 {
            let folders = self.cluster.log_dirs(broker).into_iter().flat_map(|dir| {
                (0..self.partitions).map(move |p| dir.join(format!("{TOPIC}-{p}")))
            });
            folders.map(|folder| size_of(&folder)).sum()
        }

        fn journal(&self, plan: &str) -> String {
            fs::read_to_string(self.at(&format!("{plan}.journal"))).unwrap_or_default()
        }
    }

    fn size_of(folder: &Path) -> u64 {
        let Ok(files) = fs::read_dir(folder) else { return 0 };
        let logs = files
            .filter_map(Result::ok)
            .filter(|file| file.path().extension().is_some_and(|end| end == "log"));
        logs.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    }

    pub(crate) fn keep(name: &str, mode: Mode, told: &Value) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/figures");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}-{}.json", format!("{mode:?}").to_lowercase()));
        let text = serde_json::to_string_pretty(told).unwrap();
        fs::write(file, format!("{text}\n")).unwrap();
        eprintln!("{name} {mode:?}: {text}");
    }

    fn ratio(measured: f64, said: f64) -> f64 {
        (measured / said * 1000.0).round() / 1000.0
    }

    /// 500 MB at 4 MB/s, with fetches of Kafka's default size. Here, a quarter of the fetched bytes is discarded but
    /// counted. The executor is stopped at half of the move, and another one continues after half a minute.
    fn half_a_gigabyte_moves_as_was_said(mode: Mode) {
        const BYTES: usize = 100_000_000;
        const RATE: f64 = 4e6;
        let scene = scene_of(Cluster::builder().mode(mode).brokers(4), 5, BYTES);
        scene.plan("plan.json", &ASKED);
        let began = Instant::now();
        let flags = ["--throttle", "4MB/s", "--output", "json"];
        let run = Run::start(scene.execution("plan.json", &flags));
        let half = || (scene.on_disk(1004) >= 5 * BYTES as u64 / 2).then_some(());
        until("half of it", LONG, half).unwrap();
        run.signal("-TERM");
        let left = run.end().with(143);
        let (then, before) = (Instant::now(), scene.on_disk(1004));
        std::thread::sleep(Duration::from_secs(30));
        let pace = (scene.on_disk(1004) - before) as f64 / then.elapsed().as_secs_f64();
        let resumed = [&flags[..], &["--resume"]].concat();
        topicmappr(scene.execution("plan.json", &resumed)).with(0);
        let took = began.elapsed().as_secs_f64();
        let preview: Value = serde_json::from_str(left.stdout.lines().next().unwrap()).unwrap();
        let said = preview["seconds"].as_f64().unwrap();
        let told = figures!({
            "bytes": 5 * BYTES, "throttle_bytes_per_second": RATE,
            "said_seconds": said, "took_seconds": took.round(), "took_of_said_ratio": ratio(took, said),
            "left_alone_bytes_per_second": pace.round(), "left_alone_of_throttle_ratio": ratio(pace, RATE),
        });
        keep("execution-throttled", mode, &told);
        assert!((pace / RATE - 1.0).abs() <= 0.15, "{told:#}");
        assert!((took / said - 1.0).abs() <= 0.15, "{told:#}");
    }

    #[test]
    #[ignore = "live"]
    fn half_a_gigabyte_moves_as_was_said_with_kraft() {
        half_a_gigabyte_moves_as_was_said(Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn half_a_gigabyte_moves_as_was_said_with_zookeeper() {
        half_a_gigabyte_moves_as_was_said(Mode::ZooKeeper);
    }

    /// 2 GB in 200 partitions, moved there by Kafka's own tool and back by us, three times each, both without a
    /// throttle.
    fn we_cost_little_beside_kafkas_own_tool(mode: Mode) {
        let scene = scene(mode, 200, 10_000_000);
        let mut of = BTreeMap::from([("tool", Vec::new()), ("ours", Vec::new())]);
        for turn in 0..6 {
            let (there, back) = if turn % 2 == 0 { ("1001", "1004") } else { ("1004", "1001") };
            let name = format!("plan-{turn}.json");
            // The old replicas are still being deleted, and not every broker knows yet that the move is over.
            std::thread::sleep(Duration::from_secs(65));
            scene.plan(&name, &["replace", "--topics", TOPIC, "--broker", there, "--with", back]);
            let (who, began) = (if turn < 3 { "tool" } else { "ours" }, Instant::now());
            match who {
                "tool" => scene.by_the_tool(&name),
                _ => drop(topicmappr(scene.execution(&name, &["--throttle", "none"])).with(0)),
            }
            of.get_mut(who).unwrap().push(began.elapsed().as_secs_f64());
        }
        let median = |who: &str| {
            let mut all = of[who].clone();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let (tool, ours) = (median("tool"), median("ours"));
        let told = figures!({
            "bytes": 2_000_000_000_u64, "partitions": 200, "tool_seconds": of["tool"], "our_seconds": of["ours"],
            "ours_of_tool_ratio": ratio(ours, tool),
        });
        keep("execution-overhead", mode, &told);
        assert!(ours <= tool * 1.1, "{told:#}");
    }

    impl Scene {
        /// From the tool's start until nothing moves, as one client observes it.
        fn by_the_tool(&self, plan: &str) {
            let file = self.at(plan);
            let args = ["--reassignment-json-file", file.to_str().unwrap(), "--execute"];
            self.cluster.tool("reassign", args).unwrap();
            let client = concat!(env!("CARGO_MANIFEST_DIR"), "/live/Facts.java");
            let bootstrap = self.cluster.bootstrap();
            self.cluster.bare_tool(client, [bootstrap.as_str(), "settled:all:0"]).unwrap();
        }
    }

    #[test]
    #[ignore = "live"]
    fn we_cost_little_beside_kafkas_own_tool_with_kraft() {
        we_cost_little_beside_kafkas_own_tool(Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn we_cost_little_beside_kafkas_own_tool_with_zookeeper() {
        we_cost_little_beside_kafkas_own_tool(Mode::ZooKeeper);
    }

    /// Killed thirty times at moments that differ between runs, and then left to end.
    fn thirty_kills_leave_nothing_behind(mode: Mode) {
        let scene = scene(mode, 12, 4_000_000);
        scene.plan("plan.json", &ASKED);
        let plan = targets(&crate::binary::json(&scene.at("plan.json")));
        let before = throttles(&scene.cluster, &plan);
        let slow = ["--throttle", "400KB/s", "--resume", "--max-moves", "3"];
        for turn in 0..30_u64 {
            let run = Run::start(scene.execution("plan.json", &slow));
            std::thread::sleep(Duration::from_millis(300 + turn * 7919 % 9000));
            run.kill();
        }
        let submitted = scene.journal("plan.json").matches("\"submitted\"").count();
        assert!(submitted > 0, "it was killed before it began");
        topicmappr(scene.execution("plan.json", &["--throttle", "200MB/s", "--resume"])).with(0);
        let seen = Traffic::of(&scene.cluster).seen();
        for (partition, wanted) in &plan {
            assert_eq!(&seen[partition].replicas, wanted, "{partition:?}");
        }
        assert_eq!(throttles(&scene.cluster, &plan), before);
        keep("execution-killed", mode, &figures!({"kills": 30, "times_submitted": submitted}));
    }

    #[test]
    #[ignore = "live"]
    fn thirty_kills_leave_nothing_behind_with_kraft() {
        thirty_kills_leave_nothing_behind(Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn thirty_kills_leave_nothing_behind_with_zookeeper() {
        thirty_kills_leave_nothing_behind(Mode::ZooKeeper);
    }

    fn environment(name: &str) -> Option<usize> {
        std::env::var(name).ok().and_then(|text| text.parse().ok())
    }

    /// Many partitions without data, so that the controller's work is the only cost.
    fn a_plan_of_many_partitions_goes_in_batches(mode: Mode) {
        let count: usize = environment("MANY_PARTITIONS").unwrap_or(50_000);
        let cluster = Cluster::builder().mode(mode).brokers(6).heap_mib(1024).timeout(LONG);
        let cluster = match mode {
            // A busy broker that creates thousands of logs must not lose its session.
            Mode::ZooKeeper => cluster.property("zookeeper.session.timeout.ms", "20000"),
            Mode::KRaft => cluster,
        };
        let cluster = cluster.start().unwrap();
        let each: usize = environment("MANY_PER_TOPIC").unwrap_or(100);
        let names = (0..count.div_ceil(each)).map(|topic| format!("many-{topic:05}"));
        let topics = names.enumerate().map(|(topic, name)| {
            let list = vec![1001 + i32::try_from(topic % 3).unwrap()];
            (name, vec![list; each.min(count - topic * each)])
        });
        // In groups, because the controller limits the number of partitions in one request.
        let topics: Vec<(String, Vec<Vec<i32>>)> = topics.collect();
        let traffic = Traffic::of(&cluster);
        topics
            .chunks((5000 / each).max(1))
            .for_each(|some| traffic.create(&some.iter().cloned().collect()));
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let bootstrap = cluster.bootstrap();
        let to = ["--bootstrap-server", &bootstrap];
        let plan = at("plan.json");
        let asked = ["rebuild", "--topics", "many-.*", "--brokers", "1004,1005,1006"];
        let more = ["--ignore-warns", "--placement", "count", "--out-file", &plan];
        topicmappr(asked.iter().chain(&more).chain(&to)).with(0);
        let began = Instant::now();
        let epoch = controller_epoch(&cluster);
        let run = ["execute", &plan, "--throttle", "none", "--yes"];
        let run = Run::start(run.iter().chain(&to));
        let mut listed = vec![in_flight(&cluster).len()];
        let enough = (mode == Mode::ZooKeeper).then_some(ENOUGH);
        let ended = ends_by_itself(run, enough, || listed.push(in_flight(&cluster).len()));
        let listed = listed.into_iter().max().unwrap();
        let took = began.elapsed().as_secs_f64();
        let journal = fs::read_to_string(format!("{plan}.journal")).unwrap();
        let told = figures!({
            "partitions": count, "partitions_of_a_topic": each, "seconds": took.round(),
            "arrived": arrived(&journal), "to_its_end": ended,
            "partitions_per_second": (arrived(&journal) as f64 / took).round(),
            "rounds": journal.matches("\"submitted\"").count(),
            "most_listed_by_the_controller": listed,
        });
        keep("execution-many", mode, &told);
        assert!(listed <= 600, "200 into each of three brokers: {told}");
        assert_eq!(
            controller_epoch(&cluster),
            epoch,
            "a controller that keeps up stays the controller"
        );
        if !ended {
            assert!(arrived(&journal) > 600, "nothing went beyond the first batch: {told}");
            topicmappr(["cancel", &plan, "--yes"].iter().chain(&to)).with(0);
            assert!(in_flight(&cluster).is_empty());
            return;
        }
        until("nothing on the old brokers", SOON, || {
            traffic
                .seen()
                .iter()
                .all(|((name, _), seen)| !name.starts_with("many") || seen.replicas[0] > 1003)
                .then_some(())
        })
        .unwrap();
    }

    /// How long to measure a controller in ZooKeeper mode. There, each broker copies its knowledge of all partitions
    /// for every change. On six brokers that share two cores, 50,000 partitions take hours. This time shows whether the
    /// controller keeps up.
    const ENOUGH: Duration = Duration::from_secs(300);

    /// Whether a run ends within the given time. If not, stops it.
    fn ends_by_itself(mut run: Run, within: Option<Duration>, mut meanwhile: impl FnMut()) -> bool {
        let began = Instant::now();
        let mut looked = began;
        while run.is_up() {
            if within.is_some_and(|most| began.elapsed() > most) {
                run.signal("-TERM");
                run.end().with(143);
                return false;
            }
            std::thread::sleep(Duration::from_secs(1));
            if looked.elapsed() > Duration::from_secs(20) {
                meanwhile();
                looked = Instant::now();
            }
        }
        run.end().with(0);
        true
    }

    /// The epoch, which grows when another broker becomes the controller; `None` with KRaft.
    fn controller_epoch(cluster: &Cluster) -> Option<String> {
        let get = || cluster.tool("zookeeper-shell", ["get", "/controller_epoch"]).unwrap();
        let told = (cluster.mode() == Mode::ZooKeeper).then(get)?;
        let number = told.lines().rev().find(|line| line.parse::<u32>().is_ok());
        Some(number.unwrap_or_else(|| panic!("no epoch: {told}")).to_owned())
    }

    /// The number of moves that are known to be complete.
    fn arrived(journal: &str) -> usize {
        let lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let completed = lines.filter(|line| line["entry"] == "completed");
        completed.map(|line| line["moves"].as_array().map_or(0, Vec::len)).sum()
    }

    #[test]
    #[ignore = "live"]
    fn a_plan_of_many_partitions_goes_in_batches_with_kraft() {
        a_plan_of_many_partitions_goes_in_batches(Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn a_plan_of_many_partitions_goes_in_batches_with_zookeeper() {
        a_plan_of_many_partitions_goes_in_batches(Mode::ZooKeeper);
    }
}
