//! Returns a broker under its id with an empty disk: throttles its copies, waits for them, and elects it as preferred
//! leader again.
//!
//! The ledger lists each config before it is set, so another run can take it over, or `throttle clear` can restore
//! it. A run that ends while replicas are copied leaves the throttle in place.

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
use pace::CatchUpBooks;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// The interval of progress lines.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// After this time without a partition that gets in sync, the throttle may be too low.
const STALLED: Duration = Duration::from_secs(600);

/// The options of a return.
#[derive(Debug, Clone)]
pub struct CatchUp {
    /// Id of the broker that returns with an empty disk.
    pub broker: BrokerId,
    /// The rate out of each broker and into this one, in bytes per second; `None`: no throttle.
    pub rate: Option<Rate>,
    /// The ledger file: the throttle configs of this run, with their original values.
    pub ledger: PathBuf,
    /// The time limit for the broker to register.
    pub patience: Duration,
}

/// How the run ended.
#[derive(Debug)]
pub enum CatchUpEnd {
    /// The broker is in sync everywhere, and its throttle is removed.
    Done(CatchUpDone),
    /// A signal ended it; the throttle stays while replicas are copied.
    Left(Signal),
    /// The broker did not return in time.
    Absent,
}

impl CatchUp {
    /// Throttles, waits and elects. `free` lets the broker return, once its throttle is in place. If the broker
    /// returns before that, nothing is deleted.
    pub async fn run(
        &self,
        client: &kafka::Client,
        account: Account,
        (alone, mut free): (&mut Alone, Option<&Freeing>),
        signals: &mut Signals,
        context: &mut RunContext<'_>,
    ) -> Result<CatchUpEnd, Error> {
        let meeting = self.meeting(client, context).await?;
        // Without a throttle, the ledger is only kept locked.
        let (books, _kept) = match self.rate {
            Some(rate) => (Some(CatchUpBooks::of(account, self.broker, rate, meeting)), None),
            None => (None, Some(account)),
        };
        let mut run = Run::of(self, client, books);
        loop {
            if !alone.may_act().await? {
                if let Some(signal) = signals.within(PAUSE).await {
                    return Ok(CatchUpEnd::Left(signal));
                }
                continue;
            }
            let looked = tokio::select! {
                looked = run.round() => looked,
                signal = signals.next() => return Ok(CatchUpEnd::Left(signal)),
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
                        // Topics hidden from this user are missing from the listing, and may lag far behind.
                        client.sees_every_topic().await?;
                        return Ok(CatchUpEnd::Done(run.finish(&state).await?));
                    }
                    if !state.live && free.is_none() && run.began.elapsed() > self.patience {
                        return Ok(CatchUpEnd::Absent);
                    }
                    run.tell(&state, context)?;
                }
                Err(Error::Kafka(error)) if may_pass(&error) => {
                    context.note(&Note::new(format!("{error}; asking again")))?;
                }
                Err(error) => return Err(error),
            }
            if let Some(signal) = signals.within(PAUSE).await {
                return Ok(CatchUpEnd::Left(signal));
            }
        }
    }
}

impl CatchUp {
    /// Searches for daemons that may throttle the same copies; `None`: this run sets no throttle.
    async fn meeting(
        &self,
        client: &kafka::Client,
        context: &mut RunContext<'_>,
    ) -> Result<Option<Meeting>, Error> {
        if self.rate.is_none() {
            return Ok(None);
        }
        // A broker that is down should not wait for this answer.
        Meeting::first(client, &ClaimBy::Default, true, context).await.map(Some)
    }
}

/// The note that no deletion is necessary.
fn by_itself(what: &str) -> Note {
    Note::new(format!("{what}: it came back by itself, and nothing was deleted"))
}

/// The state after one round.
struct CatchUpState {
    live: bool,
    /// All throttle configs were read back from the cluster as wanted.
    paced: bool,
    /// No config of this run is left in the cluster.
    clean: bool,
    behind: BTreeSet<TopicPartition>,
    /// New notes on daemons that also throttle copies.
    news: Vec<Note>,
}

impl CatchUpState {
    fn over(&self) -> bool {
        self.live && self.behind.is_empty() && self.clean
    }
}

struct Run<'a> {
    asked: &'a CatchUp,
    client: &'a kafka::Client,
    observer: Observer,
    books: Option<CatchUpBooks>,
    /// All partitions that the broker has lagged in since the start.
    ever: BTreeSet<TopicPartition>,
    began: Instant,
    told: Option<(Instant, usize, bool)>,
    /// The time of the last change in the number of lagging partitions, and that number.
    moved: (Instant, usize),
}

impl<'a> Run<'a> {
    fn of(asked: &'a CatchUp, client: &'a kafka::Client, books: Option<CatchUpBooks>) -> Self {
        let (began, ever, told) = (Instant::now(), BTreeSet::new(), None);
        let (observer, moved) = (Observer::default(), (began, usize::MAX));
        Self { asked, client, observer, books, ever, began, told, moved }
    }

    /// Looks, and sets or restores configs.
    async fn round(&mut self) -> Result<CatchUpState, Error> {
        let surely = self.books.as_ref().map(CatchUpBooks::topics).unwrap_or_default();
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
        Ok(CatchUpState { live: seen.live.contains(&broker), paced, clean, behind, news })
    }

    fn tell(&mut self, state: &CatchUpState, context: &mut RunContext<'_>) -> Result<(), Error> {
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

    /// Elects the broker where it is the preferred leader.
    async fn finish(&mut self, _: &CatchUpState) -> Result<CatchUpDone, Error> {
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
