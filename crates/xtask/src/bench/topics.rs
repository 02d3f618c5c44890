//! Measures `topics apply` with 2,000 topics from 20 ConfigMaps: once to create them, then with nothing to do.
//!
//! It runs whole processes against a real Kafka (KRaft, three brokers) and a real Kubernetes API, with the account of
//! the shipped CronJob.

use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testbed::{Cluster, Kubernetes, Mode};

use super::document::thousands;
use super::measure::{self, Cost, Ended};
use super::{Args, busy};
use crate::project::{self, Outcome};

/// Its name among the cases.
pub(super) const NAME: &str = "topics";
const TOPICS: u32 = 2_000;
const CONFIG_MAPS: u32 = 20;
/// In seconds, with nothing to do.
const GOAL: f64 = 3.0;

const MAPS: &str = "version: 1\nmaps:\n  all: {topics: \".*\", brokers: [1001..1003]}\n";
const BEGIN: &str =
    "<!-- figures: written by `cargo xtask bench --only topics --save-baseline` -->\n";
const END: &str = "<!-- end of figures -->";

pub(super) fn run(args: &Args) -> Outcome {
    let binary = match &args.binary {
        Some(binary) => fs::canonicalize(binary)?,
        None => project::topicmappr(&["--release"])?,
    };
    let kubernetes = Kubernetes::start()?;
    let cluster = Cluster::builder().mode(Mode::KRaft).brokers(3).racks(["a", "b", "c"]).start()?;
    let account = define(&kubernetes)?;
    let apply = || {
        let mut command = Command::new(&binary);
        command.args(["topics", "apply", "--configmap-selector=app=topics", "--output=json"]);
        command.args(["--maps=configmap:kafka/topic-maps", "--namespace=kafka", "--kubeconfig"]);
        command.arg(&account).arg("--bootstrap-server").arg(cluster.bootstrap());
        command.stdout(Stdio::null());
        command
    };

    eprintln!("{} topics are made", thousands(TOPICS));
    let first = sound(measure::warm_up(&mut apply())?)?;
    let said = apply().stdout(Stdio::piped()).output()?;
    let said: Value = serde_json::from_slice(&said.stdout)?;
    if (&said["requests_sent"], &said["as_defined"]) != (&json!(0), &json!(TOPICS)) {
        return Err(format!("the second run has something to do: {said}").into());
    }
    let mut costs = Vec::new();
    for _ in 0..args.runs.max(1) {
        costs.push(sound(measure::warm_up(&mut apply())?)?);
    }
    let line = line(first, measure::together(&costs));
    println!("{line}");
    if args.save_baseline { save(&line) } else { Ok(()) }
}

/// Creates account, rights, ConfigMaps and definitions. Returns the account's kubeconfig.
fn define(kubernetes: &Kubernetes) -> Result<std::path::PathBuf, Box<dyn Error>> {
    let account = kubernetes.service_account("kafka", "topicmappr-topics")?;
    let manifest = project::root().join("deploy/manifests/topics.yaml");
    kubernetes.apply(&fs::read_to_string(manifest)?)?;
    kubernetes.apply(&config_map("topic-maps", json!({}), MAPS))?;
    for at in 0..CONFIG_MAPS {
        let document = document(at);
        kubernetes.apply(&config_map(
            &format!("topics-{at}"),
            json!({"app": "topics"}),
            &document,
        ))?;
    }
    Ok(account)
}

/// One team's topics.
fn document(at: u32) -> String {
    let mut text =
        "version: 1\ndefaults: {partitions: 1, replication: 3, config: {retention.ms: 604800000, \
                    min.insync.replicas: 2}}\ntopics:\n"
            .to_owned();
    for topic in 0..TOPICS / CONFIG_MAPS {
        text += &format!("  - {{name: team-{at:02}.topic-{topic:03}, owner: team-{at:02}}}\n");
    }
    text
}

fn config_map(name: &str, labels: Value, text: &str) -> String {
    let metadata = json!({"name": name, "namespace": "kafka", "labels": labels});
    let data = json!({"topics.yaml": text});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}).to_string()
}

/// The cost of a run that succeeded.
fn sound(ended: Ended) -> Result<Cost, Box<dyn Error>> {
    match ended.status {
        Some(status) if status.success() => Ok(ended.cost),
        Some(status) => Err(format!("topics apply: {status}: {}", ended.stderr).into()),
        None => Err("topics apply takes too long".into()),
    }
}

fn line(first: Cost, again: Cost) -> String {
    let mark = if again.seconds > GOAL { " !" } else { "" };
    let others =
        busy().map(|load| format!(" Other work kept the two cores busy (load {load:.1})."));
    format!(
        "{} topics of one partition and three replicas, from {CONFIG_MAPS} ConfigMaps, on three brokers with KRaft. The \
         first run created them in {:.1} s. With nothing to do, a run takes {:.2} s ({:.2} s of CPU, {:.0} MiB; goal \
         {GOAL} s{mark}).{}",
        thousands(TOPICS),
        first.seconds,
        again.seconds,
        again.cpu_seconds,
        again.memory_mib,
        others.unwrap_or_default()
    )
}

fn save(line: &str) -> Outcome {
    let page = project::root().join("docs/benchmarks.md");
    let text = fs::read_to_string(&page)?;
    let (head, rest) =
        text.split_once(BEGIN).ok_or("docs/benchmarks.md has no place for figures")?;
    let (_, tail) = rest.split_once(END).ok_or("the figures of docs/benchmarks.md have no end")?;
    Ok(fs::write(page, format!("{head}{BEGIN}{line}\n{END}{tail}"))?)
}
