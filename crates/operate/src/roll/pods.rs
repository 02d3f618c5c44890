//! The pods of some StatefulSets: reads them, and restarts them.

use crate::error::Error;
use crate::runtime;
use ::kubernetes::rolling::{Evicted, RollingSet};
use ::kubernetes::{Kubernetes, Name};
use execute::roll::Pod;
use mapper::BrokerId;

/// StatefulSets whose pods are restarted.
pub struct RollPods<'a> {
    /// Connection to the Kubernetes API.
    pub kubernetes: &'a Kubernetes,
    /// StatefulSets, by namespace and name.
    pub sets: Vec<Name>,
    /// Pods created before this time must restart, in seconds since 1970.
    pub since: Option<u64>,
}

impl RollPods<'_> {
    /// Reads the StatefulSets.
    pub(super) async fn look(&self) -> Result<Vec<RollingSet>, Error> {
        let mut sets = Vec::new();
        for name in &self.sets {
            sets.push(self.kubernetes.rolling(name).await?);
        }
        Ok(sets)
    }

    /// Their pods, with the id and the rack of the server in each.
    pub(super) fn of(
        &self,
        sets: &[RollingSet],
        id_of: impl Fn(&Name) -> Result<BrokerId, Error>,
        rack_of: impl Fn(BrokerId) -> Option<String>,
    ) -> Result<Vec<Pod>, Error> {
        let now = runtime::now_seconds();
        let mut pods = Vec::new();
        for set in sets {
            for pod in &set.pods {
                let id = id_of(&pod.name)?;
                let before = self.since.is_some_and(|since| pod.created_seconds < since);
                pods.push(Pod {
                    name: pod.name.to_string(),
                    uid: pod.uid.clone(),
                    id,
                    rack: rack_of(id),
                    outdated: before || pod.revision != set.update_revision,
                    ready: pod.ready,
                    terminating: pod.terminating,
                    age_seconds: now.saturating_sub(pod.created_seconds),
                });
            }
        }
        Ok(pods)
    }

    pub(super) async fn end(&self, pod: &Pod, delete: bool) -> Result<Evicted, Error> {
        let name = Name::parsed(&pod.name, "");
        Ok(match delete {
            true => self.kubernetes.delete_pod(&name, &pod.uid).await?,
            false => self.kubernetes.evict(&name, &pod.uid).await?,
        })
    }
}
