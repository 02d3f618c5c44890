//! Why one partition moves, or stays.

use super::context::Context;
use super::instead::{BrokerJudge, Instead};
use super::without::{self, Without};
use crate::bytes::Bytes;
use crate::dense::BrokerIx;
use crate::ids::{BrokerId, Replicas, TopicPartition};
use crate::plan::{Move, Reason, WhyLeftOut};
use crate::request::Request;
use crate::target::Target;
use crate::work::log_size;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the plan changes for one partition, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartitionExplained {
    /// The partition.
    #[serde(flatten)]
    pub of: TopicPartition,
    /// The map that its topic belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// The bytes of one replica, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<Bytes>,
    /// The list before.
    pub from: Replicas,
    /// The list after.
    pub to: Replicas,
    /// The racks of the list before.
    pub racks_before: Vec<RackCount>,
    /// The racks of the list after.
    pub racks_after: Vec<RackCount>,
    /// Why it stays; absent if it moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays: Option<WhyItStays>,
    /// The move's index in the plan; absent if the partition stays.
    #[serde(rename = "move", skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The steps that make the move, numbered from 0: one for each list that is submitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<usize>,
    /// The intermediate lists, if the move has several submissions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<Replicas>,
    /// The strongest reason of its seats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The bytes that are copied, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// The replicas that stay on their broker and change their volume there: the plan evens the volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub between_volumes: Vec<LogDirChange>,
    /// The replicas that leave.
    pub leaves: Vec<Leaves>,
    /// The replicas that arrive.
    pub comes: Vec<Comes>,
    /// The change of the preferred leader, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leader: Option<LeaderChange>,
    /// The plan without this move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<Without>,
}

/// How many replicas of a partition a rack holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RackCount {
    /// The rack. A broker without one counts as a separate rack.
    pub rack: String,
    /// The replicas.
    pub replicas: usize,
}

/// A replica that stays on its broker and changes its log dir.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogDirChange {
    /// The broker.
    pub broker: BrokerId,
    /// The log dir before, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The log dir after.
    pub to: String,
}

/// A replica that leaves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leaves {
    /// Its broker.
    pub broker: BrokerId,
    /// The broker's rack, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Why it leaves.
    #[serde(flatten)]
    pub cause: LeaveCause,
}

/// Why a replica leaves its broker.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum LeaveCause {
    /// Its broker is not live.
    NotLive,
    /// Its broker is live, and the replica is in a failed log dir.
    FailedLogDir,
    /// The request empties its broker (`--drain`, `replace`).
    Leaving,
    /// The request does not allow its broker.
    NotAllowed,
    /// Its broker does not belong to the map.
    OffMap {
        /// The map.
        map: String,
    },
    /// The request asks for fewer replicas.
    FewerReplicas {
        /// The replicas before.
        before: usize,
        /// The replicas that the request asks for.
        after: usize,
    },
    /// Its rack held more replicas than another rack (`--fix-racks`).
    CrowdedRack {
        /// The rack's replicas of the partition before.
        held: usize,
    },
    /// Its broker held more than its share.
    Balance {
        /// The broker's share of storage used before, where known.
        #[serde(skip_serializing_if = "Option::is_none")]
        used_ratio_before: Option<f64>,
        /// The broker's share after the plan.
        #[serde(skip_serializing_if = "Option::is_none")]
        used_ratio_after: Option<f64>,
        /// The broker's replicas before.
        replicas_before: u64,
        /// The broker's replicas after the plan.
        replicas_after: u64,
    },
    /// The request places everything in scope again, or gives the list.
    Forced,
}

/// A replica that arrives.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comes {
    /// Its broker.
    pub broker: BrokerId,
    /// The broker's rack, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The broker's share of storage used before the plan, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_ratio_before: Option<f64>,
    /// The broker's share after the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_ratio_after: Option<f64>,
    /// The bytes that the broker may still take under its limit after the plan, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_after_bytes: Option<Bytes>,
    /// Each other broker's answer for this replica.
    pub instead: Vec<Instead>,
}

/// A change of the preferred leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaderChange {
    /// The preferred leader before the plan.
    pub from: BrokerId,
    /// The number of partitions whose preferred leader is `from`: before the plan, and after.
    pub from_leads: [u64; 2],
    /// The preferred leader after the plan.
    pub to: BrokerId,
    /// The number of partitions whose preferred leader is `to`: before the plan, and after.
    pub to_leads: [u64; 2],
}

/// Why a partition stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum WhyItStays {
    /// The request does not cover it.
    OutOfScope,
    /// A fault prevents a move.
    LeftOut(WhyLeftOut),
    /// It has no fault, and did not need to move.
    NothingWrong,
}

/// The explanation for the partition with this index.
pub(super) fn of(
    context: &Context<'_>,
    partition: usize,
    only: Option<BrokerId>,
) -> PartitionExplained {
    let cluster = &context.cluster;
    let (of, known) = (cluster.name(partition), cluster.partition(partition));
    let index = context.move_of(&of.topic, of.partition);
    let change = index.map(|index| &context.plan.moves[index]);
    let to = change.map_or(&known.replicas, |change| &change.to).clone();
    let assignments = &context.terms.assignments;
    let target = context.target(partition);
    PartitionExplained {
        map: target.and_then(|(at, _)| assignments[at].map.clone()),
        size_bytes: log_size(cluster, known).map(Bytes),
        racks_before: racks(context, &known.replicas),
        racks_after: racks(context, &to),
        stays: index.is_none().then(|| stays(context, &of, target.is_some())),
        index,
        steps: index.map(|index| context.steps_of[index].clone()).unwrap_or_default(),
        via: change.map(|change| change.via.to_vec()).unwrap_or_default(),
        reason: change.map(|change| change.reason),
        bytes: change.and_then(|change| change.bytes),
        between_volumes: change.map(|change| between_volumes(context, change)).unwrap_or_default(),
        leaves: change.map(|change| leaves(context, partition, change)).unwrap_or_default(),
        comes: index.map(|index| comes(context, index, only)).unwrap_or_default(),
        leader: change.and_then(|change| leader(context, change)),
        without: index.map(|index| without::of(context, index)),
        from: known.replicas.clone(),
        to,
        of,
    }
}

