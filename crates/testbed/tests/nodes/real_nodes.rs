//! Kafka in pods, our own image as a Job, a power failure, and nothing left of it.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use mappr_testbed::{Image, Nodes, Version, until};
use serde_json::Value;

use crate::machine::Machine;

const SOON: Duration = Duration::from_secs(120);
const ZONES: [(&str, &str); 3] = [("a", "eu-1a"), ("b", "eu-1b"), ("c", "eu-1c")];
/// Each test compares the machine before and after.
static TURN: Mutex<()> = Mutex::new(());
const KAFKA: &str = include_str!("kafka.yaml");
/// A container without a shell, not root, with a file system that it cannot write.
const SNAPSHOT: &str = r#"
apiVersion: batch/v1
kind: Job
metadata: {name: snapshot, namespace: kraft}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {app: snapshot}}
    spec:
      restartPolicy: Never
      containers:
        - name: topicmappr
          image: topicmappr:@version@
          args: [snapshot, --bootstrap-server, "bootstrap:9092", --out-file, "-"]
          securityContext: {readOnlyRootFilesystem: true, runAsNonRoot: true, allowPrivilegeEscalation: false}
"#;

fn node_of(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

fn restarts(pod: &Pod) -> i32 {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    containers.into_iter().flatten().map(|container| container.restart_count).sum()
}

/// Prints what has been used since the last time: the figures of docs/benchmarks.md.
fn report(what: &str, since: &mut Instant, nodes: &Nodes) {
    let used = nodes.used().unwrap();
    println!(
        "{what}: {:.0} s; since the start {:.0} s of CPU, now {} MiB",
        since.elapsed().as_secs_f64(),
        used.cpu.as_secs_f64(),
        used.mebibytes
    );
    *since = Instant::now();
}

#[test]
#[ignore = "live"]
fn kafka_runs_in_pods_of_three_zones_through_a_power_failure_and_leaves_nothing() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = Machine::look();
    let mut since = Instant::now();
    let nodes = Nodes::start(&ZONES).unwrap();
    report("three nodes ready", &mut since, &nodes);
    nodes.load(&Image::kafka(Version::V4_3)).unwrap();
    nodes.load(&Image::ours()).unwrap();
    report("images loaded", &mut since, &nodes);

    let kubernetes = nodes.kubernetes();
    kubernetes.apply(KAFKA).unwrap();
    let pods = nodes.ready_pods("kraft", "app=kafka", 3).unwrap();
    report("three brokers ready", &mut since, &nodes);
    assert_eq!(pods.iter().map(node_of).collect::<BTreeSet<_>>(), ["a", "b", "c"].into());
    assert_eq!(racks(&nodes), ["eu-1a", "eu-1b", "eu-1c"].map(str::to_owned).into());
    report("snapshot as a Job", &mut since, &nodes);
    let address = pods[0].status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap();
    let mut resolve = nodes.resolving("getent").unwrap();
    let found = resolve.args(["hosts", "kafka-0.kafka.kraft"]).output().unwrap();
    assert!(String::from_utf8_lossy(&found.stdout).starts_with(&address), "{found:?}");

    // The others have connections to it, which its machine does not close: the next snapshot waits until they ask its successor.
    let victim = controller(&nodes, &pods);
    let (name, node, times) = (victim.name_any(), node_of(victim).to_owned(), restarts(victim));
    nodes.crash(&node).unwrap();
    nodes.await_lost(&node).unwrap();
    report("a node lost", &mut since, &nodes);
    assert!(nodes.on_node(&node, "true").is_err());
    kubernetes
        .pods("two of three ready", "kraft", "app=kafka", |pods| {
            (pods.iter().filter(|pod| is_ready(pod)).count() == 2).then_some(())
        })
        .unwrap();
    nodes.start_node(&node).unwrap();
    kubernetes
        .pods("the broker back on its node", "kraft", "app=kafka", move |pods| {
            let back = pods.iter().find(|pod| pod.name_any() == name)?;
            (is_ready(back) && restarts(back) > times && node_of(back) == node).then_some(())
        })
        .unwrap();
    report("the node back, with its broker", &mut since, &nodes);
    assert_eq!(racks(&nodes).len(), 3);

    the_next_test_has_them_tidy(nodes, since);
    assert_nothing_since(&before);
}

/// Waits as long as another process of this machine may use nodes, which has waited for ours.
fn assert_nothing_since(before: &Machine) {
    until("end of everything", SOON * 3, || Machine::look().since(before).is_empty().then_some(()))
        .unwrap_or_else(|why| panic!("{why}: {:?}", Machine::look().since(before)));
}

