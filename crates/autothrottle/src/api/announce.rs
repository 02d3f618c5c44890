//! Moves that an execution is about to begin: the next round paces them, before they begin.

use super::Api;
use super::change::{MOST_MEGABYTES, not_written};
use super::overrides::floors;
use super::reply::Reply;
use crate::error::Error;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use mapper::{Rate, TopicPartition};
use serde_json::json;
use throttle::Override;
use tokio::time::Instant;
use topicmappr::shared::{AnnouncedPace, Announcement, AnsweredPace, OnBroker};

/// The rate that no network has.
const MOST: u64 = MOST_MEGABYTES * 1_000_000;

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
    let pace = match told.pace {
        Some(pace) => Some(overrides_for(&api, pace).await?),
        None => None,
    };
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
    let mut answer = json!({"version": Announcement::VERSION, "lead": lead});
    if let Some(pace) = pace {
        answer["pace"] = json!(pace);
    }
    Ok(Reply::ok(text, answer))
}

/// Takes an operator's rate down before the moves are taken in: the first round that paces them has it. What an operator has
/// set on a broker for longer than a move stays.
async fn overrides_for(api: &Api, pace: AnnouncedPace) -> Result<AnsweredPace, Reply> {
    let asked = Override { rate: in_range(pace.rate_bytes_per_second)?, autoremove: true };
    let standing = api.book.overrides().brokers;
    let known = api
        .board
        .read(|shown| shown.round.as_ref().map(|round| round.known.clone()).unwrap_or_default());
    let (mut new, mut answer) = (Vec::new(), AnsweredPace::default());
    for broker in pace.brokers.into_iter().filter(|id| known.contains(id)) {
        let stays = standing.get(&broker).filter(|own| !own.autoremove);
        if let Some(Override { rate, .. }) = stays {
            answer.kept.push(OnBroker { broker, rate_bytes_per_second: rate.0 });
            continue;
        }
        if standing.get(&broker) != Some(&asked) {
            new.push(broker);
        }
        let floor = floors(api, Some(broker)).into_iter().map(|(_, _, floor)| floor).max();
        if let Some(floor) = floor.filter(|floor| *floor > asked.rate) {
            answer.raised.push(OnBroker { broker, rate_bytes_per_second: floor.0 });
        }
    }
    if !new.is_empty() {
        tracing::info!(brokers = ?new, rate = %asked.rate, "an execution asks for overrides");
        api.book.ask_each(new, asked).await.map_err(not_written)?;
        api.wake.notify_one();
    }
    Ok(answer)
}

fn in_range(bytes_per_second: u64) -> Result<Rate, Reply> {
    match bytes_per_second {
        1..=MOST => Ok(Rate(bytes_per_second)),
        _ => Err(Reply::bad(format!("rate_bytes_per_second: write 1 to {MOST}"))),
    }
}

fn not_ready(message: String) -> Reply {
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, "not-ready", message)
}
