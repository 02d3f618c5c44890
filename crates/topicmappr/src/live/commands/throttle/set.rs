//! `throttle set`: another rate for the moves that an execution has under way.
//!
//! An execution that runs is asked, and takes it over with all that it still begins. Where none runs, the rates that the
//! ledger holds are changed here.

use crate::error::Error;
use crate::live::flags::{ConsentArgs, LedgerArgs};
use crate::live::views::PacesView;
use crate::session::Session;
use console::units::rate;
use coordination::is_locked;
use execute::{Action, Key, Ledger, LedgerEntry, Seen, Stray, repace};
use kafka::Client;
use mapper::Rate;
use operate::Status;
use operate::events::Note;
use operate::execution::{Answer, Measured, Observer, ask, set_configs, starved_in_flight};
use operate::throttles;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the command checks that the rates are set; then it reports what is missing.
const LOOKS: usize = 40;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// The flags of `throttle set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Bytes per second into and out of each broker: 10MB/s
    #[arg(value_name = "RATE", value_parser = rate)]
    rate: Rate,
    #[command(flatten)]
    ledger: LedgerArgs,
    #[command(flatten)]
    consent: ConsentArgs,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    session.needs_consent(args.consent)?;
    let talk = session.global.talk.clone();
    talk.wait_for(async {
        let client = session.client(&bootstrap, properties.as_deref()).await?;
        let ledger = args.ledger.find(client.cluster().id.as_deref())?;
        let Some(path) = ledger else { return Err(Error::NoLedger) };
        args.set(&client, path, session).await
    })
}

/// The rates of a ledger, and the values in the cluster.
struct LedgerRates {
    ledger: Ledger,
    seen: Seen,
}

impl LedgerRates {
    async fn look(client: &Client, path: &Path) -> Result<Self, Error> {
        let ledger = throttles::ledger_in(path)?;
        let mut observer = Observer::default();
        let mut seen = observer.see(client, &BTreeSet::new()).await?;
        let (topics, brokers) = (BTreeSet::new(), BTreeSet::new());
        observer.read_configs(client, &ledger, topics, brokers, &mut seen).await?;
        Ok(Self { ledger, seen })
    }

    fn view(&self, rate: Rate, event: &'static str) -> PacesView {
        let rates = self.ledger.held().filter(|(setting, _)| Key::RATES.contains(&setting.key));
        PacesView::of(event, rate, rates.map(|(setting, _)| setting), &self.seen)
    }
}

impl Args {
    async fn set(
        &self,
        client: &Client,
        path: PathBuf,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        let found = LedgerRates::look(client, &path).await?;
        let runs = is_locked(&path);
        let view = found.view(self.rate, "preview");
        session.event(&view)?;
        if view.is_empty() && !runs {
            return Err(Error::NothingPaced { path });
        }
        if let Measured::Starved(starved) = starved_in_flight(client, &found.seen, self.rate).await
        {
            let value = format!("{} bytes per second", self.rate.0);
            return Err(local::Error::flag("RATE", value, starved.to_string()).into());
        }
        if self.consent.dry_run {
            let as_asked = view.is_as_asked() && !view.is_empty();
            return Ok(if as_asked { Status::Done } else { Status::Findings });
        }
        session.agrees(self.consent, "Set it? Type yes:", "yes")?;
        let left = match self.asked(&path, session).await? {
            true => BTreeSet::new(),
            false => self.alone(client, &path).await?,
        };
        self.told(client, &path, &left, session).await
    }

    /// Asks the running execution to use the rate. Returns whether it did.
    async fn asked(&self, path: &Path, session: &mut Session<'_, '_>) -> Result<bool, Error> {
        if !is_locked(path) {
            return Ok(false);
        }
        match ask(path, self.rate).await? {
            Answer::Taken => Ok(true),
            Answer::Refused(problem) => {
                let value = format!("{} bytes per second", self.rate.0);
                Err(local::Error::flag("RATE", value, problem).into())
            }
            Answer::Gone => {
                session.say(&Note::new("the execution has ended meanwhile"))?;
                Ok(false)
            }
        }
    }

    /// Changes the rates of the ledger while no execution runs. Returns the configs left alone.
    async fn alone(&self, client: &Client, path: &Path) -> Result<BTreeSet<Stray>, Error> {
        let (mut store, _) = throttles::take(path)?;
        let mut found = LedgerRates::look(client, path).await?;
        for _ in 0..LOOKS {
            let repaced = repace(&found.ledger, &found.seen, self.rate);
            let (mut lines, mut sets) = (Vec::<LedgerEntry>::new(), Vec::new());
            for action in repaced.actions {
                match action {
                    Action::Account(line) => lines.push(line),
                    Action::Set { setting, edit } => sets.push((setting, edit)),
                    _ => {}
                }
            }
            if sets.is_empty() {
                return Ok(repaced.strays);
            }
            store.append(&lines).map_err(operate::Error::from)?;
            set_configs(client, sets).await?;
            tokio::time::sleep(PAUSE).await;
            found = LedgerRates::look(client, path).await?;
        }
        Ok(BTreeSet::new())
    }

    /// Waits until the rates are set, and reports it.
    async fn told(
        &self,
        client: &Client,
        path: &Path,
        left: &BTreeSet<Stray>,
        session: &mut Session<'_, '_>,
    ) -> Result<Status, Error> {
        let mut looks = 0;
        let view = loop {
            let view = LedgerRates::look(client, path).await?.view(self.rate, "ended");
            looks += 1;
            if view.is_as_asked() || !left.is_empty() || looks == LOOKS {
                break view;
            }
            tokio::time::sleep(PAUSE).await;
        };
        session.result(&view)?;
        Ok(if view.is_as_asked() { Status::Done } else { Status::Partly })
    }
}
