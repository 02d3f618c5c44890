//! Two executors with separate ledgers, as on two machines. The second names the first and changes nothing. The first
//! is killed, and its successor gets the lock after it expires.

use std::fs;
use std::thread;
use std::time::Duration;

use testbed::kubernetes::Component;
use testbed::{Builder, Cluster, FIRST_MEMBER, Kubernetes, Mode, until};

use crate::admin::set;
use crate::autothrottle::DAEMON;
use crate::binary::{Run, SOLE, topicmappr};
use crate::daemon::Daemon;
use crate::execution::throttles;
use crate::kubernetes::without;
use crate::plan::Partition;
use crate::traffic::{SOON, Traffic};
use crate::znodes;

/// The shipped manifest for executors in pods, with its Lease.
const RIGHTS: &str = include_str!("../../deploy/manifests/execute.yaml");
/// The shipped manifest for daemons.
const RIGHTS_OF_DAEMONS: &str = include_str!("../../deploy/manifests/autothrottle.yaml");
const LEASE: &str = "kafka/topicmappr-execute";

/// Longer than a ZooKeeper session or a Lease stays valid without its holder.
const OUTAGE: Duration = Duration::from_secs(25);

/// A move of one partition, and the folder of its files.
pub(crate) struct Situation {
    pub(crate) cluster: Cluster,
    folder: tempfile::TempDir,
}

pub(crate) fn moved() -> Partition {
    ("events".to_owned(), 0)
}

pub(crate) fn situation(mode: Mode) -> Situation {
    situation_in(Cluster::builder().mode(mode))
}

fn situation_in(builder: Builder) -> Situation {
    let cluster = builder.brokers(3).small_fetches().start().unwrap();
    let traffic = Traffic::of(&cluster);
    traffic.create(&[("events".to_owned(), vec![vec![1001]])].into());
    traffic.write(&[(moved(), 5_000_000)].into());
    let situation = Situation { cluster, folder: tempfile::tempdir().unwrap() };
    situation.plan("1002");
    situation
}

impl Situation {
    pub(crate) fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn plan(&self, broker: &str) {
        let (bootstrap, plan) = (self.cluster.bootstrap(), self.at("plan.json"));
        let source = ["rebuild", "--bootstrap-server", &bootstrap, "--topics", "events"];
        let storage = ["--broker-storage", "1001=1GB,1002=1GB,1003=1GB"];
        let to = ["--brokers", broker, "--out-file", &plan, "--ignore-warns"];
        topicmappr([source.as_slice(), &storage, &to].concat()).with(0);
    }

    /// A command line on this machine, with its own journal and ledger.
    pub(crate) fn execute(&self, machine: &str, throttle: &str, more: &[&str]) -> Vec<String> {
        let (plan, bootstrap) = (self.at("plan.json"), self.cluster.bootstrap());
        let [journal, ledger] =
            ["journal", "ledger"].map(|file| self.at(&format!("{machine}.{file}")));
        let own = ["execute", &plan, "--bootstrap-server", &bootstrap, "--yes"];
        let kept = ["--journal", &journal, "--state-file", &ledger, "--throttle", throttle];
        [own.as_slice(), &kept, more].concat().into_iter().map(str::to_owned).collect()
    }

    fn begin(&self, place: &[&str]) -> Run {
        let first = Run::start(self.execute("a", "20KB/s", place));
        until("a move of the first", SOON, || {
            let seen = Traffic::of(&self.cluster).seen();
            seen.get(&moved()).filter(|seen| seen.replicas.contains(&1002)).map(|_| ())
        })
        .unwrap();
        first
    }

    fn is_moved(&self) {
        assert_eq!(Traffic::of(&self.cluster).seen()[&moved()].replicas, [1002]);
    }

    /// A read-only command takes no lock and writes nothing.
    fn is_seen_from_elsewhere(&self, place: &[&str], holder: &str) {
        let (plan, bootstrap) = (self.at("plan.json"), self.cluster.bootstrap());
        let [journal, ledger] = ["c.journal", "c.ledger"].map(|file| self.at(file));
        let place: Vec<&str> =
            place.iter().copied().filter(|flag| *flag != "--state-topic").collect();
        let files = ["--journal", &journal, "--state-file", &ledger];
        let status = ["status", &plan, "--bootstrap-server", &bootstrap];
        let told = topicmappr([status.as_slice(), &files, &place].concat()).with(0);
        let told = told.complaining_of(holder).complaining_of("read from beside it");
        assert!(told.stdout.contains("set by executions"), "{}", told.stdout);
        let rehearsal = ["--resume", "--dry-run"];
        let rehearsed = self.execute("c", "100MB/s", &[&rehearsal, place.as_slice()].concat());
        topicmappr(rehearsed).with(5).complaining_of("read from beside it");
        for command in ["cancel", "rollback"] {
            let mut args =
                self.execute("c", "100MB/s", &[&["--dry-run"], place.as_slice()].concat());
            args[0] = command.to_owned();
            if command == "cancel" {
                args.retain(|arg| !["--throttle", "100MB/s"].contains(&arg.as_str()));
            }
            let told = topicmappr(args).with(5).complaining_of("read from beside it");
            for said in ["events-0", "to be cancelled", "of broker 1001: 123456789"] {
                let shown = format!("{}{}", told.stdout, told.stderr);
                assert!(shown.contains(said), "{command}: {said} is missing:\n{shown}");
            }
        }
        assert!(![journal, ledger].iter().any(|file| std::path::Path::new(file).exists()));
    }

