//! The plan for a need: what is asked of the planners, and whether the answer is worth it.

use super::PlannedNeed;
use super::notes::Need;
use super::policy::{KeepPolicy, Trigger};
use mapper::{
    Assignment, Balance, BrokerId, Bytes, Figures, Mends, Move, PartitionId, PlaceBy, Plan,
    PlanTerms, Rebalance, Rebuild, Relieve, Request, Scale, Snapshot, Violation, counted, few,
};
use std::collections::BTreeSet;

/// How many topics and brokers a sentence names.
const NAMED: usize = 5;
/// The warning about a plan that takes data back to where an earlier plan took it from.
const MOVES_BACK: &str = "moves-back";

/// A plan whose copies have grown by more than one part in this many is another plan.
const GROWS_BY: u64 = 10;
/// So much is no matter, however small a plan is.
const LITTLE: Bytes = Bytes(100_000_000);

impl Need {
    /// What the planners are asked for this need. `place_by`: how lost replicas are placed, by what is known.
    #[must_use]
    pub fn request(
        &self,
        assignments: Vec<Assignment>,
        place_by: PlaceBy,
        policy: &KeepPolicy,
    ) -> Request {
        let all = PlanTerms::new(assignments, policy.storage_headroom);
        // Each need mends its own fault: another one has a policy of its own.
        let terms = |mends| PlanTerms { mends, ..all };
        let own = self.broker().map_or(Mends::Nothing, Mends::SeatsOf);
        match self.trigger {
            Trigger::LostBroker => Request::Rebuild(Rebuild::new(terms(own), place_by)),
            Trigger::Drift => Request::Rebuild(Rebuild::new(terms(Mends::Everything), place_by)),
            Trigger::LeavingBroker => {
                let drain = self.broker().into_iter().collect();
                let balance = Balance { drain, ..Balance::default() };
                Request::Scale(Scale { terms: terms(own), balance })
            }
            Trigger::NewBroker => {
                Request::Scale(Scale { terms: terms(Mends::Nothing), balance: Balance::default() })
            }
            Trigger::FullDisk | Trigger::FillingDisk => {
                let below = policy.relieved;
                let relieve = self.broker().map(|broker| Relieve { broker, below });
                let plain = Rebalance::new(terms(Mends::Nothing), Balance::default());
                Request::Rebalance(Rebalance { relieve, ..plain })
            }
            Trigger::Imbalance => {
                let balance = Balance { goals: policy.goals.clone(), ..Balance::default() };
                Request::Rebalance(Rebalance::new(terms(Mends::Nothing), balance))
            }
            // It changes nothing: no plan renews a certificate.
            Trigger::Certificates => {
                Request::Rebuild(Rebuild::new(terms(Mends::Nothing), place_by))
            }
        }
    }

    /// The cluster that its plan is for: as it is now, or as it is expected to be.
    #[must_use]
    pub fn seen_in<'s>(&self, now: &'s Snapshot, later: Option<&'s Snapshot>) -> &'s Snapshot {
        later.filter(|_| self.trigger == Trigger::FillingDisk).unwrap_or(now)
    }

    fn broker(&self) -> Option<BrokerId> {
        self.subject.parse().ok().map(BrokerId)
    }

    /// The plan that was proposed before, if it still fits, or a new one, and whether it is new. `None`: nothing is worth
    /// its bytes.
    ///
    /// # Errors
    /// Those of `make`, which asks the planners.
    pub fn plan<E>(
        &self,
        proposed: Option<Plan>,
        snapshot: &Snapshot,
        policy: &KeepPolicy,
        make: impl FnOnce() -> Result<Plan, E>,
    ) -> Result<Option<(Plan, bool)>, E> {
        let proposed = proposed.filter(|plan| fits(plan, snapshot));
        // Whether a load is uneven shows only a plan that evens it.
        let is_sure = self.trigger != Trigger::Imbalance;
        if let Some(plan) = proposed.clone().filter(|_| is_sure) {
            return Ok(Some((plan, false)));
        }
        let new = make()?;
        let is_worth = is_sure || gains(&new.before, &new.after, policy);
        if new.moves.is_empty() || !is_worth {
            return Ok(None);
        }
        Ok(Some(proposed.map_or((new, true), |plan| (plan, false))))
    }

