//! Kafka 3.9 with an ensemble of ZooKeeper, by the chart alone, with TLS and PLAIN, under a producer outside of the cluster.

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use serde_json::json;
use testbed::{Image, Version, until};

use super::ZONES;
use super::release::{Release, last_words, restart};
use crate::producer::Producer;
use crate::traffic::SOON;

const ENSEMBLE: &str = "app.kubernetes.io/component=zookeeper";
const FIRST_PORT: u16 = 31_000;
const CONNECT: &str = "zookeeper-0.zookeeper.kafka.svc:2181,zookeeper-1.zookeeper.kafka.svc:2181,\
                       zookeeper-2.zookeeper.kafka.svc:2181/kafka";

fn values(fetchers: u32) -> String {
    let image = Image::kafka(Version::V3_9).name().replace("docker.io/", "");
    let few = json!({"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}});
    let set = json!({
        "name": "kafka-events", "replicas": 3, "idBase": 1000, "disk": "10Gi", "heap": "256m",
        "nodePortBase": FIRST_PORT, "resources": few,
    });
    let document = "version: 1\nmaps: {events: {topics: \"events.*\", brokers: {statefulSet: kafka/kafka-events}}}";
    let topics =
        "version: 1\ndefaults: {partitions: 6, replication: 3}\ntopics: [{name: events.orders}]";
    json!({
        "maps": {"document": document},
        "topics": {"schedule": "0 0 31 2 *", "definitions": {"first-topics": topics}},
        "keep": {"enabled": true, "every": "20s"},
        "security": {"saslMechanism": "PLAIN"},
        "controllers": {"replicas": 0},
        "zookeeper": {"enabled": true, "image": image, "disk": "1Gi", "heap": "128m", "resources": few},
        "brokers": {
            "image": image, "zookeeper": CONNECT, "sets": [set],
            "properties": {"num.replica.fetchers": fetchers.to_string(), "zookeeper.session.timeout.ms": "30000"},
        },
    })
    .to_string()
}

/// Waits for the whole ensemble.
fn is_formed(release: &Release) -> Vec<Pod> {
    let ready = release.nodes().kubernetes().ready_pods("kafka", ENSEMBLE, 3);
    ready.unwrap_or_else(|why| panic!("{why}\n{}", last_words(release.nodes())))
}

/// One server at a time, as the manifest says.
fn each_server_restarts(release: &Release) {
    for pod in is_formed(release) {
        restart(release.nodes(), ENSEMBLE, &pod);
        is_formed(release);
    }
}

/// Its first look writes the notes.
fn keep_has_looked(release: &Release) {
    let noted = || {
        let read = |client| async move {
            let maps = Api::<ConfigMap>::namespaced(client, "kafka");
            Ok(maps.get_opt("topicmappr-keep").await?)
        };
        release.nodes().kubernetes().run("the notes", read).unwrap()
    };
    let notes = until("the notes of keep", SOON, noted).unwrap().data.unwrap();
    assert!(notes["keep.json"].contains("\"proposals\": []"), "{notes:?}");
}

#[test]
#[ignore = "live"]
fn kafka_3_9_runs_on_an_ensemble_of_the_chart_and_a_roll_loses_nothing() {
    let release = Release::prepare(&ZONES);
    release.nodes().load(&Image::kafka(Version::V3_9)).unwrap();
    let client = release.client().replace("SCRAM-SHA-512", "PLAIN");
    let client = client.replace("scram.ScramLoginModule", "plain.PlainLoginModule");
    release.secret(
        "kafka-client",
        json!({"client.properties": client, "ca.crt": release.read("ca.crt")}),
    );
    release.apply(&values(1));
    is_formed(&release);
    release.is_ready(3);
    let printed = release.run_now("topicmappr-topics");
    assert!(printed.contains("1 topic in 1 document: 0 as defined, 1 created"), "{printed}");
    let mut outside = release.outside(FIRST_PORT);
    outside.set("sasl.mechanism", "PLAIN");
    let producer = Producer::with(outside, "events.orders");

    each_server_restarts(&release);
    release.is_ready(3);
    keep_has_looked(&release);

    release.apply(&values(2));
    let how = ["--lease", "kafka/topicmappr-execute", "--settle", "35s", "--yes"];
    let args = [&["roll", "kafka/kafka-events"][..], &how].concat();
    let ran = release.run("roll", "topicmappr-roll", &args);
    assert!(ran.succeeded, "{}", ran.printed);
    release.is_ready(3);
    let ran = release.run("doctor", "topicmappr-planning", &["doctor", "--namespace", "kafka"]);
    assert!(ran.succeeded, "{}", ran.printed);
    println!("99 % acknowledged within {:?}", producer.has_lost_nothing());
}
