//! The HTTP servers of both programs against hostile peers and foreign pages.
//!
//! Only announcements need a cluster, because a daemon whose rounds fail still answers.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testbed::{Cluster, lone_port, until};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::autothrottle::DAEMON;
use crate::binary::{Run, command};
use crate::daemon::{Daemon, with_tls};
use crate::traffic::{SOON, Traffic};

/// Connections of one kind.
const CROWD: usize = 5_000;
/// Connections that are opened in parallel.
const AT_ONCE: usize = 100;
/// The chart's limit for sidecars and probes.
const MEMORY_KB: u64 = 128 << 10;
/// A server accepts at most 256 connections. It may accept the next before it closes the last, and the process may use
/// a few client connections of its own.
const DESCRIPTORS: usize = 256 + 16;

/// A running server.
struct Server {
    run: Run,
    port: u16,
    path: &'static str,
    log: PathBuf,
    authority: Option<PathBuf>,
}

/// No process listens there.
const NOWHERE: &str = "127.0.0.1:1";

impl Server {
    fn daemon(folder: &Path, more: &[&str]) -> Self {
        Self::daemon_down(folder, more).up()
    }

    fn with_tls(folder: &Path) -> Self {
        testbed::certificates(folder, &[]).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        pair(folder, "broker");
        let files = ["--api-tls-cert", &at("tls.crt"), "--api-tls-key", &at("tls.key")];
        let mut server = Self::daemon_down(folder, &files);
        server.authority = Some(folder.join("ca.crt"));
        server.up()
    }

    fn daemon_down(folder: &Path, more: &[&str]) -> Self {
        let (port, log) = (lone_port().unwrap(), folder.join("log"));
        let state = folder.join("state").display().to_string();
        let listen = format!("--api-listen=127.0.0.1:{port}");
        let own = ["--bootstrap-servers", NOWHERE, "--state-file", &state, &listen];
        let run = Run::daemon(own.iter().chain(more), &log);
        Self { run, port, path: "/healthz", log, authority: None }
    }

    /// The sidecar's page. It has no counters here, and says so.
    fn sidecar(folder: &Path) -> Self {
        let port = lone_port().unwrap();
        let listen = format!("--sidecar-listen=127.0.0.1:{port}");
        let mut server = Self::daemon(folder, &[&listen]);
        (server.port, server.path) = (port, "/sidecar");
        server.up()
    }

    fn probes(folder: &Path) -> Self {
        let (port, log) = (lone_port().unwrap(), folder.join("log"));
        let mut probes = command();
        probes.args(["broker", "ready", "--broker-id", "1", "--bootstrap-server", NOWHERE]);
        probes.args(["--listen", &format!("127.0.0.1:{port}"), "--every", "1s"]);
        probes.env_remove("KUBECONFIG").stdin(std::process::Stdio::null());
        let to = || fs::File::options().create(true).append(true).open(&log).unwrap();
        probes.stdout(to()).stderr(to());
        let run = Run::spawned(probes);
        Self { run, port, path: "/ready", log, authority: None }.up()
    }

    /// The page of `keep`, whose looks fail, as no broker answers.
    fn keep(folder: &Path, with_tls: bool) -> Self {
        let (port, log) = (lone_port().unwrap(), folder.join("log"));
        let policy = "version: 1\nthrottle: 1MB/s\npolicies: {drift: {mode: act}}\n";
        fs::write(folder.join("policy.yaml"), policy).unwrap();
        fs::write(folder.join("page-token"), "of-a-test").unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        let [policy, notes, token] = ["policy.yaml", "notes.json", "page-token"].map(at);
        let mut keep = command();
        keep.args(["keep", "--policy", &policy, "--notes", &notes, "--work-dir", &at("")]);
        keep.args(["--bootstrap-server", NOWHERE, "--every", "1s"]);
        keep.args(["--listen", &format!("127.0.0.1:{port}"), "--token-file", &token]);
        if with_tls {
            testbed::certificates(folder, &[]).unwrap();
            pair(folder, "broker");
            keep.args(["--tls-cert", &at("tls.crt"), "--tls-key", &at("tls.key")]);
        }
        let run = Run::logging(keep, &log);
        let authority = with_tls.then(|| folder.join("ca.crt"));
        Self { run, port, path: "/v1/state", log, authority }.up()
    }

