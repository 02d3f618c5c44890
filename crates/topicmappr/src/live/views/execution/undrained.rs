//! Brokers that the plan empties and that are not empty, and the sweep that moves the rest.

use crate::live::views::shown;
use mapper::{Bytes, Plan, Undrained, joined};
use operate::words::counted;
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// So many partitions of a broker are named.
const NAMED: usize = 5;

/// A sweep, before it begins.
#[derive(Debug, Serialize)]
pub(crate) struct SweepView<'a> {
    event: &'static str,
    undrained: &'a [Undrained],
    /// Partitions that move.
    partitions: usize,
    /// What that copies, where every size is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Bytes>,
    /// Where its plan is kept.
    plan: &'a Path,
}

impl<'a> SweepView<'a> {
    pub(crate) fn of(undrained: &'a [Undrained], plan: &Plan, path: &'a Path) -> Self {
        let (partitions, bytes) = (plan.moves.len(), plan.bytes_moved());
        Self { event: "sweep", undrained, partitions, bytes, plan: path }
    }
}

impl fmt::Display for SweepView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left: Vec<String> = self.undrained.iter().map(left).collect();
        shown(f, &left, "Not empty")?;
        writeln!(f, "Sweeping: {} to move", counted(self.partitions, "partition"))?;
        match self.bytes {
            Some(bytes) => writeln!(f, "  to copy     {bytes}")?,
            None => writeln!(f, "  to copy     not known: sizes are missing")?,
        }
        writeln!(f, "  plan        {}", self.plan.display())
    }
}

/// What one broker still holds.
pub(super) fn left(undrained: &Undrained) -> String {
    let Undrained { broker, partitions, out_of_scope } = undrained;
    let named = joined(partitions.iter().take(NAMED));
    let more = partitions.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let ours = match partitions.len() {
        0 => None,
        count => {
            let what = counted(count, "partition");
            Some(format!("{what} of the plan's topics ({named}{more})"))
        }
    };
    let others = (*out_of_scope > 0)
        .then(|| format!("{} of topics outside the plan", counted(*out_of_scope, "partition")));
    let both: Vec<String> = ours.into_iter().chain(others).collect();
    format!("{broker} still holds {}", both.join(", and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::{BrokerId, PartitionId, TopicPartition};

    #[test]
    fn what_was_to_stay_is_told_from_what_came_meanwhile() {
        let partitions = (0..7).map(|partition| TopicPartition {
            topic: "new".to_owned(),
            partition: PartitionId(partition),
        });
        let mut one =
            Undrained { broker: BrokerId(1003), partitions: partitions.collect(), out_of_scope: 1 };
        assert_eq!(
            left(&one),
            "1003 still holds 7 partitions of the plan's topics (new-0, new-1, new-2, new-3, new-4, and 2 more), \
             and 1 partition of topics outside the plan"
        );
        one.partitions.clear();
        assert_eq!(left(&one), "1003 still holds 1 partition of topics outside the plan");
    }
}
