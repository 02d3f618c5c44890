//! The chart on real nodes: Kafka from nothing with TLS and SASL, its first topics and a first plan, all by pods.
//!
//! The namespace enforces Pod Security's strictest profile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testbed::{Image, Nodes, Version, helm, until};

use crate::traffic::SOON;

const ZONES: [(&str, &str); 3] = [("a", "eu-1a"), ("b", "eu-1b"), ("c", "eu-1c")];
/// Brokers and controllers.
const SERVERS: &str = "app.kubernetes.io/component in (broker, controller)";
const CONTROLLERS: &str = "app.kubernetes.io/component=controller";
const PASSWORD: &str = "Tr0ub4dor=&3";
/// The names of the certificate that all nodes share.
const NAMES: &str = "subjectAltName=DNS:kafka-bootstrap.kafka.svc,DNS:*.kafka-events.kafka.svc,\
                     DNS:*.kafka-logs.kafka.svc,DNS:*.kafka-controller.kafka.svc\n\
                     extendedKeyUsage=serverAuth,clientAuth\n";

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/helm/topicmappr")
}

fn openssl(folder: &Path, args: &str) {
    let ran = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{args}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// The three Secrets of docs/chart.md.
fn secrets(folder: &Path) -> Vec<String> {
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(folder, &format!("req -x509 {new} -days 2 -subj /CN=ca -keyout ca.key -out ca.crt"));
    openssl(folder, &format!("req -new {new} -subj /CN=kafka -keyout tls.key -out tls.csr"));
    fs::write(folder.join("names"), NAMES).unwrap();
    let sign = "x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2";
    openssl(folder, &format!("{sign} -extfile names -out tls.crt"));
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let client = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
         sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
         username=\"topicmappr\" password=\"{PASSWORD}\";\n\
         ssl.truststore.type=PEM\nssl.truststore.location=/etc/kafka-client/ca.crt\n"
    );
    let secret = |name: &str, data: Value| {
        let metadata = json!({"name": name, "namespace": "kafka"});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
            .to_string()
    };
    let tls = ["tls.key", "tls.crt", "ca.crt"].map(|name| (name, read(name)));
    let tls: serde_json::Map<String, Value> =
        tls.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    vec![
        secret("kafka-tls", tls.into()),
        secret("kafka-users", json!({"topicmappr": PASSWORD})),
        secret("kafka-client", json!({"client.properties": client, "ca.crt": read("ca.crt")})),
    ]
}

/// Runs a CronJob's pod now, and returns what it printed.
fn run_now(nodes: &Nodes, cronjob: &str) -> String {
    let kubernetes = nodes.kubernetes();
    let wanted = cronjob.to_owned();
    let found = kubernetes.run("the CronJob", |client| async move {
        Ok(Api::<CronJob>::namespaced(client, "kafka").get(&wanted).await?)
    });
    let template = found.unwrap().spec.unwrap().job_template.spec;
    let job = format!("{cronjob}-now");
    let metadata = json!({"name": job, "namespace": "kafka"});
    let text =
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template});
    kubernetes.apply(&text.to_string()).unwrap();
    let selector = format!("batch.kubernetes.io/job-name={job}");
    let (pod, phase) = kubernetes
        .pods(&format!("end of {job}"), "kafka", &selector, |pods| {
            let phase = pods.first()?.status.as_ref()?.phase.clone()?;
            ["Succeeded", "Failed"].contains(&&*phase).then(|| (pods[0].name_any(), phase))
        })
        .unwrap();
    let printed = nodes.logs("kafka", &pod, "").unwrap();
    assert_eq!(phase, "Succeeded", "{job}: {printed}");
    printed
}

