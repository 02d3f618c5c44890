//! The HTTP API: overrides, as kafka-kit's autothrottle had them, and what the daemon says of itself.
//!
//! A change is on the disk when it is answered, and wakes the loop; no request ever waits for a round.

mod announce;
mod change;
mod door;
mod healthy;
mod overrides;
mod prometheus;
mod state;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::round as testing_round;

use crate::announced::Announced;
use crate::board::Board;
use crate::book::Book;
use crate::error::Error;
use crate::settings::ApiSettings;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use operate::http_server::{Reply, ServerNames, Token, in_the_form_that_is_asked_for, live_page};
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

/// The page, which reads `/v1/state`. `{token}`: whether it offers changes, which need one.
const PAGE: &str = include_str!("page.html");

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) book: Arc<Book>,
    pub(crate) board: Arc<Board>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) announced: Arc<Announced>,
    reading: Arc<Semaphore>,
}

impl Api {
    pub(crate) fn new(
        book: Arc<Book>,
        board: Arc<Board>,
        wake: Arc<Notify>,
        announced: Arc<Announced>,
    ) -> Self {
        let reading = Arc::new(Semaphore::new(announce::AT_ONCE));
        Self { book, board, wake, announced, reading }
    }
}

/// An API that listens until this is dropped.
pub(crate) struct Server {
    _tasks: JoinSet<()>,
}

/// Listens from now on.
pub(crate) async fn start(
    settings: &ApiSettings,
    names: ServerNames,
    api: Api,
) -> Result<Server, Error> {
    let (listener, address) = door::open(settings).await?;
    let tls = settings.tls.is_some();
    tracing::info!(%address, tls, token = settings.token.is_some(), "the API listens");
    let router = router(api, settings.token.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(operate::http_server::serve(listener, router, names, settings.tls.clone()));
    Ok(Server { _tasks: tasks })
}

fn router(api: Api, token: Option<Token>) -> Router {
    let guarded = if token.is_some() { "yes" } else { "no" };
    let changes = Router::new()
        .route(
            "/v1/announce",
            post(announce::announce).layer(DefaultBodyLimit::max(announce::MOST_BYTES)),
        )
        .route("/throttle", post(change::set_for_all))
        .route("/throttle/remove", post(change::remove_for_all))
        .route("/throttle/remove/{id}", post(change::remove_for_one))
        .route("/throttle/{id}", post(change::set_for_one));
    let changes = match token {
        Some(token) => token.guards(changes),
        None => changes,
    };
    Router::new()
        .route("/", get(async move || live_page(&PAGE.replace("{token}", guarded))))
        .route("/throttle", get(overrides::of_all))
        .route("/throttle/{id}", get(overrides::of_one))
        .route("/v1/state", get(state::state))
        .route("/metrics", get(prometheus::metrics))
        .route("/healthz", get(healthy::healthz))
        .route("/readyz", get(healthy::readyz))
        .merge(changes)
        .fallback(async || Reply::no_such_path("/, /throttle, /v1/state, /metrics"))
        .method_not_allowed_fallback(Reply::no_such_method)
        .layer(axum::middleware::from_fn(in_the_form_that_is_asked_for))
        .with_state(api)
}