fn between_volumes(context: &Context<'_>, change: &Move) -> Vec<LogDirChange> {
    let topic = context.cluster.snapshot.topic(&change.topic);
    let found = topic.and_then(|topic| Some((topic, topic.partition(change.partition)?)));
    let lay = |id| found.and_then(|(topic, partition)| topic.log_dir_of(partition, id));
    let one = |(broker, to): (BrokerId, &str)| LogDirChange {
        broker,
        from: lay(broker).map(str::to_owned),
        to: to.to_owned(),
    };
    change.between_volumes().map(one).collect()
}

fn racks(context: &Context<'_>, list: &[BrokerId]) -> Vec<RackCount> {
    let cluster = &context.cluster;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for broker in list.iter().filter_map(|id| cluster.index_of(*id)) {
        *counts.entry(&cluster.rack_names[cluster.rack[broker as usize]]).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(rack, replicas)| RackCount { rack: rack.to_owned(), replicas })
        .collect()
}

fn stays(context: &Context<'_>, of: &TopicPartition, in_scope: bool) -> WhyItStays {
    let mut left_out = context.plan.left_out.iter();
    let found = left_out.find(|left| *left.topic == *of.topic && left.partition == of.partition);
    match found {
        Some(left) => WhyItStays::LeftOut(left.why.clone()),
        None if in_scope => WhyItStays::NothingWrong,
        None => WhyItStays::OutOfScope,
    }
}

fn leaves(context: &Context<'_>, partition: usize, change: &Move) -> Vec<Leaves> {
    let target = context.target(partition);
    let brokers = change.removed().filter_map(|id| context.cluster.index_of(id));
    brokers
        .map(|broker| Leaves {
            broker: context.cluster.id(broker),
            rack: context.rack(broker).map(str::to_owned),
            cause: cause(context, partition, change, target, broker),
        })
        .collect()
}

/// The first cause that applies. A fault outranks the request.
fn cause(
    context: &Context<'_>,
    partition: usize,
    change: &Move,
    target: Option<(usize, &Target)>,
    broker: BrokerIx,
) -> LeaveCause {
    let cluster = &context.cluster;
    let id = cluster.id(broker);
    if !cluster.live[broker as usize] {
        return LeaveCause::NotLive;
    }
    if cluster.partition(partition).offline().contains(&id) {
        return LeaveCause::FailedLogDir;
    }
    let drained = context.plan.request.balance().is_some_and(|b| b.drain.contains(&id));
    let outgoing = matches!(&context.plan.request, Request::Replace(r) if r.outgoing == id);
    if drained || outgoing {
        return LeaveCause::Leaving;
    }
    if let Some((at, target)) = target
        && !target.allowed[broker as usize]
    {
        let map = context.terms.assignments[at].map.clone();
        return map.map_or(LeaveCause::NotAllowed, |map| LeaveCause::OffMap { map });
    }
    let (before, after) = (change.from.len(), change.to.len());
    // A replica that moved because of a fault can move once more to even the load.
    let evens = change.reason == Reason::Balance || context.plan.request.balance().is_some();
    if change.reason == Reason::Forced {
        LeaveCause::Forced
    } else if after < before {
        LeaveCause::FewerReplicas { before, after }
    } else if evens {
        balance(context, broker)
    } else {
        let rack = cluster.rack[broker as usize];
        let seats = cluster.seats_of(partition).iter();
        let held = seats.filter(|seat| cluster.rack[**seat as usize] == rack).count();
        LeaveCause::CrowdedRack { held }
    }
}

fn balance(context: &Context<'_>, broker: BrokerIx) -> LeaveCause {
    let id = context.cluster.id(broker);
    LeaveCause::Balance {
        used_ratio_before: context.ratio(broker, context.cluster.used[broker as usize]),
        used_ratio_after: context.ratio(broker, context.used_after[broker as usize]),
        replicas_before: context.plan.before.of_broker(id).map_or(0, |before| before.replicas),
        replicas_after: context.replicas_after[broker as usize],
    }
}

fn comes(context: &Context<'_>, index: usize, only: Option<BrokerId>) -> Vec<Comes> {
    let judge = BrokerJudge::new(context);
    let copies = judge.copies(index);
    copies
        .iter()
        .map(|copied| {
            let broker = copied.chosen;
            let used = context.used_after[broker as usize];
            let room = context.limit[broker as usize].zip(used).map(|(l, u)| l.saturating_sub(u));
            Comes {
                broker: context.cluster.id(broker),
                rack: context.rack(broker).map(str::to_owned),
                used_ratio_before: context.ratio(broker, context.cluster.used[broker as usize]),
                used_ratio_after: context.ratio(broker, used),
                room_after_bytes: room.map(Bytes),
                instead: judge.instead(copied, only),
            }
        })
        .collect()
}

fn leader(context: &Context<'_>, change: &Move) -> Option<LeaderChange> {
    let (from, to) = (*change.from.first()?, *change.to.first()?);
    let leads = |id: BrokerId| {
        [&context.plan.before, &context.plan.after]
            .map(|figures| figures.of_broker(id).map_or(0, |broker| broker.leaders))
    };
    (from != to).then(|| LeaderChange { from, from_leads: leads(from), to, to_leads: leads(to) })
}
