//! `execute`: carries a plan out in a live cluster.

use crate::error::Error;
use crate::executing::{
    Ended, Execution, Places, Signal, Signals, Terms, Why, estimate, refuse_below_ingest,
};
use crate::flags::{ExecutionArgs, rate};
use crate::live;
use crate::session::Session;
use crate::source::Note;
use crate::status::Status;
use crate::views::{Next, Preview, Summary};
use execute::{Aim, Held, Limits, Outcome, Pace, PauseOn, Round, Standing};
use mapper::Plan;
use std::str::FromStr;

/// The flags of `execute`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    execution: ExecutionArgs,
    /// Bytes per second into each broker, and out of each: 10MB/s; none: as fast as the machines can
    #[arg(long, value_name = "RATE|none")]
    throttle: Throttle,
    /// Goes on with an execution that has begun; without a journal, begins
    #[arg(long)]
    resume: bool,
    /// Agrees to the change of the cluster beforehand
    #[arg(long)]
    yes: bool,
    /// Shows what would be done; exit code 5 if there is something
    #[arg(long)]
    dry_run: bool,
    /// Partitions that move at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_moves: Option<u32>,
    /// Partitions that move at a time into, and out of, one broker
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_moves_per_broker: Option<u32>,
    /// Which partitions below min ISR, or offline, stop new moves; never those that the plan heals
    #[arg(long, value_enum, value_name = "WHICH", default_value = "new")]
    pause_on: PauseArg,
    /// Goes on beside the moves of other tools
    #[arg(long)]
    join: bool,
    /// Says that no executor on another machine works on this cluster: locks across machines are not built yet
    #[arg(long)]
    sole_executor: bool,
}

#[derive(Debug, Clone, Copy)]
enum Throttle {
    Pace(Pace),
    Auto,
}

impl FromStr for Throttle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "none" => Ok(Self::Pace(Pace::Unthrottled)),
            "auto" => Ok(Self::Auto),
            text => rate(text).map(|rate| Self::Pace(Pace::BytesPerSecond(rate))),
        }
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PauseArg {
    /// None
    None,
    /// Those that were well at the start
    New,
    /// All
    Any,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let terms = args.terms()?;
    let (bootstrap, properties) = session.global.source.brokers()?;
    let meant = args.execution.plan()?;
    let begun = meant.journal.exists();
    if begun && !args.resume && !args.dry_run {
        return Err(Error::JournalExists(meant.journal));
    }
    if !args.yes && !args.dry_run && !session.streams.in_is_terminal {
        return Err(Error::NotAgreed);
    }
    let talk = session.global.talk.clone();
    live::wait_for(&talk, async {
        let (client, notes) = live::client(&bootstrap, properties.as_deref()).await?;
        notes.iter().try_for_each(|note| session.say(note))?;
        let cluster_id = args.execution.cluster_id(&meant.plan, client.cluster().id.clone())?;
        let places = args.execution.places(&cluster_id);
        let ids = (meant.plan_id, cluster_id);
        let mut execution = match args.dry_run {
            true => Execution::rehearse(&client, &meant.plan, ids, &places, terms)?,
            false => Execution::open(&client, &meant.plan, ids, &places, terms)?,
        };
        args.carry_out(&mut execution, &places, session).await
    })
}

impl Args {
    fn terms(&self) -> Result<Terms, Error> {
        let pace = match self.throttle {
            Throttle::Pace(pace) => pace,
            Throttle::Auto => {
                let what = "--throttle auto".to_owned();
                return Err(Error::NotBuilt { what, needs: "daemon autothrottle (give a rate)" });
            }
        };
        let at_most = |limit: Option<u32>| {
            limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
        };
        let limits = Limits {
            moves: at_most(self.max_moves),
            moves_per_broker: at_most(self.max_moves_per_broker),
            ..Limits::default()
        };
        let pause_on = match self.pause_on {
            PauseArg::None => PauseOn::Never,
            PauseArg::New => PauseOn::New,
            PauseArg::Any => PauseOn::Any,
        };
        Ok(Terms { aim: Aim::CarryOut, pace, limits, pause_on, join: self.join })
    }

