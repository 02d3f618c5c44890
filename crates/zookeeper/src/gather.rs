//! Reads everything for a snapshot: linear in the number of partitions, with many reads in flight.
//!
//! Znodes are read one by one while the cluster changes. A read in the middle of a change (an in-sync replica that is
//! not a replica) is repeated.

use crate::connect::ZooKeeper;
use crate::error::{Error, ZnodeFault};
use crate::kafka_root::IDS;
use crate::znode::{self, Controller, PartitionState, Registration, ReplicaLists, RequestedMove};
use mapper::snapshot::Leader;
use mapper::{BrokerId, PartitionId};
use std::collections::{BTreeMap, BTreeSet};
use tokio::try_join;

/// How often a read is repeated. The controller changes a replica list within milliseconds, so the first repetition is
/// usually enough.
const REPETITIONS: usize = 3;

/// The topic of autothrottle's canary. It measures brokers and holds no data, so a capture leaves it out.
const CANARY_TOPIC: &str = "__mappr_canary";

/// Kafka's znodes as read, without interpretation.
#[derive(Debug, Default)]
pub(crate) struct ClusterZnodes {
    pub(crate) id: Option<String>,
    pub(crate) controller: Option<Controller>,
    pub(crate) brokers: BTreeMap<BrokerId, Registration>,
    pub(crate) topics: BTreeMap<String, TopicZnodes>,
    /// Listed in `/admin/delete_topics`, or deleted between two of our reads.
    pub(crate) deleting: BTreeSet<String>,
    pub(crate) requested: Vec<RequestedMove>,
}

/// One topic.
#[derive(Debug, Default)]
pub(crate) struct TopicZnodes {
    pub(crate) partitions: BTreeMap<PartitionId, ReplicaLists>,
    pub(crate) states: BTreeMap<PartitionId, PartitionState>,
    pub(crate) config: BTreeMap<String, String>,
}

impl TopicZnodes {
    /// The partitions whose state names a broker that is not a replica.
    pub(crate) fn unsettled(&self) -> Vec<PartitionId> {
        let odd = |(id, state): (&PartitionId, &PartitionState)| {
            let held = |broker: &BrokerId| {
                self.partitions.get(id).is_some_and(|p| p.replicas.contains(broker))
            };
            let led = match state.leader {
                Leader::Broker(leader) => held(&leader),
                Leader::None | Leader::Unknown => true,
            };
            let fits = led && state.isr.iter().all(held);
            (!fits).then_some(*id)
        };
        self.states.iter().filter_map(odd).collect()
    }
}

impl ZooKeeper {
    /// The live brokers.
    ///
    /// # Errors
    /// Any [`Error`] except those of stored metrics; [`Error::NoKafka`] if there is no cluster under the chroot.
    pub async fn registrations(&self) -> Result<BTreeMap<BrokerId, Registration>, Error> {
        self.expect_kafka().await?;
        let names = self.children(&self.kafka(IDS)).await?.unwrap_or_default();
        let mut wanted = Vec::new();
        for name in names {
            let path = self.kafka(&format!("{IDS}/{name}"));
            let id: BrokerId =
                name.parse().map_err(|_| Error::malformed(&path, ZnodeFault::Id(name)))?;
            wanted.push((id, path));
        }
        // A broker that disappeared between the two reads is not live.
        self.parsed_each(wanted, znode::registration).await
    }

    /// The controller, if there is one. With every broker down there is none.
    ///
    /// # Errors
    /// Any [`Error`] of a single read.
    pub async fn controller(&self) -> Result<Option<Controller>, Error> {
        self.parsed(&self.kafka("/controller"), znode::controller).await
    }

    /// The cluster's id (Kafka 0.10.1 and newer have one).
    ///
    /// # Errors
    /// Any [`Error`] of a single read.
    pub async fn cluster_id(&self) -> Result<Option<String>, Error> {
        self.parsed(&self.kafka("/cluster/id"), znode::cluster_id).await
    }

    /// The reassignments that `/admin/reassign_partitions` requests, started or not. Unchecked, in the order of the
    /// znode.
    ///
    /// # Errors
    /// Any [`Error`] of a single read.
    pub async fn requested_moves(&self) -> Result<Vec<RequestedMove>, Error> {
        Ok(self
            .parsed(&self.kafka("/admin/reassign_partitions"), znode::requests)
            .await?
            .unwrap_or_default())
    }

