use super::*;
use crate::board::DoneRound;
use crate::place::Place;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use coordination::Store;
use mapper::{BrokerId, Rate};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use throttle::{Decided, RateFloor, RateOverride, RateReason, ReplicationRole, ThrottleDecision};
use tower::ServiceExt;

/// An API with its own state file, of a cluster with brokers 1001 and 1002.
struct Fixture {
    api: Api,
    router: Router,
    folder: tempfile::TempDir,
}

async fn fixture(token: Option<&str>) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let book = Arc::new(Book::at(
        Place::of(Store::File { path: folder.path().join("state") }).candidate(false),
    ));
    book.take().await.unwrap();
    let board = Arc::new(Board::new());
    board.succeeded(round());
    let announced = Arc::new(Announced::to("this".to_owned()));
    let api = Api::new(book, board, Arc::new(Notify::new()), announced);
    let router = router(api.clone(), token.map(|token| Token::given("", token).unwrap()));
    Fixture { api, router, folder }
}

/// 1001 leads, and needs 60 MB/s for what producers write.
pub(crate) fn round() -> DoneRound {
    let rate = |megabytes| Rate::from_megabytes(megabytes).unwrap();
    let decided = Decided {
        rate: rate(80.0),
        why: RateReason::Share,
        kept: false,
        headroom: Some(rate(90.0)),
        floor: RateFloor::Now { rate: rate(60.0) },
    };
    let decision = ThrottleDecision {
        rates: [((BrokerId(1001), ReplicationRole::Leader), decided)].into(),
        ..ThrottleDecision::default()
    };
    DoneRound {
        at: "2026-11-20T07:00:00Z".to_owned(),
        took: Duration::from_millis(12),
        ended: Instant::now(),
        cluster_id: Some("Nk3".to_owned()),
        known: [1001, 1002].map(BrokerId).into(),
        topics: Arc::new([("t".to_owned(), 1)].into()),
        brokers: BTreeMap::new(),
        applied: [((BrokerId(1001), ReplicationRole::Leader), rate(10.0))].into(),
        copies: Vec::new(),
        unmeasured: 0,
        metrics: Some(metrics::MetricsSource::Sidecar),
        decision,
        held: 2,
        strays: std::collections::BTreeSet::new(),
    }
}

impl Fixture {
    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let (status, text) = self.send(request).await;
        (status.as_u16(), text.trim_end().to_owned())
    }

    /// How often the loop would be woken: at most once, as a permit.
    fn wakes(&self) -> bool {
        use futures::FutureExt;
        self.api.wake.notified().now_or_never().is_some()
    }
}

#[tokio::test]
async fn who_waits_for_another_is_ready_and_changes_nothing() {
    let api = fixture(None).await;
    api.api.book.let_go();
    api.api.book.is_led_by("another");
    api.api.board.waits();
    assert_eq!(api.ask("GET", "/readyz").await.0, 200);
    let (status, text) = api.ask("POST", "/throttle?rate=70").await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("another process leads"), "{text}");
    assert!(!api.wakes());
    let state: serde_json::Value =
        serde_json::from_str(&api.ask("GET", "/v1/state").await.1).unwrap();
    assert_eq!((&state["leading"], &state["leader"]), (&false.into(), &"another".into()));
    assert_eq!(state.get("decided_at"), None, "what was seen by a leader is old");
}

#[tokio::test]
async fn a_change_that_is_not_stored_is_not_made_and_says_so() {
    let api = fixture(None).await;
    std::fs::remove_dir_all(api.folder.path()).unwrap();
    let (status, text) = api.ask("POST", "/throttle?rate=70").await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("nothing was changed") && text.contains("takes no more lines"), "{text}");
    assert!(!api.wakes());
    assert_eq!(api.ask("GET", "/throttle").await.1, "no throttle override is set");
    std::fs::create_dir(api.folder.path()).unwrap();
    assert_eq!(api.ask("POST", "/throttle?rate=70").await.0, 200, "it goes on by itself");
}

