//! Carries out the actions of a round.
//!
//! A refusal by Kafka is recorded. After a request without an answer, the next round looks at the cluster again:
//! nothing is sent twice blindly. Only a missing right, or a disk that stores no more lines, ends an execution.

use super::Execution;
use super::configs::set_configs;
use super::cordoning;
use super::lease_events::event;
use crate::error::Error;
use execute::{
    Action, ExecutionOutcome, JournalEntry, LedgerEntry, LogDirDestination, Setting,
    ThrottleResource,
};
use kafka::admin::{Altering, NoAnswer, Refusal};
use kafka::in_parallel;
use mapper::{BrokerId, Move, Replicas, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The time limit for a broker to accept log dirs for replicas.
const PATIENCE: Duration = Duration::from_secs(5);

/// The result of a round's actions.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    /// Something was changed in the cluster.
    pub changed: bool,
    /// A list of throttled replicas was changed.
    pub(crate) lists_changed: bool,
    /// Moves were submitted; the look before them does not show them.
    pub begun: bool,
    /// The execution is over.
    pub outcome: Option<ExecutionOutcome>,
}

/// The controller's answers to submitted moves.
#[derive(Debug, Default)]
struct Altered {
    taken: Vec<usize>,
    refused: Vec<(usize, Refusal)>,
}

impl Altered {
    /// A move of a deleted topic counts as neither accepted nor refused.
    fn takes(&mut self, index: usize, refusal: Option<Refusal>) {
        match refusal {
            None => self.taken.push(index),
            Some(why) if why.code == kafka::ResponseError::UnknownTopicOrPartition => {}
            Some(why) => self.refused.push((index, why)),
        }
    }
}

impl<'c> Execution<'c> {
    /// Carries out these actions in order: lines first, then configs, then moves. `until` is the end of the
    /// permission to submit moves.
    pub(super) async fn act(
        &mut self,
        actions: Vec<Action>,
        until: Option<Instant>,
    ) -> Result<Acted, Error> {
        let mut acted = Acted::default();
        if !self.may_act().await? {
            return Ok(acted);
        }
        let (mut entries, mut accounts, mut sets) = (Vec::new(), Vec::new(), Vec::new());
        let (mut cordons, mut rest) = (Vec::new(), Vec::new());
        for action in actions {
            if let Some(broker) = action.cordons() {
                cordons.push(broker);
                continue;
            }
            match action {
                Action::Write(entry) => entries.push(entry),
                Action::Account(entry) => accounts.push(entry),
                Action::Set { setting, edit } => sets.push((setting, edit)),
                action => rest.push(action),
            }
        }
        acted.begun = entries.iter().any(|entry| matches!(entry, JournalEntry::Submitted { .. }));
        self.write(entries)?;
        self.account(accounts)?;
        self.mirror().await?;
        acted.changed = !sets.is_empty() || !cordons.is_empty() || !rest.is_empty();
        let of_topic = |setting: &Setting| matches!(setting.resource, ThrottleResource::Topic(_));
        acted.lists_changed = sets.iter().any(|(setting, _)| of_topic(setting));
        let has_set = !sets.is_empty();
        cordoning::cordon(self.client, cordons, &mut self.observer).await?;
        set_configs(self.client, sets).await?;
        let mut not_told = BTreeSet::new();
        // Setting configs may have taken a while, so the lock is checked again. The next round asks for what is
        // skipped here.
        if has_set && !rest.is_empty() && !self.may_act().await? {
            return Ok(acted);
        }
        for action in rest {
            match action {
                Action::Place { places } => not_told = self.place(places).await?,
                Action::Submit { mut moves } => {
                    moves.retain(|index| !not_told.contains(index));
                    self.submit(moves, until).await?;
                }
                Action::Cancel { moves } => self.cancel(moves).await?,
                Action::Reorder { moves } => self.reorder(moves).await?,
                Action::Elect { moves } => self.elect(moves).await?,
                Action::Stop(outcome) => acted.outcome = Some(outcome),
                Action::Write(_) | Action::Account(_) | Action::Set { .. } => {}
            }
        }
        Ok(acted)
    }