    fn up(mut self) -> Self {
        until("a server that answers", SOON, || {
            assert!(self.run.is_up(), "it has ended:\n{}", self.said());
            self.ask("GET", self.path, "").map(drop)
        })
        .unwrap_or_else(|why| panic!("{why}\n{}", self.said()));
        self
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The status and the rest of the answer.
    fn ask(&self, method: &str, path: &str, headers: &str) -> Option<(u16, String)> {
        let host = if headers.contains("host:") { "" } else { "host: localhost\r\n" };
        let request =
            format!("{method} {path} HTTP/1.1\r\n{host}{headers}connection: close\r\n\r\n");
        let answer = match &self.authority {
            None => plain(self.port, request.as_bytes(), false)?,
            Some(authority) => with_tls(self.port, authority, &request)?,
        };
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer))
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.run.id())).unwrap().count()
    }
}

/// Serves this pair from now on. Replaces the certificate first, and by renaming, as tools do.
fn pair(folder: &Path, name: &str) {
    let copy = |from: String, to: &str| {
        let new = folder.join(format!("{to}.new"));
        fs::copy(folder.join(from), &new).unwrap();
        fs::rename(new, folder.join(to)).unwrap();
    };
    let certificate = [format!("{name}.crt"), format!("{name}.pem")];
    let certificate = certificate.into_iter().find(|file| folder.join(file).is_file()).unwrap();
    let key = [format!("{name}.key"), format!("{name}.pem")];
    let key = key.into_iter().find(|file| folder.join(file).is_file()).unwrap();
    copy(certificate, "tls.crt");
    copy(key, "tls.key");
}

/// Everything that is answered until the other side closes. If `ends`, closes the sending side first. `None`: no bytes
/// for five seconds.
fn plain(port: u16, request: &[u8], ends: bool) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let _ = stream.write_all(request);
    if ends {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let (mut answer, mut some) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut some) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&some[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
            Err(_) => break,
        }
    }
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// Opens this number of connections from one address. Each sends these bytes and no more.
fn crowd(
    from: Ipv4Addr,
    port: u16,
    count: usize,
    sent: &'static [u8],
) -> Vec<tokio::net::TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let one = |_| async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((from, 0).into()).unwrap();
            let mut stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.ok()?;
            // The server may have closed it already.
            let _ = stream.write_all(sent).await;
            Some(stream)
        };
        let mut all = Vec::new();
        for begun in (0..count).step_by(AT_ONCE) {
            let some = (begun..count.min(begun + AT_ONCE)).map(one);
            all.extend(futures::future::join_all(some).await.into_iter().flatten());
            // An overflowing kernel queue is not the server's fault.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        all
    })
}

/// Raises the limit of descriptors to its maximum, and returns how many connections of one kind that allows.
fn crowd_size() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let most = limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap());
    CROWD.min((most - 500) / 2)
}

