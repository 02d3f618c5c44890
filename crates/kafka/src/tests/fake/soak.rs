//! Measures what idle processes use: the daemon at a hundred brokers, and `keep` at a thousand. `cargo xtask test soak`.

use super::{Cluster, Fake, FakePartition};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PARTITIONS: i32 = 50;
/// More often than the default (180 s): the interval of an operator in a hurry.
const INTERVAL: Duration = Duration::from_secs(10);
const WARM: Duration = Duration::from_secs(30);
const WATCHED: Duration = Duration::from_secs(180);
const MEMORY: u64 = 30 << 20;
const SHARE_OF_A_CORE: f64 = 0.005;

/// What of a cluster changes only if a plan is carried out.
const POLICY: &str = "version: 1
throttle: 100MB/s
policies:
  lostBroker: {mode: propose}
  leavingBroker: {mode: propose}
  fullDisk: {mode: propose}
  newBroker: {mode: propose}
  imbalance: {mode: propose, goals: [storage, leaders]}
";
/// How often `keep` looks by its manifest.
const LOOKS_EVERY: Duration = Duration::from_secs(300);
const LOOKS: usize = 4;
const KEEP_SHARE_OF_A_CORE: f64 = 0.01;

/// Three replicas of each partition, all in sync. No two partitions in a row have one size.
fn quiet_cluster(brokers: i32, topics: i32) -> Cluster {
    // With shorter names of racks, librdkafka cannot read the list of a hundred brokers.
    let ids = (1..=brokers).zip(["zone-a", "zone-b", "zone-c"].into_iter().cycle()).collect();
    let mut cluster = Cluster { brokers: ids, ..Cluster::default() };
    for topic in 0..topics {
        // The fake's names live as long as the program, and this test is the program.
        let name: &'static str = Box::leak(format!("topic-{topic}").into_boxed_str());
        let partition = |p: i32| {
            let first = topic * PARTITIONS + p;
            let replicas: Vec<i32> = (0..3).map(|n| (first + n) % brokers + 1).collect();
            FakePartition {
                isr: replicas.clone(),
                leader: replicas[0],
                replicas,
                size: 1_000_000_000 + i64::from(first) * 7_919 % 1_000_000 * 1_000,
                ..FakePartition::default()
            }
        };
        cluster.topics.insert(name, (0..PARTITIONS).map(partition).collect());
    }
    cluster
}

