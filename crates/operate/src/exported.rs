//! What a run that looks again and again tells Prometheus: `GET /metrics`. Each process has one set of numbers.

use crate::events::{BegunMove, Progress};
use crate::keep::state_name;
use crate::runtime::now_seconds;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use execute::keep::Proposal;
use mapper::{Bytes, DiskForecast, TopicPartition};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

type MetricLabels = Vec<(&'static str, String)>;

static NUMBERS: Mutex<RunNumbers> = Mutex::new(RunNumbers::NONE);

#[derive(Debug, Clone)]
struct RunNumbers {
    looks: u64,
    failed_looks: u64,
    looked_seconds: u64,
    took: Duration,
    proposals: Vec<Proposal>,
    disks: Vec<DiskForecast>,
    progress: Option<Progress>,
    course: Vec<CoursePoint>,
    /// By their positions in the plan; `None`: it was done before this process looked.
    spans: BTreeMap<usize, Option<MoveSpan>>,
}

/// How far an execution was at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct CoursePoint {
    at_seconds: u64,
    copied_bytes: Bytes,
}

/// When a move began and ended, as far as this process has seen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MoveSpan {
    of: TopicPartition,
    from_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_seconds: Option<u64>,
}

/// The most moves that a page shows one by one.
const SPANS: usize = 60;

/// The most points of a course. Of more, every second one is left out: a curve of days needs no more than one of minutes.
const POINTS: usize = 240;

fn numbers() -> MutexGuard<'static, RunNumbers> {
    NUMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what a look came to, and how long it took, plans included.
pub fn looked(proposals: &[Proposal], took: Duration) {
    let mut now = numbers();
    (now.looks, now.looked_seconds, now.took) = (now.looks + 1, now_seconds(), took);
    now.proposals = proposals.to_vec();
}

/// Notes when disks are expected to be full.
pub fn expects(disks: Vec<DiskForecast>) {
    numbers().disks = disks;
}

/// Notes that a look failed.
pub fn look_failed() {
    numbers().failed_looks += 1;
}

/// Notes how far an execution is; `None`: none is carried out.
pub fn progressed(progress: Option<&Progress>) {
    let mut now = numbers();
    now.progress = progress.cloned();
    match progress {
        Some(progress) => {
            let point =
                CoursePoint { at_seconds: now_seconds(), copied_bytes: progress.copied_bytes };
            let before = now.course.last().map(|point| point.at_seconds);
            follow(&mut now.spans, &progress.begun, before, point.at_seconds);
            now.course.push(point);
            if now.course.len() > POINTS {
                now.course = now.course.iter().step_by(2).copied().collect();
            }
        }
        None => {
            now.course.clear();
            now.spans.clear();
        }
    }
}

/// Notes which moves have begun and ended since the look before. A move that was done in between began after that look. `begun`
/// is in the order of the plan.
fn follow(
    spans: &mut BTreeMap<usize, Option<MoveSpan>>,
    begun: &[BegunMove],
    before: Option<u64>,
    now: u64,
) {
    for BegunMove { position, of, is_done } in begun {
        let until = is_done.then_some(now);
        match (spans.get_mut(position), before) {
            (Some(Some(span)), _) => span.until_seconds = span.until_seconds.or(until),
            (Some(None), _) => {}
            (None, None) if *is_done => drop(spans.insert(*position, None)),
            (None, before) => {
                let from_seconds = before.filter(|_| *is_done).unwrap_or(now);
                let span = MoveSpan { of: of.clone(), from_seconds, until_seconds: until };
                spans.insert(*position, Some(span));
            }
        }
    }
    // What is neither in flight nor done any more was taken back.
    for (position, span) in spans.iter_mut().filter_map(|(at, span)| Some((at, span.as_mut()?))) {
        if begun.binary_search_by_key(position, |it| it.position).is_err() {
            span.until_seconds = span.until_seconds.or(Some(now));
        }
    }
}

/// The last moves: those in flight, then those that ended, the latest first.
fn last(spans: &BTreeMap<usize, Option<MoveSpan>>) -> Vec<MoveSpan> {
    let mut spans: Vec<&MoveSpan> = spans.values().flatten().collect();
    spans.sort_by_key(|span| Reverse(span.until_seconds.unwrap_or(u64::MAX)));
    spans.into_iter().take(SPANS).cloned().collect()
}

/// How far an execution is, and was since it began, and its last moves, if one is carried out.
pub(crate) fn progress() -> (Option<Progress>, Vec<CoursePoint>, Vec<MoveSpan>) {
    let now = numbers();
    (now.progress.clone(), now.course.clone(), last(&now.spans))
}

