//! Leaders that a plan leaves uneven, because it was not asked to even them.

use mapper::{BalanceGoal, BrokerFigures, BrokerId, Plan, Request};
use std::fmt;

/// Leaders are uneven where the busiest broker leads this many times the mean. Below that, `rebalance` of storage alone is as
/// even as most clusters are.
const TIMES: f64 = 1.5;
/// A busiest broker with less than this many leaders above the mean is no news: one more or less is what rounding leaves.
const ABOVE: f64 = 2.0;

/// The broker that leads most.
#[derive(Debug)]
pub(super) struct UnevenLeaders {
    broker: BrokerId,
    leaders: u64,
    mean: f64,
    /// The goals that even them too, as `--balance` takes them.
    goals: String,
}

impl UnevenLeaders {
    /// Nothing for plans that even leaders, or that even nothing.
    pub(super) fn of(plan: &Plan) -> Option<Self> {
        if let Request::Rebalance(request) = &plan.request
            && request.relieve.is_some()
        {
            return None;
        }
        let goals = &plan.request.balance()?.goals;
        if goals.contains(&BalanceGoal::Leaders) {
            return None;
        }
        let emptied = plan.request.emptied();
        let lead = |broker: &&BrokerFigures| broker.live && !emptied.contains(&broker.id);
        let brokers: Vec<&BrokerFigures> = plan.after.brokers.iter().filter(lead).collect();
        let busiest = brokers.iter().max_by_key(|broker| (broker.leaders, broker.id))?;
        let leaders = brokers.iter().map(|broker| broker.leaders).fold(0, u64::saturating_add);
        let mean = exact(leaders) / exact(u64::try_from(brokers.len()).ok()?);
        let most = exact(busiest.leaders);
        let names = goals.iter().map(name).chain(["leaders"]).collect::<Vec<_>>();
        let uneven = most >= mean * TIMES && most >= mean + ABOVE;
        uneven.then(|| Self {
            broker: busiest.id,
            leaders: busiest.leaders,
            mean,
            goals: names.join(","),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display; no decision of a plan rests on it")]
fn exact(count: u64) -> f64 {
    count as f64
}

fn name(goal: &BalanceGoal) -> &'static str {
    match goal {
        BalanceGoal::Storage => "storage",
        BalanceGoal::Replicas => "replicas",
        BalanceGoal::Leaders => "leaders",
        BalanceGoal::Topics => "topics",
        BalanceGoal::Network => "network",
    }
}

impl fmt::Display for UnevenLeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broker, leaders, mean, goals } = self;
        let times = exact(*leaders) / mean;
        writeln!(
            f,
            "  leaders       stay uneven: broker {broker} leads {leaders}, {times:.1} x the mean of {mean:.1}"
        )?;
        writeln!(f, "                even them: topicmappr leaders, or --balance {goals}")
    }
}
