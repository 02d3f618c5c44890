//! The runbook's commands for live clusters, taken from its pages and run in their order: a first plan, then a broker
//! that is gone for good. (What takes plans back has tests of its own.)

use std::fs;
use std::path::{Path, PathBuf};

use testbed::{Cluster, Mode};

use crate::binary::{Ended, Run, command};
use crate::traffic::Traffic;

/// The broker that the pages ask.
const ASKED: &str = "kafka-0:9092";
/// What asks for agreement.
const CHANGE: [&str; 2] = ["execute", "unregister"];

struct Scene {
    cluster: Cluster,
    folder: PathBuf,
}

impl Scene {
    /// Runs a command of ours as an operator would who has agreed.
    fn run(&self, line: &str) -> Ended {
        let (line, _) = line.split_once(" #").unwrap_or((line, ""));
        let line = line.replace(ASKED, &self.cluster.bootstrap());
        let mut args: Vec<&str> = line.split_whitespace().skip(1).collect();
        if args.iter().any(|word| CHANGE.contains(word)) {
            args.push("--yes");
        }
        // The brokers share the disk of the machine that tests them; 1003 is only left.
        args.extend(["--broker-storage", "1001=9GB,1002=9GB,1004=9GB"]);
        let mut command = command();
        command.args(&args).current_dir(&self.folder);
        Run::of(command).end()
    }

    /// Takes the next command with these words from a page, and runs it.
    fn of_page(&self, page: &[String], words: &str) -> Ended {
        let line = page.iter().find(|line| line.contains(words));
        self.run(line.unwrap_or_else(|| panic!("{words:?} is not on the page")))
    }
}

/// The lines of a page that run our program on a live cluster.
fn live_lines(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbook").join(name);
    let page = fs::read_to_string(path).unwrap();
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let ours = blocks.flat_map(str::lines).filter(|line| line.starts_with("topicmappr "));
    ours.map(str::to_owned).collect()
}

#[test]
#[ignore = "live"]
fn the_commands_of_the_runbook_do_what_its_pages_say() {
    let cluster = Cluster::builder().mode(Mode::KRaft).brokers(4).start().unwrap();
    let traffic = Traffic::of(&cluster);
    let lists = [vec![1001, 1002, 1003], vec![1002, 1003, 1001], vec![1003, 1001, 1002]];
    traffic.create(&[("events".to_owned(), lists.to_vec())].into());
    traffic.write(&(0..3).map(|partition| (("events".to_owned(), partition), 300_000)).collect());
    let home = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let folder = home.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    };
    let replicas = |scene: &Scene| -> Vec<Vec<i32>> {
        let seen = Traffic::of(&scene.cluster).seen().into_iter();
        seen.filter(|((topic, _), _)| topic == "events").map(|(_, seen)| seen.replicas).collect()
    };

    let mut scene = Scene { cluster, folder: folder("first-plan") };
    let page = live_lines("first-plan.md");
    let before = replicas(&scene);
    scene.of_page(&page, "snapshot").with(0);
    let plan = "topicmappr replace --snapshot now.json --topics events --broker 1003 --with 1004";
    scene.run(&format!("{plan} --out-file plan.json --ignore-warns")).with(0);
    scene.of_page(&page, "execute").with(0);
    assert_ne!(replicas(&scene), before);
    scene.of_page(&page, "status").with(0);

    scene.folder = folder("replace-broker");
    let page = live_lines("replace-broker.md");
    scene.cluster.kill_broker(1003).unwrap();
    Traffic::of(&scene.cluster).without(1003);
    scene.of_page(&page, "throttle show").with(0);
    let plan = format!("topicmappr rebuild --bootstrap-server {ASKED} --topics .* --brokers -2");
    scene.run(&format!("{plan} --out-file plan.json --ignore-warns")).with(0);
    scene.of_page(&page, "unregister 1003").with(1).complaining_of("it holds");
    scene.of_page(&page, "execute").with(0);
    scene.of_page(&page, "unregister 1003").with(0);
    let well = scene.of_page(&page, "doctor").with(0);
    assert!(well.stdout.contains("All is well."), "{}", well.stdout);
}
