//! Errors of flags and files, which every command can meet, also without a cluster.
//!
//! A new variant does not compile until it has a code, an exit status and a hint.

use crate::files::FileError;
use crate::{Status, value_without_login};
use mapper::maps::Refused;
use mapper::scope::ScopeError;
use mapper::{PlanFileError, SnapshotError};
use std::io;
use std::path::PathBuf;

/// Why a flag, a file or a standard stream is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No flag names a cluster.
    #[error("this command needs a cluster, and no flag names one")]
    NoSource,
    /// A flag's value that the cluster or another flag rules out.
    #[error("{flag} {:?}: {problem}", value_without_login(.value))]
    Flag {
        /// The flag with its dashes: `--throttle`.
        flag: &'static str,
        /// The value, as typed or as parsed.
        value: String,
        /// Why it is refused.
        problem: String,
    },
    /// Flags that contradict each other, or a flag that needs another one.
    #[error("{0}")]
    Flags(String),
    /// An input that cannot be read, or an output that cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A snapshot that is not valid.
    #[error("{}: {problem}", .path.display())]
    Snapshot {
        /// The snapshot file.
        path: PathBuf,
        /// Why it is refused.
        problem: SnapshotError,
    },
    /// A plan file or `--map-string` that is not valid.
    #[error("{name}: {problem}")]
    PlanFile {
        /// The file's path, or the flag with the text.
        name: String,
        /// Why it is no plan or partition map.
        problem: PlanFileError,
    },
    /// A plan file of another tool, where a plan of this program is needed.
    #[error("{} is a partition map without a plan beside it", .0.display())]
    NotOurs(PathBuf),
    /// A plan for another cluster.
    #[error("the plan is for cluster {plan}, and this is cluster {found}")]
    OtherCluster {
        /// Cluster id in the plan or in `--cluster-id`.
        plan: String,
        /// Cluster id that Kafka reports.
        found: String,
    },
    /// A topic pattern that is no regex, or that matches no topic.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Broker maps with faults that rule out a plan.
    #[error(transparent)]
    MapFindings(#[from] Refused),
    /// stdout, stderr or stdin failed.
    #[error("a standard stream failed: {0}")]
    Stream(io::Error),
}

impl Error {
    /// A flag's value that is refused: the flag with its dashes, the value, and why.
    pub fn flag(flag: &'static str, value: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Flag { flag, value: value.into(), problem: problem.into() }
    }

    /// A stable code, by which scripts tell errors apart.
    pub fn code(&self) -> &'static str {
        self.code_and_status().0
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        self.code_and_status().1
    }

    fn code_and_status(&self) -> (&'static str, Status) {
        match self {
            Self::Flag { .. } | Self::Flags(_) => ("usage", Status::BadInput),
            Self::NoSource => ("source", Status::BadInput),
            Self::File(error) => (error.code(), error.status()),
            Self::Snapshot { .. } => ("snapshot", Status::BadInput),
            Self::PlanFile { .. } | Self::NotOurs(_) | Self::OtherCluster { .. } => {
                ("plan-file", Status::BadInput)
            }
            Self::Scope(_) => ("topics", Status::BadInput),
            Self::MapFindings(_) => ("maps", Status::BadInput),
            Self::Stream(_) => ("stream", Status::Outside),
        }
    }

    /// What to do next; `None` where the message is enough.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoSource => "name it with --snapshot FILE or --bootstrap-server HOST:PORT",
            Self::NotOurs(_) => "a plan of this program is what --out-file writes",
            Self::File(error) => return error.hint(),
            Self::Snapshot { problem: SnapshotError::Version { .. }, .. } => {
                "read it with the version of topicmappr that wrote it, or newer"
            }
            Self::Snapshot { .. } => "capture it again: topicmappr snapshot --out-file FILE",
            Self::Flag { .. }
            | Self::Flags(_)
            | Self::PlanFile { .. }
            | Self::OtherCluster { .. }
            | Self::Scope(_)
            | Self::MapFindings(_)
            | Self::Stream(_) => return None,
        })
    }
}

impl FileError {
    /// A stable code, by which scripts tell errors apart.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "unreadable",
            Self::Unwritable { .. } => "unwritable",
            Self::Write { .. } => "write-failed",
        }
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        match self {
            Self::Write { .. } => Status::Outside,
            Self::Read { .. } | Self::Unwritable { .. } => Status::BadInput,
        }
    }

    /// What to do next; `None` where the message is enough.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => None,
            Self::Unwritable { .. } => {
                Some("nothing was planned or written; make the folder, or name another place")
            }
            Self::Write { .. } => Some("nothing was written; make room, or name another place"),
        }
    }
}

/// Converts each of these errors first into one that holds it: `convert_through!(Inner => Outer: A, B)`.
#[macro_export]
macro_rules! convert_through {
    ($inner:ty => $outer:ty: $($error:ty),+ $(,)?) => {
        $(impl From<$error> for $outer {
            fn from(error: $error) -> Self {
                <$inner>::from(error).into()
            }
        })+
    };
}

/// Puts each of these errors into a box of its variant: `convert_boxed!(Outer: Variant(Inner), ...)`.
#[macro_export]
macro_rules! convert_boxed {
    ($outer:ty: $($variant:ident($error:ty)),+ $(,)?) => {
        $(impl From<$error> for $outer {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        })+
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_is_an_outside_failure_and_a_missing_folder_wrong_input() {
        let path = PathBuf::from("p");
        let failed =
            FileError::Write { path: path.clone(), problem: io::ErrorKind::StorageFull.into() };
        assert_eq!(Error::from(failed).status(), Status::Outside);
        let problem = "there is no folder".to_owned();
        let missing = FileError::Unwritable { path, problem };
        assert_eq!(Error::from(missing).status(), Status::BadInput);
    }
}
