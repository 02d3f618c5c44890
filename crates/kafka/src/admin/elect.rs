//! ElectLeaders (KIP-460), preferred elections only. This client cannot request an unclean election. During a
//! reassignment, such an election can make an empty replica the leader, and the partition's data is lost.

use super::change::{Refusal, not_controller};
use super::{partition_id, topic_name};
use crate::client::{Client, Target};
use crate::error::Operation;
use crate::no_answer::NoAnswer;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use mapper::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};

/// `ElectionType.PREFERRED`.
const PREFERRED: i8 = 0;

impl Client {
    /// Makes the first replica of each partition its leader. Returns the partitions that Kafka refused. A replica that
    /// already leads counts as success. Needs Alter on the cluster.
    ///
    /// # Errors
    /// Never sent again: see [`NoAnswer`].
    pub async fn elect_preferred(
        &self,
        partitions: &BTreeSet<TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, Refusal>, NoAnswer> {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for of in partitions {
            topics.entry(&of.topic).or_default().extend(i32::try_from(of.partition.0));
        }
        let named = |(name, partitions): (&&str, &Vec<i32>)| {
            TopicPartitions::default()
                .with_topic(topic_name(name))
                .with_partitions(partitions.clone())
        };
        let request = |_| {
            ElectLeadersRequest::default()
                .with_election_type(PREFERRED)
                .with_timeout_ms(self.patience_of_broker())
                .with_topic_partitions(Some(topics.iter().map(named).collect()))
        };
        // Without KRaft, a broker that is not the controller refuses each partition separately.
        let turned_away = |answer: &ElectLeadersResponse| {
            let topics = answer.replica_election_results.iter();
            let each = topics.flat_map(|topic| &topic.partition_result).map(|one| one.error_code);
            let codes = each.chain((answer.error_code != 0).then_some(answer.error_code));
            not_controller(codes)
        };
        let answer = self.tell_controller(request, turned_away).await?;
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            return Err(NoAnswer::NotMade(self.refused_to::<ElectLeadersRequest>(
                Target::Any,
                Operation::Alter,
                code,
                None,
            )));
        }
        let mut refused = BTreeMap::new();
        for topic in answer.replica_election_results {
            for wire in topic.partition_result {
                let Some(partition) = partition_id(wire.partition_id) else { continue };
                let (code, message) = (wire.error_code, wire.error_message);
                let answered =
                    self.answered::<ElectLeadersRequest>(code, message, Operation::Alter);
                let refusal = answered.err().filter(|r| r.code != ResponseError::ElectionNotNeeded);
                let of = TopicPartition { topic: topic.topic.0.to_string(), partition };
                refused.extend(refusal.map(|refusal| (of, refusal)));
            }
        }
        Ok(refused)
    }
}
