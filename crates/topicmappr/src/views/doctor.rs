//! `doctor`: one screen.

use super::next::folded_after;
use super::{Ink, more};
use crate::doctor::{DoctorFinding, Needs, OtherFacts, Severity, UnknownFact};
use crate::flags::Global;
use local::words::{counted, few, quoted, ranges};
use mapper::{BrokerId, DiskForecast, Snapshot, TopicPartition};
use serde::Serialize;
use std::fmt;

/// The most names in a line; more are counted.
const NAMES: usize = 4;
/// The width of the narrowest terminal.
const WIDTH: usize = 78;
/// The most lines about facts that are not known; more are counted.
const UNTOLD: usize = 6;

/// What is wrong, and what is known of the cluster at all.
#[derive(Debug, Serialize)]
pub(crate) struct DoctorView {
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    captured_at: Option<String>,
    brokers: usize,
    live_brokers: usize,
    topics: usize,
    partitions: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    quorum: Option<QuorumView>,
    findings: Vec<DoctorFinding>,
    /// When disks will be full.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disks: Vec<DiskForecast>,
    /// Facts that are not known, so that they are not checked.
    untold: Vec<UnknownFact>,
    #[serde(skip)]
    of_cluster: Vec<(&'static str, String)>,
    #[serde(skip)]
    of_maps: Vec<(&'static str, String)>,
}

#[derive(Debug, Serialize)]
struct QuorumView {
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<BrokerId>,
    voters: Vec<BrokerId>,
}

impl DoctorView {
    pub(crate) fn of(
        snapshot: &Snapshot,
        around: &OtherFacts,
        findings: Vec<DoctorFinding>,
        global: &Global,
    ) -> Self {
        let topics = snapshot.topics();
        let registered = snapshot.brokers().iter();
        let quorum = around.live.as_ref().and_then(|live| live.quorum());
        let quorum = quorum.map(|(leader, voters)| QuorumView { leader, voters });
        Self {
            version: 1,
            cluster_id: snapshot.cluster_id().map(str::to_owned),
            captured_at: snapshot.captured_at().map(str::to_owned),
            brokers: snapshot.known_brokers().len(),
            live_brokers: registered.filter(|broker| broker.live).count(),
            topics: topics.len(),
            partitions: topics.iter().map(|topic| topic.partitions.len()).sum(),
            quorum,
            findings,
            disks: around.forecast.as_ref().map(|it| it.disks.clone()).unwrap_or_default(),
            untold: around.unread.clone(),
            of_cluster: global.source.words(),
            of_maps: global.maps.words(),
        }
    }

    /// Whether all findings are only notices.
    pub(crate) fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Notice)
    }
}

impl fmt::Display for DoctorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.cluster_id.as_deref().unwrap_or("without an id");
        writeln!(f, "Cluster {name}")?;
        let (live, all) = (self.live_brokers, counted(self.brokers, "broker"));
        let (topics, partitions) =
            (counted(self.topics, "topic"), counted(self.partitions, "partition"));
        writeln!(f, "  {live} of {all} live, {topics}, {partitions}")?;
        if let Some(QuorumView { leader, voters }) = &self.quorum {
            let leader = leader.map_or("none".to_owned(), |id| id.to_string());
            writeln!(f, "  controllers: {leader} leads of {}", ranges(voters))?;
        }
        writeln!(f)?;
        if self.findings.is_empty() {
            match self.untold.is_empty() {
                true => writeln!(f, "All is well.")?,
                false => writeln!(f, "No problem found in what is known.")?,
            }
        }
        self.findings.iter().try_for_each(|finding| self.finding(f, finding))?;
        self.gaps(f)
    }
}

impl DoctorView {
    fn finding(&self, f: &mut fmt::Formatter<'_>, finding: &DoctorFinding) -> fmt::Result {
        let word = match finding.severity {
            Severity::Critical => Ink::Error("CRITICAL"),
            Severity::Warning => Ink::Warning("warning "),
            Severity::Notice => Ink::Heading("notice  "),
        };
        fmt::Display::fmt(&word, f)?;
        let names = some(&finding.partitions, &finding.topics);
        let said = match names.is_empty() {
            true => finding.message.clone(),
            false => format!("{}: {names}", finding.message),
        };
        wrapped(f, &said, "  ")?;
        if let Some(hint) = &finding.hint {
            f.write_str("        ")?;
            wrapped(f, hint, "  ")?;
        }
        if let Some(command) = &finding.command {
            let command = format!("topicmappr {command}{}", self.flags(finding.needs));
            let folded = folded_after("          run:", &command, "            ", WIDTH);
            writeln!(f, "{folded}")?;
        }
        Ok(())
    }

    /// The flags that complete a command, so that it can be pasted.
    fn flags(&self, needs: Needs) -> String {
        let servers = |(flag, _): &&(&str, String)| *flag != "--snapshot";
        let cluster: Vec<&(&str, String)> = match needs {
            Needs::Live => self.of_cluster.iter().filter(servers).collect(),
            Needs::Facts | Needs::Maps => self.of_cluster.iter().collect(),
        };
        let unnamed = cluster.is_empty().then_some(" --bootstrap-server HOST:PORT".to_owned());
        let maps = self.of_maps.iter().filter(|_| needs == Needs::Maps);
        let words = cluster.into_iter().chain(maps);
        let words = words.map(|(flag, value)| format!(" {flag} {}", quoted(value)));
        unnamed.into_iter().chain(words).collect()
    }

    fn gaps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.untold.is_empty() {
            return Ok(());
        }
        writeln!(f)?;
        writeln!(f, "Not known, and so not checked:")?;
        for one in self.untold.iter().take(UNTOLD) {
            f.write_str("  ")?;
            wrapped(f, &format!("{}: {}", one.what, one.why), "")?;
        }
        more(f, self.untold.len(), UNTOLD, "")
    }
}

/// The first few.
fn some(partitions: &[TopicPartition], topics: &[String]) -> String {
    few(partitions.iter().map(ToString::to_string).chain(topics.iter().cloned()), NAMES)
}

/// Breaks between words, so that the narrowest terminal shows it as it is; what follows stands under what began.
fn wrapped(f: &mut fmt::Formatter<'_>, text: &str, lead: &str) -> fmt::Result {
    const INDENT: usize = 10;
    let mut column = INDENT;
    f.write_str(lead)?;
    for (index, word) in text.split(' ').enumerate() {
        let long = word.chars().count();
        if index > 0 && column + 1 + long > WIDTH {
            write!(f, "\n{:INDENT$}", "")?;
            column = INDENT;
        } else if index > 0 {
            f.write_str(" ")?;
            column += 1;
        }
        f.write_str(word)?;
        column += long;
    }
    writeln!(f)
}
