//! What ends a run of another program that is built on this one.

use crate::error::Error;
use crate::executing;
use crate::status::Status;
use std::fmt;

/// An error of this program, whole: its sentence, its exit code, its hint.
pub struct Failure(Box<Error>);

impl Failure {
    /// The exit code.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// What to do about it, where that is not plain.
    pub fn hint(&self) -> Option<String> {
        self.0.hint()
    }

    /// The text of `--help` or `--version`, which are no failures.
    pub fn help(&self) -> Option<String> {
        self.0.help()
    }

    /// Whether another try may do better: a server did not answer.
    pub fn may_pass(&self) -> bool {
        matches!(&*self.0, Error::Kafka(error) if executing::may_pass(error))
    }

    /// Whether another process has what we asked for.
    pub fn is_locked(&self) -> bool {
        matches!(*self.0, Error::Locked { .. })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        *failure.0
    }
}

impl From<kafka::Error> for Failure {
    fn from(error: kafka::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<kubernetes::Error> for Failure {
    fn from(error: kubernetes::Error) -> Self {
        Error::from(error).into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
