//! How a failure reads: what was refused, why, and what would help.

use super::report::LONG;
use super::{Ink, more, no_plan};
use crate::error::Error;
use console::is_help;
use mapper::explain::ExplainError;
use mapper::{Clash, NoPlan};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::fmt;

/// An error, as the last word of a run.
pub(crate) struct ErrorView<'a>(pub(crate) &'a Error);

impl fmt::Display for ErrorView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Error::Console(console::Error::Usage(error)) = self.0
            && is_help(error)
        {
            return writeln!(f, "{}", self.0);
        }
        Ink::Error("error:").fmt(f)?;
        // A path or a pattern may be a URL in the wrong place.
        writeln!(f, " {}", local::without_login(&self.0.to_string()))?;
        match self.0 {
            Error::NoPlan { why, clash, lost } => {
                no_plan::details(why, f)?;
                clash.as_deref().map_or(Ok(()), |clash| super::clash::write(clash, f))?;
                super::lost::write(lost, f)?;
            }
            Error::Live(error) => error.details(f)?,
            Error::Broken(violations) => {
                for violation in violations.iter().take(LONG) {
                    writeln!(f, "  {violation}")?;
                }
                more(f, violations.len(), LONG, "")?;
            }
            _ => {}
        }
        match self.0.hint() {
            Some(hint) => writeln!(f, "hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Serialize for ErrorView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut error = json!({
            "code": self.0.code(),
            "message": local::without_login(&self.0.to_string()),
            "evidence": evidence(self.0).unwrap_or_else(|| json!({})),
        });
        if let Some(hint) = self.0.hint() {
            error["hint"] = hint.into();
        }
        json!({ "error": error }).serialize(serializer)
    }
}

/// The data behind the sentence.
fn evidence(error: &Error) -> Option<Value> {
    match error {
        Error::NoPlan { why, clash, lost } => {
            let mut evidence = serde_json::to_value::<&NoPlan>(why).ok()?;
            if let Some(standing) = why.standing() {
                evidence["status"] = serde_json::to_value(standing).ok()?;
            }
            if let Some(clash) = clash {
                evidence["clash"] = serde_json::to_value::<&Clash>(clash).ok()?;
            }
            if !lost.is_empty() {
                evidence["lost_brokers"] = json!(lost);
            }
            Some(evidence)
        }
        Error::Broken(violations) => {
            Some(json!({ "violations": serde_json::to_value(violations).ok()? }))
        }
        Error::Live(error) => error.evidence(),
        Error::NotLost { broker, .. } => Some(json!({ "broker": broker })),
        Error::OthersDisk { owner, path, pod, id, by } => Some(json!({
            "meta_properties": path, "broker_id": owner, "pod": pod, "pod_broker_id": id, "by": by,
        })),
        Error::UnknownBrokers { unknown, known } => Some(json!({
            "unknown": unknown,
            "known": known,
        })),
        Error::UnknownMap { name, known } => Some(json!({ "name": name, "known": known })),
        Error::Explain(ExplainError::UnknownTopic { topic, near }) => {
            Some(json!({ "topic": topic, "near": near }))
        }
        Error::Local(error) => local_evidence(error),
        Error::Console(console::Error::ConfigFile { path, .. }) => Some(json!({ "path": path })),
        _ => None,
    }
}

fn local_evidence(error: &local::Error) -> Option<Value> {
    use local::Error as Of;
    match error {
        Of::MapFindings(refused) => {
            let findings = refused.findings.iter().map(super::maps::Problem::of);
            Some(json!({ "problems": findings.collect::<Vec<_>>() }))
        }
        Of::Flag { flag, value, .. } => {
            Some(json!({ "flag": flag, "value": local::value_without_login(value) }))
        }
        Of::Snapshot { path, .. } => Some(json!({ "path": path })),
        Of::NoSource
        | Of::Flags(_)
        | Of::File(_)
        | Of::PlanFile { .. }
        | Of::NotOurs(_)
        | Of::OtherCluster { .. }
        | Of::Scope(_)
        | Of::Stream(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::{PartitionId, TopicPartition};

    #[test]
    fn a_refusal_says_whether_it_is_proven() {
        let of = TopicPartition { topic: "events".to_owned(), partition: PartitionId(0) };
        let why = NoPlan::TooFewRacks { of, asked: 3, racks: vec!["eu-1a".to_owned()] };
        let shown = serde_json::to_value(ErrorView(&Error::from(why))).unwrap();
        assert_eq!(shown["error"]["evidence"]["status"], "infeasible");
    }
}
