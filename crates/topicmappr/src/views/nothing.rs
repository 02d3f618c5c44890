//! Why a plan moves nothing: all is well, or nothing better was found.

use super::relief::Unrelieved;
use mapper::{BalanceFloor, BalanceGoal, DiskFigures, Figures, Plan, Ratio, Request};

/// What stands in place of the figures of a plan without moves.
pub(super) fn why(plan: &Plan) -> &'static str {
    if !plan.left_out.is_empty() {
        return "all that can be planned is as it should be";
    }
    if Unrelieved::of(plan).is_some() {
        return "no replica was found that may leave the broker";
    }
    if is_even(plan) {
        return "everything in scope is as it should be";
    }
    if is_limited(&plan.request) {
        return "no move makes it more even within the limits asked for";
    }
    "no move was found that makes it more even"
}

/// Whether each goal is within its tolerance. A plan without goals is even.
fn is_even(plan: &Plan) -> bool {
    let (Some(balance), Some(floor)) = (plan.request.balance(), plan.floor) else { return true };
    let relieves = matches!(&plan.request, Request::Rebalance(asked) if asked.relieve.is_some());
    relieves
        || balance.goals.iter().all(|goal| is_reached(*goal, &plan.after, floor, balance.tolerance))
}

#[expect(clippy::cast_precision_loss, reason = "for display; no decision rests on it")]
fn is_reached(goal: BalanceGoal, after: &Figures, floor: BalanceFloor, tolerance: Ratio) -> bool {
    let slack = f64::from(tolerance.ppm()) / 1_000_000.0;
    let most = |found: Option<f64>, best: Option<f64>| match (found, best) {
        (Some(found), Some(best)) => found <= best * (1.0 + slack) + ROUNDING,
        _ => true,
    };
    let least = |found: Option<f64>, best: Option<f64>| match (found, best) {
        (Some(found), Some(best)) => found + ROUNDING >= best * (1.0 - slack),
        _ => true,
    };
    // One piece more or less is as even as whole pieces can be.
    let pieces = |found: Option<u64>, best: Option<u64>| match (found, best) {
        (Some(found), Some(best)) => found <= best + 1,
        _ => true,
    };
    let amount = |amount: Option<u64>| amount.map(|amount| amount as f64);
    match goal {
        BalanceGoal::Storage => {
            most(after.max_used_ratio, Some(floor.max_used_ratio))
                && least(after.min_used_ratio, floor.min_used_ratio)
        }
        BalanceGoal::Network => {
            most(after.max_network_ratio, floor.max_network_ratio)
                && least(after.min_network_ratio, floor.min_network_ratio)
                && most(
                    amount(after.max_traffic_bytes_per_second),
                    amount(floor.max_traffic_bytes_per_second),
                )
                && least(
                    amount(after.min_traffic_bytes_per_second),
                    amount(floor.min_traffic_bytes_per_second),
                )
        }
        BalanceGoal::Cpu => {
            most(after.max_cpu_ratio, floor.max_cpu_ratio)
                && least(after.min_cpu_ratio, floor.min_cpu_ratio)
                && most(amount(after.max_cpu_nanocores), amount(floor.max_cpu_nanocores))
                && least(amount(after.min_cpu_nanocores), amount(floor.min_cpu_nanocores))
        }
        BalanceGoal::Replicas => {
            pieces(after.max_replicas, floor.max_replicas)
                && pieces(floor.min_replicas, after.min_replicas)
        }
        BalanceGoal::Topics => match (after.misplaced_replicas, floor.misplaced_replicas) {
            (Some(found), Some(best)) => found <= best,
            _ => true,
        },
        BalanceGoal::Leaders => pieces(after.max_leaders, floor.max_leaders),
        BalanceGoal::Disks => {
            let best = floor.disks;
            let of = |disks: fn(DiskFigures) -> f64| (after.disks.map(disks), best.map(disks));
            let (fullest, times) =
                (of(|disks| disks.max_used_ratio), of(|disks| disks.max_times_broker));
            most(fullest.0, fullest.1) && most(times.0, times.1)
        }
        BalanceGoal::LeadersZone => {
            after.zone.is_none_or(|zone| zone.leaders_outside == zone.without_replica)
        }
    }
}

/// What the screen's one digit after the point does not show.
const ROUNDING: f64 = 0.0005;

/// The caller allows only some moves for balance.
fn is_limited(request: &Request) -> bool {
    let limits = request.balance().is_some_and(|balance| {
        balance.partition_limit.is_some()
            || balance.partition_size_threshold.is_some()
            || balance.locality_scoped
            || balance.max_bytes_moved.is_some()
            || balance.max_moves.is_some()
    });
    let thresholds = matches!(request, Request::Rebalance(asked)
        if asked.storage_threshold.is_some() || asked.storage_threshold_bytes.is_some());
    limits || thresholds
}
