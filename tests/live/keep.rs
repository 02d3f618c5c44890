//! A broker dies at night. keep moves its replicas to other brokers as its policy says: only after a while, with a throttle,
//! and with warnings only if an operator approves.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use operate::cluster::ClusterAccess;
use operate::keep::{KeepRecord, StoredRecord};
use operate::record_place::RecordPlace;
use serde_json::Value;
use testbed::{Cluster, lone_port, until};
use tokio::runtime::Runtime;

use crate::alerts::{prometheus_draws_the_dashboard, prometheus_of_keep};
use crate::binary::{Ended, Run, command, json, topicmappr};
use crate::browser::{Browser, pictures};
use crate::traffic::{SOON, Traffic};
use crate::znodes::gzip;

/// All brokers share one disk, which may be nearly full.
const STORAGE: [&str; 2] = ["--broker-storage", "1001=9GB,1002=9GB,1003=9GB,1004=9GB"];

/// Without one of the brokers.
const MAP: &str = r#"all: ".*" => [1001, 1003, 1004]"#;

/// `keep` with its files, for one cluster.
struct Keeper {
    folder: tempfile::TempDir,
    bootstrap: String,
}

impl Keeper {
    fn of(cluster: &Cluster) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        Self { folder, bootstrap: cluster.bootstrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command line of a look under these terms for a lost broker. What is outside its map may move at once.
    fn words(&self, throttle: &str, terms: &str, more: &[&str]) -> Vec<String> {
        let policy = format!(
            "version: 1\nthrottle: {throttle}\npolicies:\n  lostBroker: {{mode: act, {terms}}}\n  \
             drift: {{mode: act, for: 0s}}\n"
        );
        fs::write(self.path("policy.yaml"), policy).unwrap();
        let file = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let (policy, notes, work) = (file("policy.yaml"), file("notes.json"), file("work"));
        let words = ["keep", "--bootstrap-server", &self.bootstrap, "--policy", &policy];
        let files = ["--notes", &notes, "--work-dir", &work];
        let storage: &[&str] = if more.contains(&STORAGE[0]) { &[] } else { &STORAGE };
        words.iter().chain(&files).chain(storage).chain(more).map(|it| (*it).to_owned()).collect()
    }

    fn looks(&self, terms: &str, more: &[&str]) -> Ended {
        topicmappr(self.words("50MB/s", terms, more))
    }

    fn noted(&self) -> Value {
        json(&self.path("notes.json"))
    }

    /// The id of the plan that is proposed for a need.
    fn proposed(&self, need: &str) -> String {
        let noted = self.noted();
        let proposals = noted["proposals"].as_array().unwrap();
        let proposal = proposals.iter().find(|it| it["need"] == need).expect(need);
        proposal["plan"]["plan_id"].as_str().unwrap().to_owned()
    }

    /// `plans`, with these words.
    fn plans(&self, words: &[&str]) -> Ended {
        let notes = self.path("notes.json");
        topicmappr(words.iter().chain(&["--notes", notes.to_str().unwrap()]))
    }

    /// Looks until all else is well, so that the plan for this need waits for an approval, and approves it.
    fn approves(&self, need: &str, terms: &str, more: &[&str]) {
        let asks = || {
            let ended = self.looks(terms, more).with(5);
            assert!(!ended.stderr.contains("it is given"), "{}", ended.stderr);
            ended.stderr.contains(&format!("{need}: waits for approval")).then_some(())
        };
        until("the plan to wait for an approval", SOON, asks).unwrap();
        self.plans(&["plans", "approve", &self.proposed(need)]).with(0);
    }

    fn journal(&self) -> PathBuf {
        self.path("work/keep.json.journal")
    }

    /// Of a plan that is done, no journal is left. The ledger is, and restores the throttle.
    fn begins_anew(&self) {
        let left = |folder: &Path| -> Vec<String> {
            let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let files = files.filter(|path| path.is_file());
            files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        let files = left(&self.path("work"));
        assert!(
            files.iter().all(|name| name.ends_with(".ledger") || name == "keep.json"),
            "{files:?}"
        );
    }
}

#[test]
#[ignore = "live"]
fn a_lost_broker_is_replaced_once_and_with_warnings_only_if_an_operator_approves() {
    // With as many racks as replicas, each with another broker.
    let cluster = Cluster::builder().brokers(4).mortal([1002, 1003]).racks(["a", "b", "a", "b"]);
    // Kafka creates the second topic at the first claim, with a broker lost. With two replicas, it puts none there.
    let factors = ["offsets.topic", "transaction.state.log"];
    let two = factors.map(|of| format!("{of}.replication.factor"));
    let cluster = two.iter().fold(cluster, |cluster, key| cluster.property(key, "2"));
    let cluster = cluster.start().unwrap();
    let traffic = Traffic::of(&cluster);
    let replicas = vec![vec![1001, 1002], vec![1004, 1003]];
    traffic.create(&[("events".to_owned(), replicas)].into());
    traffic.write(&(0..2).map(|p| (("events".to_owned(), p), 500_000)).collect());
    let keeper = Keeper::of(&cluster);
    keeper.looks("maxBytes: 1GB", &[]).with(0).complaining_of("Nothing calls for a plan");
    records_tell_of_a_disk_that_fills(&traffic, &keeper);

    traffic.lose(1003);
    keeper.looks("maxBytes: 1GB", &[]).with(5).complaining_of("it is given 30 min");
    let noted = keeper.noted();
    assert!(noted["since_seconds"]["lost-broker 1003"].is_u64(), "{noted}");
    // With a short time, a busy machine would spend more time between two looks than counts.
    let due = || {
        keeper.looks("maxBytes: 1kB, for: 20s", &[]).with(5).complaining_of("more than 1");
        let rehearsed = keeper.looks("maxBytes: 1GB, for: 20s", &["--dry-run"]).with(5);
        rehearsed.stderr.contains("would begin").then_some(())
    };
    until("the broker to be lost for long", SOON, due).unwrap();
    let seen = traffic.seen();
    assert!(seen.values().any(|one| one.replicas.contains(&1003)), "a rehearsal moves nothing");

    keeper.looks("maxBytes: 1GB, for: 20s", &[]).with(0).complaining_of("begins");
    traffic.settle();
    let left = traffic.seen();
    assert!(left.values().all(|one| !one.replicas.contains(&1003)), "{left:?}");
    keeper.begins_anew();

    // A second loss in the same night is left to operators, without `rest`.
    cluster.start_broker(1003).unwrap();
    traffic.create(&[("more".to_owned(), vec![vec![1001, 1002]; 6])].into());
    traffic.write(&(0..6).map(|p| (("more".to_owned(), p), 500_000)).collect());
    traffic.lose(1002);
    keeper.looks("for: 20s", &[]).with(5).complaining_of("the last plan for lost-broker ended");

    // The topic of claims has three replicas, and there are two racks: a warning, so an operator has to approve.
    let again = "for: 20s, rest: 0s";
    let asks = || {
        let ended = keeper.looks(again, &[]).with(5);
        ended.stderr.contains("waits for approval").then_some(ended)
    };
    until("all else to be well", SOON, asks).unwrap().complaining_of("warnings: few-racks");
    let id = keeper.proposed("lost-broker 1002");
    let plans = |words: &[&str]| keeper.plans(words);
    let listed = plans(&["plans", "list"]).with(0);
    assert!(listed.stdout.contains("lost-broker 1002: waits for approval"), "{}", listed.stdout);
    plans(&["plans", "approve", "0000000000ff"]).with(2).complaining_of("no plan with this id");
    plans(&["plans", "reject", &id]).with(0);
    keeper.looks(again, &[]).with(5).complaining_of("an operator has rejected the plan");
    let short = &id["sha256:".len()..][..12];
    plans(&["plans", "approve", short]).with(0).complaining_of("is approved");

    // The approved plan is cancelled if its broker comes back midway.
    let mut one_by_one = command();
    one_by_one.args(keeper.words("50KB/s", again, &[])).env("TOPICMAPPR_MAX_MOVES", "1");
    let mut run = Run::of(one_by_one);
    let submitted =
        || fs::read_to_string(keeper.journal()).is_ok_and(|text| text.contains("submitted"));
    let begun = || (!run.is_up() || submitted()).then_some(());
    until("the first move", SOON, begun).unwrap();
    assert!(run.is_up(), "{:?}", run.end());
    run.kill();
    cluster.start_broker(1002).unwrap();
    keeper.looks(again, &[]).with(0).complaining_of("broker 1002 is back: the plan is cancelled");
    keeper.begins_anew();
    traffic.settle();
    keeper.looks(again, &[]).with(0).complaining_of("Nothing calls for a plan");

    an_operator_answers_from_another_machine(&keeper);
    a_loss_ends_a_plan_for_something_else(&cluster, &traffic, &keeper);
}

/// Notes and answers are in the topic of the cluster itself.
fn an_operator_answers_from_another_machine(keeper: &Keeper) {
    let file = keeper.path("notes.json");
    let looks = || {
        let words = keeper.words("50MB/s", "for: 20s", &["--map", MAP]);
        let there = |word: String| match Path::new(&word) == file {
            true => "state-topic".to_owned(),
            false => word,
        };
        topicmappr(words.into_iter().map(there)).with(5)
    };
    // The topic of claims has three replicas, and there are two racks: a warning.
    let asks = || looks().stderr.contains("drift: waits for approval").then_some(());
    until("the plan to wait for an approval", SOON, asks).unwrap();
    let plans = |words: &[&str]| {
        let there = ["--notes", "state-topic", "--bootstrap-server", &keeper.bootstrap];
        topicmappr(["plans"].iter().chain(words).chain(&there))
    };
    let listed = plans(&["list", "--output", "json"]).with(0);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let id = listed["proposals"][0]["plan"]["plan_id"].as_str().unwrap();
    let shown = plans(&["show", id]).with(0).stdout;
    let command = format!("topicmappr plans approve {id} --notes state-topic");
    for line in ["drift: waits for approval", "  moves     ", "  copies    ", &command] {
        assert!(shown.contains(line), "{shown}");
    }
    plans(&["reject", id]).with(0);
    looks().complaining_of("an operator has rejected the plan");
    plans(&["approve", "0000000000ff"]).with(2).complaining_of("no plan with this id");
    what_another_has_changed_is_not_replaced(&keeper.bootstrap);
}

/// Of two that have read the notes in the topic, the later one writes nothing.
fn what_another_has_changed_is_not_replaced(bootstrap: &str) {
    let access = ClusterAccess { bootstrap: bootstrap.to_owned(), ..ClusterAccess::default() };
    let open =
        async || StoredRecord::open::<KeepRecord>(&RecordPlace::StateTopic, &access).await.unwrap();
    Runtime::new().unwrap().block_on(async {
        let ((first, read), (second, _)) = (open().await, open().await);
        let mut changed = read.clone();
        changed.notes.looked_at_seconds = Some(1);
        first.write(&changed, &access).await.unwrap();
        let refused = second.write(&read, &access).await.unwrap_err();
        assert!(matches!(refused, operate::Error::OtherRecord { .. }), "{refused}");
        assert_eq!(open().await.1, changed);
    });
}

/// Records in which partitions grow until their brokers are full in a week, and the same records replayed.
fn records_tell_of_a_disk_that_fills(traffic: &Traffic, keeper: &Keeper) {
    traffic.create(&[("grows".to_owned(), vec![vec![1001, 1002]; 4])].into());
    traffic.write(&(0..4).map(|p| (("grows".to_owned(), p), 10_000)).collect());
    let now = keeper.path("now.json");
    let file = now.to_str().unwrap();
    let captures = ["snapshot", "--bootstrap-server", &keeper.bootstrap, "--out-file", file];
    topicmappr(captures.iter().chain(&STORAGE)).with(0);
    let load = keeper.path("load");
    fs::create_dir(&load).unwrap();
    record_days_of_growth(&now, &load);
    let load = load.to_str().unwrap();
    let filling = "maxBytes: 1GB}\n  fillingDisk: {mode: propose, within: 7d";
    keeper.looks(filling, &[]).with(2).complaining_of("fillingDisk needs --load-folder");
    let looks = keeper.looks(filling, &["--load-folder", load]).with(5);
    looks.complaining_of("filling-disk 1001: seen for 0 s");
    let plan = json(&keeper.path("work/keep/proposed/filling-disk-1001.json"));
    let moves = plan["partitions"].as_array().unwrap();
    assert!(!moves.is_empty() && moves.iter().all(|it| it["topic"] == "grows"), "{plan}");

    // In the replay the disks have become full, one after the other, and that was to be expected.
    let policy = keeper.path("policy.yaml");
    let (full, fills) = ("fullDisk: {mode: propose}", "fullDisk: {mode: off, above: 95%}");
    let fills = format!("{fills}\n  fillingDisk: {{mode: propose}}");
    for (terms, need) in [(full, "full-disk 1001"), (&*fills, "filling-disk 1001")] {
        let text = format!("version: 1\nthrottle: 50MB/s\npolicies:\n  {terms}\n");
        fs::write(&policy, text).unwrap();
        let flags = ["--policy", policy.to_str().unwrap(), "--load-folder", load];
        let replayed = topicmappr(["plans", "replay"].iter().chain(&flags)).with(0);
        assert!(replayed.stdout.contains(need), "{}", replayed.stdout);
    }
}

/// Writes records of four days in which each partition of `grows` gets 8 kB/s. `now`: a snapshot of the cluster.
pub(crate) fn record_days_of_growth(now: &Path, folder: &Path) {
    let mut record = json(now);
    let captured: Timestamp = record["captured_at"].as_str().unwrap().parse().unwrap();
    for days_ago in (0..4).rev() {
        let at = captured - SignedDuration::from_hours(24 * days_ago);
        record["captured_at"] = at.to_string().into();
        for topic in record["topics"].as_array_mut().unwrap() {
            // 8 kB/s are 4.8 GB in a week, of which 2.8 GB are there. A broker with 9 GB gets four times the rest.
            let rate = if topic["name"] == "grows" { 8_000 } else { 0 };
            for partition in topic["partitions"].as_array_mut().unwrap() {
                partition["bytes_in_per_second"] = rate.into();
                if rate > 0 {
                    partition["size_bytes"] = (1_000_000_000 * (3 - days_ago).min(2)).into();
                }
            }
        }
        let name = at.strftime("load-%Y-%m-%dT%H.json.gz").to_string();
        let new = folder.join("new");
        fs::write(&new, gzip(record.to_string().as_bytes())).unwrap();
        fs::rename(new, folder.join(name)).unwrap();
    }
}

/// A slow plan is carried out for topics outside of their map, and a broker dies.
fn a_loss_ends_a_plan_for_something_else(cluster: &Cluster, traffic: &Traffic, keeper: &Keeper) {
    traffic.create(&[("slow".to_owned(), vec![vec![1001, 1002]; 6])].into());
    traffic.write(&(0..6).map(|p| (("slow".to_owned(), p), 500_000)).collect());
    let terms = "for: 20s, rest: 0s";
    let map = ["--map", MAP];
    // The topic of claims has three replicas, and there are two racks: a warning.
    let listen = format!("127.0.0.1:{}", lone_port().unwrap());
    let token = keeper.path("token");
    fs::write(&token, "secret\n").unwrap();
    let disks = [STORAGE[0], "1001=16MB,1002=16MB,1003=16MB,1004=16MB"];
    let page = ["--listen", &listen, "--token-file", token.to_str().unwrap()];
    let serves = [&["--every=1s"], &disks[..], &page].concat();
    let mut one_by_one = command();
    one_by_one.args(keeper.words("20KB/s", terms, &[&map[..], &serves].concat()));
    one_by_one.env("TOPICMAPPR_MAX_MOVES", "1");
    let run = Run::logging(one_by_one, &keeper.path("log"));
    an_operator_approves_on_the_page(cluster, &listen, keeper);
    cluster.kill_broker(1002).unwrap();
    traffic.without(1002);
    let cancelled = || {
        let log = fs::read_to_string(keeper.path("log")).unwrap();
        let told = log.contains("broker 1002 is lost: the plan is cancelled");
        (told && !keeper.journal().exists()).then_some(())
    };
    until("the plan to be cancelled", SOON, cancelled).unwrap();
    run.kill();
    keeper.begins_anew();
    let before = traffic.seen();
    assert!(before.iter().any(|((topic, _), it)| topic == "slow" && it.replicas.contains(&1002)));

    // It has been lost for long enough at the first look.
    keeper.approves("lost-broker 1002", terms, &map);
    // The broker never gives back the throttle that the first plan set on it. keep waits no longer for it than `execute` does.
    keeper.looks(terms, &map).with(6).complaining_of("lost-broker 1002: begins");
    traffic.settle();
    let left = traffic.seen();
    assert!(left.values().all(|one| !one.replicas.contains(&1002)), "{left:?}");
    keeper.begins_anew();
    // It counts against the policy, and is no proposal any more.
    let noted = keeper.noted();
    let begun = noted["begun"].as_array().unwrap();
    assert_eq!(begun.last().unwrap()["need"], "lost-broker 1002", "{noted}");
    assert!(keeper.path("work/keep.json").exists(), "it has not gone back to the proposals");
}

/// Only the token approves, and only on a page of this server.
fn an_operator_approves_on_the_page(cluster: &Cluster, listen: &str, keeper: &Keeper) {
    let prometheus = prometheus_of_keep(cluster, listen);
    let url = format!("http://{listen}/");
    let mut page = Browser::open(&url, (1200, 900), "light");
    for words in ["drift", "waits for approval", "few-racks", "Each move"] {
        page.await_words(words);
    }
    let report = "fetch(document.querySelector('#proposals a').href).then(it => it.text())";
    let report = page.run(report);
    assert!(report.as_str().unwrap().contains("Keeps every promise"), "{report}");
    let id = keeper.proposed("drift");
    let foreign = post(listen, &format!("/v1/plans/{}/approve", &id["sha256:".len()..]));
    assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
    let approve = "{ const all = [...document.querySelectorAll('button')]; \
                   const approve = all.find(it => it.textContent.startsWith('Approve')); \
                   approve.click(); approve.click(); }";
    page.run(approve);
    page.await_words("changes need the token");
    let answers = keeper.path("notes.json.answers");
    let approved = || json(&answers)["approved"].to_string();
    assert!(!approved().contains(&id), "{}", approved());
    page.run("document.getElementById('token').value = 'secret'");
    page.run(approve);
    page.await_words("the plan for drift is approved");
    page.await_words("Carried out now");
    page.await_words("moves done");
    let bars = "document.querySelectorAll('#timeline rect').length";
    until("a bar for a move", SOON, || page.run(bars).as_u64().filter(|bars| *bars > 0)).unwrap();
    let mut phone = Browser::open(&url, (390, 844), "dark");
    phone.await_words("moves done");
    assert!(phone.fits(), "a phone need not scroll sideways");
    pictures("keep", &url, "moves done");
    prometheus_draws_the_dashboard(&prometheus);
    cluster.kill_prometheus();
}

/// What is answered to a page of another server that has the token.
fn post(listen: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(listen).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {listen}\r\nOrigin: http://evil.example\r\n\
         Authorization: Bearer secret\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
