//! A topic moves through scarce networks while clients need bandwidth: the daemon compared with fixed rates.
//!
//! Clients are busy at times and idle at others. A fixed rate that does not disturb them must fit their busiest moment.
//! The daemon gives the move what clients do not need now.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use testbed::{Kubernetes, Mode, lone_port, until};

use crate::browser::pictures;
use crate::daemon::Daemon;
use crate::pod::Kernel;
use crate::scarce::{LEADER, Outcome, Scene, Size};
use crate::traffic::SOON;

/// Some megabytes per second, which two busy cores can always handle.
const SMALL: Size = Size {
    card: 8_000_000,
    appetite: [500_000, 2_500_000],
    busy: Duration::from_secs(20),
    bytes: 80_000_000,
};

/// How the move is throttled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// The daemon.
    Daemon,
    /// One sidecar in each broker's pod, of which one leads. It measures only the pods' counters.
    Sidecars,
    /// A fixed rate that never disturbs clients.
    Safe,
    /// A fixed rate above the capacity of a card.
    Reckless,
}

impl By {
    fn moves(self, scene: &Scene) -> Outcome {
        let outcome = match self {
            Self::Sidecars => by_sidecars(scene),
            Self::Daemon => {
                let daemon = start(scene, &flags(scene, &exporter(scene)));
                let outcome = scene.moves(|scene| scene.submit(None));
                released(scene, &daemon);
                assert_eq!(daemon.leave().0, Some(143));
                outcome
            }
            Self::Safe => by_kafka(scene, scene.size.safe()),
            Self::Reckless => by_kafka(scene, scene.size.card * 4),
        };
        let line = outcome.line(&format!("{self:?}"));
        eprintln!("{line}, off by {:.2}\n{}", outcome.mean_off_by(), outcome.course());
        until("the end of the throttles", SOON, || scene.throttles().is_empty().then_some(()))
            .unwrap_or_else(|why| panic!("{why}: {self:?}: {:?}", scene.throttles()));
        scene.reset();
        outcome
    }
}

/// With the shipped account and lease. Each daemon is next to a broker, and only it reads that broker's kernel.
fn by_sidecars(scene: &Scene) -> Outcome {
    let kubernetes = Kubernetes::start().unwrap();
    let kubeconfig = kubernetes.service_account("kafka", "autothrottle").unwrap();
    kubernetes.apply(include_str!("../../deploy/manifests/autothrottle.yaml")).unwrap();
    let pods = scene.cluster.brokers().into_iter().map(|broker| {
        let folder = kubernetes.path().join(format!("pod-{broker}"));
        (Kernel::of(broker, &folder), folder, (broker, lone_port().unwrap()))
    });
    let pods: Vec<(Kernel, PathBuf, (i32, u16))> = pods.collect();
    let peers: Vec<String> = pods
        .iter()
        .map(|(_, _, (id, port))| format!("--sidecar-peers={id}=http://127.0.0.1:{port}"))
        .collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                pods.iter().for_each(|(kernel, ..)| kernel.count(&scene.cluster));
                thread::sleep(Duration::from_millis(200));
            }
        });
        let _end = Ends(&over);
        let mut daemons: Vec<Daemon> = pods
            .iter()
            .map(|(_, folder, (broker, port))| {
                let own = [
                    "--metrics=sidecar".to_owned(),
                    format!("--sidecar-listen=127.0.0.1:{port}"),
                    format!("--sidecar-broker-id={broker}"),
                    format!("--sidecar-root={}", folder.display()),
                    format!("--kubeconfig={}", kubeconfig.display()),
                    "--lease=kafka/autothrottle".to_owned(),
                ];
                let flags = flags(scene, &[&own[..], &peers].concat());
                let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
                Daemon::elsewhere(&scene.cluster.bootstrap(), folder, &flags)
            })
            .collect();
        until("a leader", SOON, || daemons.iter().any(Daemon::leads).then_some(())).unwrap();
        let outcome = scene.moves(|scene| scene.submit(None));
        // Stops the leader last, so that none has to take over.
        daemons.sort_by_key(Daemon::leads);
        released(scene, daemons.last().unwrap());
        for daemon in daemons {
            assert_eq!(daemon.leave().0, Some(143));
        }
        outcome
    })
}

/// Ends the counting thread, even if the test fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn by_kafka(scene: &Scene, bytes_per_second: u64) -> Outcome {
    let outcome = scene.moves(|scene| scene.submit(Some(bytes_per_second)));
    scene.clear();
    outcome
}

/// A finished move leaves nothing behind.
fn released(scene: &Scene, daemon: &Daemon) {
    let gone =
        until("the end of the throttles", SOON, || scene.throttles().is_empty().then_some(()));
    gone.unwrap_or_else(|why| panic!("{why}: {:?}\n{}", scene.throttles(), daemon.said()));
}

