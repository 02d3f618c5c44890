//! The `autothrottle` binary as an operator runs it, and its HTTP API.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testbed::{lone_port, until};

use crate::binary::Run;
use crate::traffic::SOON;

/// The token that changes require if the daemon is configured with one.
pub(crate) const TOKEN: &str = "of-a-test";

/// A running daemon and its files.
pub(crate) struct Daemon {
    /// `None` after its end.
    run: Option<Run>,
    port: u16,
    log: PathBuf,
    /// The authority for its API, if that has TLS.
    authority: Option<PathBuf>,
}

impl Daemon {
    /// Starts one with an API on a free port, and returns when it has read the cluster.
    pub(crate) fn start(bootstrap: &str, folder: &Path, more: &[&str]) -> Self {
        let state = folder.join("autothrottle.state");
        // A mark takes some seconds, and needs a topic that tests would have to expect.
        let own = ["--state-file", state.to_str().unwrap()];
        let all: Vec<&str> = own.iter().chain(more).copied().collect();
        Self::elsewhere(bootstrap, folder, &all)
    }

    /// The same for a daemon whose state is not in a file of this folder.
    pub(crate) fn elsewhere(bootstrap: &str, folder: &Path, more: &[&str]) -> Self {
        Self::listening(lone_port().unwrap(), bootstrap, folder, more)
    }

    /// The same, with its API on this port.
    pub(crate) fn listening(port: u16, bootstrap: &str, folder: &Path, more: &[&str]) -> Self {
        Self::trusted_by(None, port, bootstrap, folder, more)
    }

    /// The same with TLS, if an authority is given.
    pub(crate) fn trusted_by(
        authority: Option<PathBuf>,
        port: u16,
        bootstrap: &str,
        folder: &Path,
        more: &[&str],
    ) -> Self {
        let log = folder.join("autothrottle.log");
        let listen = format!("127.0.0.1:{port}");
        let own = ["--bootstrap-servers", bootstrap, "--api-listen", &listen];
        let run = Run::daemon(own.iter().chain(more), &log);
        Self::once_ready(run, port, log, authority)
    }

    /// A daemon that the caller started, once it has read the cluster.
    pub(crate) fn once_ready(
        run: Run,
        port: u16,
        log: PathBuf,
        authority: Option<PathBuf>,
    ) -> Self {
        let mut daemon = Self { run: Some(run), port, log, authority };
        until("a daemon that is ready", SOON, || {
            assert!(daemon.run.as_mut().unwrap().is_up(), "it has ended:\n{}", daemon.said());
            (daemon.try_ask("GET", "/readyz")?.0 == 200).then_some(())
        })
        .unwrap_or_else(|why| panic!("{why}\n{}", daemon.said()));
        daemon
    }

    /// The logs of all daemons of this folder.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a request to the API, and panics unless it answers 200.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str) -> String {
        let (status, text) = self.try_ask(method, path).unwrap();
        assert_eq!(status, 200, "{method} {path}: {text}");
        text
    }

    /// The URL of its page.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.ask("GET", "/v1/state")).unwrap()
    }

    /// With HTTP/1.0, the answer ends with the connection.
    pub(crate) fn try_ask(&self, method: &str, path: &str) -> Option<(u16, String)> {
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
        );
        let answer = match &self.authority {
            None => plain(self.port, &request)?,
            Some(authority) => with_tls(self.port, authority, &request)?,
        };
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// Pauses or resumes it.
    pub(crate) fn signal(&self, signal: &str) {
        self.run.as_ref().unwrap().signal(signal);
    }

    /// The CPU time that it has used.
    pub(crate) fn used(&self) -> Duration {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.run.as_ref().unwrap().id()));
        let stat = stat.unwrap();
        // The fields after the name, which may contain spaces. utime and stime are fields 14 and 15, in hundredths of a
        // second.
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11..13].iter().map(|n| n.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Whether it acts, and does not wait for another daemon.
    pub(crate) fn leads(&self) -> bool {
        self.state()["leading"] == true
    }

    /// Kills it as a power cut does.
    pub(crate) fn kill(mut self) {
        self.run.take().unwrap().kill();
    }

    /// Stops it. Returns its exit code and its whole log.
    pub(crate) fn leave(self) -> (Option<i32>, String) {
        self.leave_by("-TERM")
    }

    /// The same with this signal.
    pub(crate) fn leave_by(mut self, signal: &str) -> (Option<i32>, String) {
        let run = self.run.take().unwrap();
        run.signal(signal);
        (run.end().code, self.said())
    }
}

pub(crate) fn plain(port: u16, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Uses a client that is not ours.
pub(crate) fn with_tls(port: u16, authority: &Path, request: &str) -> Option<String> {
    let to = format!("127.0.0.1:{port}");
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-verify_ip", "127.0.0.1"])
        .args(["-connect", &to, "-CAfile"])
        .arg(authority)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let written = client.stdin.as_mut().unwrap().write_all(request.as_bytes());
    let answer = client.wait_with_output().ok()?;
    written.ok()?;
    String::from_utf8(answer.stdout).ok()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(run) = self.run.take() {
            run.kill();
        }
    }
}
