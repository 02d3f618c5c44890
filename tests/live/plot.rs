//! Lines over time as SVG. Each line has a label, so a reader need not distinguish colours.

use std::fmt::Write;

/// A line: its label, its style, and its points (x, y).
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    /// A CSS colour.
    pub(crate) colour: &'a str,
    /// Dashed lines are targets; solid lines are measurements.
    pub(crate) dashed: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A panel of a figure: lines over the same seconds.
pub(crate) struct Panel<'a> {
    pub(crate) title: String,
    pub(crate) lines: Vec<Line<'a>>,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 34.0;
const PLOT: (f64, f64) = (640.0, 120.0);

/// Panels below each other on the same scales, so that a reader can compare lengths and heights.
pub(crate) fn svg(unit: &str, panels: &[Panel<'_>]) -> String {
    let points = || panels.iter().flat_map(|p| &p.lines).flat_map(|line| &line.points);
    let last = points().map(|(x, _)| *x).fold(1.0, f64::max);
    let highest = points().map(|(_, y)| *y).fold(1.0, f64::max);
    let total = HEIGHT * panels.len() as f64 + 20.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {total}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{total}\" fill=\"white\"/>\n"
    );
    for (i, panel) in panels.iter().enumerate() {
        let top = HEIGHT * i as f64;
        draw(&mut out, panel, (LEFT, top + TOP), (PLOT.0 / last, PLOT.1 / highest));
        scale(&mut out, unit, (LEFT, top + TOP), last, highest);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, panel: &Panel<'_>, (left, top): (f64, f64), scale: (f64, f64)) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}</text>",
        top - 14.0,
        panel.title
    );
    for (i, line) in panel.lines.iter().enumerate() {
        let at = |(x, y): &(f64, f64)| {
            format!("{:.1},{:.1}", left + x * scale.0, top + PLOT.1 - y * scale.1)
        };
        let points: Vec<String> = line.points.iter().map(at).collect();
        let dashes = if line.dashed { " stroke-dasharray=\"5 3\"" } else { "" };
        let (colour, key) = (line.colour, left + PLOT.0 + 14.0);
        let y = top + 10.0 + 20.0 * i as f64;
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"{dashes} points=\"{}\"/>\n\
             <line x1=\"{key}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>\n\
             <text x=\"{}\" y=\"{}\">{}</text>",
            points.join(" "),
            key + 24.0,
            key + 30.0,
            y + 4.0,
            line.name
        );
    }
}

fn scale(out: &mut String, unit: &str, (left, top): (f64, f64), last: f64, highest: f64) {
    let (right, bottom) = (left + PLOT.0, top + PLOT.1);
    let _ = writeln!(
        out,
        "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>\n\
         <text x=\"{x}\" y=\"{high}\" text-anchor=\"end\">{highest:.0}</text>\n\
         <text x=\"{x}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n\
         <text x=\"{x}\" y=\"{middle}\" text-anchor=\"end\">{unit}</text>\n\
         <text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">{last:.0} s</text>",
        x = left - 6.0,
        high = top + 10.0,
        middle = (top + bottom) / 2.0,
        below = bottom + 16.0
    );
}
