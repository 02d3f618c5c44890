//! How a run ended.

use super::observe::Look;
use super::{Execution, Signal, emptied};
use crate::error::Error;
use execute::{ExecutionHistory, ExecutionOutcome, JournalEntry, Round};
use mapper::{BrokerId, ExposureSeconds, Undrained, undrained};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// Its outcome, or the signal that ended it.
    pub why: Why,
    /// The last round: the state of each move, and why no move was begun.
    pub round: Round,
    /// The history at the end, including earlier runs.
    pub history: ExecutionHistory,
    /// No config of this execution is left in the cluster.
    pub clean: bool,
    /// Time from the start of this run to its end.
    pub took: Duration,
    /// The estimate before the run, in seconds.
    pub estimated_seconds: Option<u64>,
    /// How long partitions have been at risk during the run.
    pub exposure: ExposureSeconds,
    /// The same, as no order of moves can better it.
    pub least_exposure: Option<ExposureSeconds>,
    /// Dead brokers that hold no replica any more, but that the cluster still lists.
    pub emptied: Vec<BrokerId>,
    /// The vacated brokers that can be cordoned, after a complete run: whether they are cordoned now.
    pub vacated: BTreeMap<BrokerId, bool>,
    /// Brokers that the plan was to drain, and the replicas that they still hold.
    pub undrained: Vec<Undrained>,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// This run can do nothing more; the outcome of the plan.
    Over(ExecutionOutcome),
    /// A signal ended it; moves in flight and their throttle stay.
    Left(Signal),
}

impl Execution<'_> {
    /// Ends the run if a broker has been lost for too long. Moves in flight and their throttle stay.
    pub(super) fn leave_when_lost(&mut self, look: &Look) -> Result<(), Error> {
        let Some(seconds) = self.task.terms.limits.leave_when_lost_seconds else { return Ok(()) };
        let brokers = self.observer.losses.look(self.task.plan, &look.seen, seconds);
        if brokers.is_empty() {
            return Ok(());
        }
        self.write(vec![JournalEntry::Detached])?;
        Err(Error::BrokersLost { brokers, lost_for: Duration::from_secs(seconds) })
    }

    /// The result of a run whose outcome is known.
    pub(super) async fn over(
        &self,
        why: Why,
        round: Round,
        look: &Look,
        start: Instant,
    ) -> Result<Ended, Error> {
        let outcome = self.history.finished;
        let mut ended = self.ended(why, round, start);
        if matches!(outcome, Some(ExecutionOutcome::Complete | ExecutionOutcome::LeftOut)) {
            let topics = &look.seen.topics;
            let drained = self.task.plan.request.emptied();
            emptied::refuse_hidden(self.client, &drained, &look.seen).await?;
            ended.undrained = undrained(&self.task.plan.request, topics.values());
        }
        if outcome == Some(ExecutionOutcome::Complete) {
            let vacated = look.seen.cordonable.iter();
            ended.vacated = vacated.map(|id| (*id, look.seen.has_cordon(*id))).collect();
            ended.emptied = emptied::emptied(self.client, self.task.plan, &look.seen).await;
        }
        Ok(ended)
    }

    pub(super) fn ended(&self, why: Why, round: Round, start: Instant) -> Ended {
        let history = self.history.clone();
        let (clean, took) = (self.ledger.is_empty(), start.elapsed());
        let (estimated_seconds, emptied, undrained) = (None, Vec::new(), Vec::new());
        let vacated = BTreeMap::new();
        Ended {
            why,
            round,
            history,
            clean,
            took,
            estimated_seconds,
            exposure: self.observer.exposure.so_far(),
            least_exposure: None,
            emptied,
            vacated,
            undrained,
        }
    }
}
