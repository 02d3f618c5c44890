//! Warnings that an operator should read before a plan is written: a closed list, each with a code.

use crate::bytes::{Bytes, Ratio};
use crate::counted::{counted, plural};
use crate::figures::Figures;
use crate::ids::{BrokerId, TopicPartition, in_words};
use crate::lookup::Lookup;
use crate::plan::{Move, Plan, WhyLeftOut};
use crate::request::Request;
use crate::snapshot::{Partition, Snapshot};
use crate::table::{IdSet, Positions, holders};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Warning {
    /// A live broker in scope has no rack while others have one.
    #[error(
        "{} {} {} no rack while others have: each counts as a rack of its own",
        plural(brokers.len(), "broker", "brokers"), in_words(brokers), plural(brokers.len(), "has", "have")
    )]
    NoRack {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// There are fewer racks than replicas.
    #[error(
        "{} {} more replicas than there are racks ({racks}): {of} the first",
        counted(*partitions, "partition"), plural(*partitions, "has", "have")
    )]
    FewRacks {
        /// The number of partitions.
        partitions: usize,
        /// The number of racks of their allowed brokers.
        racks: usize,
        /// The first of them.
        of: TopicPartition,
    },
    /// Partitions without a live leader are left out.
    #[error("{} without a live leader {} left out: {of} the first", counted(*partitions, "partition"), plural(*partitions, "is", "are"))]
    Leaderless {
        /// The number of partitions.
        partitions: usize,
        /// The first of them.
        of: TopicPartition,
    },
    /// Replicas with a short local log become leaders of tiered topics (KIP-1303). They read older records from remote
    /// storage, which is slow.
    #[error(
        "{} of tiered topics {} a leader with less than half of the local log: {of} the first; it reads older records from remote storage",
        counted(*partitions, "partition"), plural(*partitions, "gets", "get")
    )]
    ShallowLeaders {
        /// The number of partitions.
        partitions: usize,
        /// The first of them.
        of: TopicPartition,
    },
    /// The plan increases the distance between the fullest and the emptiest broker.
    #[error("storage ends less even: {} between the emptiest and the fullest broker, before {}", percent(*after), percent(*before))]
    LessEven {
        /// The fullest broker's share of storage used less the emptiest broker's, before, in parts per million.
        #[serde(rename = "before_ppm")]
        before: u64,
        /// The same difference after the plan.
        #[serde(rename = "after_ppm")]
        after: u64,
    },
    /// Lost brokers hold replicas in scope. Evening the load also repairs these; evening leadership gives them no leader.
    #[error(
        "{} ({}) {} replicas in scope: {}; {} may only be restarting",
        counted(brokers.len(), "lost broker"), in_words(brokers), plural(brokers.len(), "holds", "hold"),
        repair_text(*bytes), plural(brokers.len(), "it", "they")
    )]
    LostBrokers {
        /// The lost brokers.
        brokers: Vec<BrokerId>,
        /// The bytes that the repair adds; absent if nothing is repaired.
        bytes: Option<Bytes>,
    },
    /// More brokers are lost than usual.
    #[error(
        "{} lost ({}){}: repairing them copies {bytes}; will they come back?",
        are(brokers.len()), in_words(brokers), racks_text(racks)
    )]
    MaxLost {
        /// The lost brokers that hold replicas in scope.
        brokers: Vec<BrokerId>,
        /// Racks whose brokers are all lost.
        racks: Vec<String>,
        /// The bytes of their replicas in scope.
        bytes: Bytes,
    },
}

fn percent(ppm: u64) -> String {
    format!("{}.{} %", ppm / 10_000, ppm / 1_000 % 10)
}

fn are(brokers: usize) -> String {
    if brokers == 1 { "1 broker is".to_owned() } else { format!("{brokers} brokers are") }
}

fn racks_text(racks: &[String]) -> String {
    if racks.is_empty() {
        String::new()
    } else {
        format!(", the whole of rack {}", racks.join(", "))
    }
}

