//! The loop: it looks, decides, sets configs and waits. Only a signal ends it.
//!
//! A round that fails changes nothing, and the pause before the next one grows. Throttles stay while replicas are
//! copied under them, even if the daemon ends. The next daemon with the same state file takes them over.

mod lead;
mod leave;
mod listen;

use crate::announced::Announced;
use crate::api::{self, Api};
use crate::board::{Board, DoneRound};
use crate::book::Book;
use crate::canary::Flight;
use crate::error::Error;
use crate::events::{self, Crier};
use crate::look::{Look, Looker};
use crate::other_processes::OtherProcesses;
use crate::place::Place;
use crate::quiet::Quiet;
use crate::settings::DaemonSettings;
use crate::wishes::holding;
use execute::{Action, Holding, meets};
use kafka::Client;
use listen::SlowBrokers;
use mapper::{BrokerId, Replicas, TopicPartition};
use operate::Status;
use operate::execution::{Outage, Signal, Signals};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use throttle::{ThrottleDecision, ThrottleMemory, decide};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The pause before a set config is read back.
const SOON: Duration = Duration::from_millis(500);
/// The most times that configs are read back; then the next round tries again.
const LOOKS: u32 = 6;
/// How often the loop checks for new reassignments and brokers. A move of another tool may have no throttle for this
/// long. A check costs two small requests.
const WATCH: Duration = Duration::from_secs(1);

/// The time to learn that another daemon has the place, before this one listens anywhere.
const TURNED_AWAY: Duration = Duration::from_secs(1);

/// Runs until a signal ends it.
pub(crate) async fn run(
    settings: DaemonSettings,
    place: Place,
    beside: OtherProcesses,
) -> Result<Status, Error> {
    let mut signals = Signals::listen()?;
    // Peers read this page without regard to the leader, so it starts first.
    let _sidecar = settings.sidecar.start(settings.names.clone()).await?;
    let looker = Looker::new(&settings)?;
    looker.refuse_wrong_keys().await?;
    let waits = !settings.once && !place.works_alone();
    let book = Arc::new(Book::at(place.candidate(waits)));
    let (board, wake) = (Arc::new(Board::new()), Arc::new(Notify::new()));
    if let Ok(taken) = tokio::time::timeout(TURNED_AWAY, book.take()).await {
        taken?;
    }
    let process =
        format!("{} {} since {}", crate::host(), std::process::id(), operate::runtime::now());
    let announced = Arc::new(Announced::to(process));
    let api = Api::new(book.clone(), board.clone(), wake.clone(), announced.clone());
    let _server = match &settings.api {
        Some(listen) => Some(api::start(listen, settings.names.clone(), api).await?),
        None => None,
    };
    let crier = Crier::start(&settings.metrics, &settings.tags)?;
    let doors = (book.clone(), board, wake, announced);
    let mut daemon = Daemon::new(&settings, looker, crier, doors);
    (daemon.beside, daemon.canary) = (beside, flight(&settings)?);
    let left = daemon.lives(&mut signals).await?;
    tokio::select! {
        handed_over = daemon.hand_over() => handed_over,
        _ = signals.next() => tracing::warn!("ended at once: throttles stay set, and the ledger lists them"),
    }
    book.leave().await;
    daemon.crier.close().await;
    Ok(match left {
        None => Status::Done,
        Some(Signal::Interrupt) => Status::Interrupted,
        Some(Signal::Terminate) => Status::Terminated,
    })
}

/// A single round ends before messages have measured anything.
fn flight(settings: &DaemonSettings) -> Result<Flight, Error> {
    let Some(every) = settings.canary.filter(|_| !settings.once) else {
        return Ok(Flight::new(None));
    };
    let access = operate::live::data_plane(&settings.bootstrap, settings.properties.as_deref())?;
    Ok(Flight::new(Some((access, every))))
}

struct Daemon<'s> {
    settings: &'s DaemonSettings,
    book: Arc<Book>,
    board: Arc<Board>,
    wake: Arc<Notify>,
    announced: Arc<Announced>,
    /// The state of the last round.
    announced_then: BTreeMap<TopicPartition, Replicas>,
    /// None before the first connection, and after a round that failed.
    client: Option<Client>,
    looker: Looker,
    crier: Crier,
    quiet: Quiet,
    beside: OtherProcesses,
    state: ThrottleMemory,
    before: ThrottleDecision,
    canary: Flight,
    slow: SlowBrokers,
}

/// What is checked between rounds: targets of running moves, and live brokers.
type WatchedMoves = (BTreeMap<TopicPartition, Replicas>, BTreeSet<BrokerId>);

