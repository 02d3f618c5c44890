//! Cost against size as an SVG: seconds on the left, memory on the right, both axes logarithmic.
//!
//! It writes about a hundred lines of text with numbers. A plotting crate would impose its fonts and its look.

use std::fmt::Write;

use super::cases::Size;
use super::document::{by_size, thousands};
use super::figures::{Figures, OURS, Row};

const WIDTH: f64 = 1080.0;
const HEIGHT: f64 = 520.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 452.0;
/// The least distance between the labels of two lines.
const LABEL: f64 = 14.0;

/// Our lines by case, with their colours. Colour-blind readers can distinguish the palette (Okabe and Ito).
const LINES: [(&str, &str, &str); 5] = [
    ("failed-broker / rebuild", "rebuild", "#0072b2"),
    ("imbalanced / rebalance", "rebalance", "#d55e00"),
    ("imbalanced / rebalance, all", "rebalance, all", "#cc79a7"),
    ("new-brokers / scale", "scale", "#009e73"),
    ("balanced / leaders", "leaders", "#b8860b"),
];
/// The peers' figures for one task: the repair of a lost broker.
const PEERS: [(&str, &str); 2] =
    [("kafka-kit", "kafka-kit, repair"), ("Cruise Control", "Cruise Control, repair")];
const PEER_CASE: &str = "failed-storage";
const GREY: &str = "#8a8f98";

/// One of the two pictures.
struct Panel {
    left: f64,
    right: f64,
    title: &'static str,
    subtitle: &'static str,
    /// The lowest and the highest decade.
    decades: (i32, i32),
    value: fn(&Row) -> Option<f64>,
    goal: fn(Size) -> f64,
    /// Whether to show how P log P would grow.
    guide: bool,
}

/// A line, with its points in the panel's coordinates.
struct Series {
    label: String,
    colour: &'static str,
    dashes: &'static str,
    points: Vec<(f64, f64)>,
}