#[tokio::test]
async fn the_endpoints_of_old_answer_as_they_did_and_each_change_wakes_the_loop_once() {
    let api = fixture(None).await;
    let dialogue = [
        ("GET", "/throttle", false, "no throttle override is set"),
        (
            "POST",
            "/throttle?rate=70",
            true,
            "set: a throttle override is configured at 70MB/s, autoremove==false",
        ),
        (
            "GET",
            "/throttle",
            false,
            "a throttle override is configured at 70MB/s, autoremove==false",
        ),
        (
            "POST",
            "/throttle/1002?rate=5&autoremove=true",
            true,
            "set: a throttle override is configured for broker 1002 at 5MB/s, autoremove==true",
        ),
        (
            "GET",
            "/throttle/1002",
            false,
            "a throttle override is configured for broker 1002 at 5MB/s, autoremove==true",
        ),
        ("GET", "/throttle/1001", false, "no throttle override is set for broker 1001"),
        ("POST", "/throttle/remove/1002", true, "the throttle override of broker 1002 is removed"),
        ("POST", "/throttle/remove/1002", true, "broker 1002 had no throttle override"),
        ("POST", "/throttle/remove", true, "the global throttle override is removed"),
        ("POST", "/throttle/remove/all", true, "the throttle overrides of 0 brokers are removed"),
        ("GET", "/throttle", false, "no throttle override is set"),
    ];
    for (method, path, wakes, said) in dialogue {
        let (status, text) = api.ask(method, path).await;
        assert_eq!((status, text.as_str()), (200, said), "{method} {path}");
        assert_eq!(api.wakes(), wakes, "{method} {path}");
        assert!(!api.wakes(), "{method} {path}: once is enough");
    }
    assert_eq!(api.api.book.overrides(), throttle::RateOverrides::default());
}

#[tokio::test]
async fn a_rate_below_the_floor_is_taken_and_both_numbers_are_told() {
    let api = fixture(None).await;
    let (status, text) = api.ask("POST", "/throttle/1001?rate=50").await;
    let said = "set: a throttle override is configured for broker 1001 at 50MB/s, autoremove==false\n\
                broker 1001 (leader) gets 60.00 MB/s instead: below, new replicas would never catch up";
    assert_eq!((status, text.as_str()), (200, said));
    let asked = RateOverride { rate: Rate(50_000_000), autoremove: false };
    assert_eq!(api.api.book.overrides().brokers, [(BrokerId(1001), asked)].into());
    let request = Request::builder()
        .method(Method::POST)
        .uri("/throttle/1001?rate=50")
        .header("accept", "text/html, application/json;q=0.9")
        .body(Body::empty())
        .unwrap();
    let (_, text) = api.send(request).await;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["rate_bytes_per_second"], 50_000_000);
    assert_eq!(json["floors"][0]["floor_bytes_per_second"], 60_000_000);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let api = fixture(None).await;
    let refused = [
        ("POST", "/throttle", 400),
        ("POST", "/throttle?rate=", 400),
        ("POST", "/throttle?rate=0", 400),
        ("POST", "/throttle?rate=-5", 400),
        ("POST", "/throttle?rate=1.5", 400),
        ("POST", "/throttle?rate=fast", 400),
        ("POST", "/throttle?rate=99999999999999999999", 400),
        ("POST", "/throttle?rate=1000001", 400),
        ("POST", "/throttle?rate=5&rate=6", 400),
        ("POST", "/throttle?rate=5&autoremove=perhaps", 400),
        ("POST", "/throttle?rate=5&auto_remove=true", 400),
        ("POST", "/throttle/all?rate=5", 400),
        ("POST", "/throttle/-1?rate=5", 400),
        ("POST", "/throttle/1003?rate=5", 404),
        ("POST", "/throttle/remove/1003", 404),
        ("POST", "/throttle/remove/nobody", 400),
        ("GET", "/throttle/nobody", 400),
        ("GET", "/throttle/remove", 405),
        ("DELETE", "/throttle", 405),
        ("POST", "/v1/state", 405),
        ("POST", "/", 405),
        ("GET", "/throttle/1001/more", 404),
    ];
    for (method, path, expected) in refused {
        let (status, text) = api.ask(method, path).await;
        assert_eq!(status, expected, "{method} {path}: {text}");
        assert!(text.starts_with("error: "), "{method} {path}: {text}");
        assert!(!api.wakes(), "{method} {path}");
    }
    assert_eq!(api.api.book.overrides(), throttle::RateOverrides::default());
}

#[tokio::test]
async fn changes_need_the_token_and_questions_do_not() {
    let api = fixture(Some("hunter2")).await;
    let with = async |header: &str| {
        let request = Request::builder().method("POST").uri("/throttle?rate=5");
        let request = request.header("authorization", header).body(Body::empty()).unwrap();
        api.send(request).await
    };
    assert_eq!(api.ask("POST", "/throttle?rate=5").await.0, 401);
    for wrong in ["Bearer hunter", "Bearer hunter22", "Basic hunter2", "hunter2", "Bearer"] {
        let (status, text) = with(wrong).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert!(!text.contains("hunter2"));
    }
    assert_eq!(api.api.book.overrides(), throttle::RateOverrides::default());
    for path in ["/throttle", "/v1/state", "/metrics", "/healthz", "/readyz"] {
        assert_eq!(api.ask("GET", path).await.0, 200, "{path}");
    }
    assert_eq!(with("bearer hunter2").await.0, StatusCode::OK);
    assert!(api.api.book.overrides().global.is_some());
}