impl<'s> Daemon<'s> {
    fn new(
        settings: &'s DaemonSettings,
        looker: Looker,
        crier: Crier,
        (book, board, wake, announced): (Arc<Book>, Arc<Board>, Arc<Notify>, Arc<Announced>),
    ) -> Self {
        Self {
            settings,
            book,
            board,
            wake,
            announced,
            announced_then: BTreeMap::new(),
            client: None,
            looker,
            crier,
            quiet: Quiet::default(),
            beside: OtherProcesses::default(),
            state: ThrottleMemory::default(),
            before: ThrottleDecision::default(),
            canary: Flight::new(None),
            slow: SlowBrokers::default(),
        }
    }

    /// Runs rounds until a signal, or a single round with `--once`.
    async fn rounds(&mut self, signals: &mut Signals) -> Result<Option<Signal>, Error> {
        let mut outage = Outage::none(self.settings.interval);
        let mut seen = None;
        loop {
            self.board.alive();
            let ended = tokio::select! {
                ended = self.round() => ended,
                signal = signals.next() => return Ok(Some(signal)),
            };
            let pause = match ended {
                Ok(watched) => {
                    seen = Some(watched);
                    let failures = outage.ends();
                    if failures > 0 {
                        tracing::info!(failures, "rounds succeed again");
                    }
                    self.settings.interval
                }
                Err(error) if self.settings.once || error.is_lost() || self.is_hopeless(&error) => {
                    return Err(error);
                }
                Err(error) if error.is_anothers() => return Err(error),
                Err(error) => {
                    // The known servers may be the ones that are down.
                    self.client = None;
                    self.board.failed(error.to_string());
                    let (rest, tell) = outage.goes_on(Instant::now());
                    if tell {
                        let again_in_seconds = rest.as_secs();
                        tracing::error!(%error, again_in_seconds, "a round failed: rates stay as they are");
                    }
                    rest
                }
            };
            if self.settings.once {
                return Ok(None);
            }
            tokio::select! {
                () = self.something_happens(pause, seen.as_ref()) => {}
                signal = signals.next() => return Ok(Some(signal)),
            }
        }
    }

    /// Whether the input is wrong: no round has succeeded, and none will.
    fn is_hopeless(&self, error: &Error) -> bool {
        error.status() == Status::BadInput && self.board.read(|shown| shown.round.is_none())
    }

