//! Takes the cluster's lock for an execution, asks it before each write, and gives it back.

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

/// What a broker is given to tell whether it is cordoned; one that does not tell counts as open.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many brokers are asked at once.
const AT_ONCE: usize = 32;

impl Execution<'_> {
    /// Takes the cluster's lock for as long as [`run`](Self::run) lasts, or the execution is there; and takes over what
    /// another machine has left beside it, the journal only to go on with it (`resumes`). Done once. A rehearsal only looks
    /// at it.
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
            // Whoever tries again need not wait until the lock ends by itself.
            self.leave().await;
        }
        taken
    }

    /// The same before anything is agreed to: a topic that nobody has made yet keeps nobody out, and is not made now.
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

    /// Whether the cluster may be acted on now. A lock that nobody can vouch for may be ours again, and one that has ended
    /// is taken again; one that somebody else has, or had meanwhile, ends the execution.
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
        // What was decided is of before: the next look comes first.
        Ok(false)
    }

    /// Takes a lock again that has ended, as long as its place is away. What stands beside it tells whether somebody else had
    /// it meanwhile, and has maybe acted.
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

    /// Gives the lock back, if there is one.
    pub(super) async fn leave(&mut self) {
        if let Err(error) = self.mirror().await {
            tracing::warn!(%error, "the last lines stand in the files of this machine alone");
        }
        if let Some(lock) = self.books.as_mut().and_then(|books| books.lock.take()) {
            lock.release().await;
        }
    }
}

/// Takes the lock of the cluster in this place; `None`: there is to be none. A plan says which brokers are to hold no
/// copy of a new topic.
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

/// Brokers that get no new replica, as far as they tell.
async fn cordoned(client: &kafka::Client, cluster: &Cluster) -> BTreeSet<BrokerId> {
    let asked = cluster.live().map(|id| async move {
        (id, client.cordons(id, PATIENCE).await.is_ok_and(|cordons| cordons.every))
    });
    let told = stream::iter(asked).buffer_unordered(AT_ONCE);
    told.filter_map(|(id, every)| async move { every.then_some(id) }).collect().await
}

/// Makes the topic if it is not there.
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

/// Where the lock is, and how to get at Kubernetes.
pub(super) fn place(claim: &ClaimBy, context: &RunContext<'_>) -> (Place, ::kubernetes::Access) {
    let kubernetes = context.access.kubernetes.clone();
    (Place::of(claim, context.access.zookeeper.clone(), kubernetes.in_pod), kubernetes)
}

/// Where daemons leave their marks: where the lock is, or would be if another executor could be there.
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

/// What stands at the lock; `None` where there is none. Takes and makes nothing.
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

/// Whoever carries plans out makes the first topic of ours in a cluster: it is not to come as a surprise.
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

/// Who we are: to people, and to whoever comes after us at the same ledger, whose lock only one of us has.
pub(super) fn holder(ledger: &Path) -> Holder {
    let of = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
    let host = of("/proc/sys/kernel/hostname").unwrap_or_else(|| "an unknown host".to_owned());
    let name = format!("process {} of {host}", std::process::id());
    let ledger = fs::canonicalize(ledger).unwrap_or_else(|_| ledger.to_owned());
    // Without a name for this machine's run, no earlier process counts as ours.
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
