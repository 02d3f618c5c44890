//! Machines return at any time during a run: the command deletes no object of a live machine or broker.
//!
//! A test types the answer at the prompt and lets the machine return, each at its own moment. Another thread watches
//! node, claim, pod and broker all the time.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, scope, sleep, spawn};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::ObjectMeta;
use testbed::until;

use super::same_id::{KEPT, LOST, Scene, machine};
use crate::binary::terminal;
use crate::traffic::{SOON, Traffic};

/// The topic that the lost broker led, with one follower.
pub(super) const PAIR: &str = "pair";
const FOLLOWER: i32 = 1002;
const POD: &str = "kafka-events-2";
const CLAIM: &str = "data-kafka-events-2";

/// Moments after the prompt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub(super) answer: Duration,
    pub(super) comes_back: Duration,
    /// After the broker returns, its follower stops, so that the broker is the leader and the only member of the ISR.
    pub(super) alone: bool,
}

/// An object's uid; `None` if it is gone or being deleted.
type Uid = Option<String>;

/// The objects at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sample {
    node: Uid,
    claim: Uid,
    pod: Uid,
    /// Whether the broker runs.
    runs: bool,
}

impl Sample {
    fn of(scene: &Scene, node: &str) -> Self {
        let name = node.to_owned();
        let lives = || scene.brokers.lives().unwrap()[&LOST].pod.is_some();
        let before = lives();
        let [node, claim, pod] = scene
            .kubernetes
            .run("node, claim and pod", |client| async move {
                let stays =
                    |meta: ObjectMeta| meta.uid.filter(|_| meta.deletion_timestamp.is_none());
                let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), "kafka");
                let pods = Api::<Pod>::namespaced(client.clone(), "kafka");
                Ok([
                    Api::<Node>::all(client).get_opt(&name).await?.and_then(|n| stays(n.metadata)),
                    claims.get_opt(CLAIM).await?.and_then(|claim| stays(claim.metadata)),
                    pods.get_opt(POD).await?.and_then(|pod| stays(pod.metadata)),
                ])
            })
            .unwrap();
        Self { node, claim, pod, runs: before && lives() }
    }

    /// Whether an object of this sample is deleted in the next one.
    fn loses_to(&self, next: &Self) -> bool {
        let lost = |own: &Uid, next: &Uid| own.is_some() && own != next;
        lost(&self.node, &next.node) || lost(&self.claim, &next.claim) || lost(&self.pod, &next.pod)
    }
}

/// Watches until it is stopped.
struct Watch {
    over: Arc<AtomicBool>,
    samples: JoinHandle<Vec<Sample>>,
}

impl Watch {
    fn start(scene: &Arc<Scene>, node: &str) -> Self {
        let node = node.to_owned();
        let over = Arc::new(AtomicBool::new(false));
        let (scene, until_over) = (Arc::clone(scene), Arc::clone(&over));
        let samples = spawn(move || {
            let mut samples = vec![Sample::of(&scene, &node)];
            while !until_over.load(Ordering::Relaxed) {
                let sample = Sample::of(&scene, &node);
                if samples.last() != Some(&sample) {
                    samples.push(sample);
                }
                sleep(Duration::from_millis(20));
            }
            samples
        });
        Self { over, samples }
    }

    fn end(self) -> Vec<Sample> {
        self.over.store(true, Ordering::Relaxed);
        self.samples.join().unwrap()
    }
}

/// A run at a terminal, and its output so far. A panic ends it.
struct Typed {
    child: Child,
    said: Arc<Mutex<String>>,
    /// Reads until the run has ended.
    reader: Option<JoinHandle<()>>,
}

impl Drop for Typed {
    fn drop(&mut self) {
        // The terminal ends with `script`, and its end is a SIGHUP for our program.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Typed {
    fn start(args: &[String]) -> Self {
        let mut child =
            terminal(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (said, mut out) = (Arc::new(Mutex::new(String::new())), child.stdout.take().unwrap());
        let heard = Arc::clone(&said);
        let reader = spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut bytes) {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { child, said, reader: Some(reader) }
    }

    fn has_said(&self, words: &str) -> bool {
        self.said.lock().unwrap().contains(words)
    }

    fn types(&mut self, word: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        (code, self.said.lock().unwrap().clone())
    }
}

/// The result of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) code: Option<i32>,
    /// Whether node, claim and pod are gone or replaced.
    pub(super) deleted: [bool; 3],
}

impl Scene {
    /// The machine goes down, and Kubernetes has noticed it for long enough.
    pub(super) fn goes_down(&self, node: &str, traffic: &Traffic<'_>) {
        self.kubernetes.node_down(node).unwrap();
        let dead = || self.brokers.lives().unwrap()[&LOST].pod.is_none().then_some(());
        until("the broker's death", SOON, dead).unwrap();
        traffic.without(LOST);
        // `--lost-for` of these runs, twice, because the API's times have a resolution of one second.
        sleep(Duration::from_secs(2));
    }

    /// The machine returns. If its Node object is gone, it joins again, and so does another with an empty disk.
    fn comes_back(&self, node: &str) {
        if self.kubernetes.node_up(node).is_err() {
            machine(node, 2).join(&self.kubernetes);
            machine(&format!("{node}b"), 2).join(&self.kubernetes);
        }
    }

