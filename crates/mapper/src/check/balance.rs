//! The additional promises of a plan that evens load.

use super::Violation;
use crate::assignment::Assignment;
use crate::bytes::Bytes;
use crate::ids::BrokerId;
use crate::plan::{Move, Plan, Reason};
use crate::request::{Balance, Request};
use crate::snapshot::Snapshot;
use std::borrow::Cow;

/// The request's assignments, without the brokers to empty.
pub(super) fn assignments(request: &Request) -> Cow<'_, [Assignment]> {
    let all = request.terms().assignments.as_slice();
    let Some(balance) = request.balance().filter(|balance| !balance.drain.is_empty()) else {
        return Cow::Borrowed(all);
    };
    let mut left = all.to_vec();
    for assignment in &mut left {
        assignment.brokers.retain(|broker| !balance.drain.contains(broker));
    }
    Cow::Owned(left)
}

/// Checks the limits of the request, and that only allowed replicas move for balance alone.
pub(super) fn broken(before: &Snapshot, plan: &Plan) -> Vec<Violation> {
    let Some(balance) = plan.request.balance() else {
        return Vec::new();
    };
    let mut broken = limits(plan, balance);
    let for_balance = plan.moves.iter().filter(|change| change.reason == Reason::Balance);
    for change in for_balance {
        if balance.locality_scoped && racks(before, &change.from) != racks(before, &change.to) {
            broken.push(Violation::LeavesItsRack { of: change.of() });
        }
        if let Some(least) = balance.partition_size_threshold
            && least_copy(before, change) < least
        {
            broken.push(Violation::TooSmall { of: change.of(), least_bytes: least });
        }
    }
    broken
}

fn limits(plan: &Plan, balance: &Balance) -> Vec<Violation> {
    let mut broken = Vec::new();
    let (between_volumes, disk_bytes) = plan.moved_between_volumes();
    let bytes = plan.bytes_moved().unwrap_or_default().plus(disk_bytes);
    if let Some(most) = balance.max_bytes_moved
        && bytes > most
    {
        broken.push(Violation::TooManyBytes { bytes, most_bytes: most });
    }
    let replicas = (plan.replicas_moved() + between_volumes) as u64;
    if let Some(most) = balance.max_moves
        && replicas > most
    {
        broken.push(Violation::TooManyMoves { replicas, most });
    }
    broken
}

/// The size of the smallest replica that it copies.
fn least_copy(before: &Snapshot, change: &Move) -> Bytes {
    let partition = before.partition(&change.topic, change.partition);
    let size = |id| partition.and_then(|known| known.size_on(id)).unwrap_or_default();
    let within = change.between_volumes().map(|(id, _)| size(id)).min();
    let held = change.added().next().map(|_| change.held_bytes(partition).unwrap_or_default());
    held.into_iter().chain(within).min().unwrap_or_default()
}

/// The racks of a list; a broker without one counts as a separate rack.
fn racks<'s>(before: &'s Snapshot, list: &[BrokerId]) -> Vec<Result<&'s str, BrokerId>> {
    let rack = |id: &BrokerId| before.broker(*id).and_then(|b| b.rack.as_deref()).ok_or(*id);
    let mut racks: Vec<_> = list.iter().map(rack).collect();
    racks.sort_unstable();
    racks
}
