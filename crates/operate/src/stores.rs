//! Which store holds the records of a role in a cluster.
//!
//! The order for executors: the one that `--state-topic` or `--lease` asks for, `--zookeeper`, Kubernetes in a pod, the
//! state topic. Daemons are looked for in the same kind of store, under the names that they have by default.

use crate::cluster::{ClaimBy, ClusterAccess};
use crate::error::{Error, HeldBy};
use crate::live;
use crate::runtime::us;
use crate::state_topic;
use ::kubernetes::{Access, Name};
use ::zookeeper::{DEFAULT_OVERRIDES_PREFIX, ZooKeeperAddress};
use coordination::{Holder, Lead, LeaseStore, Role, Store, Wait};
use sha2::{Digest, Sha256};

/// The daemons' default Lease.
pub const DAEMON_LEASE: &str = "autothrottle";
/// The parent znode for the executors of all clusters.
const EXECUTORS: &str = "/topicmappr/executors";

/// The Lease of a cluster. Its name contains a hash of the cluster id, because cluster ids are not valid names in
/// Kubernetes.
#[must_use]
pub fn lease_of(namespace: &str, cluster_id: &str) -> Name {
    let hash = Sha256::digest(cluster_id.as_bytes());
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Name::new(namespace, &format!("mappr-cluster-{hash}"))
}

/// Takes a Lease for one command. An empty namespace is our own.
///
/// # Errors
/// [`Error::Held`] if its holder is alive, which takes as long as the Lease lasts.
pub async fn take_lease(access: &Access, lease: Name) -> Result<Lead, Error> {
    let store = Store::Kubernetes(LeaseStore::of_executors(access.clone(), lease));
    let tell = |holder: &str| tracing::info!(holder, "another process holds the lease");
    // A Lease does not need the place of its holder.
    Ok(store.lead(Holder::new(us(), ""), Wait::ForTheDead, tell).await?)
}

/// The store of the cluster's executors; `None`: the operator confirms that there is no other executor.
pub fn executors(
    claim: &ClaimBy,
    access: &ClusterAccess,
    cluster_id: &str,
) -> Result<Option<Store>, Error> {
    let lease =
        |lease: Name| Store::Kubernetes(LeaseStore::of_executors(access.kubernetes.clone(), lease));
    Ok(Some(match (claim, &access.zookeeper) {
        (ClaimBy::Nothing, _) => return Ok(None),
        (ClaimBy::Topic, _) => topic(access, Role::Executor)?,
        (ClaimBy::Lease(name), _) => lease(name.clone()),
        (ClaimBy::Default, Some(place)) => {
            executors_in_zookeeper(live::chrooted(place)?, cluster_id)
        }
        (ClaimBy::Default, None) if access.kubernetes.in_pod => lease(lease_of("", cluster_id)),
        (ClaimBy::Default, None) => topic(access, Role::Executor)?,
    }))
}

/// The store where the cluster's daemons are looked for: of the same kind as that of the executors, also with
/// `--sole-executor`.
pub fn daemons(claim: &ClaimBy, access: &ClusterAccess) -> Result<Store, Error> {
    let in_namespace = |namespace: &str| daemons_lease(access.kubernetes.clone(), namespace);
    Ok(match (claim, &access.zookeeper) {
        (ClaimBy::Topic, _) => topic(access, Role::Daemon)?,
        (ClaimBy::Lease(name), _) => in_namespace(&name.namespace),
        (ClaimBy::Default | ClaimBy::Nothing, Some(place)) => {
            daemons_in_zookeeper(live::ensemble(place)?, DEFAULT_OVERRIDES_PREFIX)
        }
        (ClaimBy::Default | ClaimBy::Nothing, None) if access.kubernetes.in_pod => in_namespace(""),
        (ClaimBy::Default | ClaimBy::Nothing, None) => topic(access, Role::Daemon)?,
    })
}

/// The znodes of a cluster's executors.
#[must_use]
pub fn executors_in_zookeeper(address: ZooKeeperAddress, cluster_id: &str) -> Store {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let cluster: String = cluster_id.chars().map(plain).collect();
    Store::ZooKeeper { address, folder: format!("{EXECUTORS}/{cluster}") }
}

/// The znodes of daemons with this prefix (`--zk-config-prefix`).
#[must_use]
pub fn daemons_in_zookeeper(address: ZooKeeperAddress, prefix: &str) -> Store {
    Store::ZooKeeper { address, folder: format!("/{}", prefix.trim_matches('/')) }
}

fn daemons_lease(access: Access, namespace: &str) -> Store {
    let lease = Name::new(namespace, DAEMON_LEASE);
    let (duration, role) = (LeaseStore::OF_EXECUTORS, Role::Daemon);
    Store::Kubernetes(LeaseStore { access, lease, duration, role })
}