/// A page of metrics for every broker: what the JMX exporter reports for a broker with 90 replicas.
async fn exporter() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let started = Instant::now();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let page = page(started.elapsed().as_millis() as u64 * 10_000);
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", page.len());
                    let head = format!("{head}Content-Type: text/plain\r\n\r\n{page}");
                    if stream.write_all(head.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn page(bytes: u64) -> String {
    let counters = ["bytesin", "bytesout", "replicationbytesin", "replicationbytesout"];
    let counter = |name| format!("kafka_server_brokertopicmetrics_{name}_total {bytes}.0\n");
    let size = |n| format!("kafka_log_log_size{{partition=\"{n}\",topic=\"topic-7\"}} 1.0E9\n");
    counters.map(counter).into_iter().chain((0..90).map(size)).collect()
}

/// A process whose costs are measured. It ends with its owner, also on panic.
struct IdleProcess(Child);

impl IdleProcess {
    /// The program that `cargo xtask test` names, with its output in a folder.
    fn start(program: &str, args: impl IntoIterator<Item = OsString>, folder: &Path) -> Self {
        let binary = std::env::var_os(program).expect("run by cargo xtask test soak");
        let file = |name: &str| fs::File::create(folder.join(name)).unwrap();
        // Fewer open files than there are brokers, unless it asks for more.
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 64; exec \"$@\"", "sh"]).arg(binary).args(args);
        command.current_dir(folder).stdin(Stdio::null());
        Self(command.stdout(file("out")).stderr(file("log")).spawn().unwrap())
    }

    fn of(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0.id())).unwrap()
    }

    /// The resident bytes (`VmRSS`), or those at the peak (`VmHWM`).
    fn memory(&self, field: &str) -> u64 {
        let status = self.of("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        let kilobytes = line.trim_start_matches(':').trim().trim_end_matches(" kB");
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    /// The processor time used so far.
    fn used(&self) -> Duration {
        let stat = self.of("stat");
        // The fields after the name, which may contain spaces. utime and stime are fields 14 and 15, in hundredths of a
        // second.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11..13].iter().map(|n| n.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for IdleProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Vec<OsString> {
    words.into_iter().map(OsString::from).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "live"]
async fn an_idle_daemon_costs_next_to_nothing_at_a_hundred_brokers() {
    let (brokers, topics) = (100, 60);
    let fake = Fake::start(quiet_cluster(brokers, topics)).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}/{{id}}", exporter().await);
    let (address, interval) = (fake.address(1).to_string(), INTERVAL.as_secs().to_string());
    let flags = ["--bootstrap-servers", &address, "--interval", &interval];
    let metrics =
        ["--metrics", "exporter", "--exporter-url", &url, "--cap-map", "{\"default\": 100}"];
    let own = ["--api-listen", "127.0.0.1:0", "--state-file", "state"];
    let args = words(flags.into_iter().chain(metrics).chain(own));
    let mut daemon = IdleProcess::start("MAPPR_AUTOTHROTTLE", args, folder.path());
    tokio::time::sleep(WARM).await;
    let before = daemon.used();
    tokio::time::sleep(WATCHED).await;
    let (resident, after) = (daemon.memory("VmRSS"), daemon.used());
    let ended = daemon.0.try_wait().unwrap();
    drop(daemon);
    let said = fs::read_to_string(folder.path().join("log")).unwrap();
    let asked = fake.now().asked.len();
    let share = (after - before).as_secs_f64() / WATCHED.as_secs_f64();
    eprintln!(
        "{brokers} brokers, {} partitions, every {interval} s: {:.1} MiB, {:.2} % of a core, {asked} requests",
        topics * PARTITIONS,
        resident as f64 / f64::from(1 << 20),
        share * 100.0
    );
    assert!(ended.is_none(), "{said}");
    assert!(asked > 100, "it has looked, and more than once:\n{said}");
    assert!(!said.contains("ERROR") && !said.contains("WARN"), "nothing is wrong:\n{said}");
    assert!(resident < MEMORY && share < SHARE_OF_A_CORE, "{resident} bytes, {share} of a core");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "live"]
async fn an_idle_keeper_costs_less_than_a_hundredth_of_a_core_at_a_thousand_brokers() {
    let (brokers, topics) = (1_000, 4_000);
    let mut cluster = quiet_cluster(brokers, topics);
    cluster.disk = Some(5_000_000_000_000);
    let fake = Fake::start(cluster).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    let address = fake.address(1).to_string();
    let flags = ["keep", "--bootstrap-server", &address, "--policy", "policy.yaml"];
    let own = ["--notes", "notes.json", "--work-dir", ".", "--every", "1s"];
    let args = words(flags.into_iter().chain(own));
    let keeper = IdleProcess::start("MAPPR_TOPICMAPPR", args, folder.path());
    let said = || fs::read_to_string(folder.path().join("log")).unwrap();
    const LOOKED: &str = "Nothing calls for a plan.\n";
    let looks = async |count: usize| {
        let deadline = Instant::now() + WATCHED;
        while said().matches(LOOKED).count() < count {
            assert!(Instant::now() < deadline, "{}", said());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        keeper.used()
    };
    let before = looks(1).await;
    let used = (looks(1 + LOOKS).await - before) / u32::try_from(LOOKS).unwrap();
    let peak = keeper.memory("VmHWM");
    let share = used.as_secs_f64() / LOOKS_EVERY.as_secs_f64();
    eprintln!(
        "{brokers} brokers, {} partitions: {:.0} MiB at the peak, {:.2} s of CPU for a look, {:.2} % of a core at one every {} s",
        topics * PARTITIONS,
        peak as f64 / f64::from(1 << 20),
        used.as_secs_f64(),
        share * 100.0,
        LOOKS_EVERY.as_secs()
    );
    assert_eq!(said().replace(LOOKED, ""), "", "nothing is wrong");
    assert!(share < KEEP_SHARE_OF_A_CORE, "{share} of a core");
}