#[test]
#[ignore = "live"]
fn thousands_from_one_peer_keep_nobody_out_and_take_neither_memory_nor_descriptors() {
    let count = crowd_size();
    let folders: Vec<_> = (0..5).map(|_| tempfile::tempdir().unwrap()).collect();
    let servers = [
        ("the API", Server::daemon(folders[0].path(), &[])),
        ("the API with TLS", Server::with_tls(folders[1].path())),
        ("the sidecar's page", Server::sidecar(folders[2].path())),
        ("the probes", Server::probes(folders[3].path())),
        ("keep's page with TLS", Server::keep(folders[4].path(), true)),
    ];
    let mut patient = Vec::new();
    for (index, (name, server)) in servers.iter().enumerate() {
        let before = server.descriptors();
        let (over, answers) = (AtomicBool::new(false), std::sync::Mutex::new(Vec::new()));
        let most = std::sync::atomic::AtomicUsize::new(0);
        let mut held = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let answer = server.ask("GET", server.path, "");
                    // On a busy machine, one question may wait for seconds until its connection is taken.
                    let took = answer.map_or(Duration::MAX, |_| began.elapsed());
                    answers.lock().unwrap().push(took);
                    most.fetch_max(server.descriptors(), Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(20));
                }
            });
            let from = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(index).unwrap());
            let mut held = crowd(from, server.port, count, b"");
            held.extend(crowd(from, server.port, count, b"GET /v1/state HTTP/1.1\r\nHost: loc"));
            thread::sleep(Duration::from_secs(1));
            over.store(true, Ordering::Relaxed);
            held
        });
        let (mut answers, most) = (answers.into_inner().unwrap(), most.into_inner());
        answers.sort_unstable();
        // Not the slowest, which a busy machine decides: a newcomer that waits for the crowd waits each time.
        let (usual, slowest) = (answers[answers.len() / 2], answers[answers.len() - 1]);
        let memory = server.run.most_memory_kb();
        eprintln!(
            "{name}: {} connections; answers in {usual:?}, slowest {slowest:?}, {memory} kB, {most} descriptors of {before}",
            held.len()
        );
        assert!(held.len() > count * 2 * 9 / 10, "{name}: only {} connections", held.len());
        assert!(usual < Duration::MAX, "{name}: most newcomers have no answer");
        assert!(memory < MEMORY_KB, "{name}: {memory} kB");
        assert!(most < before + DESCRIPTORS, "{name}: {most} descriptors, {before} before");
        // The last ones stay open and silent.
        let silent = held.split_off(held.len() - 100);
        drop(held);
        patient.push((before, silent));
    }
    for ((name, server), (before, silent)) in servers.into_iter().zip(patient) {
        until("descriptors that are given back", SOON, || {
            (server.descriptors() <= before + 4).then_some(())
        })
        .unwrap_or_else(|why| panic!("{name}: {why}: {}", server.descriptors()));
        drop(silent);
        server.run.kill();
    }
}

/// Input that a client, a browser or a scanner may send.
const SEEDS: [&str; 9] = [
    "GET /v1/state HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n",
    "POST /throttle?rate=5&autoremove=true HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nauthorization: Bearer none\r\n\r\n",
    "POST /throttle/remove/all HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\nsec-fetch-site: cross-site\r\n\r\n",
    "POST /v1/plans/3f9a/approve HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer none\r\n\r\n",
    "POST /v1/announce HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 44\r\n\r\n{\"version\":1,\"cluster_id\":\"a\",\"moves\":[{}]} ",
    "POST /v1/announce HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"ver\r\n0\r\n\r\n",
    "GET http://evil.example/ready HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    "GET /sidecar HTTP/1.0\r\n\r\nGET /live HTTP/1.1\r\nhost: [::1]\r\n\r\n",
    "OPTIONS /metrics HTTP/1.1\r\nhost: localhost\r\ncookie: a=b; c=\"d\"\r\nexpect: 100-continue\r\n\r\n",
];

/// Random numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    fn request(&mut self) -> Vec<u8> {
        let mut bytes = SEEDS[self.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let to = (at + self.below(24)).min(bytes.len());
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] = self.below(256) as u8,
                1 => bytes.insert(at, [0x1b, b'\r', b'\n', 0x9b, 0, 0x7f][self.below(6)]),
                2 => drop(bytes.drain(at..to)),
                3 => bytes.extend_from_within(at..to),
                4 => {
                    let other = SEEDS[self.below(SEEDS.len())].as_bytes();
                    let from = self.below(other.len());
                    bytes.splice(at..at, other[from..].iter().copied());
                }
                _ => bytes.extend(std::iter::repeat_n(b'a', self.below(20_000))),
            }
        }
        bytes
    }
}

