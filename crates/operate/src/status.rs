//! How a run ended, as scripts see it.

use std::process::ExitCode;

/// The exit codes that this version uses. Each outranks those below it: 2, 3, 1, 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done, also when there was nothing to do.
    Done,
    /// No plan keeps every promise, or a plan breaks one, or its execution ended otherwise than asked.
    NoPlan,
    /// A flag, a map, an id or a file is wrong; nothing was written.
    BadInput,
    /// A server or a disk failed us.
    Outside,
    /// There are warnings that were not ignored; nothing was written.
    Warned,
    /// A check has findings.
    Findings,
    /// Partly done; can be resumed.
    Partly,
    /// Somebody else is at it.
    Held,
    /// Ended by SIGINT.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl Status {
    /// The number that the process ends with.
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
