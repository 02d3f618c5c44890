//! Measures what the daemon uses while it watches a hundred idle brokers: `cargo xtask test soak`.

use super::{Cluster, Fake, FakePartition};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const BROKERS: i32 = 100;
const TOPICS: i32 = 60;
const PARTITIONS: i32 = 50;
/// More often than the default (180 s): the interval of an operator in a hurry.
const INTERVAL: Duration = Duration::from_secs(10);
const WARM: Duration = Duration::from_secs(30);
const WATCHED: Duration = Duration::from_secs(180);
const MEMORY: u64 = 30 << 20;
const SHARE_OF_A_CORE: f64 = 0.005;

/// 3,000 partitions with three replicas each, all in sync.
fn quiet_cluster() -> Cluster {
    let brokers = (1..=BROKERS).zip(["a", "b", "c"].into_iter().cycle()).collect();
    let mut cluster = Cluster { brokers, ..Cluster::default() };
    for topic in 0..TOPICS {
        // The fake's names live as long as the program, and this test is the program.
        let name: &'static str = Box::leak(format!("topic-{topic}").into_boxed_str());
        let partition = |p: i32| {
            let first = topic * PARTITIONS + p;
            let replicas: Vec<i32> = (0..3).map(|n| (first + n) % BROKERS + 1).collect();
            FakePartition {
                isr: replicas.clone(),
                leader: replicas[0],
                replicas,
                size: 1_000_000_000,
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

/// Resident bytes, and the processor time used so far.
fn costs(child: &Child) -> (u64, Duration) {
    let of = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap();
    let status = of("status");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    let stat = of("stat");
    // The fields after the name, which may contain spaces. utime and stime are fields 14 and 15, in hundredths of a
    // second.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|n| n.parse::<u64>().unwrap()).sum();
    (resident * 1024, Duration::from_millis(ticks * 10))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "live"]
async fn an_idle_daemon_costs_next_to_nothing_at_a_hundred_brokers() {
    let binary = std::env::var_os("MAPPR_AUTOTHROTTLE").expect("run by cargo xtask test soak");
    let fake = Fake::start(quiet_cluster()).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}/{{id}}", exporter().await);
    let interval = INTERVAL.as_secs().to_string();
    let log = folder.path().join("log");
    let mut child = Command::new(binary)
        .args(["--bootstrap-servers", &fake.address(1).to_string(), "--interval", &interval])
        .args(["--metrics", "exporter", "--exporter-url", &url, "--cap-map", "{\"default\": 100}"])
        .args(["--api-listen", "127.0.0.1:0", "--state-file"])
        .arg(folder.path().join("state"))
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    tokio::time::sleep(WARM).await;
    let (_, before) = costs(&child);
    tokio::time::sleep(WATCHED).await;
    let (resident, after) = costs(&child);
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let said = fs::read_to_string(log).unwrap();
    let asked = fake.now().asked.len();
    let share = (after - before).as_secs_f64() / WATCHED.as_secs_f64();
    eprintln!(
        "{BROKERS} brokers, {} partitions, every {interval} s: {:.1} MiB, {:.2} % of a core, {asked} requests",
        TOPICS * PARTITIONS,
        resident as f64 / f64::from(1 << 20),
        share * 100.0
    );
    assert!(ended.is_none(), "{said}");
    assert!(asked > 100, "it has looked, and more than once:\n{said}");
    assert!(!said.contains("ERROR") && !said.contains("WARN"), "nothing is wrong:\n{said}");
    assert!(resident < MEMORY && share < SHARE_OF_A_CORE, "{resident} bytes, {share} of a core");
}
