//! The canary's topic is made, kept in place, and hidden from everybody else; what it hears of each broker is told.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::relay::Cap;
use testbed::{Cluster, Mode, until};

use crate::binary::{json, topicmappr};
use crate::daemon::Daemon;
use crate::traffic::{OFFSETS, SOON, Traffic};

const TOPIC: &str = "__mappr_canary";
const TOPIC_OF_CLIENTS: &str = "events";
const FLAGS: [&str; 5] = ["--metrics", "none", "--interval", "2", "--canary"];

fn start(cluster: &Cluster) -> Daemon {
    Daemon::start(&cluster.bootstrap(), cluster.path(), &FLAGS)
}

/// The partition of each broker that alone has its replica and leads it.
fn in_place(cluster: &Cluster) -> BTreeMap<i32, i32> {
    let seen = Traffic::of(cluster).seen();
    let of_canary = seen.into_iter().filter(|((topic, _), _)| topic == TOPIC);
    let alone = of_canary.filter(|(_, seen)| seen.replicas == [seen.leader]);
    alone.map(|((_, partition), seen)| (seen.leader, partition)).collect()
}

#[track_caller]
fn await_place(cluster: &Cluster, daemon: &Daemon, brokers: &[i32]) -> BTreeMap<i32, i32> {
    let found = until("a partition on each broker", SOON, || {
        let found = in_place(cluster);
        brokers.iter().all(|id| found.contains_key(id)).then_some(found)
    });
    found.unwrap_or_else(|why| panic!("{why}: {:?}\n{}", in_place(cluster), daemon.said()))
}

/// What the daemon hears of a broker.
fn heard(state: &Value, broker: i32) -> Option<Value> {
    let brokers = state["brokers"].as_array()?;
    let found = brokers.iter().find(|one| one["id"] == broker)?;
    found.get("canary").cloned()
}

#[track_caller]
fn await_voices(daemon: &Daemon, brokers: &[i32]) {
    until("messages that come back from each broker", SOON, || {
        let state = daemon.state();
        brokers.iter().all(|id| heard(&state, *id).is_some()).then_some(())
    })
    .unwrap_or_else(|why| panic!("{why}\n{:#}\n{}", daemon.state(), daemon.said()));
}

fn move_to(cluster: &Cluster, partition: i32, replicas: &[i32]) {
    let map = serde_json::json!({"version": 1,
        "partitions": [{"topic": TOPIC, "partition": partition, "replicas": replicas}]});
    let file = cluster.path().join("canary.json");
    std::fs::write(&file, map.to_string()).unwrap();
    let file = file.display().to_string();
    cluster.tool("reassign", ["--execute", "--reassignment-json-file", &file]).unwrap();
}

