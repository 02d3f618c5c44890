//! Which detects an overloaded broker first: the canary, or the latency of clients' records?
//!
//! The clients' 99th percentile is measured over the last minute, as in dashboards, and over the last half minute, as
//! clients report it. It counts as detected when it has doubled. Figures go to `docs/figures`.

mod soak {
    use std::fs;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use serde_json::{Value, json};
    use testbed::relay::Cap;
    use testbed::{Cluster, until};

    use crate::crowd::{Ack, Crowd, first_p99_of, p99};
    use crate::daemon::Daemon;
    use crate::traffic::{SOON, Traffic};

    const TIMES: usize = 5;
    const BROKERS: [i32; 3] = [1001, 1002, 1003];
    const BUSY: i32 = 1001;
    /// The card's limit in each direction, in bytes per second.
    const CARD: u64 = 2_000_000;
    const CALM: u64 = CARD / 2;
    const MOST: u64 = CARD * 5 / 4;
    /// How long the demand grows, and how long the test observes it.
    const GROWTH: Duration = Duration::from_secs(10);
    const LOOKED_AT: Duration = Duration::from_secs(18);
    const SPANS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(30)];
    /// Below this, clients have sent their backlog and write at their normal rate.
    const WELL: Duration = Duration::from_millis(100);
    const LOOK: Duration = Duration::from_millis(50);
    const MEASURED: Duration = Duration::from_secs(20);
    const FLAGS: [&str; 4] = ["--metrics", "none", "--interval", "2"];

    fn start(cluster: &Cluster, more: &[&str]) -> Daemon {
        Daemon::start(&cluster.bootstrap(), cluster.path(), &[&FLAGS, more].concat())
    }

    /// The brokers that the canary reports as slow.
    fn slow(state: &Value) -> Vec<i32> {
        let brokers = state["brokers"].as_array().unwrap().iter();
        let slow = brokers.filter(|broker| broker["canary"]["slow"] == true);
        slow.filter_map(|broker| i32::try_from(broker["id"].as_i64()?).ok()).collect()
    }

    fn await_what_is_usual(daemon: &Daemon) {
        let known = || {
            let state = daemon.state();
            let brokers = state["brokers"].as_array()?;
            let known = brokers.iter().filter(|one| one["canary"]["usual_seconds"].is_number());
            (known.count() == BROKERS.len()).then_some(())
        };
        until("what is usual of each broker", SOON, known)
            .unwrap_or_else(|why| panic!("{why}\n{:#}\n{}", daemon.state(), daemon.said()));
    }

    /// What a daemon adds to each broker's traffic in both directions, in bytes per second, and its share of a CPU.
    fn cost(cluster: &Cluster, daemon: &Daemon) -> (f64, f64) {
        let passed = || -> u64 {
            let cards = BROKERS.iter().map(|id| cluster.card(*id).unwrap().passed());
            cards.map(|p| p.rx + p.tx - p.replication_rx - p.replication_tx).sum()
        };
        let (bytes, used, since) = (passed(), daemon.used(), Instant::now());
        thread::sleep(MEASURED);
        let seconds = since.elapsed().as_secs_f64();
        let bytes = (passed() - bytes) as f64 / seconds / BROKERS.len() as f64;
        (bytes, (daemon.used() - used).as_secs_f64() / seconds)
    }

    /// An overload as both have detected it, in seconds since its start.
    #[derive(Debug)]
    struct Seen {
        heard: f64,
        /// For each of [`SPANS`]: the percentile before, and when it had doubled.
        felt: [(f64, Option<f64>); 2],
    }

    struct Scene {
        cluster: Cluster,
        daemon: Daemon,
        crowd: Crowd,
        /// How often a broker without an overload was reported as slow.
        false_alarms: AtomicUsize,
    }

    impl Scene {
        fn set(cluster: Cluster) -> Self {
            let daemon = start(&cluster, &["--canary"]);
            let crowd = Crowd::start(&cluster, "orders", CALM);
            await_what_is_usual(&daemon);
            Self { cluster, daemon, crowd, false_alarms: AtomicUsize::new(0) }
        }

        /// Waits for calm, and then for the span of the longest percentile.
        fn rest(&self) {
            let calm = || slow(&self.daemon.state()).is_empty().then_some(());
            until("brokers that are well", SOON, calm)
                .unwrap_or_else(|why| panic!("{why}\n{:#}", self.daemon.state()));
            let second = Duration::from_secs(1);
            let well = || {
                let now = Instant::now();
                let acks = self.crowd.acks(now.checked_sub(second)?);
                p99(&acks, now, second).filter(|took| *took < WELL)
            };
            until("clients that have caught up", SOON, well).unwrap();
            let since = Instant::now();
            while since.elapsed() < SPANS[0] {
                self.look(&[]);
                thread::sleep(LOOK);
            }
        }

        /// Observes the broker while `becomes` overloads it, and then lets it recover.
        fn overload(&self, becomes: impl Fn(Duration) + Sync) -> Seen {
            self.rest();
            let (begun, stop) = (Instant::now(), AtomicBool::new(false));
            let heard = thread::scope(|scope| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        becomes(begun.elapsed());
                        thread::sleep(LOOK);
                    }
                });
                let heard = self.listen(begun);
                stop.store(true, Ordering::Relaxed);
                heard
            });
            self.crowd.want(CALM);
            self.cluster.card(BUSY).unwrap().limit(Cap::both(CARD));
            let acks = self.crowd.acks(begun.checked_sub(SPANS[0]).unwrap());
            let felt = SPANS.map(|span| felt(&acks, begun, span));
            let heard = heard.unwrap_or_else(|| panic!("not heard: {:#}", self.daemon.state()));
            let seen = Seen { heard: heard.as_secs_f64(), felt };
            eprintln!("{seen:?}");
            seen
        }

        /// Whether the busy broker is reported as slow. Reports about brokers outside `overloaded` are false alarms.
        fn look(&self, overloaded: &[i32]) -> bool {
            let state = self.daemon.state();
            let slow = slow(&state);
            if slow.iter().any(|id| !overloaded.contains(id)) {
                self.false_alarms.fetch_add(1, Ordering::Relaxed);
                eprintln!("a false alarm: {}", state["brokers"]);
            }
            slow.contains(&BUSY)
        }

        /// When the busy broker is first reported as slow.
        fn listen(&self, begun: Instant) -> Option<Duration> {
            let mut heard = None;
            while begun.elapsed() < LOOKED_AT {
                if self.look(&[BUSY]) {
                    heard = heard.or(Some(begun.elapsed()));
                }
                thread::sleep(LOOK);
            }
            heard
        }

        fn grows(&self) -> Seen {
            self.overload(|since| {
                let part = (since.as_secs_f64() / GROWTH.as_secs_f64()).min(1.0);
                self.crowd.want(CALM + ((MOST - CALM) as f64 * part) as u64);
            })
        }

        fn chokes(&self) -> Seen {
            self.overload(|_| self.cluster.card(BUSY).unwrap().limit(Cap::both(CALM / 5)))
        }
    }

    fn felt(acks: &[Ack], begun: Instant, span: Duration) -> (f64, Option<f64>) {
        let calm = p99(acks, begun, span).expect("clients that are served");
        let twice = first_p99_of(acks, begun, span, calm * 2);
        (calm.as_secs_f64(), twice.map(|at| at.duration_since(begun).as_secs_f64()))
    }

    fn median(of: impl Iterator<Item = f64>) -> f64 {
        let mut all: Vec<f64> = of.collect();
        all.sort_unstable_by(f64::total_cmp);
        (all[all.len() / 2] * 1000.0).round() / 1000.0
    }

    fn told(seen: &[Seen]) -> Value {
        let felt = |span: usize| {
            // A doubling that was not seen while observing came later.
            let at = |seen: &Seen| seen.felt[span].1.unwrap_or(LOOKED_AT.as_secs_f64());
            json!({
                "calm_p99_seconds": median(seen.iter().map(|seen| seen.felt[span].0)),
                "twice_after_seconds": median(seen.iter().map(at)),
                "canary_sooner_by_seconds": median(seen.iter().map(|seen| at(seen) - seen.heard)),
                "canary_first_times": seen.iter().filter(|seen| at(seen) > seen.heard).count(),
            })
        };
        json!({
            "canary_after_seconds": median(seen.iter().map(|seen| seen.heard)),
            "clients_of_the_last_minute": felt(0), "clients_of_the_last_half_minute": felt(1),
        })
    }

    /// The demand on a broker grows until its card is more than full. Or its card suddenly passes only a fifth of the
    /// demand. In between, the card is half used, and there is no alarm.
    #[test]
    #[ignore = "live"]
    fn the_canary_hears_an_overload_before_clients_p99_doubles() {
        let cluster = Cluster::builder().brokers(3).network(Cap::default()).start().unwrap();
        Traffic::of(&cluster).create(&[("orders".to_owned(), vec![vec![1001, 1003]])].into());
        cluster.card(BUSY).unwrap().limit(Cap::both(CARD));
        let without = start(&cluster, &[]);
        let before = cost(&cluster, &without);
        drop(without);
        let with = start(&cluster, &["--canary"]);
        await_what_is_usual(&with);
        let after = cost(&cluster, &with);
        drop(with);

        let scene = Scene::set(cluster);
        let (mut grown, mut choked) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            grown.push(scene.grows());
            choked.push(scene.chokes());
        }
        let (bytes, processor) = (after.0 - before.0, after.1 - before.1);
        let figures = json!({
            "times": TIMES, "card_bytes_per_second": CARD, "calm_bytes_per_second": CALM,
            "demand_that_grows": told(&grown), "a_card_that_chokes": told(&choked),
            "calm_seconds": TIMES * 2 * SPANS[0].as_secs() as usize,
            "false_alarms": scene.false_alarms.load(Ordering::Relaxed),
            "bytes_per_second_for_each_broker": bytes.round(),
            "processor_ratio_for_each_broker":
                (processor / BROKERS.len() as f64 * 1e5).round() / 1e5,
        });
        let text = serde_json::to_string_pretty(&figures).unwrap();
        eprintln!("{text}");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/figures");
        fs::write(folder.join("canary-kraft.json"), format!("{text}\n")).unwrap();

        let sooner =
            |span: &str| figures["demand_that_grows"][span]["canary_sooner_by_seconds"].as_f64();
        assert_eq!(figures["false_alarms"], 0, "{text}");
        assert!(sooner("clients_of_the_last_minute") > Some(0.0), "{text}");
        assert!(bytes > 0.0 && bytes < 10_000.0, "0.1 % of 10 MB/s: {bytes} bytes a second");
    }
}
