//! Authentication on a new connection: SaslHandshake, then SaslAuthenticate until both sides are satisfied.

use crate::address::Address;
use crate::connection::Connection;
use crate::error::{Error, Spoken};
use crate::properties::{ConfigError, Credentials, Mechanism, SecurityProtocol, Settings};
use crate::scram::{Hash, Password, Scram, ScramError};
use crate::token::{BearerToken, TokenSource};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use std::net::IpAddr;
use std::time::Duration;

/// Our credentials, and what to keep of them from one connection to the next.
#[derive(Debug)]
pub(crate) struct Login {
    mechanism: Mechanism,
    protocol: SecurityProtocol,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    /// The password is cached for the mechanisms that salt it.
    Password {
        user: String,
        password: Password,
    },
    Token(Box<TokenSource>),
}

impl Login {
    /// The login of the settings, if they have one.
    pub(crate) fn new(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        let Some(sasl) = settings.sasl.clone() else { return Ok(None) };
        let (mechanism, protocol) = (sasl.mechanism, settings.protocol);
        let is_local = |address: &Address| is_here(&address.host);
        let open =
            protocol == SecurityProtocol::SaslPlaintext && !settings.bootstrap.iter().all(is_local);
        let proof = match sasl.credentials {
            Credentials::Password { user, password } => {
                if open && mechanism == Mechanism::Plain {
                    warn_of_open(&format!("the password of {user}"), "SASL_SSL or SCRAM keeps");
                }
                let hash = match mechanism {
                    Mechanism::ScramSha512 => Hash::Sha512,
                    Mechanism::ScramSha256 | Mechanism::Plain | Mechanism::OAuthBearer => {
                        Hash::Sha256
                    }
                };
                Proof::Password { user, password: Password::new(hash, password) }
            }
            Credentials::Token(token) => {
                if open {
                    warn_of_open("the token", "SASL_SSL keeps");
                }
                Proof::Token(Box::new(TokenSource::new(token, settings.setup_timeout)?))
            }
        };
        Ok(Some(Self { mechanism, protocol, proof }))
    }

    /// The token for the next connection, if logins need one.
    pub(crate) async fn token(&self) -> Result<Option<BearerToken>, Error> {
        match &self.proof {
            Proof::Password { .. } => Ok(None),
            Proof::Token(source) => source.token().await.map(Some),
        }
    }

    /// Authenticates. Returns how long the broker accepts the login (KIP-368), or `None` if it has no end.
    pub(crate) async fn prove(
        &self,
        connection: &mut Connection,
        token: Option<&BearerToken>,
    ) -> Result<Option<Duration>, Error> {
        let user = match (&self.proof, token) {
            (Proof::Password { user, .. }, _) => user,
            (Proof::Token(_), token) => token.map_or("", |token| &token.principal),
        };
        let mut exchange = Exchange { connection, mechanism: self.mechanism, user };
        self.shake_hands(&mut exchange).await?;
        match (&self.proof, token) {
            (Proof::Password { password, .. }, _) if self.mechanism == Mechanism::Plain => {
                exchange.plain(password).await
            }
            (Proof::Password { password, .. }, _) => exchange.scram(password).await,
            (Proof::Token(source), Some(token)) => {
                let answer = exchange.bearer(source, token).await;
                if let Err(Error::Authentication { .. }) = &answer {
                    source.forget().await;
                }
                answer
            }
            (Proof::Token(_), None) => Err(exchange.refused("there is no token".to_owned())),
        }
    }

    async fn shake_hands(&self, exchange: &mut Exchange<'_>) -> Result<(), Error> {
        let name = StrBytes::from_static_str(self.mechanism.name());
        let request = SaslHandshakeRequest::default().with_mechanism(name);
        // Version 1 or later: after version 0, tokens follow without frames.
        let answer = exchange.connection.call_at(&request, 1).await?;
        let connection = &exchange.connection;
        match ResponseError::try_from_code(answer.error_code) {
            None => Ok(()),
            Some(ResponseError::IllegalSaslState) => Err(Error::WrongProtocol {
                address: connection.address().clone(),
                configured: self.protocol,
                spoken: Spoken::NoSasl,
            }),
            Some(ResponseError::UnsupportedSaslMechanism) => {
                let offered = mapper::joined(answer.mechanisms.iter().map(StrBytes::as_str));
                Err(exchange.refused(format!("it offers only {offered}")))
            }
            Some(code) => Err(connection.refused::<SaslHandshakeRequest>(code, None)),
        }
    }
}

fn warn_of_open(what: &str, better: &str) {
    tracing::warn!(
        "{what} is sent without encryption, where anything on the way can read it: {better} it secret, by \
         security.protocol"
    );
}

/// Whether the host is this machine.
pub(crate) fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

struct Exchange<'a> {
    connection: &'a mut Connection,
    mechanism: Mechanism,
    user: &'a str,
}

impl Exchange<'_> {
    async fn plain(mut self, password: &Password) -> Result<Option<Duration>, Error> {
        let token = format!("\0{}\0{}", self.user, password.plain().expose());
        let (_, lifetime) = self.send(token).await?;
        Ok(lifetime)
    }

    async fn scram(mut self, password: &Password) -> Result<Option<Duration>, Error> {
        let nonce = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let scram = Scram::new(self.user, password, nonce);
        let (challenge, _) = self.send(scram.first_message()).await?;
        let (message, proven) = scram.prove(&challenge).map_err(|error| self.failed(error))?;
        let (proof, lifetime) = self.send(message).await?;
        proven.verify(&proof).map_err(|error| self.failed(error))?;
        Ok(lifetime)
    }

    /// RFC 7628, section 3. An answer with text is a refusal, which the broker ends after our empty message.
    async fn bearer(
        mut self,
        source: &TokenSource,
        token: &BearerToken,
    ) -> Result<Option<Duration>, Error> {
        let mut message = format!("n,,\x01auth=Bearer {}", token.text.expose());
        for (name, value) in source.extensions() {
            message.push_str(&format!("\x01{name}={value}"));
        }
        let (problem, lifetime) = self.send(message + "\x01\x01").await?;
        if problem.is_empty() {
            return Ok(lifetime);
        }
        self.send("\x01".to_owned()).await?;
        Err(self.refused(problem))
    }

    fn failed(&self, error: ScramError) -> Error {
        self.refused(error.to_string())
    }

    fn refused(&self, reason: String) -> Error {
        Error::Authentication {
            address: self.connection.address().clone(),
            mechanism: self.mechanism,
            user: self.user.to_owned(),
            reason,
        }
    }

    async fn send(&mut self, token: String) -> Result<(String, Option<Duration>), Error> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(token));
        let answer = self.connection.call(|_| request).await?;
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            let said = answer.error_message.map(|text| text.to_string());
            let reason =
                said.filter(|text| !text.is_empty()).unwrap_or_else(|| format!("{code:?}"));
            return Err(self.refused(reason));
        }
        let lifetime = u64::try_from(answer.session_lifetime_ms).ok().filter(|millis| *millis > 0);
        let text = String::from_utf8_lossy(&answer.auth_bytes).into_owned();
        Ok((text, lifetime.map(Duration::from_millis)))
    }
}
