//! One page about a cluster that `keep` looks after: its brokers, what is proposed and why, what is carried out, and what
//! operators answer.
//!
//! In: each look, and each plan that it proposes. Out: routes for the server of `--listen`. An answer needs the token, and goes
//! where `topicmappr plans approve` writes it.

use crate::cluster::ClusterAccess;
use crate::error::Error;
use crate::exported;
use crate::http_server::{
    self, Reply, ServerNames, Tls, Token, in_the_form_that_is_asked_for, live_page, page,
};
use crate::keep::answer;
use crate::record_place::RecordPlace;
use crate::runtime::now_seconds;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use execute::keep::{BegunPlan, KeepNotes, KeepPolicy, PlanAnswers, Proposal};
use mapper::{BrokerFigures, Bytes, Plan, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use tokio::sync::Notify;

/// The page, which reads `/v1/state`.
const PAGE: &str = include_str!("keep_page.html");

/// Serves metrics, and a page with its token if there is one, with or without TLS, from a thread of its own until the process ends.
///
/// # Errors
/// The address is none, or is taken.
pub fn serve(
    address: &str,
    names: ServerNames,
    page: Option<(Arc<KeepPage>, Token)>,
    tls: Option<Tls>,
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::Runtime)?;
    let wrong = |error: std::io::Error| {
        local::Error::flag("--listen", address.to_owned(), error.to_string())
    };
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(wrong)?.collect();
    let listener = runtime.block_on(async { http_server::listen(&addresses) }).map_err(wrong)?;
    let shown = page.map(|(page, token)| page.routes(token));
    let routes = exported::routes().merge(shown.unwrap_or_default());
    thread::spawn(move || runtime.block_on(http_server::serve(listener, routes, names, tls)));
    Ok(())
}

/// What a look found, for the page.
#[derive(Debug, Clone, Default)]
pub struct ShownLook {
    cluster_id: String,
    at_seconds: Option<u64>,
    brokers: Vec<Value>,
    policy: Value,
    proposals: Vec<Proposal>,
    begun: Vec<BegunPlan>,
    answers: PlanAnswers,
}

impl ShownLook {
    /// What a look came to, and the answers that it knew. `later`: the cluster as it is expected to be, if that is known.
    #[must_use]
    pub fn of(
        (now, later): (&Snapshot, Option<&Snapshot>),
        policy: &KeepPolicy,
        (proposals, notes): (&[Proposal], &KeepNotes),
        answers: &PlanAnswers,
    ) -> Self {
        Self {
            cluster_id: notes.cluster_id.clone(),
            at_seconds: notes.looked_at_seconds,
            brokers: brokers(now, later),
            policy: policy_value(policy),
            proposals: proposals.to_vec(),
            begun: notes.begun.clone(),
            answers: answers.clone(),
        }
    }

    /// Whether a plan is proposed, or was begun lately.
    fn has(&self, plan_id: &str) -> bool {
        let proposed = self.proposals.iter().filter_map(|it| it.plan.as_ref());
        let begun = self.begun.iter().map(|plan| plan.plan_id.as_str());
        proposed.map(|plan| plan.plan_id.as_str()).chain(begun).any(|id| id == plan_id)
    }
}

/// A plan that the page can show.
#[derive(Debug, Clone)]
struct ShownPlan {
    before: Vec<BrokerFigures>,
    after: Vec<BrokerFigures>,
    report: String,
}

#[derive(Debug, Default)]
struct ShownState {
    look: ShownLook,
    /// Why the last look failed, if it did.
    failing: Option<String>,
    plans: BTreeMap<String, ShownPlan>,
}

/// The page, and what it shows now.
#[derive(Debug)]
pub struct KeepPage {
    notes: RecordPlace,
    access: ClusterAccess,
    /// The address of the daemon that paces replication, if there is one.
    autothrottle: Option<String>,
    shown: Mutex<ShownState>,
    /// Answers are read, changed and written: one after the other.
    answering: tokio::sync::Mutex<()>,
    answered: Notify,
}

impl KeepPage {
    /// A page without anything yet. `notes`: where answers go; `autothrottle`: the page about rates.
    #[must_use]
    pub fn new(
        notes: RecordPlace,
        access: ClusterAccess,
        autothrottle: Option<String>,
    ) -> Arc<Self> {
        let (answering, answered) = (tokio::sync::Mutex::default(), Notify::new());
        let shown = Mutex::default();
        Arc::new(Self { notes, access, autothrottle, shown, answering, answered })
    }

    /// Shows another look, and forgets plans that are neither proposed nor begun.
    pub fn looked(&self, look: ShownLook) {
        let mut shown = self.shown();
        shown.plans.retain(|id, _| look.has(id));
        (shown.look, shown.failing) = (look, None);
    }

