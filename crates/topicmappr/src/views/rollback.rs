//! `rollback`, before it begins: what is cancelled, what returns, and what does not.

use super::{counted, heading, listed};
use execute::{WayBack, WhyNotBack};
use mapper::{Bytes, Plan, TopicPartition};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// Past so many, a list of partitions is cut.
const SHOWN: usize = 10;

/// What is about to be taken back.
#[derive(Debug, Serialize)]
pub(crate) struct RollbackView<'a> {
    event: &'static str,
    cluster_id: &'a str,
    /// In flight now: cancelled, they are where they were.
    cancelled_partitions: usize,
    /// Arrived: they move back.
    returning_partitions: usize,
    /// What moving back copies, where every size is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    returning_bytes: Option<Bytes>,
    steps: usize,
    /// Where the plan of the way back is kept.
    plan: &'a Path,
    stays: Vec<Stays<'a>>,
}

#[derive(Debug, Serialize)]
struct Stays<'a> {
    partition: &'a TopicPartition,
    #[serde(flatten)]
    why: &'a WhyNotBack,
}

impl<'a> RollbackView<'a> {
    pub(crate) fn of(
        cluster_id: &'a str,
        back: &'a WayBack,
        plan: Option<&Plan>,
        path: &'a Path,
    ) -> Self {
        let stays = back.left.iter().map(|(partition, why)| Stays { partition, why });
        Self {
            event: "preview",
            cluster_id,
            cancelled_partitions: back.in_flight.len(),
            returning_partitions: back.lists.len(),
            returning_bytes: plan.map_or(Some(Bytes(0)), Plan::bytes_moved),
            steps: plan.map_or(0, |plan| plan.steps.len()),
            plan: path,
            stays: stays.collect(),
        }
    }
}

impl fmt::Display for RollbackView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cancelled_partitions == 0 && self.returning_partitions == 0 {
            writeln!(f, "Nothing to take back in cluster {}", self.cluster_id)?;
        } else {
            writeln!(f, "Rolling back in cluster {}", self.cluster_id)?;
            writeln!(
                f,
                "  in flight   {}, to be cancelled",
                counted(self.cancelled_partitions, "partition")
            )?;
            writeln!(
                f,
                "  arrived     {}, to move back",
                counted(self.returning_partitions, "partition")
            )?;
            match self.returning_bytes {
                Some(bytes) => writeln!(f, "  to copy     {bytes}")?,
                None => writeln!(f, "  to copy     not known: sizes are missing")?,
            }
            writeln!(f, "  plan        {}", self.plan.display())?;
        }
        if self.stays.is_empty() {
            return Ok(());
        }
        heading(f, "Stays as it is")?;
        for one in self.stays.iter().take(SHOWN) {
            writeln!(f, "  {}: {}", one.partition, why(one.why))?;
        }
        if self.stays.len() > SHOWN {
            writeln!(f, "  and {} more; --output json names them all", self.stays.len() - SHOWN)?;
        }
        Ok(())
    }
}

fn why(why: &WhyNotBack) -> String {
    match why {
        WhyNotBack::Gone => "it was deleted".to_owned(),
        WhyNotBack::Dead { brokers } => {
            format!("{} held it before, and is not live", listed(brokers))
        }
        WhyNotBack::Changed { found } => {
            format!("it was changed by others since, to {}", listed(found))
        }
        WhyNotBack::NotOurs => "the journal knows of no submission: others moved it".to_owned(),
        WhyNotBack::MovedByOthers { target } => {
            format!("others are moving it to {}", listed(target))
        }
        WhyNotBack::NoLeader => "it has no leader, so there is nothing to copy from".to_owned(),
    }
}
