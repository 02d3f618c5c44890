//! UnregisterBroker (KIP-631): removes a broker from a KRaft cluster. Kafka also removes a live broker, or one with
//! replicas, and this breaks it.

use super::text;
use crate::client::{Client, Target};
use crate::error::Operation;
use crate::no_answer::NoAnswer;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{BrokerId as WireBrokerId, UnregisterBrokerRequest};
use mapper::BrokerId;

impl Client {
    /// Removes a broker from the cluster's metadata. The caller must make sure that it is down and has no replicas.
    /// Needs Alter on the cluster.
    ///
    /// # Errors
    /// Never sent again: see [`NoAnswer`].
    pub async fn unregister_broker(&self, broker: BrokerId) -> Result<(), NoAnswer> {
        let id = i32::try_from(broker.0).unwrap_or(i32::MAX);
        let request = |_| UnregisterBrokerRequest::default().with_broker_id(WireBrokerId(id));
        let answer = self.tell(Target::Any, request).await?;
        match ResponseError::try_from_code(answer.error_code) {
            None => Ok(()),
            Some(code) => {
                let message = text(answer.error_message);
                let (target, operation) = (Target::Any, Operation::Alter);
                let error =
                    self.refused_to::<UnregisterBrokerRequest>(target, operation, code, message);
                // The controller may still carry out a request that it had no time to answer.
                Err(match code {
                    ResponseError::RequestTimedOut | ResponseError::UnknownServerError => {
                        NoAnswer::Unknown(error)
                    }
                    _ => NoAnswer::NotMade(error),
                })
            }
        }
    }
}
