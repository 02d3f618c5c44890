//! What overrides are in force.

use super::Api;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use mapper::{BrokerId, Rate};
use operate::http_server::Reply;
use serde_json::{Value, json};
use throttle::{RateOverride, ReplicationRole};

/// Below it, new replicas never catch up: broker, role, bytes per second.
pub(super) type Floors = Vec<(BrokerId, ReplicationRole, Rate)>;

pub(super) async fn of_all(State(api): State<Api>) -> Reply {
    let overrides = api.book.overrides();
    let text = match &overrides.global {
        None => "no throttle override is set".to_owned(),
        Some(asked) => described(None, asked, &floors(&api, None)),
    };
    let own: Vec<String> = overrides
        .brokers
        .iter()
        .map(|(id, asked)| described(Some(*id), asked, &Vec::new()))
        .collect();
    let text = std::iter::once(text).chain(own).collect::<Vec<_>>().join("\n");
    let mut json = told(None, overrides.global.as_ref(), &floors(&api, None));
    json["brokers"] = overrides
        .brokers
        .iter()
        .map(|(id, asked)| told(Some(*id), Some(asked), &Vec::new()))
        .collect();
    Reply::ok(text, json)
}

pub(super) async fn of_one(State(api): State<Api>, Path(id): Path<String>) -> Result<Reply, Reply> {
    let overrides = api.book.overrides();
    let named = id.parse::<BrokerId>().ok().filter(|id| overrides.brokers.contains_key(id));
    let broker = match named {
        Some(broker) => broker,
        None => broker_of(&api, &id)?,
    };
    let floors = floors(&api, Some(broker));
    let asked = overrides.brokers.get(&broker);
    let text = match asked {
        None => format!("no throttle override is set for broker {broker}"),
        Some(asked) => described(Some(broker), asked, &floors),
    };
    Ok(Reply::ok(text, told(Some(broker), asked, &floors)))
}

/// A broker that the cluster has.
pub(super) fn broker_of(api: &Api, text: &str) -> Result<BrokerId, Reply> {
    let id = text
        .parse::<BrokerId>()
        .map_err(|_| Reply::bad(format!("{text:?} is no broker id: write a whole number")))?;
    let known = api.board.read(|shown| shown.round.as_ref().map(|round| round.known.contains(&id)));
    match known {
        Some(true) => Ok(id),
        Some(false) => {
            let message = format!("the cluster has no broker {id}");
            Err(Reply::error(StatusCode::NOT_FOUND, "no-such-broker", message))
        }
        None => {
            let message = "the cluster has not been seen yet: try again, or look at /readyz";
            Err(Reply::error(StatusCode::SERVICE_UNAVAILABLE, "not-ready", message))
        }
    }
}

/// The floors that are known now, of one broker or of all that copy.
pub(super) fn floors(api: &Api, broker: Option<BrokerId>) -> Floors {
    api.board.read(|shown| {
        let rates = shown.round.iter().flat_map(|round| &round.decision.rates);
        let of = rates.filter(|((id, _), _)| broker.is_none_or(|broker| broker == *id));
        of.filter_map(|((id, role), decided)| Some((*id, *role, decided.floor.rate()?))).collect()
    })
}

/// An override and what it comes to, in words.
pub(super) fn described(broker: Option<BrokerId>, asked: &RateOverride, floors: &Floors) -> String {
    let whose = match broker {
        None => "a throttle override is configured".to_owned(),
        Some(id) => format!("a throttle override is configured for broker {id}"),
    };
    let RateOverride { rate, autoremove } = asked;
    let own = format!("{whose} at {}MB/s, autoremove=={autoremove}", megabytes(*rate));
    let raised = floors.iter().filter(|(_, _, floor)| floor > rate);
    let raised: Vec<String> = raised
        .map(|(id, role, floor)| {
            format!("broker {id} ({role}) gets {floor} instead: below, new replicas would never catch up")
        })
        .collect();
    std::iter::once(own).chain(raised).collect::<Vec<_>>().join("\n")
}

fn megabytes(rate: Rate) -> String {
    match rate.0 % 1_000_000 {
        0 => (rate.0 / 1_000_000).to_string(),
        _ => format!("{:.2}", rate.0 as f64 / 1e6),
    }
}

/// The same for programs.
pub(super) fn told(
    broker: Option<BrokerId>,
    asked: Option<&RateOverride>,
    floors: &Floors,
) -> Value {
    let mut json = match broker {
        None => json!({"scope": "global"}),
        Some(id) => json!({"scope": "broker", "broker": id}),
    };
    if let Some(RateOverride { rate, autoremove }) = asked {
        json["rate_bytes_per_second"] = rate.0.into();
        json["autoremove"] = (*autoremove).into();
    }
    let floor = |(broker, role, floor): &(BrokerId, ReplicationRole, Rate)| json!({"broker": broker, "role": role, "floor_bytes_per_second": floor.0});
    if !floors.is_empty() {
        json["floors"] = floors.iter().map(floor).collect();
    }
    json
}