fn repair_text(bytes: Option<Bytes>) -> String {
    let nothing = "they are to lead nothing, and are not repaired".to_owned();
    bytes.map_or(nothing, |bytes| format!("repairing them adds {bytes}"))
}

impl Warning {
    /// The name of the warning for `--ignore-warns`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRack { .. } => "no-rack",
            Self::FewRacks { .. } => "few-racks",
            Self::Leaderless { .. } => "leaderless",
            Self::ShallowLeaders { .. } => "shallow-leaders",
            Self::LessEven { .. } => "less-even",
            Self::LostBrokers { .. } => "lost-brokers",
            Self::MaxLost { .. } => "max-lost",
        }
    }
}

/// The warnings of a plan, in the order of the list. `max_lost`: the number of lost brokers that causes no warning.
pub fn warnings(before: &Snapshot, plan: &Plan, max_lost: usize) -> Vec<Warning> {
    let Ok(taken) = crate::assign(before, &plan.request.terms().assignments) else {
        return Vec::new();
    };
    [no_rack(before, plan), few_racks(before, plan, &taken), leaderless(plan)]
        .into_iter()
        .chain([shallow_leaders(before, plan), less_even(plan), lost_brokers(before, plan, &taken)])
        .chain([max_lost_warning(before, plan, max_lost)])
        .flatten()
        .collect()
}

fn no_rack(before: &Snapshot, plan: &Plan) -> Option<Warning> {
    let named =
        |id: &BrokerId| plan.request.terms().assignments.iter().any(|a| a.brokers.contains(id));
    let live = || before.brokers().iter().filter(|broker| broker.live);
    if live().all(|broker| broker.rack.is_none()) {
        return None;
    }
    let brokers: Vec<BrokerId> =
        live().filter(|b| b.rack.is_none() && named(&b.id)).map(|b| b.id).collect();
    (!brokers.is_empty()).then_some(Warning::NoRack { brokers })
}

fn few_racks(before: &Snapshot, plan: &Plan, taken: &[Option<usize>]) -> Option<Warning> {
    let assignments = &plan.request.terms().assignments;
    let racks: Vec<usize> = assignments
        .iter()
        .map(|assignment| {
            let live =
                assignment.brokers.iter().filter_map(|id| before.broker(*id)).filter(|b| b.live);
            let named: BTreeSet<Result<&str, BrokerId>> =
                live.map(|b| b.rack.as_deref().ok_or(b.id)).collect();
            named.len()
        })
        .collect();
    // `replace` names one broker, and `leaders` none, so their allowed brokers say nothing about racks.
    let silent = matches!(plan.request, Request::Replace(_) | Request::Leaders(_));
    let mut found: Option<Warning> = None;
    let find = Lookup::new(before);
    for (change, topic) in find.topics_of(&plan.moves).filter(|_| !silent) {
        let here = taken.get(topic?).copied().flatten().map_or(usize::MAX, |at| racks[at]);
        if change.to.len() > here {
            found = Some(match found {
                Some(Warning::FewRacks { partitions, racks, of }) => {
                    Warning::FewRacks { partitions: partitions + 1, racks: racks.min(here), of }
                }
                None | Some(_) => Warning::FewRacks { partitions: 1, racks: here, of: change.of() },
            });
        }
    }
    found
}

fn leaderless(plan: &Plan) -> Option<Warning> {
    let mut left =
        plan.left_out.iter().filter(|left| matches!(left.why, WhyLeftOut::NoLeader { .. })).map(
            |left| TopicPartition { topic: left.topic.to_string(), partition: left.partition },
        );
    let of = left.next()?;
    Some(Warning::Leaderless { partitions: left.count() + 1, of })
}

fn shallow_leaders(before: &Snapshot, plan: &Plan) -> Option<Warning> {
    let find = Lookup::new(before);
    let tiered = find.topics_of(&plan.moves).filter_map(|(change, topic)| {
        let topic = before.topics().get(topic?).filter(|topic| topic.is_tiered())?;
        Some((change, topic.partition(change.partition)?))
    });
    let mut shallow = tiered.filter(|(change, partition)| is_shallow(change, partition));
    let of = shallow.next()?.0.of();
    Some(Warning::ShallowLeaders { partitions: shallow.count() + 1, of })
}

