//! Maps: what they say, what they mean now, and what is wrong with them.

mod check;
mod pods;
mod resolved;
mod show;

pub(crate) use check::MapsCheck;
pub(crate) use pods::PodProblems;
pub(crate) use resolved::ResolvedMaps;
pub(crate) use show::MapsShow;

use mapper::maps::{MapFinding, MapSeverity};
use serde::Serialize;

/// A finding, for programs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Problem {
    code: &'static str,
    severity: &'static str,
    message: String,
}

impl Problem {
    pub(crate) fn of(finding: &MapFinding) -> Self {
        Self::new(finding.code(), finding.severity(), finding.to_string())
    }

    pub(crate) fn new(code: &'static str, severity: MapSeverity, message: String) -> Self {
        let severity = match severity {
            MapSeverity::Notice => "notice",
            MapSeverity::Warning => "warning",
            MapSeverity::Error => "error",
        };
        Self { code, severity, message }
    }
}

/// The first of them: a map may take thousands.
fn joined(topics: &[&str]) -> String {
    const SHOWN: usize = 6;
    let shown = topics.iter().take(SHOWN).copied().collect::<Vec<_>>();
    match topics.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => {
            format!("{count}: {}, and {} more", shown.join(", "), count - SHOWN)
        }
        count => format!("{count}: {}", shown.join(", ")),
    }
}
