//! The cluster's lock, for a command that changes the cluster without a plan.
//!
//! It is the lock of executions. If pods may be deleted and no flag names a Lease, it includes the Lease of rolling
//! restarts.

use super::claims::{holder, taken};
use crate::cluster::ClaimBy;
use crate::error::Error;
use crate::events::RunContext;
use crate::runtime;
use crate::stores::{self, lease_of};
use ::kubernetes::Kubernetes;
use coordination::{Holder, Lead, LeaseStore, Store, Wait};
use std::path::Path;

/// A lock that this process holds until it is released. If it is dropped, it expires after some seconds.
#[derive(Debug)]
pub struct Alone(Vec<Lead>);

impl Alone {
    /// Takes the lock. `ledger` is a file that this process has locked; `pods` is the namespace of pods that may be
    /// deleted.
    ///
    /// # Errors
    /// [`Error::Held`] with the execution or roll that holds the lock.
    pub async fn take(
        client: &kafka::Client,
        cluster_id: &str,
        (claim, ledger, pods): (&ClaimBy, Option<&Path>, Option<&str>),
        context: &mut RunContext<'_>,
    ) -> Result<Self, Error> {
        let store = stores::executors(claim, &context.access, cluster_id)?;
        let rolls = rolls(store.as_ref(), cluster_id, pods, context).await?;
        let us = ledger.map_or_else(|| Holder::without_place(runtime::us()), holder);
        let first = taken(client, store, &us, None, context).await?;
        let mut alone = Self(first.into_iter().collect());
        if let Some(store) = rolls {
            match store.lead(us, Wait::ForTheDead, |_| ()).await {
                Ok(lead) => alone.0.push(lead),
                Err(error) => {
                    alone.leave().await;
                    return Err(error.into());
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
            if let Err(coordination::Error::Ended { .. }) = checked {
                // Every change is justified by its own look, so earlier facts need not hold any more.
                checked = lock.take_again().await.map(drop);
            }
            match checked {
                Ok(()) => {}
                Err(error) if error.is_for_good() => return Err(error.into()),
                Err(why) => {
                    tracing::warn!(%why, "nothing is changed until the claim can be confirmed");
                    return Ok(false);
                }
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

/// The Lease that excludes rolls. `None`: the lock itself is that Lease, or the operator rules out other runs.
async fn rolls(
    store: Option<&Store>,
    cluster_id: &str,
    pods: Option<&str>,
    context: &RunContext<'_>,
) -> Result<Option<Store>, Error> {
    let (Some(pods), Some(store)) = (pods, store) else { return Ok(None) };
    let access = context.access.kubernetes.clone();
    if let Store::Kubernetes(of) = store {
        let is_default = of.lease == lease_of("", cluster_id);
        if !is_default || Kubernetes::connect(&access).await?.namespace() == pods {
            return Ok(None);
        }
    }
    let lease = lease_of(pods, cluster_id);
    Ok(Some(Store::Kubernetes(LeaseStore::of_executors(access, lease))))
}
