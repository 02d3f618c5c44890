//! What a plan changes on one broker, and why the broker got no more replicas.

use super::context::{Context, each_held};
use super::instead::{BrokerJudge, BrokerVerdict, Compared};
use crate::bytes::Bytes;
use crate::dense::BrokerIx;
use crate::figures::BrokerFigures;
use crate::ids::{BrokerId, TopicPartition};
use crate::plan::Reason;
use serde::Serialize;
use std::collections::BTreeMap;

/// The changes of one broker, and why it got no more replicas.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BrokerExplained {
    /// The broker.
    pub broker: BrokerId,
    /// Its rack, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Registered and not fenced at capture.
    pub live: bool,
    /// Its load before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<BrokerFigures>,
    /// Its load after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<BrokerFigures>,
    /// The usable bytes of its storage, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_bytes: Option<Bytes>,
    /// The most bytes that it uses at any step, with both copies of moving replicas, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<Bytes>,
    /// The step of that peak, numbered from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_step: Option<usize>,
    /// The replicas that move to it.
    pub takes: Vec<Passing>,
    /// The replicas that leave it.
    pub gives: Vec<Passing>,
    /// The replicas that the plan copies, and why this broker got them or not.
    pub placed: PlacedReplicas,
}

/// A replica that arrives or leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passing {
    /// The partition.
    #[serde(flatten)]
    pub of: TopicPartition,
    /// The move's index in the plan.
    #[serde(rename = "move")]
    pub index: usize,
    /// The move's reason.
    pub reason: Reason,
    /// The bytes of one copy.
    pub bytes: Bytes,
}

/// The replicas that a plan copies, grouped by the reason against one broker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlacedReplicas {
    /// The number of all copied replicas.
    pub replicas: usize,
    /// The number that this broker gets.
    pub here: usize,
    /// The others, by reason.
    pub elsewhere: Vec<VerdictCount>,
}

/// Replicas with the same reason against a broker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerdictCount {
    /// How many there are.
    pub replicas: usize,
    /// The first of them.
    pub first: TopicPartition,
    /// The answer for the first one.
    pub answer: BrokerVerdict,
}

pub(super) fn of(context: &Context<'_>, broker: BrokerIx) -> BrokerExplained {
    let cluster = &context.cluster;
    let id = cluster.id(broker);
    let peak = context.peak(broker, 0);
    BrokerExplained {
        broker: id,
        rack: context.rack(broker).map(str::to_owned),
        live: cluster.live[broker as usize],
        before: context.plan.before.of_broker(id).cloned(),
        after: context.plan.after.of_broker(id).cloned(),
        limit_bytes: context.limit[broker as usize].map(Bytes),
        peak_bytes: peak.map(|(bytes, _)| Bytes(bytes)),
        peak_step: peak.map(|(_, step)| step),
        takes: passing(context, &|change| change.added().any(|added| added == id)),
        gives: passing(context, &|change| change.removed().any(|removed| removed == id)),
        placed: placed(context, broker),
    }
}

fn passing(context: &Context<'_>, here: &dyn Fn(&crate::plan::Move) -> bool) -> Vec<Passing> {
    let moves = context.plan.moves.iter().enumerate();
    moves
        .filter(|(_, change)| here(change))
        .map(|(index, change)| {
            let partition = context.cluster.snapshot.partition(&change.topic, change.partition);
            let size = partition.and_then(|partition| partition.size);
            let bytes = size.unwrap_or_else(|| Bytes(each_held(&context.cluster, change)));
            Passing { of: change.of(), index, reason: change.reason, bytes }
        })
        .collect()
}

fn placed(context: &Context<'_>, broker: BrokerIx) -> PlacedReplicas {
    let judge = BrokerJudge::new(context);
    let mut placed = PlacedReplicas { replicas: 0, here: 0, elsewhere: Vec::new() };
    let mut kinds: BTreeMap<AnswerKind, VerdictCount> = BTreeMap::new();
    for index in 0..context.plan.moves.len() {
        for copied in judge.copies(index) {
            placed.replicas += 1;
            if copied.chosen == broker {
                placed.here += 1;
                continue;
            }
            let answer = judge.verdict(&copied, broker);
            let first = || context.plan.moves[index].of();
            let kind = AnswerKind::of(&answer);
            let new = || VerdictCount { replicas: 0, first: first(), answer };
            kinds.entry(kind).or_insert_with(new).replicas += 1;
        }
    }
    placed.elsewhere = kinds.into_values().collect();
    placed
}

/// The key by which answers are counted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum AnswerKind {
    Refused(&'static str),
    Other(u8),
    Admitted(Compared),
}

impl AnswerKind {
    fn of(verdict: &BrokerVerdict) -> Self {
        match verdict {
            BrokerVerdict::Refused { why } => Self::Refused(why.rule()),
            BrokerVerdict::NoRoomDuring { .. } => Self::Other(0),
            BrokerVerdict::NotThePartner { .. } => Self::Other(1),
            BrokerVerdict::LeavesItsRack => Self::Other(2),
            BrokerVerdict::Admitted(admitted) => Self::Admitted(admitted.compared),
        }
    }
}