    /// Waits for the end of the interval, a changed override, a reassignment or broker that comes or goes, or news of
    /// the canary.
    async fn something_happens(&self, pause: Duration, seen: Option<&WatchedMoves>) {
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = self.wake.notified() => return,
                // The next round sees the lost place, and ends.
                () = self.book.is_over() => return,
                () = self.hears_news() => return,
                () = tokio::time::sleep(WATCH) => {}
            }
            self.board.alive();
            self.tell_what_is_heard();
            let announced = self.announced.standing(Instant::now());
            if announced != self.announced_then {
                return;
            }
            let (Some(client), Some(seen)) = (&self.client, seen) else { continue };
            match watched(client).await {
                Ok(now) if now == *seen => {}
                Ok(_) => return,
                Err(error) => tracing::debug!(%error, "running moves are not known"),
            }
        }
    }

    async fn round(&mut self) -> Result<WatchedMoves, Error> {
        let began = Instant::now();
        // Set it first, so that a round that fails does not begin again because of it.
        self.announced_then = self.announced.standing(Instant::now());
        // Check the place before Kafka: a place that has expired is taken again at once.
        self.book.catch_up().await?;
        self.beside.refuse_others().await?;
        let settings = self.settings;
        let client = match self.client.take() {
            Some(client) => client,
            None => connect(settings).await?,
        };
        let client = &*self.client.insert(client);
        if settings.once {
            self.looker.warm_up(client).await?;
        }
        let ledger = self.book.ledger();
        let overrides = self.book.overrides();
        let announced = self.announced_then.clone();
        let mut look = self.looker.look(client, &ledger, &overrides, announced).await?;
        let (now, cluster_id) = (look.throttle.at, client.cluster().id.clone());
        if self.quiet.would_settle(&look.cluster, &ledger, now) {
            self.ask_beside(&mut look).await?;
        }
        self.quiet.learn(&look.cluster, &ledger, now);
        self.listen(&mut look.throttle);
        let (state, decision) =
            decide(std::mem::take(&mut self.state), &look.throttle, &settings.limits);
        self.state = state;
        tell(&self.before, &decision);
        let mut round = DoneRound::of(&look, &decision, cluster_id, began.elapsed());
        let holding = self.settle(&decision, &mut look).await?;
        if meets(&self.book.ledger(), &look.cluster) {
            self.quiet.unsettle();
        }
        self.end_overrides(&decision).await?;
        round.strays = holding.strays;
        round.held = self.book.ledger().held().count();
        self.board.succeeded(round);
        let overrides = self.book.overrides();
        self.crier.tell(events::RoundEvents::of(&look.throttle.copies, &decision, &overrides));
        self.before = decision;
        self.tend(&look.cluster.live).await?;
        let running = look.cluster.running.into_iter().filter(|(of, _)| !look.waiting.contains(of));
        let running = running.map(|(of, running)| (of, running.target));
        Ok((running.collect(), look.cluster.live))
    }

    /// Sets the decided configs, and reads them back until they are in force.
    async fn settle(
        &mut self,
        decision: &ThrottleDecision,
        look: &mut Look,
    ) -> Result<Holding, Error> {
        let (mut looks, mut asked) = (0, false);
        loop {
            let ledger = self.book.ledger();
            let terms = (&self.quiet, self.settings.keeps_throttles);
            let Some(holding) = holding(decision, &ledger, &look.cluster, terms, asked) else {
                self.ask_beside(look).await?;
                asked = true;
                continue;
            };
            looks += 1;
            if !self.act(&holding).await? || looks == LOOKS {
                return Ok(holding);
            }
            tokio::time::sleep(SOON).await;
            self.look_again(look).await?;
            asked = false;
        }
    }

    /// Removes overrides that end with the copies that they paced.
    async fn end_overrides(&self, decision: &ThrottleDecision) -> Result<(), Error> {
        if decision.global_override_is_over {
            self.book.withdraw([None]).await?;
            tracing::info!("the global override has ended with what it paced");
        }
        let over = &decision.broker_overrides_over;
        // An execution that has just announced more moves asks for the same override again. The next round sees it.
        let more = self.announced.standing(Instant::now()) != self.announced_then;
        if !over.is_empty() && !more {
            self.book.withdraw(over.iter().copied().map(Some)).await?;
            tracing::info!(brokers = ?over, "overrides of brokers have ended with what they paced");
        }
        Ok(())
    }

    /// Looks again, and reads executions' ledgers before and after: the look may contain values that they have
    /// restored meanwhile.
    async fn ask_beside(&mut self, look: &mut Look) -> Result<(), Error> {
        let Some(client) = &self.client else { return Ok(()) };
        let before = self.beside.others(client).await;
        self.looker.configs_again(client, &self.book.ledger(), &mut look.cluster).await?;
        look.cluster.others = before.or(self.beside.others(client).await);
        Ok(())
    }

    async fn look_again(&mut self, look: &mut Look) -> Result<(), Error> {
        let Some(client) = &self.client else { return Ok(()) };
        self.looker.configs_again(client, &self.book.ledger(), &mut look.cluster).await
    }

    /// Writes the ledger, then sets configs. Returns whether any was set.
    async fn act(&self, holding: &Holding) -> Result<bool, Error> {
        let (mut accounts, mut sets) = (Vec::new(), Vec::new());
        for action in &holding.actions {
            match action {
                Action::Account(entry) => accounts.push(entry.clone()),
                Action::Set { setting, edit } => sets.push((setting.clone(), edit.clone())),
                Action::Write(_)
                | Action::Place { .. }
                | Action::Submit { .. }
                | Action::Cancel { .. }
                | Action::Reorder { .. }
                | Action::Elect { .. }
                | Action::Stop(_) => {}
            }
        }
        self.book.write(accounts).await?;
        let Some(client) = self.client.as_ref().filter(|_| !sets.is_empty()) else {
            return Ok(false);
        };
        self.book.hold().await?;
        let count = sets.len();
        let refused = self.book.in_time(operate::execution::set_configs(client, sets)).await??;
        self.board.acted(count, refused);
        Ok(true)
    }
}

/// Connects to the cluster.
pub(crate) async fn connect(settings: &DaemonSettings) -> Result<Client, Error> {
    let (client, ignored) =
        operate::live::connect(&settings.bootstrap, settings.properties.as_deref()).await?;
    for key in ignored {
        tracing::warn!("the client property {key} has no meaning here");
    }
    Ok(client)
}

async fn watched(client: &Client) -> Result<WatchedMoves, kafka::Error> {
    let running = client.reassignments().await?;
    let cluster = client.describe_cluster().await?;
    let targets = running.into_iter().map(|(of, moving)| (of, moving.target()));
    Ok((targets.collect(), cluster.live().collect()))
}

/// Logs what is new in a round.
fn tell(before: &ThrottleDecision, now: &ThrottleDecision) {
    for ((broker, role), decided) in &now.rates {
        let rate_before = before.rates.get(&(*broker, *role)).map(|decided| decided.rate);
        if rate_before != Some(decided.rate) {
            tracing::info!(
                broker = broker.0, %role, rate = %decided.rate, why = ?decided.why, "rate decided"
            );
        }
    }
    for (broker, role) in before.rates.keys().filter(|at| !now.rates.contains_key(at)) {
        tracing::info!(broker = broker.0, %role, "no longer copies: no rate is needed");
    }
    for note in now.notes.difference(&before.notes) {
        tracing::warn!(?note, "new note");
    }
}
