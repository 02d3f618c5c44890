//! The mark in Kubernetes: in the ConfigMap `autothrottle-marks` of a namespace, under the cluster's id. Also reads
//! the ledger next to the daemons' default Lease there.

use super::lines::{Lines, beside, entries};
use super::{Kept, LEASE, Left, Mark, MarkError, plain};
use ::kubernetes::shards::{Shards, ShardsError, managed_by};
use ::kubernetes::{Access, ConfigMap, Error, Kubernetes, Name};
use std::collections::BTreeMap;

const NAME: &str = "autothrottle-marks";
/// Attempts to write: other daemons may write at the same time, for their own clusters.
const ATTEMPTS: usize = 5;

pub(super) async fn read(
    access: &Access,
    namespace: Option<&str>,
    cluster_id: &str,
) -> Result<Left, MarkError> {
    let kubernetes = Kubernetes::connect(access).await?;
    let name = name(&kubernetes, namespace);
    let map = kubernetes.config_map(&name).await?;
    let mark = there(&name, map.as_ref(), cluster_id)?;
    let lease = Name::new(&name.namespace, LEASE);
    let kept = match ledger(kubernetes, &lease).await {
        // The mark matters more here: it names a ledger that this process may be unable to read.
        Err(error) if mark.is_some() && error.is_missing_right() => None,
        read => read?,
    };
    Ok(Left { mark, kept })
}

async fn ledger(kubernetes: Kubernetes, lease: &Name) -> Result<Option<Kept>, MarkError> {
    let first = beside(lease);
    let place = format!("ConfigMap {first}");
    match Shards::read(kubernetes, first, &Lines::of("")).await {
        Ok(shards) => Ok(Kept::of(place, entries(&shards))),
        Err(ShardsError::Unreadable { name, problem }) => {
            Err(MarkError::Ledger { place: format!("ConfigMap {name}"), problem })
        }
        Err(ShardsError::Api(error)) => Err(error.into()),
        Err(ShardsError::Taken { error, .. }) => Err(MarkError::Kubernetes(error)),
    }
}

pub(super) async fn change(
    access: &Access,
    namespace: Option<&str>,
    by: &Mark,
    mark: Option<&Mark>,
    is_ours: impl Fn(&Mark) -> bool + Send,
) -> Result<Option<Mark>, MarkError> {
    let kubernetes = Kubernetes::connect(access).await?;
    let name = name(&kubernetes, namespace);
    for attempt in 1.. {
        let map = kubernetes.config_map(&name).await?;
        let found = there(&name, map.as_ref(), &by.cluster_id)?;
        let stands = found.clone().filter(|there| !is_ours(there));
        if stands.is_some() || found.as_ref() == mark {
            return Ok(stands);
        }
        let data = changed(map.as_ref(), &by.cluster_id, mark);
        let written = match &map {
            Some(map) => kubernetes.replace_config_map(map, data).await,
            None => kubernetes.create_config_map(&name, &managed_by("autothrottle"), data).await,
        };
        match written {
            Err(Error::Conflict { .. }) if attempt < ATTEMPTS => {}
            written => return Ok(written.map(|_| None)?),
        }
    }
    Ok(None)
}

pub(super) fn how_to_remove(cluster_id: &str) -> String {
    format!("kubectl edit configmap {NAME}, and delete the key {}", plain(cluster_id))
}

fn name(kubernetes: &Kubernetes, namespace: Option<&str>) -> Name {
    Name::new(namespace.unwrap_or_else(|| kubernetes.namespace()), NAME)
}

fn there(
    name: &Name,
    map: Option<&ConfigMap>,
    cluster_id: &str,
) -> Result<Option<Mark>, MarkError> {
    let text = map.and_then(|map| map.data.get(&plain(cluster_id)));
    text.map(|text| Mark::read(&format!("ConfigMap {name}"), text.as_bytes())).transpose()
}

fn changed(
    map: Option<&ConfigMap>,
    cluster_id: &str,
    mark: Option<&Mark>,
) -> BTreeMap<String, String> {
    let mut data = map.map(|map| map.data.clone()).unwrap_or_default();
    match mark {
        Some(mark) => {
            let text = String::from_utf8_lossy(&mark.written()).into_owned();
            data.insert(plain(cluster_id), text);
        }
        None => drop(data.remove(&plain(cluster_id))),
    }
    data
}
