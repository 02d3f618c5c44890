//! Six pods run the daemon next to their brokers, without a metrics system. The leader is killed, paused for longer
//! than its lease, and cut off from the API. Another daemon takes over each time, and two never write at the same time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, PostParams};
use kube::runtime::watcher;
use serde_json::{Value, json};
use testbed::{Kubernetes, Mode, Wire, lone_port, until};

use crate::autothrottle::{LEAST, Situation, situation_of};
use crate::browser::Browser;
use crate::daemon::{Daemon, TOKEN};
use crate::pod::Kernel;
use crate::traffic::SOON;

const MANIFEST: &str = include_str!("../../deploy/manifests/autothrottle.yaml");
const SIDECAR: &str = include_str!("../../deploy/manifests/autothrottle-sidecar.yaml");
const BROKERS: [i32; 6] = [1001, 1002, 1003, 1004, 1005, 1006];
/// The longest time until a new leader acts, with the shipped lease: 15 s, plus the time of a busy machine until the
/// test can read the change.
const FOLLOWED: Duration = Duration::from_secs(20);

/// A pod: its daemon, its wire to the API, and its kernel's counters.
struct Pod {
    /// `None` after it was killed.
    daemon: Option<Daemon>,
    wire: Wire,
    folder: PathBuf,
    kernel: Kernel,
    broker: i32,
    port: u16,
}

/// The pods, in the order of [`BROKERS`].
struct Pods {
    all: Vec<Pod>,
    bootstrap: String,
}

impl Pods {
    fn start(situation: &Situation, kubeconfig: &Path) -> Self {
        let pod = |broker: &i32| {
            let folder = situation.folder.path().join(broker.to_string());
            let kernel = Kernel::of(*broker, &folder);
            let text = fs::read_to_string(kubeconfig).unwrap();
            let port = text.split("127.0.0.1:").nth(1).unwrap();
            let port = port.split(|c: char| !c.is_ascii_digit()).next().unwrap();
            let wire = Wire::to(port.parse().unwrap()).unwrap();
            let through =
                text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", wire.port()));
            fs::write(folder.join("kubeconfig"), through).unwrap();
            let port = lone_port().unwrap();
            Pod { daemon: None, wire, folder, kernel, broker: *broker, port }
        };
        let all = BROKERS.iter().map(pod).collect();
        let mut pods = Self { all, bootstrap: situation.cluster.bootstrap() };
        pods.count(situation);
        (0..BROKERS.len()).for_each(|at| pods.launch(at));
        pods
    }

    fn launch(&mut self, at: usize) {
        let peers: Vec<String> = self
            .all
            .iter()
            .map(|pod| format!("--sidecar-peers={}=http://127.0.0.1:{}", pod.broker, pod.port))
            .collect();
        let pod = &mut self.all[at];
        let own = [
            "--metrics=sidecar".to_owned(),
            format!("--sidecar-listen=127.0.0.1:{}", pod.port),
            format!("--sidecar-broker-id={}", pod.broker),
            format!("--sidecar-root={}", pod.folder.display()),
            format!("--kubeconfig={}", pod.folder.join("kubeconfig").display()),
            "--lease=kafka/autothrottle".to_owned(),
            "--interval=2".to_owned(),
            "--min-rate=0.3".to_owned(),
        ];
        let token = pod.folder.join("token");
        fs::write(&token, TOKEN).unwrap();
        let token = format!("--api-token-file={}", token.display());
        let own: Vec<String> = own.into_iter().chain([token]).collect();
        let all: Vec<&str> = own.iter().chain(&peers).map(String::as_str).collect();
        pod.daemon = Some(Daemon::elsewhere(&self.bootstrap, &pod.folder, &all));
    }

    /// Writes the bytes that each card has carried, as the kernel does.
    fn count(&self, situation: &Situation) {
        self.all.iter().for_each(|pod| pod.kernel.count(&situation.cluster));
    }

    fn daemon(&self, at: usize) -> &Daemon {
        self.all[at].daemon.as_ref().unwrap()
    }

    fn leads(&self, at: usize) -> bool {
        let Some(daemon) = &self.all[at].daemon else { return false };
        let state = daemon
            .try_ask("GET", "/v1/state")
            .and_then(|(_, text)| serde_json::from_str::<Value>(&text).ok());
        state.is_some_and(|state| state["leading"] == true)
    }

    fn said(&self) -> String {
        let said = self.all.iter().filter_map(|pod| pod.daemon.as_ref()).map(Daemon::said);
        said.collect::<Vec<_>>().join("\n---\n")
    }

    /// The leader among these pods. Calls `meanwhile`, which checks the throttle, until there is one.
    #[track_caller]
    fn leader(&self, of: &[usize], meanwhile: impl Fn()) -> usize {
        until("a leader", SOON, || {
            meanwhile();
            of.iter().copied().find(|at| self.leads(*at))
        })
        .unwrap_or_else(|why| panic!("{why}\n{}", self.said()))
    }

