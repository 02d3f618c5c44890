//! Brokers' metrics: read from their own pages and from a real Prometheus, and stored in znodes.

use std::collections::BTreeMap;

use serde_json::Value;
use testbed::{Cluster, Mode, until};

use crate::binary::{json, topicmappr};
use crate::load::Load;
use crate::plan::{find_broker, partition};
use crate::traffic::{SOON, Traffic};

/// What clients write and read, in bytes per second: far more than the other traffic between brokers.
const RATE: u64 = 1_000_000;
/// A busy machine may serve a tenth of it. Idle brokers still send each other less than this.
const BUSY: f64 = 10_000.0;

/// Every broker's page by its id, as they share one host.
pub(crate) fn pages(cluster: &Cluster) -> Vec<String> {
    let urls = cluster.exporters().into_iter();
    urls.flat_map(|(id, url)| ["--exporter-url".to_owned(), format!("{id}={url}")]).collect()
}

fn shown(cluster: &Cluster, flags: &[String]) -> Value {
    let bootstrap = cluster.bootstrap();
    let args = ["metrics", "show", "--output", "json", "--bootstrap-server", &bootstrap];
    let ended = topicmappr(args.map(str::to_owned).iter().chain(flags)).with(0);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn find(shown: &Value, id: i32, name: &str) -> Option<f64> {
    let rows = shown["brokers"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == id).unwrap();
    row["numbers"][name]["value"].as_f64()
}

pub(crate) fn number(shown: &Value, id: i32, name: &str) -> f64 {
    find(shown, id, name).unwrap_or_else(|| panic!("no {name} of {id}: {shown:#}"))
}

/// 1001 leads the partition of the clients, 1002 copies it, and 1003 is idle.
fn tells_who_does_what(shown: &Value) {
    let rate = |id, name: &str| number(shown, id, &format!("{name}_bytes_per_second"));
    assert!(
        rate(1001, "rx") > BUSY && rate(1001, "tx") > rate(1001, "replication_out"),
        "{shown:#}"
    );
    assert!(rate(1001, "replication_out") > BUSY, "{shown:#}");
    assert!(
        rate(1002, "replication_in") > BUSY && rate(1002, "rx") >= rate(1002, "replication_in"),
        "{shown:#}"
    );
    assert!(rate(1003, "rx") < BUSY && rate(1003, "tx") < BUSY, "{shown:#}");
    assert!(number(shown, 1001, "p99_produce_seconds") > 0.0, "{shown:#}");
    let cores = |id| number(shown, id, "cpu_nanocores") / 1e9;
    assert!(cores(1003) > 0.0 && cores(1001) > cores(1003) && cores(1001) < 64.0, "{shown:#}");
}

#[test]
#[ignore = "live"]
fn pages_prometheus_and_znodes_tell_the_same_story() {
    let builder = Cluster::builder().mode(Mode::ZooKeeper).brokers(3).chroot("/kafka").exporter();
    let cluster = builder.start().unwrap();
    let lists = vec![vec![1001, 1002]];
    Traffic::of(&cluster).create(&BTreeMap::from([("busy".to_owned(), lists)]));
    let load = Load::start(&cluster, "busy", RATE);
    until("the first million", SOON, || (load.served().read > RATE).then_some(())).unwrap();

    // A percentile is NaN until its broker has counted the first request.
    let by_pages = until("a percentile on the page", SOON, || {
        let shown = shown(&cluster, &pages(&cluster));
        find(&shown, 1001, "p99_produce_seconds").is_some().then_some(shown)
    });
    let by_pages = by_pages.unwrap();
    assert_eq!(by_pages["source"], "exporter");
    tells_who_does_what(&by_pages);
    assert!(number(&by_pages, 1001, "request_handler_idle_ratio") <= 1.0);

    let url = cluster.start_prometheus().unwrap();
    let label =
        ["--prometheus-url", &url, "--prometheus-label", "broker_id", "--metrics-window", "10"];
    let label = label.map(str::to_owned);
    // Prometheus needs two samples of each counter for a rate.
    let by_prometheus = until("rates in Prometheus", SOON, || {
        let shown = shown(&cluster, &label);
        let rows = shown["brokers"].as_array().unwrap();
        let known =
            rows.iter().filter_map(|row| row["numbers"]["tx_bytes_per_second"]["value"].as_f64());
        let (count, most) = (known.clone().count(), known.fold(0.0, f64::max));
        let counted = find(&shown, 1001, "p99_produce_seconds").is_some();
        (count == 3 && most > BUSY && counted).then_some(shown)
    });
    let by_prometheus = by_prometheus.unwrap();
    assert_eq!(by_prometheus["source"], "prometheus");
    tells_who_does_what(&by_prometheus);
    for (flags, rates) in [(&pages(&cluster), Some("10s")), (&label.to_vec(), None)] {
        what_consumers_read_is_fetched(&cluster, flags, rates);
    }
    cluster.kill_prometheus();
    drop(load);
    sizes_arrive_in_znodes(&cluster);
}

/// Of the topic of the clients, and zero of a partition that clients do not read. The rates of producers come from Kafka itself.
fn what_consumers_read_is_fetched(cluster: &Cluster, flags: &[String], rates: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fetched.json");
    let (bootstrap, path) = (cluster.bootstrap(), file.to_str().unwrap());
    let fetch = ["metrics", "fetch", "--bootstrap-server", &bootstrap, "--out-file", path];
    let measured = rates.map(|during| ["--rates", during]);
    let words = fetch.iter().chain(measured.iter().flatten()).map(|word| (*word).to_owned());
    let ended = topicmappr(words.chain(flags.iter().cloned())).with(0);
    let of = |topic: &str, key: &str| {
        let known = partition(&json(&file), topic, 0)[key].as_f64();
        known.unwrap_or_else(|| panic!("no {key} of {topic}: {}{}", ended.stdout, ended.stderr))
    };
    assert!(of("busy", "bytes_out_per_second") > BUSY, "{}", ended.stdout);
    assert!(of("__consumer_offsets", "bytes_out_per_second") < BUSY, "{}", ended.stdout);
    assert!(ended.stdout.contains("consumers of "), "{}", ended.stdout);
    if rates.is_some() {
        assert!(of("busy", "bytes_in_per_second") > BUSY, "{}", ended.stdout);
        // A minute after their start, three JVMs may tell anything but nothing.
        let model = json(&file)["cpu_model"]["brokers"].as_u64();
        assert!(
            model == Some(3) || ended.stderr.contains("there is no model of CPU"),
            "{}",
            ended.stderr
        );
    }
}

/// The znodes for plans without a broker contain the brokers' numbers. Any gauge can stand for a disk here.
fn sizes_arrive_in_znodes(cluster: &Cluster) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (zookeeper, bootstrap) = (cluster.zookeeper(), cluster.bootstrap());
    let gauge = "storage-free=kafka_server_replicamanager_leadercount * 1000000";
    let fetch = ["metrics", "fetch", "--zookeeper", &zookeeper, "--exporter-metric", gauge];
    let fetch = || fetch.map(str::to_owned).into_iter().chain(pages(cluster));
    topicmappr(fetch().chain(["--dry-run".to_owned()])).with(5);
    let (by_brokers, stored) = (file("brokers.json"), file("stored.json"));
    topicmappr(["snapshot", "--zookeeper", &zookeeper, "--out-file", &stored]).with(0);
    assert_eq!(
        partition(&json(stored.as_ref()), "busy", 0)["size_bytes"],
        Value::Null,
        "a dry run"
    );

    topicmappr(fetch()).with(0);
    topicmappr(["snapshot", "--zookeeper", &zookeeper, "--out-file", &stored]).with(0);
    topicmappr(["snapshot", "--bootstrap-server", &bootstrap, "--out-file", &by_brokers]).with(0);
    let (stored, by_brokers) = (json(stored.as_ref()), json(by_brokers.as_ref()));
    let size = |snapshot: &Value| partition(snapshot, "busy", 0)["size_bytes"].as_u64().unwrap();
    assert_eq!(size(&stored), size(&by_brokers));
    assert!(size(&stored) > RATE);
    let free = find_broker(&stored, 1001).unwrap()["storage_free_bytes"].as_u64().unwrap();
    assert!(free >= 1_000_000 && free.is_multiple_of(1_000_000), "{free}");
}
