//! Where the API listens, and who may change something.
//!
//! Loopback by default. Beyond this machine only with a token, or if the operator says that it is meant.

use super::reply::Reply;
use crate::error::Error;
use crate::settings::{ApiSettings, Token};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::server::TlsStream;

/// What a client is given to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes under way at a time; more wait.
const HANDSHAKES: usize = 64;

/// A socket, with or without TLS.
pub(super) enum Door {
    Plain(TcpListener),
    Tls(TlsDoor),
}

/// Finishes handshakes beside each other, so that one slow client keeps nobody out.
pub(super) struct TlsDoor {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

/// Opens the socket; the address that it got.
pub(super) async fn open(settings: &ApiSettings) -> Result<(Door, SocketAddr), Error> {
    let failed = |problem| Error::Listen { address: settings.listen.clone(), problem };
    let found = tokio::net::lookup_host(&settings.listen).await.map_err(failed)?;
    let addresses: Vec<SocketAddr> = found.collect();
    let outside = addresses.iter().find(|address| !address.ip().is_loopback());
    if let Some(outside) = outside.filter(|_| settings.token.is_none() && !settings.insecure) {
        return Err(Error::OpenToAll(*outside));
    }
    let tls = settings.tls.as_ref().map(|(chain, key)| acceptor(chain, key)).transpose()?;
    let listener = TcpListener::bind(addresses.as_slice()).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let door = match tls {
        Some(acceptor) => Door::Tls(TlsDoor::new(listener, address, acceptor)),
        None => Door::Plain(listener),
    };
    Ok((door, address))
}

/// Answers until the process ends.
pub(super) async fn serve(door: Door, router: Router) -> io::Result<()> {
    match door {
        Door::Plain(listener) => axum::serve(listener, router).await,
        Door::Tls(door) => axum::serve(door, router).await,
    }
}

fn acceptor(chain: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let wrong = |path: &Path, problem: String| Error::Tls { path: path.to_owned(), problem };
    let read =
        CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| wrong(chain, error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong(chain, "there is no certificate in it".to_owned()));
    }
    let private =
        PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, private))
        .map_err(|error| wrong(key, error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl TlsDoor {
    fn new(mut listener: TcpListener, address: SocketAddr, acceptor: TlsAcceptor) -> Self {
        let (done, ready) = mpsc::channel(HANDSHAKES);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut handshakes = JoinSet::new();
            loop {
                while handshakes.len() >= HANDSHAKES {
                    handshakes.join_next().await;
                }
                // As axum does it: an error of accept is waited out, not given up on.
                let (stream, from) = Listener::accept(&mut listener).await;
                while handshakes.try_join_next().is_some() {}
                let (acceptor, done) = (acceptor.clone(), done.clone());
                handshakes.spawn(async move {
                    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => drop(done.send((stream, from)).await),
                        Ok(Err(error)) => tracing::debug!(%from, %error, "no TLS"),
                        Err(_) => tracing::debug!(%from, "no TLS in time"),
                    }
                });
            }
        });
        Self { ready, address, _tasks: tasks }
    }
}

impl Listener for TlsDoor {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The task that sends lives as long as we do.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Knows the token, by its hash: comparing hashes tells nothing of how near a guess was.
pub(super) struct Guard([u8; 32]);

impl Guard {
    pub(super) fn new(token: &Token) -> Self {
        Self(Sha256::digest(token.0.as_bytes()).into())
    }

    fn admits(&self, header: Option<&HeaderValue>) -> bool {
        let given = header.and_then(|value| value.to_str().ok());
        let token = given.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        token.is_some_and(|token| Sha256::digest(token.as_bytes()).as_slice() == self.0)
    }
}

/// Turns away who does not have the token.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    if guard.admits(request.headers().get(AUTHORIZATION)) {
        return next.run(request).await;
    }
    let message = "changes need the token: Authorization: Bearer TOKEN";
    let mut response =
        Reply::error(StatusCode::UNAUTHORIZED, "unauthorized", message).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
