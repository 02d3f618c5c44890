//! Topics whose data is not only in brokers' logs, as notices: what plans count, and what they leave out.

use super::{DoctorFinding, Severity};
use local::words::counted;
use mapper::snapshot::Topic;
use mapper::{Bytes, Snapshot};

/// One line for tiered topics, and one for topics without a log on brokers.
pub(super) fn findings(snapshot: &Snapshot) -> impl Iterator<Item = DoctorFinding> {
    let of = |is: fn(&Topic) -> bool| snapshot.topics().iter().filter(move |topic| is(topic));
    let tiered: Vec<&Topic> = of(Topic::is_tiered).collect();
    let diskless: Vec<&Topic> = of(|topic| topic.diskless().is_some()).collect();
    let tiered = notice("tiered", &tiered, "tiered").map(|found| found.hint(held(&tiered)));
    let diskless = notice("diskless", &diskless, "without a log on brokers");
    let diskless = diskless.map(|found| found.hint("plans leave them out"));
    tiered.into_iter().chain(diskless)
}

fn notice(code: &'static str, topics: &[&Topic], what: &str) -> Option<DoctorFinding> {
    let message = format!("{} {what}", counted(topics.len(), "topic"));
    let names = topics.iter().map(|topic| topic.name.clone());
    (!topics.is_empty()).then(|| DoctorFinding::new(code, Severity::Notice, message).topics(names))
}

/// What all replicas hold on disks, and what is only in remote storage, once for each partition.
fn held(topics: &[&Topic]) -> String {
    let partitions = || topics.iter().flat_map(|topic| &topic.partitions);
    let replicas = partitions().flat_map(|p| p.replicas.iter().map(|id| p.size_on(*id)));
    let local: Option<Bytes> = replicas.sum();
    let remote: Option<Bytes> = partitions().map(|p| p.facts.as_ref()?.rare.remote).sum();
    let amount = |bytes: Option<Bytes>| bytes.map_or("unknown".to_owned(), |b| b.to_string());
    format!("on brokers: {}; only in remote storage: {}", amount(local), amount(remote))
}
