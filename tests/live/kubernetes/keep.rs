//! `keep` in Kubernetes: each proposal is a `KafkaPlan`, an annotation with its plan's id lets it begin at once, and SIGTERM
//! ends the process between two looks.

use std::fs;
use std::path::Path;

use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::Api;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use testbed::{Cluster, Kubernetes, lone_port, until};

use super::lease;
use crate::binary::{Run, command};
use crate::daemon::plain;
use crate::traffic::{SOON, Traffic};

pub(crate) const RIGHTS: &str = include_str!("../../../deploy/manifests/keep.yaml");
pub(crate) const DEFINITION: &str = include_str!("../../../deploy/manifests/kafkaplan.yaml");
const PLAN: &str = "topicmappr-keep-drift";
/// How many plans of other needs there are.
const OTHERS: u32 = 100;

fn plans(client: kube::Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("topicmappr.io", "v1alpha1", "KafkaPlan");
    Api::namespaced_with(client, "kafka", &ApiResource::from_gvk(&kind))
}

/// The status of a plan, if there is one.
pub(crate) fn status(kubernetes: &Kubernetes, plan: &str) -> Option<Value> {
    let name = plan.to_owned();
    let read = |client| async move { Ok(plans(client).get_opt(&name).await?) };
    let found = kubernetes.run("the KafkaPlan", read).unwrap()?;
    found.data.get("status").cloned()
}

/// Approves by an annotation. A plan that is gone is none to approve.
pub(crate) fn approve(kubernetes: &Kubernetes, plan: &str, id: &str) {
    let name = plan.to_owned();
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"approve": id}}}));
    let annotate = |client| async move {
        match plans(client).patch(&name, &PatchParams::default(), &patch).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            answer => Ok(answer.map(drop)?),
        }
    };
    kubernetes.run("an approval", annotate).unwrap();
}

/// The notes of `keep`; null without them.
pub(crate) fn notes(kubernetes: &Kubernetes) -> Value {
    let read = |client| async move {
        Ok(Api::<ConfigMap>::namespaced(client, "kafka").get_opt("topicmappr-keep").await?)
    };
    let found = kubernetes.run("the notes", read).unwrap();
    let text = found.and_then(|map| map.data?.remove("keep.json"));
    text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
}

fn looked_at(kubernetes: &Kubernetes) -> Option<u64> {
    notes(kubernetes)["looked_at_seconds"].as_u64()
}

/// Runs `keep` with the rights of its manifest.
fn keep(cluster: &Cluster, account: &Path, folder: &Path, policies: &str, more: &[String]) -> Run {
    let policy = format!("version: 1\nthrottle: 50MB/s\npolicies:\n{policies}");
    let file = folder.join("policy.yaml");
    fs::write(&file, policy).unwrap();
    let mut keep = command();
    keep.args(["keep", "--bootstrap-server", &cluster.bootstrap()]).args(more);
    keep.arg("--policy").arg(&file).arg("--work-dir").arg(folder.join("work"));
    keep.args(["--notes", "configmap:kafka/topicmappr-keep"]);
    keep.args(["--maps", "configmap:kafka/topic-maps", "--namespace", "kafka"]);
    // The brokers share the disk of the test machine, which may be nearly full.
    keep.args(["--broker-storage", "1001=9GB,1002=9GB,1003=9GB"]);
    keep.env("KUBECONFIG", account).env("TOPICMAPPR_LEASE", "kafka/topicmappr-execute");
    Run::logging(keep, &folder.join("log"))
}