    fn runs(&self) -> Option<String> {
        self.brokers.lives().unwrap()[&LOST].pod.clone()
    }

    /// The node that the broker's pod is bound to.
    fn node(&self) -> String {
        let bound = || {
            let pod = self.kubernetes.run("the pod's node", |client| async move {
                Ok(Api::<Pod>::namespaced(client, "kafka").get_opt(POD).await?)
            });
            pod.unwrap()?.spec?.node_name
        };
        until("a node for the pod", SOON, bound).unwrap()
    }

    /// Completes the deletion of a claim that waits for its pod, so that the next run starts from a complete set.
    fn ends_what_was_begun(&self, after: &Sample) {
        if after.claim.is_none()
            && let Some(old) = self.runs()
        {
            self.kubernetes.delete_pod("kafka", POD).unwrap();
            let other = || self.runs().is_some_and(|new| new != old).then_some(());
            until("the broker in another pod", SOON, other).unwrap();
        }
    }
}

/// One run with its race, from a dead broker to one in sync.
pub(super) fn race(scene: &Arc<Scene>, moments: Moments) -> Outcome {
    let traffic = Traffic::of(&scene.cluster);
    let node = scene.node();
    scene.goes_down(&node, &traffic);
    let mut run = Typed::start(&scene.args(&["--throttle", "none"]));
    until("the prompt", SOON, || run.has_said("Type yes:").then_some(())).unwrap();
    let (watch, began) = (Watch::start(scene, &node), Instant::now());
    let before = Sample::of(scene, &node);
    let (is_back, was_back) = (AtomicBool::new(false), AtomicBool::new(false));
    let at = |moment: Duration| sleep(moment.saturating_sub(began.elapsed()));
    scope(|threads| {
        threads.spawn(|| {
            at(moments.comes_back);
            scene.comes_back(&node);
            is_back.store(true, Ordering::SeqCst);
            if moments.alone {
                let back = || (traffic.in_sync(PAIR, 0) == Some(2)).then_some(());
                until("the broker in sync", SOON, back).unwrap();
                scene.cluster.stop_broker(FOLLOWER).unwrap();
            }
        });
        at(moments.answer);
        was_back.store(is_back.load(Ordering::SeqCst), Ordering::SeqCst);
        run.types("yes");
    });
    let (code, said) = run.end();
    let after = Sample::of(scene, &node);
    if moments.alone {
        scene.cluster.start_broker(FOLLOWER).unwrap();
    }
    until("the broker to run again", SOON, || scene.runs()).unwrap();
    let samples = watch.end();
    for pair in samples.windows(2) {
        let [one, next] = pair else { unreachable!() };
        assert!(!(one.runs && one.loses_to(next)), "{moments:?}: {samples:#?}\n{said}");
    }
    traffic.settle();
    let deleted =
        [(&before.node, &after.node), (&before.claim, &after.claim), (&before.pod, &after.pod)];
    let deleted = deleted.map(|(before, after)| before != after);
    let none = deleted == [false; 3];
    match code {
        // In sync everywhere: the pod was freed, or the broker returned by itself.
        Some(0) => assert!(none || deleted[0], "{said}"),
        Some(1) if none => assert!(said.contains("nothing was deleted"), "{said}"),
        Some(1) => assert!(said.contains("nothing more was deleted"), "{said}"),
        _ => panic!("{moments:?}, exit {code:?}: {said}"),
    }
    // Objects that were back before the answer are never deleted.
    assert!(none || !was_back.into_inner(), "{moments:?}: {said}");
    scene.ends_what_was_begun(&after);
    traffic.settle();
    println!("{moments:?}: exit {code:?}, node, claim, pod deleted: {deleted:?}");
    assert!(traffic.records(KEPT, 0) > 0);
    Outcome { code, deleted }
}

mod soak {
    use super::*;

    const RUNS: usize = 20;

    /// The same numbers each time, evenly distributed over 0..1.
    fn random(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31)
        }
    }

    fn campaign(alone: bool, moments: impl Fn(f64, f64) -> (f64, f64)) {
        let scene = Arc::new(Scene::start());
        scene.furnish();
        let mut random = random(20);
        let mut ends = std::collections::BTreeMap::<_, usize>::new();
        for _ in 0..RUNS {
            let (answer, comes_back) = moments(random(), random());
            let [answer, comes_back] = [answer, comes_back].map(Duration::from_secs_f64);
            let ended = race(&scene, Moments { answer, comes_back, alone });
            *ends.entry((ended.code, ended.deleted)).or_default() += 1;
        }
        println!("{RUNS} runs: (exit, node, claim and pod deleted): {ends:?}");
    }

    /// From long before the answer until after the deletions.
    #[test]
    #[ignore = "live"]
    fn a_machine_returns_at_any_moment_around_the_deletions() {
        campaign(false, |one, other| {
            let gap = other * 9.0 - 4.0;
            let comes_back = one + (-gap).max(0.0);
            (comes_back + gap, comes_back)
        });
    }

    /// From the moment of the return until the broker is the only one in sync.
    #[test]
    #[ignore = "live"]
    fn a_broker_returns_and_is_soon_the_only_one_in_sync() {
        campaign(true, |one, other| (0.2 + one + other * 14.0, one));
    }
}
