//! How even a plan leaves what it was asked to even, and the best that any plan could reach.

use local::words::counted;
use mapper::{Assumption, BalanceFloor, BalanceGoal, Bytes, Figures, Plan};
use std::fmt;

/// One line for each goal of the plan, in their order.
#[derive(Debug)]
pub(super) struct Evenness<'a> {
    goals: &'a [BalanceGoal],
    before: &'a Figures,
    after: &'a Figures,
    floor: BalanceFloor,
    /// What it assumes about traffic.
    assumed: &'a [Assumption],
}

impl<'a> Evenness<'a> {
    /// Nothing for plans that even nothing.
    pub(super) fn of(plan: &'a Plan) -> Option<Self> {
        let goals = &plan.request.balance()?.goals;
        let is_network = goals.contains(&BalanceGoal::Network);
        let assumed = if is_network { plan.assumed.as_slice() } else { &[] };
        Some(Self { goals, before: &plan.before, after: &plan.after, floor: plan.floor?, assumed })
    }
}

impl Evenness<'_> {
    fn topics(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, floor, .. } = self;
        let before = uneven_topics(before.uneven_topics, before.misplaced_replicas);
        let after = uneven_topics(after.uneven_topics, after.misplaced_replicas);
        let best = uneven_topics(floor.uneven_topics, floor.misplaced_replicas);
        writeln!(f, "  {:13} {before} -> {after}; at best {best}", "topics")
    }
}

impl fmt::Display for Evenness<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, floor, .. } = self;
        let best = |least: Option<String>, most: Option<String>| match (least, most) {
            (Some(least), Some(most)) => format!("; at best {least} to {most}"),
            (None, Some(most)) => format!("; at best {most}"),
            (_, None) => String::new(),
        };
        for goal in self.goals {
            if *goal == BalanceGoal::Topics {
                self.topics(f)?;
                continue;
            }
            let (name, before, after, best) = match goal {
                BalanceGoal::Storage => (
                    "storage",
                    range(before.min_used_ratio, before.max_used_ratio, percent),
                    range(after.min_used_ratio, after.max_used_ratio, percent),
                    best(floor.min_used_ratio.map(percent), Some(percent(floor.max_used_ratio))),
                ),
                BalanceGoal::Replicas => (
                    "replicas",
                    range(before.min_replicas, before.max_replicas, text),
                    range(after.min_replicas, after.max_replicas, text),
                    best(floor.min_replicas.map(text), floor.max_replicas.map(text)),
                ),
                BalanceGoal::Topics | BalanceGoal::Leaders => (
                    "leaders",
                    range(before.min_leaders, before.max_leaders, text),
                    range(after.min_leaders, after.max_leaders, text),
                    best(None, floor.max_leaders.map(text)),
                ),
                BalanceGoal::Network if self.assumed.contains(&Assumption::EqualNetworks) => (
                    "traffic",
                    range(
                        before.min_traffic_bytes_per_second,
                        before.max_traffic_bytes_per_second,
                        rate,
                    ),
                    range(
                        after.min_traffic_bytes_per_second,
                        after.max_traffic_bytes_per_second,
                        rate,
                    ),
                    best(None, floor.max_traffic_bytes_per_second.map(rate)),
                ),
                BalanceGoal::Network => (
                    "network",
                    range(before.min_network_ratio, before.max_network_ratio, percent),
                    range(after.min_network_ratio, after.max_network_ratio, percent),
                    best(
                        floor.min_network_ratio.map(percent),
                        floor.max_network_ratio.map(percent),
                    ),
                ),
            };
            writeln!(f, "  {name:13} {before} -> {after} a broker{best}")?;
        }
        for assumption in self.assumed {
            writeln!(f, "  assumed       {assumption}")?;
        }
        Ok(())
    }
}

/// Topics, and the replicas that would have to move to even them.
fn uneven_topics(topics: Option<u64>, replicas: Option<u64>) -> String {
    match topics.zip(replicas) {
        None => "unknown".to_owned(),
        Some((0, _)) => "all even".to_owned(),
        Some((topics, replicas)) => format!("{topics} uneven by {}", counted(replicas, "replica")),
    }
}

fn range<T>(least: Option<T>, most: Option<T>, text: impl Fn(T) -> String) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{} to {}", text(least), text(most)),
        _ => "unknown".to_owned(),
    }
}

fn text(number: u64) -> String {
    number.to_string()
}

fn rate(bytes: u64) -> String {
    format!("{}/s", Bytes(bytes))
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}
