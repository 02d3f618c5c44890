//! Where the API listens, and who may change something.
//!
//! Loopback by default. Beyond this machine only with a token, or if the operator says that it is meant.

use super::reply::Reply;
use crate::error::Error;
use crate::settings::{ApiSettings, Token};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Opens the socket; the address that it got.
pub(super) async fn open(settings: &ApiSettings) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |problem| Error::Listen { address: settings.listen.clone(), problem };
    let found = tokio::net::lookup_host(&settings.listen).await.map_err(failed)?;
    let addresses: Vec<SocketAddr> = found.collect();
    let outside = addresses.iter().find(|address| !address.ip().is_loopback());
    if let Some(outside) = outside.filter(|_| settings.token.is_none() && !settings.insecure) {
        return Err(Error::OpenToAll(*outside));
    }
    let listener = operate::http_server::listen(&addresses).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Knows the token. Hashes are compared: that tells nothing of how near a guess was.
#[derive(Clone)]
pub(super) struct TokenGuard(pub(super) Token);

impl TokenGuard {
    fn admits(&self, header: Option<&HeaderValue>) -> bool {
        let given = header.and_then(|value| value.to_str().ok());
        let token = given.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        token.is_some_and(|token| Sha256::digest(token) == Sha256::digest(self.0.now()))
    }
}

/// Turns away who does not have the token.
pub(super) async fn guard(
    State(guard): State<TokenGuard>,
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
