//! One executor at a time in a cluster, on whichever machine: a lock, in the first place for it that applies.
//!
//! Whoever is asked for is taken: `--state-topic`, `--lease`. Else `--zookeeper`, Kubernetes in a pod, and the state topic,
//! which is made on first use. Before each write to the cluster the lock is asked whether it is still ours.

mod away;
mod config_maps;
mod journal;
mod lease;
mod records;
mod topic;
mod zookeeper;

pub(super) use away::Away;
pub(crate) use config_maps::RECORDS_KEY;
pub(super) use journal::{next_gist, put_gist, put_line};
pub(super) use lease::LeaseLock;
pub(super) use records::{
    Changes, Owner, Records, Told, came_between, changes, put_owner, put_setting,
};
pub(super) use topic::TopicLock;
pub(super) use zookeeper::ZooKeeperLock;

use crate::cluster::{ClaimBy, ZooKeeperPlace};
use crate::error::Error;
use crate::error::HeldBy;
use ::kubernetes::Name;
use execute::Entry;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// How long one attempt to take a lost lock again may hold a round up, and with it a signal. An attempt that is dropped
/// leaves nothing, and the next look comes first.
const AGAIN: Duration = Duration::from_secs(5);

/// Where the lock is.
#[derive(Debug)]
pub(super) enum Place {
    /// Nobody else is there, says the operator.
    Nowhere,
    ZooKeeper(ZooKeeperPlace),
    /// None: the Lease of the cluster, in our own namespace.
    Lease(Option<Name>),
    /// A topic of the cluster itself.
    Topic,
}

impl Place {
    /// The first that applies.
    pub(super) fn of(claim: &ClaimBy, zookeeper: Option<ZooKeeperPlace>, in_pod: bool) -> Self {
        match (claim, zookeeper) {
            (ClaimBy::Nothing, _) => Self::Nowhere,
            (ClaimBy::Topic, _) => Self::Topic,
            (ClaimBy::Lease(name), _) => Self::Lease(Some(name.clone())),
            (ClaimBy::Default, Some(place)) => Self::ZooKeeper(place),
            (ClaimBy::Default, None) if in_pod => Self::Lease(None),
            (ClaimBy::Default, None) => Self::Topic,
        }
    }
}

/// A lock that is ours. Dropped, it ends by itself, in some seconds.
#[derive(Debug)]
pub(super) enum Lock {
    Topic(TopicLock),
    ZooKeeper(Box<ZooKeeperLock>),
    Lease(Box<LeaseLock>),
}

/// What whoever looks on finds.
#[derive(Debug)]
pub(super) struct Seen {
    /// In words.
    pub(super) place: String,
    /// Who has the lock, or had it when it died, a little while ago.
    pub(super) holder: Option<String>,
    pub(super) records: Records,
}

/// Why the cluster may not be acted on.
#[derive(Debug)]
pub(super) enum NotOurs {
    /// Nobody can say whose it is now; that may change.
    ForNow(String),
    /// It is ours no more, and maybe nobody's: to be taken again before anything is written.
    Ended(String),
    /// Somebody else has it, or had it meanwhile.
    ForGood(Error),
}

impl Lock {
    /// Asks whether it is still ours.
    pub(super) async fn check(&self) -> Result<(), NotOurs> {
        match self {
            Self::Topic(lock) => lock.check(),
            Self::ZooKeeper(lock) => lock.check().await,
            Self::Lease(lock) => lock.check(),
        }
    }

    /// Takes it again after it has ended; what stands beside it now. Waits for a moment only.
    pub(super) async fn take_again(&mut self) -> Result<Records, NotOurs> {
        let again = async {
            match self {
                // A claim that runs out is renewed, and one that was fenced taken again, by the claim itself.
                Self::Topic(lock) => lock.take_again().await,
                Self::ZooKeeper(lock) => lock.take_again().await,
                Self::Lease(lock) => lock.take_again().await,
            }
        };
        match timeout(AGAIN, again).await {
            Ok(taken) => taken,
            Err(_) => {
                Err(NotOurs::ForNow(format!("it is not had again within {} s", AGAIN.as_secs())))
            }
        }
    }

    /// What whoever had the lock before has left beside it.
    pub(super) async fn records(&mut self) -> Result<Records, Error> {
        match self {
            Self::Topic(lock) => lock.records().await,
            Self::ZooKeeper(lock) => lock.records().await,
            Self::Lease(lock) => lock.records().await,
        }
    }

