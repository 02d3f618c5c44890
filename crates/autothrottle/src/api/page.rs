//! `/`: one page that needs no other file, and reads `/v1/state`.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use axum::response::{IntoResponse, Response};

/// The page. `{token}`: whether changes need one.
const PAGE: &str = include_str!("page.html");
/// The page loads nothing from other servers, sends nothing to them, and cannot be framed.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The page, which offers changes only where they need a token.
pub(super) fn page(token: bool) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, PAGE.replace("{token}", if token { "yes" } else { "no" })).into_response()
}
