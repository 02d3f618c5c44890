//! The promise of a move about cordons: a cordoned broker or log dir gets no new replica.

use super::Violation;
use super::view::{CheckedSnapshot, Touched};
use crate::ids::BrokerId;
use crate::plan::ANY_LOG_DIR;
use crate::snapshot::{Broker, EVERY_LOG_DIR};

/// The checks for any move, from any tool, and for every list that it submits.
pub(super) fn kept(view: &CheckedSnapshot<'_>, touched: &Touched<'_>) -> Vec<Violation> {
    let change = touched.change;
    if !view.has_cordons() {
        return Vec::new();
    }
    let mut broken = Vec::new();
    let lists = change.via.iter().chain([&change.to]).flatten();
    let mut new: Vec<BrokerId> = lists.filter(|id| !change.from.contains(id)).copied().collect();
    new.sort_unstable();
    new.dedup();
    let shut = |id: &BrokerId| view.snapshot.broker(*id).is_some_and(is_shut);
    new.retain(shut);
    broken.extend(new.iter().map(|id| Violation::Cordoned { of: change.of(), broker: *id }));
    for (id, dir) in change.to.iter().zip(&change.log_dirs).filter(|(_, dir)| *dir != ANY_LOG_DIR) {
        let listed = |broker: &Broker| broker.cordoned_log_dirs.iter().any(|one| one == dir);
        let lies_there = || {
            let topic = view.snapshot.topic(&change.topic)?;
            topic.log_dir_of(touched.partition?, *id)
        };
        let cordoned = view.snapshot.broker(*id).is_some_and(listed);
        if cordoned && !new.contains(id) && lies_there() != Some(dir) {
            let (of, log_dir) = (change.of(), dir.clone());
            broken.push(Violation::CordonedLogDir { of, broker: *id, log_dir });
        }
    }
    broken
}

/// Whether every log dir that has not failed is cordoned. A failed log dir reports no size while others do.
fn is_shut(broker: &Broker) -> bool {
    let named = |path: &str| broker.cordoned_log_dirs.iter().any(|cordoned| cordoned == path);
    let told = broker.log_dirs.iter().filter(|dir| dir.total.is_some()).count();
    let mut sound =
        broker.log_dirs.iter().filter(|dir| told == 0 || dir.total.is_some()).map(|dir| &dir.path);
    named(EVERY_LOG_DIR) || (!broker.log_dirs.is_empty() && sound.all(|path| named(path)))
}
