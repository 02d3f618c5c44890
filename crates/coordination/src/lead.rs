//! The right to write the records of a role, and to act in it.

use crate::file::FileLead;
use crate::kubernetes::KubernetesLead;
use crate::topic::TopicLead;
use crate::zookeeper::ZooKeeperLead;
use crate::{Error, RecordChanges, Records};
use ::zookeeper::{Guarded, ZooKeeper};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The time limit for one attempt to take the lead again: an attempt delays its caller. A cancelled attempt leaves
/// nothing behind.
const AGAIN: Duration = Duration::from_secs(5);

/// How often to check the lead during other work: a holder of a Lease hears of its end some seconds before others may
/// take it.
const CHECK: Duration = Duration::from_millis(200);

/// A lead that this process has. If it is dropped, it expires after some seconds, in a file at once.
#[derive(Debug)]
pub struct Lead {
    backend: LeadBackend,
    /// The records as far as known; `None`: they were not read yet.
    there: Option<Records>,
    /// Records whose last write the store has not confirmed.
    unsure: BTreeSet<String>,
}

/// The store of a lead.
#[derive(Debug)]
pub(crate) enum LeadBackend {
    Topic(TopicLead),
    ZooKeeper(Box<ZooKeeperLead>),
    Kubernetes(Box<KubernetesLead>),
    File(Box<FileLead>),
}

impl Lead {
    pub(crate) fn of(backend: LeadBackend) -> Self {
        Self { backend, there: None, unsure: BTreeSet::new() }
    }

    /// Reads the records that earlier leaders have left. From now on, no earlier leader can write them, whatever its
    /// clock says.
    ///
    /// # Errors
    /// The store's error.
    pub async fn read(&mut self) -> Result<&Records, Error> {
        let records = match &mut self.backend {
            LeadBackend::Topic(lead) => lead.read().await?,
            LeadBackend::ZooKeeper(lead) => lead.read().await?,
            LeadBackend::Kubernetes(lead) => lead.claim_records().await?,
            LeadBackend::File(lead) => lead.read()?,
        };
        Ok(self.knows(records))
    }

    /// Turns the records into `wanted`: writes the ones that differ, then removes the rest. They outlive this process
    /// when this returns. [`read`](Self::read) comes first.
    ///
    /// # Errors
    /// This process does not lead any more, or the store's error. Some changes may be written by then; the next call
    /// writes them again.
    pub async fn write(&mut self, wanted: &Records) -> Result<(), Error> {
        let changes = self.changes(wanted);
        if changes.is_empty() {
            return Ok(());
        }
        self.unsure.extend(changes.keys().cloned());
        match &mut self.backend {
            LeadBackend::Topic(lead) => lead.write(changes).await?,
            LeadBackend::ZooKeeper(lead) => lead.write(&changes).await?,
            LeadBackend::Kubernetes(lead) => lead.write(wanted).await?,
            LeadBackend::File(lead) => lead.write(changes, wanted)?,
        }
        self.knows(wanted.clone());
        Ok(())
    }