#[tokio::test]
async fn a_daemon_whose_rounds_fail_lives_and_is_not_ready() {
    let api = fixture(None).await;
    assert_eq!(api.ask("GET", "/readyz").await.0, 200);
    api.api.board.failed("Kafka is away".to_owned());
    let (status, text) = api.ask("GET", "/readyz").await;
    assert_eq!(status, 503);
    assert!(text.contains("Kafka is away"), "{text}");
    assert_eq!(api.ask("GET", "/healthz").await.0, 200);
}

#[tokio::test]
async fn who_cannot_wait_for_the_lead_is_not_ready() {
    let api = fixture(None).await;
    api.api.book.let_go();
    api.api.board.waits();
    let (status, text) = api.ask("GET", "/readyz").await;
    assert_eq!(status, 503);
    assert!(text.contains("not told who leads"), "{text}");
    api.api.board.failed("ZooKeeper is away".to_owned());
    let (status, text) = api.ask("GET", "/readyz").await;
    assert_eq!(status, 503);
    assert!(text.contains("cannot wait for the lead: ZooKeeper is away"), "{text}");
}

#[tokio::test]
async fn the_metrics_name_rates_by_broker_and_role() {
    let api = fixture(None).await;
    let (_, text) = api.ask("GET", "/metrics").await;
    for line in [
        "autothrottle_rate_bytes_per_second{broker=\"1001\",role=\"leader\"} 80000000",
        "autothrottle_floor_bytes_per_second{broker=\"1001\",role=\"leader\"} 60000000",
        "autothrottle_found_rate_bytes_per_second{broker=\"1001\",role=\"leader\"} 10000000",
        "autothrottle_rounds_total 1",
        "autothrottle_held_configs 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

/// What a canary hears of 1001.
fn heard() -> crate::board::Heard {
    let of = |milliseconds| Some(Duration::from_millis(milliseconds));
    let end_to_end = Duration::from_millis(250);
    let canary = throttle::CanaryTimes { produce: of(40), end_to_end, usual: of(5) };
    crate::board::Heard {
        messages: None,
        readings: [(BrokerId(1001), canary)].into(),
        problem: Some("it needs Alter".to_owned()),
        most: None,
    }
}

#[tokio::test]
async fn what_the_canary_hears_is_told_between_rounds() {
    let api = fixture(None).await;
    let mut round = round();
    round.brokers = [1001, 1002].map(|id| (BrokerId(id), throttle::BrokerSeen::default())).into();
    api.api.board.succeeded(round);
    let state = async || {
        let (_, text) = api.ask("GET", "/v1/state").await;
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    assert_eq!(state().await.get("canary"), None);
    api.api.board.hears(heard());
    let now = state().await;
    assert_eq!(now["canary"]["problem"], "it needs Alter");
    let of_broker = serde_json::json!({
        "produce_seconds": 0.04, "end_to_end_seconds": 0.25, "usual_seconds": 0.005, "slow": true
    });
    assert_eq!(now["brokers"][0]["canary"], of_broker);
    assert_eq!(now["brokers"][1].get("canary"), None);
    let (_, text) = api.ask("GET", "/metrics").await;
    let line = "autothrottle_canary_end_to_end_seconds{broker=\"1001\"} 0.25";
    assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    api.api.board.waits();
    assert_eq!(state().await.get("canary"), None, "another leads");
}

#[tokio::test]
async fn the_state_is_as_its_schema_says() {
    let api = fixture(None).await;
    let mut round = round();
    round.brokers = [(BrokerId(1001), throttle::BrokerSeen::default())].into();
    api.api.board.succeeded(round);
    api.api.board.hears(heard());
    api.ask("POST", "/throttle/1001?rate=50&autoremove=1").await;
    let (_, text) = api.ask("GET", "/v1/state").await;
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&state["version"], &state["leading"]), (&1.into(), &true.into()));
    let us = format!("autothrottle, process {} of {}", std::process::id(), crate::host());
    assert!(state["leader"].as_str().unwrap().starts_with(&us), "{state}");
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema/autothrottle-state.schema.json");
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<String> = schema
        .iter_errors(&state)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(problems, [""; 0]);
}

/// A request line of pieces that are near to sense, and of pieces that are not.
fn requests() -> impl Strategy<Value = (String, String, Vec<u8>)> {
    let method = prop::sample::select(vec![
        "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW",
    ]);
    let piece = prop_oneof![
        prop::sample::select(vec![
            "throttle",
            "remove",
            "all",
            "1001",
            "1002",
            "1003",
            "-1",
            "v1",
            "state",
            "metrics",
            "",
            "%00",
            "%ff%fe",
            "..",
            "%2e%2e",
            "4294967296",
            "01001",
            "+1001",
            " 1001",
            "throttle%2f1001",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9%.~-]{0,12}",
    ];
    let value = prop_oneof![
        prop::sample::select(vec![
            "", "0", "-1", "1e9", "NaN", "0x10", "true", "tRuE", "5.0", "%35%zz", "5%00", "٥"
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}",
    ];
    let name = prop::sample::select(vec!["rate", "autoremove", "Rate", "rate[]", "", "x"]);
    let pair = (name, value).prop_map(|(name, value)| format!("{name}={value}"));
    let path =
        prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("/{}", pieces.join("/")));
    let query = prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("&"));
    let body = prop::collection::vec(any::<u8>(), 0..64);
    (method, path, query, body).prop_map(|(method, path, query, body)| {
        (method.to_owned(), format!("{path}?{query}"), body)
    })
}

/// Whether this is a change that makes sense.
fn is_sound(method: &str, target: &str) -> bool {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let removes = matches!(path, "/throttle/remove" | "/throttle/remove/all");
    method == "POST"
        && (removes || path.starts_with("/throttle/remove/") || query.contains("rate="))
}

#[test]
fn ten_thousand_malformed_requests_change_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let api = runtime.block_on(fixture(None));
    let config = Config {
        cases: 10_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_120),
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&requests(), |(method, target, body)| {
        // What is no URI never gets past the HTTP library.
        let request =
            Request::builder().method(method.as_str()).uri(&target).body(Body::from(body));
        let Ok(request) = request else { return Ok(()) };
        let before = api.api.book.overrides();
        let (status, _) = runtime.block_on(api.send(request));
        let fine = status.is_success() || status.is_client_error();
        prop_assert!(fine, "{method} {target}: {status}");
        let changed = api.api.book.overrides() != before;
        prop_assert!(
            !changed || (status.is_success() && is_sound(&method, &target)),
            "{method} {target}"
        );
        Ok(())
    });
    outcome.unwrap();
    let round_is_there = runtime.block_on(api.ask("GET", "/readyz"));
    assert_eq!(round_is_there.0, 200);
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere_and_offers_changes_only_with_a_token() {
    for (token, offered) in [(None, "data-token=\"no\""), (Some("hunter2"), "data-token=\"yes\"")] {
        let api = fixture(token).await;
        let request = Request::builder().uri("/").body(Body::empty()).unwrap();
        let response = api.router.clone().oneshot(request).await.unwrap();
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(offered) && !text.contains("hunter2"));
        for elsewhere in ["src=", "@import", "url(", "href="] {
            assert!(!text.contains(elsewhere), "{elsewhere}");
        }
        let addresses: Vec<&str> = text.split("http").skip(1).collect();
        let only_names = addresses.iter().all(|rest| rest.starts_with("://www.w3.org/2000/svg"));
        assert!(only_names, "{addresses:?}");
    }
}