fn the_canary_is_kept_in_place_and_hidden_from_everybody_else(mode: Mode) {
    let builder = Cluster::builder().mode(mode).brokers(3).network(Cap::default());
    let cluster = builder.start().unwrap();
    Traffic::of(&cluster).create(&[(TOPIC_OF_CLIENTS.to_owned(), vec![vec![1001, 1002]])].into());
    cluster.stop_broker(1003).unwrap();
    Traffic::of(&cluster).without(1003);
    let daemon = start(&cluster);
    let first = await_place(&cluster, &daemon, &[1001, 1002]);
    assert_eq!(first.len(), 2, "one for each live broker: {first:?}");
    cluster.start_broker(1003).unwrap();
    let all = await_place(&cluster, &daemon, &[1001, 1002, 1003]);
    assert!(first.iter().all(|(id, of)| all.get(id) == Some(of)), "{first:?} {all:?}");
    await_voices(&daemon, &[1001, 1002, 1003]);
    let metrics = daemon.ask("GET", "/metrics");
    assert!(
        metrics.contains("autothrottle_canary_end_to_end_seconds{broker=\"1003\"}"),
        "{metrics}"
    );

    move_to(&cluster, all[&1001], &[1002, 1003]);
    let back = || {
        let begun = daemon.said().contains("step=Move(");
        (begun && in_place(&cluster) == all).then_some(())
    };
    until("what was moved is back", SOON, back)
        .unwrap_or_else(|why| panic!("{why}: {:?}\n{}", in_place(&cluster), daemon.said()));

    let file = cluster.path().join("snapshot.json");
    let (bootstrap, path) = (cluster.bootstrap(), file.display().to_string());
    topicmappr(["snapshot", "--bootstrap-server", &bootstrap, "--out-file", &path]).with(0);
    let captured = json(&file);
    let names: Vec<&Value> =
        captured["topics"].as_array().unwrap().iter().map(|topic| &topic["name"]).collect();
    // librdkafka has asked for a group's coordinator.
    assert!(names.iter().all(|name| [TOPIC_OF_CLIENTS, OFFSETS].contains(&name.as_str().unwrap())));
    assert!(names.iter().any(|name| *name == TOPIC_OF_CLIENTS), "{names:?}");

    // Nobody is alarmed by a partition that has no other replica, and it waits for its broker.
    cluster.kill_broker(1003).unwrap();
    until("silence of the dead", SOON, || {
        let state = daemon.state();
        let silent = heard(&state, 1003).is_none() && heard(&state, 1001).is_some();
        silent.then_some(())
    })
    .unwrap_or_else(|why| panic!("{why}\n{:#}\n{}", daemon.state(), daemon.said()));
    let doctor = topicmappr(["doctor", "--bootstrap-server", &cluster.bootstrap()]);
    let told = format!("{}{}", doctor.stdout, doctor.stderr);
    assert!(told.contains("1003") && !told.contains(TOPIC), "{told}");
    cluster.start_broker(1003).unwrap();
    await_voices(&daemon, &[1003]);
    assert_eq!(in_place(&cluster), all);
    assert_eq!(daemon.leave().0, Some(143));
}

#[test]
#[ignore = "live"]
fn the_canary_is_kept_in_place_and_hidden_from_everybody_else_with_kraft() {
    the_canary_is_kept_in_place_and_hidden_from_everybody_else(Mode::KRaft);
}

/// What needs minutes, or a machine to itself.
mod soak {
    use super::*;
    use rdkafka::message::DeliveryResult;
    use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
    use rdkafka::{ClientConfig, ClientContext};
    use std::sync::{Arc, Mutex};
    use testbed::Access;

    const LOOK: Duration = Duration::from_millis(250);
    /// What clients' p99 is told over: as short as anybody's dashboard has it.
    const SPAN: Duration = Duration::from_secs(10);

    #[test]
    #[ignore = "live"]
    fn the_canary_is_kept_in_place_and_hidden_from_everybody_else_with_zookeeper() {
        the_canary_is_kept_in_place_and_hidden_from_everybody_else(Mode::ZooKeeper);
    }

    /// A client like those of operators: records of 1 kB, a hundred a second, acknowledged by all.
    struct Client {
        took: Arc<Mutex<Vec<(Instant, Duration)>>>,
        stop: Arc<Mutex<bool>>,
        thread: Option<thread::JoinHandle<()>>,
    }

    struct Timed(Arc<Mutex<Vec<(Instant, Duration)>>>);

    impl ClientContext for Timed {}

    impl ProducerContext for Timed {
        type DeliveryOpaque = Box<Instant>;

        fn delivery(&self, _: &DeliveryResult<'_>, sent: Box<Instant>) {
            self.0.lock().unwrap().push((Instant::now(), sent.elapsed()));
        }
    }

    impl Client {
        fn start(cluster: &Cluster) -> Self {
            let (took, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(false)));
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", cluster.client(&Access::Plaintext).bootstrap);
            config.set("acks", "all").set("linger.ms", "5");
            let producer: ThreadedProducer<Timed> =
                config.create_with_context(Timed(Arc::clone(&took))).unwrap();
            let flag = Arc::clone(&stop);
            let thread = thread::spawn(move || {
                while !*flag.lock().unwrap() {
                    let sent = Box::new(Instant::now());
                    let record: BaseRecord<'_, (), [u8], Box<Instant>> =
                        BaseRecord::with_opaque_to("orders", sent).partition(0).payload(&[7; 1000]);
                    let _ = producer.send(record);
                    thread::sleep(Duration::from_millis(10));
                }
            });
            Self { took, stop, thread: Some(thread) }
        }

