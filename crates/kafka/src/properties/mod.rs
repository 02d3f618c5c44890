//! Client properties: one file for every Kafka client of this toolkit.
//!
//! In: a file in the syntax of Java properties, with librdkafka's names or those of Kafka's own tools. Out:
//! [`Settings`]. A security key that we do not support is an error, so that operators do not rely on a protection that
//! is missing. Keys that tune producers and consumers are ignored and listed.

mod aws;
mod error;
mod jaas;
mod keys;
mod sasl;
mod settings;
mod syntax;
mod tls;
mod token;

#[cfg(test)]
mod tests;

pub use aws::AwsIam;
pub use error::ConfigError;
pub(crate) use error::shown;
pub(crate) use jaas::{Jaas, parse as jaas_line, section as jaas_section};
pub(crate) use keys::PropertyKeys;
pub use sasl::{Credentials, Mechanism, SaslSettings};
pub use settings::{SecurityProtocol, Settings};
pub use tls::{Identity, Material, MaterialSource, Roots, TlsSettings};
pub(crate) use tls::{is_path, one_of};
pub use token::{TokenEndpoint, TokenFrom, TokenSettings};

use crate::secret::Secret;
use std::collections::BTreeMap;

/// The uninterpreted keys and values of a properties file. As in Java, the last of two equal keys counts.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    values: BTreeMap<String, Secret>,
}

impl Properties {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] for a malformed escape.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let entries = syntax::parse(text)?;
        let values = entries.into_iter().map(|e| (e.key, Secret::new(e.value))).collect();
        Ok(Self { values })
    }

    /// Sets a key, as a command line flag that overrides the file does. Removes the key's aliases.
    pub fn set(&mut self, key: &str, value: &str) {
        for name in keys::aliases(key) {
            self.values.remove(*name);
        }
        self.values.insert(key.to_owned(), Secret::new(value));
    }

    /// The value of a key. Do not log it: it may be a secret.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(Secret::expose)
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}
