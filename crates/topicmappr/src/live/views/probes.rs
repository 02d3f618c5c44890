//! `broker live`, `broker ready`: one sentence.

use health::readiness::ReadinessVerdict;
use serde::Serialize;
use std::fmt;

/// Whether it is ready.
#[derive(Debug, Serialize)]
pub(crate) struct ReadyView {
    pub(crate) ready: bool,
    pub(crate) sentence: String,
}

impl ReadyView {
    pub(crate) fn of(verdict: &ReadinessVerdict) -> Self {
        Self { ready: verdict.ready, sentence: verdict.to_string() }
    }

    /// Not ready, for want of knowledge.
    pub(crate) fn unknown(why: String) -> Self {
        Self { ready: false, sentence: format!("not ready: {why}") }
    }
}

impl fmt::Display for ReadyView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.sentence)
    }
}

/// Whether it lives.
#[derive(Debug, Serialize)]
pub(crate) struct LiveView {
    pub(crate) live: bool,
    pub(crate) reason: String,
}

impl fmt::Display for LiveView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", if self.live { "live" } else { "not live" }, self.reason)
    }
}
