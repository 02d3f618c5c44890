//! The servers that keep a cluster's metadata get a new template while clients write: three KRaft controllers or
//! ZooKeeper servers. A run restarts them one by one, the leader last. The run is killed midway and another one
//! continues. No server is restarted after one that does not come back.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use testbed::{Brokers, Cluster, FIRST_MEMBER, Kubernetes, Life, Mode, PodSet, until};

use super::ZONES;
use super::roll::{LEASE, RIGHTS, Template, WRITES, Watch, stateful_set};
use crate::admin::set;
use crate::binary::{Ended, Run, command, topicmappr};
use crate::producer::Producer;
use crate::traffic::{SOON, Traffic};

const COUNT: usize = 3;

struct Scene {
    kubernetes: Arc<Kubernetes>,
    cluster: Arc<Cluster>,
    members: Brokers,
    kubeconfig: PathBuf,
    name: &'static str,
}

impl Scene {
    fn of(mode: Mode) -> Self {
        let kubernetes = Arc::new(Kubernetes::start().unwrap());
        for (index, zone) in ZONES.iter().enumerate() {
            kubernetes.node(&format!("node-{index}"), zone, &[]).unwrap();
        }
        let kubeconfig = kubernetes.service_account("kafka", "topicmappr-roll").unwrap();
        kubernetes.apply(RIGHTS).unwrap();
        let name = match mode {
            Mode::KRaft => "controller",
            Mode::ZooKeeper => "zookeeper",
        };
        let template = Template { strategy: "OnDelete", annotations: &[] };
        kubernetes.apply(&stateful_set(name, FIRST_MEMBER, COUNT, &template)).unwrap();
        kubernetes.ready_pods("kafka", &format!("app={name}"), COUNT).unwrap();
        let cluster = Cluster::builder().mode(mode).quorum(COUNT as u16).brokers(3);
        let cluster = if mode == Mode::KRaft { cluster.dynamic(0) } else { cluster };
        let cluster = Arc::new(cluster.start().unwrap());
        let pods = PodSet { namespace: "kafka".into(), name: name.into(), base: FIRST_MEMBER };
        let members = Brokers::join(&kubernetes, &cluster, [pods]).unwrap();
        Self { kubernetes, cluster, members, kubeconfig, name }
    }

    fn template(&self, annotations: &[(&str, &str)]) {
        let template = Template { strategy: "OnDelete", annotations };
        self.kubernetes.apply(&stateful_set(self.name, FIRST_MEMBER, COUNT, &template)).unwrap();
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        let mut args = vec!["roll".to_owned(), format!("kafka/{}", self.name)];
        match self.cluster.mode() {
            Mode::KRaft => args.extend(["--bootstrap-server".into(), self.cluster.bootstrap()]),
            Mode::ZooKeeper => {
                args.extend(["--zookeeper".into(), self.cluster.zookeeper()]);
                for (ordinal, (_, address)) in self.cluster.members().iter().enumerate() {
                    args.push(format!("--server=zookeeper-{ordinal}={address}"));
                }
            }
        }
        let kubeconfig = self.kubeconfig.display().to_string();
        args.extend(["--kubeconfig".into(), kubeconfig, "--settle=20s".into(), "--yes".into()]);
        args.extend(["--lease".into(), LEASE.into()]);
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }

    fn roll(&self, more: &[&str]) -> Ended {
        topicmappr(self.args(more))
    }

    /// The arguments of a change of controllers that waits: there is no such controller.
    fn change(&self) -> Vec<String> {
        let kubeconfig = self.kubeconfig.display().to_string();
        let bootstrap = self.cluster.bootstrap();
        let own = ["controllers", "add", "9009", "--yes", "--bootstrap-server", &bootstrap];
        let place = ["--kubeconfig", &kubeconfig, "--lease", LEASE];
        own.iter().chain(&place).map(|arg| (*arg).to_owned()).collect()
    }

    /// While a change of controllers waits, no roll begins.
    fn a_change_keeps_rolls_out(&self) {
        let log = self.cluster.path().join("change.log");
        let mut change = command();
        change.args(self.change());
        let change = Run::logging(change, &log);
        let waits = || fs::read_to_string(&log).unwrap().contains("waiting (").then_some(());
        until("a change that has claimed the cluster", SOON, waits).unwrap();
        self.roll(&[]).with(7).complaining_of(&format!("lease {LEASE}"));
        assert_eq!(self.starts(), vec![0; COUNT]);
        change.signal("-TERM");
        change.end();
    }

    /// While a roll waits for a server, no change of controllers begins. It watches the Lease for 20 seconds.
    fn a_roll_keeps_changes_out(&self) {
        let change = [self.change(), vec!["--timeout".into(), "1s".into()]].concat();
        topicmappr(change).with(7).complaining_of(&format!("lease {LEASE}"));
    }

    fn starts(&self) -> Vec<u32> {
        self.members.lives().unwrap().values().map(|life| life.starts).collect()
    }

