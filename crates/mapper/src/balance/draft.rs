//! Turns an evened state into a final plan: planning again after it plans nothing.
//!
//! A reassignment holds both copies for a while. Moves that find no room for that are taken back: repairs have
//! priority, and evening uses the room that is left. Once the plan is carried out, these moves may have room, and a
//! second plan would continue. Therefore a plan that was cut short is continued on paper until planning again plans
//! nothing. A partition then moves only once, to its final brokers. The same is done if topics stay uneven: replicas that
//! this plan has moved already cost nothing, and a second plan, for which they do, can find other changes.

use super::bound::Base;
use super::exact::Solved;
use super::limits::{self, ChangesInOrder};
use super::load::BalancedLoad;
use super::load_goals::{Layout, LoadGoals};
use super::state::{BalanceState, SeatShift};
use super::topic_bound;
use crate::bytes::Bytes;
use crate::dense::BrokerIx;
use crate::finish::{FilledWork, Finished, Proof, finish_what_fits};
use crate::floor;
use crate::ids::BrokerId;
use crate::leaders::{LeadersToChoose, WantedZone, even_leaders};
use crate::no_plan::NoPlan;
use crate::plan::{BalanceFloor, Move, Plan, Reason};
use crate::request::{Balance, BalanceGoal, BaseLists, Request};
use crate::snapshot::Snapshot;
use crate::work::{Work, WorkSeats};
use smallvec::SmallVec;
use std::collections::BTreeSet;

/// The inputs of a plan, except the state in which it ends.
pub(super) struct Draft<'d, 'a> {
    pub(super) repairs: &'d FilledWork<'a>,
    pub(super) balance: &'d Balance,
    pub(super) base: Base,
    pub(super) start: BandsBefore,
    /// Whether a second plan may find what this one did not: its search starts from other costs.
    pub(super) may_go_on: bool,
    /// The result of the exact search, if there was one.
    pub(super) solved: Option<Solved>,
    pub(super) request: &'d Request,
}

/// The bands before any replica was moved to even the load.
pub(super) struct BandsBefore {
    /// One for each goal, the most important first.
    pub(super) layouts: Vec<Layout>,
    /// The layout of storage if storage is not a goal: the plan reports its evenness anyway.
    storage: Option<Layout>,
}

impl BandsBefore {
    pub(super) fn new(goals: &LoadGoals<'_>, state: &BalanceState<'_>) -> Self {
        let layouts = goals.layouts(state);
        let evened = goals.loads.contains(&BalancedLoad::Storage);
        Self { layouts, storage: (!evened).then(|| goals.layout(state, BalancedLoad::Storage)) }
    }

    fn storage(&self) -> Option<&Layout> {
        self.layouts.iter().chain(&self.storage).find(|layout| layout.load == BalancedLoad::Storage)
    }
}

/// The most plans that are made on paper, one after another. After the last one the plan is returned as it is.
const ROUNDS: usize = 8;

