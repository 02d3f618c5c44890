//! The lock in Kubernetes: a Lease, records in ConfigMaps next to it, and Events on it that report progress.

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

/// The duration of the Lease: the next run waits this long after a run was killed.
const LEASE: Duration = Duration::from_secs(15);
/// The time limit to take the Lease. A live holder renews it within this time.
const PATIENCE: Duration = Duration::from_secs(20);
/// The time limit to take the Lease again. A Lease that no other process took is granted at once.
const AT_ONCE: Duration = Duration::from_secs(2);
/// The time limit to write an Event.
const TOLD: Duration = Duration::from_secs(5);

/// A Lease that this process holds. A background task renews it.
#[derive(Debug)]
pub(in crate::execution) struct LeaseLock {
    kubernetes: Kubernetes,
    kept: Kept,
    name: Name,
    /// The unique name of this process.
    us: String,
    /// The records; `None` until this process has claimed them.
    records: Option<ConfigMaps>,
    announcer: Announcer,
    /// Events that are being written.
    told: Vec<JoinHandle<()>>,
}

impl LeaseLock {
    /// Takes the Lease with this name; without a name, the Lease of the cluster.
    ///
    /// # Errors
    /// [`Error::Held`] with a live holder, or the error of the API.
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

    /// The holder and the records of the Lease. Only reads.
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

    /// Claims the records, so that the former holder of the Lease can no longer write them, whatever its clock says.
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

    /// Takes the Lease again under the same name. If no other process took it since, it is granted at once. The
    /// records are read again; they are still valid if no other process wrote one.
    pub(super) async fn take_again(&mut self) -> Result<Records, NotOurs> {
        // This read detects an API server that is down, without a log line for each attempt.
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
            // That process held the Lease since, whether it is alive or not.
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

    /// Writes an Event on the Lease. Without the right to write Events, everything else works.
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
            // The task has logged its own result.
            let _ = told.await;
        }
    }
}

/// The full name of the Lease; without a name, that of the cluster's Lease.
fn named(name: Option<Name>, cluster_id: &str, kubernetes: &Kubernetes) -> Name {
    match name {
        None => lease_of(kubernetes.namespace(), cluster_id),
        Some(name) => whole(name, kubernetes),
    }
}
