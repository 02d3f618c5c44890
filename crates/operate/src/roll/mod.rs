//! Rolling restarts in a live cluster: looks, asks [`execute::roll::next`], evicts one pod, and looks again.
//!
//! A roll keeps no records: every look shows again which pods are left. If the run is killed, at most one batch of pods
//! is restarting, and the next run goes on from there.

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
use execute::roll::{MaxParallel, NextRestart, Pod, RollMemory, RollScene, RollTerms, next};
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

/// The default: no batch is announced.
const ONE_BY_ONE: MaxParallel = MaxParallel::Pods(1);

/// The options of a roll.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// The risks that a restart must avoid, and how long a new pod has to settle.
    pub terms: RollTerms,
    /// Delete pods instead of evicting them, which bypasses the PodDisruptionBudget.
    pub delete: bool,
    /// The time limit for the pods of a batch to be back, ready and in sync.
    pub pod_timeout: Duration,
}

/// How a roll ended.
#[derive(Debug)]
pub struct Rolled {
    /// Its outcome, or the signal that ended it.
    pub why: RollEnd,
    /// Pods that this run evicted or deleted, as `NAMESPACE/NAME`, in order.
    pub restarted: Vec<String>,
    /// The number of batches in which this run restarted them.
    pub batches: usize,
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
    /// A pod is not back within its time limit, for these reasons.
    Stuck(Vec<String>),
    /// No pod may restart while these partitions are being reassigned.
    Moving(BTreeSet<TopicPartition>),
}

/// A rolling restart.
pub struct Roll<'a> {
    sights: Sights<'a>,
    ways: Ways,
    memory: RollMemory,
    /// Those of the batch that is away.
    shutdowns: Vec<Shutdown>,
    restarted: Vec<String>,
    batches: usize,
    began: Instant,
    /// The time at which the last batch began, or of the start.
    acted: Instant,
    told: Option<(Instant, Vec<String>)>,
}

impl<'a> Roll<'a> {
    /// A roll that has not looked yet; the time limit for a pod counts from now.
    pub fn of(sights: Sights<'a>, ways: Ways) -> Self {
        let (began, memory) = (Instant::now(), RollMemory::default());
        Self {
            sights,
            ways,
            memory,
            shutdowns: Vec::new(),
            restarted: Vec::new(),
            batches: 0,
            began,
            acted: began,
            told: None,
        }
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
        for told in self.shutdowns.iter_mut().filter_map(|shutdown| shutdown.look(scene)) {
            tell(listener, &told)?;
        }
        if !sight.unobserved.is_empty() {
            return self.wait(sight.unobserved.clone(), scene, listener);
        }
        let next = next(scene, &self.memory, &self.ways.terms);
        match &next {
            NextRestart::Done => Ok(Some(self.ended(RollEnd::Done, Some(scene)))),
            NextRestart::Moving(partitions) => {
                Ok(Some(self.ended(RollEnd::Moving(partitions.clone()), Some(scene))))
            }
            NextRestart::Unavailable(partitions) => {
                Err(Error::WouldBeUnavailable { partitions: partitions.clone() })
            }
            NextRestart::Wait(waits) => {
                let waits = waits.iter().map(ToString::to_string).collect();
                self.wait(waits, scene, listener)
            }
            // A pod of the batch is late: no other follows it.
            NextRestart::Join(_) if self.acted.elapsed() >= self.ways.pod_timeout => {
                self.wait(self.away(scene), scene, listener)
            }
            NextRestart::Restart(index) | NextRestart::Join(index) => {
                let terms = self.ways.terms;
                if let Some(why) = self.sights.disagreed(sight, &next, &self.memory, &terms).await?
                {
                    return self.wait([self.away(scene), why].concat(), scene, listener);
                }
                let joins = matches!(next, NextRestart::Join(_));
                match scene.pods.get(*index) {
                    Some(pod) => self.restart(pod, joins, sight, listener).await,
                    None => Ok(None),
                }
            }
        }
    }

    /// Restarts a pod: as the first of a batch, or (`joins`) in the batch that is away.
    async fn restart(
        &mut self,
        pod: &Pod,
        joins: bool,
        sight: &Sight,
        listener: &mut dyn EventListener,
    ) -> Result<Option<Rolled>, Error> {
        let before = self.memory.clone();
        self.memory.restarts(&sight.scene, pod, joins);
        let evicted = self.sights.end_pod(pod, self.ways.delete).await?;
        match evicted {
            Evicted::Yes => {
                self.told = None;
                if !joins {
                    self.acted = Instant::now();
                    self.batches += 1;
                    self.shutdowns.clear();
                }
                self.shutdowns.push(Shutdown::of(pod, sight.grace_of(pod)));
                self.restarted.push(pod.name.clone());
                let left = sight.not_begun().saturating_sub(1);
                let batch = (self.ways.terms.max_parallel != ONE_BY_ONE).then_some(self.batches);
                let role = sight.scene.role(pod.id);
                tell(listener, &RollEvent::restarts(pod, role, left, batch))?;
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
                self.wait([self.away(&sight.scene), vec![why]].concat(), &sight.scene, listener)
            }
        }
    }

    /// What the pods of the batch wait for; nothing before its first restart.
    fn away(&self, scene: &RollScene) -> Vec<String> {
        let terms = RollTerms { max_parallel: ONE_BY_ONE, ..self.ways.terms };
        match next(scene, &self.memory, &terms) {
            NextRestart::Wait(waits) => waits.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
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
        Rolled { why, restarted, batches: self.batches, left, took: self.began.elapsed() }
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
