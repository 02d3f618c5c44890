//! The `topicmappr` binary, run as an operator runs it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// How a run ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(out: Output) -> Self {
        Self {
            code: out.status.code(),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }

    /// Fails with everything that was said unless the exit code is this one.
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

    /// Fails unless stderr has this, in any case of letters.
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

/// A run that is not waited for.
pub(crate) struct Run(Child);

impl Run {
    pub(crate) fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut command = command();
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Ends it as a power cut would, if it has not ended by itself.
    pub(crate) fn kill(mut self) {
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }

    /// Sends it a signal, by the name that `kill` takes: `-TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Waits for it.
    pub(crate) fn end(self) -> Ended {
        Ended::of(self.0.wait_with_output().unwrap())
    }
}

/// Runs the binary.
pub(crate) fn topicmappr<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ended {
    Ended::of(command().args(args).stdin(Stdio::null()).output().unwrap())
}

/// The binary. `xtask` says where it is; else it is where cargo puts it, beside our own folder.
pub(crate) fn command() -> Command {
    let binary = env::var_os("MAPPR_TOPICMAPPR").map_or_else(beside_us, PathBuf::from);
    assert!(
        binary.is_file(),
        "no {}; build it: cargo build --package mappr-topicmappr --bin topicmappr",
        binary.display()
    );
    let mut command = Command::new(&binary);
    // The environment is a source of flags: a developer's own must not reach a test.
    let ours = env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TOPICMAPPR_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command
}

fn beside_us() -> PathBuf {
    let tests = env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join("topicmappr")
}

/// A JSON file that the binary wrote.
pub(crate) fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}\n{text}", path.display()))
}