/// The next test gets the same nodes, all on, without the namespaces and the data of this one.
fn the_next_test_has_them_tidy(nodes: Nodes, mut since: Instant) {
    let folder = nodes.kubernetes().path().to_owned();
    // Its images are lost, too.
    assert!(nodes.wipe_node("b").is_err());
    nodes.crash("b").unwrap();
    nodes.wipe_node("b").unwrap();
    let next = thread::spawn(move || {
        let nodes = Nodes::start(&ZONES).unwrap();
        report("tidy for the next test", &mut since, &nodes);
        assert_eq!(nodes.kubernetes().path(), folder);
        assert!(nodes.on_node("b", "true").unwrap().status().unwrap().success());
        let (namespaces, claims) = namespaces_and_claims(&nodes);
        assert!(!namespaces.contains(&"kraft".to_owned()), "{namespaces:?}");
        assert_eq!(claims, 0);
        nodes.end();
        println!("ended in {:.1} s", since.elapsed().as_secs_f64());
    });
    // It waits for its turn by then.
    thread::sleep(Duration::from_secs(1));
    drop(nodes);
    next.join().unwrap();
}

/// The names of all namespaces, and how many volumes are claimed.
fn namespaces_and_claims(nodes: &Nodes) -> (Vec<String>, usize) {
    let seen = nodes.kubernetes().run("namespaces and volumes", |client| async move {
        let namespaces = Api::<Namespace>::all(client.clone());
        let namespaces = namespaces.list(&ListParams::default()).await?;
        let volumes = Api::<PersistentVolume>::all(client).list(&ListParams::default()).await?;
        let claims = volumes.iter().filter_map(|volume| volume.spec.as_ref()?.claim_ref.as_ref());
        Ok((namespaces.iter().map(ResourceExt::name_any).collect(), claims.count()))
    });
    seen.unwrap()
}

/// The pod of the active controller.
fn controller<'a>(nodes: &Nodes, pods: &'a [Pod]) -> &'a Pod {
    let epoch = |pod: &Pod| {
        let log = nodes.logs("kraft", &pod.name_any(), "kafka").unwrap();
        let epochs =
            log.lines().filter_map(|line| line.split("the active controller at epoch ").nth(1));
        epochs.filter_map(|rest| rest.split([' ', ',', '.']).next()?.parse::<u32>().ok()).max()
    };
    let told = pods.iter().filter_map(|pod| Some((epoch(pod)?, pod)));
    told.max_by_key(|(epoch, _)| *epoch).expect("a broker tells that it is the controller").1
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.clone().and_then(|status| status.conditions).unwrap_or_default();
    conditions.iter().any(|is| is.type_ == "Ready" && is.status == "True")
}

/// The racks in a snapshot that a Job takes.
fn racks(nodes: &Nodes) -> BTreeSet<String> {
    let kubernetes = nodes.kubernetes();
    let image = Image::ours();
    let (_, version) = image.name().rsplit_once(':').unwrap();
    // A finished Job does not run again.
    let name = format!("snapshot-{}", nodes.used().unwrap().cpu.as_micros());
    let job =
        SNAPSHOT.replace("@version@", version).replace("name: snapshot", &format!("name: {name}"));
    kubernetes.apply(&job).unwrap();
    let logs = nodes.job("kraft", &name).unwrap();
    let snapshot: Value = serde_json::from_str(&logs).unwrap_or_else(|why| panic!("{why}\n{logs}"));
    let brokers = snapshot["brokers"].as_array().unwrap();
    brokers.iter().map(|broker| broker["rack"].as_str().unwrap().to_owned()).collect()
}

/// Not a real test: the next test starts this process and kills it.
#[test]
#[ignore = "live"]
fn owner_that_will_be_killed() {
    let Some(told) = std::env::var_os("MAPPR_OWNER_TELLS") else {
        return;
    };
    let nodes = Nodes::start(&ZONES[..1]).unwrap();
    fs::write(told, nodes.kubernetes().path().display().to_string()).unwrap();
    std::thread::sleep(SOON * 5);
}

#[test]
#[ignore = "live"]
fn nothing_is_left_when_the_owner_is_killed() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = Machine::look();
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "real_nodes::owner_that_will_be_killed"])
        .env("MAPPR_OWNER_TELLS", &told)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("start of a node", SOON * 5, || {
        assert_eq!(owner.try_wait().unwrap(), None, "the owner ended by itself");
        fs::read_to_string(&told).ok().filter(|text| !text.is_empty())
    })
    .unwrap();
    assert_ne!(Machine::look().since(&before), [""; 0]);
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_nothing_since(&before);
}
