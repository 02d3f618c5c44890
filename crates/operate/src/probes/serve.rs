//! Serves probes over HTTP: `GET /ready` and `GET /live` return the last result, so that a probe costs the broker
//! nothing.

use crate::error::Error;
use crate::http_server::{self, ServerNames};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether the check passed, and a sentence.
type ProbeResult = (bool, String);

/// The last results.
#[derive(Debug, Clone)]
pub struct Latest {
    found: Arc<Mutex<Option<Found>>>,
    /// The age after which a result is too old.
    max_age: Duration,
}

#[derive(Debug, Clone)]
struct Found {
    at: Instant,
    ready: ProbeResult,
    live: ProbeResult,
}

impl Latest {
    /// No result yet. A result older than three periods and 20 seconds fails the probe, because the checking process
    /// hangs.
    pub fn every(period: Duration) -> Self {
        Self { found: Arc::default(), max_age: period * 3 + Duration::from_secs(20) }
    }

    /// Replaces both results; their age counts from now.
    pub fn tell(&self, ready: ProbeResult, live: ProbeResult) {
        let found = Found { at: Instant::now(), ready, live };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    fn answer(&self, of: impl Fn(Found) -> ProbeResult) -> (StatusCode, String) {
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

/// Serves until the future is dropped, under these names and any IP address.
pub async fn serve(address: &str, names: ServerNames, latest: Latest) -> Result<(), Error> {
    let wrong = |error: std::io::Error| {
        local::Error::flag("--listen", address.to_owned(), error.to_string())
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
