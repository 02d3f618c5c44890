//! Executes a plan in a live cluster: looks, asks `execute::next`, acts, and looks again.
//!
//! SIGINT, SIGTERM or SIGHUP ends the run and leaves moves and throttle as they are. Kafka goes on with the moves,
//! and the next run takes them over.

mod act;
mod alone;
mod away;
mod beside;
mod claims;
mod configs;
mod cordoning;
mod denied;
mod emptied;
mod ended;
mod hears;
mod ingest;
mod journal_records;
mod lease_events;
mod meeting;
mod mirror;
mod missing_topics;
mod observe;
mod opening;
mod other_ledger;
mod outage;
mod pacer;
mod places;
mod records;
mod requests;
mod rest;
mod signals;

pub use alone::Alone;
pub use beside::Beside;
pub use configs::set_configs;
pub use ended::{Ended, Why};
pub use ingest::{Measured, refuse_below_ingest, refuse_below_ingest_of, starved_in_flight};
pub(crate) use meeting::Meeting;
pub use mirror::{adopted, beside_the_lock};
pub use observe::Look;
pub use observe::{Observer, topics_of};
pub use opening::{ExecutionFiles, Opened};
pub use other_ledger::{OtherLedger, Shown};
pub use outage::Outage;
pub use pacer::Pacer;
pub use pacer::{AnnouncedMove, AnnouncedPace, Announcement, AnsweredPace, BEGUN_WITHIN, OnBroker};
pub use places::{Places, journal_of, moves_are_over, plan_id, read_plan};
pub use requests::{Answer, ask};

use crate::error::{Error, may_pass};
use crate::events::{DriverEvent, Note, Progress, RunContext};
use crate::throttles::{ledger_in, open_ledger};
use away::Away;
use coordination::{Lead, LinesFile, LinesKind};
use execute::{
    Batch, Estimate, ExecutionHistory, ExecutionTerms, JournalEntry, Ledger, LedgerEntry,
    MoveState, PlanProgress, Round, Stall, Task, next,
};
use mirror::Mirror;
use requests::Inbox;
use rest::{PAUSE, rest};
pub use signals::{Signal, Signals, end_by_signals, end_first_process_by_signals};
use std::time::{Duration, Instant};

/// How long a run retries while the cluster does not answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// The execution of a plan in a cluster.
pub struct Execution<'c> {
    /// Connection to the cluster that the plan is for.
    pub client: &'c kafka::Client,
    /// The input of [`next`]: plan, cluster and terms.
    pub task: Task<'c>,
    /// The files of this run; `None`: a rehearsal.
    books: Option<Books>,
    history: ExecutionHistory,
    ledger: Ledger,
    /// The ledger file had no lines before this run.
    is_new: bool,
    observer: Observer,
    /// The batch size that the controller answers soon.
    batch: Batch,
    /// The daemon that throttles the moves; `None`: this execution does.
    pacer: Option<Pacer>,
    /// The search for daemons; `None`: not searched yet.
    meeting: Option<Meeting>,
    /// The next look needs a search for daemons before and after it.
    asks: bool,
}

/// The files of a run, locked by this process.
#[derive(Debug)]
struct Books {
    journal: LinesFile<JournalEntry>,
    accounts: LinesFile<LedgerEntry>,
    inbox: Inbox,
    /// The cluster's lock, released at the end of the run.
    lock: Option<Lead>,
    /// An outage of the lock, or none.
    away: Away,
    /// The records next to the lock; `None`: there are none.
    mirror: Option<Mirror>,
}

impl<'c> Execution<'c> {
    /// Locks the ledger, so that no other process on this machine changes the cluster, and the journal.
    fn open(opened: &'c Opened, terms: ExecutionTerms) -> Result<Self, Error> {
        let places = &opened.places;
        // A wrong journal file is refused before a ledger file is created.
        opened.history()?;
        let (mut accounts, lines) = open_ledger(&places.ledger)?;
        let ledger = Ledger::replay(lines);
        let (journal, lines) = LinesFile::open(&places.journal, LinesKind::Journal)?;
        let history = opened.history_of(lines)?;
        let by = format!("process {} of this machine", std::process::id());
        accounts.append(&[LedgerEntry::Opened { by: by.into() }])?;
        let inbox = Inbox::open(&places.ledger);
        let (away, mirror) = (Away::none(), None);
        let books = Books { journal, accounts, inbox, lock: None, away, mirror };
        Ok(Self::new(opened, terms, Some(books), history, ledger))
    }