    async fn carry_out(
        &self,
        execution: &mut Execution<'_>,
        places: &Places,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        // Whoever is asked to leave while it only looks has nothing to clean up, but may have moves to hand over.
        let mut signals = Signals::listen()?;
        let stopped = tokio::select! {
            ready = self.prepare(execution, places, session) => ready?,
            signal = signals.next() => Some(left(signal)),
        };
        if let Some(status) = stopped {
            if matches!(status, Status::Interrupted | Status::Terminated) {
                session.say(&take_over(session))?;
            }
            return Ok(status);
        }
        self.agreed(execution, execution.history().plan.is_some(), session)?;
        let ended = execution.run(signals, session).await;
        if ended.is_err() && execution.holds_configs() {
            session.say(&Note::new("the throttle stays for as long as replicas are copied"))?;
            session.say(&take_over(session))?;
        }
        tell(execution.plan, &ended?, session)
    }

    /// Looks, tells, and refuses what must not be begun; a status if there is no more to do.
    async fn prepare(
        &self,
        execution: &mut Execution<'_>,
        places: &Places,
        session: &mut Session<'_, '_>,
    ) -> Result<Option<Status>, Error> {
        let look = execution.first_look().await?;
        let round = execution.first_round(&look);
        let resumes = execution.history().plan.is_some();
        let estimate = estimate(execution, &look, &round);
        let files = (places.journal.as_path(), places.ledger.as_path());
        let preview = Preview::of(&execution.task(), &round, &estimate, resumes, files);
        session.event(&preview)?;
        refuse_other_tools(&round)?;
        refuse_below_ingest(execution, &look, &round, session).await?;
        if self.dry_run {
            let open = round.course.count(|s| !matches!(s, Standing::Done | Standing::Left(_)));
            let clean = open == 0 && !execution.holds_configs();
            return Ok(Some(if clean { Status::Done } else { Status::Findings }));
        }
        Ok(None)
    }

    /// Nothing is changed before somebody has agreed.
    fn agreed(
        &self,
        execution: &Execution<'_>,
        resumes: bool,
        session: &mut Session<'_, '_>,
    ) -> Result<(), Error> {
        if self.resume && !resumes {
            session.say(&Note::new("there is no journal: beginning"))?;
        }
        if !self.sole_executor {
            session.say(&Note::new(
                "executors on other machines are not seen; --sole-executor says that there is none",
            ))?;
        }
        let question = format!("Go on in cluster {}? Type yes:", execution.cluster_id);
        if self.yes || session.confirms(&question, "yes")? { Ok(()) } else { Err(Error::NotAgreed) }
    }
}

fn refuse_other_tools(round: &Round) -> Result<(), Error> {
    let stops = round.actions.contains(&execute::Action::Stop(Outcome::HeldByOthers));
    match &round.held {
        Some(Held::OtherTools(partitions)) if stops => {
            Err(Error::OtherTools { partitions: partitions.clone() })
        }
        _ => Ok(()),
    }
}

/// The command line that goes on with what is in flight.
fn take_over(session: &Session<'_, '_>) -> Next {
    Next::again(&session.command_line(), "--resume", "--resume")
}

fn left(signal: Signal) -> Status {
    match signal {
        Signal::Interrupt => Status::Interrupted,
        Signal::Terminate => Status::Terminated,
    }
}

/// The last word, and the status.
pub(super) fn tell(
    plan: &Plan,
    ended: &Ended,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    session.result(&Summary::of(plan, ended))?;
    let status = match ended.why {
        Why::Over(Outcome::Complete | Outcome::Cancelled) => Status::Done,
        Why::Over(Outcome::Partly | Outcome::CancelledPartly) => Status::Partly,
        Why::Over(Outcome::LeftOut) => Status::NoPlan,
        Why::Over(Outcome::HeldByOthers) => Status::Held,
        Why::Left(signal) => left(signal),
    };
    if !matches!(status, Status::Done | Status::NoPlan) {
        session.say(&take_over(session))?;
    }
    Ok(status)
}
