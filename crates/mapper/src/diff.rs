//! Compares two plans, or partition maps of other tools.
//!
//! In: two plan files, and a snapshot if one is available. The snapshot gives the start of a map without a plan. Out:
//! every partition that the two treat differently, and the totals of each. The comparison covers everything that is
//! carried out: targets, starts, log dirs and steps.

use crate::bytes::Bytes;
use crate::figures::{BrokerFigures, Figures};
use crate::ids::{BrokerId, PartitionId, Replicas};
use crate::plan::{Move, Plan, Reason};
use crate::plan_file::{PlanFile, PlannedPartition};
use crate::snapshot::{Snapshot, SnapshotHash};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The comparison of two plans.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanDiff {
    /// Whether both would carry out the same changes.
    pub same: bool,
    /// Whether both were made from the same snapshot; absent if one of them does not name its snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_snapshot: Option<bool>,
    /// The totals of the first plan.
    pub a: PlanSide,
    /// The totals of the second plan.
    pub b: PlanSide,
    /// The partitions that the two treat differently, in order of topic and partition.
    pub differences: Vec<PlanDifference>,
    /// The brokers whose figures differ after the two plans, in order of id.
    pub brokers: Vec<BrokerDiff>,
}

/// The totals of one plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanSide {
    /// The command that made it; absent for another tool's map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<&'static str>,
    /// The cluster for which it was made, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// The snapshot from which it was made; absent for another tool's map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotHash>,
    /// The number of partitions that it changes.
    pub partitions: usize,
    /// The number of replicas that it copies; absent if its start is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<usize>,
    /// The bytes that it copies; absent if a size is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_bytes: Option<Bytes>,
    /// The least bytes that any plan for its request copies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_bytes: Option<Bytes>,
    /// The number of its steps; another tool's map has one.
    pub steps: usize,
    /// The fullest broker's share of storage used after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_used_ratio: Option<f64>,
    /// The emptiest broker's share of storage used after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_used_ratio: Option<f64>,
    /// The number of partitions in its scope that break the rack rule after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack_violations: Option<usize>,
    /// The number of replicas in its scope that are lost after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_replicas: Option<usize>,
}

/// One partition that the two treat differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanDifference {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: PartitionId,
    /// The most important difference.
    pub differs: Differs,
    /// The first plan's change; absent if it does not change the partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<PlanChange>,
    /// The second plan's change; absent if it does not change the partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<PlanChange>,
}

/// How two plans differ for a partition; the first kind is the most important.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Differs {
    /// Only the first plan changes it.
    OnlyInA,
    /// Only the second plan changes it.
    OnlyInB,
    /// It ends on other brokers.
    OtherBrokers,
    /// It ends on the same brokers, with another preferred leader or order.
    OtherOrder,
    /// It ends in the same way, but starts from another list.
    OtherStart,
    /// It ends on the same brokers, in other log dirs.
    OtherLogDirs,
    /// The same change is made in other steps, or over other lists.
    OtherStep,
}

/// A plan's change of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanChange {
    /// The list before, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Replicas>,
    /// The list after.
    pub to: Replicas,
    /// One log dir for each replica; empty: Kafka chooses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log_dirs: Vec<String>,
    /// The bytes that are copied, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// The reason, in a plan of topicmappr.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The steps, numbered from 0: one for each list that is submitted.
    pub steps: Vec<usize>,
    /// The intermediate lists, if the change has several submissions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<Replicas>,
}

/// The figures of one broker after each of the two plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokerDiff {
    /// The broker.
    pub id: BrokerId,
    /// After the first plan; absent if it does not contain the broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<BrokerFigures>,
    /// After the second plan; absent if it does not contain the broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<BrokerFigures>,
}

/// Compares two plan files.
///
/// `before` gives the start of a map without a plan: its bytes, and which of its entries change nothing.
pub fn diff(a: &PlanFile, b: &PlanFile, before: Option<&Snapshot>) -> PlanDiff {
    let (left, right) = (Side::of(a, before), Side::of(b, before));
    let keys: BTreeSet<PlanKey<'_>> =
        left.changes.keys().chain(right.changes.keys()).copied().collect();
    let differences: Vec<PlanDifference> =
        keys.into_iter().filter_map(|key| difference(key, &left, &right)).collect();
    let hashes = left.plan.zip(right.plan).map(|(a, b)| a.snapshot == b.snapshot);
    let (a, b) = (left.sum(), right.sum());
    let other_cluster =
        a.cluster_id.as_ref().zip(b.cluster_id.as_ref()).is_some_and(|(a, b)| a != b);
    PlanDiff {
        same: differences.is_empty() && !other_cluster,
        same_snapshot: hashes,
        brokers: brokers(left.after(), right.after()),
        a,
        b,
        differences,
    }
}

