//! A broker comes back under its id with an empty disk: its copies are paced, waited for, and it leads again what it led.
//!
//! What is set in the cluster stands in the ledger beforehand, so that another run takes it over, or `throttle clear` puts
//! it back. Whoever leaves while replicas are copied leaves the throttle, too.

mod done;
mod freeing;
mod pace;

use crate::cluster::ClaimBy;
use crate::error::Error;
use crate::error::may_pass;
use crate::events::{CatchUpProgress, DriverEvent, Note, RunContext};
use crate::execution::{Alone, Meeting, Observer, Signal, Signals};
pub use done::CatchUpDone;
use execute::catch_up::{behind, to_elect};
use freeing::Freed;
pub use freeing::Freeing;
use mapper::{BrokerId, Rate, TopicPartition};
pub use pace::Account;
use pace::Books;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// Copies that do not come to an end of any partition for so long may be starved by their throttle.
const STALLED: Duration = Duration::from_secs(600);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CatchUp {
    /// Id of the broker that returns with an empty disk.
    pub broker: BrokerId,
    /// Bytes per second out of each broker, and into this one; `None`: as fast as the machines can.
    pub rate: Option<Rate>,
    /// File that lists the throttle configs of this run, with their original values.
    pub ledger: PathBuf,
    /// How long the broker may take to be registered.
    pub patience: Duration,
}

/// How it ended.
#[derive(Debug)]
pub enum Ended {
    /// The broker is in sync everywhere, and its throttle is gone.
    Done(CatchUpDone),
    /// A signal ended it; the throttle stays while replicas are copied.
    Left(Signal),
    /// The broker has not come back in time.
    Absent,
}

impl CatchUp {
    /// Paces, waits and elects. `free` lets the broker come back, once everything that paces it is in place; a broker that
    /// is back before that is left as it is.
    pub async fn run(
        &self,
        client: &kafka::Client,
        account: Account,
        (alone, mut free): (&mut Alone, Option<&Freeing>),
        signals: &mut Signals,
        context: &mut RunContext<'_>,
    ) -> Result<Ended, Error> {
        let meeting = self.meeting(client, context).await?;
        // Without a throttle it is only kept from others.
        let (books, _kept) = match self.rate {
            Some(rate) => (Some(Books::of(account, self.broker, rate, meeting)), None),
            None => (None, Some(account)),
        };
        let mut run = Run::of(self, client, books);
        loop {
            if !alone.may_act().await? {
                if let Some(signal) = signals.within(PAUSE).await {
                    return Ok(Ended::Left(signal));
                }
                continue;
            }
            let looked = tokio::select! {
                looked = run.round() => looked,
                signal = signals.next() => return Ok(Ended::Left(signal)),
            };
            match looked {
                Ok(state) => {
                    state.news.iter().try_for_each(|note| context.note(note))?;
                    if free.take_if(|_| state.live).is_some() {
                        context
                            .note(&by_itself(&format!("broker {} is registered", self.broker)))?;
                    }
                    if let Some(free) = free.take_if(|_| state.paced)
                        && let Freed::Back(what) = free.free(client, alone, context).await?
                    {
                        context.note(&by_itself(&what))?;
                    }
                    if state.over() {
                        // Topics that we may not describe are missing from the listing, and may be far behind.
                        client.sees_every_topic().await?;
                        return Ok(Ended::Done(run.finish(&state).await?));
                    }
                    if !state.live && free.is_none() && run.began.elapsed() > self.patience {
                        return Ok(Ended::Absent);
                    }
                    run.tell(&state, context)?;
                }
                Err(Error::Kafka(error)) if may_pass(&error) => {
                    context.note(&Note::new(format!("{error}; asking again")))?;
                }
                Err(error) => return Err(error),
            }
            if let Some(signal) = signals.within(PAUSE).await {
                return Ok(Ended::Left(signal));
            }
        }
    }
}

impl CatchUp {
    /// The daemons that may pace the same copies already, where we are to pace them.
    async fn meeting(
        &self,
        client: &kafka::Client,
        context: &mut RunContext<'_>,
    ) -> Result<Option<Meeting>, Error> {
        if self.rate.is_none() {
            return Ok(None);
        }
        // A broker that is down does not wait for whoever might tell.
        let terms = (self.ledger.as_path(), true);
        Meeting::first(client, &ClaimBy::Default, terms, context).await.map(Some)
    }
}

