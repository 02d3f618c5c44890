//! Takes the cluster's lock for an execution, checks it before each write, and releases it.

use super::{Books, Execution, Places};
use crate::cluster::ClaimBy;
use crate::error::Error;
use crate::events::{Note, RunContext};
use crate::runtime::{host, us};
use crate::state_topic;
use crate::stores;
use crate::words::listed;
use coordination::{Holder, Lead, Seen, Store, Wait};
use mapper::{BrokerId, Plan, plural};
use statelog::TOPIC;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

impl Execution<'_> {
    /// Takes the cluster's lock until [`run`](Self::run) ends, or until this value is dropped. Then takes over the
    /// records of another machine next to the lock; the journal only if this run `resumes` it. A second call does
    /// nothing. A rehearsal only reads.
    pub async fn claim(
        &mut self,
        claim: &ClaimBy,
        places: &Places,
        resumes: bool,
        context: &mut RunContext<'_>,
    ) -> Result<(), Error> {
        if self.books.is_none() {
            return self.look_beside(claim, places, context).await;
        }
        if self.books.as_ref().is_some_and(|books| books.lock.is_some()) {
            return Ok(());
        }
        self.meet(claim, context).await?;
        let us = holder(&places.ledger);
        let store = stores::executors(claim, &context.access, self.task.cluster_id)?;
        let lock = taken(self.client, store, &us, Some(self.task.plan), context).await?;
        if let Some(books) = self.books.as_mut() {
            books.lock = lock;
        }
        let taken = self.take_over(&us, &places.journal, resumes, context).await;
        if taken.is_err() {
            // Releases the lock, so that a retry need not wait until it expires.
            self.leave().await;
        }
        taken
    }

    /// The same before the operator agrees to the plan. A missing state topic excludes no run, so this call does not
    /// create it.
    pub async fn claim_where_there(
        &mut self,
        claim: &ClaimBy,
        places: &Places,
        context: &mut RunContext<'_>,
    ) -> Result<(), Error> {
        let store = stores::executors(claim, &context.access, self.task.cluster_id)?;
        if let Some(store) = store
            && !stores::exists(self.client, &store).await?
        {
            return Ok(());
        }
        self.claim(claim, places, true, context).await
    }

    /// Whether this process may change the cluster now.
    ///
    /// An unconfirmed lock may be confirmed later, and an expired lock is taken again. A lock that another run holds,
    /// or has held since, ends the execution.
    pub(super) async fn may_act(&mut self) -> Result<bool, Error> {
        let Some(Books { lock: Some(lock), away, .. }) = self.books.as_mut() else {
            return Ok(true);
        };
        if !away.has_ended {
            match lock.check().await {
                Ok(()) => {
                    away.ends();
                    return Ok(true);
                }
                Err(error) if error.is_for_good() => return Err(error.into()),
                Err(why @ coordination::Error::Ended { .. }) => {
                    tracing::warn!(%why, "the cluster's lock has ended: taking it again before anything else is done");
                    away.has_ended = true;
                }
                Err(error) => {
                    away.goes_on(&error.to_string());
                    return Ok(false);
                }
            }
        }
        self.take_again().await?;
        // The decision of this round is outdated: the next look comes first.
        Ok(false)
    }

    /// Takes an expired lock again, and retries while its store does not answer. The records next to the lock show
    /// whether another run held it since, and may have acted.
    async fn take_again(&mut self) -> Result<(), Error> {
        let Some(Books { lock: Some(lock), away, mirror, .. }) = self.books.as_mut() else {
            return Ok(());
        };
        if !away.is_due() {
            return Ok(());
        }
        match lock.take_again().await {
            Ok(records) => {
                mirror.iter_mut().try_for_each(|mirror| mirror.is_as_left(records))?;
                away.ends();
                Ok(())
            }
            Err(error) if error.is_for_good() => Err(error.into()),
            Err(error) => {
                away.goes_on(&error.to_string());
                Ok(())
            }
        }
    }

    /// Releases the lock, if there is one.
    pub(super) async fn leave(&mut self) {
        if let Err(error) = self.mirror().await {
            tracing::warn!(%error, "the last lines stand in the files of this machine alone");
        }
        if let Some(lock) = self.books.as_mut().and_then(|books| books.lock.take()) {
            lock.release().await;
        }
    }
}

/// Takes the lead of the cluster's executors in this store; `None`: no lock is wanted. Creates a missing topic: the plan
/// shows which brokers should get no replica of it.
pub(super) async fn taken(
    client: &kafka::Client,
    store: Option<Store>,
    us: &Holder,
    plan: Option<&Plan>,
    context: &mut RunContext<'_>,
) -> Result<Option<Lead>, Error> {
    let Some(store) = store else { return Ok(None) };
    match &store {
        Store::Topic { .. } => match state_topic::open(client, plan).await? {
            Some(brokers) => context.note(&made_topic(&brokers))?,
            None => say_waiting(TOPIC, context)?,
        },
        Store::ZooKeeper { .. } => say_waiting("ZooKeeper", context)?,
        Store::Kubernetes(_) => say_waiting("Kubernetes", context)?,
        Store::File { path } => say_waiting(&path.display().to_string(), context)?,
    }
    let mut others = BTreeSet::new();
    let tell = |other: &str| {
        if others.insert(other.to_owned()) {
            tracing::info!(
                holder = other,
                "another process holds the lock: checking whether it is alive"
            );
        }
    };
    Ok(Some(store.lead(us.clone(), Wait::ForTheDead, tell).await?))
}

/// The lock's holder and records; `None` if there is no lock. Only reads.
pub(super) async fn seen(
    client: &kafka::Client,
    cluster_id: &str,
    claim: &ClaimBy,
    context: &RunContext<'_>,
) -> Result<Option<Seen>, Error> {
    match stores::executors(claim, &context.access, cluster_id)? {
        Some(store) if stores::exists(client, &store).await? => Ok(Some(store.seen().await?)),
        Some(_) | None => Ok(None),
    }
}

/// The first execution creates this program's first topic in the cluster. The note announces it to the operator.
fn made_topic(brokers: &[BrokerId]) -> Note {
    Note::new(format!(
        "made the topic {TOPIC} on {} {}, compacted, in which executors claim the cluster; --sole-executor does without",
        plural(brokers.len(), "broker", "brokers"),
        listed(brokers)
    ))
}

fn say_waiting(place: &str, context: &mut RunContext<'_>) -> Result<(), Error> {
    context.note(&Note::new(format!(
        "claiming the cluster in {place}: half a minute if its last holder died; --sole-executor does without"
    )))
}

/// The identity of this process: its name for operators, and its ledger. A later process with the same ledger counts
/// this one as dead, because only one process can lock a ledger.
pub(super) fn holder(ledger: &Path) -> Holder {
    let ledger = fs::canonicalize(ledger).unwrap_or_else(|_| ledger.to_owned());
    // Without a boot id, no earlier process counts as a run of this ledger.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let boot = boot.map_or_else(|_| us(), |id| id.trim().to_owned());
    Holder::new(us(), format!("{boot} {} {}", host(), ledger.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planners_know_the_topics_that_we_make() {
        for made in [TOPIC, kafka::admin::CANARY_TOPIC] {
            assert!(mapper::snapshot::OWN_TOPICS.contains(&made), "{made}");
        }
    }
}