impl<'a> Draft<'_, 'a> {
    /// The plan that ends in `state`, or as near to it as room for both copies allows.
    pub(super) fn written(&self, state: &mut BalanceState<'_>) -> Result<Plan, NoPlan> {
        self.as_far_as_room(state).map(|(plan, _)| plan)
    }

    /// As [`Self::written`], but continued until `again`, which plans once more, finds nothing to move.
    pub(super) fn carried_on(
        &self,
        state: &mut BalanceState<'_>,
        again: &dyn Fn(&Snapshot) -> Result<Plan, NoPlan>,
    ) -> Result<Plan, NoPlan> {
        let (mut plan, whole) = self.as_far_as_room(state)?;
        // If a limit cut the plan short, the operator expects another plan after it.
        if (whole && !self.may_go_on) || limits::are_set(self.balance) {
            return Ok(plan);
        }
        for _ in 0..ROUNDS {
            let after = self.repairs.cluster.snapshot.after_with_failures(&plan);
            let Ok(more) = again(&after) else { break };
            if more.moves.is_empty() {
                break;
            }
            for change in &more.moves {
                self.put(state, change, &change.to);
            }
            match self.as_far_as_room(state) {
                Ok((further, _)) => plan = further,
                Err(_) => break,
            }
        }
        Ok(plan)
    }

    /// The most even plan within the limits of the request that has room. `rungs` are the stages that a limit of bytes
    /// can reach. Afterwards `state` is the state after the plan.
    pub(super) fn within_limits(
        &self,
        state: &mut BalanceState<'a>,
        rungs: &dyn Fn(&mut BalanceState<'a>) -> Vec<Vec<SeatShift>>,
    ) -> Result<Plan, NoPlan> {
        self.leave_out_what_finds_no_room(state)?;
        let way = ChangesInOrder::new(state, self.balance, &self.repairs.work, &self.start.layouts);
        if !way.is_enough && self.balance.max_moves.is_none() {
            for rung in rungs(state).iter().rev() {
                state.rewind(0);
                rung.iter().for_each(|change| state.shift(*change));
                if let Some(plan) = self.whole(state)? {
                    return Ok(plan);
                }
            }
        }
        for length in way.lengths() {
            way.go(state, *length);
            if let Some(plan) = self.whole(state)? {
                return Ok(plan);
            }
        }
        way.go(state, 0);
        self.written(state)
    }

    /// The plan that ends in `state`, if all of it has room.
    fn whole(&self, state: &BalanceState<'_>) -> Result<Option<Plan>, NoPlan> {
        match self.finished(state) {
            Ok(Finished { plan, taken_back }) => Ok(taken_back.is_empty().then_some(plan)),
            Err(NoPlan::NoRoomForBothCopies { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Takes back the changes that find no room, whatever the limits are. If all other changes together have room, any
    /// first part of them has room, too.
    fn leave_out_what_finds_no_room(&self, state: &mut BalanceState<'_>) -> Result<(), NoPlan> {
        let all = state.log.clone();
        self.as_far_as_room(state)?;
        // If the repairs have to go alone, some of the changes may still go with them.
        let back = state.log.get(all.len()..).unwrap_or_default();
        let back: BTreeSet<u32> = back.iter().map(|change| change.partition).collect();
        state.rewind(0);
        let stays = all.into_iter().filter(|change| !back.contains(&change.partition));
        stays.for_each(|change| state.shift(change));
        Ok(())
    }

    /// The plan, and whether it is complete. Afterwards `state` is the state after the plan.
    fn as_far_as_room(&self, state: &mut BalanceState<'_>) -> Result<(Plan, bool), NoPlan> {
        let mut whole = true;
        loop {
            match self.finished(state) {
                Ok(Finished { plan, taken_back }) if taken_back.is_empty() => {
                    return Ok((plan, whole));
                }
                // The plan is written once more, because leaders are evened over the moves that are left.
                Ok(Finished { taken_back, .. }) => {
                    for change in &taken_back {
                        self.put(state, change, &change.from);
                    }
                }
                // Repairs and evening wait for each other's room. Then only the repairs are planned.
                Err(NoPlan::NoRoomForBothCopies { .. }) if !state.log.is_empty() => state.rewind(0),
                Err(other) => return Err(other),
            }
            whole = false;
        }
    }

    fn put(&self, state: &mut BalanceState<'_>, change: &Move, list: &[BrokerId]) {
        let cluster = self.repairs.cluster;
        if let Some(partition) = cluster.find(&change.topic, change.partition) {
            let list: SmallVec<[BrokerIx; 4]> =
                list.iter().filter_map(|id| cluster.index_of(*id)).collect();
            state.put(partition, &list);
        }
    }

    /// The best evenness that is reachable, for each goal.
    fn floor(&self) -> Option<BalanceFloor> {
        let cluster = self.repairs.cluster;
        let mut floor = self.start.storage()?.floor(cluster)?;
        for layout in &self.start.layouts {
            layout.add_floor(cluster, &mut floor);
        }
        if self.evens_leaders() {
            let targets = &self.repairs.targets.all;
            let allowed = |at: &usize| targets.iter().any(|target| target.allowed[*at]);
            let brokers = (0..cluster.ids.len()).filter(allowed).count();
            // The leaders of partitions that are out of scope or left out are unknown.
            let led = self.in_scope().saturating_sub(self.repairs.left_out.len());
            floor.max_leaders = Some(led.div_ceil(brokers.max(1)) as u64);
        }
        Some(floor)
    }

    /// The bytes that have to move for the topics, repairs included; 0 if topics are no goal.
    fn least_for_topics(&self, state: &BalanceState<'_>) -> Bytes {
        let FilledWork { cluster, work, .. } = self.repairs;
        let bands = self.start.layouts.iter().find_map(|layout| layout.topics.as_ref());
        let repairs = bands.and_then(|_| floor::had_to_hold(cluster, work));
        bands.zip(repairs).map_or(Bytes(0), |(bands, repairs)| {
            Bytes(repairs.0 + topic_bound::bytes(state, bands, work).0)
        })
    }

    /// The number of partitions that the request covers.
    fn in_scope(&self) -> usize {
        let FilledWork { cluster, targets, .. } = self.repairs;
        let topics = targets.of_topic.iter().zip(cluster.first_partition.windows(2));
        topics.filter(|(target, _)| target.is_some()).map(|(_, first)| first[1] - first[0]).sum()
    }

    /// The zone where leaders are wanted. It counts more than even leadership if its goal comes first.
    fn zone(&self) -> Option<WantedZone> {
        let goals = &self.balance.goals;
        let at = goals.iter().position(|goal| *goal == BalanceGoal::LeadersZone)?;
        let rack = self.repairs.cluster.rack_named(self.balance.leaders_zone.as_deref()?)?;
        Some(WantedZone { rack, is_first: !goals[..at].contains(&BalanceGoal::Leaders) })
    }

    fn evens_leaders(&self) -> bool {
        self.balance.optimize_leadership || self.balance.goals.contains(&BalanceGoal::Leaders)
    }

    fn finished(&self, state: &BalanceState<'_>) -> Result<Finished, NoPlan> {
        let FilledWork { cluster, targets, terms, left_out, .. } = self.repairs;
        let storage = self.start.storage();
        let sums = storage.and_then(|layout| self.base.bytes(state, &layout.shares));
        let sums = sums.map(|sums| sums.max(self.least_for_topics(state)));
        let floor = self.floor();
        let proof = match &self.solved {
            Some(solved) => solved.proof(state, sums, floor),
            None => {
                let evidence = self.repairs.evidence.clone();
                Proof { bound_bytes: sums, floor, evidence }
            }
        };
        let mut work = work(state, &self.repairs.work);
        let lists = BaseLists::new(&[]);
        let lead = LeadersToChoose {
            all: self.evens_leaders(),
            as_paired: false,
            lists: &lists,
            evacuation: None,
            zone: self.zone(),
        };
        let (terms, mut left_out) = (terms.clone(), left_out.clone());
        even_leaders(cluster, targets, lead, &mut work, &mut left_out)?;
        let outcome =
            FilledWork { cluster, targets, terms, work, left_out, evidence: None, start: None };
        finish_what_fits(outcome, self.request.clone(), |_| proof.for_copies(cluster))
    }
}

/// The partitions that change: the repairs as planned now, and the moves that even the load.
fn work(state: &BalanceState<'_>, repairs: &[Work]) -> Vec<Work> {
    let mut changed: Vec<usize> =
        state.log.iter().map(|change| change.partition as usize).collect();
    changed.sort_unstable();
    changed.dedup();
    let mut work = repairs.to_vec();
    for item in &mut work {
        let before = state.cluster.seats_of(item.partition);
        item.seats = in_place(before, state.seats_of(item.partition));
        item.head_is_free |= item.seats.first().copied().flatten() != before.first().copied();
    }
    let repaired: Vec<usize> = work.iter().map(|item| item.partition).collect();
    for partition in changed {
        if repaired.binary_search(&partition).is_err() {
            work.extend(moved(state, partition));
        }
    }
    work.sort_by_key(|item| item.partition);
    work
}

fn moved(state: &BalanceState<'_>, partition: usize) -> Option<Work> {
    let before = state.cluster.seats_of(partition);
    let seats = in_place(before, state.seats_of(partition));
    let head = seats.first().copied().flatten();
    (!seats.iter().copied().eq(before.iter().copied().map(Some))).then(|| Work {
        partition,
        target: state.target_of(partition).unwrap_or_default(),
        replaces: seats.iter().map(|_| None).collect(),
        seats,
        reason: Reason::Balance,
        size: Some(state.size[partition]),
        offline: Box::default(),
        must_copy: 0,
        head_is_free: head != before.first().copied(),
    })
}

/// The seats in the order of the list before. A broker that stays keeps its position, so no leader changes needlessly.
fn in_place(before: &[BrokerIx], seats: &[BrokerIx]) -> WorkSeats {
    if before.len() != seats.len() {
        return seats.iter().copied().map(Some).collect();
    }
    let mut come = seats.iter().copied().filter(|seat| !before.contains(seat));
    before.iter().map(|seat| if seats.contains(seat) { Some(*seat) } else { come.next() }).collect()
}