/// That nothing has to be freed.
fn by_itself(what: &str) -> Note {
    Note::new(format!("{what}: it came back by itself, and nothing was deleted"))
}

/// What one round shows.
struct State {
    live: bool,
    /// Everything that is to pace the copies was read from the cluster.
    paced: bool,
    /// Nothing of ours is left in the cluster's configs.
    clean: bool,
    behind: BTreeSet<TopicPartition>,
    /// Of daemons that pace copies, too.
    news: Vec<Note>,
}

impl State {
    fn over(&self) -> bool {
        self.live && self.behind.is_empty() && self.clean
    }
}

struct Run<'a> {
    asked: &'a CatchUp,
    client: &'a kafka::Client,
    observer: Observer,
    books: Option<Books>,
    /// What it was behind in, at any time.
    ever: BTreeSet<TopicPartition>,
    began: Instant,
    told: Option<(Instant, usize, bool)>,
    /// When a partition was last caught up with.
    moved: (Instant, usize),
}

impl<'a> Run<'a> {
    fn of(asked: &'a CatchUp, client: &'a kafka::Client, books: Option<Books>) -> Self {
        let (began, ever, told) = (Instant::now(), BTreeSet::new(), None);
        let (observer, moved) = (Observer::default(), (began, usize::MAX));
        Self { asked, client, observer, books, ever, began, told, moved }
    }

    /// Looks, and sets what has to be set.
    async fn round(&mut self) -> Result<State, Error> {
        let surely = self.books.as_ref().map(Books::topics).unwrap_or_default();
        let mut seen = self.observer.see(self.client, &surely).await?;
        let broker = self.asked.broker;
        let behind = behind(&seen, broker);
        self.ever.extend(behind.iter().cloned());
        let (mut paced, mut clean, mut news) = (true, true, Vec::new());
        if let Some(books) = &mut self.books {
            let held =
                books.hold(self.client, &mut self.observer, &self.ever, broker, &mut seen).await?;
            (paced, clean, news) = (held.paced, held.clean, held.news);
        }
        Ok(State { live: seen.live.contains(&broker), paced, clean, behind, news })
    }

    fn tell(&mut self, state: &State, context: &mut RunContext<'_>) -> Result<(), Error> {
        let counted = (state.behind.len(), state.live);
        if self.moved.1 != counted.0 {
            self.moved = (Instant::now(), counted.0);
        }
        let due = self.told.is_none_or(|(at, count, live)| {
            live != counted.1
                || at.elapsed() >= TELL_EVERY
                || (count != counted.0 && at.elapsed() >= PAUSE * 2)
        });
        if due {
            let now = CatchUpProgress {
                broker: self.asked.broker,
                registered: state.live,
                partitions_behind: counted.0,
                partitions: self.ever.len(),
                waited_seconds: self.began.elapsed().as_secs(),
                stalled: state.live && self.moved.0.elapsed() >= STALLED,
            };
            context.event(&DriverEvent::CatchUp(&now))?;
            self.told = Some((Instant::now(), counted.0, counted.1));
        }
        Ok(())
    }

    /// Has it lead what it is to lead, and looks once more.
    async fn finish(&mut self, _: &State) -> Result<CatchUpDone, Error> {
        let broker = self.asked.broker;
        let seen = self.observer.see(self.client, &BTreeSet::new()).await?;
        let elected = to_elect(&seen, broker);
        let mut refused = Vec::new();
        if !elected.is_empty() {
            let answers = self.client.elect_preferred(&elected).await;
            let answers = answers.map_err(|answer| match answer {
                kafka::admin::NoAnswer::NotMade(error) | kafka::admin::NoAnswer::Unknown(error) => {
                    Error::from(error)
                }
            })?;
            refused = answers.iter().map(|(of, refusal)| format!("{of}: {refusal}")).collect();
        }
        Ok(CatchUpDone {
            broker,
            partitions: self.ever.len(),
            elected: elected.len() - refused.len(),
            not_elected: refused,
            took_seconds: self.began.elapsed().as_secs(),
        })
    }
}