impl Fixture {
    async fn announce(&self, body: &str) -> (u16, serde_json::Value) {
        let request = Request::post("/v1/announce")
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let (status, text) = self.send(request).await;
        (status.as_u16(), serde_json::from_str(&text).unwrap())
    }
}

#[tokio::test]
async fn a_move_is_announced_to_who_leads_in_its_cluster_and_to_nobody_else() {
    let told = r#"{"version":1,"cluster_id":"Nk3","moves":[{"topic":"t","partition":0,"replicas":[1001,1002]}]}"#;
    let api = fixture(None).await;
    let (status, answer) = api.announce(told).await;
    assert_eq!((status, &answer["lead"]), (200, &"this, lead 0".into()), "{answer}");
    assert!(api.wakes(), "a round paces it before it begins");
    assert_eq!(api.announce(told).await.0, 200);
    assert!(!api.wakes(), "told again, it only stands longer");
    assert_eq!(api.api.announced.standing(tokio::time::Instant::now()).len(), 1);

    assert_eq!(api.announce(&told.replace("Nk3", "other")).await.0, 409);
    for wrong in ["", "{}", "[]", &told.replace(":1,", ":2,"), &told.replace("topic", "tropic")] {
        assert!((400..500).contains(&api.announce(wrong).await.0), "{wrong}");
    }
    api.api.board.failed("Kafka is away".to_owned());
    let (status, answer) = api.announce(told).await;
    assert_eq!(status, 503, "{answer}");
    api.api.board.succeeded(round());
    api.api.book.let_go();
    assert_eq!(api.announce(told).await.0, 503);
}

