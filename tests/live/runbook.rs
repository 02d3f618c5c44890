//! Runs the runbook's commands for live clusters, taken from its pages in order, during the life of one cluster. Each
//! command must return the exit code that its page names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testbed::{Cluster, Mode, until};

use crate::binary::{Ended, Run, command};
use crate::plan::Partition;
use crate::traffic::{SOON, Traffic};

/// The broker in the pages' commands.
const ASKED: &str = "kafka-0:9092";
/// Commands that ask the operator to agree.
const CHANGE: [&str; 4] = ["execute", "rollback", "cancel", "unregister"];
/// Commands that may warn about a cluster with only three topics.
const PLANNING: [&str; 5] = ["rebuild", "replace", "rebalance", "scale", "leaders"];
const STORAGE: &str = "--broker-storage";

/// The lines of a page that run our program on a live cluster.
pub(crate) fn live_lines(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbook").join(name);
    let page = fs::read_to_string(path).unwrap();
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let ours = blocks.flat_map(str::lines).filter(|line| line.starts_with("topicmappr "));
    ours.map(str::to_owned).collect()
}

/// The words of a line as a shell parses them, without our program's name.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (line, _) = line.split_once(" #").unwrap_or((line, ""));
    line.split_whitespace().skip(1).map(|word| word.trim_matches('\'').to_owned()).collect()
}

/// The exit code that the page names next to a line, or 0.
fn said_code(line: &str) -> i32 {
    let named = line.split_once("# exit ").and_then(|(_, rest)| rest.split(':').next());
    named.map_or(0, |code| code.parse().unwrap())
}

struct Scene {
    cluster: Cluster,
    home: tempfile::TempDir,
    folder: PathBuf,
    page: Vec<String>,
}

impl Scene {
    /// Six brokers in three racks. The last one is empty.
    fn new() -> Self {
        let cluster =
            Cluster::builder().mode(Mode::KRaft).brokers(6).mortal([1003, 1006]).small_fetches();
        let cluster = cluster.start().unwrap();
        let traffic = Traffic::of(&cluster);
        let lists =
            [[1001, 1002, 1003], [1004, 1005, 1003], [1002, 1003, 1004], [1003, 1001, 1005]];
        let lists: Vec<Vec<i32>> = (0..8).map(|at| lists[at % 4].to_vec()).collect();
        traffic.create(&[("events".to_owned(), lists)].into());
        traffic.write(&(0..8).map(|at| (("events".to_owned(), at), 500_000)).collect());
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().to_owned();
        Self { cluster, home, folder, page: Vec::new() }
    }

    /// Creates a separate folder for each page.
    fn open(&mut self, page: &str) {
        self.folder = self.home.path().join(page);
        fs::create_dir(&self.folder).unwrap();
        self.page = live_lines(page);
    }

    fn args(&self, line: &str) -> Vec<String> {
        let line = line.replace(ASKED, &self.cluster.bootstrap());
        let (mut args, code) = (words(&line), said_code(&line));
        let is =
            |names: &[&str]| names.contains(&args[0].as_str()) || names.contains(&args[1].as_str());
        let (changes, plans) = (is(&CHANGE), is(&PLANNING));
        if changes {
            args.push("--yes".to_owned());
        }
        if plans && code == 0 {
            args.push("--ignore-warns".to_owned());
        }
        if !line.contains(STORAGE) {
            args.extend(words(&format!("topicmappr {}", self.storage(&[]))));
        }
        args
    }

    /// The sizes of the brokers' disks, because the brokers of a test share one disk. They are small, so that the
    /// little data counts. The brokers in `smaller` have half as much.
    fn storage(&self, smaller: &[i32]) -> String {
        let size = |id: i32| if smaller.contains(&id) { "10MB" } else { "20MB" };
        let sizes = self.cluster.running().into_keys().map(|id| format!("{id}={}", size(id)));
        format!("{STORAGE} {}", sizes.collect::<Vec<_>>().join(","))
    }

    /// Runs one of our commands as an operator who has agreed.
    fn start(&self, line: &str) -> Run {
        let mut command = command();
        command.args(self.args(line)).current_dir(&self.folder);
        Run::of(command)
    }

    /// Runs the page's next command with these words. It must return the page's exit code.
    fn of_page(&mut self, words: &str) -> Ended {
        let line = self.next(words);
        self.start(&line).end().with(said_code(&line))
    }

    fn next(&mut self, words: &str) -> String {
        let at = self.page.iter().position(|line| line.contains(words));
        self.page.remove(at.unwrap_or_else(|| panic!("{words:?} is not on the page")))
    }

    /// Panics if the test did not run all commands of the page.
    fn close(&self) {
        assert!(self.page.is_empty(), "not run: {:?}", self.page);
    }

    /// The replicas of the topic that the test created.
    fn replicas(&self) -> BTreeMap<Partition, Vec<i32>> {
        let seen = Traffic::of(&self.cluster).seen().into_iter();
        let ours = seen.filter(|((topic, _), _)| topic == "events");
        ours.map(|(of, seen)| (of, seen.replicas)).collect()
    }

    /// The number of replicas on a broker.
    fn held(&self, broker: i32) -> usize {
        self.replicas().values().filter(|replicas| replicas.contains(&broker)).count()
    }
}

#[test]
#[ignore = "live"]
fn the_commands_of_the_runbook_do_what_its_pages_say() {
    let mut scene = Scene::new();
    the_first_plan(&mut scene);
    growing(&mut scene);
    evening_out(&mut scene);
    relieving(&mut scene);
    stopping(&mut scene);
    a_zone_that_is_gone(&mut scene);
    a_broker_that_is_gone(&mut scene);
    shrinking(&mut scene);
}

