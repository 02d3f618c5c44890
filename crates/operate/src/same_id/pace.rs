//! The throttle of a broker that catches up, with its ledger.

use crate::error::Error;
use crate::events::Note;
use crate::execution::{Meeting, Observer, set_configs, topics_of};
use crate::store::{Store, open_ledger};
use execute::catch_up::pace;
use execute::{
    Action, Ledger, LedgerEntry, Others, Owner, Resource, Seen, Wanted, hold, records_what_stands,
};
use kafka::Client;
use mapper::{BrokerId, Rate, TopicPartition};
use std::collections::BTreeSet;
use std::path::Path;

/// The ledger, open for this process alone.
pub struct Account {
    store: Store<LedgerEntry>,
    ledger: Ledger,
}

/// What paces the copies, and its ledger.
pub(super) struct Books {
    store: Store<LedgerEntry>,
    ledger: Ledger,
    rate: Rate,
    /// On whose behalf.
    owner: Owner,
    /// The daemons that may pace the same copies.
    meeting: Option<Meeting>,
}

/// How the throttle stands.
pub(super) struct Holds {
    /// It was read from the cluster as it is to be.
    pub(super) paced: bool,
    /// Nothing of ours is there.
    pub(super) clean: bool,
    /// Of daemons that pace copies, too.
    pub(super) news: Vec<Note>,
}

impl Account {
    /// Takes it. Whoever claims the cluster has it first: the claim counts an earlier holder with the same ledger as dead.
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

impl Books {
    pub(super) fn of(
        Account { store, ledger }: Account,
        broker: BrokerId,
        rate: Rate,
        meeting: Option<Meeting>,
    ) -> Self {
        let owner = Owner::Execution { plan: format!("replace --same-id of broker {broker}") };
        Self { store, ledger, rate, owner, meeting }
    }

    /// The topics that have something of ours.
    pub(super) fn topics(&self) -> BTreeSet<String> {
        topics_of(&self.ledger)
    }

    /// Sets what paces the copies to the broker, and puts back what does so no more.
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
        let mut holding = hold(&wanted, &self.ledger, seen);
        if records_what_stands(&holding.actions, &self.ledger) {
            // It may be a daemon's by now.
            news.extend(self.read(client, observer, &wanted, seen, true).await?);
            holding = hold(&wanted, &self.ledger, seen);
        }
        let paced = !holding.sets()
            && wanted.rates.keys().all(|rate| seen.configs.contains_key(&rate.resource));
        let (mut accounts, mut sets) = (Vec::new(), Vec::new());
        for action in holding.actions {
            match action {
                Action::Account(entry) => accounts.push(entry),
                Action::Set { setting, value } => sets.push((setting, value)),
                // A throttle is held by accounts and configs alone.
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

    /// Reads what stands, and whose it may be; what is news of those, where they are asked.
    async fn read(
        &mut self,
        client: &Client,
        observer: &mut Observer,
        wanted: &Wanted,
        seen: &mut Seen,
        asks: bool,
    ) -> Result<Vec<Note>, Error> {
        let topics = wanted.lists.keys().filter_map(|setting| match &setting.resource {
            Resource::Topic(name) => Some(name.clone()),
            Resource::Broker(_) => None,
        });
        let brokers = wanted.rates.keys().filter_map(|setting| match setting.resource {
            Resource::Broker(id) => Some(id),
            Resource::Topic(_) => None,
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
        let Some(meeting) = &mut self.meeting else { return (Others::Nobody, Vec::new()) };
        let news = if asks { meeting.again(client).await } else { Vec::new() };
        (meeting.others(), news)
    }
}