#[test]
#[ignore = "live"]
fn twenty_thousand_mutated_requests_are_answered_or_closed_and_change_nothing() {
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let token = folders[0].path().join("token");
    fs::write(&token, "of-a-test").unwrap();
    let guarded = ["-vv", "--api-token-file", token.to_str().unwrap()];
    let servers = [
        (11_000, Server::daemon(folders[0].path(), &guarded)),
        (3_000, Server::sidecar(folders[1].path())),
        (3_000, Server::probes(folders[2].path())),
        (3_000, Server::keep(folders[3].path(), false)),
    ];
    let mut statuses = BTreeSet::new();
    thread::scope(|scope| {
        let all: Vec<_> = servers
            .iter()
            .map(|(count, server)| {
                scope.spawn(move || {
                    let mut dice = Dice(20_261_122);
                    let mut statuses = BTreeSet::new();
                    for _ in 0..*count {
                        let request = dice.request();
                        let answer = plain(server.port, &request, true);
                        let said = String::from_utf8_lossy(&request);
                        let answer = answer.unwrap_or_else(|| panic!("a hang: {said:?}"));
                        let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
                        let sound = answer.is_empty() || answer.starts_with("HTTP/1.");
                        assert!(sound, "{said:?}: {answer:?}");
                        statuses.insert(status.unwrap_or(0_u16));
                    }
                    statuses
                })
            })
            .collect();
        all.into_iter().for_each(|one| statuses.extend(one.join().unwrap()));
    });
    for expected in [0, 200, 400, 401, 403, 404] {
        assert!(statuses.contains(&expected), "{statuses:?}");
    }
    for (_, mut server) in servers {
        assert!(server.run.is_up());
        let said = server.said();
        let raw = said.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(raw, None, "a raw control character in the log");
        assert!(!said.contains("panicked"), "{said}");
        if server.path == "/healthz" {
            assert!(said.contains("a request is refused"), "{said}");
            let answer = server.ask("GET", "/throttle", "").unwrap();
            assert!(answer.1.ends_with("no throttle override is set\n"), "{answer:?}");
        }
        server.run.kill();
    }
    let answers = folders[3].path().join("notes.json.answers");
    assert!(!answers.exists(), "an answer without the token");
}

#[test]
#[ignore = "live"]
fn a_foreign_page_changes_nothing_at_the_default_api_and_curl_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::daemon(folder.path(), &[]);
    let port = server.port;
    let change = |headers: &str| {
        server.ask("POST", "/throttle?rate=1000000", headers).map(|(status, _)| status)
    };
    for foreign in [
        "origin: http://evil.example\r\n".to_owned(),
        "origin: null\r\n".to_owned(),
        "sec-fetch-site: cross-site\r\n".to_owned(),
        format!("host: evil.example:{port}\r\norigin: http://evil.example:{port}\r\n"),
        format!("host: evil.example:{port}\r\n"),
    ] {
        assert_eq!(change(&foreign), Some(403), "{foreign}");
    }
    let read = server.ask("GET", "/v1/state", "host: evil.example\r\n").unwrap();
    assert_eq!(read.0, 403, "{read:?}");
    assert!(read.1.contains("{\"error\":{\"code\":\"foreign-host\""), "{read:?}");
    let set = server.ask("GET", "/throttle", "").unwrap();
    assert!(set.1.contains("no throttle override is set"), "{set:?}");
    let log = server.said();
    assert!(log.contains("a request is refused") && log.contains("evil.example"), "{log}");
    let page = format!(
        "host: 127.0.0.1:{port}\r\norigin: http://127.0.0.1:{port}\r\nsec-fetch-site: same-origin\r\n"
    );
    for ours in [page.as_str(), "", "host: [::1]\r\n"] {
        assert_eq!(change(ours), Some(200), "{ours}");
    }
    let named = "host: auto.example:80\r\n";
    assert_eq!(change(named), Some(403));
    server.run.kill();
    let server = Server::daemon(folder.path(), &["--api-host", "auto.example"]);
    let answer = server.ask("POST", "/throttle?rate=1000000", named).unwrap();
    assert_eq!(answer.0, 200, "{answer:?}");
    server.run.kill();
}