fn the_first_plan(scene: &mut Scene) {
    scene.open("first-plan.md");
    let before = scene.replicas();
    scene.of_page("snapshot");
    // The page plans from a shipped snapshot, and this test from one of the cluster.
    let plan = "topicmappr replace --snapshot now.json --topics events --broker 1005 --with 1002";
    scene.start(&format!("{plan} --out-file plan.json")).end().with(0);
    scene.of_page("execute");
    assert_ne!(scene.replicas(), before);
    scene.of_page("status");
    scene.of_page("rollback");
    assert_eq!(scene.replicas(), before);
    scene.close();
}

fn growing(scene: &mut Scene) {
    scene.open("scale.md");
    assert_eq!(scene.held(1006), 0);
    scene.of_page("scale");
    scene.of_page("execute");
    assert!(scene.held(1006) >= 2, "{:?}", scene.replicas());
}

fn evening_out(scene: &mut Scene) {
    scene.open("rebalance.md");
    scene.of_page("rebalance");
    scene.of_page("execute plan");
    scene.of_page("leaders");
    scene.of_page("execute leaders");
    let mut led = BTreeMap::<i32, usize>::new();
    for replicas in scene.replicas().values() {
        *led.entry(replicas[0]).or_default() += 1;
    }
    assert!(led.values().all(|count| *count <= 2), "{led:?}");
    scene.close();
}

fn relieving(scene: &mut Scene) {
    scene.open("full-disk.md");
    let before = scene.held(1004);
    let line = scene.next("--relieve").replace("--below 85%", "--below 15%");
    scene.start(&format!("{line} {}", scene.storage(&[1004]))).end().with(0);
    scene.of_page("execute");
    assert!(scene.held(1004) < before, "{before} before, {:?}", scene.replicas());
    scene.close();
}

/// A running plan is rolled back, and no throttle stays.
fn stopping(scene: &mut Scene) {
    scene.open("break-the-glass.md");
    let before = scene.replicas();
    let plan = format!(
        "topicmappr scale --bootstrap-server {ASKED} --topics .* --brokers -2 --drain 1001"
    );
    scene.start(&format!("{plan} --out-file plan.json")).end().with(0);
    let execute = "topicmappr execute plan.json --throttle 20KB/s --bootstrap-server";
    let run = scene.start(&format!("{execute} {ASKED}"));
    let journal = scene.folder.join("plan.json.journal");
    let begun = || fs::read_to_string(&journal).is_ok_and(|text| text.contains("submitted"));
    until("the first moves", SOON, || begun().then_some(())).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    run.signal("-INT");
    run.end().with(130);
    let shown = scene.of_page("throttle show");
    assert!(shown.stdout.contains("19.5 KiB/s"), "{}", shown.stdout);
    scene.of_page("cancel");
    assert_eq!(scene.replicas(), before);
    let line = scene.next("throttle clear");
    // Exit code 5 is for strays, and there are none here.
    scene.start(&line.replace("# exit 5", "# none")).end().with(0);
    scene.close();
}

fn a_zone_that_is_gone(scene: &mut Scene) {
    scene.open("zone-loss.md");
    let rack = |id: i32| scene.cluster.rack(id).unwrap();
    let zone: Vec<i32> =
        scene.cluster.brokers().into_iter().filter(|id| rack(*id) == rack(1003)).collect();
    assert_eq!(zone, [1003, 1006]);
    scene.cluster.kill_brokers(&zone).unwrap();
    zone.iter().for_each(|id| Traffic::of(&scene.cluster).without(*id));
    let told = scene.of_page("doctor");
    assert!(told.stdout.contains("1003") && told.stdout.contains("1006"), "{}", told.stdout);
    let told = scene.of_page("rebuild").complaining_of("the whole of rack");
    assert!(told.stderr.contains("Nothing was written."), "{}", told.stderr);
    assert!(!scene.folder.join("plan.json").exists());
    scene.close();
    zone.iter().for_each(|id| scene.cluster.start_broker(*id).unwrap());
    Traffic::of(&scene.cluster).settle();
}

fn a_broker_that_is_gone(scene: &mut Scene) {
    scene.open("replace-broker.md");
    scene.cluster.kill_broker(1003).unwrap();
    Traffic::of(&scene.cluster).without(1003);
    // These need Kubernetes; `kubernetes::same_id` runs them.
    scene.next("--same-id");
    scene.next("--same-id");
    scene.of_page("throttle show");
    // The page uses a shipped snapshot for this plan.
    let plan = format!("topicmappr rebuild --bootstrap-server {ASKED} --topics .* --brokers -2");
    scene.start(&format!("{plan} --out-file plan.json")).end().with(0);
    let unregister = scene.page.iter().find(|line| line.contains("unregister")).unwrap();
    scene.start(unregister).end().with(1).complaining_of("it holds");
    scene.of_page("execute");
    scene.of_page("unregister 1003");
    let well = scene.of_page("doctor");
    assert!(well.stdout.contains("All is well."), "{}", well.stdout);
    scene.close();
}

/// The page drains 1006, which is the last broker of its zone at this point. The test uses another one instead.
fn shrinking(scene: &mut Scene) {
    scene.folder = scene.home.path().join("down");
    fs::create_dir(&scene.folder).unwrap();
    scene.page = live_lines("scale.md").iter().map(|line| line.replace("1006", "1005")).collect();
    scene.page.drain(..2);
    scene.of_page("--drain");
    scene.of_page("execute");
    assert_eq!(scene.held(1005), 0);
    scene.cluster.stop_broker(1005).unwrap();
    scene.of_page("unregister 1005");
    scene.close();
}
