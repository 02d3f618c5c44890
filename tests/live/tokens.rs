//! Logins by OAUTHBEARER: a real broker verifies tokens with the keys of a local server, which also gives them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json as object};
use tempfile::TempDir;
use testbed::{Access, Cluster, Mechanism, User};

use crate::binary::{Ended, Run, topicmappr};
use crate::traffic::Traffic;

const CLIENT: &str = "mappr-client";
const SECRET: &str = "s3cret&more";

/// Gives tokens for a client's id and secret, and the key that verifies them.
struct TokenServer {
    port: u16,
    issuer: Arc<Issuer>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Issuer {
    folder: TempDir,
    life: Duration,
    given: AtomicUsize,
}

fn openssl(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let pipes = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "openssl {args:?}");
    out.stdout
}

impl Issuer {
    fn key(&self) -> String {
        self.folder.path().join("key.pem").display().to_string()
    }

    /// A signed token for this audience with this many seconds to live.
    fn token(&self, audience: &str, life: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let now = i64::try_from(now).unwrap();
        let head = object!({"alg": "RS256", "kid": "k", "typ": "JWT"});
        let from = now.min(now + life) - 1;
        let claims = object!({"sub": "operator", "aud": audience, "iat": from, "exp": now + life});
        let [head, claims] = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{head}.{claims}");
        let proof = openssl(&["dgst", "-sha256", "-sign", &self.key()], signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(proof))
    }

    /// RFC 7517.
    fn keys(&self) -> Value {
        let modulus = openssl(&["rsa", "-in", &self.key(), "-noout", "-modulus"], b"");
        let modulus = String::from_utf8(modulus).unwrap();
        let digits = modulus.trim().strip_prefix("Modulus=").unwrap();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        let modulus = URL_SAFE_NO_PAD.encode(bytes);
        object!({"keys": [{"kty": "RSA", "kid": "k", "alg": "RS256", "use": "sig", "n": modulus, "e": "AQAB"}]})
    }

    fn answer(&self, request: &str, body: &str) -> (&'static str, Value) {
        if request.starts_with("GET /keys ") {
            return ("200 OK", self.keys());
        }
        let login = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        let knows = request.lines().any(|line| {
            line.split_once(": ").is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("authorization") && value.trim() == login
            })
        });
        if !knows {
            let text = "Invalid client credentials";
            let refusal = object!({"error": "invalid_client", "error_description": text});
            return ("401 Unauthorized", refusal);
        }
        assert_eq!(body, "grant_type=client_credentials&scope=kafka+admin");
        self.given.fetch_add(1, Ordering::Relaxed);
        let life = i64::try_from(self.life.as_secs()).unwrap();
        let token = self.token("kafka", life);
        ("200 OK", object!({"access_token": token, "token_type": "Bearer", "expires_in": life}))
    }

    fn serve(&self, mut peer: TcpStream) -> std::io::Result<()> {
        let (mut head, mut line) = (String::new(), String::new());
        let mut reader = BufReader::new(peer.try_clone()?);
        while reader.read_line(&mut line)? > 2 {
            head.push_str(&line);
            line.clear();
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let (status, answer) = self.answer(&head, &String::from_utf8_lossy(&body));
        let answer = answer.to_string();
        write!(
            peer,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        )
    }
}

