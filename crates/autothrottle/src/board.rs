//! The daemon's state for the API. The loop writes it.

use crate::canary;
use crate::history::History;
use crate::look::Look;
use execute::Stray;
use mapper::{BrokerId, Rate};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use throttle::{CanaryTimes, CopySeen, ReplicationRole, ThrottleDecision};

/// The board, shared.
#[derive(Debug)]
pub(crate) struct Board {
    began: Instant,
    shown: Mutex<BoardContent>,
}

/// The content of the board.
#[derive(Debug, Default, Clone)]
pub(crate) struct BoardContent {
    /// The last round that succeeded.
    pub(crate) round: Option<DoneRound>,
    /// The last hour.
    pub(crate) history: History,
    /// Rounds that decided something, since the start.
    pub(crate) decided: u64,
    /// Rounds that failed, since the start.
    pub(crate) failed: u64,
    /// Rounds that failed since the last one that succeeded, and why the last one did.
    pub(crate) failing: Option<(u64, String)>,
    /// Configs that were set, since the start.
    pub(crate) set: u64,
    /// Configs that Kafka did not accept, since the start.
    pub(crate) refused: u64,
    /// Another process leads, and this one waits.
    pub(crate) standby: bool,
    /// When the loop was last seen alive.
    pub(crate) alive: Option<Instant>,
    /// What the canary hears; `None` without a canary, or while another process leads.
    pub(crate) heard: Option<Heard>,
}

/// What the canary hears.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// The source of what the canary hears now, read at each request.
    pub(crate) messages: Option<Arc<statelog::Canary>>,
    pub(crate) readings: BTreeMap<BrokerId, CanaryTimes>,
    /// The reason why the canary does not measure all brokers.
    pub(crate) problem: Option<String>,
    /// The operator's limit for a slow message.
    pub(crate) most: Option<Duration>,
}

/// A round that succeeded.
#[derive(Debug, Clone)]
pub(crate) struct DoneRound {
    pub(crate) at: String,
    pub(crate) took: Duration,
    pub(crate) ended: Instant,
    pub(crate) cluster_id: Option<String>,
    pub(crate) known: BTreeSet<BrokerId>,
    /// How many partitions each topic has.
    pub(crate) topics: Arc<BTreeMap<String, usize>>,
    pub(crate) brokers: BTreeMap<BrokerId, throttle::BrokerSeen>,
    pub(crate) applied: BTreeMap<(BrokerId, ReplicationRole), Rate>,
    pub(crate) copies: Vec<CopySeen>,
    pub(crate) unmeasured: usize,
    /// The source of the metrics.
    pub(crate) metrics: Option<metrics::MetricsSource>,
    pub(crate) decision: ThrottleDecision,
    /// Configs that are ours.
    pub(crate) held: usize,
    pub(crate) strays: BTreeSet<Stray>,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), shown: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BoardContent> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole board. The canary's part is current even while the loop waits.
    pub(crate) fn shown(&self) -> BoardContent {
        let mut shown = self.lock().clone();
        if let Some(heard) = &mut shown.heard
            && let Some(messages) = heard.messages.take()
        {
            heard.readings = canary::readings(&messages);
        }
        shown
    }

    /// Reads one part without a copy of the rest.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&BoardContent) -> T) -> T {
        read(&self.lock())
    }

    pub(crate) fn running_since(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn alive(&self) {
        self.lock().alive = Some(Instant::now());
    }

    /// Another process leads: forgets what this one saw.
    pub(crate) fn waits(&self) {
        let mut shown = self.lock();
        (shown.standby, shown.round, shown.failing) = (true, None, None);
        let heard = shown.heard.take();
        drop(shown);
        // The canary's threads end with it.
        drop(heard);
    }

    /// This process leads.
    pub(crate) fn leads(&self) {
        self.lock().standby = false;
    }

    pub(crate) fn succeeded(&self, round: DoneRound) {
        let mut shown = self.lock();
        shown.decided += 1;
        shown.failing = None;
        shown.history.learn(&round);
        shown.round = Some(round);
    }

    pub(crate) fn failed(&self, problem: String) {
        let mut shown = self.lock();
        shown.failed += 1;
        let before = shown.failing.take().map_or(0, |(times, _)| times);
        shown.failing = Some((before + 1, problem));
    }

    pub(crate) fn hears(&self, heard: Heard) {
        self.lock().heard = Some(heard);
    }

    pub(crate) fn acted(&self, set: usize, refused: usize) {
        let mut shown = self.lock();
        shown.set += set as u64;
        shown.refused += refused as u64;
    }
}

impl DoneRound {
    pub(crate) fn of(
        look: &Look,
        decision: &ThrottleDecision,
        cluster_id: Option<String>,
        took: Duration,
    ) -> Self {
        let throttle::ThrottleInputs { brokers, copies, applied, .. } = look.throttle.clone();
        Self {
            at: operate::runtime::now(),
            took,
            ended: Instant::now(),
            cluster_id,
            known: look.known.clone(),
            topics: Arc::new(
                look.cluster
                    .topics
                    .iter()
                    .map(|(name, topic)| (name.clone(), topic.partitions.len()))
                    .collect(),
            ),
            brokers,
            applied,
            copies,
            unmeasured: look.unmeasured,
            metrics: look.metrics,
            decision: decision.clone(),
            held: 0,
            strays: BTreeSet::new(),
        }
    }
}
