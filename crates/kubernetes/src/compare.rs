//! Differences between what Kafka and Kubernetes report about the same brokers.

use crate::brokers::Brokers;
use crate::facts::Name;
use mapper::{BrokerId, Bytes, Snapshot};
use std::collections::BTreeSet;

/// One difference between Kafka and Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// A broker has two different racks.
    #[error("broker {id} is in rack {kafka} to Kafka, and pod {pod} in zone {kubernetes}")]
    Rack {
        /// The broker.
        id: BrokerId,
        /// Its pod.
        pod: Name,
        /// `broker.rack`.
        kafka: String,
        /// The zone of the pod's node.
        kubernetes: String,
    },
    /// A pod is ready, but Kafka does not list its broker.
    #[error("pod {pod} is ready as broker {id}, and Kafka lists no live broker {id}")]
    NotRegistered {
        /// The broker.
        id: BrokerId,
        /// Its pod.
        pod: Name,
    },
    /// Kafka lists a broker, but no pod claims its id.
    #[error("Kafka lists live broker {id}, and no pod claims to be it")]
    NoPod {
        /// The broker.
        id: BrokerId,
    },
}

impl Difference {
    /// Its name in `--ignore-warns`.
    pub const CODE: &'static str = "kubernetes-differs";

    /// The broker that differs.
    pub fn id(&self) -> BrokerId {
        match self {
            Self::Rack { id, .. } | Self::NotRegistered { id, .. } | Self::NoPod { id } => *id,
        }
    }
}

/// A broker whose log dirs and claims differ in size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("broker {id} stores on {kafka}, and the claims of pod {pod} have {claims}")]
pub struct OtherVolumes {
    /// The broker.
    pub id: BrokerId,
    /// Its pod.
    pub pod: Name,
    /// The size of its log dirs' volumes, as Kafka reports it.
    pub kafka: Bytes,
    /// The total size of the pod's claims.
    pub claims: Bytes,
}

/// How much of a volume a file system may use for itself, in percent. A smaller difference does not count.
const OVERHEAD: u64 = 10;

impl Brokers {
    /// Brokers whose volumes, as Kafka reports them, differ in size from their claims. Either the broker writes to
    /// other volumes, or a claim has grown and its file system has not.
    pub fn other_volumes(&self, cluster: &Snapshot) -> Vec<OtherVolumes> {
        let known = self.pods.iter().filter_map(|pod| {
            let id = pod.id().filter(|id| self.pod_of(*id).is_some())?;
            let kafka = cluster.broker(id).filter(|broker| broker.live)?.storage_total?;
            let claims = Bytes(pod.volume_bytes?);
            Some(OtherVolumes { id, pod: pod.name.clone(), kafka, claims })
        });
        known
            .filter(|found| found.kafka.0.abs_diff(found.claims.0) > found.claims.0 / OVERHEAD)
            .collect()
    }

    /// The differences between the captured Kafka facts and the pods. `elsewhere` are brokers that need no pod.
    ///
    /// `everybody` are the broker pods of all groups, because a broker that is in no map still claims its id.
    pub fn differences(
        &self,
        cluster: &Snapshot,
        everybody: &Self,
        elsewhere: &BTreeSet<BrokerId>,
    ) -> Vec<Difference> {
        let mut found = Vec::new();
        for pod in &self.pods {
            let Some(id) = pod.id().filter(|id| self.pod_of(*id).is_some()) else { continue };
            let live = cluster.broker(id).filter(|broker| broker.live);
            let kafka = live.and_then(|broker| broker.rack.clone());
            match kafka.zip(pod.rack.clone()) {
                Some((kafka, kubernetes)) if kafka != kubernetes => {
                    let pod = pod.name.clone();
                    found.push(Difference::Rack { id, pod, kafka, kubernetes });
                }
                _ => {}
            }
            if live.is_none() && pod.ready {
                found.push(Difference::NotRegistered { id, pod: pod.name.clone() });
            }
        }
        let live = cluster.brokers().iter().filter(|broker| broker.live).map(|broker| broker.id);
        let unclaimed = live.filter(|id| everybody.pods_of(*id).next().is_none());
        let unclaimed = unclaimed.filter(|id| !elsewhere.contains(id));
        found.extend(unclaimed.map(|id| Difference::NoPod { id }));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{nine, pod, resolved, set_group};

    fn said(json: &str, elsewhere: &[u32]) -> Vec<String> {
        let cluster = Snapshot::from_json(json.as_bytes()).unwrap();
        let mut inventory = nine();
        pod(&mut inventory, "events-1").ready = false;
        inventory
            .pods
            .retain(|pod| !["events-3", "events-4", "events-5"].contains(&pod.name.name.as_str()));
        let everybody = resolved(&inventory, &[]);
        let elsewhere = elsewhere.iter().map(|id| BrokerId(*id)).collect();
        let brokers = resolved(&inventory, &[set_group("events")]);
        let found = brokers.differences(&cluster, &everybody, &elsewhere);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_difference_names_both_sides() {
        let cluster = r#"{"version": 1, "topics": [], "brokers": [{"id": 1001, "rack": "eu-1b"},
            {"id": 1002, "live": false}, {"id": 1009}, {"id": 1010}, {"id": 2000}]}"#;
        assert_eq!(
            said(cluster, &[1010]),
            [
                "broker 1001 is in rack eu-1b to Kafka, and pod kafka/events-0 in zone eu-1a",
                "pod kafka/events-2 is ready as broker 1003, and Kafka lists no live broker 1003",
                "Kafka lists live broker 1009, and no pod claims to be it",
            ]
        );
    }

    #[test]
    fn volumes_of_another_size_than_claimed_are_found_and_a_file_systems_own_share_is_none() {
        // Each claims 1 TiB.
        let (grown, usual): (u64, u64) = (500 << 30, 980 << 30);
        let text = format!(
            r#"{{"version": 1, "topics": [], "brokers": [{{"id": 1001, "storage_total_bytes": {grown}}},
                {{"id": 1002, "storage_total_bytes": {usual}}}, {{"id": 1003}}]}}"#
        );
        let cluster = Snapshot::from_json(text.as_bytes()).unwrap();
        let found = resolved(&nine(), &[set_group("events")]).other_volumes(&cluster);
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["broker 1001 stores on 500.0 GiB, and the claims of pod kafka/events-0 have 1.0 TiB"]
        );
    }

    #[test]
    fn where_both_say_the_same_nothing_is_said() {
        let cluster = r#"{"version": 1, "topics": [], "brokers": [
            {"id": 1001, "rack": "eu-1a"}, {"id": 1003, "rack": "eu-1c"}, {"id": 2001}]}"#;
        assert_eq!(said(cluster, &[]), [""; 0]);
    }
}
