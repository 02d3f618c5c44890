//! Why not another broker: each broker's answer for one replica, if all other moves of the plan are made.

use super::context::{Context, each_held};
use crate::bytes::Bytes;
use crate::constraints::{Constraints, SeatRules};
use crate::dense::BrokerIx;
use crate::ids::BrokerId;
use crate::no_plan::Refusal;
use crate::plan::Move;
use crate::request::{BalanceGoal, PlaceBy, Rebalance, Request, Scale};
use crate::target::Target;
use crate::work::{Work, log_size};
use serde::Serialize;

/// The answer of one broker, if it got the replica instead.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instead {
    /// The broker.
    pub broker: BrokerId,
    /// Its rack, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// The reason against it, if any.
    #[serde(flatten)]
    pub verdict: BrokerVerdict,
}

/// The reason against a broker, or that there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum BrokerVerdict {
    /// A rule refuses it.
    Refused {
        /// The rule.
        why: Refusal,
    },
    /// It would be filled beyond its limit while both copies of moving replicas exist.
    NoRoomDuring {
        /// The first step, numbered from 0, with too many bytes.
        step: usize,
        /// The bytes beyond the limit.
        missing_bytes: Bytes,
    },
    /// Only the partner of the outgoing broker takes its replicas (`--sub-affinity`).
    NotThePartner {
        /// The partner.
        partner: BrokerId,
    },
    /// A move for balance must stay in its rack (`--locality-scoped`).
    LeavesItsRack,
    /// No rule refuses it.
    Admitted(Admitted),
}

/// The load of a broker with the replica, compared with the broker that the plan chose.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Admitted {
    /// Which of the two is less loaded, by the measure of the request.
    pub compared: Compared,
    /// Whether the replica would have to be copied to it. A broker from which the plan takes it already has it.
    pub copies: bool,
    /// Its share of storage used with the replica, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_ratio: Option<f64>,
    /// The chosen broker's share with the replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen_used_ratio: Option<f64>,
    /// Its replicas with this one.
    pub replicas: u64,
    /// The chosen broker's replicas with this one.
    pub chosen_replicas: u64,
    /// The share of storage used on the broker that would then be the fullest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_used_ratio: Option<f64>,
    /// The share of storage used on the broker that would then be the emptiest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_used_ratio: Option<f64>,
}

/// Compares an admitted broker with the one that the plan chose, each with the replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// It would end less loaded than the chosen broker: the plan chose before later replicas came.
    Better,
    /// Both would end with the same load. The lowest id wins a tie.
    Alike,
    /// It would end more loaded than the chosen broker.
    Worse,
}

/// Judges brokers for the replicas of one partition.
pub(super) struct BrokerJudge<'c> {
    context: &'c Context<'c>,
    constraints: Constraints<'c>,
}

/// One replica that a move copies.
pub(super) struct CopiedReplica<'c> {
    change: &'c Move,
    work: Work,
    seat: usize,
    target: &'c Target,
    step: usize,
    pub(super) chosen: BrokerIx,
}

impl<'c> BrokerJudge<'c> {
    pub(super) fn new(context: &'c Context<'c>) -> Self {
        Self { context, constraints: context.constraints() }
    }