impl TokenServer {
    fn start(life: Duration) -> Self {
        let issuer = Issuer { folder: TempDir::new().unwrap(), life, given: AtomicUsize::new(0) };
        openssl(&["genrsa", "-out", &issuer.key(), "2048"], b"");
        let (issuer, ended) = (Arc::new(issuer), Arc::new(AtomicBool::new(false)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (own, end) = (Arc::clone(&issuer), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            for peer in listener.incoming().map_while(Result::ok) {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                // A client that ends early is no fault of the server.
                let _ = own.serve(peer);
            }
        });
        Self { port, issuer, ended, thread: Some(thread) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    fn given(&self) -> usize {
        self.issuer.given.load(Ordering::Relaxed)
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Two brokers whose listener takes tokens, and the files of clients.
struct Login {
    server: TokenServer,
    cluster: Cluster,
}

impl Login {
    fn with(life: Duration) -> Self {
        let server = TokenServer::start(life);
        let builder = Cluster::builder().brokers(2).small_fetches();
        let cluster = builder.tokens(&server.url("keys")).start().unwrap();
        Self { server, cluster }
    }

    fn at(&self, name: &str) -> String {
        self.cluster.path().join(name).display().to_string()
    }

    fn file(&self, name: &str, lines: &str) -> String {
        let path = self.at(name);
        let ca = self.cluster.tls().join("ca.crt");
        let common = format!(
            "security.protocol=SASL_SSL\nssl.ca.location={}\nsasl.mechanism=OAUTHBEARER\n",
            ca.display()
        );
        fs::write(&path, common + lines).unwrap();
        path
    }

    /// As a Java client writes it.
    fn of_client(&self, name: &str, secret: &str) -> String {
        let package = "org.apache.kafka.common.security.oauthbearer";
        self.file(
            name,
            &format!(
                "sasl.oauthbearer.token.endpoint.url={}\n\
                 sasl.login.callback.handler.class={package}.OAuthBearerLoginCallbackHandler\n\
                 sasl.login.refresh.window.factor=0.8\n\
                 sasl.jaas.config={package}.OAuthBearerLoginModule required clientId=\"{CLIENT}\" \
                 clientSecret=\"{secret}\" scope=\"kafka admin\";\n",
                self.server.url("token")
            ),
        )
    }

    fn of_file(&self, name: &str, token: &str) -> String {
        let path = self.at(&format!("{name}.token"));
        fs::write(&path, token).unwrap();
        self.file(name, &format!("sasl.oauthbearer.token.endpoint.url=file://{path}\n"))
    }

    fn bootstrap(&self) -> String {
        self.cluster.client(&Access::Sasl(Mechanism::Plain, User::ADMIN)).bootstrap
    }

    fn snapshot(&self, config: &str) -> Ended {
        let (bootstrap, file) = (self.bootstrap(), self.at("snapshot.json"));
        let source = ["snapshot", "--bootstrap-server", &bootstrap, "--kafka-config", config];
        topicmappr(source.iter().chain(&["--out-file", &file]))
    }

    fn fails(&self, config: &str, words: &[&str]) {
        let ended = self.snapshot(config).with(3);
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?} is missing:\n{}", ended.stderr);
        }
        for secret in [SECRET, "hunter2", "eyJ"] {
            assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
        }
        assert!(!Path::new(&self.at("snapshot.json")).exists());
    }

    /// Moves a partition for longer than a token lives, with the lead in the topic. All tokens come from the server.
    /// Returns how long it took, and how many tokens it used.
    fn outlives_tokens(&self, bytes: usize, throttle: &str) -> (Duration, usize) {
        let (bootstrap, config) = (self.bootstrap(), self.of_client("client", SECRET));
        let traffic = Traffic::of(&self.cluster);
        traffic.create(&BTreeMap::from([("events".to_owned(), vec![vec![1001]])]));
        traffic.write_in(&BTreeMap::from([(("events".to_owned(), 0), bytes)]), 1_000, 20_000);
        let plan = self.at("plan.json");
        let server = ["--bootstrap-server", &bootstrap, "--kafka-config", &config];
        let asked = ["rebuild", "--topics", "events", "--brokers", "1002", "--out-file", &plan];
        let storage = ["--broker-storage", "1001=9GB,1002=9GB", "--ignore-warns"];
        topicmappr(asked.iter().chain(&storage).chain(&server)).with(0);
        let (before, began) = (self.server.given(), Instant::now());
        let own = ["execute", &plan, "--yes", "--state-topic", "--throttle", throttle];
        let ended = Run::start(own.iter().chain(&server)).end().with(0);
        assert_eq!(traffic.seen()[&("events".to_owned(), 0)].replicas, [1002]);
        let given = self.server.given() - before;
        assert!(given >= 4, "only {given} tokens:\n{}", ended.stderr);
        for trouble in ["refused", "no new token", "expired", "Authentication"] {
            assert!(!ended.stderr.contains(trouble), "{}", ended.stderr);
        }
        (began.elapsed(), given)
    }
}

#[test]
#[ignore = "live"]
fn tokens_of_an_endpoint_or_a_file_open_and_wrong_ones_have_one_clear_line() {
    let login = Login::with(Duration::from_secs(20));
    login.snapshot(&login.of_client("client", SECRET)).with(0);
    fs::remove_file(login.at("snapshot.json")).unwrap();
    let sound = login.of_file("sound", &login.server.issuer.token("kafka", 600));
    login.snapshot(&sound).with(0);
    fs::remove_file(login.at("snapshot.json")).unwrap();

    let invalid = "HTTP 401: invalid_client (Invalid client credentials)";
    login.fails(&login.of_client("wrong", "hunter2"), &["no token from http://127.0.0.1", invalid]);
    let ended = login.of_file("ended", &login.server.issuer.token("kafka", -90));
    login.fails(&ended, &["no token from", "the token ended 9", "s ago"]);
    let other = login.of_file("other", &login.server.issuer.token("another", 600));
    login.fails(&other, &["refused user \"operator\" by OAUTHBEARER", "invalid_token"]);
    login.fails(&login.of_file("none", "a token\n"), &["it holds no bearer token"]);
    let missing = "sasl.oauthbearer.token.endpoint.url=file:///nowhere/token\n";
    login.fails(&login.file("missing", missing), &["/nowhere/token", "No such file"]);

    login.outlives_tokens(450_000, "20KB/s");
}

mod soak {
    use super::*;

    #[test]
    #[ignore = "live"]
    fn tokens_of_a_minute_carry_an_execution_of_ten() {
        let login = Login::with(Duration::from_secs(60));
        let (took, given) = login.outlives_tokens(14_000_000, "20KB/s");
        eprintln!("{given} tokens in {took:?}");
        assert!(took >= Duration::from_secs(600) && given >= 10, "{given} tokens in {took:?}");
    }
}
