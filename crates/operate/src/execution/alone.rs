//! The cluster's lock, for a command that changes the cluster without a plan.
//!
//! It is the lock of executions. If pods may be deleted and no flag names a Lease, it includes the Lease of rolling
//! restarts.

use super::claims::{holder, place, taken};
use super::lock::{LeaseLock, Lock, NotOurs, Place};
use crate::cluster::ClaimBy;
use crate::error::Error;
use crate::events::RunContext;
use crate::locks::lease_of;
use ::kubernetes::{Access, Kubernetes};
use std::path::Path;

/// A lock that this process holds until it is released. If it is dropped, it expires after some seconds.
#[derive(Debug)]
pub struct Alone(Vec<Lock>);

impl Alone {
    /// Takes the lock. `pods` is the namespace of pods that may be deleted.
    ///
    /// # Errors
    /// [`Error::Held`] with the execution, heal or roll that holds the lock.
    pub async fn take(
        client: &kafka::Client,
        cluster_id: &str,
        (claim, ledger, pods): (&ClaimBy, &Path, Option<&str>),
        context: &mut RunContext<'_>,
    ) -> Result<Self, Error> {
        let (place, access) = place(claim, context);
        let rolls = rolls(&place, &access, pods).await?;
        let us = holder(ledger);
        let first =
            taken((client, cluster_id), (place, access.clone()), &us, None, context).await?;
        let mut alone = Self(first.into_iter().collect());
        if let Some(namespace) = rolls {
            let name = lease_of(&namespace, cluster_id);
            match LeaseLock::take(&access, Some(name), cluster_id, &us).await {
                Ok(lock) => alone.0.push(Lock::Lease(Box::new(lock))),
                Err(error) => {
                    alone.leave().await;
                    return Err(error);
                }
            }
        }
        Ok(alone)
    }

    /// Whether this process may change the cluster now. `false`: the lock's store does not answer, and a later try
    /// may succeed.
    ///
    /// # Errors
    /// Another run may hold the lock.
    pub(crate) async fn may_act(&mut self) -> Result<bool, Error> {
        for lock in &mut self.0 {
            let mut checked = lock.check().await;
            if let Err(NotOurs::Ended(_)) = checked {
                // Every change is justified by its own look, so earlier facts need not hold any more.
                checked = lock.take_again().await.map(drop);
            }
            match checked {
                Ok(()) => {}
                Err(NotOurs::ForNow(why) | NotOurs::Ended(why)) => {
                    tracing::warn!(%why, "nothing is changed until the claim can be confirmed");
                    return Ok(false);
                }
                Err(NotOurs::ForGood(error)) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Releases the lock, so that the next run need not wait.
    pub async fn leave(self) {
        for lock in self.0 {
            lock.release().await;
        }
    }
}

/// The namespace of the Lease that excludes rolls. `None`: the lock itself is that Lease, or the operator rules out
/// other runs.
async fn rolls(
    place: &Place,
    access: &Access,
    pods: Option<&str>,
) -> Result<Option<String>, Error> {
    let Some(pods) = pods else { return Ok(None) };
    Ok(match place {
        Place::Nowhere | Place::Lease(Some(_)) => None,
        Place::Lease(None) => {
            let own = Kubernetes::connect(access).await?;
            (own.namespace() != pods).then(|| pods.to_owned())
        }
        Place::ZooKeeper(_) | Place::Topic => Some(pods.to_owned()),
    })
}
