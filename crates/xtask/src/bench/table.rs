//! The table: our figures, and below each the peers' figures for the same cluster.

use std::fmt;

use super::cases::{CASES, Size};
use super::figures::{Answer, Figures, OURS, Quality, Row};

const HEAD: [&str; 14] = [
    "size",
    "case",
    "seconds",
    "cpu s",
    "MiB",
    "GiB moved",
    "moved/bound",
    "own bound",
    "max/mean (floor)",
    "over floor",
    "above/below",
    "leaders",
    "valid",
    "against",
];
const UNKNOWN: &str = "-";
/// Smaller changes of a ratio are rounding noise.
const SAME: f64 = 0.000_5;

/// The result of a case.
pub(super) enum Line {
    Measured(Row),
    /// The binary does not have the command or the flag.
    NotInThisBuild {
        size: Size,
        case: String,
        lacks: String,
    },
}

/// The lines, with everything that they are compared with.
pub(super) struct Table {
    cells: Vec<[String; 14]>,
}

impl Table {
    /// `older` has figures of the same cases, for comparison.
    pub(super) fn of(lines: &[Line], peers: Option<&Figures>, older: Option<&Figures>) -> Self {
        let mut cells = Vec::new();
        for line in lines {
            match line {
                Line::Measured(row) => {
                    let old = older.and_then(|older| {
                        older
                            .figures
                            .iter()
                            .find(|old| old.size == row.size && old.case == row.case)
                    });
                    cells.push(ours(row, old));
                    let peers = peers.map(|peers| beside(row, peers)).unwrap_or_default();
                    cells.extend(peers.into_iter().map(|peer| theirs(row, peer)));
                }
                Line::NotInThisBuild { size, case, lacks } => {
                    let mut line = [size.name(), case].map(str::to_owned).to_vec();
                    line.resize(13, UNKNOWN.to_owned());
                    line.push(format!("not in this build: {lacks}"));
                    cells.extend(<[String; 14]>::try_from(line));
                }
            }
        }
        Self { cells }
    }

    /// The same as a Markdown table, without the columns that only a comparison needs.
    pub(super) fn markdown(&self) -> String {
        let row = |cells: &[String; 14]| format!("| {} |\n", cells[1..].join(" | "));
        let rule = format!("|---|{}\n", "---:|".repeat(10) + "---|---|");
        let head = row(&HEAD.map(str::to_owned));
        head + &rule + &self.cells.iter().map(row).collect::<String>()
    }
}

/// The peers' figures for the same task.
fn beside<'a>(row: &Row, peers: &'a Figures) -> Vec<&'a Row> {
    let case = CASES.iter().find(|case| case.name() == row.case);
    let (Some(case), Some(size)) = (case, row.size()) else { return Vec::new() };
    case.peers.iter().flat_map(|name| peers.of(size, name)).collect()
}

fn ours(row: &Row, old: Option<&Row>) -> [String; 14] {
    let mut cells = common(row);
    cells[1].clone_from(&row.case);
    if let Some(goal) = row.size().map(|size| size.goal_of(&row.case)) {
        let mark = |cell: &mut String, over: bool| cell.push_str(if over { "!" } else { "" });
        mark(&mut cells[2], row.seconds.is_some_and(|seconds| seconds > goal.seconds));
        mark(&mut cells[4], row.memory_mib.is_some_and(|mib| mib > goal.memory_mib));
    }
    if let Some(old) = old {
        cells[13] = against(row, old);
    }
    cells
}

fn theirs(ours: &Row, peer: &Row) -> [String; 14] {
    let mut cells = common(peer);
    cells[0].clear();
    cells[1] = format!("· {} {}", peer.tool, peer.case);
    let times = |theirs: Option<f64>, ours: Option<f64>, what: &str| {
        let (theirs, ours) = (theirs.filter(|theirs| *theirs > 0.0)?, ours?);
        Some(format!("{what} {}", times(theirs / ours)))
    };
    let ratios = [
        times(peer.cpu_seconds, ours.cpu_seconds, "cpu"),
        times(peer.memory_mib, ours.memory_mib, "memory"),
    ];
    if !matches!(peer.answer, Answer::NoPlan { .. }) {
        cells[13] = ratios.into_iter().flatten().collect::<Vec<_>>().join(", ");
    }
    cells
}

fn common(row: &Row) -> [String; 14] {
    let mut cells = [UNKNOWN; 14].map(str::to_owned);
    cells[0].clone_from(&row.size);
    let number = |value: Option<f64>, digits| value.map(|value| format!("{value:.digits$}"));
    for (cell, value) in [
        (2, number(row.seconds, 3)),
        (3, number(row.cpu_seconds, if row.tool == OURS { 3 } else { 2 })),
        (4, number(row.memory_mib, 0)),
    ] {
        cells[cell] = value.unwrap_or_else(|| UNKNOWN.to_owned());
    }
    cells[13].clear();
    match &row.answer {
        Answer::Plan(quality) => plan(quality, &mut cells),
        Answer::NoPlan { no_plan, right } => {
            cells[12] = if *right { "no plan (right)" } else { "no plan" }.to_owned();
            cells[13].clone_from(no_plan);
        }
    }
    cells
}

