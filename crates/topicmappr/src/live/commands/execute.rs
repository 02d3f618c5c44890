//! `execute`: carries a plan out in a live cluster.

use crate::error::Error;
use crate::live::flags::{ClaimArgs, ConsentArgs, DaemonArgs, ExecutionArgs};
use crate::live::views::{Next, Preview, Summary};
use crate::session::Session;
use console::units::{rate, seconds, size};
use console::{NamedValue, one_of};
use execute::{
    Aim, Estimate, ExecutionLimits, ExecutionOutcome, ExecutionTerms, MoveState, NoNewMoves,
    OnDeadBroker, Pace, PauseOn, Round, Stray, cordoned, returned,
};
use jiff::civil::Time;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use mapper::{Bytes, Plan};
use operate::Status;
use operate::events::Note;
use operate::execution::{
    Ended, Execution, Opened, Pacer, Places, Signal, Signals, Why, estimate, refuse_below_ingest,
};
use std::path::Path;
use std::time::Duration;

/// The flags of `execute`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) execution: ExecutionArgs,
    /// Limit the moves to a rate (10MB/s), or write auto or none
    ///
    /// A rate is bytes per second into each broker, and out of each. With auto, autothrottle sets the rates, and
    /// moves wait until it has. none means no throttle.
    #[arg(long, value_name = "RATE|auto|none", value_parser = pace)]
    throttle: Pace,
    #[command(flatten)]
    daemon: DaemonArgs,
    /// Continue an execution; without a journal, begin it
    #[arg(long)]
    pub(super) resume: bool,
    #[command(flatten)]
    pub(super) consent: ConsentArgs,
    /// Move at most this many partitions at a time
    ///
    /// Partitions whose destinations are all dead do not count.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_moves: Option<u32>,
    /// Move at most this many partitions at a time per broker
    ///
    /// The limit applies to what moves into a broker, and to what moves out of it. Without it, about 5 seconds of
    /// copies are in flight through each port of a broker, and at most 200 moves.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_moves_per_broker: Option<u32>,
    /// Pause new moves if these partitions are below min ISR
    ///
    /// Offline partitions count too. Partitions that the plan heals never pause it.
    #[arg(long, value_name = "WHICH", default_value = "new", value_parser = one_of(&PAUSES))]
    pause_on: PauseOn,
    /// Choose what to do with moves whose destination dies
    ///
    /// With cancel, a move is submitted again if its broker returns within a minute after all else is done.
    #[arg(long, value_name = "WHAT", default_value = "wait", value_parser = one_of(&DEAD))]
    on_dead_broker: OnDeadBroker,
    /// Report replicas that received no data for this long
    ///
    /// The report names the broker that holds them back. A bare number is seconds.
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "10m")]
    stalled_after: Duration,
    /// End when another broker has been lost for this long
    ///
    /// Another broker is one with replicas that the plan does not replace. Moves in flight and their throttle stay,
    /// and the exit code is 6. A bare number is seconds.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    leave_when_lost: Option<Duration>,
    /// Start no move after this time (UTC): 06:00, or 2026-11-21T06:00:00Z
    ///
    /// The command ends with exit code 6 when the moves in flight have arrived.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Require the typed cluster id above this many bytes
    #[arg(long, value_name = "BYTES", value_parser = size, default_value = "1TB")]
    confirm_above: Bytes,
    /// Continue although a broker is back that the plan calls lost
    #[arg(long)]
    even_if_returned: bool,
    /// Continue while other tools move replicas
    #[arg(long)]
    join: bool,
    /// Afterwards move new replicas off the brokers that the plan drains
    ///
    /// These are replicas that arrived during the plan. Each sweep has its own plan: PLAN.sweep.json.
    #[arg(long)]
    pub(super) sweep: bool,
    /// Leave drained brokers cordoned when every move is done
    ///
    /// Without it, a run ends the cordons that it began, and Kafka may place new partitions there again.
    #[arg(long)]
    keep_cordons: bool,
    #[command(flatten)]
    pub(super) claim: ClaimArgs,
}

