//! A secret that changes need.

use super::Reply;
use crate::error::Error;
use crate::watched::Watched;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A secret that changes need: given, or in a file that may be replaced.
#[derive(Clone)]
pub struct Token(Arc<dyn Fn() -> String + Send + Sync>);

impl Token {
    /// A given token; `flag` names it in the error.
    ///
    /// # Errors
    /// It is empty.
    pub fn given(flag: &'static str, token: &str) -> Result<Self, Error> {
        let token = token.trim().to_owned();
        match token.is_empty() {
            false => Ok(Self(Arc::new(move || token.clone()))),
            true => Err(no_token(flag, "")),
        }
    }

    /// The token in a file, which `flag` names. A changed file counts from the next request.
    ///
    /// # Errors
    /// The file cannot be read, or holds nothing.
    pub fn in_file(flag: &'static str, path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let watched = Watched::open(&[path], move |texts| {
            let token = String::from_utf8_lossy(&texts[0]).trim().to_owned();
            if token.is_empty() { Err(no_token(flag, &shown)) } else { Ok(token) }
        })?;
        Ok(Self(Arc::new(move || watched.now())))
    }

    /// These routes, for requests that carry the token only.
    pub fn guards<S>(self, routes: Router<S>) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        routes.route_layer(from_fn_with_state(self, admit))
    }

    /// Whether this is the token. Hashes are compared: that tells nothing of how near a guess was.
    #[must_use]
    pub fn is(&self, token: &str) -> bool {
        Sha256::digest(token) == Sha256::digest((self.0)())
    }

    fn admits(&self, header: Option<&HeaderValue>) -> bool {
        let given = header.and_then(|value| value.to_str().ok());
        let token = given.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        token.is_some_and(|token| self.is(token))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

fn no_token(flag: &'static str, value: &str) -> Error {
    local::Error::flag(flag, value.to_owned(), "there is no token in it").into()
}

async fn admit(State(token): State<Token>, request: Request, next: Next) -> Response {
    if token.admits(request.headers().get(AUTHORIZATION)) {
        return next.run(request).await;
    }
    let message = "changes need the token: Authorization: Bearer TOKEN";
    let mut response =
        Reply::error(StatusCode::UNAUTHORIZED, "unauthorized", message).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
