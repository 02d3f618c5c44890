//! Errors while servers are started, stopped or queried, with the evidence.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::spec::{Mode, Version};

/// Why the testbed failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that the testbed runs is not installed.
    #[error("{program} cannot be run; Debian: apt-get install {package}")]
    Missing {
        /// The program.
        program: String,
        /// The Debian package with the program.
        package: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// The attempted action.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Maven or apt could not fetch something into the cache.
    #[error("{what} could not be fetched ({status}): {output}")]
    Fetch {
        /// What to fetch.
        what: String,
        /// How the fetching program ended.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// Go could not build the Kubernetes control plane.
    #[error(
        "go build of the Kubernetes control plane failed ({status}); it needs Go 1.24: {output}"
    )]
    Build {
        /// Go's exit status.
        status: ExitStatus,
        /// The end of its error output.
        output: String,
    },
    /// The relays in front of the brokers could not be opened.
    #[error("cannot open a relay")]
    Relay {
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The Kubernetes API failed a request.
    #[error("{what}: {source}")]
    Api {
        /// The attempted action.
        what: String,
        /// The error of the API or of the connection.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Every block of ports is in use.
    #[error("no block of {wanted} free ports between {first} and {last}")]
    NoPorts {
        /// How many ports one cluster needs.
        wanted: u16,
        /// The lowest port tried.
        first: u16,
        /// The highest port tried.
        last: u16,
    },
    /// A server ended before it was ready.
    #[error("{node} ended during its start ({status}): {log}")]
    Died {
        /// The server.
        node: String,
        /// Its exit status.
        status: String,
        /// The end of its logs.
        log: String,
    },
    /// An expected event did not happen.
    #[error("{what}: not within {} s{log}", within.as_secs())]
    Timeout {
        /// The event.
        what: String,
        /// How long the testbed waited.
        within: Duration,
        /// The end of a log that may show the reason, or empty.
        log: String,
    },
    /// An admin tool or openssl failed.
    #[error("{tool} {args:?} ended with {status}: {stdout}{stderr}")]
    Tool {
        /// The tool.
        tool: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its exit status.
        status: String,
        /// Its output.
        stdout: String,
        /// Its error output.
        stderr: String,
    },
    /// The cluster has no broker with this id.
    #[error("no broker {id} here; there are {have:?}")]
    UnknownBroker {
        /// The requested id.
        id: i32,
        /// The existing ids.
        have: Vec<i32>,
    },
    /// A broker is running and should be stopped, or the reverse.
    #[error("broker {id} is {state}")]
    WrongState {
        /// The broker.
        id: i32,
        /// Its current state.
        state: &'static str,
    },
    /// A server in the JVM of all clusters cannot be paused, and killed only if it is a mortal broker.
    #[error(
        "this server shares its JVM with others: build the cluster with processes(), processes_of() or mortal()"
    )]
    Hosted,
    /// Real nodes need what this machine lacks.
    #[error("no real Kubernetes nodes here: {why}; {remedy}")]
    NoNodes {
        /// What is missing.
        why: String,
        /// What to do about it.
        remedy: String,
    },
    /// The cluster has no node with this name, or it is in the other state.
    #[error("node {name} is {state}")]
    WrongNode {
        /// The node.
        name: String,
        /// Its current state.
        state: &'static str,
    },
    /// A combination that Kafka does not support.
    #[error("Kafka {version} does not run with {mode:?}")]
    Unsupported {
        /// The requested version.
        version: Version,
        /// The requested mode.
        mode: Mode,
    },
}

/// Adds the file to a file system error.
pub(crate) fn file<T>(
    result: io::Result<T>,
    action: &'static str,
    path: impl AsRef<Path>,
) -> Result<T, Error> {
    result.map_err(|source| Error::File { action, path: path.as_ref().to_owned(), source })
}
