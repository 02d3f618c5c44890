//! `execute --throttle auto`: the daemon throttles our moves, and no move begins before it does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testbed::{Mode, lone_port, until};

use crate::autothrottle::{Situation, situation};
use crate::binary::{Run, SOLE, topicmappr};
use crate::daemon::{Daemon, TOKEN};
use crate::traffic::SOON;

/// Without metrics the daemon uses the least rate. Its rounds are rare, so a quick reaction shows that a move was
/// announced.
const DAEMON: [&str; 6] = ["--metrics", "none", "--interval", "60", "--min-rate", "1"];
const RATE: &str = "1000000";
const STORAGE: [&str; 2] = ["--broker-storage", "1001=9GB,1002=9GB,1003=9GB,1004=9GB"];

/// A plan that moves every partition from 1001 to 1003, and the port of its daemon.
struct Auto {
    situation: Situation,
    port: u16,
}

impl Auto {
    fn of(mode: Mode) -> Self {
        let auto = Self { situation: situation(mode), port: lone_port().unwrap() };
        let (bootstrap, plan) = (auto.situation.cluster.bootstrap(), auto.at("plan.json"));
        let asked = ["replace", "--topics", "events", "--broker", "1001", "--with", "1003"];
        let to = ["--bootstrap-server", &bootstrap, "--out-file", plan.to_str().unwrap()];
        topicmappr(asked.iter().chain(&STORAGE).chain(&to)).with(0);
        auto
    }

    fn at(&self, name: &str) -> PathBuf {
        self.situation.folder.path().join(name)
    }

    /// Two partitions at a time.
    fn execution(&self) -> Vec<String> {
        let plan = self.at("plan.json").to_str().unwrap().to_owned();
        let (bootstrap, url) =
            (self.situation.cluster.bootstrap(), format!("http://127.0.0.1:{}", self.port));
        let own = ["execute", &plan, "--bootstrap-server", &bootstrap, "--throttle", "auto"];
        let more = ["--autothrottle", &url, "--max-moves", "2", "--yes", SOLE];
        own.iter().chain(&more).map(|arg| (*arg).to_owned()).collect()
    }

    fn daemon(&self) -> Daemon {
        let folder = self.situation.folder.path();
        let state = self.at("autothrottle.state");
        let own = ["--state-file", state.to_str().unwrap()];
        let more: Vec<&str> = own.iter().chain(&DAEMON).copied().collect();
        Daemon::listening(self.port, &self.situation.cluster.bootstrap(), folder, &more)
    }

    /// A daemon whose API has TLS and requires [`TOKEN`].
    fn daemon_with_tls(&self, certificates: &Path) -> Daemon {
        let of = |name: &str| certificates.join(name).display().to_string();
        let (folder, state) =
            (self.situation.folder.path(), self.at("autothrottle.state").display().to_string());
        let (certificate, key, token) = (of("broker.crt"), of("broker.key"), of("token"));
        let door = ["--api-tls-cert", &certificate, "--api-tls-key", &key];
        let own = ["--api-token-file", &token, "--state-file", &state];
        let more: Vec<&str> = door.iter().chain(&own).chain(&DAEMON).copied().collect();
        let authority = Some(certificates.join("ca.crt"));
        let bootstrap = self.situation.cluster.bootstrap();
        Daemon::trusted_by(authority, self.port, &bootstrap, folder, &more)
    }

    /// The number of lines of this kind in the journal.
    fn written(&self, entry: &str) -> usize {
        let journal = std::fs::read_to_string(self.at("plan.json.journal")).unwrap_or_default();
        journal.matches(&format!("\"{entry}\"")).count()
    }

    #[track_caller]
    fn await_written(&self, entry: &str, count: usize, why: impl Fn() -> String) {
        until(format!("{count} x {entry}"), SOON, || (self.written(entry) >= count).then_some(()))
            .unwrap_or_else(|error| panic!("{error}\n{}", why()));
    }
}

