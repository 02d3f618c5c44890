//! Every file that we write or accept matches its JSON Schema, and the schemas reject invalid files.

mod stability;

use coordination::{Holder, Records, Store, Wait};
use execute::keep::{
    BegunPlan, KeepNotes, Need, PlanAnswers, PlannedNeed, Proposal, ProposalState,
};
use execute::{
    ExecutionOutcome, JournalEntry, Key, Ledger, LedgerEntry, LimitingSide, Pace, RequestedRate,
    Setting, Stall, StallCause, ThrottleResource, WhyLeft,
};
use jsonschema::Validator;
use mapper::{BrokerId, Bytes, PartitionId, Rate, Snapshot, TopicPartition};
use operate::keep::KeepRecord;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use topicmappr::{Environment, Status, Streams};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn schema(name: &str) -> Validator {
    let path = root().join("docs/schema").join(format!("{name}.schema.json"));
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn assert_valid(schema: &Validator, document: &Value, name: &str) {
    let problems: Vec<String> = schema
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{name}: {}", problems.join("\n"));
}

fn fixtures() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("fixtures")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Runs a command line. Its exit code must mean that a plan was written.
fn run(args: &[&str]) {
    ends(args, Status::Done);
}

fn ends(args: &[&str], expected: Status) {
    let (status, _, err) = said(args);
    assert_eq!(status, expected, "{}", String::from_utf8_lossy(&err));
}

/// The exit status and the output of a command line.
fn said(args: &[&str]) -> (Status, Vec<u8>, Vec<u8>) {
    let args = ["topicmappr"].iter().chain(args).map(OsString::from);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams {
        stdin: &mut std::io::empty(),
        in_is_terminal: false,
        out: &mut out,
        err: &mut err,
        out_is_terminal: false,
        err_is_terminal: false,
    };
    let status = topicmappr::run(args, &Environment(BTreeMap::new()), &mut streams);
    (status, out, err)
}

#[test]
fn every_fixture_is_a_valid_snapshot_and_so_is_what_we_write_of_it() {
    let schema = schema("snapshot");
    for path in fixtures() {
        let name = path.display().to_string();
        assert_valid(&schema, &json(&path), &name);
        let snapshot = Snapshot::from_json(&fs::read(&path).unwrap()).unwrap();
        let mut written = Vec::new();
        snapshot.write_json(&mut written).unwrap();
        assert_valid(&schema, &serde_json::from_slice(&written).unwrap(), &name);
    }
}

#[test]
fn every_plan_is_as_its_schema_says() {
    let schema = schema("plan");
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    let plan = plan.to_str().unwrap();
    for path in fixtures().iter().filter(|path| !path.ends_with("no-space.json")) {
        let snapshot = path.to_str().unwrap();
        let asked =
            ["--ignore-warns", "--snapshot", snapshot, "--topics", ".*", "--out-file", plan];
        run(&[&["rebuild", "--brokers", "-2"], &asked[..]].concat());
        assert_valid(&schema, &json(Path::new(plan)), snapshot);
        run(&[&["leaders", "--evacuate", "1001"], &asked[..]].concat());
        assert_valid(&schema, &json(Path::new(plan)), snapshot);
    }
    for name in ["map-drift", "mixed-sizes", "new-broker", "scale-up", "three-racks"] {
        let snapshot = root().join("fixtures").join(name).with_extension("json");
        let snapshot = snapshot.to_str().unwrap();
        let asked =
            ["--ignore-warns", "--snapshot", snapshot, "--topics", ".*", "--out-file", plan];
        run(&[&["rebalance", "--brokers", "-2"], &asked[..]].concat());
        assert_valid(&schema, &json(Path::new(plan)), name);
        run(&[&["scale", "--brokers", "-2", "--drain", "1001"], &asked[..]].concat());
        assert_valid(&schema, &json(Path::new(plan)), name);
    }
    let snapshot = root().join("fixtures/new-broker.json");
    let snapshot = snapshot.to_str().unwrap();
    run(&[
        "replace",
        "--snapshot",
        snapshot,
        "--broker",
        "1003",
        "--with",
        "auto",
        "--out-file",
        plan,
    ]);
    assert_valid(&schema, &json(Path::new(plan)), "replace");
    run(&[
        "leaders",
        "--snapshot",
        snapshot,
        "--by",
        "bytes",
        "--out-file",
        plan,
        "--ignore-warns",
    ]);
    assert_valid(&schema, &json(Path::new(plan)), "leaders by bytes");
}

/// The JSON output of a command line, with any exit code.
fn output(args: &[&str]) -> Value {
    let (_, out, _) = said(&[&["--output", "json"][..], args].concat());
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn what_explains_and_compares_plans_is_as_its_schema_says() {
    let (explain, diff) = (schema("plan-explain"), schema("plan-diff"));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (a, b) = (path("a.json"), path("b.json"));
    for name in ["lost-broker", "mixed-sizes", "failed-log-dir", "two-copies", "no-leader"] {
        let snapshot = root().join("fixtures").join(name).with_extension("json");
        let snapshot = snapshot.to_str().unwrap();
        let asked = ["--ignore-warns", "--snapshot", snapshot, "--topics", ".*"];
        let brokers = ["--brokers", "-2"];
        run(&[&["rebuild", "--out-file", &a], &asked[..], &brokers].concat());
        run(&[&["leaders", "--out-file", &b], &asked[..]].concat());
        assert_valid(&diff, &output(&["plan", "diff", &a, &b]), name);
        let moves = json(Path::new(&a))["plan"]["moves"].as_array().unwrap().len();
        let about = |more: &[&str]| {
            let asked = ["plan", "explain", &a, "--snapshot", snapshot];
            let answer = output(&[&asked[..], more].concat());
            assert_valid(&explain, &answer, &format!("{name} {more:?}"));
        };
        about(&[]);
        about(&["--broker", "1002"]);
        for index in 0..moves.min(5) {
            about(&["--move", &index.to_string()]);
        }
    }
}

#[test]
fn what_doctor_says_is_as_its_schema_says() {
    let schema = schema("doctor");
    for path in fixtures() {
        let snapshot = path.to_str().unwrap();
        let map = r#"m: "events.*" => [1001..1003]"#;
        assert_valid(&schema, &output(&["doctor", "--snapshot", snapshot]), snapshot);
        let answer = output(&["doctor", "--snapshot", snapshot, "--map", map]);
        // A map whose topics do not exist here is refused.
        if answer.get("error").is_none() {
            assert_valid(&schema, &answer, snapshot);
        }
    }
}

const PLAN: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// One journal line of each kind.
fn journal() -> Vec<JournalEntry> {
    let of = TopicPartition { topic: "t".to_owned(), partition: PartitionId(1) };
    let moves = || vec![0, 7];
    let problem = || "NoReassignmentInProgress".to_owned();
    let started = |pace| JournalEntry::Started {
        plan: PLAN.to_owned(),
        cluster_id: "c".to_owned(),
        pace,
        ill: [of.clone()].into(),
    };
    let left_out = |why| JournalEntry::LeftOut { index: 1, why };
    vec![
        started(Pace::Unthrottled),
        started(Pace::BytesPerSecond(Rate(1))),
        started(Pace::Auto),
        JournalEntry::Resumed { pace: Pace::BytesPerSecond(Rate(1)) },
        JournalEntry::Submitted { moves: moves() },
        JournalEntry::Begun { moves: moves() },
        JournalEntry::Completed { moves: moves() },
        JournalEntry::Refused { index: 1, problem: problem() },
        left_out(WhyLeft::Gone),
        left_out(WhyLeft::CancelledByOthers),
        left_out(WhyLeft::Changed { found: vec![BrokerId(1)] }),
        left_out(WhyLeft::Refused { problem: problem() }),
        JournalEntry::Paused { partitions: [of.clone()].into() },
        JournalEntry::Unpaused,
        JournalEntry::Elected { moves: moves() },
        JournalEntry::Cancelled { moves: moves() },
        JournalEntry::NotCancelled { index: 1, problem: problem() },
        JournalEntry::Reordered { moves: moves() },
        JournalEntry::Stuck { at_seconds: 1 },
        JournalEntry::Stalled {
            stalls: vec![Stall {
                broker: BrokerId(1),
                direction: LimitingSide::Incoming,
                cause: StallCause::UsedUp,
                since_seconds: 1,
                partitions: [of.clone()].into(),
            }],
        },
        JournalEntry::Paced { pace: Pace::BytesPerSecond(Rate(5)) },
        JournalEntry::GaveUp,
        JournalEntry::Detached,
        JournalEntry::Finished { outcome: ExecutionOutcome::Complete },
    ]
}

/// One ledger line of each kind.
fn ledger() -> Vec<LedgerEntry> {
    let rate = Setting { resource: ThrottleResource::Broker(BrokerId(1)), key: Key::LeaderRate };
    let list =
        Setting { resource: ThrottleResource::Topic("t".to_owned()), key: Key::FollowerReplicas };
    let held = |setting, before: Option<&str>| LedgerEntry::Held {
        setting,
        before: before.map(str::to_owned),
        found: before.map(Into::into),
        ours: ["1:2".into()].into(),
        met: ["1:2".into()].into(),
        owner: "p".to_owned().into(),
    };
    let asked = RequestedRate { rate_bytes_per_second: Rate(10_000_000), autoremove: true };
    vec![
        LedgerEntry::Opened { by: "process 1".to_owned().into() },
        held(rate.clone(), None),
        held(list, Some("*")),
        LedgerEntry::Released { setting: rate },
        LedgerEntry::Asked { broker: None, asked },
        LedgerEntry::Asked { broker: Some(BrokerId(1)), asked },
        LedgerEntry::Withdrawn { broker: None },
        LedgerEntry::Withdrawn { broker: Some(BrokerId(1)) },
    ]
}

/// Lines of both kinds as they are written, except for time and checksum.
#[test]
fn every_line_of_journal_and_ledger_is_as_its_schema_says() {
    lines_are_valid("journal", &journal());
    lines_are_valid("ledger", &ledger());
}

#[test]
fn every_record_beside_the_lock_is_as_its_schema_says() {
    let schema = schema("records");
    let many = journal().into_iter().cycle().take(1_000).collect();
    let partition = |n| TopicPartition { topic: "t".to_owned(), partition: PartitionId(n) };
    let ill = (0..9_000).map(partition).collect();
    let (plan, cluster_id, pace) = (PLAN.to_owned(), "c".to_owned(), Pace::Auto);
    let long = vec![JournalEntry::Started { plan, cluster_id, pace, ill }];
    let run = vec![JournalEntry::Submitted { moves: (0..99).collect() }];
    let mut kinds = BTreeSet::new();
    for lines in [journal(), many, long, run] {
        let records = operate::execution::beside_the_lock(PLAN, "c", &lines, &ledger());
        for (name, record) in records {
            let record: Value = serde_json::from_str(&record).unwrap();
            assert_valid(&schema, &record, &name);
            let kind = ["name", "ledger", "entry", "gist", "pieces"];
            let kind = kind.into_iter().find(|key| record.get(key).is_some());
            kinds.insert(kind.unwrap_or("piece"));
        }
    }
    assert_eq!(kinds.len(), 6, "each kind of record is among them: {kinds:?}");
}

#[test]
fn every_record_of_a_daemons_ledger_is_as_its_schema_says() {
    let schema = schema("autothrottle-records");
    let asked = RequestedRate { rate_bytes_per_second: Rate(5), autoremove: true };
    let overrides = [None, Some(BrokerId(2))].map(|broker| LedgerEntry::Asked { broker, asked });
    let ledger = Ledger::replay(ledger().into_iter().chain(overrides));
    let records = operate::ledger_records::records(&ledger);
    assert!(records.len() > 3, "{records:?}");
    for (name, record) in records {
        assert_valid(&schema, &serde_json::from_str(&record).unwrap(), &name);
    }
    assert!(!schema.is_valid(&json!({"version": 1, "ledger": "else"})));
    assert!(!schema.is_valid(&json!({"ledger": "opened", "by": "a"})));
}

#[test]
fn every_line_of_a_state_file_is_as_its_schema_says() {
    let schema = schema("state-file");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let store = Store::File { path: path.clone() };
    let records = operate::ledger_records::records(&Ledger::replay(ledger()));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let holder = Holder::new("autothrottle", "1");
        let mut lead = store.lead(holder, Wait::ForTheDead, |_| ()).await.unwrap();
        lead.read().await.unwrap();
        lead.write(&records).await.unwrap();
        lead.write(&Records::new()).await.unwrap();
    });
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() > 2, "{text}");
    for line in text.lines() {
        assert_valid(&schema, &serde_json::from_str(line).unwrap(), line);
    }
    assert!(!schema.is_valid(&json!({"version": 1, "at": "", "record": "led", "crc32": "0"})));
}

