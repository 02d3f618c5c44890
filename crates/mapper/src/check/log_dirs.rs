//! The promises of a move about log dirs: they exist, and they are named if a broker has several volumes.

use super::Violation;
use super::view::CheckedSnapshot;
use crate::plan::{ANY_LOG_DIR, Move};
use crate::snapshot::Snapshot;

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
