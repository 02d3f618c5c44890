//! Rolling restarts in a live cluster: looks, asks [`execute::roll::next`], evicts one pod, and looks again.
//!
//! A roll keeps no records: every look shows again which pods are left. If the run is killed, at most one pod is
//! restarting, and the next run goes on from there.

mod agreed;
mod ensemble;
mod kafka;
mod look;
mod pods;
mod shutdown;

use crate::error::Error;
use crate::error::may_pass;
use crate::events::{DriverEvent, EventListener, RollEvent};
use crate::execution::{Signal, Signals};
use ::kubernetes::rolling::Evicted;
use execute::roll::{NextRestart, Pod, RollMemory, RollScene, RollTerms, next};
use mapper::TopicPartition;
use shutdown::Shutdown;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub use look::{Sight, Sights};
pub use pods::RollPods;

/// The pause between two looks: a broker is down for seconds.
const PAUSE: Duration = Duration::from_millis(500);
/// The least pause after a look, as a multiple of the look's duration: it bounds the load of slow looks.
const REST_AFTER_LOOK: u32 = 2;
/// The shortest time before the same waiting reason is reported again.
const SELDOM: Duration = Duration::from_secs(60);

/// The options of a roll.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// The risks that a restart must avoid, and how long a new pod has to settle.
    pub terms: RollTerms,
    /// Delete pods instead of evicting them, which bypasses the PodDisruptionBudget.
    pub delete: bool,
    /// The time limit for one pod to be back, ready and in sync.
    pub pod_timeout: Duration,
}

/// How a roll ended.
#[derive(Debug)]
pub struct Rolled {
    /// Its outcome, or the signal that ended it.
    pub why: RollEnd,
    /// Pods that this run evicted or deleted, as `NAMESPACE/NAME`, in order.
    pub restarted: Vec<String>,
    /// Pods still to restart.
    pub left: usize,
    /// Time from the start of this run to its end.
    pub took: Duration,
}

/// Why a roll ended.
#[derive(Debug)]
pub enum RollEnd {
    /// No pod is outdated, and every restarted server is back.
    Done,
    /// A signal ended it; a restarted pod may not be back yet.
    Left(Signal),
    /// It has waited for the time limit of one pod, for these reasons.
    Stuck(Vec<String>),
    /// No pod may restart while these partitions are being reassigned.
    Moving(BTreeSet<TopicPartition>),
}

/// A rolling restart.
pub struct Roll<'a> {
    sights: Sights<'a>,
    ways: Ways,
    memory: RollMemory,
    shutdown: Option<Shutdown>,
    restarted: Vec<String>,
    began: Instant,
    /// The time of the last restart, or of the start.
    acted: Instant,
    told: Option<(Instant, Vec<String>)>,
}

impl<'a> Roll<'a> {
    /// A roll that has not looked yet; the time limit for a pod counts from now.
    pub fn of(sights: Sights<'a>, ways: Ways) -> Self {
        let (began, memory) = (Instant::now(), RollMemory::default());
        let (shutdown, restarted, told) = (None, Vec::new(), None);
        Self { sights, ways, memory, shutdown, restarted, began, acted: began, told }
    }

    /// Runs rounds until the roll is over.
    pub async fn run(
        &mut self,
        signals: &mut Signals,
        listener: &mut dyn EventListener,
    ) -> Result<Rolled, Error> {
        loop {
            let began = Instant::now();
            let looked = tokio::select! {
                looked = self.sights.look() => looked,
                signal = signals.next() => return Ok(self.ended(RollEnd::Left(signal), None)),
            };
            let looked = match looked {
                Ok(sight) => Some(sight),
                Err(error) if passes(&error) && self.acted.elapsed() < self.ways.pod_timeout => {
                    self.tell(vec![error.to_string()], listener)?;
                    None
                }
                Err(error) => return Err(error),
            };
            if let Some(sight) = looked
                && let Some(ended) = self.act(&sight, listener).await?
            {
                return Ok(ended);
            }
            let pause = PAUSE.max(began.elapsed() * REST_AFTER_LOOK);
            if let Some(signal) = signals.within(pause).await {
                return Ok(self.ended(RollEnd::Left(signal), None));
            }
        }
    }