        /// The 99th percentile of those that were acknowledged in the last moments.
        fn p99(&self) -> Option<Duration> {
            let took = self.took.lock().unwrap();
            let recent = took.iter().rev().take_while(|(at, _)| at.elapsed() <= SPAN);
            let mut recent: Vec<Duration> = recent.map(|(_, took)| *took).collect();
            recent.sort_unstable();
            recent.get(recent.len() * 99 / 100).copied()
        }
    }

    impl Drop for Client {
        fn drop(&mut self) {
            *self.stop.lock().unwrap() = true;
            let _ = self.thread.take().unwrap().join();
        }
    }

    fn slow(daemon: &Daemon, broker: i32) -> bool {
        heard(&daemon.state(), broker).is_some_and(|canary| canary["slow"] == true)
    }

    /// The card of the broker that serves the client passes a fifth of what it wants. How soon clients' p99 shows it is
    /// told, and nothing is promised: one message a second cannot outrun a hundred.
    #[test]
    #[ignore = "live"]
    fn a_broker_whose_network_is_choked_is_heard_and_no_other() {
        let cluster = Cluster::builder().brokers(3).network(Cap::default()).start().unwrap();
        Traffic::of(&cluster).create(&[("orders".to_owned(), vec![vec![1001, 1003]])].into());
        let daemon = start(&cluster);
        await_voices(&daemon, &[1001, 1002, 1003]);
        let cost = cost(&cluster);
        let client = Client::start(&cluster);
        let usual = until("what is usual", SOON, || {
            heard(&daemon.state(), 1001)?["usual_seconds"].as_f64()
        });
        let usual = usual.unwrap();
        // What the first records took is no measure.
        thread::sleep(SPAN * 2);
        let calm = client.p99().expect("clients that are served");
        cluster.card(1001).unwrap().limit(Cap::both(20_000));
        let (start, mut heard_after, mut felt_after) = (Instant::now(), None, None);
        while (heard_after.is_none() || felt_after.is_none()) && start.elapsed() < SOON {
            let now = start.elapsed();
            heard_after = heard_after.or_else(|| slow(&daemon, 1001).then_some(now));
            let twice = client.p99().is_some_and(|p99| p99 >= calm * 2);
            felt_after = felt_after.or_else(|| twice.then_some(now));
            thread::sleep(LOOK);
        }
        eprintln!(
            "usually {usual:.4} s, p99 of clients {calm:?}; slow after {heard_after:?}, p99 twice as long after \
             {felt_after:?}; {cost:.0} bytes a second for each broker\n{:#}",
            daemon.state()["brokers"]
        );
        assert!(heard_after.is_some(), "{:#}", daemon.state());
        assert!(!slow(&daemon, 1002) && !slow(&daemon, 1003), "{:#}", daemon.state());
        assert!(cost < 2_000.0, "{cost} bytes a second for each broker");
        drop(client);
        cluster.card(1001).unwrap().limit(Cap::default());
        until("a broker that is well again", SOON, || (!slow(&daemon, 1001)).then_some(()))
            .unwrap();
    }

    /// What the canary adds to a broker's traffic, both ways, in bytes a second: the cluster carries nothing else, but
    /// for what the daemon asks, which counts here, too.
    fn cost(cluster: &Cluster) -> f64 {
        let passed = || -> u64 {
            let cards = cluster.brokers().into_iter().map(|id| cluster.card(id).unwrap().passed());
            cards.map(|p| p.rx + p.tx - p.replication_rx - p.replication_tx).sum()
        };
        let (before, since) = (passed(), Instant::now());
        thread::sleep(Duration::from_secs(20));
        (passed() - before) as f64 / since.elapsed().as_secs_f64() / cluster.brokers().len() as f64
    }
}
