//! AlterReplicaLogDirs (KIP-113): the log dir of a broker for each replica, even before the broker has the replica.

use super::change::Refusal;
use super::{partition_id, topic_name};
use crate::client::{Client, Target};
use crate::error::Operation;
use crate::no_answer::NoAnswer;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::AlterReplicaLogDirsRequest;
use kafka_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use kafka_protocol::protocol::StrBytes;
use mapper::{BrokerId, TopicPartition};
use std::collections::BTreeMap;
use std::time::Duration;

impl Client {
    /// Assigns replicas on one broker to its log dirs. Returns the partitions that the broker refused. Needs Alter on
    /// the cluster.
    ///
    /// - If the replica is in another dir, the broker copies it and then swaps the copies.
    /// - If it is in this dir already, it stays, and the broker stops any copy to another dir.
    /// - If the broker does not have it yet, it remembers the dir until it restarts.
    ///
    /// # Errors
    /// The call is never sent again: see [`NoAnswer`]. It also fails after `patience`, which includes connecting.
    pub async fn alter_log_dirs(
        &self,
        broker: BrokerId,
        places: &BTreeMap<TopicPartition, String>,
        patience: Duration,
    ) -> Result<BTreeMap<TopicPartition, Refusal>, NoAnswer> {
        let mut dirs: BTreeMap<&str, BTreeMap<&str, Vec<i32>>> = BTreeMap::new();
        for (of, path) in places {
            let topics = dirs.entry(path).or_default();
            topics.entry(&of.topic).or_default().extend(i32::try_from(of.partition.0));
        }
        let topic = |(name, partitions): (&&str, &Vec<i32>)| {
            AlterReplicaLogDirTopic::default()
                .with_name(topic_name(name))
                .with_partitions(partitions.clone())
        };
        let dir = |(path, topics): (&&str, &BTreeMap<&str, Vec<i32>>)| {
            AlterReplicaLogDir::default()
                .with_path(StrBytes::from_string((*path).to_owned()))
                .with_topics(topics.iter().map(topic).collect())
        };
        let request =
            |_| AlterReplicaLogDirsRequest::default().with_dirs(dirs.iter().map(dir).collect());
        let target = Target::Broker(broker);
        let told = self.tell(target, request);
        let late = NoAnswer::Unknown;
        let answer =
            self.within::<AlterReplicaLogDirsRequest, _, _>(target, patience, late, told).await?;
        let mut refused = BTreeMap::new();
        for topic in answer.results {
            for wire in topic.partitions {
                let Some(partition) = partition_id(wire.partition_index) else { continue };
                let answered = self.answered::<AlterReplicaLogDirsRequest>(
                    wire.error_code,
                    None,
                    Operation::Alter,
                );
                // The broker does not have the replica yet. It remembers the dir for later.
                let not_yet =
                    |refusal: &Refusal| refusal.code == ResponseError::ReplicaNotAvailable;
                let refusal = answered.err().filter(|refusal| !not_yet(refusal));
                let of = TopicPartition { topic: topic.topic_name.0.to_string(), partition };
                refused.extend(refusal.map(|refusal| (of, refusal)));
            }
        }
        Ok(refused)
    }
}
