//! Carries a plan out by `execute`, and cancels it where it is no longer wanted.

use super::{Args, tags};
use crate::error::{Beyond, Error};
use crate::live::cli::run_words;
use crate::session::Session;
use execute::keep::{KeepNotes, KeepPolicy, Proposal};
use local::files;
use mapper::{Plan, Reason};
use metrics::Event;
use operate::events::Note;
use operate::execution::{journal_of, moves_are_over, read_plan};
use operate::keep::{KeepRecord, StoredRecord, announce};
use operate::{Status, exported, runtime};
use std::path::Path;

impl Args {
    pub(super) fn begin(
        &self,
        plan: &Path,
        proposal: &Proposal,
        policy: &KeepPolicy,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        let ended = self.carry_out(plan, policy, false, session);
        let is_over = matches!(ended, Ok(PlanEnd { is_over: true, .. }));
        if !is_over && !journal_of(plan, None).exists() {
            // An approval is for this plan, so it stays a proposal.
            files::rename(plan, &self.proposed(&proposal.need))?;
            self.take_back(proposal, session)?;
        }
        ended.map(|end| end.status)
    }

    /// Removes the record of a plan from the notes: the execution refused before it had a journal.
    fn take_back(&self, proposal: &Proposal, session: &Session<'_, '_>) -> Result<(), Error> {
        let Some(plan) = &proposal.plan else { return Ok(()) };
        self.note(session, |notes| notes.without(&plan.plan_id))
    }

    /// Changes the notes between two looks.
    fn note(
        &self,
        session: &Session<'_, '_>,
        change: impl FnOnce(KeepNotes) -> KeepNotes,
    ) -> Result<(), Error> {
        let access = session.access_to(&self.notes)?;
        session.global.talk.wait_for(async {
            let (place, record) = StoredRecord::open::<KeepRecord>(&self.notes, &access).await?;
            let notes = change(record.notes.clone());
            Ok(place.write(&KeepRecord { notes, ..record }, &access).await?)
        })
    }

    /// Continues the plan that has begun, in the hours of the policy.
    pub(super) fn go_on(
        &self,
        plan: &Path,
        policy: &KeepPolicy,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        if let Some(hours) =
            policy.hours.filter(|it| it.left_seconds(runtime::now_seconds()).is_none())
        {
            session.say(&Note::new(format!("a plan has begun, and goes on at {hours}")))?;
            return Ok(Status::Partly);
        }
        self.carry_out(plan, policy, true, session).map(|end| end.status)
    }

    /// Why the rest of a plan is not carried out, if it is not: its copies are no longer needed, or others are needed first.
    fn why_cancelled(
        &self,
        ended: &Result<Status, Error>,
        policy: &KeepPolicy,
        session: &Session<'_, '_>,
    ) -> Result<Option<String>, Error> {
        Ok(match ended {
            Err(Error::Returned { brokers }) => {
                Some(format!("broker {} is back", mapper::joined(brokers.keys())))
            }
            Err(Error::Live(Beyond::Operate(operate::Error::BrokersLost { brokers, .. }))) => {
                let now = runtime::now_seconds();
                self.note(session, |notes| notes.with_lost(brokers, now, policy))?;
                Some(format!("broker {} is lost", mapper::joined(brokers)))
            }
            Ok(_) | Err(_) => None,
        })
    }

    /// The journal of a plan that is done is removed: the next look is as after no plan.
    fn carry_out(
        &self,
        plan: &Path,
        policy: &KeepPolicy,
        resumes: bool,
        session: &mut Session<'_, '_>,
    ) -> Result<PlanEnd, Error> {
        let (written, id) = read_plan(plan)?;
        let flags = execution_flags(&written, policy, resumes);
        let ended = run_words(&on_plan("execute", plan, flags, session), session);
        exported::progressed(None);
        let (status, done) = match self.why_cancelled(&ended, policy, session)? {
            Some(why) => {
                let why = format!("{why}: the plan is cancelled");
                session.say(&Note::new(&why))?;
                let status = run_words(&on_plan("cancel", plan, Vec::new(), session), session)?;
                // Only a throttle may be left, on a broker that may never answer again. The next look comes at once.
                let rest_is_config = status == Status::Partly && moves_are_over(plan)?;
                let status = if rest_is_config { Status::Done } else { status };
                (status, ("PlanCancelled", why))
            }
            None => {
                let status = ended?;
                (status, ("PlanDone", done(status).to_owned()))
            }
        };
        // What was left out is no longer as in the plan, and a broker that is gone may never answer again.
        let is_over = matches!(status, Status::Done | Status::NoPlan)
            || (status == Status::Partly && moves_are_over(plan)?);
        let unfinished = |status: Status| {
            let code = status.code();
            (
                "PlanUnfinished",
                format!("it ended with exit code {code}; the next look goes on with it"),
            )
        };
        let (reason, note) = if is_over { done } else { unfinished(status) };
        let access = session.access_to(&self.notes)?;
        let tags = tags(written.cluster_id.as_deref().unwrap_or_default(), Some(&id));
        session.global.talk.clone().wait_for(async {
            announce(&self.notes, &access, reason, &note).await;
            self.webhook.tell(Event { title: reason.to_owned(), text: note, tags }).await;
            Ok(())
        })?;
        if is_over {
            files::remove(&journal_of(plan, None))?;
        }
        Ok(PlanEnd { status, is_over })
    }
}

/// How an execution of a plan ended.
struct PlanEnd {
    status: Status,
    /// Nothing is left to go on with, and the journal is removed.
    is_over: bool,
}

/// What became of a plan that is over.
fn done(status: Status) -> &'static str {
    match status {
        Status::Partly => "every move is done; brokers that did not answer keep the throttle",
        Status::NoPlan => "every move is done, except where others have changed partitions",
        _ => "every move of the plan is done",
    }
}

/// The flags of an execution, beyond those of the cluster.
fn execution_flags(plan: &Plan, policy: &KeepPolicy, resumes: bool) -> Vec<String> {
    let mut flags = vec![format!("--throttle={}B/s", policy.throttle.0)];
    flags.extend(resumes.then(|| "--resume".to_owned()));
    if let Some(hours) = policy.hours {
        let until = hours.until_seconds;
        flags.push(format!("--until={:02}:{:02}", until / 3600 % 24, until / 60 % 60));
    }
    // Nothing is more urgent than a plan for a lost broker.
    let replaces = plan.moves.iter().any(|change| change.reason == Reason::Lost);
    if let Some(seconds) = policy.replaces_lost_after_seconds().filter(|_| !replaces) {
        flags.push(format!("--leave-when-lost={seconds}"));
    }
    flags
}

/// A command line about a plan, in the same cluster.
fn on_plan(
    command: &str,
    plan: &Path,
    flags: Vec<String>,
    session: &Session<'_, '_>,
) -> Vec<String> {
    let mut words = vec![command.to_owned(), plan.display().to_string(), "--yes".to_owned()];
    words.extend(flags);
    words.extend(session.cluster_flags());
    words.extend(session.global.kubernetes.as_flags());
    words
}
