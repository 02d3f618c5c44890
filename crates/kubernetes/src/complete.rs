//! Adds what Kubernetes knows about brokers to a snapshot.
//!
//! In: a snapshot and [`Brokers`]. Out: the snapshot with instance types, nodes, and the racks that Kafka does not
//! report. It also lists brokers that Kafka does not, as lost, so that maps mean the same when the snapshot is read
//! again.

use crate::brokers::{BrokerPod, Brokers, NODE_GROUP};
use mapper::snapshot::{Broker, KubernetesFacts};
use mapper::{BrokerId, Snapshot, SnapshotError};
use std::collections::{BTreeMap, BTreeSet};

impl Brokers {
    /// Completes the snapshot. Kafka's own facts about a broker stay. If two pods claim one id, neither adds a fact.
    ///
    /// # Errors
    /// None for a snapshot without contradictions.
    pub fn complete(&self, snapshot: Snapshot) -> Result<Snapshot, SnapshotError> {
        let mut pods: BTreeMap<BrokerId, &BrokerPod> = self
            .pods
            .iter()
            .filter_map(|pod| Some((pod.id()?, pod)))
            .filter(|(id, _)| self.pod_of(*id).is_some())
            .collect();
        let mut parts = snapshot.into_parts();
        for broker in &mut parts.brokers {
            if let Some(pod) = pods.remove(&broker.id) {
                add(pod, broker);
            }
        }
        let holding: BTreeSet<BrokerId> = parts
            .topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .flat_map(|partition| partition.replicas.iter().copied())
            .filter(|id| pods.contains_key(id))
            .collect();
        let is_meant = |id: &BrokerId| {
            holding.contains(id) || self.groups.values().any(|members| members.contains_key(id))
        };
        // Other pods are not brokers of this cluster, for example numbered pods of another application.
        for (id, pod) in pods.into_iter().filter(|(id, _)| is_meant(id)) {
            let mut broker = Broker { live: false, ..Broker::new(id) };
            add(pod, &mut broker);
            parts.brokers.push(broker);
        }
        Snapshot::new(parts)
    }
}

fn add(pod: &BrokerPod, broker: &mut Broker) {
    let or = |known: &mut Option<String>, told: &Option<String>| {
        if known.is_none() {
            known.clone_from(told);
        }
    };
    or(&mut broker.rack, &pod.rack);
    or(&mut broker.instance_type, &pod.instance_type);
    // The volume size that Kafka reports is more exact. Brokers before 3.3 report none.
    if broker.storage_total.is_none() {
        broker.storage_total = pod.volume_bytes.map(mapper::Bytes);
    }
    let mut node_labels = pod.node_labels.clone();
    if let Some(group) = &pod.node_group {
        node_labels.entry(NODE_GROUP.to_owned()).or_insert_with(|| group.clone());
    }
    broker.kubernetes = Some(Box::new(KubernetesFacts {
        pod: pod.name.to_string(),
        stateful_set: pod.stateful_set.as_ref().map(ToString::to_string),
        node_pool: pod.node_pool.as_ref().map(ToString::to_string),
        node: pod.node.clone(),
        node_cordoned: pod.node_cordoned,
        node_labels,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{nine, resolved, set_group};
    use mapper::Bytes;

    #[test]
    fn kafka_is_believed_and_completed() {
        let cluster = Snapshot::from_json(
            br#"{"version": 1, "brokers": [{"id": 1001, "rack": "a", "storage_total_bytes": 5}, {"id": 1002}],
                 "topics": [{"name": "t", "partitions": [{"id": 0, "replicas": [1001, 1003]}]}]}"#,
        );
        let brokers = resolved(&nine(), &[set_group("events")]);
        let completed = brokers.complete(cluster.unwrap()).unwrap();
        let rack = |id| completed.broker(BrokerId(id)).unwrap().rack.clone().unwrap();
        assert_eq!(
            (rack(1001), rack(1002), rack(1003)),
            ("a".into(), "eu-1b".into(), "eu-1c".into())
        );
        assert!(completed.is_live(BrokerId(1002)) && !completed.is_live(BrokerId(1003)));
        let lost = completed.broker(BrokerId(1003)).unwrap();
        assert_eq!(lost.instance_type.as_deref(), Some("i3.4xlarge"));
        // Kafka reports the size of none of them, but their claims do.
        let total = |id| completed.broker(BrokerId(id)).unwrap().storage_total;
        assert_eq!((total(1001), total(1002)), (Some(Bytes(5)), Some(Bytes(1 << 40))));
        let facts = lost.kubernetes.as_ref().unwrap();
        assert_eq!(
            (facts.pod.as_str(), facts.node.as_deref()),
            ("kafka/events-2", Some("events-node-2"))
        );
        assert_eq!(facts.node_labels[NODE_GROUP], "events");
        // A second completion changes nothing, so a plan from it is the same, too.
        assert_eq!(brokers.complete(completed.clone()).unwrap(), completed);
    }
}
