//! AddRaftVoter and RemoveRaftVoter (KIP-853): the voters of a dynamic quorum. Kafka makes one such change at a time, and
//! answers when a majority of the new voters has stored it.

use super::{ControllerEndpoint, text, uuid};
use crate::client::{Client, Endpoints, Target};
use crate::error::Operation;
use crate::no_answer::NoAnswer;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_raft_voter_request::Listener;
use kafka_protocol::messages::{AddRaftVoterRequest, RemoveRaftVoterRequest};
use kafka_protocol::protocol::StrBytes;
use mapper::{BrokerId, DirectoryId};
use uuid::Uuid;

impl Client {
    /// Gives this controller a vote. Kafka connects to its endpoints first, and refuses a controller that lags. Needs
    /// Alter on the cluster.
    ///
    /// # Errors
    /// Never sent again: see [`NoAnswer`].
    pub async fn add_voter(
        &self,
        id: BrokerId,
        directory: &DirectoryId,
        endpoints: &[ControllerEndpoint],
    ) -> Result<(), NoAnswer> {
        let listener = |endpoint: &ControllerEndpoint| {
            Listener::default()
                .with_name(StrBytes::from_string(endpoint.listener.clone()))
                .with_host(StrBytes::from_string(endpoint.address.host.clone()))
                .with_port(endpoint.address.port)
        };
        let request = |_| {
            AddRaftVoterRequest::default()
                .with_cluster_id(self.cluster_id())
                .with_timeout_ms(self.patience_of_broker())
                .with_voter_id(wire(id))
                .with_voter_directory_id(directory_of(directory))
                .with_listeners(endpoints.iter().map(listener).collect())
        };
        let answer = self.tell(self.of_quorum(), request).await?;
        self.voted::<AddRaftVoterRequest>(answer.error_code, answer.error_message)
    }

    /// Takes the vote of this controller. If it is the active one, another one takes over. Needs Alter on the cluster.
    ///
    /// # Errors
    /// Never sent again: see [`NoAnswer`].
    pub async fn remove_voter(
        &self,
        id: BrokerId,
        directory: &DirectoryId,
    ) -> Result<(), NoAnswer> {
        let request = |_| {
            RemoveRaftVoterRequest::default()
                .with_cluster_id(self.cluster_id())
                .with_voter_id(wire(id))
                .with_voter_directory_id(directory_of(directory))
        };
        let answer = self.tell(self.of_quorum(), request).await?;
        self.voted::<RemoveRaftVoterRequest>(answer.error_code, answer.error_message)
    }

    /// Brokers forward the requests; among controllers, only the active one takes them.
    fn of_quorum(&self) -> Target {
        match self.endpoints {
            Endpoints::Brokers => Target::Any,
            Endpoints::Controllers => self.cluster().controller.map_or(Target::Any, Target::Broker),
        }
    }

    fn cluster_id(&self) -> Option<StrBytes> {
        self.cluster().id.clone().map(StrBytes::from_string)
    }

    fn voted<R>(&self, code: i16, message: Option<StrBytes>) -> Result<(), NoAnswer> {
        let Some(code) = ResponseError::try_from_code(code) else { return Ok(()) };
        let (target, operation) = (Target::Any, Operation::Alter);
        let error = self.refused_to::<R>(target, operation, code, text(message));
        // Kafka also answers with a timeout if the controller lags or cannot be reached, and then changes nothing. The
        // message alone tells these apart.
        Err(match code {
            ResponseError::RequestTimedOut
            | ResponseError::UnknownServerError
            | ResponseError::NotLeaderOrFollower => NoAnswer::Unknown(error),
            _ => NoAnswer::NotMade(error),
        })
    }
}

fn wire(id: BrokerId) -> i32 {
    i32::try_from(id.0).unwrap_or(i32::MAX)
}

/// Ids came from Kafka, so they are valid. Kafka refuses the nil id.
fn directory_of(id: &DirectoryId) -> Uuid {
    uuid(&id.0).unwrap_or_default()
}
