//! Where the records of one role in one cluster are.

use crate::file::FileLead;
use crate::kubernetes::KubernetesLead;
use crate::lead::{Lead, LeadBackend};
use crate::topic::TopicLead;
use crate::zookeeper::ZooKeeperLead;
use crate::{Error, Holder, Records, Role};
use ::kubernetes::{Access, Name};
use ::zookeeper::ZooKeeperAddress;
use statelog::TOPIC;
use std::path::PathBuf;
use std::time::Duration;

/// The records of one role in one cluster, and the lock on them.
#[derive(Debug, Clone)]
pub enum Store {
    /// In the topic `__mappr_state` of the cluster itself, under a claim.
    Topic {
        /// How librdkafka reaches the cluster.
        access: statelog::Access,
        /// The role.
        role: Role,
    },
    /// In znodes of one folder: `FOLDER/lock`, `FOLDER/records/NAME`, `FOLDER/taken/by`.
    ZooKeeper {
        /// The ensemble.
        address: ZooKeeperAddress,
        /// The folder's full path.
        folder: String,
    },
    /// In ConfigMaps next to a Lease.
    Kubernetes(LeaseStore),
    /// In a file on this machine, under the system's lock. Each role has its own file. No other store shows it.
    File {
        /// The file.
        path: PathBuf,
    },
}

/// A Lease, with records in ConfigMaps next to it: `LEASE-records` or `LEASE-state`, then `-1`, `-2` and so on.
#[derive(Debug, Clone)]
pub struct LeaseStore {
    /// The API.
    pub access: Access,
    /// The Lease; an empty namespace is our own.
    pub lease: Name,
    /// How long the Lease is valid without a renewal: whole seconds.
    pub duration: Duration,
    /// The role.
    pub role: Role,
}

impl LeaseStore {
    /// The duration of an executor's Lease: the next run waits this long after a run was killed.
    pub const OF_EXECUTORS: Duration = Duration::from_secs(15);

    /// The Lease of executors.
    #[must_use]
    pub fn of_executors(access: Access, lease: Name) -> Self {
        Self { access, lease, duration: Self::OF_EXECUTORS, role: Role::Executor }
    }
}

/// How long to wait for a lead that another process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it ends, however long.
    Forever,
    /// Only to find out that its holder has died. A live holder is an error.
    ForTheDead,
}

/// The records as they are, and who leads.
#[derive(Debug)]
pub struct Seen {
    /// The lock in words.
    pub lock: String,
    /// The process that leads, or that led when it died some seconds ago.
    pub holder: Option<String>,
    /// The records.
    pub records: Records,
}

impl Store {
    /// The store in words, for operators.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Topic { .. } => format!("the topic {TOPIC}"),
            Self::ZooKeeper { address, folder } => {
                format!("zookeeper {}, {folder}", address.servers().join(","))
            }
            Self::Kubernetes(store) => format!("lease {}", store.lease),
            Self::File { path } => path.display().to_string(),
        }
    }

    /// Reads the records alone, without a right on the lock.
    ///
    /// # Errors
    /// As [`seen`](Self::seen).
    pub async fn records(&self) -> Result<Records, Error> {
        match self {
            Self::Topic { access, role } => TopicLead::records(access.clone(), *role).await,
            Self::ZooKeeper { address, folder } => ZooKeeperLead::records(address, folder).await,
            Self::Kubernetes(store) => KubernetesLead::records(store).await,
            Self::File { path } => Ok(FileLead::seen(path)?.records),
        }
    }

    /// Reads the records and the holder. Takes and creates nothing: a topic, folder or file that is missing has no
    /// records.
    ///
    /// # Errors
    /// The store does not answer, or a ConfigMap or the file is not ours. The texts of records are not checked.
    pub async fn seen(&self) -> Result<Seen, Error> {
        match self {
            Self::Topic { access, role } => TopicLead::seen(access.clone(), *role).await,
            Self::ZooKeeper { address, folder } => ZooKeeperLead::seen(address, folder).await,
            Self::Kubernetes(store) => KubernetesLead::seen(store).await,
            Self::File { path } => FileLead::seen(path),
        }
    }

    /// The live process that leads, if there is one. Takes nothing. May watch a record for some seconds.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn leader(&self) -> Result<Option<String>, Error> {
        match self {
            Self::Topic { access, role } => TopicLead::leader(access.clone(), *role).await,
            Self::ZooKeeper { address, folder } => ZooKeeperLead::leader(address, folder).await,
            Self::Kubernetes(store) => KubernetesLead::leader(store).await,
            Self::File { path } => Ok(FileLead::seen(path)?.holder),
        }
    }

    /// Takes the lead. `tell` gets the name of each process that has it while this call waits. The topic must exist.
    ///
    /// # Errors
    /// [`Error::Held`], only with [`Wait::ForTheDead`]; or the store's error.
    pub async fn lead(
        &self,
        holder: Holder,
        wait: Wait,
        tell: impl FnMut(&str) + Send,
    ) -> Result<Lead, Error> {
        let backend = match self {
            Self::Topic { access, role } => {
                let taken = TopicLead::take(access.clone(), *role, holder, wait, tell);
                LeadBackend::Topic(taken.await?)
            }
            Self::ZooKeeper { address, folder } => {
                let taken = ZooKeeperLead::take(address, folder, &holder, wait, tell);
                LeadBackend::ZooKeeper(Box::new(taken.await?))
            }
            Self::Kubernetes(store) => {
                let taken = KubernetesLead::take(store, &holder, wait, tell);
                LeadBackend::Kubernetes(Box::new(taken.await?))
            }
            Self::File { path } => {
                LeadBackend::File(Box::new(FileLead::take(path, &holder, wait, tell).await?))
            }
        };
        Ok(Lead::of(backend))
    }
}