    /// Writes entries to the journal, then applies them to the history.
    pub(super) fn write(&mut self, entries: Vec<JournalEntry>) -> Result<(), Error> {
        if let Some(books) = self.books.as_mut().filter(|_| !entries.is_empty()) {
            books.journal.append(&entries)?;
            if let Some(lock) = &mut books.lock {
                let events = entries.iter().filter_map(|entry| event(entry, self.task.plan_id));
                events.for_each(|(reason, note)| lock.tell(reason, note));
            }
            if let Some(mirror) = &mut books.mirror {
                mirror.written(&entries);
            }
            entries.into_iter().for_each(|entry| self.history.apply(entry));
        }
        Ok(())
    }

    fn account(&mut self, entries: Vec<LedgerEntry>) -> Result<(), Error> {
        if let Some(books) = self.books.as_mut().filter(|_| !entries.is_empty()) {
            books.accounts.append(&entries)?;
            entries.iter().cloned().for_each(|entry| self.ledger.apply(entry));
            if let Some(mirror) = &mut books.mirror {
                mirror.accounted(&entries, &self.ledger);
            }
        }
        Ok(())
    }

    /// Sends the wanted log dirs to brokers. Returns the moves with a replica whose log dir was not sent or not
    /// accepted.
    async fn place(&mut self, places: Vec<LogDirDestination>) -> Result<BTreeSet<usize>, Error> {
        let mut of_brokers: BTreeMap<BrokerId, BTreeMap<TopicPartition, (usize, String)>> =
            BTreeMap::new();
        for LogDirDestination { index, of, broker, log_dir } in places {
            of_brokers.entry(broker).or_default().insert(of, (index, log_dir));
        }
        let told = of_brokers.into_iter().map(async |(broker, places)| {
            let dirs = places.iter().map(|(of, (_, log_dir))| (of.clone(), log_dir.clone()));
            let dirs: BTreeMap<TopicPartition, String> = dirs.collect();
            let answer = self.client.alter_log_dirs(broker, &dirs, PATIENCE).await;
            (broker, places, answer)
        });
        let mut answers = in_parallel(told).await;
        answers.sort_by_key(|(broker, ..)| *broker);
        let (mut not_told, mut entries) = (BTreeSet::new(), Vec::new());
        for (broker, places, answer) in answers {
            let Some(refused) = unless_lost(answer)? else {
                not_told.extend(places.into_values().map(|(index, _)| index));
                continue;
            };
            for (of, refusal) in refused {
                let Some((index, log_dir)) = places.get(&of) else { continue };
                let problem = format!("log dir {log_dir} of broker {broker}: {refusal}");
                not_told.insert(*index);
                entries.push(JournalEntry::Refused { index: *index, problem });
            }
        }
        self.write(entries)?;
        Ok(not_told)
    }

    async fn submit(&mut self, moves: Vec<usize>, until: Option<Instant>) -> Result<(), Error> {
        let Altered { taken, refused } =
            self.alter(&moves, |change| Some(change.to.clone()), until).await?;
        let refused = refused.into_iter().map(|(index, refusal)| {
            let problem = refusal.to_string();
            JournalEntry::Refused { index, problem }
        });
        let taken = (!taken.is_empty()).then_some(JournalEntry::Begun { moves: taken });
        self.write(refused.chain(taken).collect())
    }

    async fn cancel(&mut self, moves: Vec<usize>) -> Result<(), Error> {
        let mut refused = self.alter(&moves, |_| None, None).await?.refused;
        refused
            .retain(|(_, refusal)| refusal.code != kafka::ResponseError::NoReassignmentInProgress);
        let entries = refused.into_iter().map(|(index, refusal)| {
            let problem = refusal.to_string();
            JournalEntry::NotCancelled { index, problem }
        });
        self.write(entries.collect())
    }

