//! Converts what was read from ZooKeeper into a snapshot, with notices about what was left out.
//!
//! Facts that ZooKeeper does not have stay missing: sizes, disks, offline log dirs, and `min.insync.replicas` if the
//! topic does not set it.

use crate::connect::ZooKeeper;
use crate::error::Error;
use crate::gather::{ClusterZnodes, TopicZnodes};
use crate::moves::Heading;
use crate::notice::ZooKeeperNotice;
use crate::requested::{Requested, usable};
use crate::znode::{Controller, PartitionState, ReplicaLists};
use mapper::snapshot::{self, Leader, PartitionFacts, Parts, RareFacts};
use mapper::{BrokerId, PartitionId, Replicas, Snapshot, TopicPartition};
use std::collections::BTreeSet;

/// `org.apache.kafka.common.internals.Topic` of Kafka 3.9. In ZooKeeper mode, the name makes a topic internal.
const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];
const MIN_INSYNC: &str = "min.insync.replicas";

/// A cluster as read from ZooKeeper.
#[derive(Debug, Clone, PartialEq)]
pub struct Captured {
    /// The snapshot. Its `source` is `zookeeper`, and it does not list unregistered brokers.
    pub snapshot: Snapshot,
    /// The controller, if there is one.
    pub controller: Option<Controller>,
    /// What was left out or ignored, sorted.
    pub notices: BTreeSet<ZooKeeperNotice>,
}

impl ZooKeeper {
    /// Captures the cluster. Needs no live broker.
    ///
    /// Leaves out topics that are being deleted. Replica lists are the targets of running reassignments. It makes two
    /// reads for each topic and one for each partition.
    ///
    /// # Errors
    /// [`Error::NoKafka`] if there is no cluster under the chroot; [`Error::Kraft`] if a `KRaft` controller leads it;
    /// [`Error::Contradictory`] if the znodes contradict each other; otherwise the error of a read.
    pub async fn snapshot(&self) -> Result<Captured, Error> {
        let cluster = self.gather().await?;
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        captured(cluster, now)
    }
}

fn captured(cluster: ClusterZnodes, at: String) -> Result<Captured, Error> {
    // Brokers in KRaft mode are not registered here, so a plan would take their replicas for lost.
    if let Some(Controller { id, kraft: true }) = cluster.controller {
        return Err(Error::Kraft { controller: id });
    }
    let mut notices = BTreeSet::new();
    let requested = usable(&cluster, &mut notices);
    let parts = Parts {
        cluster_id: cluster.id,
        captured_at: Some(at),
        source: Some("zookeeper".to_owned()),
        brokers: cluster
            .brokers
            .into_iter()
            .map(|(id, registered)| broker(id, registered))
            .collect(),
        topics: cluster
            .topics
            .into_iter()
            .map(|(name, read)| topic(name, read, &requested, &mut notices))
            .collect(),
        ..Parts::default()
    };
    notices
        .extend(cluster.deleting.into_iter().map(|topic| ZooKeeperNotice::BeingDeleted { topic }));
    let snapshot = Snapshot::new(parts).map_err(Error::Contradictory)?;
    Ok(Captured { snapshot, controller: cluster.controller, notices })
}

fn broker(id: BrokerId, registered: crate::Registration) -> snapshot::Broker {
    let crate::Registration { host, port, rack } = registered;
    snapshot::Broker { host, port, rack, ..snapshot::Broker::new(id) }
}