#[tokio::test]
async fn what_the_cluster_does_not_have_is_neither_announced_nor_kept() {
    let api = fixture(None).await;
    let of = |moves: &str| format!(r#"{{"version":1,"cluster_id":"Nk3","moves":[{moves}]}}"#);
    for wrong in [
        r#"{"topic":"other","partition":0,"replicas":[1001]}"#,
        r#"{"topic":"t","partition":1,"replicas":[1001]}"#,
        r#"{"topic":"t","partition":0,"replicas":[1003]}"#,
        r#"{"topic":"t","partition":0,"replicas":[1001,1001]}"#,
        r#"{"topic":"t","partition":0,"replicas":[]}"#,
        // Not even in part.
        r#"{"topic":"t","partition":0,"replicas":[1001]},{"topic":"u","partition":0,"replicas":[1001]}"#,
    ] {
        let (status, answer) = api.announce(&of(wrong)).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    assert!(!api.wakes(), "the last round has just ended");
    let many = vec![r#"{"topic":"other","partition":0,"replicas":[1001]}"#; 40_000].join(",");
    for _ in 0..20 {
        assert_eq!(api.announce(&of(&many)).await.0, 413);
    }
    assert!(api.api.announced.standing(tokio::time::Instant::now()).is_empty());
    // Of a topic that has been made since, a round will know.
    let mut old = round();
    old.ended = Instant::now() - Duration::from_secs(6);
    api.api.board.succeeded(old);
    assert_eq!(api.announce(&of(r#"{"topic":"u","partition":0,"replicas":[1001]}"#)).await.0, 400);
    assert!(api.wakes());
}

#[tokio::test]
async fn no_more_announcements_are_read_at_once_than_there_is_memory_for() {
    let api = fixture(None).await;
    let reading = api.api.reading.clone();
    let held = reading.acquire_many(announce::AT_ONCE as u32).await.unwrap();
    assert_eq!(api.announce("{}").await.0, 429);
    drop(held);
    assert_eq!(api.announce("{}").await.0, 422);
}

#[tokio::test]
async fn an_announcement_needs_the_token() {
    let api = fixture(Some("secret")).await;
    assert_eq!(api.announce("{}").await.0, 401);
}

#[tokio::test]
async fn a_rate_of_an_execution_is_an_override_for_its_brokers_and_both_numbers_are_told() {
    let told = r#"{"version":1,"cluster_id":"Nk3","moves":[{"topic":"t","partition":0,"replicas":[1002]}],
                   "pace":{"rate_bytes_per_second":2500000,"brokers":[1001,1002,7]}}"#;
    let api = fixture(None).await;
    assert_eq!(api.ask("POST", "/throttle/1002?rate=5").await.0, 200);
    assert!(api.wakes());
    let (status, answer) = api.announce(told).await;
    let pace = serde_json::json!({
        "kept": [{"broker": 1002, "rate_bytes_per_second": 5_000_000}],
        "raised": [{"broker": 1001, "rate_bytes_per_second": 60_000_000}],
    });
    assert_eq!((status, &answer["pace"]), (200, &pace), "{answer}");
    assert!(api.wakes());
    let asked = |rate, autoremove| RateOverride { rate: Rate(rate), autoremove };
    let overrides =
        [(BrokerId(1001), asked(2_500_000, true)), (BrokerId(1002), asked(5_000_000, false))];
    assert_eq!(api.api.book.overrides().brokers, overrides.into());
    assert_eq!(api.announce(told).await.0, 200);
    assert!(!api.wakes(), "told again, nothing is new");
    for wrong in ["0", "1000000000001", "-1", "2.5", "\"fast\""] {
        let (status, answer) = api.announce(&told.replace("2500000", wrong)).await;
        assert!((400..500).contains(&status), "{wrong}: {answer}");
    }
    assert_eq!(api.api.book.overrides().brokers, overrides.into());
    api.api.book.let_go();
    assert_eq!(api.announce(told).await.0, 503);
}
