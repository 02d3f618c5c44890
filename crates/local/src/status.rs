//! The exit status of a run.

use std::process::ExitCode;

/// The exit codes of this version. If several apply, the order of precedence is 2, 3, 1, 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done, also when there was nothing to do.
    Done,
    /// No plan keeps every promise, a plan breaks one, or its execution did not end as requested.
    NoPlan,
    /// A flag, a map, an id or a file is wrong; nothing was written.
    BadInput,
    /// A server or a disk failed.
    Outside,
    /// There are warnings that the operator did not allow; nothing was written.
    Warned,
    /// A check has findings.
    Findings,
    /// Partly done; can be resumed.
    Partly,
    /// Another process holds the lock.
    Held,
    /// Ended by SIGINT.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl Status {
    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NoPlan => 1,
            Self::BadInput => 2,
            Self::Outside => 3,
            Self::Warned => 4,
            Self::Findings => 5,
            Self::Partly => 6,
            Self::Held => 7,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}