/// The picture of the baseline.
pub(super) fn svg(figures: &Figures, peers: Option<&Figures>) -> String {
    let panels = [
        Panel {
            left: 64.0,
            right: 400.0,
            title: "CPU seconds",
            subtitle: "ours: the whole process; peers: planning alone; goal: wall time",
            decades: (-3, 2),
            value: |row| row.cpu_seconds,
            goal: |size| size.goal().seconds,
            guide: true,
        },
        Panel {
            left: 604.0,
            right: 920.0,
            title: "Peak memory, MiB",
            subtitle: "the whole process",
            decades: (0, 4),
            value: |row| row.memory_mib,
            goal: |size| size.goal().memory_mib,
            guide: false,
        },
    ];
    let mut svg = format!(
        concat!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" ",
            "height=\"{h}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#24292f\">\n",
            "<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n"
        ),
        w = WIDTH,
        h = HEIGHT
    );
    for panel in &panels {
        panel.draw(&panel.series(figures, peers), &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    fn series(&self, figures: &Figures, peers: Option<&Figures>) -> Vec<Series> {
        let points = |figures: &Figures, tool: &str, case: &str| {
            let rows = by_size(figures, tool, case).into_iter();
            rows.filter(|(_, row)| row.is_valid())
                .filter_map(|(size, row)| {
                    let value = (self.value)(row).filter(|value| *value > 0.0)?;
                    Some((f64::from(size.partitions()), value))
                })
                .collect::<Vec<_>>()
        };
        let goals = Size::ALL.map(|size| (f64::from(size.partitions()), (self.goal)(size)));
        let mut series = vec![grey("goal", "2 4", goals.to_vec())];
        if let Some(peers) = peers {
            let theirs =
                PEERS.map(|(tool, label)| grey(label, "7 4", points(peers, tool, PEER_CASE)));
            series.extend(theirs);
        }
        let ours = LINES.map(|(case, label, colour)| Series {
            label: label.to_owned(),
            colour,
            dashes: "none",
            points: points(figures, OURS, case),
        });
        if let Some(last) = ours[0].points.last().filter(|_| self.guide) {
            series.push(guide(*last));
        }
        series.extend(ours);
        series.retain(|series| !series.points.is_empty());
        series
    }

    fn x(&self, partitions: f64) -> f64 {
        let (low, high) = (100f64.log10(), 1_500_000f64.log10());
        self.left + (partitions.log10() - low) / (high - low) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.decades.0), f64::from(self.decades.1));
        BOTTOM - (value.log10() - low) / (high - low) * (BOTTOM - TOP)
    }

    fn draw(&self, series: &[Series], svg: &mut String) {
        self.axes(svg);
        for series in series {
            let (colour, dashes) = (series.colour, series.dashes);
            let at = |point: &(f64, f64)| format!("{:.1},{:.1}", self.x(point.0), self.y(point.1));
            let points: Vec<String> = series.points.iter().map(at).collect();
            push(
                svg,
                format_args!(
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
                    points.join(" ")
                ),
            );
            for point in &series.points {
                let (x, y) = (self.x(point.0), self.y(point.1));
                push(
                    svg,
                    format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"),
                );
            }
        }
        self.labels(series, svg);
    }

    fn axes(&self, svg: &mut String) {
        let (left, right) = (self.left, self.right);
        text(svg, left, TOP - 34.0, "start", "font-size=\"15\" font-weight=\"600\"", self.title);
        let small = "font-size=\"11\" fill=\"#57606a\"";
        text(svg, left, TOP - 16.0, "start", small, self.subtitle);
        for decade in self.decades.0..=self.decades.1 {
            let value = 10f64.powi(decade);
            let y = self.y(value);
            push(svg, format_args!("<path d=\"M{left} {y:.1}H{right}\" stroke=\"#e4e7eb\"/>"));
            text(svg, left - 8.0, y + 4.0, "end", "", &decimal(value));
        }
        for size in Size::ALL {
            let x = self.x(f64::from(size.partitions()));
            push(svg, format_args!("<path d=\"M{x:.1} {TOP}V{BOTTOM}\" stroke=\"#e4e7eb\"/>"));
            text(svg, x, BOTTOM + 20.0, "middle", "font-weight=\"600\"", size.name());
            text(
                svg,
                x,
                BOTTOM + 36.0,
                "middle",
                "font-size=\"10\"",
                &thousands(size.partitions()),
            );
        }
        text(svg, (left + right) / 2.0, BOTTOM + 56.0, "middle", "fill=\"#57606a\"", "partitions");
    }

    /// The name of each line at its end. Moves names apart that would overlap.
    fn labels(&self, series: &[Series], svg: &mut String) {
        let end = |series: &Series| series.points.last().copied().unwrap_or((1.0, 1.0));
        let mut order: Vec<&Series> = series.iter().collect();
        order.sort_by(|a, b| self.y(end(a).1).total_cmp(&self.y(end(b).1)));
        let mut above = f64::NEG_INFINITY;
        for series in order {
            let (x, y) = (self.x(end(series).0), self.y(end(series).1));
            let at = y.max(above + LABEL);
            above = at;
            let (from, to) = (x + 5.0, self.right + 10.0);
            push(
                svg,
                format_args!(
                    "<path d=\"M{from:.1} {y:.1}L{to:.1} {at:.1}\" stroke=\"{}\" stroke-width=\"0.7\" opacity=\"0.6\"/>",
                    series.colour
                ),
            );
            let look = format!("fill=\"{}\"", series.colour);
            text(svg, to + 3.0, at + 4.0, "start", &look, &series.label);
        }
    }
}

/// The curve of a cost of P log P through a point.
fn guide((partitions, value): (f64, f64)) -> Series {
    let cost = |p: f64| p * p.ln();
    let at = |size: Size| f64::from(size.partitions());
    let points = [Size::L, Size::Xxl].map(at).map(|p| (p, value * cost(p) / cost(partitions)));
    Series {
        label: "P log P".to_owned(),
        colour: "#c0c6ce",
        dashes: "1 3",
        points: points.to_vec(),
    }
}

fn grey(label: &str, dashes: &'static str, points: Vec<(f64, f64)>) -> Series {
    Series { label: label.to_owned(), colour: GREY, dashes, points }
}

fn decimal(value: f64) -> String {
    if value >= 1.0 { thousands(value as u32) } else { value.to_string() }
}

fn push(svg: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{line}");
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, look: &str, words: &str) {
    push(
        svg,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {look}>{words}</text>"
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::python;

    #[test]
    fn a_picture_has_a_line_for_each_tool_with_figures() {
        let peers = Figures::read(&python::script("peers.json")).unwrap();
        let none = Figures { version: 1, about: Vec::new(), figures: Vec::new() };
        // The goals and both peers, in each of two panels.
        assert_eq!(svg(&none, Some(&peers)).matches("<polyline").count(), 6);
        assert_eq!(svg(&none, None).matches("<polyline").count(), 2);
    }
}
