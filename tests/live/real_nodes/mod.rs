//! The chart on real nodes: Kafka from nothing with TLS and SASL, its first topics and a first plan, all by pods.
//!
//! The namespace enforces Pod Security's strictest profile.

mod faults_soak;
mod loop_soak;
mod release;
mod soak;
mod zookeeper_soak;

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::Api;
use kube::api::DeleteParams;
use std::fs;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;
use testbed::{Nodes, lone_port, until};

use crate::binary::command;
use crate::traffic::SOON;
use release::{CONTROLLERS, Release, last_words, restart};

const ZONES: [(&str, &str); 3] = [("a", "eu-1a"), ("b", "eu-1b"), ("c", "eu-1c")];

#[test]
#[ignore = "live"]
fn the_chart_starts_six_brokers_with_tls_and_scram_from_nothing_and_plans() {
    let release = Release::prepare(&ZONES);
    let nodes = release.nodes();
    let began = Instant::now();
    // The test alone runs it: two runs at once exclude each other.
    release.apply("topics: {schedule: \"0 0 31 2 *\"}");
    release.is_ready(9);
    println!("six brokers, three controllers: {:.0} s", began.elapsed().as_secs_f64());
    assert_eq!(in_use(nodes), None, "no broker hosts a partition");

    let printed = release.run_now("topicmappr-topics");
    assert!(printed.contains("2 topics in 1 document: 0 as defined, 2 created"), "{printed}");
    let printed = release.run_now("topicmappr-plan");
    assert!(printed.contains("none: everything in scope is as it should be"), "{printed}");
    until("the note that the cluster is in use", SOON, || in_use(nodes)).unwrap();
    println!("with topics and a plan: {:.0} s", began.elapsed().as_secs_f64());
    a_controller_loses_its_disk(nodes);
}

/// In a pod nothing is above a container's process: the kernel ignores what this process does not handle. Such a pod stayed for its
/// whole grace period, ten minutes for a broker.
#[test]
#[ignore = "live"]
fn the_first_process_of_a_container_ends_by_a_signal() {
    let listen = format!("127.0.0.1:{}", lone_port().unwrap());
    let ours = command();
    let mut first = Command::new("unshare");
    first.args(["--pid", "--fork", "--kill-child"]).arg(ours.get_program()).args(ours.get_args());
    first.args(["broker", "ready", "--bootstrap-server", "127.0.0.1:1", "--listen", &listen]);
    let mut outer = first.stderr(Stdio::null()).spawn().unwrap();
    until("the probes' port", SOON, || TcpStream::connect(&listen).ok()).unwrap();
    let children = format!("/proc/{0}/task/{0}/children", outer.id());
    let inner = fs::read_to_string(children).unwrap();
    let sent = Command::new("kill").args(["-TERM", inner.trim()]).status().unwrap();
    assert!(sent.success());
    let ended = until("its end", SOON, || outer.try_wait().unwrap());
    let _ = outer.kill();
    assert_eq!(ended.unwrap().code(), Some(143));
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
    let deleted = kubernetes.run("a claim to go", |client| async move {
        let claims = Api::<PersistentVolumeClaim>::namespaced(client, "kafka");
        claims.delete("data-kafka-controller-2", &DeleteParams::default()).await?;
        Ok(())
    });
    deleted.unwrap();
    restart(nodes, CONTROLLERS, &before[2]);
    let ready = kubernetes.ready_pods("kafka", CONTROLLERS, 3);
    ready.unwrap_or_else(|why| panic!("{why}\n{}", last_words(nodes)));
    let formatted = nodes.logs("kafka", "kafka-controller-2", "format").unwrap();
    assert!(formatted.contains("Formatting metadata directory"), "no first voter: {formatted}");
}