    /// What is to know of a plan. `earlier`: the plans that ended in the last 24 hours.
    #[must_use]
    pub fn planned<'p>(
        &self,
        plan_id: String,
        plan: &Plan,
        earlier: impl IntoIterator<Item = &'p Plan>,
        policy: &KeepPolicy,
    ) -> PlannedNeed {
        let brokers = plan.after.brokers.iter();
        let busiest = brokers.map(|it| it.incoming_bytes.max(it.outgoing_bytes)).max();
        let seconds = busiest.unwrap_or_default().0.div_ceil(policy.throttle.0.max(1));
        // Where a size is unknown, no limit of bytes can be kept.
        let bytes = plan.bytes_moved().unwrap_or(Bytes(u64::MAX));
        // A lost replica has to be somewhere, wherever it was before.
        let repairs = self.trigger == Trigger::LostBroker;
        let back = !repairs && bytes_back(plan, earlier) > Bytes(0);
        let warnings = back.then(|| MOVES_BACK.to_owned()).into_iter().collect();
        let (what, bound_bytes) = (what(plan), plan.bound_bytes);
        PlannedNeed { plan_id, what, bytes, bound_bytes, seconds, warnings }
    }
}

/// How many partitions of which topics change, and which brokers give and get replicas.
fn what(plan: &Plan) -> String {
    let topics: BTreeSet<&str> = plan.moves.iter().map(|change| &*change.topic).collect();
    let gives: BTreeSet<BrokerId> = plan.moves.iter().flat_map(Move::removed).collect();
    let gets: BTreeSet<BrokerId> = plan.moves.iter().flat_map(Move::added).collect();
    let partitions =
        format!("{} of {}", counted(plan.moves.len(), "partition"), few(topics, NAMED));
    let [gives, gets] = [gives, gets].map(|brokers| few(brokers, NAMED));
    match (gives.as_str(), gets.as_str()) {
        ("", "") => format!("preferred leaders of {partitions}"),
        (from, "") => format!("{partitions}, off broker {from}"),
        ("", to) => format!("{partitions}, to broker {to}"),
        (from, to) => format!("{partitions}, from broker {from} to {to}"),
    }
}

/// Whether a plan can still be carried out as it was made.
fn fits(plan: &Plan, snapshot: &Snapshot) -> bool {
    let same = |change: &Move| {
        let topic = snapshot.topic(&change.topic);
        let partition = topic.and_then(|topic| topic.partition(change.partition));
        partition.is_some_and(|partition| partition.replicas == change.from)
    };
    plan.moves.iter().all(same) && keeps_its_promises(plan, snapshot)
}

/// Whether a plan breaks no promise with the sizes of now, and copies about as much as it says. Clients write all the time: a plan
/// that had to tell each size exactly would be another one at each look, and no approval would last.
fn keeps_its_promises(plan: &Plan, snapshot: &Snapshot) -> bool {
    let grown = |violation: &Violation| {
        if matches!(violation, Violation::Figures { .. }) {
            return Some(0);
        }
        let Violation::Bytes { stated: Some(stated), found: Some(found), .. } = violation else {
            return None;
        };
        Some(found.0.saturating_sub(stated.0))
    };
    let grown: Option<u64> = mapper::check(snapshot, plan).iter().map(grown).sum();
    let most = plan.bytes_moved().map_or(0, |bytes| bytes.0 / GROWS_BY).max(LITTLE.0);
    grown.is_some_and(|grown| grown <= most)
}

/// What a plan copies to brokers from which earlier plans took it.
pub fn bytes_back<'p>(plan: &Plan, earlier: impl IntoIterator<Item = &'p Plan>) -> Bytes {
    let changes = earlier.into_iter().flat_map(|earlier| &earlier.moves);
    let taken: BTreeSet<(&str, PartitionId, BrokerId)> = changes
        .flat_map(|change| change.removed().map(|id| (&*change.topic, change.partition, id)))
        .collect();
    let back = |change: &Move| {
        let returns = |id: &BrokerId| taken.contains(&(&*change.topic, change.partition, *id));
        // A copy of unknown size counts as one byte: it is not nothing.
        change.copy_bytes().unwrap_or(Bytes(1)).times(change.added().filter(returns).count())
    };
    plan.moves.iter().map(back).sum()
}

/// Whether the most loaded broker loses enough of a load.
fn gains(before: &Figures, after: &Figures, policy: &KeepPolicy) -> bool {
    let counted = |count: Option<u64>| count.map(|count| count as f64);
    let loads = |figures: &Figures| {
        [
            figures.max_used_ratio,
            counted(figures.max_replicas),
            counted(figures.max_leaders),
            figures.max_network_ratio,
        ]
    };
    let band = policy.band.as_f64();
    let falls = |(before, after): (Option<f64>, Option<f64>)| {
        before
            .zip(after)
            .is_some_and(|(before, after)| before > 0.0 && (before - after) / before >= band)
    };
    loads(before).into_iter().zip(loads(after)).any(falls)
}