fn pace(text: &str) -> Result<Pace, String> {
    match text.trim() {
        "none" => Ok(Pace::Unthrottled),
        "auto" => Ok(Pace::Auto),
        text => rate(text).map(Pace::BytesPerSecond),
    }
}

const PAUSES: [NamedValue<PauseOn>; 3] = [
    ("none", PauseOn::Never, "No partition"),
    ("new", PauseOn::New, "Partitions that were well at the start"),
    ("any", PauseOn::Any, "Every partition"),
];

const DEAD: [NamedValue<OnDeadBroker>; 2] = [
    ("wait", OnDeadBroker::Wait, "Wait until the broker returns"),
    (
        "cancel",
        OnDeadBroker::Cancel,
        "Cancel them, and submit them again if the broker returns soon",
    ),
];

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    if args.sweep { super::sweep::run(args, session) } else { once(args, session) }
}

/// Carries out this plan alone, without a sweep.
pub(super) fn once(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let terms = args.terms()?;
    let meant = args.execution.files().plan()?;
    if has_begun(&meant.journal) && !args.resume && !args.consent.dry_run {
        return Err(Error::JournalExists(meant.journal));
    }
    session.needs_consent(args.consent)?;
    let talk = session.global.talk.clone();
    talk.wait_for(async {
        let opened = Opened::of(&args.execution.files(), meant, &mut session.context()?).await?;
        let mut execution = opened.execution(terms, args.consent.dry_run)?;
        if terms.pace == Pace::Auto {
            execution.paced_by(args.pacer(&opened).await?);
        }
        args.carry_out(&mut execution, &opened.places, session).await
    })
}

/// Whether the journal has a line. An empty journal is left by an operator who did not agree.
fn has_begun(journal: &Path) -> bool {
    journal.metadata().is_ok_and(|file| file.len() > 0)
}

impl Args {
    fn terms(&self) -> Result<ExecutionTerms, Error> {
        let at_most = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        let limits = ExecutionLimits {
            moves: self.max_moves.map_or(usize::MAX, at_most),
            moves_per_broker: self.max_moves_per_broker.map(at_most),
            until_seconds: self.until.as_deref().map(until).transpose()?,
            on_dead_broker: self.on_dead_broker,
            stalled_after_seconds: self.stalled_after.as_secs(),
            leave_when_lost_seconds: self.leave_when_lost.map(|time| time.as_secs()),
            ..ExecutionLimits::default()
        };
        let pace = match (self.throttle, self.daemon.is_given()) {
            (Pace::BytesPerSecond(_), true) => Pace::Auto,
            (Pace::Unthrottled, true) => {
                return Err(Error::flags(
                    "--throttle none: autothrottle paces whatever moves; leave --autothrottle out, or give a rate, or auto"
                        .to_owned(),
                ));
            }
            (pace, _) => pace,
        };
        let Self { pause_on, join, keep_cordons, .. } = *self;
        Ok(ExecutionTerms { aim: Aim::CarryOut, pace, limits, pause_on, join, keep_cordons })
    }

    /// The daemon, if it leads in this cluster.
    async fn pacer(&self, opened: &Opened) -> Result<Pacer, Error> {
        if opened.plan.moves.iter().any(|change| change.named_log_dirs().next().is_some()) {
            return Err(Error::flags(
                "--throttle auto, and --autothrottle with a rate: the plan names log dirs, and autothrottle does not pace \
                 copies between those of one broker; give a rate without --autothrottle"
                    .to_owned(),
            ));
        }
        let asked = match self.throttle {
            Pace::BytesPerSecond(rate) => Some(rate),
            Pace::Unthrottled | Pace::Auto => None,
        };
        let mut pacer = self.daemon.pacer()?.at(asked);
        pacer.is_there(&opened.cluster_id).await?;
        Ok(pacer)
    }

