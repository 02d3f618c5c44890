//! A connection to one server without a session, in TLS or plain: for `srvr`, and to find out why no session opens.
//!
//! The client library has its own connections, and reports for all of their failures only that there are no hosts.

use crate::access::{ZooKeeperAccess, ZooKeeperTls};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    AlertDescription, ClientConfig, ConfigBuilder, Error as TlsError, RootCertStore,
    SignatureScheme, WantsVerifier,
};

/// The most bytes of an answer: above any real one.
const LONGEST: u64 = 64 << 10;

/// Bytes both ways.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

/// Connects as this access says.
pub(crate) async fn connect(server: &str, access: &ZooKeeperAccess) -> io::Result<Box<dyn Socket>> {
    let socket = TcpStream::connect(server).await?;
    match &access.tls {
        None => Ok(Box::new(socket)),
        Some(tls) => {
            let none = Arc::new(NoCertificate::default());
            let shaken = shake(server, socket, trusting(tls, &none)?).await;
            Ok(Box::new(shaken.map_err(|error| none.named(error))?))
        }
    }
}

/// We have no certificate, and this knows whether the server has asked for one.
#[derive(Debug, Default)]
struct NoCertificate(AtomicBool);

impl NoCertificate {
    /// In TLS 1.2, newer releases of Java refuse a client without a certificate by `HandshakeFailure`, as RFC 5246 (7.4.6) says.
    /// So does a server without a cipher suite of ours, but that one has asked for nothing.
    fn named(&self, error: io::Error) -> io::Error {
        match tls_error(&error) {
            Some(TlsError::AlertReceived(AlertDescription::HandshakeFailure))
                if self.0.load(Ordering::Relaxed) =>
            {
                let required = TlsError::AlertReceived(AlertDescription::CertificateRequired);
                io::Error::new(error.kind(), required)
            }
            _ => error,
        }
    }
}

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Shakes hands without any trust. This always fails, but the failure shows whether the server speaks TLS.
pub(crate) async fn distrust(server: &str) -> io::Result<()> {
    let socket = TcpStream::connect(server).await?;
    let nothing = provided()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    shake(server, socket, nothing).await.map(drop)
}

async fn shake(
    server: &str,
    socket: TcpStream,
    config: ClientConfig,
) -> io::Result<TlsStream<TcpStream>> {
    let name = name(server).ok_or_else(|| invalid("it has no valid host name"))?;
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

/// The name that a server's certificate must have; `None`: the host is neither a name nor an address.
pub(crate) fn name(server: &str) -> Option<ServerName<'static>> {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()
}

/// The answer to one of the four-letter words.
pub(crate) async fn ask(socket: &mut dyn Socket, word: &[u8; 4]) -> io::Result<String> {
    socket.write_all(word).await?;
    socket.flush().await?;
    let mut answer = Vec::new();
    match socket.take(LONGEST).read_to_end(&mut answer).await {
        // In TLS, some servers end without saying so. What came before it is whole.
        Err(error) if answer.is_empty() => Err(error),
        Ok(_) | Err(_) => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

/// The failure of TLS in this error, if it is one.
pub(crate) fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

fn trusting(tls: &ZooKeeperTls, none: &Arc<NoCertificate>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&tls.roots)?);
    let builder = provided()?.with_root_certificates(roots);
    let Some((chain, key)) = &tls.identity else {
        return Ok(builder.with_client_cert_resolver(Arc::<NoCertificate>::clone(none)));
    };
    // The parser's own error is not shown, because it could quote the key.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
    let key = key.map_err(|_| invalid("the private key is not in PEM"))?;
    builder.with_client_auth_cert(certificates(chain)?, key).map_err(invalid)
}

fn provided() -> io::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(invalid)
}

fn certificates(pem: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(invalid)
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_fails_for_want_of_a_certificate_only_if_one_was_asked_for() {
        let fails = |none: &NoCertificate| {
            let alert = TlsError::AlertReceived(AlertDescription::HandshakeFailure);
            none.named(io::Error::other(alert)).to_string()
        };
        let none = NoCertificate::default();
        assert!(fails(&none).contains("HandshakeFailure"), "{}", fails(&none));
        assert!(none.resolve(&[], &[]).is_none());
        assert!(fails(&none).contains("CertificateRequired"), "{}", fails(&none));
    }
}
