//! `plan explain`: why a replica moves, why not to another broker, and what a move is for.

use super::{read, refuse_other_cluster};
use crate::error::Error;
use crate::session::Session;
use crate::views::ExplainView;
use local::Status;
use mapper::explain::{ExplainQuestion, explain};
use mapper::{BrokerId, TopicPartition};
use std::path::PathBuf;

/// The flags of `plan explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan file (.json, .json.gz)
    ///
    /// --snapshot names the snapshot that the plan was made from.
    plan: PathBuf,
    /// Explain where this partition goes, and why: events.raw-7
    #[arg(long, value_name = "TOPIC-N", value_parser = partition, conflicts_with = "move")]
    partition: Option<TopicPartition>,
    /// Explain one move, by its index in the plan from 0
    #[arg(long, value_name = "INDEX")]
    r#move: Option<usize>,
    /// Explain why the plan did not choose this broker
    ///
    /// Without --partition and --move: what the broker receives and gives, and why not more.
    #[arg(long, value_name = "ID")]
    broker: Option<BrokerId>,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let facts = session.facts_of_plan()?;
    let plan = read(&args.plan)?.plan.ok_or_else(|| local::Error::NotOurs(args.plan.clone()))?;
    refuse_other_cluster(&plan, &facts.snapshot)?;
    let answer = explain(&facts.snapshot, &plan, &args.question())?;
    session.show(&ExplainView::of(&args.plan, answer, &plan, &facts.snapshot))?;
    Ok(Status::Done)
}

impl Args {
    fn question(&self) -> ExplainQuestion {
        match (&self.partition, self.r#move, self.broker) {
            (Some(of), _, broker) => ExplainQuestion::Partition(of.clone(), broker),
            (None, Some(index), broker) => ExplainQuestion::Move(index, broker),
            (None, None, Some(broker)) => ExplainQuestion::Broker(broker),
            (None, None, None) => ExplainQuestion::Plan,
        }
    }
}

/// `events.raw-7`: a topic's name may hold a hyphen, the number does not.
fn partition(text: &str) -> Result<TopicPartition, String> {
    let wrong = || format!("{text:?} is no partition: write TOPIC-N, as events.raw-7");
    let (topic, number) = text.rsplit_once('-').ok_or_else(wrong)?;
    let number = number.parse().map_err(|_| wrong())?;
    if topic.is_empty() {
        return Err(wrong());
    }
    Ok(TopicPartition { topic: topic.to_owned(), partition: mapper::PartitionId(number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_what_follows_the_last_hyphen() {
        let read = partition("logs-eu-12").unwrap();
        assert_eq!((read.topic.as_str(), read.partition.0), ("logs-eu", 12));
        for wrong in ["logs", "-1", "logs-x", "logs-"] {
            assert!(partition(wrong).is_err(), "{wrong}");
        }
    }
}
