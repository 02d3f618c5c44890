//! How much is left to copy, and how long that takes.

use crate::health::missing_to_min_isr;
use crate::move_state::MoveState;
use crate::progress::PlanProgress;
use crate::room::each_copy;
use crate::seen::Seen;
use crate::task::{Pace, Task};
use crate::window::{CopyWindow, heals};
use mapper::{BrokerId, Bytes, CopyJob, ExposureSeconds, LeastExposure, Move};
use serde::Serialize;
use std::collections::BTreeMap;

/// The share of a throttle that new replicas use, in percent. After a quota is used up, Kafka asks again only half a
/// second or a second later. The leader and the follower both do so, one after the other. The quota also counts bytes
/// that a follower discards: an incomplete batch at the end of a fetch. docs/benchmarks.md has the figures.
const THROUGH_PERCENT: u64 = 90;
/// What a step takes beside its copies, in seconds: the leaders' logs are watched for four, lists spread for three, and
/// looks notice the end.
const STEP_SECONDS: u64 = 8;

/// How many bytes one broker sends, receives, and copies between its log dirs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Into it.
    pub incoming_bytes: Bytes,
    /// Out of it, as the leader of the copied partitions.
    pub outgoing_bytes: Bytes,
    /// From one of its log dirs to another.
    #[serde(skip_serializing_if = "is_zero")]
    pub disk_bytes: Bytes,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(bytes: &Bytes) -> bool {
    bytes.0 == 0
}

/// An estimate of the remaining work, from the plan's sizes. Moves in flight count in full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estimate {
    /// By broker.
    pub brokers: BTreeMap<BrokerId, Traffic>,
    /// All bytes that are left to copy from broker to broker.
    pub bytes: Bytes,
    /// Moves whose size the plan does not know.
    pub unsized_moves: usize,
    /// How long it takes under the throttle, in seconds: each step takes as long as its busiest broker, and some seconds
    /// for configs. Unknown without a throttle.
    pub seconds: Option<u64>,
    /// When each partition has all its copies, in seconds from the start, in ascending order. Unknown without a throttle.
    pub done_at: Vec<u64>,
    /// The least time that partitions lack replicas: no order of moves betters it. Unknown without a throttle; `None` if
    /// nothing lacks replicas.
    pub least_exposure: Option<ExposureSeconds>,
}

impl Estimate {
    /// Counts every move that is not over.
    pub fn of(task: &Task<'_>, course: &PlanProgress, seen: &Seen) -> Self {
        let mut estimate = Self::default();
        let (mut worst_of_steps, mut steps, mut lacking) = (Bytes(0), 0_u64, Vec::new());
        // For each move: the bytes at the busiest ports of earlier steps and of its own until it is done, and its step.
        let mut ends: Vec<(u64, u64)> = Vec::new();
        for step in &task.plan.steps {
            let mut brokers = BTreeMap::new();
            let open = |index: &&usize| match course.standings.get(**index) {
                Some(MoveState::Moving | MoveState::Ready | MoveState::Hindered(_)) => true,
                Some(MoveState::Done | MoveState::Left(_)) | None => false,
            };
            let moves =
                step.iter().filter(open).filter_map(|index| Some((*index, task.of(*index)?)));
            let (_, turns) = CopyWindow::of(task, seen, &[], moves.clone());
            let before = worst_of_steps.0;
            let through = CopyWindow::ends(turns).into_iter();
            ends.extend(through.map(|bytes| (before.saturating_add(bytes), steps + 1)));
            for (_, change) in moves {
                estimate.count(change, seen, &mut brokers);
                if heals(seen, change) {
                    let (source, to) = (seen.leader(change), change.added().collect::<Vec<_>>());
                    let bytes = Bytes(each_copy(change));
                    let needed = missing_to_min_isr(seen, change).min(to.len());
                    lacking.push((CopyJob { source, needed: to.len(), to, bytes }, needed));
                }
            }
            // The throttle holds for each of the three apart.
            let most = |t: &Traffic| t.incoming_bytes.max(t.outgoing_bytes).max(t.disk_bytes);
            let busiest = brokers.values().map(most);
            let busiest = busiest.max().unwrap_or_default();
            worst_of_steps = worst_of_steps.plus(busiest);
            steps += u64::from(busiest.0 > 0);
            for (id, traffic) in brokers {
                let all = estimate.brokers.entry(id).or_default();
                all.incoming_bytes = all.incoming_bytes.plus(traffic.incoming_bytes);
                all.outgoing_bytes = all.outgoing_bytes.plus(traffic.outgoing_bytes);
                all.disk_bytes = all.disk_bytes.plus(traffic.disk_bytes);
            }
        }
        estimate.seconds = match task.terms.pace {
            Pace::BytesPerSecond(rate) => {
                estimate.least_exposure = LeastExposure::of(lacking).at(rate);
                let through = u128::from(rate.0.max(1)) * u128::from(THROUGH_PERCENT);
                let seconds = |bytes: u64, steps: u64| {
                    let seconds = (u128::from(bytes) * 100).div_ceil(through);
                    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                    seconds.saturating_add(steps * STEP_SECONDS)
                };
                estimate.done_at =
                    ends.into_iter().map(|(bytes, step)| seconds(bytes, step)).collect();
                estimate.done_at.sort_unstable();
                Some(seconds(worst_of_steps.0, steps))
            }
            Pace::Unthrottled | Pace::Auto => None,
        };
        estimate
    }

    /// When this share of the partitions has all its copies, in seconds from the start.
    pub fn done_at(&self, percent: usize) -> Option<u64> {
        let count = (self.done_at.len() * percent).div_ceil(100);
        self.done_at.get(count.checked_sub(1)?).copied()
    }

    fn count(&mut self, change: &Move, seen: &Seen, brokers: &mut BTreeMap<BrokerId, Traffic>) {
        let within = change.between_volumes().count() as u64;
        for (broker, _) in change.between_volumes() {
            let of = brokers.entry(broker).or_default();
            // Replicas of one partition are about as large.
            of.disk_bytes = of.disk_bytes.plus(Bytes(change.disk_bytes.0 / within.max(1)));
        }
        if change.added().next().is_none() {
            return;
        }
        self.unsized_moves += usize::from(change.bytes.is_none());
        let each = Bytes(each_copy(change));
        let source = seen.leader(change).or_else(|| change.from.first().copied());
        for broker in change.added() {
            self.bytes = self.bytes.plus(each);
            let taker = brokers.entry(broker).or_default();
            taker.incoming_bytes = taker.incoming_bytes.plus(each);
            if let Some(source) = source {
                let giver = brokers.entry(source).or_default();
                giver.outgoing_bytes = giver.outgoing_bytes.plus(each);
            }
        }
    }
}
