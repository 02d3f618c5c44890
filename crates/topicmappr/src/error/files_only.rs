//! A build that plans from files only meets no failure of a live cluster.

use local::Status;
use serde_json::Value;
use std::fmt;

pub(crate) use self::Never as Beyond;

/// There is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Never {}

impl Never {
    pub(crate) fn code(&self) -> &'static str {
        match *self {}
    }

    pub(crate) fn status(&self) -> Status {
        match *self {}
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match *self {}
    }

    pub(crate) fn details(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }

    pub(crate) fn evidence(&self) -> Option<Value> {
        match *self {}
    }
}
