//! A connection to one server without a session, in TLS or plain: for `srvr`, and to find out why no session opens.
//!
//! The client library has its own connections, and reports for all of their failures only that there are no hosts.

use crate::access::{ZooKeeperAccess, ZooKeeperTls};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

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
        Some(tls) => Ok(Box::new(shake(server, socket, trusting(tls)?).await?)),
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

fn trusting(tls: &ZooKeeperTls) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&tls.roots)?);
    let builder = provided()?.with_root_certificates(roots);
    let Some((chain, key)) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
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
