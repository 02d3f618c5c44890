//! Why a server opens no session, found out with a connection of our own.

use crate::access::ZooKeeperAccess;
use crate::socket::{self, tls_error};
use std::fmt;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError};

/// The deadline for each question to a server.
const PROBE: Duration = Duration::from_secs(2);
/// Allowed by default (`4lw.commands.whitelist`). A server that forbids it says so, which is an answer, too.
const WORD: &[u8; 4] = b"srvr";

/// Why a server opens no session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoSession {
    /// No connection: the system's reason.
    NotConnected(String),
    /// No answer within this time.
    Silent(Duration),
    /// It accepts connections, and opens no session.
    Mute,
    /// It speaks TLS, and we do not.
    OnlyTls,
    /// We speak TLS, and it does not.
    NoTls,
    /// Its certificate is not signed by an authority that we trust.
    Untrusted,
    /// Its certificate is for other hosts.
    WrongName(Vec<String>),
    /// It wants another client certificate, or one at all.
    NoClientCertificate {
        /// Whether we have sent one.
        sent: bool,
    },
    /// Another failure of TLS.
    OtherTls(String),
}

impl fmt::Display for NoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(reason) => f.write_str(reason),
            Self::Silent(waited) => write!(f, "no answer within {} s", waited.as_secs()),
            Self::Mute => f.write_str(
                "accepts connections, but opens no session (no ZooKeeper, or without a quorum)",
            ),
            Self::OnlyTls => f.write_str("it speaks TLS, and this client does not"),
            Self::NoTls => f.write_str("it does not speak TLS, and this client does"),
            Self::Untrusted => f.write_str("its certificate is not signed by a trusted CA"),
            Self::WrongName(names) if names.is_empty() => {
                f.write_str("its certificate is for another host")
            }
            Self::WrongName(names) => {
                write!(f, "its certificate is for other hosts: {}", names.join(", "))
            }
            Self::NoClientCertificate { sent: true } => {
                f.write_str("it rejects our client certificate")
            }
            Self::NoClientCertificate { sent: false } => {
                f.write_str("it wants a client certificate")
            }
            Self::OtherTls(reason) => write!(f, "TLS failed: {reason}"),
        }
    }
}

impl NoSession {
    /// What to do next, if this reason says it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::OnlyTls => {
                "give the file with zookeeper.ssl.client.enable=true and the stores: --zookeeper-config FILE"
            }
            Self::NoTls => {
                "use the port in secureClientPort, or remove zookeeper.ssl.client.enable from the file of \
                 --zookeeper-config"
            }
            Self::Untrusted => {
                "zookeeper.ssl.truststore.location must hold the CA that signed the servers' certificates"
            }
            Self::WrongName(_) => "name the servers as their certificates do",
            Self::NoClientCertificate { sent: false } => {
                "set zookeeper.ssl.keystore.location and .password in the file of --zookeeper-config"
            }
            Self::NoClientCertificate { sent: true } => {
                "the servers' ssl.trustStore must hold the CA of the client certificate"
            }
            Self::NotConnected(_) | Self::Silent(_) | Self::Mute | Self::OtherTls(_) => {
                return None;
            }
        })
    }

    /// Asks a server that opened no session.
    pub(crate) async fn of(server: &str, access: &ZooKeeperAccess) -> Self {
        match timeout(PROBE, TcpStream::connect(server)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Self::NotConnected(error.to_string()),
            Err(_) => return Self::Silent(PROBE),
        }
        match &access.tls {
            None => match timeout(PROBE, socket::distrust(server)).await {
                Ok(Err(error)) if speaks_tls(&error) => Self::OnlyTls,
                Ok(_) | Err(_) => Self::Mute,
            },
            Some(tls) => {
                let refused = timeout(PROBE, answer(server, access)).await;
                match refused
                    .map(|said| said.err().and_then(|error| of_tls(&error, tls.identity.is_some())))
                {
                    Ok(Some(reason)) => reason,
                    Ok(None) | Err(_) if is_plain(server).await => Self::NoTls,
                    Ok(None) | Err(_) => Self::Mute,
                }
            }
        }
    }
}

/// With TLS 1.3, a server rejects our certificate only after the handshake: in its answer.
async fn answer(server: &str, access: &ZooKeeperAccess) -> io::Result<String> {
    let mut socket = socket::connect(server, access).await?;
    socket::ask(&mut *socket, WORD).await
}

async fn is_plain(server: &str) -> bool {
    let plain = ZooKeeperAccess::default();
    matches!(timeout(PROBE, answer(server, &plain)).await, Ok(Ok(said)) if !said.is_empty())
}

fn speaks_tls(error: &io::Error) -> bool {
    matches!(tls_error(error), Some(TlsError::InvalidCertificate(_) | TlsError::AlertReceived(_)))
}

/// `None`: the failure is not about TLS, or the bytes are not TLS.
fn of_tls(error: &io::Error, sent: bool) -> Option<NoSession> {
    use CertificateError as Of;
    Some(match tls_error(error)? {
        TlsError::InvalidMessage(_) => return None,
        TlsError::InvalidCertificate(Of::UnknownIssuer | Of::BadSignature) => NoSession::Untrusted,
        TlsError::InvalidCertificate(Of::NotValidForName) => NoSession::WrongName(Vec::new()),
        TlsError::InvalidCertificate(Of::NotValidForNameContext { presented, .. }) => {
            NoSession::WrongName(presented.clone())
        }
        TlsError::AlertReceived(alert) if about_client(*alert) => {
            NoSession::NoClientCertificate { sent }
        }
        other => NoSession::OtherTls(other.to_string()),
    })
}

/// Alerts with which a server rejects a client certificate, or its absence. Java 17.0.15 sends `BadCertificate`.
fn about_client(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}
