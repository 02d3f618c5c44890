//! The SASL part of the properties: our user and its password, or the source of tokens.

use super::ConfigError;
use super::aws;
use super::error::shown;
use super::jaas::{self, Jaas};
use super::keys::PropertyKeys;
use super::settings::SecurityProtocol;
use super::token::{TokenFrom, TokenKeys, TokenSettings};
use crate::address::Address;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::fmt;

/// A login.
#[derive(Debug, Clone)]
pub struct SaslSettings {
    /// `sasl.mechanism`.
    pub mechanism: Mechanism,
    /// What proves who we are.
    pub credentials: Credentials,
}

/// What proves who we are.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A user and its password.
    Password {
        /// The user's name.
        user: String,
        /// The user's password.
        password: Secret,
    },
    /// A token from elsewhere.
    Token(TokenSettings),
}

/// A SASL mechanism that this client supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616: sends the password itself.
    Plain,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802 with SHA-512, as Kafka implements it.
    ScramSha512,
    /// RFC 7628: sends a token (KIP-255).
    OAuthBearer,
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Mechanism {
    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    fn module(self) -> &'static str {
        match self {
            Self::Plain => "PlainLoginModule",
            Self::ScramSha256 | Self::ScramSha512 => "ScramLoginModule",
            Self::OAuthBearer => "OAuthBearerLoginModule",
        }
    }
}

const MECHANISM: &str = "sasl.mechanism";
const JAAS: &str = "sasl.jaas.config";
const WE_HAVE: &str = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER and AWS_MSK_IAM are: add a listener or a user for \
                       one of them";

/// The library for it is one in C of the machine, which no image of ours has.
const NO_KERBEROS: &str = "logins by Kerberos are not: let the brokers have a second listener for administrators, with \
                           SCRAM-SHA-512 or a client certificate, and name its port";

/// Reads the SASL keys, even if the protocol does not use them, so that they do not count as unknown.
pub(super) fn read(
    keys: &mut PropertyKeys<'_>,
    protocol: SecurityProtocol,
    bootstrap: &[Address],
) -> Result<Option<SaslSettings>, ConfigError> {
    let mechanism = keys.aliased(MECHANISM)?;
    let jaas = keys.secret(JAAS);
    let user = keys.secret("sasl.username");
    let password = keys.secret("sasl.password");
    let token = TokenKeys::read(keys)?;
    let of_java = keys.text("sasl.client.callback.handler.class");
    if !protocol.is_sasl() {
        return Ok(None);
    }
    let mechanism = mechanism.ok_or(ConfigError::Missing {
        key: MECHANISM,
        because: "security.protocol asks for SASL; Kafka's own default, GSSAPI, is not supported",
    })?;
    let is_aws = mechanism == aws::MECHANISM;
    if let Some(class) = of_java.filter(|class| !aws::is_handler(class)) {
        let (key, instead) = ("sasl.client.callback.handler.class", "only that of AWS_MSK_IAM is");
        let value = shown(class.rsplit('.').next().unwrap_or(class));
        return Err(ConfigError::Unsupported { key, value, instead: instead.to_owned() });
    }
    if is_aws {
        let jaas = jaas.map(|text| module_named(aws::MODULE, text)).transpose()?;
        return of_aws(jaas, protocol, bootstrap);
    }
    let mechanism = self::mechanism(mechanism)?;
    let jaas = jaas.map(|text| module(mechanism, text)).transpose()?;
    if mechanism == Mechanism::OAuthBearer && token.is_of_aws() {
        return of_aws(jaas, protocol, bootstrap);
    }
    let credentials = if mechanism == Mechanism::OAuthBearer {
        Credentials::Token(token.settings(jaas)?)
    } else {
        token.refuse_handler()?;
        self::password(jaas, user, password)?
    };
    Ok(Some(SaslSettings { mechanism, credentials }))
}

