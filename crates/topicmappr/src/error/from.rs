//! Errors of the parts, as those that end a run.

use super::Error;
use crate::marks::MarkError;
use crate::topics::HeldBy;
use mapper::NoPlan;
use mapper::maps::{MapsError, Refused};

impl From<NoPlan> for Error {
    fn from(reason: NoPlan) -> Self {
        Self::NoPlan { why: Box::new(reason), clash: None, lost: Vec::new() }
    }
}

impl From<kafka::Error> for Error {
    fn from(error: kafka::Error) -> Self {
        Self::Kafka(Box::new(error))
    }
}

impl From<MarkError> for Error {
    fn from(error: MarkError) -> Self {
        match error {
            MarkError::Kafka(error) => Self::Kafka(error),
            MarkError::Topic(error) => Self::Claim(error),
            MarkError::ZooKeeper(error) => Self::ZooKeeper(error),
            MarkError::Kubernetes(error) => Self::Kubernetes(error),
            error @ MarkError::Nameless => Self::Flags(error.to_string()),
            MarkError::Busy { place, why } => Self::Held(HeldBy { lock: place, holder: why }),
            MarkError::Unread { place, problem } | MarkError::Ledger { place, problem } => {
                Self::Record { name: place, problem }
            }
        }
    }
}

impl From<kubernetes::Error> for Error {
    fn from(error: kubernetes::Error) -> Self {
        Self::Kubernetes(Box::new(error))
    }
}

impl From<zookeeper::Error> for Error {
    fn from(error: zookeeper::Error) -> Self {
        Self::ZooKeeper(Box::new(error))
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::MapFindings(refused)
    }
}

impl From<MapsError> for Error {
    fn from(error: MapsError) -> Self {
        Self::Maps(Box::new(error))
    }
}
