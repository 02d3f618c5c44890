//! Which keys exist, and which of them were read.
//!
//! A key that no reader asked for is left over. [`PropertyKeys::finish`] refuses it if it is about security, and otherwise
//! ignores and lists it.

use super::error::shown_key;
use super::{ConfigError, Properties};
use std::collections::BTreeSet;

/// Keys with one meaning: librdkafka's names and those of Kafka's own tools. We print the first one.
const ALIASES: [&[&str]; 4] = [
    &["bootstrap.servers", "metadata.broker.list"],
    &["sasl.mechanism", "sasl.mechanisms"],
    &["sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id"],
    &["sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret"],
];

/// Prefixes of keys that affect security, with any value. `enable.` ones are librdkafka's.
const SECURITY: [&str; 5] = ["ssl.", "sasl.", "security.", "enable.ssl.", "enable.sasl."];

/// Every name with this key's meaning.
pub(super) fn aliases(key: &str) -> &'static [&'static str] {
    ALIASES.into_iter().find(|names| names.contains(&key)).unwrap_or_default()
}

/// Reads properties and records which ones were read.
#[derive(Debug)]
pub(crate) struct PropertyKeys<'a> {
    properties: &'a Properties,
    read: BTreeSet<&'static str>,
    /// Prefixes of keys that may not be left over.
    security: &'static [&'static str],
}

impl<'a> PropertyKeys<'a> {
    pub(super) fn new(properties: &'a Properties) -> Self {
        Self::about(properties, &SECURITY)
    }

    /// The same for another client, with its own prefixes of keys that affect security.
    pub(crate) fn about(properties: &'a Properties, security: &'static [&'static str]) -> Self {
        Self { properties, read: BTreeSet::new(), security }
    }

    /// The value as written: whitespace may belong to a password.
    pub(crate) fn secret(&mut self, key: &'static str) -> Option<&'a str> {
        self.read.insert(key);
        self.properties.get(key)
    }

    /// The value without surrounding whitespace. An empty value counts as absent.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<&'a str> {
        self.secret(key).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The value under any name with the key's meaning.
    pub(super) fn aliased(&mut self, key: &'static str) -> Result<Option<&'a str>, ConfigError> {
        let mut found: Option<(&'static str, &'a str)> = None;
        for name in aliases(key) {
            let Some(value) = self.text(name) else {
                continue;
            };
            match found {
                Some((first, other)) if other != value => {
                    let reason = "they are two names of one thing";
                    return Err(ConfigError::Contradiction { first, second: name, reason });
                }
                Some(_) => {}
                None => found = Some((name, value)),
            }
        }
        Ok(found.map(|(_, value)| value))
    }

    /// The first of these keys that is set.
    pub(super) fn present(&self, keys: &[&'static str]) -> Option<&'static str> {
        keys.iter().copied().find(|key| self.properties.get(key).is_some())
    }

    /// Ends the reading. Returns the unread keys, or an error for a security key that we do not support.
    pub(crate) fn finish(self) -> Result<Vec<String>, ConfigError> {
        let left: Vec<&str> =
            self.properties.keys().filter(|key| !self.read.contains(key)).collect();
        let security = |key: &&str| self.security.iter().any(|prefix| key.starts_with(prefix));
        match left.iter().copied().find(security) {
            Some(key) => {
                let prefix = self.security.iter().find(|prefix| key.starts_with(**prefix));
                let named = shown_key(key).map(str::to_owned);
                let key = named.or_else(|| prefix.map(|prefix| format!("{prefix}[hidden]")));
                let key = key.unwrap_or_default();
                Err(ConfigError::Unknown { instead: instead(&key), key })
            }
            None => Ok(ignored(&left)),
        }
    }
}

/// The left-over names that look like keys. Lines that are not keys are only counted.
fn ignored(left: &[&str]) -> Vec<String> {
    let named: Vec<String> =
        left.iter().filter_map(|key| shown_key(key)).map(str::to_owned).collect();
    let odd = left.len() - named.len();
    let counted = (odd > 0).then(|| format!("[hidden, {odd} of no name that a client has]"));
    named.into_iter().chain(counted).collect()
}

fn instead(key: &str) -> Option<&'static str> {
    match key {
        "ssl.ca.certificate.stores" => Some("name the CA file in ssl.ca.location"),
        _ => None,
    }
}