    /// The lock's place is unreachable for longer than the lock is valid. No other executor takes it, so the run
    /// continues.
    fn goes_on_after(&self, broker: &str, place: &[&str], outage: impl FnOnce()) {
        self.plan(broker);
        let id: i32 = broker.parse().unwrap();
        let run = Run::start(self.execute("f", "20KB/s", place));
        until("a move of the run", SOON, || {
            let seen = Traffic::of(&self.cluster).seen();
            seen.get(&moved()).filter(|seen| seen.replicas.contains(&id)).map(|_| ())
        })
        .unwrap();
        outage();
        let (bootstrap, ledger) = (self.cluster.bootstrap(), self.at("f.ledger"));
        let asks = ["throttle", "set", "100MB/s", "--bootstrap-server", &bootstrap];
        // It waits for brokers to apply the rate, but not longer than the lock may be unreachable.
        topicmappr(asks.iter().chain(&["--state-file", &ledger, "--yes"]));
        let done = run.end().with(0).complaining_of("taking it again").complaining_of("going on");
        assert!(!done.stderr.contains("another run"), "{}", done.stderr);
        assert_eq!(Traffic::of(&self.cluster).seen()[&moved()].replicas, [id]);
    }

    /// Another run had the lock in between, and wrote nothing else: what it has done in the cluster is not known.
    fn ends_after(&self, broker: &str, place: &[&str], between: impl FnOnce()) {
        self.plan(broker);
        let run = Run::start(self.execute("h", "20KB/s", place));
        let id: i32 = broker.parse().unwrap();
        until("a move of the run", SOON, || {
            let seen = Traffic::of(&self.cluster).seen();
            seen.get(&moved()).filter(|seen| seen.replicas.contains(&id)).map(|_| ())
        })
        .unwrap();
        between();
        run.end().with(7).complaining_of("another run had it meanwhile");
    }

    /// `second`: the place as the second one finds it.
    fn the_second_is_kept_out(&self, place: &[&str], second: &[&str]) {
        let first = self.begin(place);
        let name = format!("process {}", first.id());
        let refused = self.execute("b", "20KB/s", &[&["--join"], second].concat());
        topicmappr(refused).with(7).complaining_of(&name);
        first.kill();
        topicmappr(self.execute("a", "100MB/s", &[&["--resume"], place].concat())).with(0);
        self.is_moved();
        // Released at the end.
        topicmappr(self.execute("c", "100MB/s", second)).with(0);
    }
}

/// Without a flag for the place.
#[test]
#[ignore = "live"]
fn a_second_executor_is_kept_out_by_the_state_topic() {
    let situation = situation(Mode::KRaft);
    situation.the_second_is_kept_out(&[], &[]);
}

/// It looks again soon after: for four times as long as its look had waited, it would neither hear nor begin anything.
#[test]
#[ignore = "live"]
fn an_execution_hears_of_a_rate_soon_after_an_outage() {
    let situation = situation_in(Cluster::builder().mode(Mode::KRaft).processes_of(1001..=1003));
    let properties = situation.at("client.properties");
    fs::write(&properties, "request.timeout.ms=5000\n").unwrap();
    let run = situation.begin(&["--kafka-config", &properties, SOLE]);
    situation.cluster.pause_brokers().unwrap();
    thread::sleep(OUTAGE);
    situation.cluster.resume_brokers().unwrap();
    Traffic::of(&situation.cluster).seen();
    let (bootstrap, ledger) = (situation.cluster.bootstrap(), situation.at("a.ledger"));
    let asks = ["throttle", "set", "100MB/s", "--bootstrap-server", &bootstrap];
    topicmappr(asks.iter().chain(&["--state-file", &ledger, "--yes"])).with(0);
    run.end().with(0).complaining_of("asking again");
    situation.is_moved();
}