    async fn carry_out(
        &self,
        execution: &mut Execution<'_>,
        places: &Places,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        // Nothing has begun while the question is open, so an interrupt ends the process as usual.
        let early = if self.consent.yes { Some(Signals::listen()?) } else { None };
        let (stopped, early) = match early {
            None => (self.prepare(execution, places, session).await?, None),
            Some(mut signals) => tokio::select! {
                ready = self.prepare(execution, places, session) => (ready?, Some(signals)),
                signal = signals.next() => (Ready::Stop(left(signal)), None),
            },
        };
        let estimate = match stopped {
            Ready::Go(estimate) => estimate,
            Ready::Stop(status) => {
                if matches!(status, Status::Interrupted | Status::Terminated) {
                    session.say(&take_over(session))?;
                }
                return Ok(status);
            }
        };
        let resumes = execution.history().plan.is_some();
        self.agreed(execution, resumes, estimate.bytes, session)?;
        execution.claim(&self.claim.by(), places, self.resume, &mut session.context()?).await?;
        let signals = early.map_or_else(Signals::listen, Ok)?;
        let ended = execution.run(signals, &mut session.context()?).await;
        if ended.is_err() && execution.holds_configs() {
            session.say(&Note::new("the throttle stays for as long as replicas are copied"))?;
        }
        if ended.is_err() && execution.history().plan.is_some() {
            session.say(&take_over(session))?;
        }
        let mut ended = ended?;
        if !resumes {
            ended.estimated_seconds = estimate.seconds;
            ended.least_exposure = estimate.least_exposure;
        }
        let status = tell(execution.task.plan, &ended, session)?;
        let drained = ended.undrained.iter().all(|broker| broker.partitions.is_empty());
        if drained || status != Status::Done {
            return Ok(status);
        }
        // Before switching off a drained broker, the operator must know that it is not empty.
        if !self.sweep {
            let again = Next::again(&session.command_line(), "--resume", "--resume --sweep");
            session.say(&again)?;
        }
        Ok(Status::Partly)
    }

    /// Looks at the cluster, shows the preview, and refuses what must not begin.
    async fn prepare(
        &self,
        execution: &mut Execution<'_>,
        places: &Places,
        session: &mut Session<'_, '_>,
    ) -> Result<Ready, Error> {
        execution.meet(&self.claim.by(), &mut session.context()?).await?;
        if self.resume && execution.history().plan.is_none() {
            // Another machine may have begun it. Its moves and throttles must be known before any check.
            execution.claim_where_there(&self.claim.by(), places, &mut session.context()?).await?;
        }
        let look = execution.first_look().await?;
        let round = execution.first_round(&look);
        let resumes = execution.history().plan.is_some();
        let estimate = estimate(execution, &look, &round);
        let preview = Preview::of(&execution.task, &round, &estimate, resumes, places.files());
        session.event(&preview)?;
        refuse_other_tools(&round)?;
        let back = returned(&execution.task, &round.course, &look.seen);
        if !back.is_empty() && !self.even_if_returned {
            return Err(Error::Returned { brokers: back });
        }
        let onto = cordoned(&execution.task, &round.course);
        // After the start, other moves are only reported, so that the execution can finish.
        if !onto.is_empty() && execution.history().submitted.is_empty() {
            return Err(Error::Cordoned { brokers: onto });
        }
        refuse_below_ingest(execution, &look, &round, &mut session.context()?).await?;
        if self.consent.dry_run {
            let open = round.course.count(|s| !matches!(s, MoveState::Done | MoveState::Left(_)));
            let clean = open == 0 && !execution.holds_configs();
            return Ok(Ready::Stop(if clean { Status::Done } else { Status::Findings }));
        }
        Ok(Ready::Go(estimate))
    }

    /// Asks for consent before any change.
    fn agreed(
        &self,
        execution: &Execution<'_>,
        resumes: bool,
        bytes: Bytes,
        session: &mut Session<'_, '_>,
    ) -> Result<(), Error> {
        if self.resume && !resumes {
            session.say(&Note::new("there is no journal: beginning"))?;
        }
        let id = execution.task.cluster_id;
        let (question, word) = match bytes > self.confirm_above {
            true => (format!("{bytes} will be copied. Type the cluster's id, {id}:"), id),
            false => (format!("Go on in cluster {id}? Type yes:"), "yes"),
        };
        session.agrees(self.consent, &question, word)
    }
}

