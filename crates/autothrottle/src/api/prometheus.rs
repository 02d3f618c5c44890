//! `/metrics`: the same for a Prometheus that scrapes us.

use super::Api;
use crate::board::{BoardContent, DoneRound, Heard};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use mapper::BrokerId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use throttle::{ReplicationRole, WhyNotInSync};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPort {
    broker: u32,
    role: &'static str,
}

type ByPort = Family<OfPort, Gauge>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BrokerLabel {
    broker: u32,
}

type Seconds = Family<BrokerLabel, Gauge<f64, AtomicU64>>;

/// The text format, as of this moment.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let shown = api.board.shown();
    let mut text = String::new();
    match encode(&mut text, &registry(&shown, api.board.running_since())) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn registry(shown: &BoardContent, running_since: Duration) -> Registry {
    let mut registry = Registry::with_prefix("autothrottle");
    counters(shown, &mut registry);
    let up = ConstGauge::new(running_since.as_secs());
    registry.register_with_unit("running", "Since the process started", Unit::Seconds, up);
    let failing = shown.failing.as_ref().map_or(0, |(times, _)| *times);
    registry.register(
        "failing_rounds",
        "Rounds in a row that have failed",
        ConstGauge::new(failing),
    );
    if let Some(heard) = &shown.heard {
        canary(heard, &mut registry);
    }
    let Some(round) = &shown.round else { return registry };
    let age = ConstGauge::new(round.ended.elapsed().as_secs());
    registry.register_with_unit(
        "last_round_age",
        "Since the last round that succeeded",
        Unit::Seconds,
        age,
    );
    let took = ConstGauge::new(round.took.as_secs_f64());
    registry.register_with_unit("last_round", "What the last round took", Unit::Seconds, took);
    let count = |cause| round.copies.iter().filter(|copy| copy.cause == cause).count();
    let all = [
        (
            "reassigning_partitions",
            "Partitions with replicas that a reassignment fills",
            count(WhyNotInSync::Reassignment),
        ),
        (
            "recovering_partitions",
            "Partitions with replicas that fell behind",
            count(WhyNotInSync::Recovery),
        ),
        ("held_configs", "Configs in the cluster that are ours at the moment", round.held),
        (
            "stray_configs",
            "Configs that are not as wanted, and left as they are",
            round.strays.len(),
        ),
        ("brokers_without_metrics", "Live brokers whose metrics are missing", round.unmeasured),
        (
            "notes",
            "What an operator should know of the last round, see /v1/state",
            round.decision.notes.len(),
        ),
    ];
    for (name, help, value) in all {
        registry.register(name, help, ConstGauge::new(value as u64));
    }
    rates(round, &mut registry);
    registry
}

fn counters(shown: &BoardContent, registry: &mut Registry) {
    let all = [
        ("rounds", "Rounds that decided", shown.decided),
        ("failed_rounds", "Rounds that failed", shown.failed),
        ("configs_set", "Configs that were set or removed", shown.set),
        ("configs_refused", "Configs that Kafka did not take", shown.refused),
    ];
    for (name, help, value) in all {
        registry.register(name, help, ConstCounter::new(value));
    }
}

fn canary(heard: &Heard, registry: &mut Registry) {
    let [produce, end_to_end, usual] = std::array::from_fn(|_| Seconds::default());
    for (id, canary) in &heard.readings {
        let times = [
            (&produce, canary.produce),
            (&end_to_end, Some(canary.end_to_end)),
            (&usual, canary.usual),
        ];
        for (family, took) in times {
            if let Some(took) = took {
                family.get_or_create(&BrokerLabel { broker: id.0 }).set(took.as_secs_f64());
            }
        }
    }
    let all = [
        ("canary_produce", "Until a broker has acknowledged a message of the canary", produce),
        ("canary_end_to_end", "Until a message of the canary was read back", end_to_end),
        ("canary_usual", "What that usually takes", usual),
    ];
    for (name, help, family) in all {
        registry.register_with_unit(name, help, Unit::Seconds, family);
    }
    let problem = ConstGauge::new(u64::from(heard.problem.is_some()));
    registry.register(
        "canary_problem",
        "Something keeps the canary from measuring all brokers, see /v1/state",
        problem,
    );
}

fn rates(round: &DoneRound, registry: &mut Registry) {
    let [decided, floors, headroom, found] = std::array::from_fn(|_| ByPort::default());
    let of = |id: BrokerId, role: ReplicationRole| OfPort {
        broker: id.0,
        role: match role {
            ReplicationRole::Leader => "leader",
            ReplicationRole::Follower => "follower",
        },
    };
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    for ((id, role), rate) in &round.decision.rates {
        decided.get_or_create(&of(*id, *role)).set(signed(rate.rate.0));
        if let Some(floor) = rate.floor.rate() {
            floors.get_or_create(&of(*id, *role)).set(signed(floor.0));
        }
        if let Some(spare) = rate.headroom {
            headroom.get_or_create(&of(*id, *role)).set(signed(spare.0));
        }
    }
    for ((id, role), rate) in &round.applied {
        found.get_or_create(&of(*id, *role)).set(signed(rate.0));
    }
    let unit = || Unit::Other("bytes_per_second".to_owned());
    registry.register_with_unit("rate", "The rate that was decided", unit(), decided);
    registry.register_with_unit("floor", "Below it, new replicas never catch up", unit(), floors);
    registry.register_with_unit("headroom", "What new replicas may have", unit(), headroom);
    registry.register_with_unit(
        "found_rate",
        "The rate that stood when the last round looked",
        unit(),
        found,
    );
}