#[test]
#[ignore = "live"]
fn a_second_executor_is_kept_out_by_zookeeper() {
    let situation =
        situation_in(Cluster::builder().mode(Mode::ZooKeeper).processes_of([FIRST_MEMBER]));
    let zookeeper = situation.cluster.zookeeper();
    let place = ["--zookeeper", zookeeper.as_str()];
    situation.the_second_is_kept_out(&place, &place);
    let (server, _) = situation.cluster.members().remove(0);
    situation.goes_on_after("1003", &place, || {
        situation.cluster.kill_member(server).unwrap();
        thread::sleep(OUTAGE);
        situation.cluster.start_member(server).unwrap();
    });
    situation.ends_after("1002", &place, || znodes::take_and_leave(&zookeeper, "another run"));
}

#[test]
#[ignore = "live"]
fn a_second_executor_is_kept_out_by_a_lease() {
    let kubernetes = Kubernetes::start().unwrap();
    let kubeconfig = kubernetes.service_account("kafka", "topicmappr-execute").unwrap();
    kubernetes.apply(RIGHTS).unwrap();
    let situation = situation(Mode::KRaft);
    let kubeconfig = kubeconfig.to_str().unwrap();
    let place = ["--kubeconfig", kubeconfig, "--lease", LEASE];
    situation.the_second_is_kept_out(&place, &place);
    situation.goes_on_after("1001", &place, || {
        kubernetes.stop(Component::ApiServer);
        thread::sleep(OUTAGE);
        kubernetes.resume(Component::ApiServer).unwrap();
    });
    // The next plan begins where the previous one ended.
    situation.plan("1002");
    topicmappr(situation.execute("g", "100MB/s", &place)).with(0);
    daemons_are_met_beside_the_lease(&kubernetes, &situation, kubeconfig);
}

/// A daemon with its ledger in ConfigMaps is found by these, also after its death.
fn daemons_are_met_beside_the_lease(
    kubernetes: &Kubernetes,
    situation: &Situation,
    kubeconfig: &str,
) {
    let place = ["--dry-run", "--kubeconfig", kubeconfig, "--lease", LEASE];
    let met = || topicmappr(situation.execute("d", "100MB/s", &place)).with(0);
    assert!(!met().stderr.contains("rates are set here"));
    let rate = is_killed_with_a_rate(kubernetes, situation);
    let ledger = "with its ledger in lease kafka/autothrottle";
    met().complaining_of("rates are set here by autothrottle, process").complaining_of(ledger);
    situation.plan("1003");
    let place = ["--kubeconfig", kubeconfig, "--lease", LEASE];
    let done = topicmappr(situation.execute("e", "100MB/s", &place)).with(0).complaining_of(ledger);
    assert_eq!(Traffic::of(&situation.cluster).seen()[&moved()].replicas, [1003]);
    let own = std::fs::read_to_string(situation.at("e.ledger")).unwrap();
    assert!(own.contains("throttled.replicas") && !own.contains(&rate), "{own}");
    assert_eq!(its_rate(situation), Some(rate), "it is the daemon's\n{}", done.stderr);
}