/// The result of the look before the start.
enum Ready {
    Go(Estimate),
    Stop(Status),
}

/// The next moment of this kind in seconds since 1970. The text is a time of day or a timestamp.
fn until(text: &str) -> Result<u64, Error> {
    let now = Timestamp::now();
    let of_day = |time: Time| {
        let today = Offset::UTC.to_datetime(now).date().to_datetime(time);
        let today = Offset::UTC.to_timestamp(today).ok()?;
        if today > now {
            Some(today)
        } else {
            today.checked_add(SignedDuration::from_hours(24)).ok()
        }
    };
    let meant = match text.trim().parse::<Timestamp>() {
        Ok(time) => Some(time).filter(|time| *time > now),
        Err(_) => Time::strptime("%H:%M", text.trim()).ok().and_then(of_day),
    };
    let seconds = meant.and_then(|time| u64::try_from(time.as_second()).ok());
    seconds.ok_or_else(|| {
        Error::from(local::Error::flag(
            "--until",
            text,
            "write a time of day, 06:00, or a time to come, 2026-11-21T06:00:00Z, both UTC",
        ))
    })
}

fn refuse_other_tools(round: &Round) -> Result<(), Error> {
    let stops = round.actions.contains(&execute::Action::Stop(ExecutionOutcome::HeldByOthers));
    match &round.held {
        Some(NoNewMoves::OtherTools(partitions)) if stops => {
            Err(Error::OtherTools { partitions: partitions.clone() })
        }
        _ => Ok(()),
    }
}

/// The command line that continues with the moves in flight.
fn take_over(session: &Session<'_, '_>) -> Next {
    Next::again(&session.command_line(), "--resume", "--resume")
}

fn left(signal: Signal) -> Status {
    match signal {
        Signal::Interrupt => Status::Interrupted,
        Signal::Terminate => Status::Terminated,
    }
}

/// Reports the end, and returns the status.
pub(super) fn tell(
    plan: &Plan,
    ended: &Ended,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    session.result(&Summary::of(plan, ended))?;
    let keeps_throttle =
        ended.round.strays.iter().any(|stray| matches!(stray, Stray::Unreachable { .. }));
    let status = match ended.why {
        Why::Over(ExecutionOutcome::Cancelled) if keeps_throttle => Status::Partly,
        Why::Over(ExecutionOutcome::Complete | ExecutionOutcome::Cancelled) => Status::Done,
        Why::Over(ExecutionOutcome::Partly | ExecutionOutcome::CancelledPartly) => Status::Partly,
        Why::Over(ExecutionOutcome::LeftOut) => Status::NoPlan,
        Why::Over(ExecutionOutcome::HeldByOthers) => Status::Held,
        Why::Left(signal) => left(signal),
    };
    if !matches!(status, Status::Done | Status::NoPlan) {
        session.say(&take_over(session))?;
    }
    if !ended.emptied.is_empty() {
        // Only the operator knows whether a broker is gone for good, so this is only a suggestion.
        let words = ended.emptied.iter().map(|id| format!("broker unregister {id} --dry-run"));
        let words: Vec<String> = words.collect();
        let flags = session.global.source.kafka_tool_flags();
        let next = Next::ours(words.iter().map(String::as_str), flags);
        session.say(&next)?;
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_is_a_time_to_come() {
        let now = u64::try_from(Timestamp::now().as_second()).unwrap();
        for text in ["00:00", "06:00", "23:59"] {
            let seconds = until(text).unwrap();
            assert!(seconds + 1 > now && seconds <= now + 24 * 3600, "{text}: {seconds}");
        }
        assert_eq!(until("2100-01-01T00:00:00Z").unwrap(), 4_102_444_800);
        for text in ["1999-01-01T00:00:00Z", "25:00", "soon"] {
            assert!(
                matches!(
                    until(text),
                    Err(Error::Local(local::Error::Flag { flag: "--until", .. }))
                ),
                "{text}"
            );
        }
    }
}
