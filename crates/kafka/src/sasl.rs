//! Authentication on a new connection: SaslHandshake, then SaslAuthenticate until both sides are satisfied.

use crate::address::Address;
use crate::connection::Connection;
use crate::error::{Error, Spoken};
use crate::properties::{Mechanism, SaslSettings, SecurityProtocol, Settings};
use crate::scram::{Hash, Password, Scram, ScramError};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use std::net::IpAddr;
use std::time::Duration;

/// Our credentials, and what to keep of them from one connection to the next.
#[derive(Debug)]
pub(crate) struct Login {
    sasl: SaslSettings,
    protocol: SecurityProtocol,
    /// Cached for the mechanisms that salt it.
    password: Password,
}

impl Login {
    /// The login of the settings, if they have one.
    pub(crate) fn new(settings: &Settings) -> Option<Self> {
        let sasl = settings.sasl.clone()?;
        let hash = match sasl.mechanism {
            Mechanism::ScramSha512 => Hash::Sha512,
            Mechanism::ScramSha256 | Mechanism::Plain => Hash::Sha256,
        };
        let open = settings.protocol == SecurityProtocol::SaslPlaintext;
        if open && sasl.mechanism == Mechanism::Plain && !settings.bootstrap.iter().all(is_here) {
            tracing::warn!(
                "the password of {} is sent without encryption, where anything on the way can read it: \
                 security.protocol=SASL_SSL or SCRAM keeps it secret",
                sasl.user
            );
        }
        let password = Password::new(hash, sasl.password.clone());
        Some(Self { sasl, protocol: settings.protocol, password })
    }

    /// Authenticates as `sasl.user`. Returns how long the broker accepts the login (KIP-368), or `None` if it has no
    /// end.
    pub(crate) async fn prove(
        &self,
        connection: &mut Connection,
    ) -> Result<Option<Duration>, Error> {
        self.shake_hands(connection).await?;
        let exchange = Exchange { connection, sasl: &self.sasl };
        match self.sasl.mechanism {
            Mechanism::Plain => exchange.plain().await,
            Mechanism::ScramSha256 | Mechanism::ScramSha512 => exchange.scram(&self.password).await,
        }
    }

    async fn shake_hands(&self, connection: &mut Connection) -> Result<(), Error> {
        let name = StrBytes::from_static_str(self.sasl.mechanism.name());
        let request = SaslHandshakeRequest::default().with_mechanism(name);
        // Version 1 or later: after version 0, tokens follow without frames.
        let answer = connection.call_at(&request, 1).await?;
        match ResponseError::try_from_code(answer.error_code) {
            None => Ok(()),
            Some(ResponseError::IllegalSaslState) => Err(Error::WrongProtocol {
                address: connection.address().clone(),
                configured: self.protocol,
                spoken: Spoken::NoSasl,
            }),
            Some(ResponseError::UnsupportedSaslMechanism) => {
                let offered = mapper::joined(answer.mechanisms.iter().map(StrBytes::as_str));
                let reason = format!("it offers only {offered}");
                Err(refused(connection, &self.sasl, reason))
            }
            Some(code) => Err(connection.refused::<SaslHandshakeRequest>(code, None)),
        }
    }
}

/// Whether the address belongs to this machine.
fn is_here(address: &Address) -> bool {
    let host = address.host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn refused(connection: &Connection, sasl: &SaslSettings, reason: String) -> Error {
    Error::Authentication {
        address: connection.address().clone(),
        mechanism: sasl.mechanism,
        user: sasl.user.clone(),
        reason,
    }
}

struct Exchange<'a> {
    connection: &'a mut Connection,
    sasl: &'a SaslSettings,
}

impl Exchange<'_> {
    async fn plain(mut self) -> Result<Option<Duration>, Error> {
        let token = format!("\0{}\0{}", self.sasl.user, self.sasl.password.expose());
        let (_, lifetime) = self.send(token).await?;
        Ok(lifetime)
    }

    async fn scram(mut self, password: &Password) -> Result<Option<Duration>, Error> {
        let nonce = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let scram = Scram::new(&self.sasl.user, password, nonce);
        let (challenge, _) = self.send(scram.first_message()).await?;
        let (message, proven) = scram.prove(&challenge).map_err(|error| self.failed(error))?;
        let (proof, lifetime) = self.send(message).await?;
        proven.verify(&proof).map_err(|error| self.failed(error))?;
        Ok(lifetime)
    }

    fn failed(&self, error: ScramError) -> Error {
        refused(self.connection, self.sasl, error.to_string())
    }

    async fn send(&mut self, token: String) -> Result<(String, Option<Duration>), Error> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(token));
        let answer = self.connection.call(|_| request).await?;
        if let Some(code) = ResponseError::try_from_code(answer.error_code) {
            let said = answer.error_message.map(|text| text.to_string());
            let reason =
                said.filter(|text| !text.is_empty()).unwrap_or_else(|| format!("{code:?}"));
            return Err(refused(self.connection, self.sasl, reason));
        }
        let lifetime = u64::try_from(answer.session_lifetime_ms).ok().filter(|millis| *millis > 0);
        let text = String::from_utf8_lossy(&answer.auth_bytes).into_owned();
        Ok((text, lifetime.map(Duration::from_millis)))
    }
}