    /// Acts on one look.
    async fn act(
        &mut self,
        sight: &Sight,
        listener: &mut dyn EventListener,
    ) -> Result<Option<Rolled>, Error> {
        let scene = &sight.scene;
        self.memory.look(scene);
        if let Some(told) = self.shutdown.as_mut().and_then(|shutdown| shutdown.look(scene)) {
            tell(listener, &told)?;
        }
        if !sight.unobserved.is_empty() {
            return self.wait(sight.unobserved.clone(), scene, listener);
        }
        match next(scene, &self.memory, &self.ways.terms) {
            NextRestart::Done => Ok(Some(self.ended(RollEnd::Done, Some(scene)))),
            NextRestart::Moving(partitions) => {
                Ok(Some(self.ended(RollEnd::Moving(partitions), Some(scene))))
            }
            NextRestart::Unavailable(partitions) => Err(Error::WouldBeUnavailable { partitions }),
            NextRestart::Wait(waits) => {
                let waits = waits.iter().map(ToString::to_string).collect();
                self.wait(waits, scene, listener)
            }
            NextRestart::Restart(index) => {
                let terms = self.ways.terms;
                if let Some(why) = self.sights.disagreed(sight, index, &self.memory, &terms).await?
                {
                    return self.wait(why, scene, listener);
                }
                match scene.pods.get(index) {
                    Some(pod) => self.restart(pod, sight, listener).await,
                    None => Ok(None),
                }
            }
        }
    }

    async fn restart(
        &mut self,
        pod: &Pod,
        sight: &Sight,
        listener: &mut dyn EventListener,
    ) -> Result<Option<Rolled>, Error> {
        let before = self.memory.clone();
        self.memory.restarts(pod);
        let evicted = self.sights.end_pod(pod, self.ways.delete).await?;
        match evicted {
            Evicted::Yes => {
                self.acted = Instant::now();
                self.told = None;
                self.shutdown = Some(Shutdown::of(pod, sight.grace_of(pod)));
                self.restarted.push(pod.name.clone());
                let left = sight.left().saturating_sub(1);
                let restarts = RollEvent::restarts(pod, sight.scene.role(pod.id), left);
                tell(listener, &restarts)?;
                Ok(None)
            }
            // The next look shows the successor of the pod.
            Evicted::Gone => {
                self.memory = before;
                Ok(None)
            }
            Evicted::NotNow(message) => {
                self.memory = before;
                let why = format!("the PodDisruptionBudget spares {}: {message}", pod.name);
                self.wait(vec![why], &sight.scene, listener)
            }
        }
    }

    fn wait(
        &mut self,
        waits: Vec<String>,
        scene: &RollScene,
        listener: &mut dyn EventListener,
    ) -> Result<Option<Rolled>, Error> {
        if self.acted.elapsed() >= self.ways.pod_timeout {
            return Ok(Some(self.ended(RollEnd::Stuck(waits), Some(scene))));
        }
        self.tell(waits, listener)?;
        Ok(None)
    }

    /// Reports new reasons at once, and unchanged ones at intervals.
    fn tell(&mut self, waits: Vec<String>, listener: &mut dyn EventListener) -> Result<(), Error> {
        let same = |told: &(Instant, Vec<String>)| told.1 == waits && told.0.elapsed() < SELDOM;
        if self.told.as_ref().is_some_and(same) {
            return Ok(());
        }
        tell(listener, &RollEvent::waits(&waits, self.acted.elapsed()))?;
        self.told = Some((Instant::now(), waits));
        Ok(())
    }

    fn ended(&mut self, why: RollEnd, scene: Option<&RollScene>) -> Rolled {
        let outdated = |scene: &RollScene| scene.pods.iter().filter(|pod| pod.outdated).count();
        let restarted = std::mem::take(&mut self.restarted);
        let left = scene.map_or(0, outdated);
        Rolled { why, restarted, left, took: self.began.elapsed() }
    }
}

fn tell(listener: &mut dyn EventListener, event: &RollEvent) -> Result<(), Error> {
    listener.hear(&DriverEvent::Roll(event)).map_err(|error| local::Error::Stream(error).into())
}

/// Whether another look may succeed.
fn passes(error: &Error) -> bool {
    match error {
        Error::Kafka(error) => may_pass(error),
        Error::Kubernetes(error) => match &**error {
            ::kubernetes::Error::Unreachable { .. } => true,
            ::kubernetes::Error::Refused { code, .. } => *code >= 500 || *code == 429,
            _ => false,
        },
        // A pod appeared or disappeared between two requests.
        Error::NoIdentity { .. } => true,
        _ => false,
    }
}
