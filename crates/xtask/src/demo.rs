//! Shows the main task on a real cluster. A broker is lost for good, `topicmappr` plans its replacement, and Kafka's
//! own tool carries out the plan.
//!
//! Everything runs on loopback and in a temporary folder. Nothing stays behind.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testbed::{Cluster, Mode, until};

use crate::project::{self, Outcome};

/// The broker that dies.
const LOST: i32 = 1003;
/// Name, partitions, and megabytes written to it.
const TOPICS: [(&str, u32, u32); 6] = [
    ("events.raw", 12, 60),
    ("events.clicks", 8, 24),
    ("events.orders", 6, 6),
    ("check_runs", 4, 8),
    ("notifications", 4, 2),
    ("audit", 2, 1),
];
const MAPS: &str = "\
version: 1
maps:
  map1: {topics: \"events.*\", brokers: [1001..1006]}
  rest: {brokers: all}
";
/// The size of each broker's disk. All brokers share this machine's disk, so without this each would count all of it as
/// its own.
const STORAGE: &str = "1001=500MB,1002=500MB,1004=500MB,1005=500MB,1006=500MB";
const LONGEST: Duration = Duration::from_secs(300);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Use Kafka 3.9 with ZooKeeper instead of Kafka 4 with KRaft.
    #[arg(long)]
    zookeeper: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    crate::doctor::quiet()?;
    let start = Instant::now();
    let binary = project::topicmappr(&["--release"])?;
    let mode = if args.zookeeper { Mode::ZooKeeper } else { Mode::KRaft };
    say("six brokers in three racks start (the first time, Maven fetches Kafka)");
    let cluster = Cluster::builder()
        .mode(mode)
        .brokers(6)
        .processes_of([LOST])
        .racks(["a", "b", "c"])
        .start()?;
    println!("Kafka {} at {}", cluster.version(), cluster.bootstrap());
    load(&cluster)?;

    say(&format!("broker {LOST} dies, and will not come back"));
    cluster.kill_broker(LOST)?;
    println!("{} replicas were on it", replicas_on(&cluster, LOST)?);

    let folder = cluster.path().to_owned();
    let run = Operator { binary, folder: &folder };
    let plan = run.plan(&cluster)?;
    carry_out(&cluster, &plan)?;

    say("afterwards");
    let left = replicas_on(&cluster, LOST)?;
    drop(cluster);
    if left > 0 {
        return Err(format!("{left} replicas are still on broker {LOST}").into());
    }
    println!("no replica is left on broker {LOST}");
    println!("the servers and their files are gone; {:.0} s in all", start.elapsed().as_secs_f64());
    Ok(())
}

fn say(what: &str) {
    println!("\n# {what}");
}

/// Creates topics with data, and a consumer group whose offsets make Kafka create its internal topic.
fn load(cluster: &Cluster) -> Outcome {
    say("topics and data");
    let bootstrap = cluster.bootstrap();
    for (topic, partitions, megabytes) in TOPICS {
        let partitions = partitions.to_string();
        let shape = ["--partitions", &partitions, "--replication-factor", "3"];
        let create = ["--create", "--topic", topic];
        cluster.tool("topics", create.iter().chain(&shape))?;
        let (records, server) = (100 * megabytes, format!("bootstrap.servers={bootstrap}"));
        let records = records.to_string();
        let load = ["--topic", topic, "--num-records", &records, "--record-size", "10000"];
        let pace = ["--throughput", "-1", "--producer-props", &server, "acks=all"];
        let class = "org.apache.kafka.tools.ProducerPerformance";
        cluster.bare_tool(class, load.iter().chain(&pace))?;
        println!("{topic:<16} {partitions:>3} partitions {megabytes:>4} MB");
    }
    let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let read = ["--topic", "audit", "--group", "demo", "--from-beginning", "--max-messages", "10"];
    cluster.tool(class, read)?;
    Ok(())
}

/// How many replicas Kafka lists on a broker, internal topics included.
fn replicas_on(cluster: &Cluster, id: i32) -> Result<usize, Box<dyn Error>> {
    let described = cluster.tool("topics", ["--describe"])?;
    let lists = described.lines().filter_map(|line| {
        let list = line.split("Replicas: ").nth(1)?.split_whitespace().next()?;
        Some(list.split(',').filter(|replica| replica.parse() == Ok(id)).count())
    });
    let counts: Vec<usize> = lists.collect();
    if counts.is_empty() {
        return Err(format!("Kafka described no partition: {described}").into());
    }
    Ok(counts.iter().sum())
}

/// Runs the commands that an operator would type, and shows them.
struct Operator<'a> {
    binary: PathBuf,
    folder: &'a Path,
}

impl Operator<'_> {
    fn plan(&self, cluster: &Cluster) -> Result<PathBuf, Box<dyn Error>> {
        fs::write(self.folder.join("maps.yaml"), MAPS)?;
        // A client finds the other brokers through this one.
        let bootstrap = cluster.bootstrap();
        let server = bootstrap.split(',').next().unwrap_or_default();
        say("what the cluster is now");
        let snapshot = ["snapshot", "--bootstrap-server", server, "--out-file", "cluster.json"];
        self.topicmappr(&snapshot)?;
        say("what to do about it");
        let source = &["rebuild", "--snapshot", "cluster.json", "--maps", "maps.yaml"][..];
        let more = ["--broker-storage", STORAGE, "--out-file", "plan.json"];
        self.topicmappr(&[source, &more].concat())?;
        Ok(self.folder.join("plan.json"))
    }

    fn topicmappr(&self, args: &[&str]) -> Outcome {
        println!("$ topicmappr {}", args.join(" "));
        let mut command = Command::new(&self.binary);
        let status = command.args(args).current_dir(self.folder).stdin(Stdio::null()).status()?;
        if status.success() {
            return Ok(());
        }
        Err(format!("topicmappr {} ended with {status}", args.join(" ")).into())
    }
}

/// Lets Kafka's own tool submit the plan and watch it.
fn carry_out(cluster: &Cluster, plan: &Path) -> Outcome {
    say("Kafka's own tool carries the plan out");
    let file = plan.display().to_string();
    let base = ["--reassignment-json-file", &file];
    println!("$ kafka-reassign-partitions --reassignment-json-file plan.json --execute");
    let started = cluster.tool("reassign", base.iter().chain(&["--execute"]))?;
    println!("{}", started.lines().last().unwrap_or_default());
    println!("$ kafka-reassign-partitions --reassignment-json-file plan.json --verify");
    let done = until("end of the reassignment", LONGEST, || {
        let said = match cluster.tool("reassign", base.iter().chain(&["--verify"])) {
            Ok(said) => said,
            Err(why) => return Some(Err(why)),
        };
        let all: Vec<&str> =
            said.lines().filter(|line| line.starts_with("Reassignment of partition")).collect();
        let complete = all.iter().filter(|line| line.contains("is completed")).count();
        (!all.is_empty() && complete == all.len()).then_some(Ok(complete))
    })??;
    println!("Reassignment of {done} partitions is completed.");
    Ok(())
}
