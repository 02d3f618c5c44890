//! Problems of brokers, disks and partitions, as sentences.

use super::{DoctorFinding, Needs, OtherFacts, Severity};
use health::Ailment;
use local::words::ranges;
use local::words::{counted, uncordon};
use mapper::{BrokerId, Bytes, TopicPartition};
use std::collections::BTreeSet;

/// The hint for a failed log dir.
pub(crate) const REPLACE_DISK: &str =
    "replace the disk and restart the broker, or place its replicas anew";

/// The finding for one ailment; none if another finding reports it.
pub(super) fn finding(ailment: Ailment, around: &OtherFacts) -> Option<DoctorFinding> {
    match ailment {
        Ailment::Offline { partitions, heals } => {
            let count = counted(partitions.len(), "partition");
            let who = listed(&heals);
            let message = format!("{count} without a leader");
            let hint = format!("nobody reads or writes them; the return of {who} heals them");
            Some(of_partitions("offline", Severity::Critical, message, hint, partitions, heals))
        }
        Ailment::UnderMinIsr { partitions, missing } => {
            let message = format!("{} below min ISR", counted(partitions.len(), "partition"));
            let hint = format!("no acks=all write is taken; out of sync: {}", listed(&missing));
            let (code, severity) = ("under-min-isr", Severity::Critical);
            Some(of_partitions(code, severity, message, hint, partitions, missing))
        }
        Ailment::AtMinIsr { partitions, missing } => {
            let message = format!("{} at min ISR", counted(partitions.len(), "partition"));
            let hint = format!("one more loss stops writes; out of sync: {}", listed(&missing));
            let (code, severity) = ("at-min-isr", Severity::Warning);
            Some(of_partitions(code, severity, message, hint, partitions, missing))
        }
        Ailment::UnderReplicated { partitions, missing } => {
            let count = counted(partitions.len(), "partition");
            let message = format!("{count} under-replicated, above min ISR");
            let hint = format!("out of sync: {}", listed(&missing));
            let (code, severity) = ("under-replicated", Severity::Warning);
            Some(of_partitions(code, severity, message, hint, partitions, missing))
        }
        Ailment::Moving { partitions, to } => {
            let count = counted(partitions.len(), "partition");
            let finding =
                DoctorFinding::new("moving", Severity::Notice, format!("{count} on the move"));
            let owned = match &around.live {
                Some(live) => live.owner_of(&partitions, finding),
                None => finding.hint("whose is unknown: name the ledger with --state-file FILE"),
            };
            Some(owned.partitions(partitions).brokers(to))
        }
        // The broker itself has reported the failed log dirs.
        Ailment::FailedLogDir { broker, .. }
            if around.live.as_ref().is_some_and(|live| live.reports_log_dirs_of(broker)) =>
        {
            None
        }
        of_a_broker => on_a_broker(of_a_broker, around.maps.is_some()),
    }
}

fn of_partitions(
    code: &'static str,
    severity: Severity,
    message: String,
    hint: String,
    partitions: BTreeSet<TopicPartition>,
    brokers: BTreeSet<BrokerId>,
) -> DoctorFinding {
    DoctorFinding::new(code, severity, message).hint(hint).partitions(partitions).brokers(brokers)
}

fn on_a_broker(ailment: Ailment, by_maps: bool) -> Option<DoctorFinding> {
    let (broker, finding) = match ailment {
        Ailment::FullDisk { broker, paths, total_bytes, free_bytes, now } => {
            let severity = if now { Severity::Critical } else { Severity::Warning };
            let place =
                if paths.is_empty() { String::new() } else { format!(" ({})", paths.join(", ")) };
            let message = format!("broker {broker}{place}: {free_bytes} free of {total_bytes}");
            let finding = DoctorFinding::new("full-disk", severity, message);
            (broker, finding.plan("rebalance", by_maps))
        }
        Ailment::FailedLogDir { broker, replicas } => {
            let replicas = counted(replicas, "replica");
            let message = format!("broker {broker}: {replicas} in failed log dirs");
            let finding = DoctorFinding::new("failed-log-dir", Severity::Critical, message);
            (broker, finding.hint(REPLACE_DISK).rebuild(by_maps))
        }
        Ailment::Fenced { broker, replicas: 0, .. } => {
            let message = format!("broker {broker} is fenced and holds nothing");
            let finding = DoctorFinding::new("fenced-empty", Severity::Warning, message)
                .hint("Kafka may still place new replicas on it: start it, or have it forgotten")
                .run(Needs::Live, format!("broker unregister {broker} --dry-run"));
            (broker, finding)
        }
        Ailment::Cordoned { broker, log_dirs } => (broker, cordoned(broker, &log_dirs)),
        Ailment::Lost { broker, replicas, bytes } => (
            broker,
            gone("lost", format!("broker {broker} is lost"), replicas, bytes).rebuild(by_maps),
        ),
        Ailment::Fenced { broker, replicas, bytes } => {
            let message = format!("broker {broker} is fenced");
            (broker, gone("fenced", message, replicas, bytes).rebuild(by_maps))
        }
        _ => return None,
    };
    Some(finding.brokers([broker]))
}

fn cordoned(broker: BrokerId, log_dirs: &[String]) -> DoctorFinding {
    let (code, message) = match log_dirs {
        [] => ("cordoned", format!("broker {broker} is cordoned")),
        some => {
            let paths = some.join(", ");
            ("cordoned-log-dir", format!("broker {broker} has cordoned log dirs: {paths}"))
        }
    };
    let meaning = "no new replica is placed there, and what is there stays";
    let hint = format!("{meaning}; to end it: {}", uncordon(&[broker]));
    DoctorFinding::new(code, Severity::Warning, message).hint(hint)
}

fn gone(code: &'static str, message: String, replicas: usize, bytes: Bytes) -> DoctorFinding {
    let bytes = if bytes.0 == 0 { String::new() } else { format!(", {bytes}") };
    let message = format!("{message}: it holds {}{bytes}", counted(replicas, "replica"));
    DoctorFinding::new(code, Severity::Critical, message)
        .hint("start it; if it is gone for good, place its replicas anew")
}

fn listed(brokers: &BTreeSet<BrokerId>) -> String {
    ranges(&brokers.iter().copied().collect::<Vec<_>>())
}