/// The route of the numbers.
pub(crate) fn routes() -> Router {
    Router::new().route("/metrics", get(answer))
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
        took: Duration::ZERO,
        proposals: Vec::new(),
        disks: Vec::new(),
        progress: None,
        course: Vec::new(),
        spans: BTreeMap::new(),
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
        let took = ConstGauge::new(self.took.as_secs_f64());
        keep.register("look_seconds", "What the last look took, plans included", took);
        self.proposals(keep);
        self.disks(keep);
        if let Some(progress) = &self.progress {
            execution(progress, registry.sub_registry_with_prefix("execution"));
        }
        let mut page = String::new();
        encode(&mut page, &registry)?;
        Ok(page)
    }

    fn disks(&self, keep: &mut Registry) {
        let full = Family::<MetricLabels, Gauge>::default();
        for disk in &self.disks {
            let Some(days) = disk.full else { continue };
            let broker = ("broker", disk.broker.to_string());
            let labels = vec![broker, ("log_dirs", disk.paths.join(","))];
            full.get_or_create(&labels).set(i64::from(days));
        }
        keep.register("disk_full_days", "In how many days a disk is expected to be full", full);
    }

    fn proposals(&self, keep: &mut Registry) {
        let [states, bytes, bounds, seconds] =
            std::array::from_fn(|_| Family::<MetricLabels, Gauge>::default());
        for proposal in &self.proposals {
            let need = ("need", proposal.need.to_string());
            let state = ("state", state_name(&proposal.state).to_owned());
            states.get_or_create(&vec![need.clone(), state]).set(1);
            let Some(plan) = &proposal.plan else { continue };
            let bound = plan.bound_bytes.map(|bytes| bytes.0);
            let values =
                [(&bytes, Some(plan.bytes.0)), (&bounds, bound), (&seconds, Some(plan.seconds))];
            for (family, value) in values {
                if let Some(value) = value {
                    let value = i64::try_from(value).unwrap_or(i64::MAX);
                    family.get_or_create(&vec![need.clone()]).set(value);
                }
            }
        }
        keep.register("proposals", "1 for what calls for a plan, and what becomes of it", states);
        keep.register("plan_bytes", "What the plan for it copies", bytes);
        keep.register("plan_bound_bytes", "What any plan for it copies at least", bounds);
        keep.register("plan_seconds", "How long the copies of the plan for it take", seconds);
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

    #[test]
    fn each_move_has_its_time_as_far_as_it_was_seen() {
        let of = |partition| TopicPartition {
            topic: "t".to_owned(),
            partition: mapper::PartitionId(partition),
        };
        let begun = |position, is_done| BegunMove { position, of: of(7), is_done };
        let mut spans = BTreeMap::new();
        // One is already done, one begins, and one begins and ends between two looks.
        follow(&mut spans, &[begun(0, true), begun(1, false)], None, 10);
        follow(&mut spans, &[begun(0, true), begun(1, false), begun(2, true)], Some(10), 20);
        follow(&mut spans, &[begun(1, true), begun(2, true), begun(3, false)], Some(20), 30);
        // One is taken back.
        follow(&mut spans, &[begun(1, true), begun(2, true), begun(4, false)], Some(30), 40);
        let span =
            |from_seconds, until_seconds| MoveSpan { of: of(7), from_seconds, until_seconds };
        assert_eq!(
            last(&spans),
            [span(40, None), span(30, Some(40)), span(10, Some(30)), span(10, Some(20))],
            "in flight, then the latest"
        );
    }

    #[test]
    fn the_page_has_each_need_with_its_state_and_its_bytes() {
        let planned = PlannedNeed {
            plan_id: "sha256:1".to_owned(),
            bytes: Bytes(77),
            what: String::new(),
            bound_bytes: Some(Bytes(70)),
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
        let disk = |broker, full| DiskForecast {
            broker: mapper::BrokerId(broker),
            paths: vec!["/a".to_owned(), "/b".to_owned()],
            total: Bytes(9),
            used: Bytes(1),
            used_in_a_week: Bytes(8),
            full,
            full_earliest: None,
            full_latest: None,
        };
        let disks = vec![disk(3, Some(8)), disk(4, None)];
        let numbers =
            RunNumbers { looks: 2, looked_seconds: 9, proposals, disks, ..RunNumbers::NONE };
        let page = numbers.page().unwrap();
        for line in [
            "topicmappr_keep_looks_total 2",
            "topicmappr_keep_failed_looks_total 0",
            "topicmappr_keep_looked_timestamp_seconds 9",
            r#"topicmappr_keep_proposals{need="lost-broker 3",state="ForApproval"} 1"#,
            r#"topicmappr_keep_proposals{need="drift",state="Held"} 1"#,
            r#"topicmappr_keep_plan_bytes{need="lost-broker 3"} 77"#,
            r#"topicmappr_keep_plan_bound_bytes{need="lost-broker 3"} 70"#,
            r#"topicmappr_keep_plan_seconds{need="lost-broker 3"} 1"#,
            "topicmappr_keep_look_seconds 0.0",
            r#"topicmappr_keep_disk_full_days{broker="3",log_dirs="/a,/b"} 8"#,
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
        assert!(!page.contains("topicmappr_execution"), "nothing is carried out: {page}");
        assert!(!page.contains(r#"broker="4""#), "it does not fill: {page}");
    }
}
