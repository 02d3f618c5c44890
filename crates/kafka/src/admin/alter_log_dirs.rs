//! AlterReplicaLogDirs (KIP-113): which log dir of a broker a replica goes to, also before the broker has the replica.

use super::change::{NoAnswer, Refusal};
use super::{partition_id, topic_name};
use crate::client::{Client, Target};
use crate::error::Operation;
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
    /// Tells a broker which of its log dirs each replica goes to. One that it has in another dir is copied there and
    /// then swapped; one that is there already stays, and stops being copied elsewhere. For one that it does not have
    /// yet it remembers the dir, until it is restarted. What it refused, by partition. Needs Alter on the cluster.
    ///
    /// # Errors
    /// Never sent again: see [`NoAnswer`]; also if it takes longer than `patience`, connecting included.
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
                // It does not have the replica yet, and remembers the dir for when it gets it.
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
