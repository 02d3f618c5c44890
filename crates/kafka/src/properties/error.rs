//! What is wrong with client properties. No variant holds a value that may be secret.

use std::io;
use std::path::PathBuf;

/// Client properties that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A line is not in the syntax of properties files.
    #[error("line {line} of the client properties: {reason}")]
    Syntax {
        /// The number of the line, from 1.
        line: usize,
        /// What it breaks.
        reason: &'static str,
    },
    /// A security key that this client does not honour.
    #[error("the client property {key} is not supported")]
    Unknown {
        /// The key.
        key: String,
        /// What to write instead, where there is something.
        instead: Option<&'static str>,
    },
    /// A key that the others call for.
    #[error("the client property {key} is missing: {because}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What calls for it.
        because: &'static str,
    },
    /// A value that the key cannot have.
    #[error("the client property {key} is {value:?}, expected {expected}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// The value; never a secret one.
        value: String,
        /// What it could be.
        expected: &'static str,
    },
    /// A secret value that is not of the key's form.
    #[error("the client property {key} is malformed: {reason}")]
    Malformed {
        /// The key.
        key: &'static str,
        /// Its form.
        reason: &'static str,
    },
    /// Two keys that deny each other.
    #[error("the client properties {first} and {second} contradict each other: {reason}")]
    Contradiction {
        /// One key.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Why not both.
        reason: &'static str,
    },
    /// A way to authenticate, or a store format, that exists but that this client lacks.
    #[error("{key}={value} is not supported")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What to do about it.
        instead: String,
    },
    /// A file that a key names cannot be read.
    #[error("cannot read the file of the client property {key}: {}: {source}", path.display())]
    Unreadable {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Certificates or a private key that cannot be used.
    #[error("the client property {key} holds nothing usable: {reason}")]
    Material {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
        /// What to do about it, where that is known.
        instead: Option<&'static str>,
    },
    /// The machine's certificate store is empty and no CA was named.
    #[error("no ssl.ca.location is set, and this machine has no trusted certificates: {reason}")]
    NoSystemRoots {
        /// What loading them said.
        reason: String,
    },
}

impl ConfigError {
    /// What to do next, where there is more to say than the error itself.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { instead, .. } | Self::Material { instead, .. } => {
                instead.map(str::to_owned)
            }
            Self::Unsupported { instead, .. } => Some(instead.clone()),
            Self::NoSystemRoots { .. } => Some(
                "set ssl.ca.location to the CA of the brokers, in PEM, or install ca-certificates"
                    .to_owned(),
            ),
            Self::Syntax { .. }
            | Self::Missing { .. }
            | Self::Invalid { .. }
            | Self::Malformed { .. }
            | Self::Contradiction { .. }
            | Self::Unreadable { .. } => None,
        }
    }
}
