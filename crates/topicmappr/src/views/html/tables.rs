//! The tables of the page: topics, steps, moves, and what is left out.

use super::super::changes::TopicChange;
use super::super::left_out::{cure, why};
use super::super::nothing;
use super::super::steps::StepView;
use super::escape::Text;
use local::words::{counted, listed};
use mapper::{BrokerId, LeftOut, Move, Plan, joined};
use std::fmt;

/// A browser lays out so many moves at once, and the others when they come into view.
const PART: usize = 250;

/// A section with a table; a column whose name starts with `>` holds numbers.
fn table(
    title: &str,
    columns: &[&str],
    f: &mut fmt::Formatter<'_>,
    rows: impl FnOnce(&mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    writeln!(f, "<section>\n<h2>{}</h2>", Text(title))?;
    part("wide", columns, f, rows)?;
    writeln!(f, "</section>")
}

/// A table by itself.
fn part(
    class: &str,
    columns: &[&str],
    f: &mut fmt::Formatter<'_>,
    rows: impl FnOnce(&mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    writeln!(f, "<div class=\"{class}\">\n<table>\n<thead><tr>")?;
    for column in columns {
        match column.strip_prefix('>') {
            Some(name) => writeln!(f, "<th class=\"n\">{}</th>", Text(name))?,
            None => writeln!(f, "<th>{}</th>", Text(column))?,
        }
    }
    writeln!(f, "</tr></thead>\n<tbody>")?;
    rows(f)?;
    writeln!(f, "</tbody>\n</table>\n</div>")
}

fn row<'c>(
    columns: &[&str],
    cells: impl IntoIterator<Item = &'c str>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.write_str("<tr>")?;
    for (column, cell) in columns.iter().zip(cells) {
        let class = if column.starts_with('>') { " class=\"n\"" } else { "" };
        write!(f, "<td{class}>{}</td>", Text(cell))?;
    }
    writeln!(f, "</tr>")
}

pub(super) fn left_out(all: &[LeftOut], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const COLUMNS: [&str; 4] = ["partition", "replicas", "why", "what heals it"];
    let title = format!("Not planned: {}", counted(all.len(), "partition"));
    table(&title, &COLUMNS, f, |f| {
        for left in all {
            let cells = [
                format!("{}-{}", left.topic, left.partition),
                listed(&left.replicas),
                why(&left.why),
                cure(&left.why),
            ];
            row(&COLUMNS, cells.iter().map(String::as_str), f)?;
        }
        Ok(())
    })
}

pub(super) fn topics(all: &[TopicChange], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const COLUMNS: [&str; 6] = ["map", "topic", ">partitions", ">replicas", ">bytes", "why"];
    if all.is_empty() {
        return Ok(());
    }
    table("Topics that change", &COLUMNS, f, |f| {
        for topic in all {
            row(&COLUMNS, topic.cells().iter().map(String::as_str), f)?;
        }
        Ok(())
    })
}

pub(super) fn steps(all: &[StepView], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const COLUMNS: [&str; 5] = [">step", ">partitions", ">replicas", ">bytes", "worst broker"];
    if all.len() < 2 {
        return Ok(());
    }
    table("Steps", &COLUMNS, f, |f| {
        for step in all {
            row(&COLUMNS, step.row().iter().map(String::as_str), f)?;
        }
        Ok(())
    })
}

pub(super) fn moves(plan: &Plan, most: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const COLUMNS: [&str; 6] = [">move", "partition", "from", "to", "why", ">bytes"];
    if plan.moves.is_empty() {
        return writeln!(f, "<p class=\"good\">Nothing moves: {}.</p>", nothing::why(plan));
    }
    let count = plan.moves.len();
    writeln!(f, "<section>\n<h2>Moves: {count}</h2>")?;
    let shown: Vec<(usize, &Move)> = plan.moves.iter().enumerate().take(most).collect();
    for moves in shown.chunks(PART) {
        part("wide part", &COLUMNS, f, |f| {
            moves.iter().try_for_each(|(index, change)| one(*index, change, f))
        })?;
    }
    writeln!(f, "</section>")?;
    if count > most {
        let more = count - most;
        writeln!(f, "<p class=\"note\">and {more} more: topicmappr plan show PLAN --moves</p>")?;
    }
    Ok(())
}

/// What goes and what comes stands out.
fn one(index: usize, change: &Move, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "<tr><td class=\"n\">{index}</td><td>{}</td>", Text(&change.of().to_string()))?;
    write!(f, "<td>{}</td>", marked(&change.from, &change.to, "del"))?;
    write!(f, "<td>{}</td>", marked(&change.to, &change.from, "ins"))?;
    let bytes = change.bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string());
    writeln!(f, "<td>{}</td><td class=\"n\">{bytes}</td></tr>", change.reason.as_str())
}

/// The brokers of a list, those that the other lacks marked.
fn marked(list: &[BrokerId], other: &[BrokerId], mark: &str) -> String {
    joined(list.iter().map(|id| match other.contains(id) {
        true => id.to_string(),
        false => format!("<{mark}>{id}</{mark}>"),
    }))
}
