//! One run at a time, on any machine: a Lease, named after the cluster to change or the state to keep.

use crate::error::Error;
use crate::error::HeldBy;
use crate::runtime::us;
use ::kubernetes::lease::{Held, LeaseError, LeaseTerms};
use ::kubernetes::{Kubernetes, Name};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The duration of the Lease: the next run waits this long after a run was killed.
const LEASE: Duration = Duration::from_secs(15);

/// The Lease of a cluster. Its name contains a hash of the cluster id, because cluster ids are not valid names in
/// Kubernetes.
pub fn lease_of(namespace: &str, cluster_id: &str) -> Name {
    let hash = Sha256::digest(cluster_id.as_bytes());
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Name::new(namespace, &format!("mappr-cluster-{hash}"))
}

/// The full name of a Lease; without a namespace, the Lease is in our own.
pub fn whole(name: Name, kubernetes: &Kubernetes) -> Name {
    match name.namespace.is_empty() {
        true => Name::new(kubernetes.namespace(), &name.name),
        false => name,
    }
}

/// A Lease that this process holds.
#[derive(Debug)]
pub struct Guard(Box<Held>);

impl Guard {
    /// Takes the Lease.
    ///
    /// # Errors
    /// [`Error::Held`] with its holder.
    pub async fn take(kubernetes: &Kubernetes, name: Name) -> Result<Self, Error> {
        let terms = LeaseTerms { name, holder: us(), duration: LEASE };
        Ok(Self(Box::new(kubernetes.acquire(&terms).await.map_err(not_ours)?)))
    }

    /// Runs `work` while this process holds the Lease, then releases it.
    pub async fn during<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Self(mut lease) = self;
        let done = tokio::select! {
            done = work => done,
            lost = lease.keep() => Err(not_ours(lost)),
        };
        if let Err(error) = lease.release().await {
            tracing::warn!(%error, "the lease ends by itself, in some seconds");
        }
        done
    }
}

fn not_ours(error: LeaseError) -> Error {
    let held = |lock: String, holder: String| Error::Held(HeldBy { lock, holder });
    match error {
        LeaseError::Api(error) => error.into(),
        LeaseError::Held { name, holder, since } => {
            let since = since.map(|since| format!(", renewed at {since}")).unwrap_or_default();
            held(format!("lease {name}"), format!("{holder}{since}"))
        }
        LeaseError::Lost { name, reason } => {
            Error::LockLost { lock: format!("lease {name}"), why: reason }
        }
        other => held("the lease".to_owned(), other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_differ_in_case_alone_have_leases_of_their_own() {
        let name = lease_of("kafka", "MkU3OEVBNTcwNTJENDM2Qg").name;
        assert!(
            name.len() < 63
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        );
        assert_ne!(name, lease_of("kafka", "mkU3OEVBNTcwNTJENDM2Qg").name);
    }
}