type PlanKey<'f> = (&'f str, PartitionId);

/// One file, by partition.
struct Side<'f> {
    plan: Option<&'f Plan>,
    changes: BTreeMap<PlanKey<'f>, PlanChange>,
    /// All entries of the partition map, including those that change nothing.
    listed: BTreeMap<PlanKey<'f>, &'f PlannedPartition>,
}

impl<'f> Side<'f> {
    fn of(file: &'f PlanFile, before: Option<&Snapshot>) -> Self {
        let entry = |entry: &'f PlannedPartition| ((&*entry.topic, entry.partition), entry);
        let listed: BTreeMap<_, _> = file.partitions.iter().map(entry).collect();
        let changes = match &file.plan {
            Some(plan) => of_plan(plan, &listed),
            None => listed
                .iter()
                .filter_map(|(key, entry)| Some((*key, of_entry(entry, before)?)))
                .collect(),
        };
        Self { plan: file.plan.as_ref(), changes, listed }
    }

    fn after(&self) -> Option<&'f Figures> {
        self.plan.map(|plan| &plan.after)
    }

    fn sum(&self) -> PlanSide {
        let changes = || self.changes.values();
        let after = self.after();
        PlanSide {
            command: self.plan.map(|plan| plan.request.command()),
            cluster_id: self.plan.and_then(|plan| plan.cluster_id.clone()),
            snapshot: self.plan.map(|plan| plan.snapshot.clone()),
            partitions: self.changes.len(),
            replicas: changes().map(PlanChange::copies).sum(),
            moved_bytes: changes().map(|change| change.bytes).sum(),
            bound_bytes: self.plan.and_then(|plan| plan.bound_bytes),
            steps: self.plan.map_or(1, |plan| plan.steps.len()),
            max_used_ratio: after.and_then(|after| after.max_used_ratio),
            min_used_ratio: after.and_then(|after| after.min_used_ratio),
            rack_violations: after.map(|after| after.rack_violations),
            lost_replicas: after.map(|after| after.lost_replicas),
        }
    }
}

fn of_plan<'f>(
    plan: &'f Plan,
    listed: &BTreeMap<PlanKey<'f>, &'f PlannedPartition>,
) -> BTreeMap<PlanKey<'f>, PlanChange> {
    let mut steps = vec![Vec::new(); plan.moves.len()];
    for (at, indices) in plan.steps.iter().enumerate() {
        for index in indices {
            steps[*index].push(at);
        }
    }
    let change = |(change, steps): (&'f Move, Vec<usize>)| {
        let key = (&*change.topic, change.partition);
        let value = PlanChange {
            from: Some(change.from.clone()),
            to: change.to.clone(),
            log_dirs: listed.get(&key).map(|entry| entry.log_dirs.clone()).unwrap_or_default(),
            bytes: change.bytes,
            reason: Some(change.reason),
            steps,
            via: change.via.to_vec(),
        };
        (key, value)
    };
    plan.moves.iter().zip(steps).map(change).collect()
}

/// The change of an entry of another tool's map; `None` if it changes nothing.
fn of_entry(entry: &PlannedPartition, before: Option<&Snapshot>) -> Option<PlanChange> {
    let known = before.and_then(|before| before.partition(&entry.topic, entry.partition));
    if known.is_some_and(|known| known.replicas == entry.replicas && entry.log_dirs.is_empty()) {
        return None;
    }
    let mut change = PlanChange {
        from: known.map(|known| known.replicas.clone()),
        to: entry.replicas.clone(),
        log_dirs: entry.log_dirs.clone(),
        bytes: None,
        reason: None,
        steps: vec![0],
        via: Vec::new(),
    };
    let size = known.and_then(|known| Some(known.copied(known.size?)));
    change.bytes = match change.copies() {
        Some(0) => Some(Bytes(0)),
        copies => size.zip(copies).map(|(size, copies)| size.times(copies)),
    };
    Some(change)
}

impl PlanChange {
    /// The number of replicas that are copied to brokers that do not hold them; `None` if the start is unknown.
    fn copies(&self) -> Option<usize> {
        let from = self.from.as_ref()?;
        Some(self.to.iter().filter(|id| !from.contains(id)).count())
    }
}