fn lines_are_valid<T: Serialize>(name: &str, entries: &[T]) {
    let schema = schema(name);
    for entry in entries {
        let mut line = serde_json::to_value(entry).unwrap();
        line["version"] = 1.into();
        line["at"] = "2026-11-20T07:00:00Z".into();
        line["crc32"] = "00000000".into();
        assert_valid(&schema, &line, name);
    }
    for broken in [json!({}), json!({"version": 1, "at": "", "crc32": "0", "entry": "made_up"})] {
        assert!(!schema.is_valid(&broken), "{name}: {broken}");
    }
}

#[test]
fn the_maps_that_we_ship_are_as_their_schema_says() {
    let schema = schema("maps");
    let entries = fs::read_dir(root().join("maps")).unwrap().map(|entry| entry.unwrap().path());
    // The one-line form has no schema.
    for path in entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")) {
        let document = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_valid(&schema, &document, &path.display().to_string());
    }
}

#[test]
fn every_form_of_a_map_is_valid() {
    let maps = json!({"version": 1, "maps": {
        "map1": {"topics": "events.*", "brokers": ["1001..1006", 1010]},
        "map2": {"topics": "check_runs|notifications", "brokers": "3x i3.8xlarge"},
        "map3": {"topics": "logs-.*", "brokers": {"statefulSet": "kafka/kafka-logs"}},
        "map4": {"topics": ".*\\.dlq", "brokers": {"nodeLabels": {"pool": "small"}, "count": 3},
                 "replication": 2, "allow": ["no-topics"]},
        "map5": {"topics": "metrics", "brokers": {"kafkaNodePool": "kafka/pool-a"}},
        "rest": {"brokers": "all"},
    }});
    assert_valid(&schema("maps"), &maps, "design");
}

