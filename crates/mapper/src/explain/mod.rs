//! Explains a plan: why a replica moves, why it goes there and not elsewhere, and what a move is for.
//!
//! In: the snapshot that the plan was made from, the plan, and a question. Out: the answer as data, with every number.
//! The planners' own rules judge each broker, with every other move of the plan made.

mod broker;
mod context;
mod instead;
mod near;
mod partition;
mod summary;
mod without;

pub use broker::{BrokerExplained, Passing, PlacedReplicas, VerdictCount};
pub use instead::{Admitted, BrokerVerdict, Compared, Instead};
pub use partition::{
    Comes, LeaderChange, LeaveCause, Leaves, LogDirChange, PartitionExplained, RackCount,
    WhyItStays,
};
pub use summary::{PlanExplained, ReasonSum};
pub use without::{StorageExtremes, Without};

use crate::counted::counted;
use crate::ids::{BrokerId, PartitionId, TopicPartition};
use crate::no_plan::NoPlan;
use crate::plan::Plan;
use crate::snapshot::{Snapshot, SnapshotHash};
use context::Context;
use serde::Serialize;

/// A question about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExplainQuestion {
    /// What the plan is for.
    Plan,
    /// Why one partition moves, and where to. With a broker: only that broker's answer.
    Partition(TopicPartition, Option<BrokerId>),
    /// As [`Self::Partition`], for a move by its index.
    Move(usize, Option<BrokerId>),
    /// What the plan changes on one broker, and why the broker got no more replicas.
    Broker(BrokerId),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Explained {
    /// About the plan.
    Plan(PlanExplained),
    /// About one partition.
    Partition(Box<PartitionExplained>),
    /// About one broker.
    Broker(Box<BrokerExplained>),
}

/// Why a question has no answer. The question is wrong, not the plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The snapshot is not the one that the plan was made from.
    #[error("the plan was made from snapshot {plan}, and this is {found}")]
    OtherSnapshot {
        /// The hash that the plan names.
        plan: SnapshotHash,
        /// The hash of the snapshot that was given.
        found: SnapshotHash,
    },
    /// The plan's own request does not fit the snapshot.
    #[error("the plan's request does not fit the snapshot: {0}")]
    Request(Box<NoPlan>),
    /// The topic does not exist.
    #[error("there is no topic {topic:?}")]
    UnknownTopic {
        /// The name in the question.
        topic: String,
        /// Similar names.
        near: Vec<String>,
    },
    /// The topic has no such partition.
    #[error("topic {} has partitions {first}..{last}, and not {}", .of.topic, .of.partition)]
    UnknownPartition {
        /// The partition in the question.
        of: TopicPartition,
        /// The topic's first partition.
        first: PartitionId,
        /// The topic's last partition.
        last: PartitionId,
    },
    /// The broker is not registered and no replica list names it.
    #[error("not registered, nor in any replica list: broker {0}")]
    UnknownBroker(BrokerId),
    /// The plan has fewer moves.
    #[error("the plan has {}, numbered from 0, and no move {index}", counted(*moves, "move"))]
    NoSuchMove {
        /// The index in the question.
        index: usize,
        /// The number of moves.
        moves: usize,
    },
}

/// Answers a question about a plan.
///
/// # Errors
/// [`ExplainError`]: the snapshot is not the plan's, or the question names something that does not exist.
pub fn explain(
    before: &Snapshot,
    plan: &Plan,
    question: &ExplainQuestion,
) -> Result<Explained, ExplainError> {
    let found = before.hash();
    if found != plan.snapshot {
        return Err(ExplainError::OtherSnapshot { plan: plan.snapshot.clone(), found });
    }
    let view = plan.request.terms().view(before);
    let context = Context::new(&view, plan).map_err(|why| ExplainError::Request(Box::new(why)))?;
    match question {
        ExplainQuestion::Plan => Ok(Explained::Plan(summary::of(&context))),
        ExplainQuestion::Partition(of, broker) => about(&context, of, *broker),
        ExplainQuestion::Move(index, broker) => {
            let missing = ExplainError::NoSuchMove { index: *index, moves: plan.moves.len() };
            about(&context, &plan.moves.get(*index).ok_or(missing)?.of(), *broker)
        }
        ExplainQuestion::Broker(id) => {
            let broker = context.cluster.index_of(*id).ok_or(ExplainError::UnknownBroker(*id))?;
            Ok(Explained::Broker(Box::new(broker::of(&context, broker))))
        }
    }
}

fn about(
    context: &Context<'_>,
    of: &TopicPartition,
    broker: Option<BrokerId>,
) -> Result<Explained, ExplainError> {
    if let Some(id) = broker.filter(|id| context.cluster.index_of(*id).is_none()) {
        return Err(ExplainError::UnknownBroker(id));
    }
    let index = find(context, of)?;
    Ok(Explained::Partition(Box::new(partition::of(context, index, broker))))
}

/// The partition's dense index.
fn find(context: &Context<'_>, of: &TopicPartition) -> Result<usize, ExplainError> {
    let topics = context.cluster.snapshot.topics();
    let Ok(topic) = topics.binary_search_by(|topic| topic.name.as_str().cmp(&of.topic)) else {
        let near = near::names(&of.topic, topics.iter().map(|topic| topic.name.as_str()));
        return Err(ExplainError::UnknownTopic { topic: of.topic.clone(), near });
    };
    let partitions = &topics[topic].partitions;
    match partitions.binary_search_by_key(&of.partition, |partition| partition.id) {
        Ok(at) => Ok(context.cluster.first_partition[topic] + at),
        Err(_) => {
            let id = |end: Option<&crate::snapshot::Partition>| end.map_or(of.partition, |p| p.id);
            let (first, last) = (id(partitions.first()), id(partitions.last()));
            Err(ExplainError::UnknownPartition { of: of.clone(), first, last })
        }
    }
}
