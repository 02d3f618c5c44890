//! The laws of stores, passed by the state topic in both modes, ZooKeeper, and ConfigMaps in Kubernetes. A fast test of
//! `coordination` has the same laws for a file.

#[path = "../../crates/coordination/tests/laws/mod.rs"]
mod laws;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coordination::{Error, LeaseStore, Records, Role, Store};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kubernetes::{Access, Name};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use statelog::{StateTopic, TOPIC};
use testbed::{Cluster, Kubernetes, Mode, until};
use tokio::runtime::Runtime;

use crate::traffic::SOON;
use crate::znodes;
use laws::{eventually, laws, lead};

/// Whether this call created the topic.
fn make_topic(cluster: &Cluster) -> bool {
    Runtime::new().unwrap().block_on(async {
        let (client, _) = operate::live::connect(&cluster.bootstrap(), None).await.unwrap();
        operate::state_topic::open(&client, None).await.unwrap().is_some()
    })
}

fn with_topic(mode: Mode) {
    let cluster = Cluster::builder().mode(mode).brokers(3).mortal(1001..=1003).start().unwrap();
    let access = statelog::Access::new([("bootstrap.servers", cluster.bootstrap())]);
    let store = Store::Topic { access, role: Role::Executor };
    let runtime = Runtime::new().unwrap();
    let missing = runtime.block_on(store.seen()).unwrap();
    assert_eq!((missing.holder, missing.records), (None, Records::new()), "nothing is created");

    assert!(make_topic(&cluster) && !make_topic(&cluster));
    // The broker that the tool asks may hear of the topic later.
    let described = || cluster.tool("topics", ["--describe", "--topic", TOPIC]).ok();
    let described = until("the topic at a broker", SOON, described).unwrap();
    assert!(described.contains("ReplicationFactor: 3"), "{described}");
    assert!(described.contains("cleanup.policy=compact"), "{described}");

    // The same place again: its earlier holder counts as dead, and is fenced.
    runtime.block_on(laws(&store, &|| ()));
    runtime.block_on(kafka_is_away(&cluster, &store));
}

/// Without an answer of Kafka, the leader must not act. Its claim becomes valid again by itself.
async fn kafka_is_away(cluster: &Cluster, store: &Store) {
    let all = [1001, 1002, 1003];
    let mut lead = lead(store, "third").await.unwrap();
    cluster.kill_brokers(&all).unwrap();
    let ended = eventually("a claim without renewal", async || lead.check().await.err()).await;
    assert!(matches!(ended, Error::Ended { .. }), "{ended}");
    all.iter().for_each(|id| cluster.start_broker(*id).unwrap());
    eventually("the claim renewed", async || lead.take_again().await.ok().cloned()).await;
    lead.release().await;
}

#[test]
#[ignore = "live"]
fn laws_hold_in_the_topic_with_kraft() {
    with_topic(Mode::KRaft);
}

#[test]
#[ignore = "live"]
fn laws_hold_in_the_topic_with_zookeeper_and_in_its_znodes() {
    let cluster = Cluster::builder().mode(Mode::ZooKeeper).brokers(1).start().unwrap();
    let address = cluster.zookeeper();
    let folder = "/topicmappr/executors/c".to_owned();
    let store = Store::ZooKeeper { address: address.parse().unwrap(), folder };
    let steal = || znodes::remove_the_lock(&address);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(laws(&store, &steal));

    make_topic(&cluster);
    let access = statelog::Access::new([("bootstrap.servers", cluster.bootstrap())]);
    runtime.block_on(laws(&Store::Topic { access, role: Role::Daemon }, &|| ()));
}

#[test]
#[ignore = "live"]
fn laws_hold_in_config_maps() {
    let kubernetes = Kubernetes::start().unwrap();
    let access = Access { kubeconfig: vec![kubernetes.kubeconfig()], ..Access::default() };
    let lease = Name::new("default", "mappr-cluster-x");
    let store = Store::Kubernetes(LeaseStore::of_executors(access, lease));
    let steal = || {
        let patch = serde_json::json!({"spec": {"holderIdentity": ""}});
        let freed = kubernetes.run("a free lease", move |client| async move {
            let api = Api::<Lease>::namespaced(client, "default");
            let (name, terms) = ("mappr-cluster-x", PatchParams::default());
            Ok(api.patch(name, &terms, &Patch::Merge(patch)).await.map(drop)?)
        });
        freed.unwrap();
    };
    Runtime::new().unwrap().block_on(laws(&store, &steal));
}

/// Set for the process that leads until it is killed.
const BOOTSTRAP: &str = "MAPPR_TEST_LEADER";

/// Not a real test: [`a_dead_leader_is_taken_over`] runs it in another process.
#[test]
#[ignore = "live"]
fn leader_that_will_be_killed() {
    let Ok(bootstrap) = std::env::var(BOOTSTRAP) else { return };
    Runtime::new().unwrap().block_on(async {
        let lead = lead(&in_topic(&bootstrap), "host-a").await.unwrap();
        println!("leads");
        tokio::time::sleep(Duration::from_secs(600)).await;
        lead.release().await;
    });
}

fn in_topic(bootstrap: &str) -> Store {
    let access = statelog::Access::new([("bootstrap.servers", bootstrap)]);
    Store::Topic { access, role: Role::Executor }
}

/// Writes the dead leader's claim once more: what a process wrote just before its end may be seen after it.
fn last_words(bootstrap: &str) -> Instant {
    let access = statelog::Access::new([("bootstrap.servers", bootstrap)]);
    let mut claims = StateTopic::existing(access).records("claim/").unwrap();
    let claim = claims.remove("executor").unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    producer.send(BaseRecord::to(TOPIC).key("claim/executor").payload(&claim)).unwrap();
    producer.flush(SOON).unwrap();
    Instant::now()
}

/// Its record changes at most once more, and half a minute later the waiting process leads.
#[test]
#[ignore = "live"]
fn a_dead_leader_is_taken_over() {
    use std::io::{BufRead, BufReader};
    let cluster = Cluster::builder().mode(Mode::KRaft).brokers(1).start().unwrap();
    let store = in_topic(&cluster.bootstrap());
    make_topic(&cluster);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "stores::leader_that_will_be_killed", "--ignored", "--nocapture"]);
    command.env(BOOTSTRAP, cluster.bootstrap()).stdout(Stdio::piped());
    let mut leader = command.spawn().unwrap();
    let said = BufReader::new(leader.stdout.take().unwrap()).lines().map(Result::unwrap);
    let leads = said.into_iter().any(|line| line.ends_with("leads"));
    leader.kill().unwrap();
    leader.wait().unwrap();
    assert!(leads, "the other process led");
    let bootstrap = cluster.bootstrap();
    let spoke = std::thread::spawn(move || last_words(&bootstrap));
    Runtime::new().unwrap().block_on(async {
        let second = lead(&store, "host-b").await.unwrap();
        let silent = spoke.join().unwrap().elapsed();
        assert!(silent >= Duration::from_secs(20), "a dead leader may act for its lease");
        second.check().await.unwrap();
        second.release().await;
    });
}
