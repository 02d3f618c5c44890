//! Runs keep their state in ConfigMaps: the state is larger than one of them, a run is killed midway, and two happen at
//! once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use testbed::{Cluster, Kubernetes, until};

use crate::binary::{Ended, Run, topicmappr};
use crate::topics_cronjob::{MANIFEST, config_map};
use crate::traffic::{SOON, Traffic};

/// With names and configs of the longest length that Kafka accepts, the state of this number of topics exceeds one
/// ConfigMap.
const TOPICS: usize = 1_400;
/// The API refuses an object of 1 MiB, which includes everything around the text.
const MOST: usize = 900_000;

const KEYS: [&str; 12] = [
    "cleanup.policy: delete",
    "delete.retention.ms: 86400000",
    "file.delete.delay.ms: 60000",
    "max.compaction.lag.ms: 9223372036854775807",
    "max.message.bytes: 1048588",
    "message.timestamp.type: CreateTime",
    "min.cleanable.dirty.ratio: 0.5",
    "min.compaction.lag.ms: 0",
    "min.insync.replicas: 1",
    "retention.bytes: -1",
    "retention.ms: 604800000",
    "segment.jitter.ms: 0",
];

fn name(at: usize) -> String {
    format!("topic-{at:04}-{}", "x".repeat(225))
}

struct Scene {
    kubernetes: Kubernetes,
    cluster: Cluster,
    account: PathBuf,
}

/// The stored state by ConfigMap: its version, its bytes, and its owned topics.
type Remembered = BTreeMap<String, (String, usize, BTreeSet<String>)>;

impl Scene {
    fn set() -> Self {
        let kubernetes = Kubernetes::start().unwrap();
        let cluster = Cluster::builder().brokers(1).start().unwrap();
        let account = kubernetes.service_account("kafka", "topicmappr-topics").unwrap();
        kubernetes.apply(&fs::read_to_string(MANIFEST).unwrap()).unwrap();
        let maps = "all: \".*\" => [1001]";
        kubernetes.apply(&config_map("topic-maps", json!({}), "maps", maps)).unwrap();
        let topics: String =
            (0..TOPICS).map(|at| format!("  - {{name: {}}}\n", name(at))).collect();
        let document = format!(
            "version: 1\ndefaults: {{partitions: 1, replication: 1, config: {{{}}}}}\ntopics:\n{topics}",
            KEYS.join(", ")
        );
        let labels = json!({"app": "topics"});
        kubernetes.apply(&config_map("many", labels, "topics.yaml", &document)).unwrap();
        Self { kubernetes, cluster, account }
    }

    fn args(&self) -> Vec<String> {
        let (account, bootstrap) = (self.account.display().to_string(), self.cluster.bootstrap());
        let what = ["topics", "apply", "--configmap-selector=app=topics", "--output=json"];
        let whither = ["--maps=configmap:kafka/topic-maps", "--namespace=kafka", "--kubeconfig"];
        let fixed = what.into_iter().chain(whither).map(str::to_owned);
        fixed.chain([account, "--bootstrap-server".to_owned(), bootstrap]).collect()
    }

    fn remembered(&self) -> Remembered {
        let found = self.kubernetes.run("the state", |client| async move {
            let api: Api<ConfigMap> = Api::namespaced(client, "kafka");
            let of_ours = ListParams::default().labels("app.kubernetes.io/managed-by=topicmappr");
            Ok(api.list(&of_ours).await?.items)
        });
        let part = |found: ConfigMap| {
            let text = &found.data.unwrap()["topics-state.json"];
            let state: Value = serde_json::from_str(text).unwrap();
            let owned = state["topics"].as_array().unwrap().iter();
            let owned = owned.filter(|topic| topic["owned"] == true);
            let owned = owned.map(|topic| topic["name"].as_str().unwrap().to_owned()).collect();
            let version = found.metadata.resource_version.unwrap();
            (found.metadata.name.unwrap(), (version, text.len(), owned))
        };
        found.unwrap().into_iter().map(part).collect()
    }
}

#[test]
#[ignore = "live"]
fn a_killed_run_and_two_at_once_end_with_every_topic_remembered_in_configmaps_of_900_kb() {
    let scene = Scene::set();
    let run = Run::start(scene.args());
    // The run has recorded its intent. It is unknown how much of it is done.
    until("the intent", SOON, || scene.remembered().contains_key("topicmappr-state").then_some(()))
        .unwrap();
    run.kill();

    // One of them takes over the lease of the killed run.
    let both = [Run::start(scene.args()), Run::start(scene.args())];
    let ids = both.each_ref().map(Run::id);
    let both = both.map(Run::end);
    one_does_it_and_the_other_names_it(ids, &both);

    let remembered = scene.remembered();
    let names: Vec<&str> = remembered.keys().map(String::as_str).collect();
    assert_eq!(names, ["topicmappr-state", "topicmappr-state-1"]);
    assert!(remembered.values().all(|(_, bytes, _)| *bytes <= MOST), "{:?}", sizes(&remembered));
    let owned: Vec<&String> = remembered.values().flat_map(|(_, _, owned)| owned).collect();
    assert_eq!(owned.len(), TOPICS, "each topic is remembered once: {:?}", sizes(&remembered));
    let owned: BTreeSet<&String> = owned.into_iter().collect();
    let all: BTreeSet<String> = (0..TOPICS).map(name).collect();
    assert_eq!(owned, all.iter().collect(), "what the killed run made is owned");
    // A run waits for brokers to learn of new topics, but not forever.
    let traffic = Traffic::of(&scene.cluster);
    until("every topic", SOON, || {
        let seen = traffic.seen();
        all.iter().all(|name| seen.contains_key(&(name.clone(), 0))).then_some(())
    })
    .unwrap();

    let last = topicmappr(scene.args()).with(0);
    let last: Value = serde_json::from_str(&last.stdout).unwrap();
    assert_eq!((&last["requests_sent"], &last["as_defined"]), (&json!(0), &json!(TOPICS)));
    let version = |all: &Remembered| all.values().map(|part| part.0.clone()).collect::<Vec<_>>();
    assert_eq!(version(&scene.remembered()), version(&remembered), "nothing is written again");
}

fn sizes(remembered: &Remembered) -> Vec<(&String, usize, usize)> {
    remembered.iter().map(|(name, (_, bytes, owned))| (name, *bytes, owned.len())).collect()
}

/// Of two runs at once, one does the work and the other names it. Or one came after the other had ended.
fn one_does_it_and_the_other_names_it(ids: [u32; 2], ended: &[Ended; 2]) {
    assert!(ended.iter().any(|ended| ended.code == Some(0)), "{ended:?}");
    for (at, run) in ended.iter().enumerate().filter(|(_, run)| run.code != Some(0)) {
        let holder = format!("lease kafka/topicmappr-state: process {} on ", ids[1 - at]);
        assert!(run.code == Some(7) && run.stdout.contains(&holder), "{holder}: {run:?}");
    }
}
