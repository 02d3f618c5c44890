//! Why a file of lines is refused, or takes no more lines.

use local::files::FileError;
use std::path::PathBuf;
use std::{fmt, io};

/// What a file of lines holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinesKind {
    /// What an execution did. If it is lost, only history is lost.
    Journal,
    /// The configs that an execution set in a cluster, with the operator's original values. No other file has these.
    Ledger,
    /// Requests to a running execution, and its answers.
    Requests,
    /// The records of a store in a file.
    Records,
}

impl LinesKind {
    pub(super) const ALL: [Self; 4] = [Self::Journal, Self::Ledger, Self::Requests, Self::Records];

    /// A key that only lines of this kind have, and the kind in words.
    pub(super) fn tag_and_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Journal => ("entry", "a journal"),
            Self::Ledger => ("ledger", "a ledger"),
            Self::Requests => ("line", "a file of requests"),
            Self::Records => ("record", "a state file"),
        }
    }
}

impl fmt::Display for LinesKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag_and_words().1)
    }
}

/// Why a file of lines is not read or written.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The file cannot be opened or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process has locked the file.
    #[error("{} is in use by another process", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The content is not what it should be.
    #[error("{}{}", .path.display(), .why.of(*kind))]
    Refused {
        /// The file; it stays unchanged.
        path: PathBuf,
        /// The kind of file that was expected.
        kind: LinesKind,
        /// Why it is refused.
        why: NotOurLine,
    },
    /// The disk does not store new lines.
    #[error("{} takes no more lines: {problem}", .path.display())]
    NotStored {
        /// The file; its earlier lines are intact.
        path: PathBuf,
        /// The kind of file.
        kind: LinesKind,
        /// What the operating system reports.
        problem: io::Error,
    },
}

/// Why a file is refused and must not be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOurLine {
    /// It is another kind of file.
    Foreign {
        /// What the file looks like. Never quotes its content, which may be a secret.
        seems: String,
    },
    /// A newer version of this program wrote it.
    Newer {
        /// Version in its lines.
        version: u64,
    },
    /// One of its lines is damaged.
    Broken {
        /// Line number, from 1.
        line: usize,
        /// Why the line is refused.
        problem: String,
    },
}

impl NotOurLine {
    /// The end of a sentence that begins with the path.
    fn of(&self, kind: LinesKind) -> String {
        match self {
            Self::Foreign { seems } => {
                format!(" is not {kind}: it seems to be {seems}; it stays as it is")
            }
            Self::Newer { version } => {
                format!(" is {kind} of version {version}, and this program reads version 1")
            }
            Self::Broken { line, problem } => format!(", line {line}: {problem}"),
        }
    }
}