/// Whether the new preferred leader has less than half of the leader's local log. A new replica has what it copies.
fn is_shallow(change: &Move, partition: &Partition) -> bool {
    let leader = change.to.first().filter(|leader| change.from.first() != Some(leader));
    let (Some(leader), Some(whole)) = (leader, partition.size) else { return false };
    let own = partition.size_on(*leader).unwrap_or_else(|| partition.copied(whole));
    own.0 < whole.0 / 2
}

/// A tenth of a percent, the last digit of the message.
const LEAST_TOLD_PPM: u64 = 1_000;

fn less_even(plan: &Plan) -> Option<Warning> {
    plan.request.balance()?;
    let apart = |figures: &Figures| {
        let distance = figures.max_used_ratio? - figures.min_used_ratio?;
        Ratio::from_f64(distance).map(|ratio| u64::from(ratio.ppm()))
    };
    let (before, after) = (apart(&plan.before)?, apart(&plan.after)?);
    (after >= before + LEAST_TOLD_PPM).then_some(Warning::LessEven { before, after })
}

fn lost_brokers(before: &Snapshot, plan: &Plan, taken: &[Option<usize>]) -> Option<Warning> {
    if let Request::Leaders(_) = plan.request {
        let in_scope = before.topics().iter().zip(taken).filter(|(_, taken)| taken.is_some());
        let mut brokers = holders(in_scope.map(|(topic, _)| topic));
        let live = live(before);
        brokers.retain(|id| !live.contains(*id));
        return (!brokers.is_empty()).then_some(Warning::LostBrokers { brokers, bytes: None });
    }
    plan.request.balance()?;
    let bytes = lost_bytes(before, plan)?;
    let total = bytes.values().sum();
    let brokers: Vec<BrokerId> = bytes.into_keys().collect();
    let bytes = Some(Bytes(total));
    (!brokers.is_empty()).then_some(Warning::LostBrokers { brokers, bytes })
}

fn live(before: &Snapshot) -> IdSet {
    before.brokers().iter().filter(|broker| broker.live).map(|broker| broker.id).collect()
}

/// For each lost broker the bytes of its replicas that the plan places on other brokers.
fn lost_bytes<'p>(before: &Snapshot, plan: &'p Plan) -> Option<BTreeMap<BrokerId, u64>> {
    let live = &live(before);
    let lost = |change: &'p Move| change.removed().filter(move |id| !live.contains(*id));
    let ids = plan.moves.iter().flat_map(lost).collect::<IdSet>().into_sorted();
    let positions = Positions::new(ids.clone());
    let mut bytes = vec![0; ids.len()];
    let find = Lookup::new(before);
    for (change, partition) in find.partitions_of(&plan.moves) {
        let partition = partition?;
        for at in lost(change).filter_map(|id| positions.of(id)) {
            bytes[at as usize] += copy(partition);
        }
    }
    Some(ids.into_iter().zip(bytes).collect())
}

fn max_lost_warning(before: &Snapshot, plan: &Plan, max_lost: usize) -> Option<Warning> {
    let bytes = lost_bytes(before, plan)?;
    let racks = whole_racks(before, bytes.keys().copied());
    if bytes.len() <= max_lost && racks.is_empty() {
        return None;
    }
    let total = bytes.values().sum();
    Some(Warning::MaxLost { brokers: bytes.into_keys().collect(), racks, bytes: Bytes(total) })
}

fn copy(partition: &Partition) -> u64 {
    partition.size.unwrap_or_default().0
}

/// Racks whose listed brokers are all lost.
fn whole_racks(before: &Snapshot, lost: impl Iterator<Item = BrokerId>) -> Vec<String> {
    let racks: BTreeSet<&str> = lost.filter_map(|id| before.broker(id)?.rack.as_deref()).collect();
    let has_live =
        |rack: &str| before.brokers().iter().any(|b| b.live && b.rack.as_deref() == Some(rack));
    racks.into_iter().filter(|rack| !has_live(rack)).map(str::to_owned).collect()
}