    /// The replicas that a move copies.
    pub(super) fn copies(&self, index: usize) -> Vec<CopiedReplica<'c>> {
        let context = self.context;
        let change = &context.plan.moves[index];
        let cluster = &context.cluster;
        let Some(partition) = cluster.find(&change.topic, change.partition) else {
            return Vec::new();
        };
        let Some((at, target)) = context.target(partition) else { return Vec::new() };
        let known = cluster.partition(partition);
        let ix = |id: &BrokerId| cluster.index_of(*id);
        let mut removed = change.removed();
        let replaces = change.to.iter().map(|id| {
            let new = !change.from.contains(id);
            if new { removed.next().and_then(|id| ix(&id)) } else { None }
        });
        let work = Work {
            partition,
            target: at,
            seats: change.to.iter().map(ix).collect(),
            replaces: replaces.collect(),
            reason: change.reason,
            size: log_size(cluster, known),
            offline: known.offline().iter().filter_map(ix).collect(),
            must_copy: 0,
            head_is_free: false,
        };
        let new = (0..change.to.len()).filter(|seat| !change.from.contains(&change.to[*seat]));
        new.filter_map(|seat| {
            let chosen = work.seats[seat]?;
            let step = context.step_of(index, change.to[seat]);
            Some(CopiedReplica { change, work: work.clone(), seat, target, step, chosen })
        })
        .collect()
    }

    /// The reason against a broker for this replica, if any.
    pub(super) fn verdict(&self, copied: &CopiedReplica<'_>, broker: BrokerIx) -> BrokerVerdict {
        let context = self.context;
        let replaced = copied.work.replaces[copied.seat];
        let partner = replaced.and_then(|outgoing| context.pairs.get(&outgoing));
        let rules = self.constraints.of(&copied.work, copied.seat, copied.target);
        if let Some(why) = self.refusal(&rules, copied, broker) {
            return BrokerVerdict::Refused { why };
        }
        if let Some(partner) = partner.filter(|partner| **partner != broker) {
            return BrokerVerdict::NotThePartner { partner: context.cluster.id(*partner) };
        }
        if self.must_stay_in_rack(copied, broker) {
            return BrokerVerdict::LeavesItsRack;
        }
        if let Some((step, missing_bytes)) = self.short_during(copied, broker) {
            return BrokerVerdict::NoRoomDuring { step, missing_bytes };
        }
        BrokerVerdict::Admitted(self.admitted(copied, broker))
    }

    fn refusal(
        &self,
        rules: &SeatRules<'_>,
        copied: &CopiedReplica<'_>,
        broker: BrokerIx,
    ) -> Option<Refusal> {
        let used = self.used_without(copied, broker);
        let refused = rules.admits(broker, used).err()?;
        let as_before = rules.as_before().map(|rules| rules.admits(broker, used));
        if as_before == Some(Ok(())) { None } else { Some(refused) }
    }

    /// The bytes that a broker uses in the end without this replica.
    fn used_without(&self, copied: &CopiedReplica<'_>, broker: BrokerIx) -> Option<u64> {
        let used = self.context.used_after[broker as usize]?;
        let own = if broker == copied.chosen {
            each_held(&self.context.cluster, copied.change)
        } else {
            0
        };
        Some(used.saturating_sub(own))
    }

    fn must_stay_in_rack(&self, copied: &CopiedReplica<'_>, broker: BrokerIx) -> bool {
        let local = self.context.plan.request.balance().is_some_and(|b| b.locality_scoped);
        let rack = |broker: BrokerIx| self.context.cluster.rack[broker as usize];
        local
            && copied.change.reason == crate::plan::Reason::Balance
            && rack(broker) != rack(copied.chosen)
    }

    /// The step in which a broker would be too full, and by how many bytes.
    fn short_during(&self, copied: &CopiedReplica<'_>, broker: BrokerIx) -> Option<(usize, Bytes)> {
        if self.had(copied, broker) {
            return None;
        }
        let limit = self.context.limit[broker as usize]?;
        let (peak, step) = self.context.peak(broker, copied.step)?;
        // Nothing is known about a replica of unknown size, and a full broker was already refused.
        let needed = peak.saturating_add(copied.work.size?);
        (needed > limit).then(|| (step, Bytes(needed - limit)))
    }

    fn had(&self, copied: &CopiedReplica<'_>, broker: BrokerIx) -> bool {
        copied.change.from.contains(&self.context.cluster.id(broker))
    }

    fn admitted(&self, copied: &CopiedReplica<'_>, broker: BrokerIx) -> Admitted {
        let context = self.context;
        let size = copied.work.size.unwrap_or(0);
        let with = |broker: BrokerIx| Some(self.used_without(copied, broker)? + size);
        let chosen = copied.chosen;
        let others = |at: BrokerIx| match at {
            at if at == broker => with(at),
            at if at == chosen => self.used_without(copied, at),
            at => context.used_after[at as usize],
        };
        let (max, min) = extremes(context, &others);
        let of_chosen = context.replicas_after[chosen as usize];
        Admitted {
            compared: self.compare(copied, broker, &with),
            copies: !self.had(copied, broker),
            used_ratio: context.ratio(broker, with(broker)),
            chosen_used_ratio: context.ratio(chosen, with(chosen)),
            replicas: context.replicas_after[broker as usize] + 1,
            chosen_replicas: of_chosen,
            max_used_ratio: max,
            min_used_ratio: min,
        }
    }

    /// Compares the load of the two brokers with the replica, in whole numbers.
    fn compare(
        &self,
        copied: &CopiedReplica<'_>,
        broker: BrokerIx,
        with: &dyn Fn(BrokerIx) -> Option<u64>,
    ) -> Compared {
        let context = self.context;
        let replicas =
            |at: BrokerIx| context.replicas_after[at as usize] + u64::from(at != copied.chosen);
        let by_count = replicas(broker).cmp(&replicas(copied.chosen));
        let share = |at: BrokerIx, other: BrokerIx| {
            let capacity = context.cluster.capacity[other as usize]?;
            Some(u128::from(with(at)?) * u128::from(capacity))
        };
        let (one, two) = (share(broker, copied.chosen), share(copied.chosen, broker));
        let by_share = one.zip(two).map(|(one, two)| one.cmp(&two));
        let ordering = match &context.plan.request {
            Request::Rebuild(rebuild) if rebuild.placement == PlaceBy::Count => by_count,
            Request::Replace(_) => by_count,
            // The most important load decides.
            Request::Rebalance(Rebalance { balance, .. })
            | Request::Scale(Scale { balance, .. })
                if balance.goals.first() == Some(&BalanceGoal::Replicas) =>
            {
                by_count
            }
            Request::Rebuild(_)
            | Request::Leaders(_)
            | Request::Rebalance(_)
            | Request::Scale(_) => by_share.unwrap_or(by_count),
        };
        match ordering {
            std::cmp::Ordering::Less => Compared::Better,
            std::cmp::Ordering::Equal => Compared::Alike,
            std::cmp::Ordering::Greater => Compared::Worse,
        }
    }

    /// Every other broker's answer, or only that of the broker `only`.
    pub(super) fn instead(
        &self,
        copied: &CopiedReplica<'_>,
        only: Option<BrokerId>,
    ) -> Vec<Instead> {
        let cluster = &self.context.cluster;
        let all = (0..cluster.ids.len()).filter_map(|at| BrokerIx::try_from(at).ok());
        all.filter(|broker| *broker != copied.chosen)
            .filter(|broker| only.is_none_or(|only| cluster.id(*broker) == only))
            .map(|broker| Instead {
                broker: cluster.id(broker),
                rack: self.context.rack(broker).map(str::to_owned),
                verdict: self.verdict(copied, broker),
            })
            .collect()
    }
}

/// The fullest and the emptiest of the brokers that the request allows.
pub(super) fn extremes(
    context: &Context<'_>,
    used: &dyn Fn(BrokerIx) -> Option<u64>,
) -> (Option<f64>, Option<f64>) {
    let allowed = |at: &usize| context.targets.all.iter().any(|target| target.allowed[*at]);
    let all = (0..context.cluster.ids.len()).filter(allowed);
    let brokers = all.filter_map(|at| BrokerIx::try_from(at).ok());
    let ratios: Vec<f64> =
        brokers.filter_map(|broker| context.ratio(broker, used(broker))).collect();
    (ratios.iter().copied().reduce(f64::max), ratios.iter().copied().reduce(f64::min))
}
