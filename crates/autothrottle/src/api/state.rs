//! `/v1/state`: everything that the last round saw and decided.

use super::Api;
use crate::board::{BoardContent, DoneRound};
use crate::history::RoundSample;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use execute::Stray;
use mapper::{BrokerId, PartitionId, Rate};
use operate::http_server::Reply;
use serde::Serialize;
use std::collections::BTreeSet;
use throttle::{
    BrokerSeen, CopySeen, Decided, RateOverrides, ReplicationRole, ThrottleNote, WhyNotInSync,
};

/// The document; its schema is docs/schema/autothrottle-state.schema.json.
#[derive(Debug, Serialize)]
struct StateDocument<'r> {
    version: u32,
    /// This process decides; another may wait for its turn.
    leading: bool,
    /// Who does, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<&'r str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    round: Option<OfRound<'r>>,
    rounds: u64,
    failed_rounds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing: Option<Failing<'r>>,
    reassignments: Vec<Copy<'r>>,
    recoveries: Vec<Copy<'r>>,
    brokers: Vec<BrokerView<'r>>,
    overrides: RateOverrides,
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<CanaryView<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    history: Vec<OfSample>,
}

#[derive(Debug, Serialize)]
struct OfRound<'r> {
    decided_at: &'r str,
    seconds_ago: u64,
    notes: &'r BTreeSet<ThrottleNote>,
    strays: &'r BTreeSet<Stray>,
    configs_held: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<&'static str>,
}

/// One round of the last hour, as sums over the cluster.
#[derive(Debug, Serialize)]
struct OfSample {
    seconds_ago: u64,
    copies: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_out_bytes_per_second: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_bytes_per_second: Option<Rate>,
}

#[derive(Debug, Serialize)]
struct Failing<'r> {
    times: u64,
    problem: &'r str,
}

#[derive(Debug, Serialize)]
struct Copy<'r> {
    topic: &'r str,
    partition: PartitionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<BrokerId>,
    in_sync: &'r [BrokerId],
    #[serde(skip_serializing_if = "Option::is_none")]
    leader_bytes: Option<u64>,
    destinations: Vec<Destination>,
}

#[derive(Debug, Serialize)]
struct Destination {
    broker: BrokerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct BrokerView<'r> {
    id: BrokerId,
    live: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity_out_bytes_per_second: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity_in_bytes_per_second: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_out_bytes_per_second: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_in_bytes_per_second: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_out_bytes_per_second: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_in_bytes_per_second: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<OfRole<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follower: Option<OfRole<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<OfCanary>,
}

/// The canary as a whole.
#[derive(Debug, Serialize)]
struct CanaryView<'r> {
    topic: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'r str>,
}

/// What its messages to one broker take.
#[derive(Debug, Serialize)]
struct OfCanary {
    #[serde(skip_serializing_if = "Option::is_none")]
    produce_seconds: Option<f64>,
    end_to_end_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    usual_seconds: Option<f64>,
    slow: bool,
}

#[derive(Debug, Serialize)]
struct OfRole<'r> {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    decided: Option<&'r Decided>,
    /// What stood on the broker when the round looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    found_bytes_per_second: Option<Rate>,
}

pub(super) async fn state(State(api): State<Api>) -> Response {
    let shown = api.board.shown();
    // Overrides as they are now, though the loop may not have seen them yet.
    let leader = api.book.leader();
    let document =
        StateDocument { leader, ..document(&shown, api.book.leads(), api.book.overrides()) };
    match serde_json::to_value(&document) {
        Ok(value) => Json(value).into_response(),
        Err(error) => {
            let status = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
            Reply::error(status, "state", error.to_string()).into_response()
        }
    }
}

