//! The load of each broker before and after: a bar for its storage, and the numbers.

use super::escape::Text;
use mapper::{BrokerFigures, Bytes, Plan, Snapshot};
use std::fmt;

/// More brokers than this are no picture any more: those that change most are shown.
const SHOWN: usize = 150;

/// One broker, before and after.
type Pair<'p> = (&'p BrokerFigures, &'p BrokerFigures);

pub(super) fn write(
    plan: &Plan,
    snapshot: Option<&Snapshot>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let all: Vec<Pair<'_>> = plan.before.brokers.iter().zip(&plan.after.brokers).collect();
    if all.is_empty() {
        return Ok(());
    }
    let shown = shown(&all);
    let limit = 1.0 - plan.request.terms().storage_headroom.as_f64();
    writeln!(f, "<section>\n<h2>Brokers</h2>")?;
    writeln!(
        f,
        "<p class=\"legend\"><i class=\"before\"></i> before <i class=\"after\"></i> after <i class=\"limit\"></i> limit, {} of the storage</p>",
        percent(Some(limit))
    )?;
    writeln!(f, "<div class=\"wide\">\n<table>\n<thead><tr><th>broker</th>")?;
    if snapshot.is_some() {
        writeln!(f, "<th>rack</th>")?;
    }
    writeln!(
        f,
        "<th class=\"bar\">storage</th><th class=\"n\">used</th><th class=\"n\">replicas</th><th class=\"n\">leaders</th><th class=\"n\">takes in</th><th class=\"n\">gives</th></tr></thead>\n<tbody>"
    )?;
    for pair in &shown {
        row(*pair, snapshot, limit, f)?;
    }
    writeln!(f, "</tbody>\n</table>\n</div>")?;
    if shown.len() < all.len() {
        let more = all.len() - shown.len();
        writeln!(f, "<p class=\"note\">and {more} more that change less</p>")?;
    }
    writeln!(f, "</section>")
}

/// All, in order of id; of many, those that change most.
fn shown<'p>(all: &[Pair<'p>]) -> Vec<Pair<'p>> {
    let mut shown = all.to_vec();
    if shown.len() > SHOWN {
        let change = |(before, after): &Pair<'_>| {
            let used = |figures: &BrokerFigures| figures.used_bytes.unwrap_or_default().0;
            used(after).abs_diff(used(before))
        };
        shown.sort_by_key(|pair| (std::cmp::Reverse(change(pair)), pair.0.id));
        shown.truncate(SHOWN);
        shown.sort_by_key(|pair| pair.0.id);
    }
    shown
}

fn row(
    (before, after): Pair<'_>,
    snapshot: Option<&Snapshot>,
    limit: f64,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let class = if before.live { "" } else { " class=\"lost\"" };
    write!(f, "<tr{class}><th scope=\"row\">{}</th>", before.id)?;
    if let Some(snapshot) = snapshot {
        let rack = snapshot.broker(before.id).and_then(|broker| broker.rack.as_deref());
        write!(f, "<td>{}</td>", Text(rack.unwrap_or("-")))?;
    }
    let (share_before, share_after) = (before.used_ratio(), after.used_ratio());
    match share_before.zip(share_after).filter(|_| before.live) {
        Some((old, new)) => {
            write!(f, "<td class=\"bar\">{}</td>", Bar { old, new, limit })?;
            write!(f, "<td class=\"n\">{}</td>", change(&percent(Some(old)), &percent(Some(new))))?;
        }
        None if before.live => write!(f, "<td class=\"bar\">-</td><td class=\"n\">-</td>")?,
        None => write!(f, "<td class=\"bar\">lost</td><td class=\"n\">-</td>")?,
    }
    write!(f, "<td class=\"n\">{}</td>", count(before.replicas, after.replicas))?;
    write!(f, "<td class=\"n\">{}</td>", count(before.leaders, after.leaders))?;
    write!(f, "<td class=\"n\">{}</td>", amount(after.incoming_bytes))?;
    writeln!(f, "<td class=\"n\">{}</td></tr>", amount(after.outgoing_bytes))
}

/// Storage used before and after, as shares of the whole.
struct Bar {
    old: f64,
    new: f64,
    limit: f64,
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |share: f64| (share.clamp(0.0, 1.0) * 200.0 * 10.0).round() / 10.0;
        let over = if self.new > self.limit { " over" } else { "" };
        let label =
            format!("used {} before, {} after", percent(Some(self.old)), percent(Some(self.new)));
        write!(
            f,
            "<svg viewBox=\"0 0 200 14\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">"
        )?;
        write!(f, "<rect class=\"all\" width=\"200\" height=\"14\"/>")?;
        write!(f, "<rect class=\"before\" y=\"0\" width=\"{}\" height=\"5\"/>", width(self.old))?;
        write!(
            f,
            "<rect class=\"after{over}\" y=\"6\" width=\"{}\" height=\"8\"/>",
            width(self.new)
        )?;
        write!(
            f,
            "<rect class=\"limit\" x=\"{}\" width=\"1.5\" height=\"14\"/></svg>",
            width(self.limit)
        )
    }
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

fn count(before: u64, after: u64) -> String {
    change(&before.to_string(), &after.to_string())
}

/// A change stands out, what stays does not.
fn change(before: &str, after: &str) -> String {
    if before == after { after.to_owned() } else { format!("{before} \u{2192} <b>{after}</b>") }
}

fn amount(bytes: Bytes) -> String {
    if bytes.0 == 0 { "-".to_owned() } else { bytes.to_string() }
}