#[test]
#[ignore = "live"]
fn a_plan_begins_when_an_annotation_says_its_id() {
    let kubernetes = Kubernetes::start().unwrap();
    let account = kubernetes.service_account("kafka", "topicmappr-keep").unwrap();
    kubernetes.apply(DEFINITION).unwrap();
    kubernetes.apply(RIGHTS).unwrap();
    maps(&kubernetes, "events.*", "1002, 1003");
    // Kafka's own topics belong to the brokers of all maps, so they need two replicas.
    let factor = "offsets.topic.replication.factor";
    let cluster = Cluster::builder().brokers(3).property(factor, "2").start().unwrap();
    let traffic = Traffic::of(&cluster);
    traffic.create(&[("events".to_owned(), vec![vec![1001, 1002], vec![1003, 1001]])].into());
    traffic.write(&(0..2).map(|p| (("events".to_owned(), p), 500_000)).collect());

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("work")).unwrap();
    let port = lone_port().unwrap();
    // It looks again only after ten minutes, or when it is answered.
    let more = ["--every=10m".to_owned(), format!("--listen=127.0.0.1:{port}")];
    let drift = "  drift: {mode: propose, for: 0s}\n";
    let mut run = keep(&cluster, &account, folder.path(), drift, &more);
    let log = || fs::read_to_string(folder.path().join("log")).unwrap();
    let proposed = until("the proposal", SOON, || {
        status(&kubernetes, PLAN).filter(|status| status["state"] == "ForApproval")
    });
    let proposed = proposed.unwrap_or_else(|why| panic!("{why}: {}", log()));
    assert!(proposed["bytes"].as_u64().unwrap() >= 1_000_000, "{proposed}");
    let id = proposed["planId"].as_str().unwrap().to_owned();
    let metrics = plain(port, "GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let shown = r#"topicmappr_keep_proposals{need="drift",state="ForApproval"} 1"#;
    assert!(metrics.contains(shown), "{metrics}");

    // Plans for needs that are gone are in the way of nothing, and the next look removes them.
    let others = (0..OTHERS).map(|id| {
        let name = format!("topicmappr-keep-full-disk-{id}");
        let metadata = json!({"name": name, "namespace": "kafka", "labels": {"topicmappr.io/keep": "topicmappr-keep"}});
        let spec = json!({"need": format!("full-disk {id}")});
        let group = "topicmappr.io/v1alpha1";
        json!({"apiVersion": group, "kind": "KafkaPlan", "metadata": metadata, "spec": spec}).to_string()
    });
    kubernetes.apply(&others.collect::<Vec<String>>().join("\n---\n")).unwrap();

    // Another plan's id approves nothing.
    let before = looked_at(&kubernetes).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    approve(&kubernetes, PLAN, "sha256:0");
    let looked = || looked_at(&kubernetes).filter(|at| *at > before);
    until("a look after the answer", SOON, looked).unwrap_or_else(|why| panic!("{why}: {}", log()));
    assert_eq!(status(&kubernetes, PLAN).unwrap()["state"], "ForApproval");
    let left =
        |client| async move { Ok(plans(client).list(&ListParams::default()).await?.items.len()) };
    assert_eq!(kubernetes.run("KafkaPlans", left).unwrap(), 1, "{}", log());
    let memory = run.most_memory_kb();
    println!("== {memory} kB with {OTHERS} KafkaPlans more");
    assert!(memory < 100 * 1024, "{memory} kB");
    assert!(traffic.seen().values().any(|one| one.replicas.contains(&1001)));

    approve(&kubernetes, PLAN, &id);
    let gone = || status(&kubernetes, PLAN).is_none().then_some(());
    until("the end of the need", SOON, gone).unwrap_or_else(|why| panic!("{why}: {}", log()));
    traffic.settle();
    let events = traffic.seen().into_iter().filter(|((topic, _), _)| topic == "events");
    assert!(events.into_iter().all(|(_, one)| !one.replicas.contains(&1001)), "{}", log());

    assert!(run.is_up(), "{}", log());
    run.signal("-TERM");
    assert_eq!(run.end().code, Some(143), "{}", log());

    // A node is cordoned, and its broker is emptied.
    maps(&kubernetes, "events.*", "1001..1003");
    furnish(&kubernetes);
    let pods = ["--pod-labels=app=kafka".to_owned()];
    let leaves = "  leavingBroker: {mode: act, nodes: true}\n";
    let looks = || keep(&cluster, &account, folder.path(), leaves, &pods).end().code;
    assert_eq!(looks(), Some(0), "no node is cordoned: {}", log());
    let cordon = Patch::Merge(json!({"spec": {"unschedulable": true}}));
    let cordoned = kubernetes.run("a cordon", |client| async move {
        Ok(Api::<Node>::all(client)
            .patch("node-2", &PatchParams::default(), &cordon)
            .await
            .map(drop)?)
    });
    cordoned.unwrap();
    // The plan takes back what the last one took away, so an operator has to approve it.
    assert_eq!(looks(), Some(5), "{}", log());
    let plan = "topicmappr-keep-leaving-broker-1002";
    let shown = status(&kubernetes, plan).unwrap();
    assert_eq!(shown["state"], "ForApproval", "{shown}");
    approve(&kubernetes, plan, shown["planId"].as_str().unwrap());
    // While a roll has the Lease, an approved plan does not begin.
    let lists =
        || -> Vec<Vec<i32>> { traffic.seen().into_values().map(|one| one.replicas).collect() };
    let before = lists();
    lease(&kubernetes, "a roll");
    assert_eq!(looks(), Some(7), "{}", log());
    assert_eq!(lists(), before, "{}", log());
    lease(&kubernetes, "");
    assert_eq!(looks(), Some(0), "{}", log());
    traffic.settle();
    let seen = traffic.seen();
    assert!(seen.values().all(|one| !one.replicas.contains(&1002)), "{seen:?}");
}

/// Says which brokers these topics belong to.
pub(crate) fn maps(kubernetes: &Kubernetes, topics: &str, brokers: &str) {
    let map = format!("{{topics: \"{topics}\", brokers: [{brokers}]}}");
    let maps = format!("version: 1\nmaps:\n  all: {map}\n");
    let maps = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "topic-maps", "namespace": "kafka"},
        "data": {"maps.yaml": maps},
    });
    kubernetes.apply(&maps.to_string()).unwrap();
}

/// Each broker has a pod, on a node of its own.
fn furnish(kubernetes: &Kubernetes) {
    for ordinal in 1..=3 {
        let node = format!("node-{ordinal}");
        kubernetes.node(&node, "a", &[]).unwrap();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("kafka-{ordinal}"), "namespace": "kafka", "labels": {"app": "kafka"},
                         "annotations": {"kafka.example.com/broker-id": format!("100{ordinal}")}},
            "spec": {"nodeName": node, "containers": [{"name": "kafka", "image": "kafka"}]},
        });
        kubernetes.apply(&pod.to_string()).unwrap();
    }
}