    async fn reorder(&mut self, moves: Vec<usize>) -> Result<(), Error> {
        let altered = self.alter(&moves, |change| Some(change.from.clone()), None).await?;
        for (_, refusal) in altered.refused {
            tracing::warn!(%refusal, "the old order of replicas is not taken");
        }
        Ok(())
    }

    /// Reassigns partitions, in batches that the controller answers soon. Returns by move what was accepted and what
    /// was refused. The next look covers the rest: moves not sent, moves without an answer, and deleted topics.
    async fn alter(
        &mut self,
        moves: &[usize],
        target: impl Fn(&Move) -> Option<Replicas>,
        until: Option<Instant>,
    ) -> Result<Altered, Error> {
        let moves: Vec<(usize, &Move)> = self.numbered(moves).collect();
        let changes_factor = |change: &Move| change.from.len() != change.to.len();
        let (factor, places): (Vec<_>, Vec<_>) =
            moves.into_iter().partition(|(_, change)| changes_factor(change));
        let (mut altered, mut is_first) = (Altered::default(), true);
        for (altering, moves) in [(Altering::Places, places), (Altering::Factor, factor)] {
            let mut left = &moves[..];
            while !left.is_empty() {
                // The journal already has these moves as submitted. The next look shows that they were not.
                let late = until.is_some_and(|until| until <= Instant::now());
                if late || (!is_first && !self.may_act().await?) {
                    return Ok(altered);
                }
                let (some, rest) = left.split_at(left.len().min(self.batch.partitions()));
                let changes: Vec<(TopicPartition, Option<Replicas>)> =
                    some.iter().map(|(_, change)| (change.of(), target(change))).collect();
                let Some(mut answers) = self.ask_controller(&changes, altering).await? else {
                    return Ok(altered);
                };
                for (index, change) in some {
                    altered.takes(*index, answers.remove(&change.of()));
                }
                (left, is_first) = (rest, false);
            }
        }
        Ok(altered)
    }

    /// Sends one request, and adapts the batch size to its duration; `None`: the answer was lost.
    async fn ask_controller(
        &mut self,
        changes: &[(TopicPartition, Option<Replicas>)],
        altering: Altering,
    ) -> Result<Option<BTreeMap<TopicPartition, Refusal>>, Error> {
        let asked = Instant::now();
        let answer = self.client.alter_reassignments(changes, altering).await;
        self.batch = self.batch.after(changes.len(), asked.elapsed());
        unless_lost(answer)
    }

    async fn elect(&self, moves: Vec<usize>) -> Result<(), Error> {
        let partitions: BTreeSet<TopicPartition> =
            self.numbered(&moves).map(|(_, change)| change.of()).collect();
        let asked = self.client.elect_preferred(&partitions).await;
        for (of, refusal) in unless_lost(asked)?.unwrap_or_default() {
            tracing::warn!(partition = %of, %refusal, "its first replica is not elected");
        }
        Ok(())
    }

    fn numbered<'m>(
        &self,
        moves: &'m [usize],
    ) -> impl Iterator<Item = (usize, &'c Move)> + use<'c, 'm> {
        let plan = self.task.plan;
        moves.iter().filter_map(|index| Some((*index, plan.moves.get(*index)?)))
    }
}

/// The answer; `None` if it was lost. The next look shows whether the request took effect.
pub(super) fn unless_lost<T>(answer: Result<T, NoAnswer>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(NoAnswer::NotMade(error) | NoAnswer::Unknown(error)) if super::may_pass(&error) => {
            tracing::warn!(%error, "looking again");
            Ok(None)
        }
        Err(NoAnswer::NotMade(error) | NoAnswer::Unknown(error)) => Err(error.into()),
    }
}