fn difference(key: PlanKey<'_>, left: &Side<'_>, right: &Side<'_>) -> Option<PlanDifference> {
    let (a, b) = (left.changes.get(&key), right.changes.get(&key));
    // A file may list a partition that the other omits, and yet both leave it as it is.
    let idle = |side: &Side<'_>, other: &PlanChange| {
        side.listed.get(&key).is_some_and(|entry| entry.replicas == other.to)
    };
    let differs = match (a, b) {
        (Some(a), None) if !idle(right, a) => Differs::OnlyInA,
        (None, Some(b)) if !idle(left, b) => Differs::OnlyInB,
        (Some(a), Some(b)) => of_both(a, b)?,
        _ => return None,
    };
    let (topic, partition) = (key.0.to_owned(), key.1);
    Some(PlanDifference { topic, partition, differs, a: a.cloned(), b: b.cloned() })
}

fn of_both(a: &PlanChange, b: &PlanChange) -> Option<Differs> {
    let sorted = |list: &Replicas| {
        let mut list = list.clone();
        list.sort_unstable();
        list
    };
    let starts = a.from.as_ref().zip(b.from.as_ref());
    if sorted(&a.to) != sorted(&b.to) {
        Some(Differs::OtherBrokers)
    } else if a.to != b.to {
        Some(Differs::OtherOrder)
    } else if starts.is_some_and(|(a, b)| a != b) {
        Some(Differs::OtherStart)
    } else if a.log_dirs != b.log_dirs {
        Some(Differs::OtherLogDirs)
    } else {
        ((&a.steps, &a.via) != (&b.steps, &b.via)).then_some(Differs::OtherStep)
    }
}

/// The brokers whose figures differ; none if one side has no figures.
fn brokers(a: Option<&Figures>, b: Option<&Figures>) -> Vec<BrokerDiff> {
    let Some((a, b)) = a.zip(b) else {
        return Vec::new();
    };
    let by_id = |figures: &Figures| -> BTreeMap<BrokerId, BrokerFigures> {
        figures.brokers.iter().map(|broker| (broker.id, broker.clone())).collect()
    };
    let (a, b) = (by_id(a), by_id(b));
    let ids: BTreeSet<BrokerId> = a.keys().chain(b.keys()).copied().collect();
    ids.into_iter()
        .map(|id| BrokerDiff { id, a: a.get(&id).cloned(), b: b.get(&id).cloned() })
        .filter(|broker| broker.a != broker.b)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> PlanFile {
        PlanFile::from_json(text.as_bytes()).unwrap()
    }

    fn map(entries: &str) -> PlanFile {
        file(&format!(r#"{{"version":1,"partitions":[{entries}]}}"#))
    }

    const SNAPSHOT: &[u8] = br#"{"version":1,"brokers":[{"id":1},{"id":2},{"id":3}],
        "topics":[{"name":"a","partitions":[{"id":0,"replicas":[1,2],"size_bytes":5},
                                            {"id":1,"replicas":[1,2],"size_bytes":7}]}]}"#;

    #[test]
    fn entries_that_change_nothing_are_no_difference_where_the_start_is_known() {
        let before = Snapshot::from_json(SNAPSHOT).unwrap();
        let a = map(r#"{"topic":"a","partition":0,"replicas":[1,3]}"#);
        let b = map(
            r#"{"topic":"a","partition":0,"replicas":[1,3]},{"topic":"a","partition":1,"replicas":[1,2]}"#,
        );
        let found = diff(&a, &b, Some(&before));
        assert!(found.same, "{found:?}");
        assert_eq!(found.a.moved_bytes, Some(Bytes(5)));
        let blind = diff(&a, &b, None);
        assert_eq!(blind.differences[0].differs, Differs::OnlyInB);
        assert_eq!(blind.b.moved_bytes, None);
    }

    #[test]
    fn brokers_outrank_their_order() {
        let of = |list: &str| map(&format!(r#"{{"topic":"a","partition":0,"replicas":{list}}}"#));
        let differs = |a: &str, b: &str| diff(&of(a), &of(b), None).differences[0].differs;
        assert_eq!(differs("[1,3]", "[2,3]"), Differs::OtherBrokers);
        assert_eq!(differs("[1,3]", "[3,1]"), Differs::OtherOrder);
        assert!(diff(&of("[1,3]"), &of("[1,3]"), None).same);
    }
}
