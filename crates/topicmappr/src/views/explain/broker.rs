//! What becomes of one broker.

use super::{answer, known, percent};
use crate::views::heading;
use crate::views::report::LONG;
use crate::views::table::Table;
use local::words::counted;
use mapper::explain::{BrokerExplained, Passing, PlacedReplicas};
use mapper::{BrokerFigures, Bytes};
use std::fmt;

pub(super) fn write(one: &BrokerExplained, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "Broker {}", one.broker)?;
    if let Some(rack) = &one.rack {
        write!(f, " ({rack})")?;
    }
    writeln!(f, "{}", if one.live { "" } else { ", lost" })?;
    if let (Some(before), Some(after)) = (&one.before, &one.after) {
        write_load(before, after, f)?;
    }
    if let (Some(limit), Some(peak), Some(step)) = (one.limit_bytes, one.peak_bytes, one.peak_step)
    {
        writeln!(f, "  limit     {limit}; at most {peak} in use, in step {step}")?;
    }
    write_passing("Takes", &one.takes, f)?;
    write_passing("Gives", &one.gives, f)?;
    write_placed(one, &one.placed, f)
}

fn write_load(
    before: &BrokerFigures,
    after: &BrokerFigures,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    writeln!(f, "  replicas  {} -> {}", before.replicas, after.replicas)?;
    writeln!(f, "  leaders   {} -> {}", before.leaders, after.leaders)?;
    if before.live {
        writeln!(
            f,
            "  used      {} -> {}, {} -> {}",
            known(before.used_bytes),
            known(after.used_bytes),
            percent(before.used_ratio()),
            percent(after.used_ratio())
        )?;
    }
    Ok(())
}

fn write_passing(what: &str, all: &[Passing], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    let bytes: Bytes = all.iter().map(|passing| passing.bytes).sum();
    heading(f, &format!("{what} {}, {bytes}", counted(all.len(), "replica")))?;
    let mut largest: Vec<&Passing> = all.iter().collect();
    if all.len() > FEW {
        largest.sort_by_key(|passing| std::cmp::Reverse(passing.bytes));
    }
    let rows = largest.iter().take(FEW).map(|passing| {
        [
            passing.of.to_string(),
            passing.reason.as_str().to_owned(),
            passing.bytes.to_string(),
            passing.index.to_string(),
        ]
    });
    Table::write(f, ["partition", "why", ">bytes", ">move"], rows)?;
    if all.len() > FEW {
        writeln!(f, "  and {} smaller; --output json names them all", all.len() - FEW)?;
    }
    Ok(())
}

/// So many replicas tell what goes on.
const FEW: usize = LONG / 2;

fn write_placed(
    one: &BrokerExplained,
    placed: &PlacedReplicas,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    if placed.replicas == 0 {
        return Ok(());
    }
    let count = counted(placed.replicas, "replica");
    heading(
        f,
        &format!(
            "Why not more: of {count} that the plan copies, {} gets {}",
            one.broker, placed.here
        ),
    )?;
    if placed.elsewhere.is_empty() {
        return Ok(());
    }
    let rows = placed.elsewhere.iter().map(|verdict| {
        [verdict.replicas.to_string(), answer(&verdict.answer), verdict.first.to_string()]
    });
    Table::write(f, [">replicas", "answer, of the first", "first"], rows)
}