fn plan(quality: &Quality, cells: &mut [String; 14]) {
    let ratio =
        |ratio: Option<f64>| ratio.map_or(UNKNOWN.to_owned(), |ratio| format!("{ratio:.3}"));
    cells[5] = format!("{:.0}", quality.gib_moved);
    cells[6] = ratio(quality.move_ratio);
    cells[7] = ratio(quality.own_ratio);
    cells[8] = format!("{:.3} ({:.3})", quality.max_over_mean, quality.floor);
    cells[9] = percent(quality.over_floor());
    cells[10] = format!("{} / {}", percent(quality.above), percent(quality.below));
    cells[11] = format!("{:.3}", quality.leaders);
    cells[12] = quality.errors.as_ref().map_or("yes".to_owned(), |errors| format!("NO {errors}"));
}

/// The changes since the older figures.
fn against(row: &Row, old: &Row) -> String {
    let mut said = Vec::new();
    for (what, new, old) in
        [("cpu", row.cpu_seconds, old.cpu_seconds), ("memory", row.memory_mib, old.memory_mib)]
    {
        if let (Some(new), Some(old)) = (new, old.filter(|old| *old > 0.0)) {
            said.push(format!("{what} {}", times(new / old)));
        }
    }
    match (&row.answer, &old.answer) {
        (Answer::Plan(new), Answer::Plan(old)) => {
            let figures = [
                ("moved/bound", new.move_ratio.unwrap_or(0.0), old.move_ratio.unwrap_or(0.0)),
                ("over floor", new.over_floor(), old.over_floor()),
                ("above", new.above, old.above),
                ("below", new.below, old.below),
                ("leaders", new.leaders, old.leaders),
            ];
            for (what, new, old) in figures {
                if (new - old).abs() > SAME {
                    said.push(format!("{what} {old:.3} -> {new:.3}"));
                }
            }
        }
        (Answer::NoPlan { no_plan, .. }, Answer::NoPlan { .. }) => said.push(no_plan.clone()),
        (Answer::Plan(_), Answer::NoPlan { .. }) => said.push("there was no plan".to_owned()),
        (Answer::NoPlan { no_plan, .. }, Answer::Plan(_)) => {
            said.push(format!("there was a plan; {no_plan}"));
        }
    }
    said.join(", ")
}

fn times(ratio: f64) -> String {
    if ratio < 9.95 { format!("{ratio:.2}x") } else { format!("{ratio:.0}x") }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = HEAD.map(str::to_owned);
        let all = || std::iter::once(&head).chain(&self.cells);
        let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 14] = std::array::from_fn(width);
        for row in all() {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                let cell = match column {
                    0 | 1 | 12 | 13 => format!("{cell:<width$}  "),
                    _ => format!("{cell:>width$}  "),
                };
                line.push_str(&cell);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tool: &str, case: &str, cpu_seconds: f64, moved: f64) -> Row {
        let quality = Quality {
            errors: None,
            gib_moved: 10.0,
            replicas_moved: 3,
            move_ratio: Some(moved),
            own_ratio: None,
            max_over_mean_before: 1.5,
            max_over_mean: 1.05,
            floor: 1.0,
            above: 0.05,
            below: 0.0,
            leaders: 1.1,
        };
        Row {
            tool: tool.to_owned(),
            size: "M".to_owned(),
            case: case.to_owned(),
            seconds: Some(cpu_seconds),
            cpu_seconds: Some(cpu_seconds),
            memory_mib: Some(10.0),
            answer: Answer::Plan(quality),
        }
    }

    fn file(rows: Vec<Row>) -> Figures {
        Figures { version: 1, about: Vec::new(), figures: rows }
    }

    #[test]
    fn a_line_stands_above_its_peers_and_beside_its_baseline() {
        let case = "full-broker / rebalance";
        let peers = file(vec![row("kafka-kit", "rebalance-full", 2.0, 1.2)]);
        let older = file(vec![row(OURS, case, 0.02, 1.0)]);
        let lines = [Line::Measured(row(OURS, case, 0.04, 1.1))];
        let cells = Table::of(&lines, Some(&peers), Some(&older)).cells;
        assert_eq!(cells[0][2], "0.040!", "over the goal of 20 ms");
        assert_eq!(cells[0][9], "5.0 %");
        assert_eq!(cells[0][13], "cpu 2.00x, memory 1.00x, moved/bound 1.000 -> 1.100");
        assert_eq!(cells[1][1], "· kafka-kit rebalance-full");
        assert_eq!(cells[1][13], "cpu 50x, memory 1.00x");
    }

    #[test]
    fn a_command_that_the_binary_lacks_is_named() {
        let lacks = "scale".to_owned();
        let line = Line::NotInThisBuild { size: Size::S, case: "c".to_owned(), lacks };
        let table = Table::of(&[line], None, None);
        assert!(table.to_string().ends_with("not in this build: scale\n"));
    }
}