    /// Another daemon takes over in time without a gap in the throttle, and then changes the rate.
    #[track_caller]
    fn follow(&self, situation: &Situation, of: &[usize], before: &str, megabytes: u32) -> usize {
        let gone = Instant::now();
        let leader = self.leader(of, || {
            assert!(situation.is_paced_at(before), "the throttle is continuous\n{}", self.said());
        });
        self.daemon(leader).ask("POST", &format!("/throttle?rate={megabytes}"));
        situation.await_pace(&format!("{megabytes}000000"), self.daemon(leader));
        in_time("gone", gone, self);
        leader
    }
}

/// Every holder that has written the records, in order, without repetitions in a row.
fn watch_holders(kubeconfig: PathBuf) -> Arc<Mutex<Vec<String>>> {
    let holders = Arc::new(Mutex::new(Vec::<String>::new()));
    let seen = Arc::clone(&holders);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let config = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
            let options = kube::config::KubeConfigOptions::default();
            let config = kube::Config::from_custom_kubeconfig(config, &options).await.unwrap();
            let api: Api<ConfigMap> =
                Api::namespaced(kube::Client::try_from(config).unwrap(), "kafka");
            let events = watcher::watcher(api, watcher::Config::default());
            let mut events = std::pin::pin!(events);
            // It ends with the API, and the thread with it.
            while let Ok(Some(event)) = events.try_next().await {
                let (watcher::Event::Apply(map) | watcher::Event::InitApply(map)) = event else {
                    continue;
                };
                let holder = map.data.and_then(|mut data| data.remove("holder"));
                let mut seen = seen.lock().unwrap();
                if let Some(holder) = holder.filter(|holder| seen.last() != Some(holder)) {
                    seen.push(holder);
                }
            }
        });
    });
    holders
}

/// An operator's StatefulSet of brokers with the shipped sidecar added.
fn brokers_with_the_shipped_sidecar(kubernetes: &Kubernetes) {
    let labels = json!({"app": "kafka"});
    let set: StatefulSet = serde_json::from_value(json!({
        "metadata": {"name": "kafka", "namespace": "kafka"},
        "spec": {"serviceName": "kafka", "replicas": 0, "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels},
                              "spec": {"containers": [{"name": "kafka", "image": "kafka"}],
                                       "volumes": [{"name": "data", "emptyDir": {}}]}}},
    }))
    .unwrap();
    let create = |client| async move {
        let api: Api<StatefulSet> = Api::namespaced(client, "kafka");
        Ok(api.create(&PostParams::default(), &set).await.map(drop)?)
    };
    kubernetes.run("a StatefulSet", create).unwrap();
    kubernetes.apply(SIDECAR).unwrap();
    let read = |client| async move {
        let api: Api<StatefulSet> = Api::namespaced(client, "kafka");
        Ok(api.get("kafka").await?)
    };
    let pod = kubernetes.run("the StatefulSet", read).unwrap().spec.unwrap().template.spec.unwrap();
    let names: Vec<String> = pod.containers.into_iter().map(|container| container.name).collect();
    assert!(
        names.contains(&"kafka".to_owned()) && names.contains(&"autothrottle".to_owned()),
        "{names:?}"
    );
}

#[test]
#[ignore = "live"]
fn one_sidecar_of_six_leads_whatever_becomes_of_it() {
    let (situation, kubernetes) = thread::scope(|scope| {
        let kubernetes = scope.spawn(|| Kubernetes::start().unwrap());
        (situation_of(Mode::KRaft, BROKERS.len() as u16), kubernetes.join().unwrap())
    });
    let kubeconfig = kubernetes.service_account("kafka", "autothrottle").unwrap();
    kubernetes.apply(MANIFEST).unwrap();
    brokers_with_the_shipped_sidecar(&kubernetes);
    let holders = watch_holders(kubernetes.kubeconfig());
    let mut pods = Pods::start(&situation, &kubeconfig);
    let all: Vec<usize> = (0..BROKERS.len()).collect();
    let but = |gone: &[usize]| -> Vec<usize> {
        all.iter().copied().filter(|at| !gone.contains(at)).collect()
    };
    let first = pods.leader(&all, || ());
    assert_eq!(all.iter().filter(|at| pods.leads(**at)).count(), 1, "{}", pods.said());
    situation.begin_the_move();
    situation.await_pace(LEAST, pods.daemon(first));
    every_pod_is_measured(&pods, &situation, first);
    an_operator_reads_and_acts(pods.daemon(first), &situation);

    // Killed: it does not release the lease.
    pods.all[first].daemon.take().unwrap().kill();
    let second = pods.follow(&situation, &but(&[first]), LEAST, 1);

    // Paused after it accepted an override, before it set the rate. Its successor sets it.
    pods.daemon(second).ask("POST", "/throttle?rate=2");
    pods.daemon(second).signal("-STOP");
    let paused = Instant::now();
    let third = pods.leader(&but(&[first, second]), || ());
    situation.await_pace("2000000", pods.daemon(third));
    in_time("paused", paused, &pods);
    pods.daemon(third).ask("POST", "/throttle?rate=3");
    situation.await_pace("3000000", pods.daemon(third));
    pods.daemon(second).signal("-CONT");
    until("the end of its lead", SOON, || (!pods.leads(second)).then_some(())).unwrap();
    let (status, said) = pods.daemon(second).try_ask("POST", "/throttle?rate=9").unwrap();
    assert_eq!(status, 503, "{said}");
    assert!(situation.is_paced_at("3000000"), "{}", pods.said());

    // Cut off from the API only. The paused daemon may lead again.
    pods.all[third].wire.cut();
    let fourth = pods.follow(&situation, &but(&[first, third]), "3000000", 4);
    until("the end of its lead", SOON, || (!pods.leads(third)).then_some(())).unwrap();
    pods.all[third].wire.mend();

    pods.daemon(fourth).ask("POST", "/throttle?rate=150");
    situation.await_the_end_of_the_move(pods.daemon(fourth));
    situation.await_what_was_before(|| pods.said());
    each_wrote_until_the_next_did(&holders.lock().unwrap(), [first, second, third, fourth]);
    events_tell_it(&kubernetes);
    let (code, said) = pods.all[fourth].daemon.take().unwrap().leave();
    assert_eq!(code, Some(143), "{said}");
}

