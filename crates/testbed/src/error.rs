//! What can go wrong while servers are started, stopped or asked, with the evidence.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::spec::{Mode, Version};

/// Why the testbed could not do what a test asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that the testbed runs is not installed.
    #[error("{program} cannot be run; Debian: apt-get install {package}")]
    Missing {
        /// The program.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Maven or apt could not bring something into the cache.
    #[error("{what} could not be fetched ({status}): {output}")]
    Fetch {
        /// What was asked for.
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
        /// How Go ended.
        status: ExitStatus,
        /// The end of what it complained about.
        output: String,
    },
    /// The relays before the brokers could not be opened.
    #[error("cannot open a relay")]
    Relay {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The Kubernetes API did not do what was asked.
    #[error("{what}: {source}")]
    Api {
        /// What was asked for.
        what: String,
        /// What the API, or the way to it, said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Every block of ports is in use.
    #[error("no block of {wanted} free ports between {first} and {last}")]
    NoPorts {
        /// How many ports one cluster takes.
        wanted: u16,
        /// The lowest port tried.
        first: u16,
        /// The highest port tried.
        last: u16,
    },
    /// A server ended before it was ready.
    #[error("{node} ended during its start ({status}): {log}")]
    Died {
        /// Which server.
        node: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its logs.
        log: String,
    },
    /// Something that was waited for did not happen.
    #[error("{what}: not within {} s{log}", within.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
        /// The end of a log that may say why, else empty.
        log: String,
    },
    /// An admin tool or openssl refused.
    #[error("{tool} {args:?} ended with {status}: {stdout}{stderr}")]
    Tool {
        /// Which one.
        tool: String,
        /// Its arguments.
        args: Vec<String>,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        stdout: String,
        /// What it complained about.
        stderr: String,
    },
    /// A broker id that the cluster does not have.
    #[error("no broker {id} here; there are {have:?}")]
    UnknownBroker {
        /// The id asked for.
        id: i32,
        /// The ids there are.
        have: Vec<i32>,
    },
    /// A broker is up, or down, and should be the other.
    #[error("broker {id} is {state}")]
    WrongState {
        /// The broker.
        id: i32,
        /// What it is.
        state: &'static str,
    },
    /// A combination that Kafka does not have.
    #[error("Kafka {version} does not run with {mode:?}")]
    Unsupported {
        /// The version asked for.
        version: Version,
        /// The mode asked for.
        mode: Mode,
    },
}

/// Names the file in an error of the file system.
pub(crate) fn file<T>(
    result: io::Result<T>,
    action: &'static str,
    path: impl AsRef<Path>,
) -> Result<T, Error> {
    result.map_err(|source| Error::File { action, path: path.as_ref().to_owned(), source })
}