/// A daemon with its own Lease gets a rate for the replica's broker, and dies. Returns the rate.
fn is_killed_with_a_rate(kubernetes: &Kubernetes, situation: &Situation) -> String {
    let kubeconfig = kubernetes.service_account("kafka", "autothrottle").unwrap();
    kubernetes.apply(RIGHTS_OF_DAEMONS).unwrap();
    let beside = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--lease", "kafka/autothrottle"];
    let flags = [&beside[..], &DAEMON].concat();
    let bootstrap = situation.cluster.bootstrap();
    let daemon = Daemon::elsewhere(&bootstrap, situation.folder.path(), &flags);
    until("the lead", SOON, || daemon.leads().then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    daemon.ask("POST", "/throttle/1002?rate=77");
    let rate = "77000000".to_owned();
    let stands = || (its_rate(situation).as_ref() == Some(&rate)).then_some(());
    until("the rate", SOON, stands).unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
    daemon.kill();
    rate
}

fn its_rate(situation: &Situation) -> Option<String> {
    let mut all = throttles(&situation.cluster, &[(moved(), Vec::new())].into());
    all.remove("1002")?.remove("follower.replication.throttled.rate")
}

/// Removes one right after the other. The error names each with the manifest that grants it.
#[test]
#[ignore = "live"]
fn a_missing_right_of_an_executor_is_named_and_nothing_is_begun() {
    let kubernetes = Kubernetes::start().unwrap();
    let kubeconfig = kubernetes.service_account("kafka", "topicmappr-execute").unwrap();
    let situation = situation(Mode::KRaft);
    let place = ["--kubeconfig", kubeconfig.to_str().unwrap(), "--lease", LEASE];
    let run = || topicmappr(situation.execute("a", "100MB/s", &place));
    for (resource, verb, said) in [
        ("leases", "get", "get leases.coordination.k8s.io kafka/topicmappr-execute"),
        ("leases", "create", "create leases.coordination.k8s.io kafka/topicmappr-execute"),
        ("configmaps", "get", "get configmaps kafka/topicmappr-execute-records"),
        ("configmaps", "create", "create configmaps kafka/topicmappr-execute-records"),
        ("configmaps", "update", "update configmaps kafka/topicmappr-execute-records"),
        ("leases", "update", "update leases.coordination.k8s.io kafka/topicmappr-execute"),
    ] {
        kubernetes.apply(&without(RIGHTS, resource, verb)).unwrap();
        let who = format!("system:serviceaccount:kafka:topicmappr-execute may not {said}");
        // Until the API knows the change, the previous right is missing, never none.
        let refused = until("the right to be gone", SOON, || {
            let ended = run().with(3);
            ended.stderr.contains(&who).then_some(ended)
        });
        let refused = refused.unwrap().complaining_of(&format!("grant verb {verb} on {resource}"));
        refused.complaining_of("deploy/manifests/execute.yaml");
        assert_eq!(Traffic::of(&situation.cluster).seen()[&moved()].replicas, [1001]);
    }
    kubernetes.apply(RIGHTS).unwrap();
    until("all rights", SOON, || (run().code == Some(0)).then_some(())).unwrap();
    situation.is_moved();
}

/// A machine is lost with its files. Another one knows the values that were set, and their originals.
fn another_machine_takes_over(mode: Mode, place: impl Fn(&Situation) -> Vec<String>) {
    let situation = situation(mode);
    let own = "leader.replication.throttled.rate=123456789";
    set(&situation.cluster, "brokers", "1001", own);
    let partitions = [(moved(), vec![1001])].into();
    let before = throttles(&situation.cluster, &partitions);
    let place = place(&situation);
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    let first = situation.begin(&place);
    let first_id = first.id();
    first.kill();
    assert_ne!(
        throttles(&situation.cluster, &partitions),
        before,
        "the throttle outlives the process"
    );
    for file in ["a.journal", "a.ledger"] {
        std::fs::remove_file(situation.at(file)).unwrap();
    }
    situation.is_seen_from_elsewhere(&place, &format!("process {first_id}"));
    let second = situation.execute("b", "100MB/s", &[&["--resume"], place.as_slice()].concat());
    let done = topicmappr(second).with(0).complaining_of("taking over from process");
    situation.is_moved();
    assert_eq!(throttles(&situation.cluster, &partitions), before, "{}", done.stderr);
    let journal = std::fs::read_to_string(situation.at("b.journal")).unwrap();
    assert!(journal.contains("\"started\"") && journal.contains("\"resumed\""), "{journal}");
}

#[test]
#[ignore = "live"]
fn another_machine_takes_over_from_the_state_topic() {
    another_machine_takes_over(Mode::KRaft, |_| vec!["--state-topic".to_owned()]);
}

#[test]
#[ignore = "live"]
fn another_machine_takes_over_from_zookeeper() {
    another_machine_takes_over(Mode::ZooKeeper, |situation| {
        vec!["--zookeeper".to_owned(), situation.cluster.zookeeper()]
    });
}

/// A pod is lost with its disk.
#[test]
#[ignore = "live"]
fn another_pod_takes_over_from_config_maps() {
    let kubernetes = Kubernetes::start().unwrap();
    let kubeconfig = kubernetes.service_account("kafka", "topicmappr-execute").unwrap();
    kubernetes.apply(RIGHTS).unwrap();
    let kubeconfig = kubeconfig.to_str().unwrap();
    another_machine_takes_over(Mode::KRaft, |_| {
        ["--kubeconfig", kubeconfig, "--lease", LEASE].map(str::to_owned).into()
    });
}

/// The state topic's only replica is dead, so other executors cannot be ruled out.
#[test]
#[ignore = "live"]
fn a_state_topic_that_is_there_and_does_not_answer_ends_a_run_before_it_begins() {
    let situation = situation_in(Cluster::builder().mortal([1003]));
    let traffic = Traffic::of(&situation.cluster);
    traffic.create(&[(statelog::TOPIC.to_owned(), vec![vec![1003]])].into());
    set(&situation.cluster, "topics", statelog::TOPIC, "cleanup.policy=compact");
    situation.cluster.kill_broker(1003).unwrap();
    let refused = topicmappr(situation.execute("a", "100MB/s", &[])).with(3);
    refused.complaining_of("--sole-executor");
    assert_eq!(traffic.seen()[&moved()].replicas, [1001]);
    topicmappr(situation.execute("a", "100MB/s", &["--sole-executor"])).with(0);
    situation.is_moved();
}
