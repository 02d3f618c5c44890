//! Moves that an execution is about to begin: the next round paces them, before they begin.

use super::Api;
use super::change::not_written;
use super::reply::Reply;
use crate::error::Error;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use mapper::TopicPartition;
use serde_json::json;
use tokio::time::Instant;
use topicmappr::shared::Announcement;

/// Only who leads, and has just seen the cluster, may promise a pace.
pub(super) async fn announce(
    State(api): State<Api>,
    told: Result<Json<Announcement>, JsonRejection>,
) -> Result<Reply, Reply> {
    let Json(told) = told.map_err(|problem| Reply::bad(problem.body_text()))?;
    if told.version != Announcement::VERSION {
        return Err(Reply::bad(format!("version: write {}", Announcement::VERSION)));
    }
    let not_leading = || not_written(Error::NotLeading { place: api.book.name().to_owned() });
    if !api.book.leads() {
        return Err(not_leading());
    }
    let cluster_id = api.board.read(|shown| match (&shown.failing, &shown.round) {
        (Some((_, why)), _) => Err(not_ready(format!("the last round failed: {why}"))),
        (None, None) => Err(not_ready("no round has ended yet".to_owned())),
        (None, Some(round)) => Ok(round.cluster_id.clone()),
    })?;
    if cluster_id.as_ref() != Some(&told.cluster_id) {
        let message = format!("this is cluster {}", cluster_id.unwrap_or_default());
        return Err(Reply::error(StatusCode::CONFLICT, "other-cluster", message));
    }
    let count = told.moves.len();
    let moves = told.moves.into_iter().map(|one| {
        let of = TopicPartition { topic: one.topic, partition: one.partition };
        (of, one.replicas)
    });
    let Some((new, lead)) = api.announced.announce(moves, Instant::now()) else {
        return Err(not_leading());
    };
    if new {
        api.wake.notify_one();
        tracing::info!(count, "moves are announced: pacing them before they begin");
    }
    let text = format!("{count} move(s) will be paced before they begin");
    Ok(Reply::ok(text, json!({"version": Announcement::VERSION, "lead": lead})))
}

fn not_ready(message: String) -> Reply {
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, "not-ready", message)
}