    /// Whether a write was not confirmed: the store may hold what it was to change, or not. The next write repeats it.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        !self.unsure.is_empty()
    }

    /// Checks that this process leads, without waiting for the store where its own clock can tell.
    ///
    /// # Errors
    /// Why it may not act.
    pub async fn check(&self) -> Result<(), Error> {
        match &self.backend {
            LeadBackend::Topic(lead) => lead.check(),
            LeadBackend::ZooKeeper(lead) => lead.check().await,
            LeadBackend::Kubernetes(lead) => lead.check(),
            LeadBackend::File(lead) => lead.check(),
        }
    }

    /// Asks the store whether this process leads.
    ///
    /// # Errors
    /// Why it may not act.
    pub async fn confirm(&mut self) -> Result<(), Error> {
        match &mut self.backend {
            LeadBackend::Topic(lead) => lead.write(RecordChanges::new()).await?,
            LeadBackend::ZooKeeper(_) | LeadBackend::File(_) => {}
            LeadBackend::Kubernetes(lead) => lead.confirm().await?,
        }
        // The store may have taken its time.
        self.check().await
    }

    /// The moment from which another process may lead, unless the lead is renewed before. `None`: time alone does not
    /// end it.
    #[must_use]
    pub fn until(&self) -> Option<Instant> {
        match &self.backend {
            LeadBackend::Topic(lead) => Some(lead.until()),
            LeadBackend::ZooKeeper(_) | LeadBackend::File(_) => None,
            LeadBackend::Kubernetes(lead) => Some(lead.until()),
        }
    }

    /// Takes a lead again that has ended. The records that it returns show whether another process led since. Waits only
    /// briefly.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::Held`]: another process has led since. Any other error: a later try may succeed.
    pub async fn take_again(&mut self) -> Result<&Records, Error> {
        let again = async {
            match &mut self.backend {
                // The claim renews itself. While Kafka takes our writes, no other process has written.
                LeadBackend::Topic(lead) => lead.check().map(|()| None),
                LeadBackend::ZooKeeper(lead) => lead.take_again().await.map(Some),
                LeadBackend::Kubernetes(lead) => lead.take_again().await.map(Some),
                LeadBackend::File(lead) => lead.check().map(|()| None),
            }
        };
        let read = match timeout(AGAIN, again).await {
            Ok(taken) => taken?,
            Err(_) => {
                let why = format!("no answer in {} s", AGAIN.as_secs());
                return Err(Error::Silent { store: "the cluster's lock".to_owned(), why });
            }
        };
        match read {
            Some(records) => Ok(self.knows(records)),
            None => Ok(self.there.get_or_insert_default()),
        }
    }

    /// Runs `work` while this process leads, then releases the lead. When the lead ends, `work` is dropped where it is.
    ///
    /// # Errors
    /// Those of `work`, or how the lead ended.
    pub async fn during<T, E: From<Error>>(
        self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let done = tokio::select! {
            biased;
            ended = self.ended() => Err(ended.into()),
            done = work => done,
        };
        self.release().await;
        done
    }

    async fn ended(&self) -> Error {
        loop {
            if let Err(error) = self.check().await {
                return error;
            }
            sleep(CHECK).await;
        }
    }

    /// Writes an Event on the Lease, in the background; other stores have no Events.
    pub fn tell(&mut self, reason: &'static str, note: String) {
        if let LeadBackend::Kubernetes(lead) = &mut self.backend {
            lead.tell(reason, note);
        }
    }

    /// The session and the lock in ZooKeeper, for znodes that other programs read as well.
    #[must_use]
    pub fn in_zookeeper(&self) -> Option<(&ZooKeeper, &Guarded)> {
        match &self.backend {
            LeadBackend::ZooKeeper(lead) => Some(lead.session()),
            LeadBackend::Topic(_) | LeadBackend::Kubernetes(_) | LeadBackend::File(_) => None,
        }
    }

    /// Releases the lead, so that the next process need not wait.
    pub async fn release(self) {
        match self.backend {
            LeadBackend::Topic(lead) => lead.release().await,
            LeadBackend::ZooKeeper(lead) => drop(lead),
            LeadBackend::Kubernetes(lead) => lead.release().await,
            LeadBackend::File(lead) => drop(lead),
        }
    }

    /// Ends the lead without waiting for the store.
    pub fn abandon(self) {
        match self.backend {
            LeadBackend::Topic(lead) => lead.abandon(),
            LeadBackend::ZooKeeper(lead) => drop(lead),
            LeadBackend::Kubernetes(lead) => drop(lead),
            LeadBackend::File(lead) => drop(lead),
        }
    }

    fn changes(&self, wanted: &Records) -> RecordChanges {
        let nothing = Records::new();
        let there = self.there.as_ref().unwrap_or(&nothing);
        let names: BTreeSet<&String> =
            there.keys().chain(wanted.keys()).chain(&self.unsure).collect();
        let differs =
            |name: &String| self.unsure.contains(name) || there.get(name) != wanted.get(name);
        let changed = names.into_iter().filter(|name| differs(name));
        changed.map(|name| (name.clone(), wanted.get(name).cloned())).collect()
    }

    fn knows(&mut self, records: Records) -> &Records {
        self.unsure.clear();
        self.there.insert(records)
    }
}
