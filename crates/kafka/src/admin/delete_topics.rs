//! DeleteTopics by id (KIP-516): deletes the topic that was inspected, never another one of the same name.

use super::change::{Answers, not_controller};
use super::{topic_id, wire_id};
use crate::client::Client;
use crate::error::{Error, Operation, ProtocolFault};
use crate::no_answer::NoAnswer;
use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use mapper::TopicId;
use std::collections::BTreeMap;

/// The first version that accepts topic ids.
const WITH_IDS: i16 = 6;

impl Client {
    /// Deletes topics by their ids in one request. Returns the answers by name. Needs Delete on the topics.
    ///
    /// # Errors
    /// The call is never sent again: see [`NoAnswer`]. It is not sent at all to a cluster without topic ids (before
    /// Kafka 2.8).
    pub async fn delete_topics(
        &self,
        topics: &BTreeMap<String, TopicId>,
    ) -> Result<Answers<()>, NoAnswer> {
        let patience = self.patience_of_broker();
        let request = |version: i16| {
            let ids = topics.values().filter_map(wire_id);
            let ids = ids.map(|id| DeleteTopicState::default().with_name(None).with_topic_id(id));
            // An older broker cannot read ids. An empty list makes it delete nothing.
            let topics = if version < WITH_IDS { Vec::new() } else { ids.collect() };
            DeleteTopicsRequest::default().with_topics(topics).with_timeout_ms(patience)
        };
        let answer = self
            .tell_controller(request, |answer| {
                not_controller(answer.responses.iter().map(|topic| topic.error_code))
            })
            .await?;
        let names: BTreeMap<&TopicId, &String> =
            topics.iter().map(|(name, id)| (id, name)).collect();
        let each = answer.responses.into_iter().filter_map(|topic| {
            let name = names.get(&topic_id(topic.topic_id)?)?;
            let (code, message) = (topic.error_code, topic.error_message);
            let answered = self.answered::<DeleteTopicsRequest>(code, message, Operation::Delete);
            Some(((*name).clone(), answered))
        });
        let answers: Answers<()> = each.collect();
        if answers.is_empty() && !topics.is_empty() {
            let address = self.bootstrap().clone();
            let fault = ProtocolFault::NotOffered { api: "DeleteTopics by id" };
            return Err(NoAnswer::NotMade(Error::Protocol { address, fault }));
        }
        Ok(answers)
    }
}