fn topic(
    name: String,
    read: TopicZnodes,
    requested: &Requested,
    notices: &mut BTreeSet<ZooKeeperNotice>,
) -> snapshot::Topic {
    let of = |partition: PartitionId| TopicPartition { topic: name.clone(), partition };
    let unsettled: BTreeSet<_> = read.unsettled().into_iter().collect();
    notices.extend(unsettled.iter().map(|id| ZooKeeperNotice::Unsettled { of: of(*id) }));
    let mut states = read.states;
    states.retain(|id, _| !unsettled.contains(id));
    let partitions = read.partitions.iter().map(|(id, lists)| {
        let asked = if requested.is_empty() { None } else { requested.get(&of(*id)) };
        partition(*id, lists, asked.map(Vec::as_slice), states.remove(id))
    });
    snapshot::Topic {
        partitions: partitions.collect(),
        internal: Some(INTERNAL.contains(&name.as_str())),
        min_insync_replicas: read.config.get(MIN_INSYNC).and_then(|value| value.parse().ok()),
        config: read.config,
        name,
        ..snapshot::Topic::default()
    }
}

fn partition(
    id: PartitionId,
    lists: &ReplicaLists,
    asked: Option<&[BrokerId]>,
    state: Option<PartitionState>,
) -> snapshot::Partition {
    let heading = Heading::of(lists, asked);
    let (leader, isr) = match state {
        Some(PartitionState { leader, isr }) => (leader, Some(Replicas::from_vec(isr))),
        None => (Leader::Unknown, None),
    };
    let facts = PartitionFacts {
        leader,
        isr,
        rare: RareFacts {
            adding: Replicas::from_vec(heading.adding),
            removing: Replicas::from_vec(heading.removing),
            ..RareFacts::default()
        }
        .into(),
        ..PartitionFacts::default()
    };
    snapshot::Partition {
        facts: Some(Box::new(facts)),
        ..snapshot::Partition::new(id, heading.replicas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::znode::RequestedMove;
    use std::collections::BTreeMap;

    const AT: &str = "2026-11-20T07:00:00Z";

    fn ids<const N: usize>(ids: [u32; N]) -> Vec<BrokerId> {
        ids.map(BrokerId).to_vec()
    }

    fn events(partition: u32) -> TopicPartition {
        TopicPartition { topic: "events".into(), partition: PartitionId(partition) }
    }

    /// Two partitions on 1 and 2. Broker 1 leads the first; nothing is known about the second.
    fn cluster() -> ClusterZnodes {
        let resting = ReplicaLists { replicas: ids([1, 2]), ..ReplicaLists::default() };
        let state = PartitionState { leader: Leader::Broker(BrokerId(1)), isr: ids([1, 2]) };
        let config = BTreeMap::from([(MIN_INSYNC.to_owned(), "2".to_owned())]);
        let topic = TopicZnodes {
            partitions: BTreeMap::from([
                (PartitionId(0), resting.clone()),
                (PartitionId(1), resting),
            ]),
            states: BTreeMap::from([(PartitionId(0), state)]),
            config,
        };
        ClusterZnodes {
            topics: BTreeMap::from([("events".to_owned(), topic)]),
            ..ClusterZnodes::default()
        }
    }

    fn of(cluster: ClusterZnodes) -> Captured {
        captured(cluster, AT.to_owned()).unwrap()
    }

    fn facts(captured: &Captured, partition: u32) -> PartitionFacts {
        let partition = captured.snapshot.partition("events", PartitionId(partition)).unwrap();
        partition.facts.as_deref().cloned().unwrap_or_default()
    }

    #[test]
    fn with_every_broker_down_the_replica_lists_remain() {
        let read = of(cluster());
        assert!(read.snapshot.brokers().is_empty());
        assert_eq!(read.controller, None);
        let partition = read.snapshot.partition("events", PartitionId(0)).unwrap();
        assert_eq!(partition.replicas.as_slice(), ids([1, 2]));
        assert!(!read.snapshot.is_live(BrokerId(1)));
    }

    #[test]
    fn what_zookeeper_does_not_tell_is_missing() {
        let read = of(cluster());
        let partition = read.snapshot.partition("events", PartitionId(1)).unwrap();
        assert_eq!((partition.size, partition.leader()), (None, Leader::Unknown));
        assert_eq!(facts(&read, 1).isr, None);
        assert_eq!(read.snapshot.topic("events").unwrap().min_insync_replicas, Some(2));
        let mut unset = cluster();
        unset.topics.get_mut("events").unwrap().config.clear();
        assert_eq!(of(unset).snapshot.topic("events").unwrap().min_insync_replicas, None);
    }

    #[test]
    fn a_registered_broker_is_live_with_its_rack() {
        let registered = crate::Registration {
            host: Some("h".into()),
            port: Some(9092),
            rack: Some("a".into()),
        };
        let brokers = BTreeMap::from([(BrokerId(1), registered)]);
        let read = of(ClusterZnodes { brokers, ..cluster() });
        let broker = read.snapshot.broker(BrokerId(1)).unwrap();
        assert_eq!(
            (broker.live, broker.rack.as_deref(), broker.port),
            (true, Some("a"), Some(9092))
        );
    }

    #[test]
    fn a_running_move_shows_its_target_and_the_way_there() {
        let mut moving = cluster();
        let topic = moving.topics.get_mut("events").unwrap();
        let lists = ReplicaLists { replicas: ids([3, 1, 2]), adding: ids([3]), removing: ids([1]) };
        topic.partitions.insert(PartitionId(0), lists);
        let read = of(moving);
        assert_eq!(
            read.snapshot.partition("events", PartitionId(0)).unwrap().replicas.as_slice(),
            ids([3, 2])
        );
        let facts = facts(&read, 0);
        assert_eq!(
            (facts.rare.adding.to_vec(), facts.rare.removing.to_vec()),
            (ids([3]), ids([1]))
        );
        assert_eq!(facts.leader, Leader::Broker(BrokerId(1)));
    }

    #[test]
    fn a_request_that_waits_for_a_controller_is_a_move() {
        let requested = vec![RequestedMove { of: events(1), replicas: ids([4, 2]) }];
        let read = of(ClusterZnodes { requested, ..cluster() });
        assert_eq!(facts(&read, 1).rare.removing.to_vec(), ids([1]));
        assert!(read.notices.is_empty());
    }

    #[test]
    fn a_topic_pending_deletion_is_named_and_left_out() {
        let deleting = BTreeSet::from(["old".to_owned()]);
        let read = of(ClusterZnodes { deleting, ..cluster() });
        assert_eq!(
            read.notices,
            BTreeSet::from([ZooKeeperNotice::BeingDeleted { topic: "old".into() }])
        );
        assert!(read.snapshot.topic("old").is_none());
    }

    #[test]
    fn a_state_that_contradicts_the_replica_list_is_unknown_and_named() {
        let mut odd = cluster();
        let state = PartitionState { leader: Leader::Broker(BrokerId(9)), isr: ids([9]) };
        odd.topics.get_mut("events").unwrap().states.insert(PartitionId(0), state);
        let read = of(odd);
        assert_eq!(read.notices, BTreeSet::from([ZooKeeperNotice::Unsettled { of: events(0) }]));
        assert_eq!((facts(&read, 0).leader, facts(&read, 0).isr), (Leader::Unknown, None));
    }

    #[test]
    fn a_cluster_with_a_kraft_controller_is_refused() {
        let of_mode = |kraft| {
            let controller = Some(Controller { id: BrokerId(3000), kraft });
            captured(ClusterZnodes { controller, ..cluster() }, AT.to_owned())
        };
        assert!(of_mode(false).is_ok());
        let refused = of_mode(true).unwrap_err();
        assert!(matches!(refused, Error::Kraft { controller: BrokerId(3000) }));
        assert!(refused.hint().unwrap().contains("--bootstrap-server"));
    }

    #[test]
    fn internal_topics_are_known_by_name() {
        let mut renamed = cluster();
        let topic = renamed.topics.remove("events").unwrap();
        renamed.topics.insert("__consumer_offsets".into(), topic);
        assert_eq!(of(renamed).snapshot.topics()[0].internal, Some(true));
        assert_eq!(of(cluster()).snapshot.topics()[0].internal, Some(false));
    }
}
