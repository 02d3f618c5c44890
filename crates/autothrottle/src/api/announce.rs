//! Moves that an execution is about to begin: the next round paces them, before they begin.

use super::Api;
use super::change::{MOST_MEGABYTES, not_written};
use super::overrides::floors;
use crate::announced::Untaken;
use crate::error::Error;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use mapper::counted;
use mapper::{BrokerId, Rate, Replicas, TopicPartition};
use operate::execution::{AnnouncedMove, AnnouncedPace, Announcement, AnsweredPace, OnBroker};
use operate::http_server::Reply;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use throttle::RateOverride;
use tokio::time::Instant;

/// The rate that no network has.
const MOST: u64 = MOST_MEGABYTES * 1_000_000;

/// A larger announcement is not read: some 6,000 moves with long names.
pub(super) const MOST_BYTES: usize = 512 << 10;
/// Announcements that are read at once. One that is read takes some ten times its bytes.
pub(super) const AT_ONCE: usize = 4;
/// A round that is older may not know a topic that has just been made.
const FRESH: Duration = Duration::from_secs(5);

/// Only who leads, and has just seen the cluster, may promise a pace.
pub(super) async fn announce(State(api): State<Api>, request: Request) -> Result<Reply, Reply> {
    let read = api.reading.try_acquire().map_err(|_| too_many("others are being read"))?;
    let told: Result<Json<Announcement>, JsonRejection> = Json::from_request(request, &()).await;
    let Json(told) =
        told.map_err(|problem| Reply::refused(problem.status(), problem.body_text()))?;
    let answer = take_in(&api, told).await;
    drop(read);
    answer
}

async fn take_in(api: &Api, told: Announcement) -> Result<Reply, Reply> {
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
    let moves = known(api, told.moves)?;
    let pace = match told.pace {
        Some(pace) => Some(overrides_for(api, pace).await?),
        None => None,
    };
    let count = moves.len();
    let taken = api.announced.announce(moves, Instant::now());
    let (new, lead) = taken.map_err(|untaken| match untaken {
        Untaken::Closed => not_leading(),
        Untaken::Full => too_many("what is announced already has not begun"),
    })?;
    if new {
        api.wake.notify_one();
        tracing::info!(count, "moves are announced: pacing them before they begin");
    }
    let text = format!("{} will be paced before copying begins", counted(count, "move"));
    let mut answer = json!({"version": Announcement::VERSION, "lead": lead});
    if let Some(pace) = pace {
        answer["pace"] = json!(pace);
    }
    Ok(Reply::ok(text, answer))
}

/// The moves, if the cluster has these partitions and brokers. What it does not have could not be paced, and would only be
/// kept.
fn known(
    api: &Api,
    moves: Vec<AnnouncedMove>,
) -> Result<BTreeMap<TopicPartition, Replicas>, Reply> {
    let unknown = api.board.read(|shown| {
        let round = shown.round.as_ref()?;
        let (topics, brokers) = (&round.topics, &round.known);
        let problem = moves.iter().find_map(|one| {
            let partitions = topics.get(&one.topic).copied().unwrap_or_default();
            let distinct: BTreeSet<&BrokerId> = one.replicas.iter().collect();
            if one.partition.0 as usize >= partitions {
                Some(format!("the cluster has no partition {} of {:?}", one.partition, one.topic))
            } else if let Some(id) = distinct.iter().find(|id| !brokers.contains(id)) {
                Some(format!("the cluster has no broker {id}"))
            } else if distinct.is_empty() || distinct.len() < one.replicas.len() {
                Some(format!("{}-{}: write each replica once", one.topic, one.partition))
            } else {
                None
            }
        })?;
        Some((problem, round.ended.elapsed() >= FRESH))
    });
    match unknown {
        None => {
            let of = |one: AnnouncedMove| {
                (TopicPartition { topic: one.topic, partition: one.partition }, one.replicas)
            };
            Ok(moves.into_iter().map(of).collect())
        }
        Some((problem, old)) => {
            if old {
                api.wake.notify_one();
            }
            Err(Reply::bad(format!("{problem}, as of the last round")))
        }
    }
}

fn too_many(why: &str) -> Reply {
    let message = format!("no announcement is taken in now: {why}; try again in a moment");
    Reply::error(StatusCode::TOO_MANY_REQUESTS, "too-many", message)
}

/// Takes an operator's rate down before the moves are taken in: the first round that paces them has it. What an operator has
/// set on a broker for longer than a move stays.
async fn overrides_for(api: &Api, pace: AnnouncedPace) -> Result<AnsweredPace, Reply> {
    let asked = RateOverride { rate: in_range(pace.rate_bytes_per_second)?, autoremove: true };
    let standing = api.book.overrides().brokers;
    let known = api
        .board
        .read(|shown| shown.round.as_ref().map(|round| round.known.clone()).unwrap_or_default());
    let (mut new, mut answer) = (Vec::new(), AnsweredPace::default());
    for broker in pace.brokers.into_iter().filter(|id| known.contains(id)) {
        let stays = standing.get(&broker).filter(|own| !own.autoremove);
        if let Some(&RateOverride { rate, .. }) = stays {
            answer.kept.push(OnBroker { broker, rate_bytes_per_second: rate });
            continue;
        }
        if standing.get(&broker) != Some(&asked) {
            new.push(broker);
        }
        let floor = floors(api, Some(broker)).into_iter().map(|(_, _, floor)| floor).max();
        if let Some(floor) = floor.filter(|floor| *floor > asked.rate) {
            answer.raised.push(OnBroker { broker, rate_bytes_per_second: floor });
        }
    }
    if !new.is_empty() {
        tracing::info!(brokers = ?new, rate = %asked.rate, "an execution asks for overrides");
        api.book.ask(new.into_iter().map(Some), asked).await.map_err(not_written)?;
        api.wake.notify_one();
    }
    Ok(answer)
}

fn in_range(rate: Rate) -> Result<Rate, Reply> {
    match rate.0 {
        1..=MOST => Ok(rate),
        _ => Err(Reply::bad(format!("rate_bytes_per_second: write 1 to {MOST}"))),
    }
}

fn not_ready(message: String) -> Reply {
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, "not-ready", message)
}
