//! Pages of brokers.

use crate::brokers;
use crate::server::{Server, ok, status};
use mapper::{BrokerId, Bytes, PartitionId, Rate};
use mappr_metrics::{Backend, MetricsError, MetricsSettings, MetricsSource, Reading};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn backend(urls: &[String], metrics: &[&str]) -> Backend {
    let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
    let metrics = metrics.iter().map(|metric| metric.parse().unwrap()).collect();
    Backend::new(MetricsSettings::default().with_exporter(urls, metrics)).unwrap()
}

/// A page on which each counter is `times` its step.
fn page(times: u64) -> String {
    format!(
        "# TYPE kafka_server_brokertopicmetrics_bytesout_total counter\n\
         kafka_server_brokertopicmetrics_bytesout_total {}\n\
         kafka_server_brokertopicmetrics_bytesout_total{{topic=\"a\",}} 1e12\n\
         kafka_server_brokertopicmetrics_replicationbytesout_total {}\n\
         kafka_network_requestmetrics_totaltimems{{request=\"Produce\",quantile=\"0.99\",}} 12.0\n\
         kafka_log_log_size{{topic=\"a\",partition=\"0\",}} {}\n",
        times * 3_000_000,
        times * 2_000_000,
        times * 100,
    )
}

#[tokio::test]
async fn counters_are_rates_from_the_second_round_on() {
    let scrapes = AtomicU64::new(0);
    let server = Server::start(move |_| ok(page(scrapes.fetch_add(1, Ordering::SeqCst)))).await;
    let mut backend = backend(&[format!("{}/metrics", server.url)], &[]);
    let asked = brokers([(1, "kafka-1")]);
    let first = backend.fetch(&asked).await;
    let answer = first.brokers[&BrokerId(1)].clone().unwrap();
    assert_eq!(first.source, MetricsSource::Exporter);
    assert_eq!((answer.tx, answer.rx), (None, None));
    assert_eq!(answer.p99_produce, Some(Reading::now(Duration::from_millis(12))));

    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = backend.fetch(&asked).await.brokers[&BrokerId(1)].clone().unwrap();
    // The pause lasts at least its second, so rates are at most the steps. On a busy machine they are much lower.
    let (tx, replication) = (answer.tx.unwrap().value, answer.replication_out.unwrap().value);
    assert!(Rate(500_000) < tx && tx <= Rate(5_000_001), "{tx}");
    assert!((replication.0 * 5).abs_diff(tx.0 * 2) <= 10, "{replication} of {tx}");
    assert_eq!(answer.rx, None, "nothing tells what it receives");
}

#[tokio::test]
async fn topics_have_rates_from_the_second_call_on() {
    let scrapes = AtomicU64::new(0);
    let topic = |topic: &str, total: u64| {
        format!("kafka_server_brokertopicmetrics_bytesout_total{{topic=\"{topic}\",}} {total}\n")
    };
    let server = Server::start(move |_| {
        let times = scrapes.fetch_add(1, Ordering::SeqCst);
        let new = if times > 0 { topic("new", 1_000) } else { String::new() };
        ok(page(0) + &topic("read", times * 4_000_000) + &new)
    })
    .await;
    let mut backend = backend(&[format!("{}/metrics", server.url)], &[]);
    let asked = brokers([(1, "kafka-1")]);
    assert!(backend.consumed(&asked).await.rates.is_empty(), "counters alone are no rates");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let topics = backend.consumed(&asked).await.rates.remove(&BrokerId(1)).unwrap();
    let rate = |topic: &str| topics[topic].0;
    assert!(rate("read") > 400_000 && rate("read") <= 4_000_000, "{topics:?}");
    assert!(rate("new") > 0 && rate("a") == 0, "{topics:?}");
}

#[tokio::test]
async fn a_broker_that_is_down_keeps_nobody_from_the_others() {
    let server = Server::start(|target| match target {
        "/1" => ok(page(1)),
        "/2" => status(500, "<h1>out of   memory</h1>"),
        _ => ok("<html>a login page</html>"),
    })
    .await;
    let mut backend =
        backend(&[format!("{}/{{id}}", server.url), "4=http://127.0.0.1:1/".into()], &[]);
    let answers = backend.fetch(&brokers([(1, "a"), (2, "b"), (3, "c"), (4, "d")])).await.brokers;
    assert!(answers[&BrokerId(1)].is_ok());
    let said = |id| answers[&BrokerId(id)].as_ref().unwrap_err().to_string();
    assert_eq!(said(2), format!("{}/2 answers 500: <h1>out of memory</h1>", server.url));
    assert_eq!(said(3), format!("{}/3 sent an unusable answer: line 1: no name", server.url));
    assert!(
        said(4).starts_with("http://127.0.0.1:1/ gives no answer: ") && said(4).contains("refused"),
        "{}",
        said(4)
    );
}

