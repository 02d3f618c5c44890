//! The ledger in a store that other processes reach: the state topic, ZooKeeper or Kubernetes. The lead there is the
//! daemons'.

use super::overrides::{self, Overrides};
use super::{Place, events, this_process};
use crate::error::Error;
use crate::leader::Leader;
use coordination::{Holder, Lead, Records, Store, Wait, unique};
use execute::{Ledger, LedgerEntry};
use futures::FutureExt;
use futures::future::BoxFuture;
use operate::{ledger_records, live};
use statelog::{StateTopic, TOPIC};
use std::path::PathBuf;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A store, and how to begin with it.
#[derive(Debug, Clone)]
pub(crate) struct StorePlace {
    store: Store,
    /// For the state topic, which the first use creates: how to reach the cluster.
    cluster: Option<Cluster>,
    /// For ZooKeeper: the prefix of kafka-kit's overrides, which are not in our records.
    prefix: Option<String>,
}

/// How the cluster is reached.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) bootstrap: String,
    pub(crate) properties: Option<PathBuf>,
}

impl StorePlace {
    /// The state topic of a cluster.
    pub(crate) fn topic(store: Store, cluster: Cluster) -> Self {
        Self { store, cluster: Some(cluster), prefix: None }
    }

    /// Znodes with this prefix.
    pub(crate) fn zookeeper(store: Store, prefix: &str) -> Self {
        Self { store, cluster: None, prefix: Some(prefix.trim_matches('/').to_owned()) }
    }

    /// ConfigMaps next to a Lease.
    pub(crate) fn kubernetes(store: Store) -> Self {
        Self { store, cluster: None, prefix: None }
    }

    /// What is written there, without taking anything.
    pub(crate) async fn peek(&self) -> Result<Vec<LedgerEntry>, Error> {
        let read = self.store.records().await.map_err(Error::from);
        let records = match &self.store {
            Store::Topic { .. } => read.map_err(|error| Error::NoTopic(Box::new(error)))?,
            Store::ZooKeeper { .. } | Store::Kubernetes(_) => read?,
        };
        let lines = ledger_records::lines(&records);
        let mut lines = lines.map_err(|error| error.in_store(&self.store))?;
        if let (Some(prefix), Store::ZooKeeper { address, .. }) = (&self.prefix, &self.store) {
            let deadlines = zookeeper::Deadlines::default();
            let zookeeper = zookeeper::ZooKeeper::connect(address, deadlines).await?;
            let found = overrides::read(&zookeeper, prefix).await?;
            lines.extend(overrides::lines(&Overrides::new(), &found));
        }
        Ok(lines)
    }

    /// A candidate for the lead; it waits for its turn, or it is refused.
    pub(crate) fn candidate(self, waits: bool) -> Candidate {
        let own =
            format!("{}-{}-{:016x}", crate::host(), std::process::id(), rand::random::<u64>());
        let wait = if waits { Wait::Forever } else { Wait::ForTheDead };
        let holder = Holder::new(this_process(), own);
        let (leader, overrides) = (Leader::default(), Overrides::new());
        Candidate { place: self, wait, holder, leader, waits: None, lead: None, overrides }
    }
}

/// A process that has the lead, or wants it.
#[derive(Debug)]
pub(crate) struct Candidate {
    place: StorePlace,
    wait: Wait,
    holder: Holder,
    leader: Leader,
    /// The wait for the lead. It goes on if its caller stops waiting: a second wait of this process would disturb it.
    waits: Option<JoinHandle<Result<Lead, coordination::Error>>>,
    lead: Option<Lead>,
    /// With ZooKeeper: the overrides as they were read or written last.
    overrides: Overrides,
}

impl Candidate {
    async fn taken(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        // This process acts no more for the earlier lead, whether the store answers or not.
        self.lead.take().into_iter().for_each(Lead::abandon);
        if let (Some(cluster), Store::Topic { access, .. }) =
            (&self.place.cluster, &self.place.store)
        {
            make_topic(cluster, access.clone())
                .await
                .map_err(|error| Error::NoTopic(error.into()))?;
            self.place.cluster = None;
        }
        let waits = match self.waits.take() {
            Some(waits) => waits,
            None => tokio::spawn(self.campaign()),
        };
        let ended = self.waits.insert(waits).await;
        self.waits = None;
        let store = self.place.store.name();
        let mut lead = ended.map_err(|ended| Error::lost(&store, ended.to_string()))??;
        match self.read(&mut lead).await {
            Ok(lines) => {
                tracing::info!(store, "leading");
                lead.tell("Leading", format!("{} leads", self.us()));
                self.lead = Some(lead);
                Ok(lines)
            }
            Err(error) => {
                lead.release().await;
                Err(error)
            }
        }
    }

