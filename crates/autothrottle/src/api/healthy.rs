//! Whether the daemon lives, and whether it does its work.

use super::Api;
use axum::extract::State;
use axum::http::StatusCode;
use mapper::counted;
use operate::http_server::Reply;
use serde_json::json;
use std::time::Duration;

/// A loop that shows no sign of life for so long hangs: no call to a server takes as long.
const HANGS: Duration = Duration::from_secs(600);

/// The loop turns. A cluster that does not answer is no reason to restart us.
pub(super) async fn healthz(State(api): State<Api>) -> Reply {
    let silent = api.board.read(|shown| shown.alive.map(|alive| alive.elapsed()));
    match silent {
        Some(silent) if silent > HANGS => {
            let message = format!("the loop has not turned for {} s", silent.as_secs());
            Reply::error(StatusCode::SERVICE_UNAVAILABLE, "hangs", message)
        }
        Some(_) | None => Reply::ok("ok", json!({"status": "ok"})),
    }
}

/// The last round succeeded; or another process is known to lead, and this one waits for its end.
pub(super) async fn readyz(State(api): State<Api>) -> Reply {
    let unready =
        |message: String| Reply::error(StatusCode::SERVICE_UNAVAILABLE, "not-ready", message);
    if !api.book.leads() && api.board.read(|shown| shown.standby) {
        if api.book.leader().is_some() {
            return Reply::ok("another leads", json!({"status": "standby"}));
        }
        // Servers that are silent fail only after a while.
        return unready(match api.board.read(|shown| shown.failing.clone()) {
            Some((_, why)) => format!("cannot wait for the lead: {why}"),
            None => "not told who leads".to_owned(),
        });
    }
    api.board.read(|shown| match (&shown.failing, &shown.round) {
        (Some((times, why)), _) => {
            unready(format!("{} failed in a row: {why}", counted(*times, "round")))
        }
        (None, None) => unready("no round has ended yet".to_owned()),
        (None, Some(_)) => Reply::ok("ok", json!({"status": "ok"})),
    })
}
