//! Answers about a plan, in words.

mod broker;
mod partition;

use super::heading;
use super::table::Table;
use super::transfer::{Duration, Transfer, times};
use local::words::counted;
use mapper::explain::{
    Admitted, BrokerVerdict, Compared, Explained, PlanExplained, StorageExtremes,
};
use mapper::{Bytes, Plan, Snapshot};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// What `plan explain` shows.
#[derive(Debug, Serialize)]
pub(crate) struct ExplainView<'a> {
    plan: &'a Path,
    #[serde(flatten)]
    answer: Explained,
    /// Of the whole plan only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    durations: Vec<Duration>,
}

impl fmt::Display for ExplainView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.answer {
            Explained::Plan(plan) => self.write_plan(plan, f),
            Explained::Partition(partition) => partition::write(partition, f),
            Explained::Broker(broker) => broker::write(broker, f),
        }
    }
}

impl<'a> ExplainView<'a> {
    pub(crate) fn of(file: &'a Path, answer: Explained, plan: &Plan, before: &Snapshot) -> Self {
        let durations = match answer {
            Explained::Plan(_) => Transfer::of(plan, Some(before)).durations,
            Explained::Partition(_) | Explained::Broker(_) => Vec::new(),
        };
        Self { plan: file, answer, durations }
    }

    fn write_plan(&self, plan: &PlanExplained, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.plan.display();
        writeln!(f, "{file}: {}, {}", plan.command, copied(plan.moved_bytes, plan.bound_bytes))?;
        if !plan.reasons.is_empty() {
            heading(f, "What moves, and why")?;
            let columns = ["why", ">partitions", ">replicas", ">bytes", "rule", "largest"];
            let rows = plan.reasons.iter().map(|sum| {
                [
                    sum.reason.as_str().to_owned(),
                    sum.partitions.to_string(),
                    sum.replicas.to_string(),
                    known(sum.bytes),
                    rule(sum.reason).to_owned(),
                    sum.largest.to_string(),
                ]
            });
            Table::write(f, columns, rows)?;
        }
        if plan.left_out > 0 {
            let left = counted(plan.left_out, "partition");
            writeln!(f, "  left as they are, though wrong: {left}; topicmappr plan show {file}")?;
        }
        writeln!(f)?;
        for (what, text) in times(&self.durations) {
            writeln!(f, "{what:<13} {text}")?;
        }
        writeln!(f, "{:<13} {}", "storage used", evenness(&plan.before, &plan.after))?;
        writeln!(f, "Ask more: --partition TOPIC-N, --broker ID, --move INDEX")
    }
}

fn copied(bytes: Option<Bytes>, bound: Option<Bytes>) -> String {
    match (bytes, bound) {
        (Some(bytes), Some(bound)) if bytes == bound => {
            format!("copies {bytes}, the least possible")
        }
        (Some(bytes), Some(bound)) => format!("copies {bytes}, and no plan less than {bound}"),
        (bytes, _) => format!("copies {}", known(bytes)),
    }
}

fn rule(reason: mapper::Reason) -> &'static str {
    match reason {
        mapper::Reason::Lost => "no replica on a lost broker or log dir",
        mapper::Reason::Leaving => "no replica on a broker that the plan empties",
        mapper::Reason::Map => "replicas on their map's brokers only",
        mapper::Reason::Replication => "the requested replication factor",
        mapper::Reason::Rack => "as many racks as possible",
        mapper::Reason::Forced => "placed again, or as requested",
        mapper::Reason::Balance => "storage as even as requested",
        mapper::Reason::Leader => "preferred leaders as requested",
    }
}

fn known(bytes: Option<Bytes>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string())
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "an unknown share".to_owned(), |ratio| format!("{:.2} %", ratio * 100.0))
}

/// The fullest and the emptiest broker, before and after.
fn evenness(before: &StorageExtremes, after: &StorageExtremes) -> String {
    if before.max_used_ratio.is_none() || after.max_used_ratio.is_none() {
        return "capacities are not known".to_owned();
    }
    format!(
        "fullest {} -> {}, emptiest {} -> {}",
        percent(before.max_used_ratio),
        percent(after.max_used_ratio),
        percent(before.min_used_ratio),
        percent(after.min_used_ratio)
    )
}

/// What speaks against a broker, as a sentence about it.
fn answer(verdict: &BrokerVerdict) -> String {
    match verdict {
        BrokerVerdict::Refused { why } => why.to_string(),
        BrokerVerdict::NoRoomDuring { step, missing_bytes } => {
            format!("it lacks {missing_bytes} in step {step}, with both copies of what moves there")
        }
        BrokerVerdict::NotThePartner { partner } => {
            format!("--sub-affinity gives these replicas to {partner} only")
        }
        BrokerVerdict::LeavesItsRack => {
            "--locality-scoped keeps the replica in its rack".to_owned()
        }
        BrokerVerdict::Admitted(admitted) => of_admitted(admitted),
    }
}

fn of_admitted(admitted: &Admitted) -> String {
    let Admitted { compared, copies, used_ratio, chosen_used_ratio, .. } = admitted;
    let mut text = match (used_ratio, chosen_used_ratio) {
        (Some(own), Some(chosen)) => {
            let ratio = |ratio: &f64| percent(Some(*ratio));
            format!(
                "admitted: it would end at {}, the chosen one ends at {}",
                ratio(own),
                ratio(chosen)
            )
        }
        _ => format!(
            "admitted: it would end with {} replicas, the chosen one ends with {}",
            admitted.replicas, admitted.chosen_replicas
        ),
    };
    text += match compared {
        Compared::Worse => ": more loaded",
        Compared::Alike => ": equal; the choice was first",
        Compared::Better => ": less loaded, now that the rest is placed",
    };
    if !copies {
        text += "; it holds the replica already, and nothing would be copied";
    }
    text
}
