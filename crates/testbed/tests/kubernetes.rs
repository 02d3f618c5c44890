//! The guarantees of the Kubernetes testbed: `cargo xtask test --only kubernetes`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, Config, ResourceExt};
use mappr_testbed::kubernetes::Component;
use mappr_testbed::{Brokers, Cluster, Kubernetes, Life, PodSet, until};

const SOON: Duration = Duration::from_secs(120);
const ZONES: [(&str, &str); 3] = [("node-a", "eu-1a"), ("node-b", "eu-1b"), ("node-c", "eu-1c")];
const EVENTS: &str = "app=kafka-events";

/// Six brokers, two in each zone, and an account that may only list pods.
const MANIFESTS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: kafka}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: kafka-events, namespace: kafka}
spec:
  serviceName: kafka-events
  podManagementPolicy: Parallel
  replicas: 6
  selector: {matchLabels: {app: kafka-events}}
  template:
    metadata: {labels: {app: kafka-events}}
    spec:
      containers: [{name: kafka, image: kafka}]
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: topology.kubernetes.io/zone
          whenUnsatisfiable: DoNotSchedule
          labelSelector: {matchLabels: {app: kafka-events}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: kafka}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: kafka}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: kafka}]
"#;

fn three_zones() -> Kubernetes {
    let kubernetes = Kubernetes::start().unwrap();
    for (node, zone) in ZONES {
        kubernetes.node(node, zone, &[]).unwrap();
    }
    kubernetes.apply(MANIFESTS).unwrap();
    kubernetes
}

/// Calls the API with this kubeconfig.
fn as_user<T>(kubeconfig: &Path, work: impl AsyncFnOnce(Client) -> T) -> T {
    let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
        work(Client::try_from(config).unwrap()).await
    })
}

fn node_of(pod: &Pod) -> String {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default()
}

#[test]
#[ignore = "live"]
fn six_pods_spread_over_three_zones_and_an_account_sees_what_it_may() {
    let kubernetes = three_zones();
    let pods = kubernetes.ready_pods("kafka", EVENTS, 6).unwrap();
    let mut nodes = BTreeMap::<String, usize>::new();
    for pod in &pods {
        *nodes.entry(node_of(pod)).or_default() += 1;
    }
    assert_eq!(nodes, ZONES.map(|(node, _)| (node.to_owned(), 2)).into());
    let address = |pod: &Pod| pod.status.clone()?.pod_ip;
    assert_eq!(pods.iter().filter_map(address).collect::<BTreeSet<_>>().len(), 6);

    let reader = kubernetes.service_account("kafka", "reader").unwrap();
    as_user(&reader, async |client| {
        let pods: Api<Pod> = Api::namespaced(client.clone(), "kafka");
        let listed = pods.list(&ListParams::default().labels(EVENTS)).await.unwrap();
        let names: Vec<String> = listed.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, (0..6).map(|i| format!("kafka-events-{i}")).collect::<Vec<_>>());

        let denied = pods.delete("kafka-events-0", &DeleteParams::default()).await.unwrap_err();
        assert!(denied.to_string().contains("cannot delete resource \"pods\""), "{denied}");
        let denied = Api::<Node>::all(client).list(&ListParams::default()).await.unwrap_err();
        assert!(denied.to_string().contains("cannot list resource \"nodes\""), "{denied}");
    });
}

#[test]
#[ignore = "live"]
fn nodes_are_lost_and_return_and_pods_are_replaced() {
    let kubernetes = three_zones();
    let before = kubernetes.ready_pods("kafka", EVENTS, 6).unwrap();

    kubernetes.node_down("node-b").unwrap();
    let lost = |pod: &&Pod| node_of(pod) == "node-b";
    assert_eq!(before.iter().filter(lost).count(), 2);
    kubernetes
        .pods("four of six ready", "kafka", EVENTS, |pods| {
            (pods.iter().filter(|pod| is_ready(pod)).count() == 4).then_some(())
        })
        .unwrap();
    kubernetes.node_up("node-b").unwrap();
    kubernetes.ready_pods("kafka", EVENTS, 6).unwrap();

    kubernetes.delete_pod("kafka", "kafka-events-0").unwrap();
    let old = before[0].uid();
    let replaced = kubernetes.pods("another kafka-events-0", "kafka", EVENTS, move |pods| {
        pods.iter().find(|pod| pod.name_any() == "kafka-events-0" && pod.uid() != old).cloned()
    });
    assert!(replaced.is_ok(), "{replaced:?}");

    kubernetes.stop(Component::ApiServer);
    assert!(kubernetes.delete_pod("kafka", "kafka-events-1").is_err());
    kubernetes.resume(Component::ApiServer).unwrap();
    kubernetes.ready_pods("kafka", EVENTS, 6).unwrap();

    let folder = kubernetes.path().to_owned();
    drop(kubernetes);
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder.display().to_string()), [""; 0]);
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.clone().and_then(|status| status.conditions).unwrap_or_default();
    conditions.iter().any(|is| is.type_ == "Ready" && is.status == "True")
}

