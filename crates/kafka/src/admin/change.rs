//! What all calls that change a cluster share: the client never sends one twice, and each topic has its own answer.

use super::text;
use crate::client::Client;
use crate::error::{Denied, Operation, Resource};
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::fmt;

/// Each topic's answer, by name.
pub type Answers<T> = BTreeMap<String, Result<T, Refusal>>;

/// Why the cluster did not change one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Kafka's code.
    pub code: ResponseError,
    /// The broker's own explanation.
    pub message: Option<String>,
    /// The missing ACL, if that is the reason.
    pub denied: Option<Denied>,
}

impl Refusal {
    /// Whether the change may have been made despite this error code.
    pub fn is_unsure(&self) -> bool {
        matches!(self.code, ResponseError::RequestTimedOut | ResponseError::UnknownServerError)
    }

    /// What to do next, if there is more to say than the error itself.
    pub fn hint(&self) -> Option<String> {
        self.denied.as_ref().map(Denied::hint)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.denied, &self.message) {
            (Some(denied), _) => denied.fmt(f),
            (None, Some(message)) => write!(f, "{:?}: {message}", self.code),
            (None, None) => write!(f, "{:?}", self.code),
        }
    }
}

impl Client {
    /// One topic's answer. `operation` is the right that an ACL has to grant.
    pub(super) fn answered<R>(
        &self,
        code: i16,
        message: Option<StrBytes>,
        operation: Operation,
    ) -> Result<(), Refusal> {
        let Some(code) = ResponseError::try_from_code(code) else {
            return Ok(());
        };
        let resource = match code {
            ResponseError::ClusterAuthorizationFailed => Some(Resource::Cluster),
            ResponseError::TopicAuthorizationFailed => Some(Resource::Topics),
            _ => None,
        };
        let denied = resource.map(|resource| self.denied::<R>(resource, operation));
        Err(Refusal { code, message: text(message), denied })
    }

    /// The deadline for the broker, in milliseconds. It is shorter than ours, so that the broker's answer arrives
    /// before we give up.
    pub(super) fn patience_of_broker(&self) -> i32 {
        let ours = self.settings().request_timeout.as_millis();
        i32::try_from(ours * 3 / 4).unwrap_or(i32::MAX)
    }
}

/// Whether a broker that is not the controller has refused all topics.
pub(super) fn not_controller(mut codes: impl Iterator<Item = i16>) -> bool {
    let code = ResponseError::NotController.code();
    let first = codes.next();
    first == Some(code) && codes.all(|other| other == code)
}
