//! Where the ledger and the overrides live, and who may write there: a store, under the daemons' lead.
//!
//! One process at a time has a place, and that process alone acts on the cluster. If the place is lost, each call fails
//! with [`Error::Lost`] until it is taken again. Nothing is written to the cluster meanwhile.

mod events;
mod overrides;

use crate::error::Error;
use crate::leader_name::LeaderName;
use coordination::{Holder, Lead, Records, Store, Wait, unique};
use execute::{Ledger, LedgerEntry};
use operate::{ledger_records, live, state_topic};
use overrides::Overrides;
use statelog::TOPIC;
use std::path::PathBuf;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// This process, for people: the first word says that it is a daemon.
pub(crate) fn this_process() -> String {
    format!("autothrottle, process {} of {}", std::process::id(), crate::host())
}

/// A store, and how to begin with it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    store: Store,
    /// For the state topic, which the first use creates: how to reach the cluster.
    cluster: Option<TopicCluster>,
    /// For ZooKeeper: the prefix of kafka-kit's overrides, which are not in our records.
    prefix: Option<String>,
}

/// How the cluster is reached.
#[derive(Debug, Clone)]
pub(crate) struct TopicCluster {
    pub(crate) bootstrap: String,
    pub(crate) properties: Option<PathBuf>,
}

impl Place {
    /// The state topic of a cluster.
    pub(crate) fn topic(store: Store, cluster: TopicCluster) -> Self {
        Self { store, cluster: Some(cluster), prefix: None }
    }

    /// Znodes with this prefix.
    pub(crate) fn zookeeper(store: Store, prefix: &str) -> Self {
        Self { store, cluster: None, prefix: Some(prefix.trim_matches('/').to_owned()) }
    }

    /// A store that needs nothing more: ConfigMaps next to a Lease, or a file.
    pub(crate) fn of(store: Store) -> Self {
        Self { store, cluster: None, prefix: None }
    }

    /// Whether a second daemon is refused instead of waiting: no other process finds the ledger of this one.
    pub(crate) fn works_alone(&self) -> bool {
        matches!(self.store, Store::File { .. })
    }

    /// What is written there, without taking anything.
    pub(crate) async fn peek(&self) -> Result<Vec<LedgerEntry>, Error> {
        let no_topic = |error: Error| Error::NoTopic(Box::new(error));
        if let Some(cluster) = &self.cluster {
            let client = cluster.connect().await.map_err(no_topic)?;
            state_topic::exists(&client).await.map_err(|error| no_topic(of_topic(error)))?;
        }
        let read = self.store.records().await.map_err(Error::from);
        let records = match &self.store {
            Store::Topic { .. } => read.map_err(no_topic)?,
            Store::ZooKeeper { .. } | Store::Kubernetes(_) | Store::File { .. } => read?,
        };
        let mut lines = ledger_records::lines_in(&self.store, &records)?;
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
        let (leader, overrides) = (LeaderName::default(), Overrides::new());
        Candidate { place: self, wait, holder, leader, waits: None, lead: None, overrides }
    }
}

/// A process that has the lead, or wants it.
#[derive(Debug)]
pub(crate) struct Candidate {
    place: Place,
    wait: Wait,
    holder: Holder,
    leader: LeaderName,
    /// The wait for the lead. It goes on if its caller stops waiting: a second wait of this process would disturb it.
    waits: Option<JoinHandle<Result<Lead, coordination::Error>>>,
    lead: Option<Lead>,
    /// With ZooKeeper: the overrides as they were read or written last.
    overrides: Overrides,
}

/// Calls may be dropped halfway. What they were to write then counts as not written, and is looked for when the place is
/// taken again.
impl Candidate {
    /// The place, as operators know it.
    pub(crate) fn name(&self) -> String {
        self.place.store.name()
    }

    /// This process, as others that wait for the place know it.
    pub(crate) fn us(&self) -> String {
        unique(&self.holder)
    }

    /// Where it tells who leads while it waits.
    pub(crate) fn leader(&self) -> LeaderName {
        self.leader.clone()
    }

    /// Waits until this process alone has the place, if it is to wait at all, and reads the lines there.
    ///
    /// # Errors
    /// One of [`Status::Held`](operate::Status::Held) if another process has it and this one does not wait; any error
    /// of reading.
    pub(crate) async fn take(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        // This process acts no more for the earlier lead, whether the store answers or not.
        self.lead.take().into_iter().for_each(Lead::abandon);
        if let (Some(cluster), Store::Topic { .. }) = (&self.place.cluster, &self.place.store) {
            make_topic(cluster).await.map_err(|error| Error::NoTopic(error.into()))?;
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
        let mut lines = ledger_records::lines_in(&self.place.store, lead.read().await?)?;
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

    /// Whether the store may hold more than the ledger, or less: it has not confirmed the last write.
    pub(crate) fn is_unsure(&self) -> bool {
        self.lead.as_ref().is_some_and(Lead::is_unsure)
    }

    /// Writes lines down: they outlive this process when it returns. `all` is the ledger with the `new` lines in it.
    ///
    /// # Errors
    /// [`Error::Lost`]; any error of writing. The lines then count as not written.
    pub(crate) async fn keep(&mut self, new: &[LedgerEntry], all: &Ledger) -> Result<(), Error> {
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

    /// Makes sure that this process alone still has the place: before each write to the cluster.
    ///
    /// # Errors
    /// [`Error::Lost`]; the store's error.
    pub(crate) async fn hold(&mut self) -> Result<(), Error> {
        Ok(self.lead()?.confirm().await?)
    }

    /// Overrides that others have changed there since the last call, as lines: in each round.
    ///
    /// # Errors
    /// [`Error::Lost`]; any error of reading.
    pub(crate) async fn news(&mut self) -> Result<Vec<LedgerEntry>, Error> {
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

    /// No write to the cluster may go on after this moment; `None`: the place is not lost by time alone.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.lead.as_ref().and_then(Lead::until)
    }

    /// Gives the place back, so that another process need not wait.
    pub(crate) async fn leave(&mut self) {
        if let Some(waits) = self.waits.take() {
            waits.abort();
        }
        if let Some(lead) = self.lead.take() {
            lead.release().await;
        }
    }
}

impl TopicCluster {
    async fn connect(&self) -> Result<kafka::Client, Error> {
        Ok(live::connect(&self.bootstrap, self.properties.as_deref()).await?.0)
    }
}

/// The error of the topic itself, whose remedies are the daemon's own.
fn of_topic(error: operate::Error) -> Error {
    match error {
        operate::Error::Claim(error) => Error::from(*error),
        error => Error::from(error),
    }
}

/// Finds the state topic, or creates it.
async fn make_topic(cluster: &TopicCluster) -> Result<(), Error> {
    let client = cluster.connect().await?;
    if state_topic::open(&client, None).await.map_err(of_topic)?.is_some() {
        tracing::info!(
            topic = TOPIC,
            "made, compacted, for what is set in this cluster and for overrides: --state-file keeps them in a file instead"
        );
    }
    Ok(())
}
