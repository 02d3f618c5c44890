//! Network cards and metrics of a cluster, on real servers: `cargo xtask test --only network`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mappr_testbed::relay::Cap;
use mappr_testbed::{Cluster, Mode, until};

const SOON: Duration = Duration::from_secs(60);
const CAP: u64 = 4_000_000;
const WRITTEN: u64 = 16_000_000;

/// The body of a successful answer.
fn get(host: &str, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(host).ok()?;
    write!(socket, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.").then_some(())?;
    head.contains(" 200 ").then(|| body.to_owned())
}

/// The value of a series, identified by the text before it on its line.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.split(' ').next()?.parse().ok()
}

/// Three brokers with cards. A client writes 16 MB to the first, and the second fetches them.
fn writes_go_through_the_cards(mode: Mode) -> Cluster {
    let builder = Cluster::builder().mode(mode).network(Cap::both(CAP)).exporter();
    let cluster = builder.start().unwrap();
    let create = ["--create", "--topic", "t", "--replica-assignment", "1001:1002"];
    cluster.tool("topics", create).unwrap();
    let start = Instant::now();
    let bootstrap = format!("bootstrap.servers={}", cluster.bootstrap());
    let records = (WRITTEN / 10_000).to_string();
    let load = ["--topic", "t", "--num-records", &records, "--record-size", "10000"];
    // On a busy machine it may wait for minutes. What is sent twice would count twice.
    let patient = ["request.timeout.ms=300000", "delivery.timeout.ms=400000"];
    let how = ["--throughput", "-1", "--producer-props", &bootstrap, "acks=all"];
    let perf = "org.apache.kafka.tools.ProducerPerformance";
    cluster.bare_tool(perf, load.iter().chain(&how).chain(&patient)).unwrap();
    let took = start.elapsed();

    let card = |id| cluster.card(id).unwrap().passed();
    let (leader, follower, idle) = (card(1001), card(1002), card(1003));
    assert!(took.as_secs_f64() > WRITTEN as f64 / CAP as f64 * 0.95, "{took:?} for 16 MB");
    assert!(leader.rx > WRITTEN && leader.rx < WRITTEN * 11 / 10, "{leader:?}");
    let copied = [leader.replication_tx, follower.replication_rx];
    assert!(copied.iter().all(|c| *c > WRITTEN && *c < WRITTEN * 11 / 10), "{copied:?}");
    assert!(idle.rx + idle.tx < 1_000_000, "{idle:?}");
    cluster
}

/// Kafka's counters match the cards' counters.
fn the_exporter_tells_what_the_cards_saw(cluster: &Cluster) {
    let exporters = cluster.exporters();
    let page = |id: i32| {
        let url = exporters[&id].trim_start_matches("http://");
        let (host, path) = url.split_once('/').unwrap();
        get(host, &format!("/{path}")).unwrap()
    };
    let (leader, follower) = (page(1001), page(1002));
    let all = "kafka_server_brokertopicmetrics_bytesin_total";
    let sent = "kafka_server_brokertopicmetrics_replicationbytesout_total";
    let copied = "kafka_server_brokertopicmetrics_replicationbytesin_total";
    for (page, series) in [(&leader, all), (&leader, sent), (&follower, copied)] {
        let counted = value(page, series).unwrap_or_else(|| panic!("no {series}:\n{page}"));
        assert!((counted / WRITTEN as f64 - 1.0).abs() < 0.1, "{series} {counted}");
    }
    let of_topic = value(&leader, &format!("{all}{{topic=\"t\"}}")).map(|seen| seen as u64);
    assert!(of_topic.is_some_and(|seen| seen >= WRITTEN), "{of_topic:?} of the topic");
    let size = value(&leader, "kafka_log_log_size{partition=\"0\",topic=\"t\"}");
    let size = size.or_else(|| value(&leader, "kafka_log_log_size{topic=\"t\",partition=\"0\"}"));
    assert!(size.is_some_and(|size| size >= WRITTEN as f64), "{size:?} of log");
    let idle = "kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent";
    assert!(value(&leader, idle).is_some(), "{leader}");
    let slow = "kafka_network_requestmetrics_totaltimems{quantile=\"0.99\",request=\"Produce\"}";
    let slow = value(&leader, slow).or_else(|| {
        let turned = "{request=\"Produce\",quantile=\"0.99\"}";
        value(&leader, &format!("kafka_network_requestmetrics_totaltimems{turned}"))
    });
    assert!(slow.is_some_and(|p99| p99 > 0.0), "{slow:?}:\n{leader}");
}

#[test]
#[ignore = "live"]
fn zookeeper_brokers_have_cards_and_metrics() {
    the_exporter_tells_what_the_cards_saw(&writes_go_through_the_cards(Mode::ZooKeeper));
}

#[test]
#[ignore = "live"]
fn kraft_brokers_have_cards_and_metrics_that_prometheus_scrapes() {
    let cluster = writes_go_through_the_cards(Mode::KRaft);
    the_exporter_tells_what_the_cards_saw(&cluster);

    let url = cluster.start_prometheus().unwrap();
    let host = url.trim_start_matches("http://");
    let series = "kafka_server_brokertopicmetrics_bytesin_total%7Btopic=%22t%22%7D";
    let answer = until("a series of the leader", SOON, || {
        let answer = get(host, &format!("/api/v1/query?query={series}"))?;
        answer.contains("\"broker_id\":\"1001\"").then_some(answer)
    });
    let answer = answer.unwrap();
    assert!(answer.contains("127.0.0.11:"), "the instance is the broker's host: {answer}");
    cluster.kill_prometheus();
    assert_eq!(get(host, "/-/ready"), None);
}