fn document(shown: &BoardContent, leading: bool, overrides: RateOverrides) -> StateDocument<'_> {
    let round = shown.round.as_ref();
    let copies = |cause| {
        let all = round.iter().flat_map(|round| &round.copies);
        all.filter(move |copy| copy.cause == cause).map(copy).collect()
    };
    StateDocument {
        version: 1,
        leading,
        leader: None,
        cluster_id: round.and_then(|round| round.cluster_id.as_deref()),
        round: round.map(|round| OfRound {
            decided_at: &round.at,
            seconds_ago: round.ended.elapsed().as_secs(),
            notes: &round.decision.notes,
            strays: &round.strays,
            configs_held: round.held,
            metrics: round.metrics.map(metrics::MetricsSource::as_str),
        }),
        rounds: shown.decided,
        failed_rounds: shown.failed,
        failing: shown.failing.as_ref().map(|(times, problem)| Failing { times: *times, problem }),
        reassignments: copies(WhyNotInSync::Reassignment),
        recoveries: copies(WhyNotInSync::Recovery),
        brokers: round.map(|round| brokers(round, shown)).unwrap_or_default(),
        overrides,
        canary: shown.heard.as_ref().map(|heard| CanaryView {
            topic: kafka::admin::CANARY_TOPIC,
            problem: heard.problem.as_deref(),
        }),
        history: shown.history.samples().map(sample).collect(),
    }
}

fn sample(sample: &RoundSample) -> OfSample {
    OfSample {
        seconds_ago: sample.at.elapsed().as_secs(),
        copies: sample.copies,
        remaining_bytes: sample.remaining_bytes,
        total_out_bytes_per_second: sample.total_out,
        rate_bytes_per_second: sample.rate,
    }
}

fn copy(copy: &CopySeen) -> Copy<'_> {
    let destinations = copy
        .destinations
        .iter()
        .map(|to| Destination { broker: to.broker, done_bytes: to.done.map(|bytes| bytes.0) });
    Copy {
        topic: &copy.of.topic,
        partition: copy.of.partition,
        leader: copy.leader,
        in_sync: &copy.in_sync,
        leader_bytes: copy.leader_bytes.map(|bytes| bytes.0),
        destinations: destinations.collect(),
    }
}

fn brokers<'r>(round: &'r DoneRound, shown: &BoardContent) -> Vec<BrokerView<'r>> {
    let heard = |id: &BrokerId| {
        let heard = shown.heard.as_ref()?;
        let canary = heard.readings.get(id)?;
        Some(OfCanary {
            produce_seconds: canary.produce.map(|took| took.as_secs_f64()),
            end_to_end_seconds: canary.end_to_end.as_secs_f64(),
            usual_seconds: canary.usual.map(|took| took.as_secs_f64()),
            slow: canary.is_slow(heard.most),
        })
    };
    let all = round.brokers.iter();
    all.map(|(id, seen)| BrokerView { canary: heard(id), ..broker(*id, seen, round) }).collect()
}

fn broker<'r>(id: BrokerId, seen: &BrokerSeen, round: &'r DoneRound) -> BrokerView<'r> {
    let of_role = |role| {
        let decided = round.decision.rates.get(&(id, role));
        let found = round.applied.get(&(id, role)).copied();
        (decided.is_some() || found.is_some())
            .then_some(OfRole { decided, found_bytes_per_second: found })
    };
    let (total, replication) =
        (seen.traffic.map(|t| t.total), seen.traffic.and_then(|t| t.replication));
    let clients = |role| {
        let (all, own) = (*total?.of(role), *replication?.of(role));
        Some(Rate(all.0.saturating_sub(own.0)))
    };
    BrokerView {
        id,
        live: seen.live,
        capacity_out_bytes_per_second: seen.capacity.map(|ports| ports.tx),
        capacity_in_bytes_per_second: seen.capacity.map(|ports| ports.rx),
        total_out_bytes_per_second: total.map(|ports| ports.tx),
        total_in_bytes_per_second: total.map(|ports| ports.rx),
        client_out_bytes_per_second: clients(ReplicationRole::Leader),
        client_in_bytes_per_second: clients(ReplicationRole::Follower),
        leader: of_role(ReplicationRole::Leader),
        follower: of_role(ReplicationRole::Follower),
        canary: None,
    }
}