#[tokio::test]
async fn pages_beside_each_other_are_one_broker_and_one_may_fail() {
    let server = Server::start(|target| match target {
        "/kafka" => ok(page(1)),
        "/node" => ok("node_filesystem_avail_bytes{mountpoint=\"/data\"} 7\nnode_filesystem_avail_bytes{mountpoint=\"/\"} 1"),
        _ => status(404, ""),
    })
    .await;
    let urls = ["kafka", "node", "gone"].map(|path| format!("{}/{path}", server.url));
    let free = "storage-free=node_filesystem_avail_bytes{mountpoint=\"/data\"}";
    let measured = backend(&urls, &[free]).fetch(&brokers([(1, "a")])).await;
    let answer = measured.brokers[&BrokerId(1)].clone().unwrap();
    assert_eq!(answer.storage_free, Some(Reading::now(Bytes(7))));
    assert!(answer.p99_produce.is_some());
    assert_eq!(
        measured.notices,
        [format!("broker 1: {} answers 404: X", urls[2]).replace(": X", ": Not Found")]
    );
}

#[tokio::test]
async fn a_page_of_another_program_is_told_from_one_that_cannot_be_read() {
    let server = Server::start(|_| ok("go_goroutines 7\n")).await;
    let answers =
        backend(std::slice::from_ref(&server.url), &[]).fetch(&brokers([(1, "a")])).await.brokers;
    assert!(matches!(answers[&BrokerId(1)], Err(MetricsError::NotThere { .. })), "{answers:?}");
}

#[tokio::test]
async fn the_largest_replica_is_the_size_of_a_partition() {
    let server = Server::start(|target| ok(page(target[1..].parse().unwrap()))).await;
    let mut backend = backend(&[format!("{}/{{id}}", server.url)], &[]);
    let sized = backend.partition_sizes(&brokers([(1, "a"), (3, "b"), (2, "c")])).await;
    assert_eq!(sized.sizes["a"][&PartitionId(0)], Bytes(300));
}

#[tokio::test]
async fn names_in_the_exporters_own_form_are_known_too() {
    // The exporter's output without rules, with and without lowercaseOutputName.
    let server = Server::start(|_| {
        ok("kafka_network_RequestMetrics_99thPercentile{name=\"TotalTimeMs\",request=\"FetchConsumer\",} 500.0\n\
            kafka_server_kafkarequesthandlerpool_oneminuterate{name=\"RequestHandlerAvgIdlePercent\",} 0.25\n")
    })
    .await;
    let answers =
        backend(std::slice::from_ref(&server.url), &[]).fetch(&brokers([(1, "a")])).await.brokers;
    let answer = answers[&BrokerId(1)].clone().unwrap();
    assert_eq!(answer.p99_fetch.unwrap().value, Duration::from_millis(500));
    assert_eq!(answer.request_handler_idle.unwrap().value.ppm(), 250_000);
}

#[tokio::test]
async fn the_page_of_a_real_broker_tells_what_it_is_to_tell() {
    let scrapes = AtomicU64::new(0);
    let page = include_str!("../../testdata/broker.prom");
    let server = Server::start(move |_| match scrapes.fetch_add(1, Ordering::SeqCst) {
        0 => ok(page),
        _ => ok(page
            .replace(
                "kafka_server_brokertopicmetrics_bytesin_total 2025640.0",
                "kafka_server_brokertopicmetrics_bytesin_total 2.02564E8",
            )
            .replace("replicationbytesin_total 0.0", "replicationbytesin_total 1.0E8")),
    })
    .await;
    let mut backend = backend(std::slice::from_ref(&server.url), &[]);
    let asked = brokers([(1, "a")]);
    backend.fetch(&asked).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = backend.fetch(&asked).await.brokers[&BrokerId(1)].clone().unwrap();
    let (rx, copied) = (answer.rx.unwrap().value.0, answer.replication_in.unwrap().value.0);
    assert!(
        copied > 0 && (rx as f64 / copied as f64 - 3.0053836).abs() < 0.0001,
        "{rx} of {copied}"
    );
    assert_eq!(answer.tx.map(|tx| tx.value), Some(Rate(0)), "nobody read, and that is known");
    assert_eq!(answer.p99_produce.unwrap().value, Duration::from_millis(196));
    assert_eq!(answer.request_handler_idle.map(|idle| idle.value.ppm()), Some(0));
    let sized = backend.partition_sizes(&asked).await;
    assert_eq!(sized.sizes["events.raw"][&PartitionId(1)], Bytes(1_101_940));
}