#[track_caller]
fn in_time(what: &str, since: Instant, pods: &Pods) {
    let took = since.elapsed();
    eprintln!("{what}: followed within {took:?}");
    assert!(took < FOLLOWED, "{what}: {took:?}\n{}", pods.said());
}

/// The leader has the rates of all six pods, only from their counters.
fn every_pod_is_measured(pods: &Pods, situation: &Situation, leader: usize) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                pods.count(situation);
                thread::sleep(Duration::from_millis(200));
            }
        });
        let measured = until("what every pod sends", SOON, || {
            let state = pods.daemon(leader).state();
            let sent: BTreeMap<u64, u64> = state["brokers"]
                .as_array()?
                .iter()
                .filter_map(|broker| {
                    Some((broker["id"].as_u64()?, broker["total_out_bytes_per_second"].as_u64()?))
                })
                .collect();
            let all = BROKERS.iter().all(|id| sent.contains_key(&(*id as u64)));
            (all && sent[&1001] > 100_000).then_some(sent)
        });
        stop.store(true, Ordering::SeqCst);
        let sent = measured.unwrap_or_else(|why| panic!("{why}\n{}", pods.said()));
        assert!(sent[&1003] < sent[&1001], "it takes, and sends little: {sent:?}");
    });
}

/// The leader's page on a phone in dark mode: what it shows, and what an operator can change with and without a token.
fn an_operator_reads_and_acts(daemon: &Daemon, situation: &Situation) {
    let mut page = Browser::open(&daemon.url(), (390, 844), "dark");
    for words in
        ["leads", "events-0", "Broker 1003", "throttle 300 kB/s", "metrics: sidecar", "left"]
    {
        page.await_words(words);
    }
    assert!(page.fits(), "a phone need not scroll sideways");
    let outside = "performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).length";
    assert_eq!(page.run(outside), 0, "it asks nobody else");
    let press = |token: &str, button: &str| {
        format!(
            "token.value = '{token}'; broker.value = '1004'; rate.value = '7'; {button}.click()"
        )
    };
    let in_page = |page: &mut Browser, script: &str| {
        let ids = "const [token, broker, rate] = ['token', 'broker', 'rate'].map(id => document.getElementById(id));";
        page.run(&format!("{{ {ids} {script} }}"));
    };
    in_page(&mut page, &press("a-guess", "document.getElementById('set')"));
    page.await_words("changes need the token");
    assert_eq!(daemon.state()["overrides"], json!({}));
    in_page(&mut page, &press(TOKEN, "document.getElementById('set')"));
    page.await_words("broker 1004: 7.0 MB/s");
    assert_eq!(daemon.state()["overrides"]["brokers"]["1004"]["rate"], 7_000_000);
    in_page(&mut page, &press(TOKEN, "document.getElementById('remove')"));
    page.await_words("is removed");
    assert!(situation.is_paced_at(LEAST));
}

/// A daemon that was replaced never writes again unless it leads again. These have led, in this order.
fn each_wrote_until_the_next_did(holders: &[String], led: [usize; 4]) {
    assert_eq!(holders.len(), led.len(), "{holders:?} {led:?}");
    let pairs = (0..led.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    for (one, other) in pairs {
        let same = holders[one] == holders[other];
        assert_eq!(same, led[one] == led[other], "{holders:?} {led:?}");
    }
}

fn events_tell_it(kubernetes: &Kubernetes) {
    let list = |client| async move {
        let api: Api<Event> = Api::namespaced(client, "kafka");
        let all = api.list(&ListParams::default()).await?;
        Ok(all.items.into_iter().filter_map(|event| event.reason).collect::<Vec<_>>())
    };
    until("the Events", SOON, || {
        let told: Vec<String> = kubernetes.run("Events", list).unwrap();
        let has = |reason: &str| told.iter().any(|one| one == reason);
        let all = ["Leading", "ThrottleSet", "ThrottleRemoved", "OverrideSet"];
        all.iter().all(|reason| has(reason)).then_some(())
    })
    .unwrap();
}
