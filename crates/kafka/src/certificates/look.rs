//! One TLS handshake with one listener, and its result.

use super::Trust;
use super::certificate::Certificate;
use super::record::{HandshakeRecord, Recorder};
use crate::address::Address;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, Error as RustlsError};

/// The chain that a listener served, and how clients judge it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The chain in the order of arrival. Never empty: the listener's own certificate is first.
    pub chain: Vec<Certificate>,
    /// Whether the listener's certificate is valid for the host that we connected to.
    pub name_matches: bool,
    /// Why clients with these authorities reject the chain, apart from its name and its time. Absent if they accept it,
    /// or if no authorities were given.
    pub distrust: Option<Distrust>,
    /// The authorities (subjects, sorted) that may sign a client's certificate. Absent if the listener requests none.
    /// May be empty: a listener need not list them.
    pub client_authorities: Option<Vec<String>>,
}

/// Why clients reject a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// It does not lead to a trusted authority.
    UnknownIssuer,
    /// Another reason, in the verifier's words.
    Other(String),
}

/// Why no certificate was read.
#[derive(Debug, thiserror::Error)]
pub enum NotServed {
    /// No process listens there, or the name does not resolve.
    #[error("no connection: {0}")]
    Unreached(io::Error),
    /// No answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// The host is not a valid TLS server name.
    #[error("{0:?} is no host name")]
    NoName(String),
    /// The peer does not speak TLS, or has no certificate.
    #[error("no TLS: {0}")]
    NoTls(io::Error),
    /// The certificate cannot be parsed.
    #[error("an unreadable certificate: {0}")]
    Unreadable(String),
}

impl Served {
    /// The listener's own certificate.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()
    }
}

/// Makes one handshake with the listener at `address` and then closes the connection. `patience` bounds the whole call.
///
/// If the broker requests a client certificate, it logs a failed handshake, because we present none.
///
/// # Errors
/// [`NotServed`] if the listener showed no certificate.
pub async fn served(
    address: &Address,
    trust: Option<&Trust>,
    patience: Duration,
) -> Result<Served, NotServed> {
    let name = ServerName::try_from(address.host.clone())
        .map_err(|_| NotServed::NoName(address.host.clone()))?;
    let recorder = Arc::new(Recorder::default());
    let shaking = shake(address, &name, &recorder);
    let ended = timeout(patience, shaking).await.map_err(|_| NotServed::Silent(patience))?;
    let shown = recorder.take();
    match ended {
        // A listener that requires a client certificate closes the connection only after it has shown its own.
        Err(NotServed::NoTls(error)) if shown.chain.is_empty() || is_no_owner(&error) => {
            Err(NotServed::NoTls(error))
        }
        Err(NotServed::NoTls(_)) | Ok(()) => judged(&shown, &name, trust),
        Err(other) => Err(other),
    }
}

async fn shake(
    address: &Address,
    name: &ServerName<'static>,
    recorder: &Arc<Recorder>,
) -> Result<(), NotServed> {
    let connecting = TcpStream::connect((address.host.as_str(), address.port));
    let tcp = connecting.await.map_err(NotServed::Unreached)?;
    let broken = |error: RustlsError| NotServed::NoTls(io::Error::other(error));
    let connector = recorder.connector().map_err(broken)?;
    connector.connect(name.clone(), tcp).await.map(drop).map_err(NotServed::NoTls)
}

/// Whether the listener showed a certificate whose private key it does not have.
fn is_no_owner(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<RustlsError>());
    matches!(tls, Some(RustlsError::InvalidCertificate(_)))
}

fn judged(
    shown: &HandshakeRecord,
    name: &ServerName<'_>,
    trust: Option<&Trust>,
) -> Result<Served, NotServed> {
    let read = shown.chain.iter().map(Certificate::read).collect::<Result<_, _>>();
    let (leaf, others) = shown.chain.split_first().ok_or_else(|| {
        NotServed::NoTls(io::Error::other("the handshake ended without a certificate"))
    })?;
    Ok(Served {
        chain: read.map_err(NotServed::Unreadable)?,
        name_matches: is_for(leaf, name),
        distrust: trust.and_then(|trust| distrust(trust, leaf, others, name)),
        client_authorities: shown.authorities.clone(),
    })
}

fn is_for(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let parsed = ParsedCertificate::try_from(leaf);
    parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

/// Judges the chain as this program's clients do. The verifier checks the name last, and the time before that.
pub(super) fn distrust(
    trust: &Trust,
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> Option<Distrust> {
    use CertificateError as Wrong;
    let verdict = trust.0.verify_server_cert(leaf, others, name, &[], UnixTime::now());
    match verdict {
        Ok(_) => None,
        Err(RustlsError::InvalidCertificate(
            Wrong::NotValidForName
            | Wrong::NotValidForNameContext { .. }
            | Wrong::Expired
            | Wrong::ExpiredContext { .. }
            | Wrong::NotValidYet
            | Wrong::NotValidYetContext { .. },
        )) => None,
        Err(RustlsError::InvalidCertificate(Wrong::UnknownIssuer | Wrong::BadSignature)) => {
            Some(Distrust::UnknownIssuer)
        }
        Err(other) => Some(Distrust::Other(other.to_string())),
    }
}
