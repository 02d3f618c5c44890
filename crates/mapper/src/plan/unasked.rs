//! The goals that a plan was not asked for, and how uneven it leaves them.

use super::Plan;
use crate::bytes::Bytes;
use crate::figures::BrokerFigures;
use crate::request::{BalanceGoal, Request};
use serde::{Deserialize, Serialize};

/// A goal that a plan was not asked for, and that stays uneven.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct UnaskedGoal {
    /// The goal.
    pub goal: BalanceGoal,
    /// The busiest broker's load as a multiple of the mean, for disks a volume's as a multiple of its broker's; absent for
    /// topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_mean: Option<f64>,
    /// The topics that are not even; only for topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uneven_topics: Option<u64>,
    /// Their replicas that would have to move; only for topics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misplaced_replicas: Option<u64>,
    /// The bytes that evening it copies, where that is known without another plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
}

/// A load is uneven where the busiest broker has this many times the mean. Below that, it is as even as in most clusters.
const TIMES: f64 = 1.5;
/// A busiest broker with less than this many pieces above the mean is no news: rounding leaves one more or less.
const ABOVE: f64 = 2.0;

impl Plan {
    /// The goals that the plan was not asked for, and that stay uneven. None for plans that even nothing.
    pub fn unasked(&self) -> Vec<UnaskedGoal> {
        let relieves =
            matches!(&self.request, Request::Rebalance(asked) if asked.relieve.is_some());
        let Some(balance) = self.request.balance().filter(|_| !relieves) else {
            return Vec::new();
        };
        let leaders_too = balance.optimize_leadership;
        let all = [
            BalanceGoal::Storage,
            BalanceGoal::Replicas,
            BalanceGoal::Leaders,
            BalanceGoal::Topics,
            BalanceGoal::Network,
            BalanceGoal::Cpu,
            BalanceGoal::Disks,
        ];
        let asked = |goal: BalanceGoal| {
            balance.goals.contains(&goal) || (goal == BalanceGoal::Leaders && leaders_too)
        };
        let others = all.into_iter().filter(|goal| !asked(*goal));
        others.filter_map(|goal| self.left_uneven(goal)).collect()
    }

    fn left_uneven(&self, goal: BalanceGoal) -> Option<UnaskedGoal> {
        let mut left = UnaskedGoal {
            goal,
            times_mean: None,
            uneven_topics: None,
            misplaced_replicas: None,
            bytes: (goal == BalanceGoal::Leaders).then_some(Bytes(0)),
        };
        let brokers = self.takers();
        match goal {
            BalanceGoal::Topics => {
                left.uneven_topics = self.after.uneven_topics.filter(|topics| *topics > 0);
                left.misplaced_replicas = self.after.misplaced_replicas;
                return left.uneven_topics.map(|_| left);
            }
            BalanceGoal::Leaders => left.times_mean = times(&brokers, |b| Some(b.leaders), ABOVE),
            BalanceGoal::Replicas => left.times_mean = times(&brokers, |b| Some(b.replicas), ABOVE),
            BalanceGoal::Network => {
                left.times_mean = times(&brokers, |b| b.traffic_bytes_per_second, 0.0);
            }
            BalanceGoal::Cpu => left.times_mean = times(&brokers, |b| b.replica_cpu_nanocores, 0.0),
            BalanceGoal::Disks => {
                let times = self.after.disks.map(|disks| disks.max_times_broker);
                left.times_mean = times.filter(|times| *times >= TIMES);
            }
            // Where the clients are is known only if it is asked for.
            BalanceGoal::LeadersZone => return None,
            BalanceGoal::Storage => {
                let ppm = |b: &BrokerFigures| b.used_bytes.zip(b.capacity_bytes).map(in_ppm);
                left.times_mean = times(&brokers, ppm, 0.0);
            }
        }
        left.times_mean.map(|_| left)
    }

    /// The brokers that replicas may be on in the end.
    pub(crate) fn takers(&self) -> Vec<&BrokerFigures> {
        let emptied = self.request.emptied();
        let takes = |broker: &&BrokerFigures| broker.live && !emptied.contains(&broker.id);
        self.after.brokers.iter().filter(takes).collect()
    }
}

fn in_ppm((used, capacity): (Bytes, Bytes)) -> u64 {
    let ppm = u128::from(used.0) * 1_000_000 / u128::from(capacity.0.max(1));
    u64::try_from(ppm).unwrap_or(u64::MAX)
}

/// The highest load as a multiple of the mean, if that is uneven; `None` if a load is unknown.
#[expect(clippy::cast_precision_loss, reason = "for display; no decision of a plan rests on it")]
fn times(
    brokers: &[&BrokerFigures],
    load: impl Fn(&BrokerFigures) -> Option<u64>,
    above: f64,
) -> Option<f64> {
    let loads: Vec<u64> = brokers.iter().map(|broker| load(broker)).collect::<Option<_>>()?;
    let most = *loads.iter().max()? as f64;
    let mean = loads.iter().map(|load| *load as f64).sum::<f64>() / loads.len() as f64;
    (mean > 0.0 && most >= mean * TIMES && most >= mean + above).then(|| most / mean)
}
