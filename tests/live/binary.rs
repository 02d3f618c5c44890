//! The `topicmappr` binary, run as an operator runs it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// For executions whose test is not about other executors, because a claim takes seconds. Tests of claims, of kills and
/// of operators' commands do not use it.
pub(crate) const SOLE: &str = "--sole-executor";

/// The result of a run and its output.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn of(out: Output) -> Self {
        Self {
            code: out.status.code(),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }

    /// Panics with all output unless the exit code is this one.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Panics unless stderr contains this, ignoring case.
    #[track_caller]
    pub(crate) fn complaining_of(self, words: &str) -> Self {
        let said = self.stderr.to_lowercase();
        assert!(
            said.contains(&words.to_lowercase()),
            "{words:?} is not in stderr:\n{}",
            self.stderr
        );
        self
    }
}

/// A run in the background. Dropping it kills it, so that a panicking test leaves nothing behind.
pub(crate) struct Run(Option<Child>);

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Run {
    pub(crate) fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut command = command();
        command.args(args);
        Self::of(command)
    }

    /// A command made by the caller.
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().unwrap()))
    }

    /// The same with the caller's streams.
    pub(crate) fn spawned(mut command: Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    /// The daemon. Its log goes to this file, because a full pipe would block it.
    pub(crate) fn daemon<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, log: &Path) -> Self {
        let mut command = daemon();
        command.args(args);
        Self::logging(command, log)
    }

    /// A command made by the caller, with its log in this file.
    pub(crate) fn logging(mut command: Command, log: &Path) -> Self {
        let log = fs::File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self(Some(command.spawn().unwrap()))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    /// The most memory that it has had.
    pub(crate) fn most_memory_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Whether it still runs.
    pub(crate) fn is_up(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// Kills it as a power cut does, if it still runs.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Sends it a signal, by the name that `kill` accepts: `-TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Waits for it, at most for [`limit`], so that a hanging run fails its own test and does not block CI.
    pub(crate) fn end(mut self) -> Ended {
        let id = self.id().to_string();
        let (ended, watch) = mpsc::channel::<()>();
        let watchdog = thread::spawn(move || {
            if let Some(limit) = limit()
                && watch.recv_timeout(limit) == Err(RecvTimeoutError::Timeout)
            {
                eprintln!("process {id} has not ended in {limit:?}");
                let _ = Command::new("kill").args(["-KILL", &id]).status();
            }
        });
        let output = self.0.take().unwrap().wait_with_output().unwrap();
        drop(ended);
        watchdog.join().unwrap();
        Ended::of(output)
    }
}

/// The time limit for a run. Long runs have none.
fn limit() -> Option<Duration> {
    let seconds = env::var("MAPPR_RUN_LIMIT_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().unwrap()))
}

/// Runs the binary.
pub(crate) fn topicmappr<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ended {
    Run::start(args).end()
}

/// The binary at its own terminal: stdin is typed, and all output goes to stdout.
pub(crate) fn terminal(args: &[String]) -> Command {
    let own = command();
    let own = iter::once(own.get_program()).chain(own.get_args());
    let own: Vec<_> = own.map(|word| word.to_string_lossy().into_owned()).collect();
    let words = [&own[..], args].concat();
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    command
}

/// Runs the daemon until it ends by itself.
pub(crate) fn autothrottle<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ended {
    let mut command = daemon();
    command.args(args);
    Run::of(command).end()
}

/// The command `autothrottle`, before it runs.
pub(crate) fn daemon() -> Command {
    binary("autothrottle")
}

/// The command `topicmappr`, before it runs.
pub(crate) fn command() -> Command {
    binary("topicmappr")
}

/// A binary. `xtask` sets its path; otherwise it is where cargo puts it, next to our own folder.
fn binary(name: &str) -> Command {
    let variable = format!("MAPPR_{}", name.to_uppercase());
    let binary = env::var_os(variable).map_or_else(|| beside_us(name), PathBuf::from);
    assert!(
        binary.is_file(),
        "no {}; build it: cargo build --package mappr-{name} --bin {name}",
        binary.display()
    );
    // Under `nohup`, the tests ignore SIGHUP, and so would the programs that they start.
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP").arg(&binary);
    // Environment variables are a source of flags. A developer's own must not affect a test.
    let prefix = format!("{}_", name.to_uppercase());
    let ours = env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(&prefix));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command
}

fn beside_us(name: &str) -> PathBuf {
    let tests = env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join(name)
}

/// A JSON file that the binary wrote.
pub(crate) fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}\n{text}", path.display()))
}