/// The records of a role in the topic of shared state.
pub(crate) fn topic(access: &ClusterAccess, role: Role) -> Result<Store, Error> {
    let access = live::data_plane(&access.bootstrap, access.properties.as_deref())?;
    Ok(Store::Topic { access, role })
}

/// Whether the store exists. The state topic may be missing, as far as this user sees.
pub async fn exists(client: &kafka::Client, store: &Store) -> Result<bool, Error> {
    Ok(!matches!(store, Store::Topic { .. }) || state_topic::exists(client).await?)
}

impl From<coordination::Error> for Error {
    fn from(error: coordination::Error) -> Self {
        use coordination::Error as Of;
        match error {
            Of::Held { lock, holder } => Self::Held(HeldBy { lock, holder }),
            Of::Lost { lock, why } | Of::Ended { lock, why } => Self::LockLost { lock, why },
            Of::Silent { store, why } => Self::Silent { store, why },
            Of::Unreadable { name, problem } => Self::Record { name, problem },
            Of::Topic(error) => Self::Claim(error),
            Of::ZooKeeper(error) => Self::ZooKeeper(error),
            Of::Lines(error) => Self::Lines(error),
            Of::Kubernetes(error) => match *error {
                // A missing right is one that the executor's manifest grants.
                ::kubernetes::Error::Forbidden { .. } => Self::LockRights(error),
                _ => Self::Kubernetes(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ZooKeeperPlace;

    fn access(zookeeper: bool, in_pod: bool) -> ClusterAccess {
        let place = || {
            let (connect, metrics_prefix) = ("z:2181".to_owned(), "topicmappr".to_owned());
            ZooKeeperPlace { connect, chroot: None, config: None, metrics_prefix }
        };
        ClusterAccess {
            bootstrap: "a:1".to_owned(),
            properties: None,
            zookeeper: zookeeper.then(place),
            kubernetes: Access { in_pod, ..Access::default() },
        }
    }

    fn both(claim: &ClaimBy, zookeeper: bool, in_pod: bool) -> (String, String) {
        let access = access(zookeeper, in_pod);
        let executors = executors(claim, &access, "c/1").unwrap();
        let executors = executors.map_or("nowhere".to_owned(), |store| store.name());
        (executors, daemons(claim, &access).unwrap().name())
    }

    #[test]
    fn ids_that_differ_in_case_alone_have_leases_of_their_own() {
        let name = lease_of("kafka", "MkU3OEVBNTcwNTJENDM2Qg").name;
        assert!(
            name.len() < 63
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        );
        assert_ne!(name, lease_of("kafka", "mkU3OEVBNTcwNTJENDM2Qg").name);
    }

    #[test]
    fn the_first_store_that_applies_holds_the_records() {
        let topic = "the topic __mappr_state";
        let znodes =
            ("zookeeper z:2181, /topicmappr/executors/c_1", "zookeeper z:2181, /autothrottle");
        let named = ClaimBy::Lease(Name::new("kafka", "l"));
        let is = |found: (String, String), executors: &str, daemons: &str| {
            assert_eq!(found, (executors.to_owned(), daemons.to_owned()));
        };
        is(both(&ClaimBy::Default, true, true), znodes.0, znodes.1);
        let (lease, daemons) = both(&ClaimBy::Default, false, true);
        assert!(lease.starts_with("lease mappr-cluster-"), "{lease}");
        assert_eq!(daemons, "lease autothrottle");
        is(both(&ClaimBy::Default, false, false), topic, topic);
        is(both(&named, true, false), "lease kafka/l", "lease kafka/autothrottle");
        is(both(&ClaimBy::Topic, true, true), topic, topic);
        is(both(&ClaimBy::Nothing, true, true), "nowhere", znodes.1);
    }

    #[test]
    fn a_missing_right_names_the_verb_and_the_manifest_that_grants_it() {
        let name = Name::new("kafka", "l-records");
        let request = ::kubernetes::ApiRequest::about("update", "configmaps", &name);
        let (user, message) = (None, String::new());
        let error = ::kubernetes::Error::Forbidden { request, user, message };
        let error = Error::from(coordination::Error::from(error));
        assert_eq!(error.to_string(), "we may not update configmaps kafka/l-records");
        let hint = error.hint().unwrap();
        let grant = "grant verb update on configmaps in a Role in namespace kafka, as deploy/manifests/execute.yaml does";
        assert!(hint.starts_with(grant), "{hint}");
        assert_eq!(error.status(), crate::status::Status::Outside);
    }
}
