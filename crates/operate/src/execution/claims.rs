//! Takes the cluster's lock for an execution, checks it before each write, and releases it.

use super::lock::{LeaseLock, Lock, NotOurs, Place, Seen, TopicLock, ZooKeeperLock};
use super::seats::seats;
use super::{Books, Execution, Places};
use crate::cluster::{ClaimBy, ClusterAccess};
use crate::error::Error;
use crate::events::{Note, RunContext};
use crate::live;
use crate::marks::Common;
use futures::{StreamExt, stream};
use kafka::admin::Cluster;
use mapper::{BrokerId, Plan, plural};
use statelog::{Access, Holder, REPLICATION, TOPIC};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The time limit for a broker to report its cordon. A broker that does not answer counts as not cordoned.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest number of brokers asked in parallel.
const AT_ONCE: usize = 32;

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
        self.meet(claim, places, context).await?;
        let us = holder(&places.ledger);
        let cluster = (self.client, self.cluster_id);
        let lock = taken(cluster, place(claim, context), &us, Some(self.plan), context).await?;
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
        let (place, _) = place(claim, context);
        if matches!(place, Place::Topic) && !self.client.has_topic(TOPIC).await? {
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
                Err(NotOurs::ForNow(why)) => {
                    away.goes_on(&why);
                    return Ok(false);
                }
                Err(NotOurs::Ended(why)) => {
                    tracing::warn!(%why, "the cluster's lock has ended: taking it again before anything else is done");
                    away.has_ended = true;
                }
                Err(NotOurs::ForGood(error)) => return Err(error),
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
                mirror.iter_mut().try_for_each(|mirror| mirror.is_as_left(records.clone()))?;
                away.ends();
                Ok(())
            }
            Err(NotOurs::ForNow(why) | NotOurs::Ended(why)) => {
                away.goes_on(&why);
                Ok(())
            }
            Err(NotOurs::ForGood(error)) => Err(error),
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

/// Takes the lock of the cluster in this place; `None`: no lock is wanted. The plan shows which brokers should get no
/// replica of a new state topic.
pub(super) async fn taken(
    (client, cluster_id): (&kafka::Client, &str),
    (place, access): (Place, ::kubernetes::Access),
    us: &Holder,
    plan: Option<&Plan>,
    context: &mut RunContext<'_>,
) -> Result<Option<Lock>, Error> {
    Ok(match place {
        Place::Nowhere => None,
        Place::Topic => Some(taken_in_topic(client, us.clone(), plan, context).await?),
        Place::ZooKeeper(place) => {
            say_waiting("ZooKeeper", context)?;
            let name = format!("{}, {}", us.name, us.instance());
            let lock = ZooKeeperLock::take(&place, cluster_id, &name).await?;
            Some(Lock::ZooKeeper(Box::new(lock)))
        }
        Place::Lease(name) => {
            say_waiting("Kubernetes", context)?;
            let lock = LeaseLock::take(&access, name, cluster_id, us).await?;
            Some(Lock::Lease(Box::new(lock)))
        }
    })
}

/// Brokers that report a cordon of all their log dirs.
async fn cordoned(client: &kafka::Client, cluster: &Cluster) -> BTreeSet<BrokerId> {
    let asked = cluster.live().map(|id| async move {
        (id, client.cordons(id, PATIENCE).await.is_ok_and(|cordons| cordons.every))
    });
    let told = stream::iter(asked).buffer_unordered(AT_ONCE);
    told.filter_map(|(id, every)| async move { every.then_some(id) }).collect().await
}

/// Takes the lock in the state topic, and creates the topic if it is missing.
async fn taken_in_topic(
    client: &kafka::Client,
    us: Holder,
    plan: Option<&Plan>,
    context: &mut RunContext<'_>,
) -> Result<Lock, Error> {
    let access = topic_access(&context.access)?;
    let topic = if client.has_topic(TOPIC).await? {
        say_waiting(TOPIC, context)?;
        TopicLock::existing(access).await?
    } else {
        let cluster = client.describe_cluster().await?;
        let brokers = seats(&cluster, plan, &cordoned(client, &cluster).await, REPLICATION);
        let topic = TopicLock::make(access, &brokers).await?;
        if topic.is_new() {
            context.note(&made(&brokers))?;
        }
        topic
    };
    Ok(Lock::Topic(TopicLock::take(topic, us).await?))
}

/// The lock's place, and access to Kubernetes.
pub(super) fn place(claim: &ClaimBy, context: &RunContext<'_>) -> (Place, ::kubernetes::Access) {
    let kubernetes = context.access.kubernetes.clone();
    (Place::of(claim, context.access.zookeeper.clone(), kubernetes.in_pod), kubernetes)
}

/// The place where daemons leave their marks: the place of the lock, or its default place with `--sole-executor`.
pub fn common(claim: &ClaimBy, access: &ClusterAccess) -> Result<Common, Error> {
    let claim = if *claim == ClaimBy::Nothing { &ClaimBy::Default } else { claim };
    let kubernetes = access.kubernetes.clone();
    let place = Place::of(claim, access.zookeeper.clone(), kubernetes.in_pod);
    Ok(match place {
        Place::ZooKeeper(place) => Common::ZooKeeper(live::ensemble(&place)?),
        Place::Lease(name) => {
            let namespace = name.map(|name| name.namespace).filter(|name| !name.is_empty());
            Common::Kubernetes(kubernetes, namespace)
        }
        Place::Nowhere | Place::Topic => Common::Topic(topic_access(access)?),
    })
}

/// The lock's holder and records; `None` if there is no lock. Only reads.
pub(super) async fn seen(
    client: &kafka::Client,
    cluster_id: &str,
    claim: &ClaimBy,
    context: &RunContext<'_>,
) -> Result<Option<Seen>, Error> {
    let (place, kubernetes) = place(claim, context);
    match place {
        Place::Nowhere => Ok(None),
        Place::ZooKeeper(place) => ZooKeeperLock::seen(&place, cluster_id).await.map(Some),
        Place::Lease(name) => LeaseLock::seen(&kubernetes, name, cluster_id).await.map(Some),
        Place::Topic if !client.has_topic(TOPIC).await? => Ok(None),
        Place::Topic => TopicLock::seen(topic_access(&context.access)?).await.map(Some),
    }
}

fn topic_access(cluster: &ClusterAccess) -> Result<Access, Error> {
    live::data_plane(&cluster.bootstrap, cluster.properties.as_deref())
}

/// The first execution creates this program's first topic in the cluster. The note announces it to the operator.
fn made(brokers: &[BrokerId]) -> Note {
    let ids: Vec<String> = brokers.iter().map(ToString::to_string).collect();
    Note::new(format!(
        "made the topic {TOPIC} on {} {}, compacted, in which executors claim the cluster; --sole-executor does without",
        plural(ids.len(), "broker", "brokers"),
        ids.join(", ")
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
    let of = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
    let host = of("/proc/sys/kernel/hostname").unwrap_or_else(|| "an unknown host".to_owned());
    let name = format!("process {} of {host}", std::process::id());
    let ledger = fs::canonicalize(ledger).unwrap_or_else(|_| ledger.to_owned());
    // Without a boot id, no earlier process counts as a run of this ledger.
    let boot = of("/proc/sys/kernel/random/boot_id").unwrap_or_else(|| name.clone());
    Holder::new(name, format!("{boot} {host} {}", ledger.display()))
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