    pub(crate) async fn gather(&self) -> Result<ClusterZnodes, Error> {
        self.catch_up().await?;
        let brokers = self.registrations().await?;
        let (topics_path, deletions) =
            (self.kafka("/brokers/topics"), self.kafka("/admin/delete_topics"));
        let (id, controller, mut requested, names, deleting) = try_join!(
            self.cluster_id(),
            self.controller(),
            self.requested_moves(),
            self.children(&topics_path),
            self.children(&deletions),
        )?;
        requested.retain(|asked| asked.of.topic != CANARY_TOPIC);
        let mut names = names.unwrap_or_default();
        let mut deleting = deleting.unwrap_or_default();
        names.retain(|name| !deleting.contains(name) && name != CANARY_TOPIC);
        let topics = self.topics(&names).await?;
        deleting.extend(names.into_iter().filter(|name| !topics.contains_key(name)));
        Ok(ClusterZnodes { id, controller, brokers, topics, deleting, requested })
    }

    async fn topics(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, TopicZnodes>, Error> {
        let config = |name: &String| (name.clone(), self.kafka(&format!("/config/topics/{name}")));
        let mut configs = self.parsed_each(names.iter().map(config), znode::config).await?;
        let mut topics: BTreeMap<String, TopicZnodes> = BTreeMap::new();
        for (name, partitions) in self.replica_lists(names.iter()).await? {
            let config = configs.remove(&name).unwrap_or_default();
            topics.insert(name, TopicZnodes { partitions, config, ..TopicZnodes::default() });
        }
        let all = |(name, topic): (&String, &TopicZnodes)| {
            let name = name.clone();
            topic.partitions.keys().map(move |id| (name.clone(), *id)).collect::<Vec<_>>()
        };
        let wanted: Vec<_> = topics.iter().flat_map(all).collect();
        self.read_states(&mut topics, wanted).await?;
        self.settle(&mut topics).await?;
        Ok(topics)
    }

    /// Repeats reads that were in the middle of a change: the lists, then the states.
    async fn settle(&self, topics: &mut BTreeMap<String, TopicZnodes>) -> Result<(), Error> {
        for _ in 0..REPETITIONS {
            let mut wanted = Vec::new();
            let mut names = BTreeSet::new();
            for (name, topic) in topics.iter() {
                for id in topic.unsettled() {
                    wanted.push((name.clone(), id));
                    names.insert(name.clone());
                }
            }
            if wanted.is_empty() {
                break;
            }
            for (name, partitions) in self.replica_lists(names.iter()).await? {
                if let Some(topic) = topics.get_mut(&name) {
                    topic.partitions = partitions;
                }
            }
            self.read_states(topics, wanted).await?;
        }
        Ok(())
    }

    async fn replica_lists(
        &self,
        names: impl Iterator<Item = &String>,
    ) -> Result<BTreeMap<String, BTreeMap<PartitionId, ReplicaLists>>, Error> {
        let path = |name: &String| (name.clone(), self.kafka(&format!("/brokers/topics/{name}")));
        self.parsed_each(names.map(path), znode::replica_lists).await
    }

    async fn read_states(
        &self,
        topics: &mut BTreeMap<String, TopicZnodes>,
        wanted: Vec<(String, PartitionId)>,
    ) -> Result<(), Error> {
        let path = |(topic, id): (String, PartitionId)| {
            let path = self.kafka(&format!("/brokers/topics/{topic}/partitions/{id}/state"));
            ((topic, id), path)
        };
        let states = self.parsed_each(wanted.into_iter().map(path), znode::partition_state).await?;
        for ((topic, id), state) in states {
            if let Some(topic) = topics.get_mut(&topic) {
                topic.states.insert(id, state);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unsettled(replicas: &[u32], leader: Leader, isr: &[u32]) -> bool {
        let ids = |list: &[u32]| list.iter().copied().map(BrokerId).collect();
        let lists = ReplicaLists { replicas: ids(replicas), ..ReplicaLists::default() };
        let topic = TopicZnodes {
            partitions: BTreeMap::from([(PartitionId(7), lists)]),
            states: BTreeMap::from([(PartitionId(7), PartitionState { leader, isr: ids(isr) })]),
            ..TopicZnodes::default()
        };
        topic.unsettled() == [PartitionId(7)]
    }

    #[test]
    fn a_state_is_read_again_while_it_names_a_broker_that_is_no_replica() {
        let led_by = |id| Leader::Broker(BrokerId(id));
        assert!(!unsettled(&[1, 2], led_by(1), &[2, 1]));
        assert!(!unsettled(&[1, 2], Leader::None, &[2]));
        assert!(unsettled(&[1, 2], led_by(3), &[1]));
        assert!(unsettled(&[1, 2], led_by(1), &[1, 3]));
    }

    #[test]
    fn a_partition_without_a_state_is_settled() {
        assert!(TopicZnodes::default().unsettled().is_empty());
    }
}