    /// Shows why a look failed.
    pub fn failed(&self, problem: String) {
        self.shown().failing = Some(problem);
    }

    /// Whether the page has this plan.
    pub fn knows(&self, plan_id: &str) -> bool {
        self.shown().plans.contains_key(plan_id)
    }

    /// Shows a plan, with its report in HTML.
    pub fn show(&self, plan_id: &str, plan: &Plan, report: String) {
        let (before, after) = (plan.before.brokers.clone(), plan.after.brokers.clone());
        let plan = ShownPlan { before, after, report };
        self.shown().plans.insert(plan_id.to_owned(), plan);
    }

    /// Ends when an operator has answered on the page.
    pub async fn answered(&self) {
        self.answered.notified().await;
    }

    /// The routes, of which those that change something need the token.
    fn routes(self: Arc<Self>, token: Token) -> Router {
        let changes = Router::new()
            .route("/v1/plans/{id}/approve", post(approve))
            .route("/v1/plans/{id}/reject", post(reject));
        Router::new()
            .route("/", get(async || live_page(PAGE)))
            .route("/v1/state", get(async |State(page): State<Arc<Self>>| Json(page.state())))
            .route("/v1/plans/{id}", get(figures))
            .route("/plans/{id}", get(report))
            .merge(token.guards(changes))
            .fallback(async || Reply::no_such_path("/, /v1/state, /metrics"))
            .method_not_allowed_fallback(Reply::no_such_method)
            .layer(from_fn(in_the_form_that_is_asked_for))
            .with_state(self)
    }

    fn shown(&self) -> MutexGuard<'_, ShownState> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> Value {
        let shown = self.shown();
        let look = &shown.look;
        let (execution, course, moves) = exported::progress();
        json!({
            "cluster_id": look.cluster_id,
            "at_seconds": now_seconds(),
            "looked_at_seconds": look.at_seconds,
            "failing": shown.failing,
            "brokers": look.brokers,
            "policy": look.policy,
            "autothrottle": self.autothrottle,
            "proposals": look.proposals,
            "answers": look.answers,
            "begun": look.begun,
            "execution": execution,
            "course": course,
            "moves": moves,
            "plans": shown.plans.keys().collect::<Vec<_>>(),
        })
    }

    /// Writes down what an operator answers to a plan.
    async fn answer(&self, id: &str, approved: bool) -> Reply {
        let _alone = self.answering.lock().await;
        let proposals = self.shown().look.proposals.clone();
        let is_meant = |it: &&Proposal| it.plan.as_ref().is_some_and(|plan| plan.plan_id == id);
        let Some(Proposal { need, .. }) = proposals.iter().find(is_meant) else {
            let message = "keep proposes no plan with this id now";
            return Reply::error(StatusCode::NOT_FOUND, "no-such-plan", message);
        };
        let answered = answer(&self.notes, (need, id), approved, &proposals, &self.access).await;
        if let Err(error) = answered {
            let message = format!("nothing was changed: {error}");
            return Reply::error(StatusCode::SERVICE_UNAVAILABLE, "not-written", message);
        }
        self.shown().look.answers.answer(id, approved);
        self.answered.notify_one();
        let word = if approved { "approved" } else { "rejected" };
        tracing::info!(plan = id, word, "a plan is answered on the page");
        Reply::ok(format!("the plan for {need} is {word}"), json!({"plan_id": id, "answer": word}))
    }
}

async fn approve(State(page): State<Arc<KeepPage>>, Path(id): Path<String>) -> Reply {
    page.answer(&whole(&id), true).await
}

async fn reject(State(page): State<Arc<KeepPage>>, Path(id): Path<String>) -> Reply {
    page.answer(&whole(&id), false).await
}

/// The figures of each broker before and after a plan.
async fn figures(State(page): State<Arc<KeepPage>>, Path(id): Path<String>) -> Response {
    let shown = page.shown();
    let found = shown.plans.get(&whole(&id));
    let figures = found.map(|plan| Json(json!({"before": plan.before, "after": plan.after})));
    figures.map_or_else(|| no_such_plan().into_response(), IntoResponse::into_response)
}

/// The report of a plan.
async fn report(State(of): State<Arc<KeepPage>>, Path(id): Path<String>) -> Response {
    let found = of.shown().plans.get(&whole(&id)).map(|plan| plan.report.clone());
    found.map_or_else(|| no_such_plan().into_response(), page)
}

/// The id of a plan from the one in a path.
fn whole(id: &str) -> String {
    format!("sha256:{id}")
}

fn no_such_plan() -> Reply {
    Reply::error(StatusCode::NOT_FOUND, "no-such-plan", "the page has no plan with this id")
}

