//! A broker, its log dirs, and its place on Kubernetes.

use super::Volume;
use crate::bytes::Bytes;
use crate::ids::BrokerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Broker {
    /// Its id.
    pub id: BrokerId,
    /// Registered and not fenced at capture.
    #[serde(default = "yes")]
    pub live: bool,
    /// `broker.rack`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The advertised host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The advertised port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The total size of its data volumes.
    #[serde(rename = "storage_total_bytes", skip_serializing_if = "Option::is_none")]
    pub storage_total: Option<Bytes>,
    /// The total free bytes on its data volumes.
    #[serde(rename = "storage_free_bytes", skip_serializing_if = "Option::is_none")]
    pub storage_free: Option<Bytes>,
    /// Its log dirs (`log.dirs`), where known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_dirs: Vec<LogDir>,
    /// Its config `cordoned.log.dirs` (Kafka 4.3): paths of log dirs that get no new replica, or
    /// [`EVERY_LOG_DIR`](super::EVERY_LOG_DIR).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cordoned_log_dirs: Vec<String>,
    /// The type of its machine: `i3.4xlarge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// The capacity of its network card, in bytes per second and direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_bytes_per_second: Option<u64>,
    /// The CPU that it may use, in nanocores: 10^9 are one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_nanocores: Option<u64>,
    /// Its place on Kubernetes, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Box<KubernetesFacts>>,
}

fn yes() -> bool {
    true
}

/// The place of a broker on Kubernetes. Maps can choose brokers by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KubernetesFacts {
    /// Its pod, as `NAMESPACE/NAME`.
    pub pod: String,
    /// The StatefulSet of its pod, as `NAMESPACE/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stateful_set: Option<String>,
    /// Strimzi's node pool of its pod, as `NAMESPACE/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pool: Option<String>,
    /// The node that its pod is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whether that node takes no new pods (`kubectl cordon`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub node_cordoned: bool,
    /// The labels of that node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_labels: BTreeMap<String, String>,
}

impl Broker {
    /// A live broker with only its id known.
    pub fn new(id: BrokerId) -> Self {
        Self {
            id,
            live: true,
            rack: None,
            host: None,
            port: None,
            storage_total: None,
            storage_free: None,
            log_dirs: Vec::new(),
            cordoned_log_dirs: Vec::new(),
            instance_type: None,
            network_bytes_per_second: None,
            cpu_nanocores: None,
            kubernetes: None,
        }
    }

    /// If only log dirs have known sizes, the broker's storage is the sum of its volumes.
    pub(super) fn sum_up_volumes(&mut self) {
        let told = |dir: &LogDir| dir.total.is_some() && dir.free.is_some();
        let nothing_else = self.storage_total.is_none() && self.storage_free.is_none();
        if nothing_else && !self.log_dirs.is_empty() && self.log_dirs.iter().all(told) {
            let volumes = self.volumes();
            // A sum that exceeds the number type is refused later as a contradiction.
            let sum = |of: fn(&Volume) -> u64| volumes.iter().map(of).fold(0, u64::saturating_add);
            let (total, free) = (sum(|volume| volume.total.0), sum(|volume| volume.free.0));
            (self.storage_total, self.storage_free) = (Some(Bytes(total)), Some(Bytes(free)));
        }
    }
}

/// One log dir of a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDir {
    /// Its path on the broker.
    pub path: String,
    /// The size of its volume, in bytes (KIP-827).
    #[serde(rename = "total_bytes", skip_serializing_if = "Option::is_none")]
    pub total: Option<Bytes>,
    /// The usable bytes on its volume (KIP-827).
    #[serde(rename = "free_bytes", skip_serializing_if = "Option::is_none")]
    pub free: Option<Bytes>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Parts, Snapshot};

    #[test]
    fn log_dirs_of_one_volume_count_once() {
        let dir = |path: &str, free| LogDir {
            path: path.to_owned(),
            total: Some(Bytes(100)),
            free: Some(Bytes(free)),
        };
        let log_dirs = vec![dir("/a", 60), dir("/b", 60), dir("/c", 50)];
        let brokers = vec![Broker { log_dirs, ..Broker::new(BrokerId(1)) }];
        let snapshot = Snapshot::new(Parts { brokers, ..Parts::default() }).unwrap();
        let broker = snapshot.broker(BrokerId(1)).unwrap();
        assert_eq!(
            (broker.storage_total, broker.storage_free),
            (Some(Bytes(200)), Some(Bytes(110)))
        );
    }
}
