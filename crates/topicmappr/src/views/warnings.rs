//! Warnings: each with the code that `--ignore-warns` names it by.

use super::Ink;
use jiff::SignedDuration;
use local::words::{counted, ranges};
use mapper::maps::{MapFinding, MapSeverity, Unmapped};
use mapper::{BrokerId, Warning};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;

/// Something that stops a plan from being written until the operator says to go on.
#[derive(Debug, Serialize)]
pub(crate) struct Caution {
    pub(crate) code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    evidence: Value,
}

impl Caution {
    /// A warning of the planner's.
    pub(crate) fn of_warning(warning: &Warning) -> Self {
        let mut evidence = serde_json::to_value(warning).unwrap_or_default();
        if let Some(fields) = evidence.as_object_mut() {
            fields.remove("code");
        }
        Self { code: warning.code(), message: warning.to_string(), evidence }
    }

    /// A finding about maps, where it is a warning.
    pub(crate) fn of_finding(finding: &MapFinding) -> Option<Self> {
        (finding.severity() == MapSeverity::Warning).then(|| Self {
            code: finding.code(),
            message: finding.to_string(),
            evidence: Value::Null,
        })
    }

    /// A finding about pods, where it is a warning.
    pub(crate) fn of_pods(
        code: &'static str,
        severity: MapSeverity,
        message: String,
    ) -> Option<Self> {
        let evidence = Value::Null;
        (severity == MapSeverity::Warning).then_some(Self { code, message, evidence })
    }

    /// Kafka and Kubernetes say different things about a broker.
    pub(crate) fn of_broker(code: &'static str, message: String, broker: BrokerId) -> Self {
        Self { code, message, evidence: json!({ "broker": broker }) }
    }

    /// Lost brokers that come back under their ids.
    pub(crate) fn of_returning(brokers: &[BrokerId]) -> Option<Self> {
        let evidence = json!({ "brokers": brokers });
        let message = format!(
            "lost {} will come back, for {} pods exist: free the pods instead of moving the data",
            ranges(brokers),
            if brokers.len() == 1 { "its" } else { "their" }
        );
        (!brokers.is_empty()).then_some(Self { code: "will-return", message, evidence })
    }

    /// Lost replicas that no map sees to.
    pub(crate) fn of_unmapped(unmapped: &[Unmapped]) -> Option<Self> {
        let lost: Vec<&Unmapped> = unmapped.iter().filter(|u| u.lost_replicas > 0).collect();
        let first = lost.first()?;
        let replicas: usize = lost.iter().map(|unmapped| unmapped.lost_replicas).sum();
        let names: Vec<&str> = lost.iter().map(|unmapped| unmapped.topic.as_str()).collect();
        Some(Self {
            code: "unmapped-lost",
            message: format!(
                "{} of {} that no map takes stay lost: {} the first; a map named rest would take them",
                counted(replicas, "replica"),
                counted(lost.len(), "topic"),
                first.topic
            ),
            evidence: json!({ "topics": names, "lost_replicas": replicas }),
        })
    }

    /// Stored metrics that are too old.
    pub(crate) fn stale(age: SignedDuration, allowed: SignedDuration) -> Self {
        let (age, allowed) = (age.as_secs(), allowed.as_secs());
        Self {
            code: "stale-facts",
            message: format!(
                "the stored metrics are {} minutes old, more than the {} of --metrics-age",
                age / 60,
                allowed / 60
            ),
            evidence: json!({ "age_seconds": age, "allowed_seconds": allowed }),
        }
    }
}

/// All warnings of a run, as talk.
pub(crate) struct Cautions<'a> {
    pub(crate) all: &'a [Caution],
    /// Whether they stopped the run.
    pub(crate) stopped: bool,
}

impl fmt::Display for Cautions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Caution { code, message, .. } in self.all {
            Ink::Warning("warning").fmt(f)?;
            writeln!(f, " [{code}]: {message}")?;
        }
        if self.stopped {
            writeln!(f, "Nothing was written.")?;
        }
        Ok(())
    }
}
