//! `version`: which build this is.

use crate::error::Error;
use crate::session::Session;
use local::Status;
use serde::Serialize;
use std::fmt;

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "topicmappr {}", self.version)
    }
}

pub(crate) fn run(session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let version = env!("CARGO_PKG_VERSION");
    session.show(&Version { version })?;
    Ok(Status::Done)
}
