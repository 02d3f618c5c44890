//! What could not be planned, and what would heal it.

use super::report::LONG;
use super::table::Table;
use local::words::{counted, listed};
use mapper::{BrokerId, LeftOut, WhyLeftOut};
use std::fmt;

/// The partitions that a plan leaves as they are, though something is wrong with them.
pub(super) struct LeftOutView<'a>(pub(super) &'a [LeftOut]);

impl fmt::Display for LeftOutView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = counted(self.0.len(), "partition");
        let name = format!("Not planned: {count}");
        let columns = ["partition", "replicas", "why", "what heals it"];
        Table::section(f, &name, columns, (self.0, LONG, ""), |left| {
            let partition = format!("{}-{}", left.topic, left.partition);
            [partition, listed(&left.replicas), why(&left.why), cure(&left.why)]
        })?;
        let leaderless = |left: &LeftOut| matches!(left.why, WhyLeftOut::NoLeader { .. });
        if self.0.iter().any(leaderless) {
            writeln!(
                f,
                "  Never run an unclean election for a partition while it is being reassigned: that loses its data."
            )?;
        }
        Ok(())
    }
}

pub(super) fn why(why: &WhyLeftOut) -> String {
    match why {
        WhyLeftOut::NoLeader { .. } => "no live leader".to_owned(),
        WhyLeftOut::Reassigning { adding, removing } => {
            format!("being reassigned (adding {}, removing {})", or_none(adding), or_none(removing))
        }
        WhyLeftOut::Diskless { config } => format!("its topic has {config}"),
        WhyLeftOut::LostReplica { lost } => format!("replicas on lost brokers {}", listed(lost)),
        WhyLeftOut::NoOtherLeader { leader } => {
            format!("led by {leader}, and no other replica may lead")
        }
    }
}

pub(super) fn cure(why: &WhyLeftOut) -> String {
    match why {
        WhyLeftOut::NoLeader { heals } => match &heals[..] {
            [] => "the return of a broker with its data".to_owned(),
            [only] => format!("the return of broker {only}"),
            several => format!("the return of one of {}", listed(several)),
        },
        WhyLeftOut::Reassigning { .. } => "wait until it is done, then plan again".to_owned(),
        WhyLeftOut::Diskless { .. } => "nothing known: its data is not in brokers' logs".to_owned(),
        WhyLeftOut::LostReplica { .. } => "rebuild first, then plan again".to_owned(),
        WhyLeftOut::NoOtherLeader { .. } => "a replica on a broker that may lead".to_owned(),
    }
}

fn or_none(ids: &[BrokerId]) -> String {
    if ids.is_empty() { "none".to_owned() } else { listed(ids) }
}
