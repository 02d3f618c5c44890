//! A plan as one HTML page that needs nothing else: no script, no font, no picture.
//!
//! The same plan gives the same bytes. Every name is escaped.

mod brokers;
mod escape;
mod tables;

use super::changes::{self, TopicChange};
use super::steps;
use super::transfer::Transfer;
use escape::Text;
use mapper::{Plan, Snapshot, Violation};
use std::fmt;

const STYLE: &str = include_str!("page.css");

/// More moves than this make a page that no browser scrolls well.
const MOVES: usize = 10_000;

/// The page of one plan.
pub(crate) struct Page<'a> {
    pub(crate) plan: &'a Plan,
    /// What it was made from, where that is at hand; tells racks, and the promises that are broken.
    pub(crate) snapshot: Option<(&'a Snapshot, Vec<Violation>)>,
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.title();
        let title = Text(&title);
        writeln!(f, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
        writeln!(f, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
        writeln!(f, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>")?;
        self.write_head(f)?;
        self.write_summary(f)?;
        if !self.plan.left_out.is_empty() {
            tables::left_out(&self.plan.left_out, f)?;
        }
        brokers::write(self.plan, self.snapshot(), f)?;
        self.write_topics(f)?;
        tables::steps(&steps::each(self.plan), f)?;
        tables::moves(self.plan, MOVES, f)?;
        writeln!(f, "</main>\n</body>\n</html>")
    }
}

impl Page<'_> {
    fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref().map(|(snapshot, _)| *snapshot)
    }

    fn title(&self) -> String {
        let cluster = self.plan.cluster_id.as_deref().unwrap_or("a cluster of unknown id");
        format!("{} of {cluster}", self.plan.request.command())
    }

    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cluster = self.plan.cluster_id.as_deref().unwrap_or("of unknown id");
        writeln!(f, "<header>\n<p class=\"kind\">Plan</p>")?;
        let command = Text(self.plan.request.command());
        writeln!(f, "<h1>{command} <small>of cluster {}</small></h1>", Text(cluster))?;
        if let Some(at) = self.snapshot().and_then(Snapshot::captured_at) {
            writeln!(f, "<p>Captured <time>{}</time></p>", Text(at))?;
        }
        let hash = self.plan.snapshot.to_string();
        writeln!(f, "<p class=\"hash\">{}</p>\n</header>", Text(&hash))?;
        self.write_verdict(f)
    }

    /// The check's opinion, first of all.
    fn write_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((_, broken)) = &self.snapshot else {
            return writeln!(
                f,
                "<p class=\"note\">Not checked: name the snapshot (--snapshot) to have every promise verified.</p>"
            );
        };
        if broken.is_empty() {
            return writeln!(f, "<p class=\"good\">\u{2713} Keeps every promise.</p>");
        }
        let count = broken.len();
        let promises = local::words::counted(count, "promise");
        writeln!(
            f,
            "<section class=\"bad\">\n<h2>\u{2717} Breaks {promises}: do not carry it out</h2>"
        )?;
        writeln!(f, "<ul>")?;
        for violation in broken.iter().take(super::report::LONG) {
            writeln!(f, "<li>{}</li>", Text(&violation.to_string()))?;
        }
        if count > super::report::LONG {
            writeln!(
                f,
                "<li>and {} more (topicmappr plan check)</li>",
                count - super::report::LONG
            )?;
        }
        writeln!(f, "</ul>\n</section>")
    }

    fn write_summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (&self.plan.before, &self.plan.after);
        writeln!(f, "<section>\n<h2>Summary</h2>\n<dl>")?;
        for (name, value) in Transfer::of(self.plan, self.snapshot()).lines() {
            term(f, name, &value)?;
        }
        let percent = |ratio: f64| format!("{:.2} %", ratio * 100.0);
        let pairs = [
            ("fullest broker", before.max_used_ratio.zip(after.max_used_ratio)),
            ("emptiest broker", before.min_used_ratio.zip(after.min_used_ratio)),
        ];
        for (name, pair) in pairs {
            if let Some((before, after)) = pair {
                term(f, name, &format!("{} \u{2192} {}", percent(before), percent(after)))?;
            }
        }
        if let Some(floor) = self.plan.floor {
            let least = percent(floor.max_used_ratio);
            term(f, "no plan below", &format!("{least} on the fullest broker"))?;
        }
        if before.rack_violations > 0 || after.rack_violations > 0 {
            let (before, after) = (before.rack_violations, after.rack_violations);
            let before = local::words::counted(before, "partition");
            term(f, "rack rule", &format!("broken by {before} before, {after} after"))?;
        }
        if before.lost_replicas > 0 || after.lost_replicas > 0 {
            let (before, after) = (before.lost_replicas, after.lost_replicas);
            term(f, "lost replicas", &format!("{before} \u{2192} {after}"))?;
        }
        writeln!(f, "</dl>\n</section>")
    }

    fn write_topics(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics: Vec<TopicChange> = changes::by_topic(self.plan, self.snapshot());
        tables::topics(&topics, f)
    }
}

fn term(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "<div><dt>{}</dt><dd>{}</dd></div>", Text(name), Text(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::{BrokerId, RackRule, Ratio, Replace, TopicSelection};

    const CLUSTER: &[u8] =
        br#"{"version":1,"cluster_id":"<script>alert(1)</script><i>&","brokers":[
        {"id":1,"rack":"\"a\"","storage_total_bytes":100,"storage_free_bytes":50},
        {"id":2,"rack":"a","storage_total_bytes":100,"storage_free_bytes":100}],
        "topics":[{"name":"t","partitions":[
            {"id":0,"replicas":[1],"size_bytes":50}]}]}"#;

    #[test]
    fn a_page_needs_nothing_beside_it_and_takes_no_name_for_markup() {
        let snapshot = Snapshot::from_json(CLUSTER).unwrap();
        let headroom = Ratio::from_percent(10);
        let request = Replace::new(
            TopicSelection::Rest,
            BrokerId(1),
            BrokerId(2),
            RackRule::Spread,
            headroom,
        );
        let plan = mapper::replace(&snapshot, &request).unwrap();
        let broken = mapper::check(&snapshot, &plan);
        let page = Page { plan: &plan, snapshot: Some((&snapshot, broken)) }.to_string();
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&lt;i&gt;&amp;"), "{page}");
        assert!(page.contains("t-0") && page.contains("Keeps every promise"));
        for outside in ["<script", "http:", "https:", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside} in {page}");
        }
        assert!(page.contains("<del>1</del>") && page.contains("<ins>2</ins>"));
    }
}
