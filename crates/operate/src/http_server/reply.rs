//! One answer, as a sentence or as JSON, by what the request accepts.

use axum::Json;
use axum::extract::Request;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What a handler answers.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    text: String,
    json: Value,
}

impl Reply {
    /// It is done, or this is so.
    pub fn ok(text: impl Into<String>, json: Value) -> Self {
        Self { status: StatusCode::OK, text: text.into(), json }
    }

    /// It was not done, and why.
    pub fn error(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let json = json!({"error": {"code": code, "message": message}});
        Self { status, text: format!("error: {message}"), json }
    }

    /// The request makes no sense.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, message)
    }

    /// The same, with the status that says more.
    pub fn refused(status: StatusCode, message: impl Into<String>) -> Self {
        Self::error(status, "bad-request", message)
    }

    /// There is no such path; `known`: those that there are.
    pub fn no_such_path(known: &str) -> Self {
        let message = format!("there is nothing here: see {known}");
        Self::error(StatusCode::NOT_FOUND, "no-such-path", message)
    }

    /// The path does not take this method.
    pub async fn no_such_method() -> Self {
        Self::error(StatusCode::METHOD_NOT_ALLOWED, "method", "this path does not take this method")
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Puts the words in, once it is known who reads them.
pub async fn in_the_form_that_is_asked_for(request: Request, next: Next) -> Response {
    let json = wants_json(request.headers());
    let response = next.run(request).await;
    let Some(reply) = response.extensions().get::<Reply>().cloned() else { return response };
    let (mut head, _) = response.into_parts();
    head.extensions.remove::<Reply>();
    let body = match json {
        true => Json(reply.json).into_response(),
        false => format!("{}\n", reply.text.trim_end()).into_response(),
    };
    let (form, body) = body.into_parts();
    // The words' own type; what the status came with, such as Allow, stays.
    head.headers.remove(axum::http::header::CONTENT_LENGTH);
    head.headers.extend(form.headers);
    Response::from_parts(head, body)
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    })
}
