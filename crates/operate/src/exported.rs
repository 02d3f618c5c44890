//! What a run that looks again and again tells Prometheus: `GET /metrics`. Each process has one set of numbers.

use crate::error::Error;
use crate::events::Progress;
use crate::http_server::{self, ServerNames};
use crate::keep::state_name;
use crate::runtime::now_seconds;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use execute::keep::Proposal;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

type MetricLabels = Vec<(&'static str, String)>;

static NUMBERS: Mutex<RunNumbers> = Mutex::new(RunNumbers::NONE);

#[derive(Debug, Clone)]
struct RunNumbers {
    looks: u64,
    failed_looks: u64,
    looked_seconds: u64,
    proposals: Vec<Proposal>,
    progress: Option<Progress>,
}

fn numbers() -> MutexGuard<'static, RunNumbers> {
    NUMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what a look came to.
pub fn looked(proposals: &[Proposal]) {
    let mut now = numbers();
    (now.looks, now.looked_seconds) = (now.looks + 1, now_seconds());
    now.proposals = proposals.to_vec();
}

/// Notes that a look failed.
pub fn look_failed() {
    numbers().failed_looks += 1;
}

/// Notes how far an execution is; `None`: none is carried out.
pub fn progressed(progress: Option<&Progress>) {
    numbers().progress = progress.cloned();
}

/// Serves the numbers from a thread of its own, until the process ends.
///
/// # Errors
/// The address is none, or is taken.
pub fn serve(address: &str, names: ServerNames) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::Runtime)?;
    let wrong = |error: std::io::Error| {
        local::Error::flag("--listen", address.to_owned(), error.to_string())
    };
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(wrong)?.collect();
    let listener = runtime.block_on(async { http_server::listen(&addresses) }).map_err(wrong)?;
    let routes = Router::new().route("/metrics", get(answer));
    thread::spawn(move || runtime.block_on(http_server::serve(listener, routes, names, None)));
    Ok(())
}

async fn answer() -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match numbers().page() {
        Ok(text) => ([(CONTENT_TYPE, kind)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl RunNumbers {
    const NONE: Self = Self {
        looks: 0,
        failed_looks: 0,
        looked_seconds: 0,
        proposals: Vec::new(),
        progress: None,
    };

    fn page(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("topicmappr");
        let keep = registry.sub_registry_with_prefix("keep");
        let counters = [
            ("looks", "Looks that succeeded", self.looks),
            ("failed_looks", "Looks that failed", self.failed_looks),
        ];
        for (name, help, value) in counters {
            keep.register(name, help, ConstCounter::new(value));
        }
        let at = ConstGauge::new(self.looked_seconds);
        keep.register("looked_timestamp_seconds", "When the last look succeeded", at);
        self.proposals(keep);
        if let Some(progress) = &self.progress {
            execution(progress, registry.sub_registry_with_prefix("execution"));
        }
        let mut page = String::new();
        encode(&mut page, &registry)?;
        Ok(page)
    }

    fn proposals(&self, keep: &mut Registry) {
        let [states, bytes] = std::array::from_fn(|_| Family::<MetricLabels, Gauge>::default());
        for proposal in &self.proposals {
            let need = ("need", proposal.need.to_string());
            let state = ("state", state_name(&proposal.state).to_owned());
            states.get_or_create(&vec![need.clone(), state]).set(1);
            if let Some(plan) = &proposal.plan {
                let value = i64::try_from(plan.bytes.0).unwrap_or(i64::MAX);
                bytes.get_or_create(&vec![need]).set(value);
            }
        }
        keep.register("proposals", "1 for what calls for a plan, and what becomes of it", states);
        keep.register("plan_bytes", "What the plan for it copies", bytes);
    }
}

fn execution(progress: &Progress, registry: &mut Registry) {
    let moves = Family::<MetricLabels, Gauge>::default();
    let states = [
        ("done", progress.done),
        ("moving", progress.moving),
        ("waiting", progress.waiting),
        ("left-out", progress.left_out),
    ];
    for (state, count) in states {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        moves.get_or_create(&vec![("state", state.to_owned())]).set(count);
    }
    registry.register("moves", "Moves of the plan that is carried out", moves);
    let amounts = [
        ("plan_bytes", "What it copies in all", Some(progress.bytes.0)),
        ("copied_bytes", "What it has copied", Some(progress.copied_bytes.0)),
        ("left_seconds", "How long it still takes at its present rate", progress.left_seconds),
        ("stalled_replicas", "Replicas that receive nothing", Some(progress.stalled.len() as u64)),
    ];
    for (name, help, value) in amounts {
        if let Some(value) = value {
            registry.register(name, help, ConstGauge::new(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::keep::{PlannedNeed, ProposalState};
    use mapper::Bytes;

    #[test]
    fn the_page_has_each_need_with_its_state_and_its_bytes() {
        let planned = PlannedNeed {
            plan_id: "sha256:1".to_owned(),
            bytes: Bytes(77),
            what: String::new(),
            bound_bytes: None,
            seconds: 1,
            warnings: [].into(),
        };
        let proposals = vec![
            Proposal {
                need: "lost-broker 3".parse().unwrap(),
                plan: Some(planned),
                state: ProposalState::ForApproval,
            },
            Proposal {
                need: "drift".parse().unwrap(),
                plan: None,
                state: ProposalState::Held { why: vec!["lost: broker 3".to_owned()] },
            },
        ];
        let numbers = RunNumbers { looks: 2, looked_seconds: 9, proposals, ..RunNumbers::NONE };
        let page = numbers.page().unwrap();
        for line in [
            "topicmappr_keep_looks_total 2",
            "topicmappr_keep_failed_looks_total 0",
            "topicmappr_keep_looked_timestamp_seconds 9",
            r#"topicmappr_keep_proposals{need="lost-broker 3",state="ForApproval"} 1"#,
            r#"topicmappr_keep_proposals{need="drift",state="Held"} 1"#,
            r#"topicmappr_keep_plan_bytes{need="lost-broker 3"} 77"#,
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        assert!(!page.contains("topicmappr_execution"), "nothing is carried out: {page}");
    }
}
