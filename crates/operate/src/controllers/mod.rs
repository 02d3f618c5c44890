//! Changes the voters of a KRaft quorum: looks, asks [`execute::controllers::next`], makes one change, and looks again.
//!
//! A run keeps no records: every look shows again what is left. If a run is killed, the next one goes on from there.

mod look;

use crate::error::{Error, may_pass};
use crate::events::{DriverEvent, EventListener, VotersEvent};
use crate::execution::{Alone, Signal, Signals};
use execute::controllers::{
    NextVoterChange, VoterChange, VoterHindrance, VotersGoal, VotersRefusal, next,
};
use kafka::admin::NoAnswer;
use kafka::{Client, ResponseError};
use mapper::BrokerId;
use std::time::{Duration, Instant};

pub use look::{Controllers, ControllersReach, ControllersSight};

/// The pause between two looks: a follower fetches twice a second.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a refusal must last before it counts. A new active controller knows nothing of the others for a moment.
const SETTLE: Duration = Duration::from_secs(5);
/// The shortest time before the same reason is reported again.
const SELDOM: Duration = Duration::from_secs(60);

/// A change of the voters.
pub struct VotersRun<'a> {
    controllers: &'a Controllers,
    /// The cluster's lock: no roll restarts controllers meanwhile.
    alone: &'a mut Alone,
    goal: VotersGoal,
    /// The time limit for each change.
    timeout: Duration,
    made: Vec<VoterChange>,
    began: Instant,
    /// The time of the last change, or of the start.
    acted: Instant,
    refused_since: Option<Instant>,
    told: Option<(Instant, String)>,
}

/// How a run ended.
#[derive(Debug)]
pub struct VotersChanged {
    /// Its outcome, or the signal that ended it.
    pub why: VotersEnd,
    /// The changes that this run made, in order.
    pub made: Vec<VoterChange>,
    /// The voters at the end, as far as they are known.
    pub voters: Vec<BrokerId>,
    /// Time from the start to the end.
    pub took: Duration,
}

/// Why a run ended.
#[derive(Debug)]
pub enum VotersEnd {
    /// The voters are those that the operator wants.
    Done,
    /// A signal ended it.
    Left(Signal),
    /// The time for the next change is over, for this reason.
    Stuck(String),
}

/// The quorum and the next change, before the operator agrees.
///
/// # Errors
/// [`Error::NoQuorum`], [`Error::StaticQuorum`], [`Error::Voters`], or a server does not answer.
pub async fn preview(
    controllers: &Controllers,
    goal: VotersGoal,
) -> Result<(ControllersSight, NextVoterChange), Error> {
    let began = Instant::now();
    loop {
        let sight = controllers.look(goal.candidate()).await?;
        if sight.kraft_version == 0 {
            return Err(Error::StaticQuorum);
        }
        match next(&sight.scene, goal) {
            NextVoterChange::Refuse(why) if why.may_pass() && began.elapsed() < SETTLE => {
                tokio::time::sleep(PAUSE).await;
            }
            NextVoterChange::Refuse(refusal) => return Err(refused(&sight, refusal)),
            next => return Ok((sight, next)),
        }
    }
}

impl<'a> VotersRun<'a> {
    /// A run that has not looked yet.
    pub fn of(
        (controllers, alone): (&'a Controllers, &'a mut Alone),
        goal: VotersGoal,
        timeout: Duration,
    ) -> Self {
        let began = Instant::now();
        let (made, refused_since, told) = (Vec::new(), None, None);
        Self { controllers, alone, goal, timeout, made, began, acted: began, refused_since, told }
    }

    /// Runs rounds until the goal is reached.
    ///
    /// # Errors
    /// As [`preview`]; Kafka refuses a change; another run may hold the lock.
    pub async fn run(
        &mut self,
        signals: &mut Signals,
        listener: &mut dyn EventListener,
    ) -> Result<VotersChanged, Error> {
        loop {
            let looked = tokio::select! {
                looked = self.controllers.look(self.goal.candidate()) => looked,
                signal = signals.next() => return Ok(self.ended(VotersEnd::Left(signal), None)),
            };
            let (sight, waits) = match looked {
                Ok(sight) => {
                    let next = next(&sight.scene, self.goal);
                    let waits = self.act(&sight, next, listener).await?;
                    (Some(sight), waits)
                }
                Err(error) if error.may_pass() => (None, Some(error.to_string())),
                Err(error) => return Err(error),
            };
            match waits {
                None if sight.as_ref().is_some_and(|sight| self.is_done(sight)) => {
                    return Ok(self.ended(VotersEnd::Done, sight.as_ref()));
                }
                None => {}
                Some(why) if self.acted.elapsed() >= self.timeout => {
                    return Ok(self.ended(VotersEnd::Stuck(why), sight.as_ref()));
                }
                Some(why) => self.tell(why, listener)?,
            }
            if let Some(signal) = signals.within(PAUSE).await {
                return Ok(self.ended(VotersEnd::Left(signal), sight.as_ref()));
            }
        }
    }

    fn is_done(&self, sight: &ControllersSight) -> bool {
        next(&sight.scene, self.goal) == NextVoterChange::Done
    }

