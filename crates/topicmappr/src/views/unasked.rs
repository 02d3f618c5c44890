//! One line on the goals that a plan was not asked for: how uneven they stay, and what evens them. One more on a partition
//! that alone is more than a broker's share.

use mapper::{BalanceGoal, Bytes, OversizedPartition, Plan, UnaskedGoal, counted, joined, plural};
use std::fmt;

/// The goals that stay uneven.
#[derive(Debug)]
pub(super) struct Unasked<'a> {
    left: &'a [UnaskedGoal],
    /// All goals that even them too, as `--balance` takes them.
    goals: String,
}

impl<'a> Unasked<'a> {
    /// Nothing if all that was not asked for is even.
    pub(super) fn of(plan: &Plan, left: &'a [UnaskedGoal]) -> Option<Self> {
        let asked = plan.request.balance()?.goals.iter().copied();
        let goals = asked.chain(left.iter().map(|left| left.goal)).map(name);
        let goals = goals.collect::<Vec<_>>().join(",");
        (!left.is_empty()).then_some(Self { left, goals })
    }
}

fn name(goal: BalanceGoal) -> &'static str {
    match goal {
        BalanceGoal::Storage => "storage",
        BalanceGoal::Replicas => "replicas",
        BalanceGoal::Leaders => "leaders",
        BalanceGoal::Topics => "topics",
        BalanceGoal::Network => "network",
        BalanceGoal::Cpu => "cpu",
        BalanceGoal::LeadersZone => "leaders-zone",
        BalanceGoal::Disks => "disks",
    }
}

/// Longer lists of goals do not fit into the line.
const SHORT: usize = 24;

impl fmt::Display for Unasked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  not asked     ")?;
        let free = self.left.iter().filter(|left| left.bytes == Some(Bytes(0)));
        let free = joined(free.map(|left| name(left.goal)));
        match self.left {
            [one] => {
                let bytes = if free.is_empty() { "" } else { " with 0 bytes" };
                let uneven = how_uneven(one);
                if self.goals.len() <= SHORT {
                    return writeln!(f, "{uneven}; --balance {} evens them{bytes}", self.goals);
                }
                writeln!(f, "{uneven}; add {} to --balance", name(one.goal))
            }
            several => {
                write!(f, "{} uneven;", joined(several.iter().map(briefly)))?;
                // More of them do not fit into the line together with what to do.
                f.write_str(if several.len() > 4 { "\n                " } else { " " })?;
                f.write_str("add them to --balance")?;
                match several.len() {
                    2 if !free.is_empty() => writeln!(f, " ({free}: 0 bytes)"),
                    _ => writeln!(f),
                }
            }
        }
    }
}

fn how_uneven(left: &UnaskedGoal) -> String {
    let goal = name(left.goal);
    match (left.times_mean, left.uneven_topics.zip(left.misplaced_replicas)) {
        (Some(times), _) => format!("{goal} stay {times:.1} times uneven"),
        (None, Some((topics, replicas))) => {
            let stay = plural(topics, "stays", "stay");
            format!(
                "{} {stay} uneven by {}",
                counted(topics, "topic"),
                counted(replicas, "replica")
            )
        }
        (None, None) => goal.to_owned(),
    }
}

fn briefly(left: &UnaskedGoal) -> String {
    match (left.times_mean, left.uneven_topics) {
        (Some(times), _) => format!("{} {times:.1} x", name(left.goal)),
        (None, Some(topics)) => counted(topics, "topic"),
        (None, None) => name(left.goal).to_owned(),
    }
}

/// The line of a partition that no plan can place well.
pub(super) struct Oversized<'a>(pub(super) &'a OversizedPartition);

impl fmt::Display for Oversized<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OversizedPartition { of, size_bytes, share_bytes, partitions, helpful_partitions } =
            self.0;
        writeln!(
            f,
            "  too large     {of}: {size_bytes}, a broker's share {share_bytes}; \
             {helpful_partitions} partitions, not {partitions}, would help"
        )
    }
}
