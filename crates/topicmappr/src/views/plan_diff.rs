//! Two plans side by side: what differs, and what each comes to.

use super::report::LONG;
use super::table::Table;
use super::{heading, more};
use local::words::counted;
use mapper::{
    BrokerDiff, BrokerFigures, BrokerId, Bytes, Differs, PlanChange, PlanDiff, PlanDifference,
    PlanSide, Replicas,
};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// What `plan diff` shows.
#[derive(Debug, Serialize)]
pub(crate) struct PlanDiffView<'a> {
    #[serde(rename = "a_file")]
    pub(crate) a: &'a Path,
    #[serde(rename = "b_file")]
    pub(crate) b: &'a Path,
    #[serde(flatten)]
    pub(crate) diff: PlanDiff,
}

impl fmt::Display for PlanDiffView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlanDiff { same, same_snapshot, a, b, differences, brokers } = &self.diff;
        writeln!(f, "A: {}, {}", self.a.display(), origin(a))?;
        writeln!(f, "B: {}, {}", self.b.display(), origin(b))?;
        if *same_snapshot == Some(false) {
            writeln!(
                f,
                "They were made from different snapshots: the cluster changed between them."
            )?;
        }
        if *same {
            return writeln!(f, "Both do the same with {}.", counted(a.partitions, "partition"));
        }
        write_differences(differences, f)?;
        write_sums(a, b, f)?;
        write_brokers(brokers, f)
    }
}

fn origin(side: &PlanSide) -> String {
    match (side.command, &side.cluster_id) {
        (Some(command), Some(cluster)) => format!("{command} of cluster {cluster}"),
        (Some(command), None) => format!("{command} of a cluster of unknown id"),
        (None, _) => "another tool's partition map".to_owned(),
    }
}

fn write_differences(differences: &[PlanDifference], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    heading(f, &format!("Differences: {}", counted(differences.len(), "partition")))?;
    let columns = ["partition", "what", "from", "in A", "in B", ">bytes A", ">bytes B"];
    let rows = differences.iter().take(LONG).map(|one| {
        [
            format!("{}-{}", one.topic, one.partition),
            words(one.differs).to_owned(),
            start(one),
            target(one, one.a.as_ref()),
            target(one, one.b.as_ref()),
            bytes(one.a.as_ref()),
            bytes(one.b.as_ref()),
        ]
    });
    Table::write(f, columns, rows)?;
    more(f, differences.len(), LONG, "")
}

fn words(differs: Differs) -> &'static str {
    match differs {
        Differs::OnlyInA => "only in A",
        Differs::OnlyInB => "only in B",
        Differs::OtherBrokers => "other brokers",
        Differs::OtherOrder => "other order",
        Differs::OtherStart => "other start",
        Differs::OtherLogDirs => "other log dirs",
        Differs::OtherStep => "other step",
    }
}

fn start(one: &PlanDifference) -> String {
    let of = |side: &Option<PlanChange>| side.as_ref().and_then(|change| change.from.clone());
    let list = |from: Option<Replicas>| from.map_or_else(|| "unknown".to_owned(), |f| joined(&f));
    match (of(&one.a), of(&one.b)) {
        (Some(a), Some(b)) if a != b => format!("{} | {}", joined(&a), joined(&b)),
        (a, b) => list(a.or(b)),
    }
}

fn target(one: &PlanDifference, change: Option<&PlanChange>) -> String {
    let Some(change) = change else {
        return "-".to_owned();
    };
    match one.differs {
        Differs::OtherStep => format!("step {}", mapper::joined(&change.steps)),
        Differs::OtherLogDirs => change.log_dirs.join(" "),
        _ => joined(&change.to),
    }
}

/// Without blanks, so that a list is not broken over lines.
fn joined(list: &[BrokerId]) -> String {
    let ids: Vec<String> = list.iter().map(ToString::to_string).collect();
    ids.join(",")
}

fn bytes(change: Option<&PlanChange>) -> String {
    match change {
        None => "-".to_owned(),
        Some(change) => amount(change.bytes),
    }
}

fn amount(bytes: Option<Bytes>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string())
}

fn write_sums(a: &PlanSide, b: &PlanSide, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    heading(f, "Totals")?;
    let mut table = Table::new(&["", ">A", ">B"]);
    let mut row = |name: &str, value: &dyn Fn(&PlanSide) -> String| {
        let (a, b) = (value(a), value(b));
        if (a.as_str(), b.as_str()) != ("-", "-") {
            table.row([name.to_owned(), a, b]);
        }
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let percent =
        |ratio: Option<f64>| or_dash(ratio.map(|ratio| format!("{:.2} %", ratio * 100.0)));
    row("partitions changed", &|side| side.partitions.to_string());
    row("replicas copied", &|side| or_dash(side.replicas.map(|count| count.to_string())));
    row("bytes copied", &|side| amount(side.moved_bytes));
    row("bytes at least", &|side| or_dash(side.bound_bytes.map(|bytes| bytes.to_string())));
    row("steps", &|side| side.steps.to_string());
    row("fullest broker after", &|side| percent(side.max_used_ratio));
    row("emptiest broker after", &|side| percent(side.min_used_ratio));
    row("rack rule broken after", &|side| or_dash(side.rack_violations.map(|n| n.to_string())));
    row("replicas lost after", &|side| or_dash(side.lost_replicas.map(|n| n.to_string())));
    f.write_str(&table.render())
}

fn write_brokers(brokers: &[BrokerDiff], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let columns = ["broker", ">replicas", ">leaders", ">used", ">takes in"];
    let name = "Brokers that end differently, A | B";
    Table::section(f, name, columns, (brokers, LONG, "broker"), |broker| {
        let pair = |value: &dyn Fn(&BrokerFigures) -> String| {
            let one = |side: &Option<BrokerFigures>| side.as_ref().map_or("-".to_owned(), value);
            format!("{} | {}", one(&broker.a), one(&broker.b))
        };
        [
            broker.id.to_string(),
            pair(&|figures| figures.replicas.to_string()),
            pair(&|figures| figures.leaders.to_string()),
            pair(&|figures| amount(figures.used_bytes)),
            pair(&|figures| figures.incoming_bytes.to_string()),
        ]
    })
}
