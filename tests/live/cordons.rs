//! Cordoned brokers and log dirs (KIP-1066) on real Kafka 4.3. No plan and no new topic uses them, an older plan is
//! refused, and doctor reports them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json as value};
use testbed::{Cluster, Mode, until};

use crate::binary::{Ended, Run, SOLE, json, topicmappr};
use crate::execution::{FAST, SLOW};
use crate::log_dirs::{capture, log_dir, with_volumes};
use crate::plan::{brokers, find_topic, partition, targets};
use crate::traffic::{SOON, Traffic};

const TOPIC: &str = "events";
const STORAGE: [&str; 2] = ["--broker-storage", "1001=1GB,1002=1GB,1003=1GB,1004=1GB"];

/// Four brokers with two log dirs each. 1004 is empty.
struct Situation<'c> {
    cluster: &'c Cluster,
    traffic: Traffic<'c>,
    folder: tempfile::TempDir,
}

impl<'c> Situation<'c> {
    fn of(cluster: &'c Cluster) -> Self {
        let traffic = Traffic::of(cluster);
        let lists = (0..9).map(|n| vec![1001 + n % 3, 1001 + (n + 1) % 3]).collect();
        traffic.create(&BTreeMap::from([(TOPIC.to_owned(), lists)]));
        traffic.write(&(0..9).map(|number| ((TOPIC.to_owned(), number), 400_000)).collect());
        Self { cluster, traffic, folder: tempfile::tempdir().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Ended {
        let bootstrap = self.cluster.bootstrap();
        topicmappr(args.iter().chain(&["--bootstrap-server", &bootstrap]))
    }

    /// Cordons as an operator does, and waits until every snapshot shows it.
    fn cordon(&self, broker: i32, dirs: Option<&str>) {
        let id = broker.to_string();
        let change = match dirs {
            Some(dirs) => ["--add-config".to_owned(), format!("cordoned.log.dirs=[{dirs}]")],
            None => ["--delete-config".to_owned(), "cordoned.log.dirs".to_owned()],
        };
        let on = ["--alter", "--entity-type", "brokers", "--entity-name", &id];
        let args = on.into_iter().chain(change.iter().map(String::as_str));
        self.cluster.tool("configs", args.collect::<Vec<&str>>()).unwrap();
        until("the cordon in a snapshot", SOON, || {
            capture(self.cluster, &self.at("now.json"));
            let now = json(&self.at("now.json"));
            let all = now["brokers"].as_array().unwrap();
            let told = &all.iter().find(|one| one["id"] == broker).unwrap()["cordoned_log_dirs"];
            let wanted = dirs.map_or(Value::Null, |dirs| value!([dirs]));
            (*told == wanted).then_some(())
        })
        .unwrap();
    }

    fn plan(&self, command: &str, source: Option<&Path>, onto: &str, name: &str) -> PathBuf {
        let plan = self.at(name);
        let asked = [command, "--topics", TOPIC, "--brokers", onto, "--ignore-warns"];
        let asked = [&asked[..], &["--out-file", plan.to_str().unwrap()]].concat();
        match source {
            Some(snapshot) => {
                let from = ["--snapshot", snapshot.to_str().unwrap()];
                topicmappr([asked, from.to_vec()].concat()).with(0);
            }
            None => drop(self.run(&[asked, STORAGE.to_vec()].concat()).with(0)),
        }
        plan
    }

    fn execute(&self, plan: &Path, code: i32) -> Ended {
        let args = ["execute", plan.to_str().unwrap(), "--yes", "--throttle", "none", SOLE];
        self.run(&args).with(code)
    }

    fn apply(&self, topic: &str, map: &str) {
        let topics = format!("version: 1\ntopics:\n  - {topic}\n");
        let maps = format!("version: 1\nmaps:\n  all: {map}\n");
        for (name, text) in [("topics.yaml", topics), ("maps.yaml", maps)] {
            fs::write(self.at(name), text).unwrap();
        }
        let (file, maps) = (self.at("topics.yaml"), self.at("maps.yaml"));
        let [file, maps] = [file.to_str().unwrap(), maps.to_str().unwrap()];
        self.run(&["topics", "apply", "--file", file, "--maps", maps]).with(0);
    }

    fn drain(&self, topics: &str, name: &str) -> PathBuf {
        let plan = self.at(name);
        let asked = ["scale", "--topics", topics, "--brokers", "-2", "--drain", "1004"];
        let out = ["--ignore-warns", "--out-file", plan.to_str().unwrap()];
        self.run(&[&asked[..], &STORAGE, &out].concat()).with(0);
        plan
    }

    fn executing(&self, plan: &Path, more: &[&str]) -> Vec<String> {
        let bootstrap = self.cluster.bootstrap();
        let args = ["execute", plan.to_str().unwrap(), "--yes", "--bootstrap-server", &bootstrap];
        args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
    }

    /// What a snapshot says of 1004.
    fn cordoned_log_dirs(&self) -> Value {
        capture(self.cluster, &self.at("now.json"));
        let now = json(&self.at("now.json"));
        let all = now["brokers"].as_array().unwrap();
        all.iter().find(|one| one["id"] == 1004).unwrap()["cordoned_log_dirs"].clone()
    }

    fn is_cordoned(&self) -> bool {
        self.cordoned_log_dirs() == value!(["*"])
    }

    /// The topics with replicas on 1004, without Kafka's own and ours.
    fn held(&self) -> BTreeSet<String> {
        let seen = self.traffic.seen().into_iter();
        let held = seen.filter(|((name, _), seen)| {
            seen.replicas.contains(&1004) && !name.starts_with("__") && !name.contains("mappr")
        });
        held.map(|((name, _), _)| name).collect()
    }

    fn uses(&self, broker: i32) -> bool {
        self.traffic.settle();
        let seen = self.traffic.seen();
        // Kafka's own topics may be older than the cordon.
        let mut ours = seen.iter().filter(|((name, _), _)| !name.starts_with("__"));
        ours.any(|(_, seen)| seen.replicas.contains(&broker))
    }
}

fn names(plan: &Path, broker: i32) -> bool {
    targets(&json(plan)).values().any(|list| list.contains(&broker))
}

fn cluster() -> Cluster {
    let builder = Cluster::builder().mode(Mode::KRaft).brokers(4).log_dirs(2);
    builder.small_fetches().start().unwrap()
}

#[test]
#[ignore = "live"]
fn cordoned_brokers_and_log_dirs_get_no_new_replica() {
    let cluster = cluster();
    let situation = Situation::of(&cluster);
    let before = situation.plan("scale", None, "-2", "before.json");
    assert!(names(&before, 1004), "it is empty, so it gets its share");

    situation.cordon(1004, Some("*"));
    for command in ["scale", "rebalance"] {
        assert!(!names(&situation.plan(command, None, "-2", "after.json"), 1004), "{command}");
    }
    let refused = situation.execute(&before, 1);
    assert!(refused.stderr.contains("cordoned") && refused.stderr.contains("1004"), "{refused:?}");
    assert!(!situation.uses(1004));

    let doctor = situation.run(&[&["doctor"][..], &STORAGE].concat()).with(5).stdout;
    assert!(doctor.contains("broker 1004 is cordoned"), "{doctor}");
    assert!(doctor.replace("\\\n", "").contains("--delete-config cordoned.log.dirs"), "{doctor}");

    situation.apply(
        "{name: logs, partitions: 8, replication: 2}",
        "{topics: logs, brokers: [1001..1004]}",
    );
    assert!(!situation.uses(1004));
    assert_eq!(situation.traffic.seen().iter().filter(|((name, _), _)| name == "logs").count(), 8);

    situation.cordon(1004, None);
    a_cordoned_log_dir_gets_nothing(&situation);
    a_drain_keeps_new_topics_away(&situation, SLOW, 2);
    who_ignores_the_cordon_moves_there(&situation);
}

/// Kafka accepts replicas on a cordoned broker, as long as no request names one of its log dirs.
fn who_ignores_the_cordon_moves_there(situation: &Situation<'_>) {
    situation.cordon(1004, Some("*"));
    let plan = situation.at("ignoring.json");
    let asked = ["scale", "--topics", TOPIC, "--brokers", "-2", "--ignore-warns"];
    let more = ["--ignore-cordons", "--out-file", plan.to_str().unwrap()];
    let told = situation.run(&[&asked[..], &STORAGE, &more].concat()).with(0);
    assert!(told.stderr.contains("get new replicas: 1004"), "{}", told.stderr);
    assert!(names(&plan, 1004));
    situation.execute(&plan, 0);
    assert!(situation.held().contains(TOPIC) && situation.is_cordoned());
}

/// While 1004 is drained, Kafka places no new topic there. Afterwards its log dir is cordoned as the operator had it,
/// also after some kills.
fn a_drain_keeps_new_topics_away(situation: &Situation<'_>, rate: &str, kills: u64) {
    let before = situation.cordoned_log_dirs();
    assert!(before.as_array().is_some_and(|dirs| dirs.len() == 1), "{before}");
    let plan = situation.drain(TOPIC, "drain.json");
    let (over, newest) = (AtomicBool::new(false), AtomicUsize::new(0));
    let kept_away = thread::scope(|scope| {
        let creating = || {
            while !over.load(Ordering::Relaxed) {
                let name = newest.load(Ordering::Relaxed) + 1;
                situation.traffic.create_anywhere(&format!("new-{name}"), 2);
                newest.store(name, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(200));
            }
        };
        let _stop = SetOnDrop(&over);
        scope.spawn(creating);
        let start = || Run::start(situation.executing(&plan, &["--resume", "--throttle", rate]));
        let run = start();
        until("the cordon", SOON, || situation.is_cordoned().then_some(())).unwrap();
        let first = newest.load(Ordering::Relaxed) + 2;
        run.kill();
        for kill in 2..kills {
            let run = start();
            thread::sleep(Duration::from_millis(kill * 257 % 2_000));
            run.kill();
            assert!(situation.is_cordoned(), "a kill ends nothing");
        }
        let run = start();
        let created = || (newest.load(Ordering::Relaxed) > first + 9).then_some(());
        until("new topics during the drain", SOON, created).unwrap();
        run.kill();
        assert!(situation.is_cordoned(), "a kill ends nothing");
        first..newest.load(Ordering::Relaxed)
    });
    let ended = topicmappr(situation.executing(&plan, &["--resume", "--throttle", FAST])).with(0);
    assert!(ended.stdout.contains("1004 may get new partitions again"), "{ended:?}");
    assert_eq!(situation.cordoned_log_dirs(), before, "as the operator had it");
    situation.traffic.settle();
    for name in kept_away {
        let name = format!("new-{name}");
        assert!(
            !situation.held().contains(&name),
            "{name} was placed on 1004: {:?}",
            situation.held()
        );
    }
    a_kept_cordon_outlives_its_drain(situation);
}

/// What came between plan and cordon is swept under the cordon, which stays.
fn a_kept_cordon_outlives_its_drain(situation: &Situation<'_>) {
    let plan = situation.drain("late|new-.*", "keep.json");
    situation.traffic.create(&BTreeMap::from([("new-late".to_owned(), vec![vec![1004]])]));
    let more = ["--throttle", FAST, "--sweep", "--keep-cordons"];
    let ended = topicmappr(situation.executing(&plan, &more)).with(0);
    assert!(ended.stdout.contains("1004: still no new partitions there"), "{ended:?}");
    situation.traffic.create_anywhere("after", 9);
    situation.traffic.settle();
    assert_eq!(situation.held(), BTreeSet::new());
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Plans name the log dir with the most room until it is cordoned.
fn a_cordoned_log_dir_gets_nothing(situation: &Situation<'_>) {
    let onto = "1002,1003,1004";
    let snapshot = |name: &str| {
        capture(situation.cluster, &situation.at("captured.json"));
        with_volumes(&situation.at("captured.json"), &situation.at(name));
        situation.at(name)
    };
    let named = |plan: &Path| {
        let dirs = json(plan)["plan"]["moves"].as_array().unwrap().clone();
        let of_move = |change: &Value| {
            let to = brokers(change, "to");
            let at = to.iter().position(|id| *id == 1004)?;
            Some(change["log_dirs"][at].as_str()?.to_owned())
        };
        let mut dirs: Vec<String> = dirs.iter().filter_map(of_move).collect();
        dirs.sort();
        dirs.dedup();
        dirs
    };
    let before = situation.plan("rebuild", Some(&snapshot("open.json")), onto, "dirs.json");
    let roomy = named(&before);
    assert_eq!(roomy.len(), 1, "{roomy:?}");
    situation.cordon(1004, Some(&roomy[0]));
    let refused = situation.execute(&before, 1);
    assert!(refused.stderr.contains("cordoned"), "{refused:?}");

    let after = situation.plan("rebuild", Some(&snapshot("shut.json")), onto, "other.json");
    let other = named(&after);
    assert!(other.len() == 1 && other != roomy, "{other:?}");
    situation.execute(&after, 0);
    capture(situation.cluster, &situation.at("end.json"));
    let end = json(&situation.at("end.json"));
    let moved: Vec<i32> = targets(&json(&after))
        .into_iter()
        .filter(|(_, list)| list.contains(&1004))
        .map(|((_, number), _)| number)
        .collect();
    assert!(!moved.is_empty());
    for number in moved {
        assert_eq!(log_dir(&end, number, 1004), other[0], "{number}");
    }
    // If no log dir is named, Kafka itself avoids the cordoned one.
    situation
        .apply("{name: late, partitions: 4, replication: 1}", "{topics: late, brokers: [1004]}");
    let late = until("the new topic's log dirs", SOON, || {
        capture(situation.cluster, &situation.at("late.json"));
        let late = json(&situation.at("late.json"));
        find_topic(&late, "late")?;
        (0..4).all(|n| partition(&late, "late", n)["log_dirs"][0].is_string()).then_some(late)
    })
    .unwrap();
    for number in 0..4 {
        assert_eq!(partition(&late, "late", number)["log_dirs"][0], other[0], "{number}");
    }
}

mod soak {
    use super::*;

    /// A dead broker takes no config, so the run ends in part, and says what is left to do.
    #[test]
    #[ignore = "live"]
    fn a_broker_that_dies_during_its_drain_keeps_its_cordon_until_a_resume() {
        let builder = Cluster::builder().mode(Mode::KRaft).brokers(4).log_dirs(2).mortal([1004]);
        let cluster = builder.small_fetches().start().unwrap();
        let situation = Situation::of(&cluster);
        let drained = ("drained".to_owned(), vec![vec![1004, 1001]; 3]);
        situation.traffic.create(&BTreeMap::from([drained]));
        let bytes = (0..3).map(|number| (("drained".to_owned(), number), 2_000_000)).collect();
        situation.traffic.write(&bytes);
        let plan = situation.drain("drained", "drain.json");
        let run = Run::start(situation.executing(&plan, &["--throttle", SLOW, SOLE]));
        until("the cordon", SOON, || situation.is_cordoned().then_some(())).unwrap();
        cluster.kill_broker(1004).unwrap();
        let ended = run.end().with(6);
        let words = [
            "cordoned.log.dirs of broker 1004: set by this execution, but the broker does not answer",
            "it gets no new partitions until --resume restores it",
        ];
        for word in words {
            assert!(ended.stdout.contains(word), "{word:?} is missing:\n{}", ended.stdout);
        }
        cluster.start_broker(1004).unwrap();
        assert!(situation.is_cordoned(), "it was not restored yet");
        let doctor = situation.run(&[&["doctor"][..], &STORAGE].concat()).with(5).stdout;
        assert!(doctor.contains("broker 1004 is cordoned"), "{doctor}");
        let again = ["--resume", "--throttle", FAST, SOLE];
        topicmappr(situation.executing(&plan, &again)).with(0);
        assert!(!situation.is_cordoned());
        assert!(!situation.held().contains("drained"), "{:?}", situation.held());
    }

    #[test]
    #[ignore = "live"]
    fn a_drain_restores_what_was_cordoned_after_thirty_kills() {
        let cluster = cluster();
        let situation = Situation::of(&cluster);
        a_cordoned_log_dir_gets_nothing(&situation);
        a_drain_keeps_new_topics_away(&situation, "10KB/s", 30);
    }
}
