//! Takes the cluster's lock for an execution, asks it before each write, and gives it back.

use super::lock::{LeaseLock, Lock, NotOurs, Place, Seen, TopicLock, ZooKeeperLock};
use super::seats::seats;
use super::{Books, Execution, Places};
use crate::error::Error;
use crate::flags::{ClaimArgs, Servers, Source};
use crate::live;
use crate::marks::Common;
use crate::session::Session;
use crate::source::Note;
use futures::{StreamExt, stream};
use kafka::admin::Cluster;
use kafka::{Pem, PemSource, Roots, Settings};
use mapper::{BrokerId, Plan};
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
    pub(crate) async fn claim(
        &mut self,
        args: &ClaimArgs,
        places: &Places,
        resumes: bool,
        session: &mut Session<'_, '_>,
    ) -> Result<(), Error> {
        if self.books.is_none() {
            return self.look_beside(args, places, session).await;
        }
        if self.books.as_ref().is_some_and(|books| books.lock.is_some()) {
            return Ok(());
        }
        self.meet(args, places, session).await?;
        let us = holder(&places.ledger);
        let cluster = (self.client, self.cluster_id);
        let lock = taken(cluster, place(args, session)?, &us, Some(self.plan), session).await?;
        if let Some(books) = self.books.as_mut() {
            books.lock = lock;
        }
        let taken = self.take_over(&us, &places.journal, resumes, session).await;
        if taken.is_err() {
            // Whoever tries again need not wait until the lock ends by itself.
            self.leave().await;
        }
        taken
    }

    /// The same before anything is agreed to: a topic that nobody has made yet keeps nobody out, and is not made now.
    pub(crate) async fn claim_where_there(
        &mut self,
        args: &ClaimArgs,
        places: &Places,
        session: &mut Session<'_, '_>,
    ) -> Result<(), Error> {
        let (place, _) = place(args, session)?;
        if matches!(place, Place::Topic) && !self.client.has_topic(TOPIC).await? {
            return Ok(());
        }
        self.claim(args, places, true, session).await
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
    session: &mut Session<'_, '_>,
) -> Result<Option<Lock>, Error> {
    Ok(match place {
        Place::Nowhere => None,
        Place::Topic => Some(taken_in_topic(client, us.clone(), plan, session).await?),
        Place::ZooKeeper(place) => {
            say_waiting("ZooKeeper", session)?;
            let name = format!("{}, {}", us.name, us.instance());
            let lock = ZooKeeperLock::take(&place, cluster_id, &name).await?;
            Some(Lock::ZooKeeper(Box::new(lock)))
        }
        Place::Lease(name) => {
            say_waiting("Kubernetes", session)?;
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
    session: &mut Session<'_, '_>,
) -> Result<Lock, Error> {
    let access = topic_access(session)?;
    let topic = if client.has_topic(TOPIC).await? {
        say_waiting(TOPIC, session)?;
        TopicLock::existing(access).await?
    } else {
        let cluster = client.describe_cluster().await?;
        let brokers = seats(&cluster, plan, &cordoned(client, &cluster).await, REPLICATION);
        let topic = TopicLock::make(access, &brokers).await?;
        if topic.is_new() {
            session.say(&made(&brokers))?;
        }
        topic
    };
    Ok(Lock::Topic(TopicLock::take(topic, us).await?))
}

/// Where the lock is, and how to get at Kubernetes.
pub(super) fn place(
    args: &ClaimArgs,
    session: &Session<'_, '_>,
) -> Result<(Place, ::kubernetes::Access), Error> {
    let zookeeper = match session.global.source.source()? {
        Source::Live(Servers::Kafka { metrics, .. }) => metrics,
        Source::Live(Servers::ZooKeeper(_)) | Source::File(_) => None,
    };
    let access = session.global.kubernetes.access(session.environment);
    Ok((Place::of(args, zookeeper, access.in_pod), access))
}

/// Where daemons leave their marks: where the lock is, or would be if another executor could be there.
pub(crate) fn common(args: &ClaimArgs, session: &Session<'_, '_>) -> Result<Common, Error> {
    let args = ClaimArgs { sole_executor: false, ..args.clone() };
    let (place, kubernetes) = place(&args, session)?;
    Ok(match place {
        Place::ZooKeeper(place) => Common::ZooKeeper(live::ensemble(&place)?),
        Place::Lease(name) => {
            let namespace = name.map(|name| name.namespace).filter(|name| !name.is_empty());
            Common::Kubernetes(kubernetes, namespace)
        }
        Place::Nowhere | Place::Topic => Common::Topic(topic_access(session)?),
    })
}

/// What stands at the lock; `None` where there is none. Takes and makes nothing.
pub(super) async fn seen(
    client: &kafka::Client,
    cluster_id: &str,
    args: &ClaimArgs,
    session: &Session<'_, '_>,
) -> Result<Option<Seen>, Error> {
    let (place, kubernetes) = place(args, session)?;
    match place {
        Place::Nowhere => Ok(None),
        Place::ZooKeeper(place) => ZooKeeperLock::seen(&place, cluster_id).await.map(Some),
        Place::Lease(name) => LeaseLock::seen(&kubernetes, name, cluster_id).await.map(Some),
        Place::Topic if !client.has_topic(TOPIC).await? => Ok(None),
        Place::Topic => TopicLock::seen(topic_access(session)?).await.map(Some),
    }
}

fn topic_access(session: &Session<'_, '_>) -> Result<Access, Error> {
    let (bootstrap, properties) = session.global.source.brokers()?;
    Ok(access(&live::settings(&bootstrap, properties.as_deref())?))
}

/// Whoever carries plans out makes the first topic of ours in a cluster: it is not to come as a surprise.
fn made(brokers: &[BrokerId]) -> Note {
    let ids: Vec<String> = brokers.iter().map(ToString::to_string).collect();
    Note::new(format!(
        "made the topic {TOPIC} on broker(s) {}, compacted, in which executors claim the cluster; --sole-executor does without",
        ids.join(", ")
    ))
}

fn say_waiting(place: &str, session: &mut Session<'_, '_>) -> Result<(), Error> {
    session.say(&Note::new(format!(
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

/// librdkafka's properties for the same cluster, as the same user.
pub(crate) fn access(settings: &Settings) -> Access {
    let bootstrap: Vec<String> = settings.bootstrap.iter().map(ToString::to_string).collect();
    let mut properties = vec![
        ("bootstrap.servers", bootstrap.join(",")),
        ("security.protocol", settings.protocol.to_string()),
        ("client.id", settings.client_id.clone()),
    ];
    if let Some(tls) = &settings.tls {
        let check = if tls.check_name { "https" } else { "none" };
        properties.push(("ssl.endpoint.identification.algorithm", check.to_owned()));
        properties.push(match &tls.roots {
            Roots::System => ("ssl.ca.location", "probe".to_owned()),
            Roots::Pem(pem) => pem_property(pem, "ssl.ca.location", "ssl.ca.pem"),
        });
        if let Some(identity) = &tls.identity {
            let chain = (&identity.chain, "ssl.certificate.location", "ssl.certificate.pem");
            let key = (&identity.key, "ssl.key.location", "ssl.key.pem");
            let both = [chain, key].map(|(pem, file, inline)| pem_property(pem, file, inline));
            properties.extend(both);
        }
    }
    if let Some(sasl) = &settings.sasl {
        properties.push(("sasl.mechanism", sasl.mechanism.to_string()));
        properties.push(("sasl.username", sasl.user.clone()));
        properties.push(("sasl.password", sasl.password.expose().to_owned()));
    }
    Access::new(properties)
}

fn pem_property(pem: &Pem, file: &'static str, inline: &'static str) -> (&'static str, String) {
    match &pem.source {
        PemSource::File(path) => (file, path.display().to_string()),
        PemSource::Inline(text) => (inline, text.expose().to_owned()),
    }
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

    #[test]
    fn librdkafka_is_given_what_our_own_client_was() {
        let text = "bootstrap.servers=a:1,b:2\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
                    sasl.username=u\nsasl.password=hunter2\nssl.ca.location=/ca.pem\n";
        let settings = Settings::from_properties(&kafka::Properties::parse(text).unwrap()).unwrap();
        let access = access(&settings);
        for key in ["bootstrap.servers", "sasl.mechanism", "sasl.password", "ssl.ca.location"] {
            assert!(format!("{access:?}").contains(key), "{access:?}");
        }
        assert!(!format!("{access:?}").contains("hunter2"));
    }
}