/// All starts of the daemon use the same state file.
fn start(scene: &Scene, flags: &[String]) -> Daemon {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Daemon::start(&scene.cluster.bootstrap(), scene.cluster.path(), &flags)
}

/// The limits that an operator of such a network sets.
fn flags(scene: &Scene, metrics: &[String]) -> Vec<String> {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let capacity = format!("{{\"default\": {}}}", megabytes(scene.size.card));
    let least = megabytes(least(scene)).to_string();
    let own = ["--interval", "2", "--cap-map", &capacity, "--min-rate", &least];
    let own = own.map(str::to_owned);
    own.into_iter().chain(metrics.iter().cloned()).collect()
}

/// The daemon's rate without metrics, in bytes per second.
fn least(scene: &Scene) -> u64 {
    scene.size.safe() / 4
}

fn exporter(scene: &Scene) -> [String; 4] {
    let any = scene.cluster.exporters().into_values().next().expect("an exporter");
    let port = any.trim_end_matches("/metrics").rsplit(':').next().expect("a port").to_owned();
    let url = format!("http://{{host}}:{port}/metrics");
    ["--metrics", "exporter", "--exporter-url", &url].map(str::to_owned)
}

fn clients_keep_their_part_while_the_daemon_paces_a_move(mode: Mode) {
    let scene = Scene::set(mode, SMALL);
    let [paced, reckless] = [By::Daemon, By::Reckless].map(|by| by.moves(&scene));
    assert!(paced.took > reckless.took, "the network is scarce");
    assert!(paced.clients > reckless.clients, "clients are left alone");
}

#[test]
#[ignore = "live"]
fn clients_keep_their_part_while_the_daemon_paces_a_move_with_kraft() {
    clients_keep_their_part_while_the_daemon_paces_a_move(Mode::KRaft);
}

/// The daemon is killed, loses its metrics, and is stopped. The move keeps its throttle at all times, and nothing stays
/// behind.
#[test]
#[ignore = "live"]
fn whatever_happens_to_the_daemon_the_move_stays_paced() {
    let scene = Scene::unmeasured(Mode::KRaft, Size { bytes: 160_000_000, ..SMALL });
    let url = scene.cluster.start_prometheus().unwrap();
    let prometheus = ["--metrics", "prometheus", "--prometheus-url", &url, "--metrics-window", "5"]
        .map(str::to_owned);
    let quick = flags(&scene, &prometheus);
    // The move must be slow enough to outlast all these events.
    let slow = [&quick[..], &["--max-tx-rate", "25"].map(str::to_owned)].concat();
    let load = scene.load();
    let daemon = start(&scene, &slow);
    scene.submit(None);
    scene.becomes_paced(|| daemon.said());
    let measured = || scene.rate().filter(|rate| *rate > least(&scene));
    until("more than the least rate", SOON, measured)
        .unwrap_or_else(|why| panic!("{why}: {:?}\n{}", scene.rate(), daemon.said()));
    pictures("autothrottle", &daemon.url(), "MB left");

    daemon.kill();
    scene.stays_paced("killed");
    let daemon = start(&scene, &slow);
    scene.stays_paced("taken over");

    scene.cluster.kill_prometheus();
    // A rate near the least rate may stay, so check the reason.
    let lost = || {
        let state = daemon.state();
        let leader = state["brokers"].as_array()?.iter().find(|broker| broker["id"] == LEADER)?;
        (leader["leader"]["why"] == "metrics_lost").then_some(())
    };
    until("the loss of metrics", SOON, lost)
        .unwrap_or_else(|why| panic!("{why}\n{:#}\n{}", daemon.state(), daemon.said()));
    scene.stays_paced("without metrics");

    assert_eq!(daemon.leave().0, Some(143));
    scene.stays_paced("handed over");

    scene.cluster.start_prometheus().unwrap();
    let daemon = start(&scene, &quick);
    scene.arrives();
    released(&scene, &daemon);
    assert_eq!(daemon.leave().0, Some(143));
    drop(load);
}

/// The same with gigabytes, five times, and with figures for `docs/`. The daemon reserves clients' peak demand for a
/// minute or two, so the move must be longer than that.
mod soak {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::plot::{Line, Panel, svg};

    const LARGE: Size = Size {
        card: 30_000_000,
        appetite: [2_000_000, 9_000_000],
        busy: Duration::from_secs(40),
        bytes: 800_000_000,
    };
    const ALL: [By; 4] = [By::Daemon, By::Sidecars, By::Safe, By::Reckless];

    /// How often to measure each. Sidecars need the API server, and behave the same with ZooKeeper.
    fn times(by: By, mode: Mode) -> usize {
        match (by, mode) {
            (By::Daemon | By::Safe, _) => 5,
            (By::Sidecars, Mode::ZooKeeper) => 0,
            (By::Reckless, _) | (By::Sidecars, Mode::KRaft) => 3,
        }
    }