#[test]
#[ignore = "live"]
fn an_announcement_of_what_the_cluster_lacks_is_not_taken_in() {
    let cluster = Cluster::builder().brokers(1).start().unwrap();
    Traffic::of(&cluster).create(&[("events".to_owned(), vec![vec![1001]])].into());
    let folder = tempfile::tempdir().unwrap();
    let port = lone_port().unwrap();
    let state = folder.path().join("state").display().to_string();
    let more = [&DAEMON[..], &["--state-file", &state]].concat();
    let daemon = Daemon::listening(port, &cluster.bootstrap(), folder.path(), &more);
    let announce = |topic: &str, partition: u32, broker: u32| {
        let moves = format!(
            "[{{\"topic\":\"{topic}\",\"partition\":{partition},\"replicas\":[{broker}]}}]"
        );
        let cluster_id = &daemon.state()["cluster_id"];
        let body = format!("{{\"version\":1,\"cluster_id\":{cluster_id},\"moves\":{moves}}}");
        let head =
            "POST /v1/announce HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
        let (length, close) = (body.len(), "connection: close");
        let request = format!("{head}\r\ncontent-length: {length}\r\n{close}\r\n\r\n{body}");
        plain(port, request.as_bytes(), false).unwrap()
    };
    let is = |answer: &str, status: &str| answer.split(' ').nth(1) == Some(status);
    let taken = || is(&announce("events", 0, 1001), "200").then_some(());
    until("a round that knows the topic", SOON, taken).unwrap();
    for (topic, partition, broker) in [("others", 0, 1001), ("events", 1, 1001), ("events", 0, 7)] {
        let answer = announce(topic, partition, broker);
        assert!(is(&answer, "400") && answer.contains("the cluster has no"), "{answer}");
    }
    daemon.kill();
}

#[test]
#[ignore = "live"]
fn a_token_and_a_certificate_that_are_replaced_count_and_broken_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let put = |name: &str, text: &str| {
        fs::write(at("new"), text).unwrap();
        fs::rename(at("new"), at(name)).unwrap();
    };
    put("token", "token-one");
    testbed::certificates(folder.path(), &[]).unwrap();
    pair(folder.path(), "broker");
    let [token, chain, key] =
        ["token", "tls.crt", "tls.key"].map(|name| at(name).display().to_string());
    let files = ["--api-token-file", &token, "--api-tls-cert", &chain, "--api-tls-key", &key];
    let mut server = Server::daemon_down(folder.path(), &files);
    server.authority = Some(at("ca.crt"));
    let server = server.up();
    let with = |token: &str| {
        let header = format!("authorization: Bearer {token}\r\n");
        server.ask("POST", "/throttle?rate=5", &header).map(|(status, _)| status)
    };
    assert_eq!([with("token-one"), with("token-two")], [Some(200), Some(401)]);
    put("token", "token-two\n");
    until("the new token", SOON, || (with("token-two")? == 200).then_some(())).unwrap();
    assert_eq!(with("token-one"), Some(401));
    put("token", " \n");
    thread::sleep(Duration::from_secs(3));
    assert_eq!(with("token-two"), Some(200), "an empty file takes nobody's token away");

    let served = || {
        let to = format!("127.0.0.1:{}", server.port);
        let show = std::process::Command::new("openssl")
            .args(["s_client", "-connect", &to])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&show.stdout).into_owned()
    };
    let subject = |name: &str| format!("subject=CN={name}").replace(' ', "");
    let serves = |name: &str| served().replace(' ', "").contains(&subject(name));
    assert!(serves("broker"), "{}", served());
    pair(folder.path(), "admin");
    until("the new certificate", SOON, || serves("admin").then_some(())).unwrap();
    put("tls.key", "no key");
    thread::sleep(Duration::from_secs(3));
    assert!(serves("admin"), "the last good one");
    let log = server.said();
    for (words, times) in [("read again", 2), ("what was read before stays", 2)] {
        assert!(log.matches(words).count() >= times, "{words}:\n{log}");
    }
    assert!(!log.contains("token-two"), "{log}");
    server.run.kill();
}
