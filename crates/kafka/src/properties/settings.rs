//! The resolved properties: where the cluster is, and how to connect to it.

use super::error::{shown, shown_address};
use super::keys::PropertyKeys;
use super::sasl::{self, Credentials, SaslSettings};
use super::tls::{self, TlsSettings};
use super::{ConfigError, Properties};
use crate::address::Address;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Everything that a client needs before it connects.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `bootstrap.servers`, in the order given; never empty.
    pub bootstrap: Vec<Address>,
    /// `security.protocol`.
    pub protocol: SecurityProtocol,
    /// The TLS part; present if and only if the protocol is `SSL` or `SASL_SSL`.
    pub tls: Option<TlsSettings>,
    /// The SASL part; present if and only if the protocol is `SASL_PLAINTEXT` or `SASL_SSL`.
    pub sasl: Option<SaslSettings>,
    /// `client.id`; default `topicmappr`.
    pub client_id: String,
    /// How long one request may take: `socket.timeout.ms`, else `request.timeout.ms`; default 30 s.
    pub request_timeout: Duration,
    /// How long each stage of connecting may take (TCP, TLS, greeting, SASL):
    /// `socket.connection.setup.timeout.ms`; default 10 s.
    pub setup_timeout: Duration,
    /// Keys without meaning for an admin client (producer and consumer tuning), in order.
    pub ignored: Vec<String>,
}

/// The protocol of a listener: Kafka's `security.protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL within TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Whether it uses TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether it uses SASL.
    pub const fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        })
    }
}

impl FromStr for SecurityProtocol {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => Ok(Self::Plaintext),
            "SSL" => Ok(Self::Ssl),
            "SASL_PLAINTEXT" => Ok(Self::SaslPlaintext),
            "SASL_SSL" => Ok(Self::SaslSsl),
            _ => Err(ConfigError::Invalid {
                key: "security.protocol",
                value: shown(text),
                expected: "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
            }),
        }
    }
}

/// Keys that require `security.protocol` to be set.
const NEEDS_PROTOCOL: [&str; 9] = [
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.jaas.config",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.username",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.truststore.location",
    "ssl.certificate.location",
];

impl Settings {
    /// Interprets `properties`.
    ///
    /// # Errors
    /// [`ConfigError`] for the first key that is missing, contradictory, or not supported.
    pub fn from_properties(properties: &Properties) -> Result<Self, ConfigError> {
        let mut keys = PropertyKeys::new(properties);
        let bootstrap = bootstrap(&mut keys)?;
        let protocol = protocol(&mut keys)?;
        let sasl = sasl::read(&mut keys, protocol, &bootstrap)?;
        let tls = tls::read(&mut keys, protocol)?;
        let client_id = keys.text("client.id").unwrap_or("topicmappr").to_owned();
        let request = millis(&mut keys, "request.timeout.ms")?;
        let socket = millis(&mut keys, "socket.timeout.ms")?;
        let setup = millis(&mut keys, "socket.connection.setup.timeout.ms")?;
        Ok(Self {
            bootstrap,
            protocol,
            tls,
            sasl,
            client_id,
            // In librdkafka, `request.timeout.ms` belongs to producers; `socket.timeout.ms` is its name for our
            // timeout.
            request_timeout: socket.or(request).unwrap_or(Duration::from_secs(30)),
            setup_timeout: setup.unwrap_or(Duration::from_secs(10)),
            ignored: keys.finish()?,
        })
    }

    /// Whether the settings have a client certificate.
    pub(crate) fn presents_certificate(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.identity.is_some())
    }

    /// Our principal. `None` with a client certificate or a token, because brokers derive the principal from it.
    pub(crate) fn principal(&self) -> Option<String> {
        match self.sasl.as_ref().map(|sasl| &sasl.credentials) {
            Some(Credentials::Password { user, .. }) => Some(format!("User:{user}")),
            // The broker finds it in the token, by `sasl.oauthbearer.sub.claim.name`.
            Some(Credentials::Token(_)) => None,
            None if self.presents_certificate() => None,
            None => Some("User:ANONYMOUS".to_owned()),
        }
    }
}

fn bootstrap(keys: &mut PropertyKeys<'_>) -> Result<Vec<Address>, ConfigError> {
    const KEY: &str = "bootstrap.servers";
    let missing = ConfigError::Missing { key: KEY, because: "no cluster is named" };
    let text = keys.aliased(KEY)?.ok_or(missing)?;
    let listed = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let invalid = |value: &str| ConfigError::Invalid {
        key: KEY,
        value: shown_address(value),
        expected: "HOST:PORT,...",
    };
    let addresses: Vec<Address> =
        listed.map(|part| part.parse().map_err(|_| invalid(part))).collect::<Result<_, _>>()?;
    if addresses.is_empty() { Err(invalid(text)) } else { Ok(addresses) }
}

fn protocol(keys: &mut PropertyKeys<'_>) -> Result<SecurityProtocol, ConfigError> {
    if let Some(text) = keys.text("security.protocol") {
        return text.parse();
    }
    match keys.present(&NEEDS_PROTOCOL) {
        // Kafka's default is PLAINTEXT. Without this check, a forgotten line would send everything unencrypted.
        Some(_) => Err(ConfigError::Missing {
            key: "security.protocol",
            because: "there are ssl.* or sasl.* keys, which mean nothing without it",
        }),
        None => Ok(SecurityProtocol::Plaintext),
    }
}

fn millis(keys: &mut PropertyKeys<'_>, key: &'static str) -> Result<Option<Duration>, ConfigError> {
    let Some(text) = keys.text(key) else {
        return Ok(None);
    };
    match text.parse::<u32>() {
        Ok(millis) if millis > 0 => Ok(Some(Duration::from_millis(millis.into()))),
        Ok(_) | Err(_) => Err(ConfigError::Invalid {
            key,
            value: shown(text),
            expected: "a positive number of milliseconds",
        }),
    }
}
