//! One look at one listener.

use super::Trust;
use super::certificate::Certificate;
use super::record::{Recorder, Shown};
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

/// What a listener served, and what clients make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The chain in the order it came; never empty, the listener's own certificate first.
    pub chain: Vec<Certificate>,
    /// Whether the listener's certificate is for the host that was dialled.
    pub name_matches: bool,
    /// Why clients with these authorities do not believe the chain, the name and its time apart; absent if they do, or
    /// no authorities were given.
    pub distrust: Option<Distrust>,
    /// The authorities (subjects, sorted) that may sign a client's certificate; absent where none is asked for. May be
    /// empty: a listener need not tell.
    pub client_authorities: Option<Vec<String>>,
}

/// Why a chain is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// It does not lead to a trusted authority.
    UnknownIssuer,
    /// Something else, in the verifier's words.
    Other(String),
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum NotServed {
    /// Nobody listens there, or the name does not resolve.
    #[error("no connection: {0}")]
    Unreached(io::Error),
    /// No answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// The host is no name that TLS can ask for.
    #[error("{0:?} is no host name")]
    NoName(String),
    /// Whatever answers does not speak TLS, or has no certificate.
    #[error("no TLS: {0}")]
    NoTls(io::Error),
    /// The certificate is nothing that can be read.
    #[error("an unreadable certificate: {0}")]
    Unreadable(String),
}

impl Served {
    /// The listener's own certificate.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.chain.first()
    }
}

/// Shakes hands once with the listener at `address`, and hangs up. `patience` is for all of it.
///
/// The broker notes a failed handshake in its log where it asks for a client certificate: we have none.
///
/// # Errors
/// [`NotServed`], where no certificate was shown.
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
        // A listener that wants a certificate of ours hangs up only after it has shown its own.
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

/// Whether the listener showed a certificate whose key it does not have.
fn is_no_owner(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<RustlsError>());
    matches!(tls, Some(RustlsError::InvalidCertificate(_)))
}

fn judged(
    shown: &Shown,
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

/// As the clients of this program would judge it; the verifier looks at the name last, and at the time on its way.
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