    /// Acts on one look. Returns what it waits for, if anything.
    async fn act(
        &mut self,
        sight: &ControllersSight,
        next: NextVoterChange,
        listener: &mut dyn EventListener,
    ) -> Result<Option<String>, Error> {
        let refused_before = self.refused_since.take();
        match next {
            NextVoterChange::Done => Ok(None),
            NextVoterChange::Wait(VoterHindrance::NotRegistered(id)) => match &sight.unreachable {
                Some(problem) => self.refused(refused_before, problem.to_string(), |problem| {
                    Error::NoListeners { id, problem }
                }),
                None => Ok(Some(VoterHindrance::NotRegistered(id).to_string())),
            },
            NextVoterChange::Wait(hindrance) => Ok(Some(hindrance.to_string())),
            NextVoterChange::Refuse(refusal) => match refused(sight, refusal) {
                Error::Voters(refusal) if !refusal.may_pass() => Err(Error::Voters(refusal)),
                error => self.refused(refused_before, error.to_string(), |_| error),
            },
            NextVoterChange::Make(change) => self.make(sight, change, listener).await,
        }
    }

    /// An error, if it has lasted; before that, a reason to look again.
    fn refused(
        &mut self,
        before: Option<Instant>,
        why: String,
        error: impl FnOnce(String) -> Error,
    ) -> Result<Option<String>, Error> {
        let since = before.unwrap_or_else(Instant::now);
        if since.elapsed() >= SETTLE {
            return Err(error(why));
        }
        self.refused_since = Some(since);
        Ok(Some(why))
    }

    async fn make(
        &mut self,
        sight: &ControllersSight,
        change: VoterChange,
        listener: &mut dyn EventListener,
    ) -> Result<Option<String>, Error> {
        if !self.alone.may_act().await? {
            return Ok(Some("the claim on the cluster cannot be confirmed".to_owned()));
        }
        let leads =
            matches!(&change, VoterChange::Remove(key) if sight.scene.leader == Some(key.id));
        let event = match &change {
            VoterChange::Add(key) => VotersEvent::Adds { id: key.id },
            VoterChange::Remove(key) => VotersEvent::Removes { id: key.id, leads },
        };
        tell(listener, &event)?;
        match request(self.controllers.client(), sight, &change).await {
            Ok(()) => {
                self.made.push(change);
                self.acted = Instant::now();
                self.told = None;
                Ok(None)
            }
            Err(answer) if answer.is_certain() && !is_outdated(answer.error()) => match answer {
                NoAnswer::NotMade(error) | NoAnswer::Unknown(error) => Err(error.into()),
            },
            // The next look shows whether the change was made.
            Err(answer) => Ok(Some(answer.error().to_string())),
        }
    }

    /// Reports a new reason at once, and an unchanged one at intervals.
    fn tell(&mut self, why: String, listener: &mut dyn EventListener) -> Result<(), Error> {
        let same = |told: &(Instant, String)| told.1 == why && told.0.elapsed() < SELDOM;
        if self.told.as_ref().is_some_and(same) {
            return Ok(());
        }
        let waited_seconds = self.acted.elapsed().as_secs();
        tell(listener, &VotersEvent::Waits { waited_seconds, why: why.clone() })?;
        self.told = Some((Instant::now(), why));
        Ok(())
    }

    fn ended(&mut self, why: VotersEnd, sight: Option<&ControllersSight>) -> VotersChanged {
        let voters = sight.iter().flat_map(|sight| &sight.scene.voters);
        let voters = voters.map(|voter| voter.id).collect();
        let made = std::mem::take(&mut self.made);
        VotersChanged { why, made, voters, took: self.began.elapsed() }
    }
}

/// The error of a refused goal. If no controller told of its listeners, a node with both roles looks like a broker.
fn refused(sight: &ControllersSight, refusal: VotersRefusal) -> Error {
    match (refusal, &sight.unreachable) {
        (VotersRefusal::IsBroker(id), Some(problem)) => {
            Error::NoListeners { id, problem: problem.to_string() }
        }
        (refusal, _) => Error::Voters(refusal),
    }
}

async fn request(
    client: &Client,
    sight: &ControllersSight,
    change: &VoterChange,
) -> Result<(), NoAnswer> {
    match change {
        VoterChange::Add(key) => {
            let endpoints = sight.endpoints.get(&key.id).map(Vec::as_slice).unwrap_or_default();
            client.add_voter(key.id, &key.directory, endpoints).await
        }
        VoterChange::Remove(key) => client.remove_voter(key.id, &key.directory).await,
    }
}

/// Whether Kafka refused a change because the quorum is no longer as the look showed it, or no server took the request.
fn is_outdated(error: &kafka::Error) -> bool {
    match error {
        kafka::Error::Refused { code, .. } => matches!(
            code,
            ResponseError::DuplicateVoter
                | ResponseError::VoterNotFound
                | ResponseError::NotController
                | ResponseError::BrokerNotAvailable
                | ResponseError::LeaderNotAvailable
        ),
        other => may_pass(other),
    }
}

fn tell(listener: &mut dyn EventListener, event: &VotersEvent) -> Result<(), Error> {
    listener.hear(&DriverEvent::Voters(event)).map_err(|error| local::Error::Stream(error).into())
}
