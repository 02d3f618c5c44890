//! The throttle of a returning broker, with its ledger.

use crate::error::Error;
use crate::events::Note;
use crate::execution::{Meeting, Observer, set_configs, topics_of};
use crate::throttles::open_ledger;
use coordination::LinesFile;
use execute::catch_up::pace;
use execute::{
    Action, Ledger, LedgerEntry, Others, Owner, Seen, ThrottleResource, WantedConfigs, reconcile,
    records_what_stands,
};
use kafka::Client;
use mapper::{BrokerId, Rate, TopicPartition};
use std::collections::BTreeSet;
use std::path::Path;

/// The ledger, locked by this process.
pub struct Account {
    store: LinesFile<LedgerEntry>,
    ledger: Ledger,
}

/// The throttle of the copies, and its ledger.
pub(super) struct CatchUpBooks {
    store: LinesFile<LedgerEntry>,
    ledger: Ledger,
    rate: Rate,
    /// The owner in the ledger's lines.
    owner: Owner,
    /// The search for daemons that may throttle the same copies.
    meeting: Option<Meeting>,
}

/// The state of the throttle.
pub(super) struct Holds {
    /// The cluster shows the wanted configs.
    pub(super) paced: bool,
    /// No config of this run is left in the cluster.
    pub(super) clean: bool,
    /// New notes on daemons that also throttle copies.
    pub(super) news: Vec<Note>,
}

impl Account {
    /// Opens and locks the ledger. It must be locked before the cluster is claimed: the claim counts an earlier
    /// holder with the same ledger as dead.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (mut store, lines) = open_ledger(path)?;
        let mut ledger = Ledger::replay(lines);
        let opened = LedgerEntry::Opened {
            by: format!("process {} of this machine", std::process::id()).into(),
        };
        store.append(std::slice::from_ref(&opened))?;
        ledger.apply(opened);
        Ok(Self { store, ledger })
    }
}

impl CatchUpBooks {
    pub(super) fn of(
        Account { store, ledger }: Account,
        broker: BrokerId,
        rate: Rate,
        meeting: Option<Meeting>,
    ) -> Self {
        let owner = Owner::Execution { plan: format!("replace --same-id of broker {broker}") };
        Self { store, ledger, rate, owner, meeting }
    }

    /// The topics in the ledger.
    pub(super) fn topics(&self) -> BTreeSet<String> {
        topics_of(&self.ledger)
    }

    /// Sets the throttle of the copies to the broker, and restores configs that are no longer needed.
    pub(super) async fn hold(
        &mut self,
        client: &Client,
        observer: &mut Observer,
        ever: &BTreeSet<TopicPartition>,
        broker: BrokerId,
        seen: &mut Seen,
    ) -> Result<Holds, Error> {
        let wanted = pace(broker, self.rate, ever, seen, self.owner.clone());
        let mut news = self.read(client, observer, &wanted, seen, false).await?;
        let mut holding = reconcile(&wanted, &self.ledger, seen);
        if records_what_stands(&holding.actions, &self.ledger) {
            // By now the value may be a daemon's.
            news.extend(self.read(client, observer, &wanted, seen, true).await?);
            holding = reconcile(&wanted, &self.ledger, seen);
        }
        let paced = !holding.sets()
            && wanted.rates.keys().all(|rate| seen.configs.contains_key(&rate.resource));
        let (mut accounts, mut sets) = (Vec::new(), Vec::new());
        for action in holding.actions {
            match action {
                Action::Account(entry) => accounts.push(entry),
                Action::Set { setting, edit } => sets.push((setting, edit)),
                // No other action belongs to a throttle.
                _ => {}
            }
        }
        if !accounts.is_empty() {
            self.store.append(&accounts)?;
            accounts.into_iter().for_each(|entry| self.ledger.apply(entry));
        }
        set_configs(client, sets).await?;
        Ok(Holds { paced, clean: self.ledger.is_empty(), news })
    }

    /// Reads the configs, and the values that daemons account for. If `asks`, searches for daemons first and returns
    /// new notes on them.
    async fn read(
        &mut self,
        client: &Client,
        observer: &mut Observer,
        wanted: &WantedConfigs,
        seen: &mut Seen,
        asks: bool,
    ) -> Result<Vec<Note>, Error> {
        let topics = wanted.lists.keys().filter_map(|setting| match &setting.resource {
            ThrottleResource::Topic(name) => Some(name.clone()),
            ThrottleResource::Broker(_) => None,
        });
        let brokers = wanted.rates.keys().filter_map(|setting| match setting.resource {
            ThrottleResource::Broker(id) => Some(id),
            ThrottleResource::Topic(_) => None,
        });
        let (topics, brokers) = (topics.collect(), brokers.collect());
        let (before, mut news) = self.others(client, asks).await;
        observer.read_configs(client, &self.ledger, topics, brokers, seen).await?;
        let (after, more) = self.others(client, asks).await;
        news.extend(more);
        seen.others = before.or(after);
        Ok(news)
    }

    async fn others(&mut self, client: &Client, asks: bool) -> (Others, Vec<Note>) {
        let Some(meeting) = &mut self.meeting else { return (Others::None, Vec::new()) };
        let news = if asks { meeting.again(client).await } else { Vec::new() };
        (meeting.others(), news)
    }
}