    /// Writes records, as the holder of the lock and as nobody else.
    pub(super) async fn write(&mut self, changes: &Changes) -> Result<(), NotOurs> {
        match self {
            Self::Topic(lock) => lock.write(changes).await,
            Self::ZooKeeper(lock) => lock.write(changes).await,
            Self::Lease(lock) => lock.write(changes).await,
        }
    }

    /// Tells what is written into the journal, where the lock's place has somebody who hears it.
    pub(super) fn tell(&mut self, entry: &Entry, plan: &str) {
        if let (Self::Lease(lock), Some((reason, note))) = (self, event(entry, plan)) {
            lock.tell(reason, note);
        }
    }

    /// Gives it back, so that the next need not wait.
    pub(super) async fn release(self) {
        match self {
            Self::Topic(lock) => lock.release().await,
            Self::ZooKeeper(lock) => drop(lock),
            Self::Lease(lock) => lock.release().await,
        }
    }
}

/// A line of the journal as an Event, if people wait for it.
fn event(entry: &Entry, plan: &str) -> Option<(&'static str, String)> {
    match entry {
        Entry::Started { .. } => Some(("ExecutionBegun", format!("plan {plan}"))),
        Entry::Resumed { .. } => Some(("ExecutionResumed", format!("plan {plan}"))),
        Entry::Paused { partitions } => {
            let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
            Some(("ExecutionPaused", format!("new moves wait for {}", names.join(", "))))
        }
        Entry::Unpaused => Some(("ExecutionUnpaused", "new moves go on".to_owned())),
        Entry::Detached => {
            Some(("ExecutionDetached", "moves and throttle go on without it".to_owned()))
        }
        Entry::Finished { outcome } => {
            Some(("ExecutionEnded", format!("{outcome:?}, plan {plan}")))
        }
        _ => None,
    }
}

/// Records as they are kept in bytes.
fn texts(found: BTreeMap<String, Vec<u8>>) -> Records {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    found.into_iter().map(|(name, bytes)| (name, text(bytes))).collect()
}

/// Somebody else has it.
fn held(lock: String, holder: impl Into<String>) -> Error {
    Error::Held(HeldBy { lock, holder: holder.into() })
}

/// It was ours, and somebody else has or had it since.
pub(super) fn lost(lock: String, why: impl Into<String>) -> NotOurs {
    NotOurs::ForGood(Error::LockLost { lock, why: why.into() })
}

/// Kubernetes did not do it; a missing right is one that the manifest of executors grants.
fn not_done(error: ::kubernetes::Error) -> Error {
    match error {
        ::kubernetes::Error::Forbidden { .. } => Error::LockRights(Box::new(error)),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_names_the_verb_and_the_manifest_that_grants_it() {
        let name = Name::new("kafka", "l-records");
        let request = ::kubernetes::Request::about("update", "configmaps", &name);
        let (user, message) = (None, String::new());
        let error = not_done(::kubernetes::Error::Forbidden { request, user, message });
        assert_eq!(error.to_string(), "we may not update configmaps kafka/l-records");
        let hint = error.hint().unwrap();
        let grant = "grant verb update on configmaps in a Role in namespace kafka, as deploy/manifests/execute.yaml does";
        assert!(hint.starts_with(grant), "{hint}");
        assert_eq!(error.status(), crate::status::Status::Outside);
    }

    #[test]
    fn the_first_place_that_applies_has_the_lock() {
        let zookeeper = || {
            let (connect, metrics_prefix) = ("z:2181".to_owned(), "topicmappr".to_owned());
            Some(ZooKeeperPlace { connect, chroot: None, metrics_prefix })
        };
        let of = |claim: &ClaimBy, zookeeper, in_pod| match Place::of(claim, zookeeper, in_pod) {
            Place::Nowhere => "nowhere".to_owned(),
            Place::ZooKeeper(place) => place.connect,
            Place::Lease(name) => {
                format!("lease {}", name.map(|name| name.name).unwrap_or_default())
            }
            Place::Topic => "topic".to_owned(),
        };
        assert_eq!(of(&ClaimBy::Default, zookeeper(), true), "z:2181");
        assert_eq!(of(&ClaimBy::Default, None, true), "lease ");
        assert_eq!(of(&ClaimBy::Default, None, false), "topic");
        let named = ClaimBy::Lease(Name::new("kafka", "l"));
        assert_eq!(of(&named, zookeeper(), false), "lease l");
        assert_eq!(of(&ClaimBy::Topic, zookeeper(), true), "topic");
        assert_eq!(of(&ClaimBy::Nothing, zookeeper(), true), "nowhere");
    }
}