/// Each broker, with what its disks hold now and are expected to hold.
fn brokers(now: &Snapshot, later: Option<&Snapshot>) -> Vec<Value> {
    let now = now.with_free_storage();
    let used = |total: Option<Bytes>, free: Option<Bytes>| {
        total.zip(free).map(|(total, free)| Bytes(total.0.saturating_sub(free.0)))
    };
    let of = |broker: &mapper::snapshot::Broker| {
        let then = later.and_then(|later| later.broker(broker.id));
        json!({
            "id": broker.id,
            "rack": broker.rack,
            "live": broker.live,
            "cordoned": broker.is_cordoned(),
            "total_bytes": broker.storage_total,
            "used_bytes": used(broker.storage_total, broker.storage_free),
            "expected_bytes": then.and_then(|it| used(it.storage_total, it.storage_free)),
        })
    };
    now.brokers().iter().map(of).collect()
}

/// What an operator allows, in short.
fn policy_value(policy: &KeepPolicy) -> Value {
    let modes = policy.triggers.iter().map(|(trigger, terms)| (trigger.name(), terms.mode));
    json!({
        "modes": modes.collect::<BTreeMap<_, _>>(),
        "throttle_bytes_per_second": policy.throttle,
        "bytes_per_day": policy.bytes_per_day,
        "hours": policy.hours.map(|hours| hours.to_string()),
        "full": policy.full.as_f64(),
        "ahead_days": policy.looks_ahead_days(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keep::answers;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use execute::keep::{PlannedNeed, ProposalState};
    use std::path::Path;
    use tower::ServiceExt;

    const ID: &str = "sha256:3f9a";

    /// A page that shows one plan which waits for an approval.
    fn page_beside(notes: &Path) -> Arc<KeepPage> {
        let plan = PlannedNeed {
            plan_id: ID.to_owned(),
            what: String::new(),
            bytes: Bytes(77),
            bound_bytes: None,
            seconds: 1,
            warnings: [].into(),
        };
        let need = "drift".parse().unwrap();
        let proposals = [Proposal { need, plan: Some(plan), state: ProposalState::ForApproval }];
        let page =
            KeepPage::new(RecordPlace::File(notes.to_owned()), ClusterAccess::default(), None);
        let look = ShownLook { proposals: proposals.into(), ..ShownLook::default() };
        page.looked(look);
        page
    }

    async fn ask(page: &Arc<KeepPage>, method: &str, path: &str, token: &str) -> (u16, String) {
        let routes = page.clone().routes(Token::given("--token-file", "secret").unwrap());
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        let answer = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.into()).unwrap())
    }

    #[tokio::test]
    async fn only_the_token_answers_and_only_to_a_plan_that_is_proposed() {
        let folder = tempfile::tempdir().unwrap();
        let notes = folder.path().join("notes.json");
        let page = page_beside(&notes);
        let place = RecordPlace::File(notes);
        let known = async || answers(&place, &ClusterAccess::default()).await.unwrap().answers;
        for (path, token, status) in [
            ("/v1/plans/3f9a/approve", "guess", 401),
            ("/v1/plans/3f9a/approve", "", 401),
            ("/v1/plans/0000/approve", "secret", 404),
        ] {
            let (said, text) = ask(&page, "POST", path, token).await;
            assert_eq!(said, status, "{path} {token}: {text}");
        }
        assert_eq!(ask(&page, "GET", "/v1/plans/3f9a/approve", "secret").await.0, 405);
        assert_eq!(known().await, PlanAnswers::default());
        let (status, text) = ask(&page, "POST", "/v1/plans/3f9a/approve", "secret").await;
        assert_eq!((status, text.as_str()), (200, "the plan for drift is approved\n"));
        assert_eq!(known().await.approved, [ID.to_owned()].into());
        page.answered().await;
        assert_eq!(ask(&page, "POST", "/v1/plans/3f9a/reject", "secret").await.0, 200);
        let last = known().await;
        assert_eq!((last.approved.len(), last.rejected), (0, [ID.to_owned()].into()));
        let state: Value =
            serde_json::from_str(&ask(&page, "GET", "/v1/state", "").await.1).unwrap();
        assert_eq!(state["answers"]["rejected"][0], ID);
        assert_eq!(state["proposals"][0]["state"], "for-approval");
    }

    #[tokio::test]
    async fn a_plan_is_forgotten_when_it_is_neither_proposed_nor_begun() {
        let page = page_beside(Path::new("notes.json"));
        let plan = ShownPlan { before: vec![], after: vec![], report: "<p>report</p>".to_owned() };
        page.shown().plans.insert(ID.to_owned(), plan);
        assert_eq!(ask(&page, "GET", "/plans/3f9a", "").await, (200, "<p>report</p>".to_owned()));
        page.looked(ShownLook::default());
        assert_eq!(ask(&page, "GET", "/plans/3f9a", "").await.0, 404);
    }
}