#[test]
fn every_form_of_a_definition_is_valid() {
    let topics = json!({"version": 1, "defaults": {"partitions": 3, "replication": 3, "config": {"retention.ms": -1}},
    "topics": [
        {"name": "events.raw", "map": "map1", "partitions": 12, "replication": 3, "owner": "team-events",
         "config": {"retention.ms": "604800000", "min.cleanable.dirty.ratio": 0.5, "preallocate": false},
         "labels": {"tier": "gold"}, "allow": ["min-isr"]},
        {"name": "logs"},
        {"name": "invoices", "partitions": {"replicasOf": "deployment/shop/billing", "atMost": 48}},
    ]});
    assert_valid(&schema("topics"), &topics, "design");
    let text = topics.to_string();
    assert!(topics::Definitions::read([("design", text.as_str())]).is_ok());
}

#[test]
fn what_topics_apply_remembers_is_as_its_schema_says() {
    let state = json!({"version": 1, "cluster_id": "c", "documents": 2, "topics": [
        {"name": "about-to-be", "intent": {"create": [[1, 2]], "set": {"retention.ms": "5"}}},
        {"name": "left-over", "topic_id": "Nk3mLx0vQ7yTzR5wBfG1aA", "owned": true, "keys": ["retention.ms"],
         "absent": {"since": "2026-11-20T07:00:00Z", "end_offsets": {"0": 7, "10": 0}}},
    ]});
    assert_valid(&schema("topics-state"), &state, "state");
}

