//! Errors in client properties. No variant contains text that may be secret. A missing line break or equals sign can
//! move a password into the next key or value.

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
        /// What is wrong with the line.
        reason: &'static str,
    },
    /// A security key that this client does not support.
    #[error("the client property {key} is not supported")]
    Unknown {
        /// The key.
        key: String,
        /// What to write instead, if there is a replacement.
        instead: Option<&'static str>,
    },
    /// A key that other keys require.
    #[error("the client property {key} is missing: {because}")]
    Missing {
        /// The key.
        key: &'static str,
        /// Why the key is required.
        because: &'static str,
    },
    /// An invalid value.
    #[error("the client property {key} is {value:?}, expected {expected}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// The value; never a secret one.
        value: String,
        /// The accepted values.
        expected: &'static str,
    },
    /// A secret value in the wrong form.
    #[error("the client property {key} is malformed: {reason}")]
    Malformed {
        /// The key.
        key: &'static str,
        /// Its form.
        reason: &'static str,
    },
    /// Two keys that contradict each other.
    #[error("the client properties {first} and {second} contradict each other: {reason}")]
    Contradiction {
        /// One key.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Why they contradict each other.
        reason: &'static str,
    },
    /// An authentication mechanism or a store format that exists, but that this client does not support.
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
    /// Unusable certificates, or an unusable private key.
    #[error("the client property {key} holds nothing usable: {reason}")]
    Material {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
        /// What to do about it, if known.
        instead: Option<&'static str>,
    },
    /// The machine's certificate store is empty, and the properties name no CA.
    #[error("no ssl.ca.location is set, and this machine has no trusted certificates: {reason}")]
    NoSystemRoots {
        /// The loader's error.
        reason: String,
    },
}

/// Stands for text that may contain a secret.
const HIDDEN: &str = "[hidden]";

/// A value that an error may show: a name in one case, or a number. Anything else may be a misplaced password.
pub(crate) fn shown(value: &str) -> String {
    let name = |own: fn(&char) -> bool| value.chars().all(|c| own(&c) || "-_.".contains(c));
    let named =
        name(|c| c.is_ascii_lowercase()) || name(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if named && value.len() <= 40 { value.to_owned() } else { HIDDEN.to_owned() }
}

/// The same for an entry of `bootstrap.servers`: the characters of a host and a port, so no user and password.
pub(super) fn shown_address(value: &str) -> String {
    let sound = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    if value.chars().all(sound) && value.len() <= 255 {
        value.to_owned()
    } else {
        HIDDEN.to_owned()
    }
}

/// A key that an error may show: it has only the characters of Kafka's keys.
pub(super) fn shown_key(key: &str) -> Option<&str> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    // The keys of Kafka's clients that have no dot. Any other word may be a password on a separate line.
    let named = key.contains('.') || ["acks", "debug", "retries"].contains(&key);
    (named && key.len() <= 64 && key.chars().all(sound)).then_some(key)
}

impl ConfigError {
    /// What to do next, if there is more to say than the error itself.
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