/// The signature is as good as a password for a quarter of an hour, so it goes only through TLS.
fn of_aws(
    jaas: Option<Jaas>,
    protocol: SecurityProtocol,
    bootstrap: &[Address],
) -> Result<Option<SaslSettings>, ConfigError> {
    if !protocol.is_tls() {
        let (key, expected) = ("security.protocol", "SASL_SSL, the only one for AWS_MSK_IAM");
        return Err(ConfigError::Invalid { key, value: protocol.to_string(), expected });
    }
    let (from, extensions) = (TokenFrom::Aws(aws::settings(jaas, bootstrap)?), BTreeMap::new());
    let credentials = Credentials::Token(TokenSettings { from, extensions });
    Ok(Some(SaslSettings { mechanism: Mechanism::OAuthBearer, credentials }))
}

fn password(
    jaas: Option<Jaas>,
    user: Option<&str>,
    password: Option<&str>,
) -> Result<Credentials, ConfigError> {
    match (jaas, user, password) {
        (Some(jaas), None, None) => from_jaas(jaas),
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(ConfigError::Contradiction {
            first: JAAS,
            second: "sasl.username",
            reason: "name the user in one of them",
        }),
        (None, Some(user), Some(password)) => {
            Ok(Credentials::Password { user: user.to_owned(), password: Secret::new(password) })
        }
        (None, None, _) => Err(missing("sasl.username")),
        (None, Some(_), None) => Err(missing("sasl.password")),
    }
}

fn missing(key: &'static str) -> ConfigError {
    ConfigError::Missing { key, because: "security.protocol asks for SASL" }
}

const KNOWN: [Mechanism; 4] =
    [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512, Mechanism::OAuthBearer];

fn mechanism(text: &str) -> Result<Mechanism, ConfigError> {
    let instead = if text == "GSSAPI" { NO_KERBEROS } else { WE_HAVE };
    KNOWN.into_iter().find(|known| known.name() == text).ok_or_else(|| ConfigError::Unsupported {
        key: MECHANISM,
        value: shown(text),
        instead: instead.to_owned(),
    })
}

/// The login module of `text`, which must be the mechanism's.
fn module(mechanism: Mechanism, text: &str) -> Result<Jaas, ConfigError> {
    module_named(mechanism.module(), text)
}

fn module_named(name: &str, text: &str) -> Result<Jaas, ConfigError> {
    let jaas = jaas::parse(text).map_err(|reason| ConfigError::Malformed { key: JAAS, reason })?;
    if jaas.module == name {
        return Ok(jaas);
    }
    let known = KNOWN.iter().any(|known| known.module() == jaas.module);
    Err(if known || jaas.module == aws::MODULE {
        let reason = "the login module is another mechanism's";
        ConfigError::Contradiction { first: MECHANISM, second: JAAS, reason }
    } else {
        let instead = WE_HAVE.to_owned();
        // A login module's class ends in this word. Anything else may be a misplaced value.
        let class = jaas.module.ends_with("LoginModule") && jaas.module.len() <= 64;
        let value = if class { jaas.module } else { shown(&jaas.module) };
        ConfigError::Unsupported { key: JAAS, value, instead }
    })
}

fn from_jaas(mut jaas: Jaas) -> Result<Credentials, ConfigError> {
    let mut take = |option, reason| {
        jaas.options.remove(option).ok_or(ConfigError::Malformed { key: JAAS, reason })
    };
    let user = take("username", "it has no username")?;
    let password = take("password", "it has no password")?;
    match jaas.options.into_keys().next() {
        // A password without quotes is cut at its blanks, so its second word looks like an option.
        Some(option) => Err(ConfigError::Unsupported {
            key: JAAS,
            value: if option == "tokenauth" { option } else { shown("?") },
            instead: "only the options username and password are".to_owned(),
        }),
        None => Ok(Credentials::Password { user: user.expose().to_owned(), password }),
    }
}