#[test]
fn what_probes_remember_is_as_its_schema_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ready.json");
    let nobody = ["broker", "ready", "--bootstrap-server", "127.0.0.1:1", "--broker-id", "1001"];
    let cache = ["--cache-file", path.to_str().unwrap()];
    ends(&[nobody.as_slice(), &cache].concat(), Status::NoPlan);
    assert_valid(&schema("readiness"), &json(&path), "nobody answers");
    let known = json!({"version": 1, "subject": "broker 1001", "ready": true, "sentence": "ready: it is",
        "checked_at_seconds": 5, "confirmed": {"ready": true, "reason": "it is", "at_seconds": 5}});
    assert_valid(&schema("readiness"), &known, "confirmed");
    let nothing = json!({"version": 1, "subject": "broker 1001", "ready": "yes"});
    assert!(!schema("readiness").is_valid(&nothing));
}

#[test]
fn what_keep_notes_is_as_its_schema_says() {
    let need = |text: &str| text.parse::<Need>().unwrap();
    let plan = PlannedNeed {
        plan_id: "sha256:00".to_owned(),
        what: "12 partitions of events, from broker 1001 to 1004".to_owned(),
        bytes: Bytes(5),
        bound_bytes: Some(Bytes(4)),
        seconds: 1,
        warnings: ["few-racks".to_owned()].into(),
    };
    let proposal =
        |text: &str, state| Proposal { need: need(text), plan: Some(plan.clone()), state };
    let begun = BegunPlan {
        plan_id: "sha256:00".to_owned(),
        need: need("drift"),
        bytes: Bytes(5),
        ended_seconds: Some(7),
    };
    let record = KeepRecord {
        notes: KeepNotes {
            cluster_id: "c".to_owned(),
            looked_at_seconds: Some(7),
            since_seconds: [(need("lost-broker 1003"), 5)].into(),
            begun: vec![BegunPlan { ended_seconds: None, ..begun.clone() }, begun],
        },
        proposals: vec![
            proposal("lost-broker 1003", ProposalState::Begins),
            proposal("full-disk 1001", ProposalState::ForApproval),
            proposal("imbalance", ProposalState::Young { lasted_seconds: 1, needed_seconds: 2 }),
            proposal("drift", ProposalState::Held { why: vec!["a roll".to_owned()] }),
        ],
    };
    let mut document: Value =
        serde_json::from_str(&operate::keep::written(&record).unwrap()).unwrap();
    assert_valid(&schema("keep"), &document, "notes");
    document["since_seconds"]["fire 1"] = json!(1);
    assert!(!schema("keep").is_valid(&document));
    let id = |id: &str| BTreeSet::from([id.to_owned()]);
    let answers = PlanAnswers { approved: id("sha256:00"), rejected: id("sha256:01") };
    let document = serde_json::from_str(&operate::keep::written(&answers).unwrap()).unwrap();
    assert_valid(&schema("keep-answers"), &document, "answers");
}

