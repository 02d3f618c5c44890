//! The promises of a plan about log dirs: they exist, they are named if a broker has several volumes, and the figures of
//! volumes are those of the moves.

use super::Violation;
use super::view::{CheckedSnapshot, Touched};
use crate::bytes::Bytes;
use crate::plan::{ANY_LOG_DIR, Move, Plan};
use crate::snapshot::{Broker, Partition, Snapshot, Topic, Volume};
use std::collections::BTreeMap;

/// The checks for any move, from any tool.
pub(super) fn exist(before: &Snapshot, change: &Move) -> Vec<Violation> {
    let dirs = &change.log_dirs;
    if dirs.is_empty() {
        return Vec::new();
    }
    if dirs.len() != change.to.len() {
        return vec![Violation::LogDirs { of: change.of(), log_dirs: dirs.clone() }];
    }
    let mut broken = Vec::new();
    for (id, dir) in change.to.iter().zip(dirs).filter(|(_, dir)| *dir != ANY_LOG_DIR) {
        let known = before.broker(*id).map(|broker| broker.log_dirs.as_slice()).unwrap_or_default();
        // A failed log dir reports no size while others do. If none reports a size, failures are unknown.
        let tells = known.iter().any(|known| known.total.is_some());
        let sound = known.iter().any(|k| k.path == *dir && (k.total.is_some() || !tells));
        if !sound && !known.is_empty() {
            let (of, log_dir) = (change.of(), dir.clone());
            broken.push(Violation::NoSuchLogDir { of, broker: *id, log_dir });
        }
    }
    broken
}

/// The checks for our own moves: none leaves the choice to Kafka, which ignores the free room of volumes.
pub(super) fn are_named(view: &CheckedSnapshot<'_>, change: &Move) -> Vec<Violation> {
    let several = change.added().filter(|id| view.has_several_volumes(*id));
    let unnamed = several.filter(|id| change.log_dir(*id).is_none());
    unnamed.map(|broker| Violation::AnyLogDir { of: change.of(), broker }).collect()
}

/// The bytes of replicas that stay on their broker and leave their log dir.
pub(super) fn disk_bytes(topic: &Topic, partition: &Partition, change: &Move) -> Bytes {
    let leaves = |(id, log_dir): &(_, &str)| topic.log_dir_of(partition, *id) != Some(log_dir);
    let leaving = change.between_volumes().filter(leaves);
    leaving.map(|(id, _)| partition.size_on(id).unwrap_or_default()).sum()
}

/// A move that states other bytes for its copies between volumes than they come to.
pub(super) fn wrong_bytes(view: &CheckedSnapshot<'_>, touched: &Touched<'_>) -> Option<Violation> {
    let Touched { change, partition, .. } = *touched;
    let topic = view.find.topic(&change.topic)?;
    let found = disk_bytes(topic, partition?, change);
    let stated = change.disk_bytes;
    (stated != found).then(|| Violation::DiskBytes { of: change.of(), stated, found })
}

/// Figures of volumes that do not match the plan's moves. Free bytes change all the time, so another snapshot than the
/// plan's own says nothing about them.
pub(super) fn wrong_figures(view: &CheckedSnapshot<'_>, plan: &Plan) -> Vec<Violation> {
    if plan.after.disks.is_none() || view.snapshot.hash() != plan.snapshot {
        return Vec::new();
    }
    let emptied = plan.request.emptied();
    let brokers: Vec<&Broker> = plan
        .after
        .brokers
        .iter()
        .filter(|broker| !emptied.contains(&broker.id))
        .filter_map(|broker| view.snapshot.broker(broker.id))
        .filter(|broker| broker.live && broker.volumes().len() > 1)
        .collect();
    let pairs = [(plan.before.disks, &[][..]), (plan.after.disks, plan.moves.as_slice())];
    let mut wrong = Vec::new();
    for (stated, moves) in pairs {
        let Some(stated) = stated else { continue };
        let [fullest, times] = most_used(view, &brokers, moves);
        let both = [
            ("fullest volume, in millionths", stated.max_used_ratio, fullest),
            ("most uneven volume, in millionths", stated.max_times_broker, times),
        ];
        for (what, stated, found) in both {
            let (stated, found) = (millionths(stated), millionths(found));
            // Both are quotients, and their last digit depends on the order of the division.
            if stated.abs_diff(found) > 1 {
                wrong.push(Violation::Figures { what, broker: None, stated, found });
            }
        }
    }
    wrong
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares of at least 0")]
fn millionths(share: f64) -> u64 {
    (share * 1e6).round() as u64
}

/// The used share of the fullest volume, and the most that a volume has of its broker's share.
fn most_used(view: &CheckedSnapshot<'_>, brokers: &[&Broker], moves: &[Move]) -> [f64; 2] {
    let mut used: BTreeMap<_, Vec<(f64, f64)>> = BTreeMap::new();
    for broker in brokers {
        let volumes = broker.volumes();
        let fill = |v: &Volume<'_>| (float(v.total) - float(v.free), float(v.total));
        used.insert(broker.id, volumes.iter().map(fill).collect());
    }
    let mut add = |id, log_dir: Option<&str>, bytes: f64| {
        let volumes = view.snapshot.broker(id).map(Broker::volumes).unwrap_or_default();
        let at = volumes.iter().position(|v| log_dir.is_some_and(|dir| v.paths.contains(&dir)));
        if let Some(volume) = at.and_then(|at| used.get_mut(&id)?.get_mut(at)) {
            volume.0 += bytes;
        }
    };
    for change in moves {
        let Some(topic) = view.find.topic(&change.topic) else { continue };
        let Some(partition) = topic.partition(change.partition) else { continue };
        let held = float(change.held_bytes(Some(partition)).unwrap_or_default());
        let size = |id| float(partition.size_on(id).unwrap_or_default());
        change.added().for_each(|id| add(id, change.log_dir(id), held));
        change.between_volumes().for_each(|(id, log_dir)| add(id, Some(log_dir), size(id)));
        let leaving = change.removed().chain(change.between_volumes().map(|(id, _)| id));
        leaving.for_each(|id| add(id, topic.log_dir_of(partition, id), -size(id)));
    }
    let mut most = [0.0, 0.0_f64];
    for volumes in used.values() {
        let share = |used: f64, total: f64| if total > 0.0 { used / total } else { 0.0 };
        let fullest = volumes.iter().map(|(used, total)| share(*used, *total)).fold(0.0, f64::max);
        let sum = |of: fn(&(f64, f64)) -> f64| volumes.iter().map(of).sum::<f64>();
        let whole = share(sum(|volume| volume.0), sum(|volume| volume.1));
        let times = if whole > 0.0 { fullest / whole } else { 1.0 };
        most = [f64::max(most[0], fullest), f64::max(most[1], times)];
    }
    most
}

#[expect(clippy::cast_precision_loss, reason = "compared to a millionth")]
fn float(bytes: Bytes) -> f64 {
    bytes.0 as f64
}
