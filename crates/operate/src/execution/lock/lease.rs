//! The lock in Kubernetes: a Lease, records in ConfigMaps beside it, and Events at it that tell what is done.

use super::config_maps::ConfigMaps;
use super::{Changes, NotOurs, Records, Seen, held, not_done};
use crate::error::Error;
use crate::locks::{lease_of, whole};
use ::kubernetes::lease::{Kept, LeaseError, Terms};
use ::kubernetes::{About, Access, Announcer, Kubernetes, Name};
use statelog::Holder;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a run that was killed keeps the next one waiting.
const LEASE: Duration = Duration::from_secs(15);
/// Whoever renews does it within this.
const PATIENCE: Duration = Duration::from_secs(20);
/// A Lease that nobody else has taken is had within this.
const AT_ONCE: Duration = Duration::from_secs(2);
/// How long an Event may take.
const TOLD: Duration = Duration::from_secs(5);

/// A Lease that is ours, renewed in a task of its own.
#[derive(Debug)]
pub(in crate::execution) struct LeaseLock {
    kubernetes: Kubernetes,
    kept: Kept,
    name: Name,
    /// Who we are: no two processes are the same.
    us: String,
    /// Once they are ours.
    records: Option<ConfigMaps>,
    announcer: Announcer,
    /// Events under way.
    told: Vec<JoinHandle<()>>,
}

impl LeaseLock {
    /// Takes it; without a name, that of the cluster.
    ///
    /// # Errors
    /// [`Error::Held`] with a holder that lives; what the API says.
    pub(in crate::execution) async fn take(
        access: &Access,
        name: Option<Name>,
        cluster_id: &str,
        us: &Holder,
    ) -> Result<Self, Error> {
        let us = format!("{}, {}", us.name, us.instance());
        let kubernetes = Kubernetes::connect(access).await?;
        let name = named(name, cluster_id, &kubernetes);
        let terms = Terms { name: name.clone(), holder: us.clone(), duration: LEASE };
        let mut holder = "somebody".to_owned();
        let campaign = kubernetes.campaign(&terms, |now| now.clone_into(&mut holder));
        let taken = timeout(PATIENCE, campaign).await;
        let kept = match taken {
            Err(_) => return Err(held(format!("lease {name}"), holder)),
            Ok(Err(LeaseError::Api(error))) => return Err(not_done(error)),
            Ok(Err(other)) => return Err(held(format!("lease {name}"), other.to_string())),
            Ok(Ok(lease)) => lease.kept(),
        };
        let announcer = kubernetes.announcer("topicmappr", &us, About::lease(name.clone()));
        Ok(Self { kubernetes, kept, name, us, records: None, announcer, told: Vec::new() })
    }

    /// What is there, without taking anything.
    pub(in crate::execution) async fn seen(
        access: &Access,
        name: Option<Name>,
        cluster_id: &str,
    ) -> Result<Seen, Error> {
        let kubernetes = Kubernetes::connect(access).await?;
        let name = named(name, cluster_id, &kubernetes);
        let holder = kubernetes.lease_holder(&name).await.map_err(not_done)?;
        let records = ConfigMaps::seen(&kubernetes, &name).await?;
        Ok(Seen { place: format!("lease {name}"), holder, records })
    }

    /// Makes the records ours: whoever had the Lease before writes them no more, whatever its clock says.
    pub(super) async fn records(&mut self) -> Result<Records, Error> {
        let claimed = ConfigMaps::claim(&self.kubernetes, &self.name, &self.us).await?;
        let records = claimed.records();
        self.records = Some(claimed);
        Ok(records)
    }

    pub(super) async fn write(&mut self, changes: &Changes) -> Result<(), NotOurs> {
        self.check()?;
        match &mut self.records {
            Some(records) => records.write(changes).await,
            None => Err(NotOurs::ForNow("the records beside the lease were not read".to_owned())),
        }
    }

    pub(super) fn check(&self) -> Result<(), NotOurs> {
        self.kept.until().map(drop).map_err(NotOurs::Ended)
    }

    /// As who had it: where nobody has taken it since, it is had at once. The records are read again, and still ours where
    /// nobody else has written one.
    pub(super) async fn take_again(&mut self) -> Result<Records, NotOurs> {
        // An API that is away is told by this without a word in the log for each attempt.
        let asked = self.kubernetes.lease_holder(&self.name).await;
        asked.map_err(|error| NotOurs::ForNow(error.to_string()))?;
        let (name, holder) = (self.name.clone(), self.us.clone());
        let terms = Terms { name, holder, duration: LEASE };
        let mut other = None;
        let campaign = self.kubernetes.campaign(&terms, |now| other = Some(now.to_owned()));
        let taken = timeout(AT_ONCE, campaign).await;
        match (taken, other) {
            (Ok(taken), _) => {
                let taken = taken.map_err(|error| NotOurs::ForNow(error.to_string()))?;
                self.kept = taken.kept();
            }
            // It had it meanwhile, whether it lives or not.
            (Err(_), Some(other)) => {
                return Err(NotOurs::ForGood(held(format!("lease {}", self.name), other)));
            }
            (Err(_), None) => return Err(NotOurs::ForNow("no answer about the lease".to_owned())),
        }
        match &mut self.records {
            Some(records) => records.read_again().await,
            None => Err(NotOurs::ForNow("the records beside the lease were not read".to_owned())),
        }
    }

    /// Tells those who describe the Lease. Without the right to, everything else works.
    pub(super) fn tell(&mut self, reason: &'static str, note: String) {
        let announcer = self.announcer.clone();
        self.told.retain(|told| !told.is_finished());
        self.told.push(tokio::spawn(async move {
            match timeout(TOLD, announcer.tell(reason, &note)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, reason, "no Event"),
                Err(_) => tracing::debug!(reason, "no Event in time"),
            }
        }));
    }

    pub(super) async fn release(self) {
        self.kept.release().await;
        for told in self.told {
            // What became of it, it has said itself.
            let _ = told.await;
        }
    }
}

/// The Lease by its whole name; without one, that of the cluster.
fn named(name: Option<Name>, cluster_id: &str, kubernetes: &Kubernetes) -> Name {
    match name {
        None => lease_of(kubernetes.namespace(), cluster_id),
        Some(name) => whole(name, kubernetes),
    }
}