    /// Opens the files for reading only, for a preview of the execution.
    fn rehearse(opened: &'c Opened, terms: ExecutionTerms) -> Result<Self, Error> {
        let (history, ledger) = (opened.history()?, ledger_in(&opened.places.ledger)?);
        Ok(Self::new(opened, terms, None, history, ledger))
    }

    fn new(
        opened: &'c Opened,
        terms: ExecutionTerms,
        books: Option<Books>,
        history: ExecutionHistory,
        ledger: Ledger,
    ) -> Self {
        let Opened { client, plan, plan_id, cluster_id, .. } = opened;
        let mut execution = Self {
            client,
            task: Task { plan, plan_id, cluster_id, terms },
            books,
            history,
            is_new: ledger == Ledger::default(),
            ledger,
            observer: Observer::default(),
            batch: Batch::default(),
            pacer: None,
            meeting: None,
            asks: false,
        };
        execution.taken_up();
        execution
    }

    /// Applies the resumption to the history, so that the preview matches the run. The journal gets it after the
    /// operator agrees.
    fn taken_up(&mut self) {
        if self.history.plan.is_some() {
            self.history.apply(JournalEntry::Resumed { pace: self.task.terms.pace });
        }
    }

    /// Begins only moves that this daemon throttles.
    pub fn paced_by(&mut self, pacer: Pacer) {
        self.pacer = Some(pacer);
    }

    /// Runs rounds until the plan is over or a signal arrives, then releases the lock.
    pub async fn run(
        &mut self,
        signals: Signals,
        context: &mut RunContext<'_>,
    ) -> Result<Ended, Error> {
        let ended = self.rounds(signals, context).await;
        self.leave().await;
        ended
    }

    async fn rounds(
        &mut self,
        mut signals: Signals,
        context: &mut RunContext<'_>,
    ) -> Result<Ended, Error> {
        let (start, mut leaving, mut denied) = (Instant::now(), None, None);
        if self.history.plan.is_some() {
            self.write(vec![JournalEntry::Resumed { pace: self.task.terms.pace }])?;
        }
        let mut told = Told::default();
        loop {
            let (look, looked) = match self.look(context, &mut signals).await? {
                Looked::Seen { look, took } => (look, took),
                Looked::Signal(signal) => {
                    let seen = execute::Seen::default();
                    let course = PlanProgress::of(&self.task, &self.history, &seen);
                    let round = Round::of(course);
                    return self.detached(signal, round, start);
                }
            };
            let mut round = next(&self.task, &self.history, &self.ledger, &look.seen);
            if self.looks_again(&round) {
                continue;
            }
            self.notice_stalls(&look)?;
            self.leave_when_lost(&look)?;
            let until = self.announce(&look, &mut round, context).await?;
            if self.hears(&look, &round, context).await? {
                // The measured rate belongs to another throttle.
                told.began = None;
                continue;
            }
            let acted = self.act(std::mem::take(&mut round.actions), until).await;
            let acted = self.unless_denied(acted, &mut denied, context)?;
            told.tell(&self.task, &look, &round, &self.history.stalled, context)?;
            if let Some(outcome) = acted.outcome {
                let why = leaving.map_or(Why::Over(outcome), Why::Left);
                return match denied.filter(|_| leaving.is_none()) {
                    Some(denied) => Err(denied),
                    None => self.over(why, round, &look, start).await,
                };
            }
            let Some(signal) = signals.within(rest(&acted, looked)).await else { continue };
            let moves = round.course.count(|standing| *standing == MoveState::Moving) > 0;
            if moves || acted.begun || leaving.is_some() || self.history.plan.is_none() {
                return self.detached(signal, round, start);
            }
            // No move is in flight, so the throttle can be removed before the run ends.
            leaving = Some(signal);
            self.write(vec![JournalEntry::GaveUp])?;
        }
    }

    /// Records the stalled copies in the journal whenever they change.
    fn notice_stalls(&mut self, look: &Look) -> Result<(), Error> {
        if look.stalls != self.history.stalled {
            self.write(vec![JournalEntry::Stalled { stalls: look.stalls.clone() }])?;
        }
        Ok(())
    }