/// Without a daemon it is refused, and with one the throttle comes before the first byte. While the daemon is dead no
/// move begins; the next daemon resumes.
fn nothing_begins_that_the_daemon_does_not_pace(mode: Mode) {
    let auto = Auto::of(mode);
    let refused = topicmappr(auto.execution()).with(1);
    assert!(refused.stderr.contains("no autothrottle leads at"), "{}", refused.stderr);
    assert!(!auto.situation.moves());

    let daemon = auto.daemon();
    let run = Run::start(auto.execution().into_iter().chain(["--resume".to_owned()]));
    auto.await_written("submitted", 1, || daemon.said());
    // The daemon's own search for other tools' moves comes a second later, and uses another rate.
    assert!(auto.situation.is_paced_at(RATE), "it began too early:\n{}", daemon.said());
    until("a running move", SOON, || auto.situation.moves().then_some(())).unwrap();
    daemon.kill();
    assert!(auto.situation.is_paced_at(RATE), "the throttle outlives the daemon");

    auto.await_written("completed", 1, String::new);
    until("the end of what was begun", SOON, || (!auto.situation.moves()).then_some(())).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(auto.written("submitted"), 1, "nobody paces what would be next");
    assert!(!auto.situation.moves());

    let daemon = auto.daemon();
    let ended = run.end().with(0);
    assert!(ended.stderr.contains("paces nothing new"), "{}", ended.stderr);
    assert!(auto.written("submitted") >= 3, "two at a time");
    auto.situation.await_the_end_of_the_move(&daemon);
    auto.situation.await_what_was_before(|| daemon.said());
}

#[test]
#[ignore = "live"]
fn nothing_begins_that_the_daemon_does_not_pace_with_kraft() {
    nothing_begins_that_the_daemon_does_not_pace(Mode::KRaft);
}

/// With a rate, over TLS, and with a token. The rate becomes an override of the plan's brokers, and ends with the
/// moves.
#[test]
#[ignore = "live"]
fn a_fixed_rate_arrives_as_an_override() {
    let auto = Auto::of(Mode::KRaft);
    let certificates = auto.at("certificates");
    testbed::certificates(&certificates, &[]).unwrap();
    let file = |name: &str| certificates.join(name).display().to_string();
    fs::write(file("token"), TOKEN).unwrap();
    fs::write(file("guess"), "a-guess").unwrap();
    let daemon = auto.daemon_with_tls(&certificates);
    daemon.ask("POST", "/throttle/1002?rate=7");
    let execution = |authority: &str, token: &str| {
        let plan = auto.at("plan.json").display().to_string();
        let url = format!("https://127.0.0.1:{}", auto.port);
        let own = ["execute", &plan, "--bootstrap-server", &auto.situation.cluster.bootstrap()]
            .map(str::to_owned);
        let rate = ["--throttle", "3MB/s", "--autothrottle", &url, "--yes", "--resume", SOLE];
        let door =
            ["--autothrottle-ca", &file(authority), "--autothrottle-token-file", &file(token)]
                .map(str::to_owned);
        own.into_iter().chain(rate.map(str::to_owned)).chain(door).collect::<Vec<String>>()
    };
    let overrides = || daemon.state()["overrides"]["brokers"].clone();
    let of_the_operator = overrides();
    topicmappr(execution("stranger-ca.crt", "token")).with(1).complaining_of("certificate");
    topicmappr(execution("ca.crt", "guess")).with(1).complaining_of("401");
    assert!(!auto.situation.moves());
    assert_eq!(overrides(), of_the_operator, "who is turned away changes nothing");

    let run = Run::start(execution("ca.crt", "token"));
    auto.await_written("submitted", 1, || daemon.said());
    assert!(auto.situation.is_paced_at("3000000"), "{}", daemon.said());
    let (now, rate) = (overrides(), |id: &str| overrides()[id]["rate"].clone());
    assert_eq!([rate("1001"), rate("1003"), rate("1002")], [3_000_000, 3_000_000, 7_000_000]);
    assert_eq!(now["1003"]["autoremove"], true);
    let ended = run.end().with(0).complaining_of("as an override of what is moved");
    ended.complaining_of("broker 1002 keeps its own override");
    until("the end of the overrides", SOON, || (overrides() == of_the_operator).then_some(()))
        .unwrap_or_else(|why| panic!("{why}\n{}\n{}", overrides(), daemon.said()));
    daemon.ask("POST", "/throttle/remove/1002");
    auto.situation.await_what_was_before(|| daemon.said());
}

mod soak {
    use testbed::Mode;

    #[test]
    #[ignore = "live"]
    fn nothing_begins_that_the_daemon_does_not_pace_with_zookeeper() {
        super::nothing_begins_that_the_daemon_does_not_pace(Mode::ZooKeeper);
    }
}