    fn median(mut of: Vec<f64>) -> f64 {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    }

    fn panel<'a>(by: By, outcome: &Outcome) -> Panel<'a> {
        let name = match by {
            By::Daemon => "autothrottle",
            By::Sidecars => "autothrottle in sidecars",
            By::Safe => "a fixed rate that is always safe",
            By::Reckless => "a fixed rate that is too high",
        };
        let line = |name, colour, dashed, points| Line { name, colour, dashed, points };
        Panel {
            title: format!(
                "{name}: {:.0} s, clients get {:.0} %",
                outcome.took.as_secs_f64(),
                outcome.clients * 100.0
            ),
            lines: vec![
                line("move, measured", "#0b5cad", false, outcome.rates(|s| s.moved as f64)),
                line("throttle, set", "#0b5cad", true, outcome.decided()),
                line(
                    "clients, written",
                    "#b3540a",
                    false,
                    outcome.rates(|s| s.served.written as f64),
                ),
                line("clients, wanted", "#b3540a", true, outcome.rates(|s| s.wanted)),
            ],
        }
    }

    /// The medians of all moves of one kind.
    #[derive(Debug, Clone, Copy)]
    struct Median {
        seconds: f64,
        clients: f64,
        off: f64,
    }

    fn median_of(outcomes: &[Outcome]) -> Option<Median> {
        let of = |value: fn(&Outcome) -> f64| median(outcomes.iter().map(value).collect());
        (!outcomes.is_empty()).then(|| Median {
            seconds: of(|outcome| outcome.took.as_secs_f64()),
            clients: of(|outcome| outcome.clients),
            off: of(Outcome::mean_off_by),
        })
    }

    fn gigabytes(mode: Mode) {
        let scene = Scene::set(mode, LARGE);
        let mut outcomes = BTreeMap::<By, Vec<Outcome>>::new();
        for round in 0..5 {
            for by in ALL.into_iter().filter(|by| round < times(*by, mode)) {
                outcomes.entry(by).or_default().push(by.moves(&scene));
            }
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/figures");
        fs::create_dir_all(&folder).unwrap();
        let name = format!("closed-loop-{}", format!("{mode:?}").to_lowercase());
        let panels: Vec<Panel<'_>> =
            outcomes.iter().map(|(by, outcomes)| panel(*by, &outcomes[0])).collect();
        fs::write(folder.join(format!("{name}.svg")), svg("MB/s", &panels)).unwrap();

        let medians: BTreeMap<By, Median> = outcomes
            .iter()
            .filter_map(|(by, outcomes)| Some((*by, median_of(outcomes)?)))
            .collect();
        let mut figures = serde_json::json!({
            "moved_bytes": 2 * LARGE.bytes, "card_bytes_per_second": LARGE.card,
            "clients_bytes_per_second": LARGE.appetite,
            "fixed_rates_bytes_per_second": {"safe": LARGE.safe(), "reckless": LARGE.card * 4},
        });
        for (by, of) in &medians {
            let round = |value: f64| (value * 1000.0).round() / 1000.0;
            figures[format!("{by:?}").to_lowercase()] = serde_json::json!({
                "moves": outcomes[by].len(), "seconds": round(of.seconds),
                "clients_ratio": round(of.clients), "off_ratio": round(of.off),
            });
        }
        let text = serde_json::to_string_pretty(&figures).unwrap();
        fs::write(folder.join(format!("{name}.json")), format!("{text}\n")).unwrap();
        eprintln!("{text}");
        let [daemon, safe, reckless] = [By::Daemon, By::Safe, By::Reckless].map(|by| medians[&by]);
        assert!(daemon.off.abs() <= 0.15, "the move follows the throttle: {daemon:?}");
        assert!(daemon.clients >= 0.95, "clients keep their rate: {daemon:?}");
        assert!(reckless.clients < 0.95, "the network is scarce: {reckless:?}");
        assert!(daemon.seconds < safe.seconds, "sooner than what is always safe: {daemon:?}");
        if let Some(sidecars) = medians.get(&By::Sidecars) {
            let ratios = [sidecars.seconds / daemon.seconds, sidecars.clients / daemon.clients];
            assert!(
                ratios.iter().all(|ratio| (ratio - 1.0).abs() <= 0.1),
                "as with exporters: {sidecars:?}"
            );
        }
    }

    #[test]
    #[ignore = "live"]
    fn gigabytes_move_with_zookeeper() {
        gigabytes(Mode::ZooKeeper);
    }

    #[test]
    #[ignore = "live"]
    fn gigabytes_move_with_kraft() {
        gigabytes(Mode::KRaft);
    }

    #[test]
    #[ignore = "live"]
    fn clients_keep_their_part_while_the_daemon_paces_a_move_with_zookeeper() {
        clients_keep_their_part_while_the_daemon_paces_a_move(Mode::ZooKeeper);
    }
}