    /// Looks at the cluster, and retries if it does not answer.
    async fn look(
        &mut self,
        context: &mut RunContext<'_>,
        signals: &mut Signals,
    ) -> Result<Looked, Error> {
        let start = Instant::now();
        loop {
            // Failed attempts do not show how busy the cluster is.
            let began = Instant::now();
            let announced = self.pacer.as_ref().map(Pacer::ripe).unwrap_or_default();
            // Daemons are read before and after the look: the look may show a value that a daemon restores during it.
            let others = self.others(context).await?;
            let looking = self.observer.look(self.client, &self.task, &self.history, &self.ledger);
            let looked = tokio::select! {
                looked = looking => looked,
                signal = signals.next() => return Ok(Looked::Signal(signal)),
            };
            match looked {
                Ok(mut look) => {
                    look.seen.announced = announced;
                    look.seen.others = others.or(self.others(context).await?);
                    let took = began.elapsed();
                    self.observer.took(took);
                    return Ok(Looked::Seen { look: Box::new(look), took });
                }
                Err(Error::Kafka(error)) if may_pass(&error) && start.elapsed() < PATIENCE => {
                    context.note(&Note::new(format!("{error}; asking again")))?;
                }
                Err(error) => return Err(error),
            }
            if let Some(signal) = signals.within(PAUSE * 5).await {
                return Ok(Looked::Signal(signal));
            }
        }
    }

    fn detached(&mut self, signal: Signal, round: Round, start: Instant) -> Result<Ended, Error> {
        self.write(vec![JournalEntry::Detached])?;
        Ok(self.ended(Why::Left(signal), round, start))
    }

    /// One look before any move is begun.
    pub async fn first_look(&mut self) -> Result<Look, Error> {
        let met = self.meeting.as_ref();
        let told = || met.map_or(execute::Others::None, Meeting::others);
        let others = told();
        let looking = self.observer.look(self.client, &self.task, &self.history, &self.ledger);
        let mut look = looking.await?;
        look.seen.others = others.or(told());
        Ok(look)
    }

    /// The round that would follow now.
    pub fn first_round(&self, look: &Look) -> Round {
        next(&self.task, &self.history, &self.ledger, &look.seen)
    }

    /// The history so far, including earlier runs.
    pub fn history(&self) -> &ExecutionHistory {
        &self.history
    }

    /// The ledger: the configs that executions have set in the cluster.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether the ledger still lists configs that this program set in the cluster.
    pub fn holds_configs(&self) -> bool {
        !self.ledger.is_empty()
    }
}

enum Looked {
    Seen {
        look: Box<Look>,
        /// The duration of the attempt that succeeded.
        took: Duration,
    },
    Signal(Signal),
}

/// The last progress line, and its time.
#[derive(Default)]
struct Told {
    last: Option<(Instant, Progress)>,
    began: Option<(Instant, u64)>,
}

impl Told {
    /// Reports progress at every change, and at intervals without one.
    fn tell(
        &mut self,
        task: &Task<'_>,
        look: &Look,
        round: &Round,
        stalls: &[Stall],
        context: &mut RunContext<'_>,
    ) -> Result<(), Error> {
        const OFTEN: Duration = Duration::from_secs(2);
        const SELDOM: Duration = Duration::from_secs(30);
        let mut now = Progress::of(task, &look.seen, round, stalls);
        let now_at = Instant::now();
        let (began, bytes_then) = *self.began.get_or_insert((now_at, now.copied_bytes.0));
        now.measured(now.copied_bytes.0.saturating_sub(bytes_then), now_at - began);
        let due = match &self.last {
            None => true,
            Some((at, last)) => {
                let age = now_at - *at;
                age >= SELDOM || (age >= OFTEN && !now.is_like(last)) || now.is_news(last)
            }
        };
        if due {
            context.event(&DriverEvent::Progress(&now))?;
            self.last = Some((now_at, now));
        }
        Ok(())
    }
}

/// The estimate for the rest of the plan, from the first look.
pub fn estimate(execution: &Execution<'_>, look: &Look, round: &Round) -> Estimate {
    Estimate::of(&execution.task, &round.course, &look.seen)
}
