//! One executor at a time in a cluster, on any machine: a lock in the first place that applies.
//!
//! The order of places: the one that `--state-topic` or `--lease` asks for, `--zookeeper`, Kubernetes in a pod, the
//! state topic. The state topic is created on first use. The lock is checked before each write to the cluster.

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
use execute::JournalEntry;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// The time limit for one attempt to take a lost lock again: an attempt blocks the round and delays signals. A
/// cancelled attempt leaves nothing behind, and the next look comes first.
const AGAIN: Duration = Duration::from_secs(5);

/// The place of the lock.
#[derive(Debug)]
pub(super) enum Place {
    /// No lock: the operator confirms that there is no other executor.
    Nowhere,
    ZooKeeper(ZooKeeperPlace),
    /// A Lease; `None`: the Lease of the cluster, in our own namespace.
    Lease(Option<Name>),
    /// The state topic of the cluster.
    Topic,
}

impl Place {
    /// The first place that applies.
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

/// A lock that this process holds. If it is dropped, it expires after some seconds.
#[derive(Debug)]
pub(super) enum Lock {
    Topic(TopicLock),
    ZooKeeper(Box<ZooKeeperLock>),
    Lease(Box<LeaseLock>),
}

/// The state of a lock that another process may hold.
#[derive(Debug)]
pub(super) struct Seen {
    /// The place in words.
    pub(super) place: String,
    /// The process that holds the lock, or that held it when it died some seconds ago.
    pub(super) holder: Option<String>,
    pub(super) records: Records,
}

/// Why this process may not change the cluster.
#[derive(Debug)]
pub(super) enum NotOurs {
    /// The lock cannot be confirmed now; a later check may succeed.
    ForNow(String),
    /// The lock has expired, and may be free. It must be taken again before any write.
    Ended(String),
    /// Another process holds the lock, or has held it since.
    ForGood(Error),
}

impl Lock {
    /// Checks that this process still holds the lock.
    pub(super) async fn check(&self) -> Result<(), NotOurs> {
        match self {
            Self::Topic(lock) => lock.check(),
            Self::ZooKeeper(lock) => lock.check().await,
            Self::Lease(lock) => lock.check(),
        }
    }

    /// Takes an expired lock again, and returns the records next to it. Waits only briefly.
    pub(super) async fn take_again(&mut self) -> Result<Records, NotOurs> {
        let again = async {
            match self {
                // The claim itself renews when it is about to expire, and is taken again after it was fenced.
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

    /// The records that the former holder left next to the lock.
    pub(super) async fn records(&mut self) -> Result<Records, Error> {
        match self {
            Self::Topic(lock) => lock.records().await,
            Self::ZooKeeper(lock) => lock.records().await,
            Self::Lease(lock) => lock.records().await,
        }
    }

    /// Writes records; the store refuses them from any other process than the holder.
    pub(super) async fn write(&mut self, changes: &Changes) -> Result<(), NotOurs> {
        match self {
            Self::Topic(lock) => lock.write(changes).await,
            Self::ZooKeeper(lock) => lock.write(changes).await,
            Self::Lease(lock) => lock.write(changes).await,
        }
    }

    /// Reports a journal line, if the lock's place supports events.
    pub(super) fn tell(&mut self, entry: &JournalEntry, plan: &str) {
        if let (Self::Lease(lock), Some((reason, note))) = (self, event(entry, plan)) {
            lock.tell(reason, note);
        }
    }

    /// Releases the lock, so that the next run need not wait.
    pub(super) async fn release(self) {
        match self {
            Self::Topic(lock) => lock.release().await,
            Self::ZooKeeper(lock) => drop(lock),
            Self::Lease(lock) => lock.release().await,
        }
    }
}

/// The Event for a journal line; `None` for lines that no operator waits for.
fn event(entry: &JournalEntry, plan: &str) -> Option<(&'static str, String)> {
    match entry {
        JournalEntry::Started { .. } => Some(("ExecutionBegun", format!("plan {plan}"))),
        JournalEntry::Resumed { .. } => Some(("ExecutionResumed", format!("plan {plan}"))),
        JournalEntry::Paused { partitions } => {
            let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
            Some(("ExecutionPaused", format!("new moves wait for {}", names.join(", "))))
        }
        JournalEntry::Unpaused => Some(("ExecutionUnpaused", "new moves go on".to_owned())),
        JournalEntry::Detached => {
            Some(("ExecutionDetached", "moves and throttle go on without it".to_owned()))
        }
        JournalEntry::Finished { outcome } => {
            Some(("ExecutionEnded", format!("{outcome:?}, plan {plan}")))
        }
        _ => None,
    }
}

/// Converts the stored bytes of records to text.
fn texts(found: BTreeMap<String, Vec<u8>>) -> Records {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    found.into_iter().map(|(name, bytes)| (name, text(bytes))).collect()
}

/// The error for a lock that another process holds.
fn held(lock: String, holder: impl Into<String>) -> Error {
    Error::Held(HeldBy { lock, holder: holder.into() })
}

/// The error for a lock that another process took from this one.
pub(super) fn lost(lock: String, why: impl Into<String>) -> NotOurs {
    NotOurs::ForGood(Error::LockLost { lock, why: why.into() })
}

/// The error of the Kubernetes API. A missing right is one that the executor's manifest grants.
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