/// The ends of the logs of all servers, for a failure.
fn last_words(nodes: &Nodes) -> String {
    let pods = nodes.kubernetes().run("the servers", |client| async move {
        Ok(Api::<Pod>::namespaced(client, "kafka").list(&Default::default()).await?.items)
    });
    let mut text = String::new();
    for pod in pods.unwrap() {
        let spec = pod.spec.clone().unwrap_or_default();
        let all = spec.init_containers.into_iter().flatten().chain(spec.containers);
        for container in all {
            let log = nodes.logs("kafka", &pod.name_any(), &container.name).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(12)..].join("\n");
            text += &format!("== {} {}\n{last}\n", pod.name_any(), container.name);
        }
    }
    text
}

#[test]
#[ignore = "live"]
fn the_chart_starts_six_brokers_with_tls_and_scram_from_nothing_and_plans() {
    let nodes = Nodes::start(&ZONES).unwrap();
    nodes.load(&Image::kafka(Version::V4_3)).unwrap();
    nodes.load(&Image::ours()).unwrap();
    let kubernetes = nodes.kubernetes();
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let metadata = json!({"name": "kafka", "labels": labels});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
    kubernetes.apply(&namespace.to_string()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    secrets(folder.path()).iter().for_each(|secret| kubernetes.apply(secret).unwrap());
    // The test alone runs it: two runs at once exclude each other.
    let values = folder.path().join("values.yaml");
    fs::write(&values, "topics: {schedule: \"0 0 31 2 *\"}").unwrap();
    let examples = ["small.yaml", "secure.yaml"].map(|name| chart().join("examples").join(name));
    let text = helm::template(&chart(), &[&examples[0], &examples[1], &values]).unwrap();

    let began = Instant::now();
    kubernetes.apply(&text).unwrap();
    let ready = kubernetes.ready_pods("kafka", SERVERS, 9);
    ready.unwrap_or_else(|why| panic!("{why}\n{}", last_words(&nodes)));
    println!("six brokers, three controllers: {:.0} s", began.elapsed().as_secs_f64());
    assert_eq!(in_use(&nodes), None, "no broker hosts a partition");

    let printed = run_now(&nodes, "topicmappr-topics");
    assert!(printed.contains("2 topics in 1 document: 0 as defined, 2 created"), "{printed}");
    let printed = run_now(&nodes, "topicmappr-plan");
    assert!(printed.contains("none: everything in scope is as it should be"), "{printed}");
    until("the note that the cluster is in use", SOON, || in_use(&nodes)).unwrap();
    println!("with topics and a plan: {:.0} s", began.elapsed().as_secs_f64());
    a_controller_loses_its_disk(&nodes);
}

fn in_use(nodes: &Nodes) -> Option<String> {
    let found = nodes.kubernetes().run("the note", |client| async move {
        Ok(Api::<ConfigMap>::namespaced(client, "kafka").get("kafka-in-use").await?.data)
    });
    found.unwrap().and_then(|data| data.get("since").cloned())
}

/// It comes back as another voter: the quorum believes nothing that an empty disk says under the first voter's name.
fn a_controller_loses_its_disk(nodes: &Nodes) {
    let kubernetes = nodes.kubernetes();
    let before = kubernetes.ready_pods("kafka", CONTROLLERS, 3).unwrap();
    let deleted = kubernetes.run("claim and pod to go", |client| async move {
        let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "kafka");
        claims.delete("data-kafka-controller-2", &DeleteParams::default()).await?;
        let pods = Api::<Pod>::namespaced(client, "kafka");
        pods.delete("kafka-controller-2", &DeleteParams::default()).await?;
        Ok(())
    });
    deleted.unwrap();
    let old = before[2].uid();
    kubernetes
        .pods("a new pod of the controller", "kafka", CONTROLLERS, move |pods| {
            let same = pods.iter().any(|pod| pod.uid() == old);
            (pods.len() == 3 && !same).then_some(())
        })
        .unwrap();
    let ready = kubernetes.ready_pods("kafka", CONTROLLERS, 3);
    ready.unwrap_or_else(|why| panic!("{why}\n{}", last_words(nodes)));
    let formatted = nodes.logs("kafka", "kafka-controller-2", "format").unwrap();
    assert!(formatted.contains("Formatting metadata directory"), "no first voter: {formatted}");
}
