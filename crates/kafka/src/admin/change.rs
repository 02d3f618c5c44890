//! What all calls that change a cluster have in common: none is ever sent twice, and each topic has its own answer.

use super::text;
use crate::client::Client;
use crate::error::{Denied, Error, Operation, Resource};
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::fmt;

/// Why a request that changes something has no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It was not sent, or refused as a whole: nothing has changed.
    #[error("nothing was changed: {0}")]
    NotMade(Error),
    /// It was sent, and no answer came. It may have been carried out, or still be: only the cluster tells.
    #[error("whether it was carried out is not known: {0}")]
    Unknown(Error),
}

impl NoAnswer {
    /// What went wrong.
    pub fn error(&self) -> &Error {
        match self {
            Self::NotMade(error) | Self::Unknown(error) => error,
        }
    }

    /// Nothing has changed for sure.
    pub fn is_certain(&self) -> bool {
        matches!(self, Self::NotMade(_))
    }
}

/// Each topic's answer, by name.
pub type Answers<T> = BTreeMap<String, Result<T, Refusal>>;

/// Why the cluster did not change one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Kafka's code.
    pub code: ResponseError,
    /// What the broker added.
    pub message: Option<String>,
    /// The ACL that is missing, if one is.
    pub denied: Option<Denied>,
}

impl Refusal {
    /// The change may have been made all the same.
    pub fn is_unsure(&self) -> bool {
        matches!(self.code, ResponseError::RequestTimedOut | ResponseError::UnknownServerError)
    }

    /// What to do about it, where there is more to say than the refusal itself.
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
    /// One topic's answer. `operation`: what an ACL would have to grant.
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

    /// How long a broker may take for a change: so long that its answer comes before we stop waiting for it.
    pub(super) fn patience_of_broker(&self) -> i32 {
        let ours = self.settings().request_timeout.as_millis();
        i32::try_from(ours * 3 / 4).unwrap_or(i32::MAX)
    }
}

/// Whether a broker that is not the controller has turned all topics away.
pub(super) fn not_controller(mut codes: impl Iterator<Item = i16>) -> bool {
    let code = ResponseError::NotController.code();
    let first = codes.next();
    first == Some(code) && codes.all(|other| other == code)
}
