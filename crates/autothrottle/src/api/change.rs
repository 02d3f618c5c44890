//! Changes of overrides: what was asked for is checked, written down, and answered with what comes of it.

use super::Api;
use super::overrides::{broker_of, described, floors, told};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use mapper::counted;
use mapper::{BrokerId, Rate};
use operate::Status;
use operate::http_server::Reply;
use serde::Deserialize;
use serde_json::json;
use throttle::RateOverride;

/// MB/s that no network has: what is above is a slip of the unit.
pub(super) const MOST_MEGABYTES: u64 = 1_000_000;

/// `?rate=50&autoremove=true`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeQuery {
    /// MB/s, whole and above 0.
    rate: Option<String>,
    autoremove: Option<String>,
}

type AskedQuery = Result<Query<ChangeQuery>, QueryRejection>;

pub(super) async fn set_for_all(State(api): State<Api>, asked: AskedQuery) -> Result<Reply, Reply> {
    set(&api, None, asked).await
}

pub(super) async fn set_for_one(
    State(api): State<Api>,
    Path(id): Path<String>,
    asked: AskedQuery,
) -> Result<Reply, Reply> {
    let broker = broker_of(&api, &id)?;
    set(&api, Some(broker), asked).await
}

pub(super) async fn remove_for_all(State(api): State<Api>) -> Result<Reply, Reply> {
    let was = api.book.overrides().global.is_some();
    withdraw(&api, vec![None]).await?;
    let text = match was {
        true => "the global throttle override is removed",
        false => "there was no global throttle override",
    };
    Ok(Reply::ok(text, json!({"scope": "global", "removed": was})))
}

pub(super) async fn remove_for_one(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Reply, Reply> {
    let overridden = api.book.overrides().brokers;
    if id == "all" {
        let all: Vec<BrokerId> = overridden.into_keys().collect();
        withdraw(&api, all.iter().copied().map(Some).collect()).await?;
        let text =
            format!("the throttle overrides of {} are removed", counted(all.len(), "broker"));
        return Ok(Reply::ok(text, json!({"scope": "brokers", "removed": all})));
    }
    // An override may outlive its broker, and can be removed then, too.
    let named = id.parse::<BrokerId>().ok().filter(|id| overridden.contains_key(id));
    let broker = match named {
        Some(broker) => broker,
        None => broker_of(&api, &id)?,
    };
    withdraw(&api, vec![Some(broker)]).await?;
    let text = match named {
        Some(_) => format!("the throttle override of broker {broker} is removed"),
        None => format!("broker {broker} had no throttle override"),
    };
    Ok(Reply::ok(text, json!({"scope": "broker", "broker": broker, "removed": named.is_some()})))
}

async fn set(api: &Api, broker: Option<BrokerId>, asked: AskedQuery) -> Result<Reply, Reply> {
    let Query(asked) = asked.map_err(|problem| Reply::bad(problem.body_text()))?;
    let asked = RateOverride {
        rate: rate(asked.rate.as_deref())?,
        autoremove: autoremove(asked.autoremove.as_deref())?,
    };
    api.book.ask([broker], asked).await.map_err(not_written)?;
    api.wake.notify_one();
    tracing::info!(broker = broker.map(|id| id.0), rate = %asked.rate, asked.autoremove, "override asked for");
    let floors = floors(api, broker);
    let text = format!("set: {}", described(broker, &asked, &floors));
    Ok(Reply::ok(text, told(broker, Some(&asked), &floors)))
}

async fn withdraw(api: &Api, brokers: Vec<Option<BrokerId>>) -> Result<(), Reply> {
    api.book.withdraw(brokers).await.map_err(not_written)?;
    api.wake.notify_one();
    tracing::info!("override removed");
    Ok(())
}

pub(super) fn not_written(error: crate::error::Error) -> Reply {
    let code = match error.status() {
        // The daemon that has the place takes the change.
        Status::Held => "not-leading",
        // The place cannot store it now: the disk is full, or servers are unreachable.
        _ => "not-written",
    };
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, code, format!("nothing was changed: {error}"))
}

fn rate(text: Option<&str>) -> Result<Rate, Reply> {
    let megabytes = text.and_then(|text| text.trim().parse::<u64>().ok());
    match megabytes {
        Some(megabytes @ 1..=MOST_MEGABYTES) => Ok(Rate(megabytes * 1_000_000)),
        Some(_) | None => {
            Err(Reply::bad(format!("rate: write whole MB/s from 1 to {MOST_MEGABYTES}: ?rate=50")))
        }
    }
}

/// Accepts the booleans of Go, because scripts for kafka-kit write them.
fn autoremove(text: Option<&str>) -> Result<bool, Reply> {
    match text {
        None | Some("" | "0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(false),
        Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(true),
        Some(_) => Err(Reply::bad("autoremove: write true or false")),
    }
}
