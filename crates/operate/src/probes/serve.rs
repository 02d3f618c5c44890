//! The probes over HTTP: `GET /ready` and `GET /live` on what was found last, so that a probe costs the broker nothing.

use crate::error::Error;
use crate::http_server::{self, ServerNames};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A sentence, and whether it is good news.
type Finding = (bool, String);

/// What was found last.
#[derive(Debug, Clone)]
pub struct Latest {
    found: Arc<Mutex<Option<Found>>>,
    /// Older than this, it counts for nothing.
    max_age: Duration,
}

#[derive(Debug, Clone)]
struct Found {
    at: Instant,
    ready: Finding,
    live: Finding,
}

impl Latest {
    /// Nothing yet. What is older than three periods is not told: the process that looks hangs.
    pub fn every(period: Duration) -> Self {
        Self { found: Arc::default(), max_age: period * 3 + Duration::from_secs(20) }
    }

    /// Replaces both answers; their age counts from now.
    pub fn tell(&self, ready: Finding, live: Finding) {
        let found = Found { at: Instant::now(), ready, live };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    fn answer(&self, of: impl Fn(Found) -> Finding) -> (StatusCode, String) {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (good, sentence) = match found {
            None => (false, "nothing has been looked at yet".to_owned()),
            Some(found) if found.at.elapsed() > self.max_age => {
                (false, format!("the last look is {} s old", found.at.elapsed().as_secs()))
            }
            Some(found) => of(found),
        };
        let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, sentence + "\n")
    }
}

/// Answers for as long as this is waited for, under these names and any address.
pub async fn serve(address: &str, names: ServerNames, latest: Latest) -> Result<(), Error> {
    let wrong = |error: std::io::Error| Error::Flag {
        flag: "--listen",
        value: address.to_owned(),
        problem: error.to_string(),
    };
    let addresses: Vec<_> = tokio::net::lookup_host(address).await.map_err(wrong)?.collect();
    let listener = http_server::listen(&addresses).map_err(wrong)?;
    http_server::serve(listener, routes(latest), names, None).await;
    Ok(())
}

fn routes(latest: Latest) -> Router {
    Router::new()
        .route("/ready", get(async |State(l): State<Latest>| l.answer(|found| found.ready)))
        .route("/live", get(async |State(l): State<Latest>| l.answer(|found| found.live)))
        .with_state(latest)
}
