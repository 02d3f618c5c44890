//! Pages that need no other file, and read what they show from this server.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use axum::response::{IntoResponse, Response};

/// The page loads nothing from other servers, sends nothing to them, and cannot be framed.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// What the pages of both programs look like, and the functions that they share.
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Answers with a page in HTML, with the style at `{style}` and the functions at `{script}`.
#[must_use]
pub fn live_page(template: &str) -> Response {
    page(template.replace("{style}", STYLE).replace("{script}", SCRIPT))
}

/// Answers with a page in HTML.
#[must_use]
pub fn page(html: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, html).into_response()
}