    /// The ordinal of the leader, from Kafka's or ZooKeeper's own tools.
    fn leader(&self) -> Option<usize> {
        match self.cluster.mode() {
            Mode::KRaft => {
                let told = self.cluster.tool("quorum", ["describe", "--status"]).unwrap();
                let id = told.lines().find_map(|line| line.strip_prefix("LeaderId:")).unwrap();
                usize::try_from(id.trim().parse::<i32>().unwrap() - FIRST_MEMBER).ok()
            }
            Mode::ZooKeeper => {
                let leads = |(_, address): &(i32, String)| srvr(address).contains("Mode: leader");
                self.cluster.members().iter().position(leads)
            }
        }
    }
}

fn srvr(address: &str) -> String {
    let mut answer = String::new();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(b"srvr").unwrap();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn killed_and_resumed(scene: &Scene) {
    scene.template(&[("example.org/version", "2")]);
    let plan = || {
        let ended = scene.roll(&["--dry-run"]);
        ended.stdout.starts_with("3 pods to restart, in this order").then_some(ended)
    };
    let planned = until("the new revision of the pods", SOON, plan).unwrap().with(5);
    let leader = format!("kafka/{}-{}", scene.name, scene.leader().unwrap());
    let last = planned.stdout.lines().nth(COUNT).unwrap();
    assert!(last.trim().starts_with(&leader), "{leader} leads:\n{}", planned.stdout);
    assert_eq!(scene.starts(), vec![0; COUNT], "a rehearsal restarts nothing");

    if scene.cluster.mode() == Mode::KRaft {
        scene.a_change_keeps_rolls_out();
    }
    let run = Run::start(scene.args(&[]));
    let down = || {
        let lives = scene.members.lives().unwrap();
        lives.values().any(|life: &Life| life.pod.is_none() || life.starts > 0).then_some(())
    };
    until("a server that is being restarted", SOON, down).unwrap();
    run.kill();
    let free = || Some(scene.roll(&[])).filter(|ended| ended.code != Some(7));
    let ended = until("the lease of the roll that was killed", SOON, free).unwrap().with(0);
    assert!(ended.stdout.contains("all are up to date, ready and in sync"), "{}", ended.stdout);
    assert_eq!(scene.starts(), vec![1; COUNT], "each once\n{}", ended.stderr);
    let restarts = |line: &&str| line.starts_with("restarting ");
    let last = ended.stderr.lines().rfind(restarts).unwrap();
    assert!(last.contains(&leader), "{leader} led, and goes last:\n{}", ended.stderr);
    scene.roll(&[]).with(0);
}

/// A pod with the new template never becomes ready.
fn stopped_by_a_pod(scene: &Scene) {
    scene.template(&[("example.org/version", "3"), ("testbed/unready", "its config is wrong")]);
    let outdated = || scene.roll(&["--dry-run"]).stdout.starts_with("3 pods").then_some(());
    until("the new revision of the pods", SOON, outdated).unwrap();
    let roll = Run::start(scene.args(&["--pod-timeout", "45s"]));
    let restarts = || scene.starts().iter().sum::<u32>() as usize > COUNT;
    until("a restart", SOON, || restarts().then_some(())).unwrap();
    if scene.cluster.mode() == Mode::KRaft {
        scene.a_roll_keeps_changes_out();
    }
    let ended = roll.end().with(6);
    assert!(ended.stdout.contains("is not ready"), "{}", ended.stdout);
    // The server in the new pod takes some time to start.
    let one_more = || scene.starts().iter().sum::<u32>() as usize == COUNT + 1;
    until("the start of the restarted server", SOON, || one_more().then_some(())).unwrap();
    thread::sleep(Duration::from_secs(3));
    assert!(one_more(), "one more, and no other: {:?}", scene.starts());
}

fn a_quorum_is_restarted_under_writes(mode: Mode) {
    let scene = Scene::of(mode);
    Traffic::of(&scene.cluster).create(&[(WRITES.to_owned(), vec![vec![1001, 1002, 1003]])].into());
    set(&scene.cluster, "topics", WRITES, "min.insync.replicas=2");
    if mode == Mode::ZooKeeper {
        // The id of the server in a pod must be known.
        let mut args = scene.args(&["--dry-run"]);
        args.retain(|arg| arg != &format!("--server=zookeeper-1={}", scene.cluster.members()[1].1));
        topicmappr(args)
            .with(2)
            .complaining_of("which ZooKeeper server is in pod kafka/zookeeper-1");
    }
    let (producer, watch) = (Producer::start(&scene.cluster, WRITES), Watch::of(&scene.cluster));
    killed_and_resumed(&scene);
    stopped_by_a_pod(&scene);
    assert!(watch.fewest() >= 2, "under its min ISR");
    producer.has_lost_nothing();
}

mod soak {
    use super::{Mode, a_quorum_is_restarted_under_writes};

    #[test]
    #[ignore = "soak"]
    fn controllers_are_restarted_under_writes() {
        a_quorum_is_restarted_under_writes(Mode::KRaft);
    }

    #[test]
    #[ignore = "soak"]
    fn zookeeper_servers_are_restarted_under_writes() {
        a_quorum_is_restarted_under_writes(Mode::ZooKeeper);
    }
}
