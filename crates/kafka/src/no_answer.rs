//! Why a request that changes something has no answer.

use crate::error::Error;

/// Why a request that changes something has no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The request was not sent, or Kafka refused all of it. Nothing has changed.
    #[error("nothing was changed: {0}")]
    NotMade(Error),
    /// The request was sent, but no answer came. Kafka may have carried it out, or may still do so. Read the cluster to
    /// find out.
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

    /// Whether it is certain that nothing has changed.
    pub fn is_certain(&self) -> bool {
        matches!(self, Self::NotMade(_))
    }
}
