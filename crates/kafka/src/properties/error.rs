//! What is wrong with client properties. No variant holds text that may be secret: a line break that is missing, or an equals
//! sign, puts a password into the value or the key of its neighbour.

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

/// What an error says instead of text that may hold a secret.
const HIDDEN: &str = "[hidden]";

/// A value as an error may show it: a name in one case, or a number. Anything else may be a password that has got there.
pub(super) fn shown(value: &str) -> String {
    let name = |own: fn(&char) -> bool| value.chars().all(|c| own(&c) || "-_.".contains(c));
    let named =
        name(|c| c.is_ascii_lowercase()) || name(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if named && value.len() <= 40 { value.to_owned() } else { HIDDEN.to_owned() }
}

/// The same for an entry of `bootstrap.servers`: what can stand in a host and a port, and no user and password.
pub(super) fn shown_address(value: &str) -> String {
    let sound = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    if value.chars().all(sound) && value.len() <= 255 {
        value.to_owned()
    } else {
        HIDDEN.to_owned()
    }
}

/// A key as it may be shown: in the letters that Kafka's keys have.
pub(super) fn shown_key(key: &str) -> Option<&str> {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    // Those without a dot that Kafka's clients have; any other word may be a password on a line of its own.
    let named = key.contains('.') || ["acks", "debug", "retries"].contains(&key);
    (named && key.len() <= 64 && key.chars().all(sound)).then_some(key)
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