/// Not a real test: the next test starts this process and kills it.
#[test]
#[ignore = "live"]
fn owner_that_will_be_killed() {
    let Some(told) = std::env::var_os("MAPPR_OWNER_TELLS") else {
        return;
    };
    let kubernetes = Kubernetes::start().unwrap();
    fs::write(told, kubernetes.path().display().to_string()).unwrap();
    std::thread::sleep(SOON * 5);
}

#[test]
#[ignore = "live"]
fn a_control_plane_ends_when_its_owner_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "owner_that_will_be_killed"])
        .env("MAPPR_OWNER_TELLS", &told)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let home = until("start of the control plane", SOON * 5, || {
        assert_eq!(owner.try_wait().unwrap(), None, "the owner ended by itself");
        fs::read_to_string(&told).ok().filter(|text| !text.is_empty())
    })
    .unwrap();
    assert_eq!(processes_of(&home).len(), 5, "{:?}", processes_of(&home));
    owner.kill().unwrap();
    owner.wait().unwrap();
    until("end of its processes", SOON, || processes_of(&home).is_empty().then_some(())).unwrap();
    until("end of its files", SOON, || (!Path::new(&home).exists()).then_some(())).unwrap();
}

/// The components whose command line contains the folder.
fn processes_of(folder: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    processes
        .filter_map(|path| fs::read(path.join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains("/kubelab ") && line.contains(folder))
        .collect()
}

/// Three brokers, one on each node.
const THREE: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: kafka}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: kafka, namespace: kafka}
spec:
  serviceName: kafka
  podManagementPolicy: Parallel
  replicas: 3
  selector: {matchLabels: {app: kafka}}
  template:
    metadata: {labels: {app: kafka}}
    spec:
      containers: [{name: kafka, image: kafka}]
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector: {matchLabels: {app: kafka}}
"#;

#[test]
#[ignore = "live"]
fn brokers_live_and_die_with_their_pods() {
    let kubernetes = Arc::new(Kubernetes::start().unwrap());
    for (node, zone) in ZONES {
        kubernetes.node(node, zone, &[]).unwrap();
    }
    kubernetes.apply(THREE).unwrap();
    let pods = kubernetes.ready_pods("kafka", "app=kafka", 3).unwrap();
    let cluster = Arc::new(Cluster::builder().brokers(3).mortal([1002, 1003]).start().unwrap());
    let set = PodSet { namespace: "kafka".into(), name: "kafka".into(), base: 1001 };
    let brokers = Brokers::join(&kubernetes, &cluster, [set]).unwrap();
    let when = |what: &str, id: i32, so: &dyn Fn(&Life) -> bool| {
        until(what, SOON, || so(&brokers.lives().unwrap()[&id]).then_some(())).unwrap();
    };
    let running = |id| cluster.running().contains_key(&id);

    kubernetes.delete_pod("kafka", "kafka-0").unwrap();
    when("1001 in another pod", 1001, &|life| life.pod.is_some() && life.pod != pods[0].uid());
    let life = brokers.lives().unwrap()[&1001].clone();
    assert_eq!((life.starts, life.emptied, running(1001)), (1, 0, true));

    let node = node_of(&pods[1]);
    kubernetes.node_down(&node).unwrap();
    when("1002 down with its node", 1002, &|life| life.pod.is_none());
    assert!(!running(1002));
    kubernetes.node_up(&node).unwrap();
    when("1002 up with its node", 1002, &|life| life.pod.is_some());
    let life = brokers.lives().unwrap()[&1002].clone();
    assert_eq!((life.starts, life.emptied, running(1002)), (1, 0, true));

    // A node is lost for good. Its pod starts on a new one, whose disk is empty.
    let node = node_of(&pods[2]);
    kubernetes.node("node-d", "eu-1c", &[]).unwrap();
    kubernetes.delete_node(&node).unwrap();
    when("1003 down with its node", 1003, &|life| life.pod.is_none());
    kubernetes.force_delete_pod("kafka", "kafka-2").unwrap();
    when("1003 on another node", 1003, &|life| life.pod.is_some());
    let life = brokers.lives().unwrap()[&1003].clone();
    assert_eq!((life.starts, life.emptied, running(1003)), (1, 1, true));
}
