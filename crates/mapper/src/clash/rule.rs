//! The rules that a request can drop, and the request without one of them.

use crate::bytes::{Bytes, Ratio};
use crate::ids::BrokerId;
use crate::request::{Balance, RackRule, Rebuild, Request};
use crate::snapshot::Snapshot;
use serde::Serialize;
use std::collections::BTreeSet;

/// A rule that prevents a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum ClashRule {
    /// How replicas spread over racks.
    Racks {
        /// The rack rule of the request.
        spread: RackRule,
    },
    /// Replicas in one rack are on different hosts.
    Hosts,
    /// No broker is filled beyond its storage less the headroom.
    Storage {
        /// The share that no plan fills.
        #[serde(rename = "storage_headroom_ratio")]
        headroom: Ratio,
    },
    /// Lost brokers hold no replicas.
    Lost {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// Cordoned brokers and log dirs get no new replica.
    Cordoned {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// Topics are only on brokers that the request allows for them.
    Allowed,
    /// Drained brokers hold no replicas.
    Drained {
        /// The brokers.
        brokers: Vec<BrokerId>,
    },
    /// The request's replication factor.
    Replication,
    /// Partitions that broke the rack rule before are repaired (`--fix-racks`).
    FixRacks,
    /// All replicas in scope get new brokers (`--force-rebuild`).
    Forced,
    /// Each outgoing broker has one incoming broker (`--sub-affinity`).
    Pairs,
    /// The limits of moves (`--max-bytes-moved`, `--max-moves`).
    Limits,
}

impl ClashRule {
    /// The rules that a request could drop. The rules that operators think of last come first.
    pub fn of(snapshot: &Snapshot, request: &Request) -> Vec<Self> {
        let terms = request.terms();
        let live: BTreeSet<BrokerId> = live(snapshot);
        let lost: Vec<BrokerId> = lost(snapshot, request).into_iter().collect();
        let any = |rule: Self, applies: bool| applies.then_some(rule);
        let balance = request.balance();
        let drained: Vec<BrokerId> =
            balance.map(|b| b.drain.iter().copied().collect()).unwrap_or_default();
        let limited = balance.is_some_and(|b| b.max_bytes_moved.is_some() || b.max_moves.is_some());
        let rebuild =
            |asks: fn(&Rebuild) -> bool| matches!(request, Request::Rebuild(r) if asks(r));
        let replaces = matches!(request, Request::Replace(_));
        let cordoned: Vec<BrokerId> = cordoned(snapshot).collect();
        let narrow = terms.assignments.iter().any(|a| !live.is_subset(&a.brokers));
        let rules = [
            any(Self::Hosts, snapshot.brokers().iter().any(|broker| broker.host.is_some())),
            any(Self::FixRacks, terms.fix_racks),
            any(Self::Forced, rebuild(|rebuild| rebuild.force)),
            any(Self::Pairs, rebuild(|rebuild| rebuild.sub_affinity)),
            any(Self::Limits, limited),
            any(Self::Drained { brokers: drained.clone() }, !drained.is_empty()),
            // `replace` names its broker. With another broker it is another request.
            any(Self::Allowed, narrow && !replaces),
            any(Self::Lost { brokers: lost.clone() }, !lost.is_empty()),
            any(Self::Cordoned { brokers: cordoned.clone() }, !cordoned.is_empty()),
            any(Self::Replication, terms.assignments.iter().any(|a| a.replication.is_some())),
            any(
                Self::Storage { headroom: terms.storage_headroom },
                snapshot.brokers().iter().any(|broker| broker.storage_total.is_some()),
            ),
            any(Self::Racks { spread: terms.racks }, terms.racks != RackRule::AtLeast(0)),
        ];
        rules.into_iter().flatten().collect()
    }

    /// The same cluster and request without the rule.
    #[must_use]
    pub fn dropped(&self, snapshot: &Snapshot, request: &Request) -> (Snapshot, Request) {
        let (mut snapshot, mut request) = (snapshot.clone(), request.clone());
        match self {
            Self::Racks { .. } => request.terms_mut().racks = RackRule::AtLeast(0),
            Self::Hosts => snapshot = snapshot.without_hosts(),
            Self::Storage { .. } => {
                request.terms_mut().storage_headroom = Ratio::ZERO;
                let endless = Bytes(enough(&snapshot));
                snapshot = snapshot.with_more_storage(|_| Some(endless));
            }
            Self::Cordoned { brokers } => {
                snapshot = snapshot.without_cordons(|id| brokers.contains(&id));
            }
            Self::Lost { brokers } => {
                return returned(&snapshot, &request, brokers.iter().copied().collect());
            }
            Self::Allowed => {
                let live = live(&snapshot);
                allow(&mut request, &live);
            }
            Self::Drained { .. } => {
                if let Some(balance) = balance_of(&mut request) {
                    balance.drain.clear();
                }
            }
            Self::Replication => {
                for assignment in &mut request.terms_mut().assignments {
                    assignment.replication = None;
                }
            }
            Self::FixRacks => request.terms_mut().fix_racks = false,
            Self::Forced => rebuild_of(&mut request, |rebuild| rebuild.force = false),
            Self::Pairs => rebuild_of(&mut request, |rebuild| rebuild.sub_affinity = false),
            Self::Limits => {
                if let Some(balance) = balance_of(&mut request) {
                    (balance.max_bytes_moved, balance.max_moves) = (None, None);
                }
            }
        }
        (snapshot, request)
    }
}

/// More bytes than all replicas take, both copies of each included.
fn enough(snapshot: &Snapshot) -> u64 {
    let partitions = snapshot.topics().iter().flat_map(|topic| &topic.partitions);
    let sizes = partitions.map(|p| p.size.map_or(0, |size| size.0) * p.replicas.len() as u64);
    sizes.sum::<u64>().saturating_mul(4).saturating_add(1)
}

pub(super) fn live(snapshot: &Snapshot) -> BTreeSet<BrokerId> {
    snapshot.brokers().iter().filter(|broker| broker.live).map(|broker| broker.id).collect()
}

/// Live brokers with a cordoned log dir.
pub(super) fn cordoned(snapshot: &Snapshot) -> impl Iterator<Item = BrokerId> {
    let brokers = snapshot.brokers().iter();
    brokers.filter(|b| b.live && !b.cordoned_log_dirs.is_empty()).map(|broker| broker.id)
}

/// Brokers that are not live, and that hold replicas or are named by the request.
pub(super) fn lost(snapshot: &Snapshot, request: &Request) -> BTreeSet<BrokerId> {
    let named = request.terms().assignments.iter().flat_map(|a| a.brokers.iter().copied());
    snapshot.known_brokers().into_iter().chain(named).filter(|id| !snapshot.is_live(*id)).collect()
}

/// Makes lost brokers live. They keep their replicas where the request allows every live broker, or names them.
pub(super) fn returned(
    snapshot: &Snapshot,
    request: &Request,
    brokers: BTreeSet<BrokerId>,
) -> (Snapshot, Request) {
    let mut request = request.clone();
    let live = live(snapshot);
    allow_where(&mut request, &brokers, |allowed| live.is_subset(allowed));
    (snapshot.with_returned(&brokers), request)
}

/// Allows more brokers for every topic. `replace` keeps its single broker.
pub(super) fn allow(request: &mut Request, brokers: &BTreeSet<BrokerId>) {
    allow_where(request, brokers, |_| true);
}

/// As [`allow()`], but only for assignments whose allowed brokers match.
fn allow_where(
    request: &mut Request,
    brokers: &BTreeSet<BrokerId>,
    meant: impl Fn(&BTreeSet<BrokerId>) -> bool,
) {
    if matches!(request, Request::Replace(_)) {
        return;
    }
    for assignment in &mut request.terms_mut().assignments {
        if meant(&assignment.brokers) {
            assignment.brokers.extend(brokers);
        }
    }
}

pub(super) fn balance_of(request: &mut Request) -> Option<&mut Balance> {
    match request {
        Request::Rebalance(rebalance) => Some(&mut rebalance.balance),
        Request::Scale(scale) => Some(&mut scale.balance),
        Request::Rebuild(_) | Request::Replace(_) | Request::Leaders(_) => None,
    }
}

pub(super) fn rebuild_of(request: &mut Request, change: impl FnOnce(&mut Rebuild)) {
    if let Request::Rebuild(rebuild) = request {
        change(rebuild);
    }
}
