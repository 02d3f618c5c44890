//! Client properties: one file for every Kafka client of this toolkit.
//!
//! In: a file in the syntax of Java properties, with librdkafka's names or those of Kafka's own tools. Out:
//! [`Settings`]. A security key that we do not honour is refused by name, so that nobody believes in a protection
//! that is not there; what tunes producers and consumers is ignored, and listed.

mod error;
mod jaas;
mod keys;
mod sasl;
mod settings;
mod syntax;
mod tls;

#[cfg(test)]
mod tests;

pub use error::ConfigError;
pub use sasl::{Mechanism, SaslSettings};
pub use settings::{SecurityProtocol, Settings};
pub use tls::{Identity, Pem, PemSource, Roots, TlsSettings};

use crate::secret::Secret;
use std::collections::BTreeMap;

/// The keys and values of a properties file, not yet understood. The last of two equal keys counts, as in Java.
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

    /// Sets a key, as a flag of the command line does that overrides the file; its aliases are forgotten.
    pub fn set(&mut self, key: &str, value: &str) {
        for name in keys::aliases(key) {
            self.values.remove(*name);
        }
        self.values.insert(key.to_owned(), Secret::new(value));
    }

    /// The value of a key. It may be a secret: it is not for logs.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(Secret::expose)
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}