    /// Waits for the lead, and tells who has it meanwhile.
    fn campaign(&self) -> impl Future<Output = Result<Lead, coordination::Error>> + use<> {
        let (store, leader) = (self.place.store.clone(), self.leader.clone());
        let (holder, wait) = (self.holder.clone(), self.wait);
        async move {
            let name = store.name();
            let tell = |other: &str| {
                if leader.name().as_deref() != Some(other) {
                    tracing::info!(store = name, leader = other, "another daemon has the lead");
                    leader.is(other);
                }
            };
            store.lead(holder, wait, tell).await
        }
    }

    async fn read(&mut self, lead: &mut Lead) -> Result<Vec<LedgerEntry>, Error> {
        let lines = ledger_records::lines(lead.read().await?);
        let mut lines = lines.map_err(|error| error.in_store(&self.place.store))?;
        if let (Some(prefix), Some((zookeeper, _))) = (&self.place.prefix, lead.in_zookeeper()) {
            self.overrides = overrides::read(zookeeper, prefix).await?;
            lines.extend(overrides::lines(&Overrides::new(), &self.overrides));
        }
        Ok(lines)
    }

    fn lead(&mut self) -> Result<&mut Lead, Error> {
        let never = || Error::lost(&self.place.store.name(), "it was never taken");
        self.lead.as_mut().ok_or_else(never)
    }

    async fn keeping(&mut self, new: &[LedgerEntry], all: &Ledger) -> Result<(), Error> {
        let wanted = self.records(all);
        let lead = self.lead()?;
        lead.write(&wanted).await?;
        for (reason, note) in events::events(new) {
            lead.tell(reason, note);
        }
        let (Some(prefix), Some(lead)) = (&self.place.prefix, &self.lead) else { return Ok(()) };
        if let Some((_, guarded)) = lead.in_zookeeper() {
            overrides::write(guarded, prefix, &self.overrides, all.asked()).await?;
            self.overrides.clone_from(all.asked());
        }
        Ok(())
    }

    /// All lines of the ledger, but for overrides that have znodes of their own.
    fn records(&self, all: &Ledger) -> Records {
        let mut records = ledger_records::records(all);
        if self.place.prefix.is_some() {
            records.retain(|name, _| !ledger_records::is_override(name));
        }
        records
    }

    async fn telling(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        let prefix = self.place.prefix.clone();
        let lead = self.lead()?;
        let Some((prefix, (zookeeper, _))) = prefix.zip(lead.in_zookeeper()) else {
            // In other stores, overrides come through the leader.
            return lead.check().await.map(|()| Vec::new()).map_err(Error::from);
        };
        let now = overrides::read(zookeeper, &prefix).await?;
        let changes = overrides::lines(&self.overrides, &now);
        self.overrides = now;
        Ok(changes)
    }
}

impl Place for Candidate {
    fn name(&self) -> String {
        self.place.store.name()
    }

    fn us(&self) -> String {
        unique(&self.holder)
    }

    fn leader(&self) -> Leader {
        self.leader.clone()
    }

    fn take(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        self.taken().boxed()
    }

    fn keep<'a>(
        &'a mut self,
        new: &'a [LedgerEntry],
        all: &'a Ledger,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.keeping(new, all).boxed()
    }

    fn hold(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        async { Ok(self.lead()?.confirm().await?) }.boxed()
    }

    fn news(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        self.telling().boxed()
    }

    fn until(&self) -> Option<Instant> {
        self.lead.as_ref().and_then(Lead::until)
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        async {
            if let Some(waits) = self.waits.take() {
                waits.abort();
            }
            if let Some(lead) = self.lead.take() {
                lead.release().await;
            }
        }
        .boxed()
    }
}

/// Finds the state topic, or creates it.
async fn make_topic(cluster: &Cluster, access: statelog::Access) -> Result<(), Error> {
    let (client, _) = live::connect(&cluster.bootstrap, cluster.properties.as_deref()).await?;
    // A user without the right to create the topic may still use it.
    let brokers = match client.has_topic(TOPIC).await? {
        true => None,
        false => Some(client.describe_cluster().await?.live().count()),
    };
    let opened = operate::runtime::in_thread(move || match brokers {
        None => StateTopic::existing(access),
        Some(brokers) => StateTopic::open(access, brokers),
    });
    let died = || Error::lost(&format!("the topic {TOPIC}"), "the thread that asks it has died");
    if opened.await.ok_or_else(died)??.is_new() {
        tracing::info!(
            topic = TOPIC,
            "made, compacted, for what is set in this cluster and for overrides: --state-file keeps them in a file instead"
        );
    }
    Ok(())
}