#[test]
fn the_shipped_policy_is_as_its_schema_says() {
    let manifest = include_str!("../../deploy/manifests/keep.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
    let policy = objects.iter().find_map(|object| object["data"]["policy.yaml"].as_str()).unwrap();
    assert_valid(&schema("keep-policy"), &serde_saphyr::from_str(policy).unwrap(), "the manifest");
    let chart = include_str!("../../deploy/helm/topicmappr/values.yaml");
    let values: Value = serde_saphyr::from_str(chart).unwrap();
    assert_eq!(values["keep"]["policy"], policy);
}

#[test]
fn what_the_reader_refuses_the_schema_refuses() {
    let refused = [
        ("snapshot", json!({"version": 2, "brokers": [], "topics": []})),
        ("snapshot", json!({"version": 1, "brokers": [{"id": -1}], "topics": []})),
        (
            "snapshot",
            json!({"version": 1, "brokers": [], "topics": [{"name": "a", "partitions": [
                {"id": 0, "replicas": [1, 1]}]}]}),
        ),
        (
            "plan",
            json!({"version": 1, "partitions": [{"topic": "a", "partition": 0, "replicas": []}]}),
        ),
        ("plan", json!({"partitions": []})),
        ("maps", json!({"version": 1, "maps": {"a": {"brokers": "all"}}})),
        ("maps", json!({"version": 1, "maps": {"rest": {"topics": "a", "brokers": "all"}}})),
        ("maps", json!({"version": 1, "maps": {"a": {"topics": "a", "broker": "all"}}})),
        ("maps", json!({"version": 1, "maps": {"1001": {"topics": "a", "brokers": "all"}}})),
        ("topics", json!({"version": 2, "topics": []})),
        ("topics", json!({"version": 1, "topics": [{"name": "a b", "partitions": 1}]})),
        ("topics", json!({"version": 1, "topics": [{"name": "a", "partitons": 1}]})),
        ("topics", json!({"version": 1, "topics": [{"name": "a", "partitions": 0}]})),
        (
            "topics",
            json!({"version": 1, "topics": [{"name": "a", "config": {"retention.ms": [1]}}]}),
        ),
    ];
    let records = [
        json!({"version": 1, "of": PLAN, "entry": "submitted"}),
        json!({"version": 1, "of": PLAN, "entry": "submitted", "moves": [[1]]}),
        json!({"version": 2, "of": PLAN, "gist": []}),
        json!({"version": 1, "pieces": 1, "crc32": "00000000"}),
        json!({"version": 1, "ledger": "released", "broker": 1, "key": "k"}),
        json!(""),
    ];
    let refused = refused.into_iter().chain(records.map(|record| ("records", record)));
    for (name, document) in refused {
        assert!(!schema(name).is_valid(&document), "{name}: {document}");
    }
}
