//! `rollback`, before it begins: what is cancelled, what returns, and what does not.

use super::{PutBack, shown};
use execute::{WayBack, WhyNotBack};
use mapper::{BrokerId, Bytes, Plan, TopicPartition};
use operate::words::{counted, listed};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// What is about to be taken back.
#[derive(Debug, Serialize)]
pub(crate) struct RollbackView<'a> {
    event: &'static str,
    cluster_id: &'a str,
    /// In flight now: cancelled, they are where they were.
    cancelled_partitions: usize,
    /// Arrived: they move back.
    returning_partitions: usize,
    cancelled: &'a [TopicPartition],
    returning: Vec<Returning<'a>>,
    put_back: Vec<PutBack>,
    /// What moving back copies, where every size is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    returning_bytes: Option<Bytes>,
    steps: usize,
    /// Where the plan of the way back is kept.
    plan: &'a Path,
    stays: Vec<Stays<'a>>,
}

/// A partition that moves back.
#[derive(Debug, Serialize)]
struct Returning<'a> {
    partition: &'a TopicPartition,
    /// What it had before the plan.
    replicas: &'a [BrokerId],
}

impl fmt::Display for Returning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: back to {}", self.partition, listed(self.replicas))
    }
}

#[derive(Debug, Serialize)]
struct Stays<'a> {
    partition: &'a TopicPartition,
    #[serde(flatten)]
    why: &'a WhyNotBack,
}

impl fmt::Display for Stays<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.partition, why(self.why))
    }
}

impl<'a> RollbackView<'a> {
    pub(crate) fn of(
        cluster_id: &'a str,
        (back, plan, path): (&'a WayBack, Option<&Plan>, &'a Path),
        put_back: Vec<PutBack>,
    ) -> Self {
        let returning = back.lists.iter();
        let returning = returning.map(|(partition, list)| Returning { partition, replicas: list });
        let stays = back.left.iter().map(|(partition, why)| Stays { partition, why });
        Self {
            event: "preview",
            cluster_id,
            cancelled_partitions: back.in_flight.len(),
            returning_partitions: back.lists.len(),
            cancelled: &back.in_flight,
            returning: returning.collect(),
            put_back,
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
            let what = if self.put_back.is_empty() { "Nothing" } else { "No partition" };
            writeln!(f, "{what} to roll back in cluster {}", self.cluster_id)?;
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
        shown(f, self.cancelled, "To be cancelled")?;
        shown(f, &self.returning, "To move back")?;
        shown(f, &self.put_back, "To be restored")?;
        shown(f, &self.stays, "Stays as it is")
    }
}

fn why(why: &WhyNotBack) -> String {
    match why {
        WhyNotBack::Gone => "it was deleted".to_owned(),
        WhyNotBack::Untold => "whether its topic still exists is unknown".to_owned(),
        WhyNotBack::Dead { brokers } => {
            format!("{} held it before, and is not live", listed(brokers))
        }
        WhyNotBack::Changed { found } => {
            format!("it was changed by others since, to {}", listed(found))
        }
        WhyNotBack::NotOurs => "the journal has no submission of it: others moved it".to_owned(),
        WhyNotBack::MovedByOthers { target } => {
            format!("others are moving it to {}", listed(target))
        }
        WhyNotBack::NoLeader => "it has no leader, so there is nothing to copy from".to_owned(),
    }
}
