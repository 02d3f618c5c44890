//! The exact answer for small scopes: the balance of storage as a mixed-integer program, solved in three rounds.
//!
//! Each round settles one part of the objective, and the next rounds keep its result:
//!
//! 1. the worst distance of a broker from its band, group by group;
//! 2. the bytes copied;
//! 3. the replicas copied.
//!
//! The search starts from the heuristic's answer, so the result is never worse. A solver answers in floats. The answer is
//! rounded, checked against every rule in integers, and dropped if it breaks one. A proof holds to the solver's
//! tolerance: a ten-millionth of the largest replica.

mod flow;
mod led;
mod marks;
mod model;
mod network;
mod search_limits;
mod solved;
mod whittle;

use super::band::Band;
use super::bound::Base;
use super::load::BalancedLoad;
use super::load_goals::{Layout, LoadGoals};
use super::rules::BalanceRules;
use super::shares::BrokerGroup;
use super::state::{BalanceState, SeatShift};
use crate::bytes::Bytes;
use crate::exact::{Column, Program, Solution, SolverAnswer};
use crate::no_plan::NoPlan;
use crate::request::Balance;
use crate::work::Work;
use led::Evens;
use marks::{Marks, Strain};
use model::{SmallSeats, Span, StorageModel, replicas};
use search_limits::SearchLimits;
pub(super) use solved::Solved;

/// The cluster at the start of a search.
pub(super) struct ExactStart<'s, 'a> {
    before: BalanceState<'a>,
    balance: &'s Balance,
    repairs: &'s [Work],
    pace: SearchLimits,
}

impl<'s, 'a> ExactStart<'s, 'a> {
    /// Keeps a copy of the cluster after the repairs, if there will be a search.
    ///
    /// # Errors
    /// [`NoPlan::TooLarge`]: the request asks for the exact solver, and it would not finish.
    pub(super) fn new(
        state: &BalanceState<'a>,
        goals: &LoadGoals<'_>,
        balance: &'s Balance,
        repairs: &'s [Work],
    ) -> Result<Option<Self>, NoPlan> {
        // The program knows only storage, so a search would undo other goals.
        if goals.loads != [BalancedLoad::Storage] {
            return Ok(None);
        }
        let pace = SearchLimits::of(balance.solver, binaries(state, repairs))?;
        // A larger limit has to end at least as evenly. Only the heuristic's order of changes guarantees that.
        let limited = balance.max_bytes_moved.is_some() || balance.max_moves.is_some();
        let pace = pace.filter(|pace| *pace == SearchLimits::Thorough || !limited);
        Ok(pace.map(|pace| Self { before: state.clone(), balance, repairs, pace }))
    }

    /// Improves the plan of `state`, and proves as much as it can; `None` if a search is not worth its time.
    pub(super) fn search(
        self,
        state: &mut BalanceState<'a>,
        goals: &'s LoadGoals<'a>,
        layout: &'s Layout,
        base: &Base,
        even_out: Evens<'_, 'a>,
    ) -> Option<Solved> {
        let Self { before, balance, repairs, pace } = self;
        let even = goals.layout(state, BalancedLoad::Storage).is_even(state);
        let least = base.bytes(state, &layout.shares);
        match pace {
            SearchLimits::Thorough => {}
            SearchLimits::Short | SearchLimits::Led if even && is_near(copied(state).0, least) => {
                return None;
            }
            // With other goals, storage is not searched. It must not end less evenly for that reason.
            SearchLimits::Short if !even => return None,
            SearchLimits::Short | SearchLimits::Led => {}
        }
        let rules = &goals.rules;
        let asked = SearchConditions { before, rules, balance, repairs, layout, pace };
        if pace == SearchLimits::Led {
            let (binaries, bound) = led::follow(state, &asked, even_out);
            return Some(Solved {
                copied: copied(state),
                bound,
                ..Solved::nothing(pace, binaries)
            });
        }
        let mut better = state.clone();
        let solved = improve(&mut better, &asked);
        // A short search proves little. The next plan would move again what it leaves outside the bands.
        if pace == SearchLimits::Short
            && !goals.layout(&better, BalancedLoad::Storage).is_even(&better)
        {
            return None;
        }
        *state = better;
        Some(solved)
    }
}

/// Whether the bytes are within a fifth of a percent of the bound.
fn is_near(bytes: u64, least: Option<Bytes>) -> bool {
    least.is_some_and(|least| bytes <= least.0 + least.0 / 500)
}

/// The conditions for any answer.
struct SearchConditions<'s, 'a> {
    /// The cluster once the repairs are done.
    pub(super) before: BalanceState<'a>,
    pub(super) rules: &'s BalanceRules<'a>,
    pub(super) balance: &'s Balance,
    pub(super) repairs: &'s [Work],
    /// The bands, and the brokers that may give replicas away, before anything was evened.
    pub(super) layout: &'s Layout,
    pub(super) pace: SearchLimits,
}

impl SearchConditions<'_, '_> {
    fn marks(&self, bands: &[Option<Band>]) -> Marks {
        let used: Vec<u64> = self.rules.cluster.used.iter().map(|used| used.unwrap_or(0)).collect();
        Marks::new(bands, &self.rules.limit, &used)
    }
}

/// Distance from the edges in a second try, in units of the largest replica: ten times the error of floats.
const MARGIN: f64 = 1e-6;

/// The most columns that a program for this state can have.
fn binaries(state: &BalanceState<'_>, repairs: &[Work]) -> usize {
    let mut repairs = repairs.iter().peekable();
    let choices = (0..state.partitions()).map(|partition| {
        let repair = repairs.next_if(|item| item.partition == partition);
        let target = state.target_of(partition).or(repair.map(|item| item.target));
        target.map_or(0, |target| state.targets.all[target].brokers.len())
    });
    choices.sum()
}

/// Improves the plan of `state` as far as a search of limited length can.
fn improve<'a>(state: &mut BalanceState<'a>, asked: &SearchConditions<'_, 'a>) -> Solved {
    let model = StorageModel::new(asked);
    let (rules, spans) = model.rules(asked);
    let mut search = StorageSearch {
        rules,
        spans,
        marks: asked.marks(&asked.layout.bands),
        groups: &asked.layout.shares.groups,
        solved: Solved::nothing(asked.pace, model.binaries()),
        model,
        asked,
    };
    search.stay(state);
    search.evenness(state);
    search.bytes(state);
    search.replicas(state);
    Solved { copied: copied(state), ..search.solved }
}

struct StorageSearch<'s, 'a> {
    asked: &'s SearchConditions<'s, 'a>,
    model: StorageModel,
    rules: Program,
    spans: Vec<Span>,
    marks: Marks,
    groups: &'s [BrokerGroup],
    solved: Solved,
}

impl<'a> StorageSearch<'_, 'a> {
    /// Undoes the evening if the worst broker of every group is no better for it.
    fn stay(&self, state: &mut BalanceState<'a>) {
        let before = &self.asked.before;
        let in_vain = self.groups.iter().all(|group| {
            let (old, new) = (&before.used, &state.used);
            !self.marks.strain(old, group).exceeds(self.marks.strain(new, group))
        });
        if in_vain {
            *state = before.clone();
        }
    }

    /// Brings the worst broker of each group as near to its band as possible.
    fn evenness(&mut self, state: &mut BalanceState<'a>) {
        let strains: Vec<Strain> =
            self.groups.iter().map(|group| self.marks.strain(&state.used, group)).collect();
        self.solved.most_even = !self.model.narrowed;
        if strains.iter().all(|strain| strain.is_none()) {
            self.solved.most_even = true;
            return;
        }
        let mut slack = vec![None; state.used.len()];
        let mut program = self.rules.clone();
        let mut hint = self.model.values(state, &self.spans);
        for (group, strain) in self.groups.iter().zip(&strains).filter(|(_, s)| !s.is_none()) {
            let most = strain.as_f64();
            let column = program.column(Column { cost: 1.0, most, whole: false });
            hint.push(most);
            for broker in &group.brokers {
                slack[*broker as usize] = Some(column);
            }
        }
        self.model.bound_loads(&mut program, &self.marks, 0.0, &slack);
        let Some(found) = self.ask(&program, Some(&hint)) else {
            self.solved.most_even = false;
            return;
        };
        self.solved.most_even &= found.proven;
        let accepted = self.take(state, &found, |search, state, changed| {
            let no_worse = search.groups.iter().all(|group| {
                let (old, new) = (&state.used, &changed.used);
                !search.marks.strain(new, group).exceeds(search.marks.strain(old, group))
            });
            no_worse && search.marks.have_room(&changed.used)
        });
        self.solved.most_even &= accepted;
    }

    /// Finds the fewest bytes of all plans that end as evenly.
    fn bytes(&mut self, state: &mut BalanceState<'a>) {
        self.marks = self.marks.widened(&state.used, self.groups);
        for margin in [0.0, MARGIN] {
            let program = self.costs_bytes(margin);
            let hint = self.model.values(state, &self.spans);
            let Some(found) = self.ask(&program, Some(&hint)) else { return };
            if margin == 0.0 {
                self.solved.bound = self.bound(&found);
            }
            let fewer = |search: &Self, old: &BalanceState<'_>, new: &BalanceState<'_>| {
                search.marks.hold(&new.used) && copied(new).0 <= copied(old).0
            };
            if self.take(state, &found, fewer) {
                self.solved.fewest_bytes = found.proven && margin == 0.0 && !self.model.narrowed;
                return;
            }
        }
    }

    /// Finds the fewest replicas of all plans that copy as few bytes.
    fn replicas(&mut self, state: &mut BalanceState<'a>) {
        if !self.solved.fewest_bytes {
            return;
        }
        let mut program = self.within_marks(0.0);
        let bytes = copied(state).0.saturating_sub(self.model.given.0);
        let cost = self.model.terms(|seat| self.model.load(seat.copied));
        // Without the margin, rounding could exclude the plan that is already known.
        program.row(cost, f64::NEG_INFINITY, self.model.load(bytes) + MARGIN);
        for (column, cost) in self.model.terms(replicas) {
            program.columns[column].cost = cost;
        }
        let hint = self.model.values(state, &self.spans);
        if let Some(found) = self.ask(&program, Some(&hint)) {
            self.take(state, &found, |search, old, new| {
                search.marks.hold(&new.used) && copied(new) <= copied(old)
            });
        }
    }

    /// The program in which the cost of a plan within the marks is its bytes copied.
    fn costs_bytes(&self, margin: f64) -> Program {
        let mut program = self.within_marks(margin);
        for (column, cost) in self.model.terms(|seat| self.model.load(seat.copied)) {
            program.columns[column].cost = cost;
        }
        program
    }

    fn within_marks(&self, margin: f64) -> Program {
        let mut program = self.rules.clone();
        let slack = vec![None; self.model.base.len()];
        self.model.bound_loads(&mut program, &self.marks, margin, &slack);
        program
    }

    fn ask(&mut self, program: &Program, hint: Option<&[f64]>) -> Option<Solution> {
        let limits = self.asked.pace.limits(self.solved.binaries);
        match program.solve(limits, hint) {
            SolverAnswer::Found(found) => {
                self.solved.effort.add(found.effort);
                Some(found)
            }
            SolverAnswer::Infeasible | SolverAnswer::Nothing => None,
        }
    }

    /// Applies an answer if it follows every rule and is `better`. Returns whether it was applied.
    fn take(
        &self,
        state: &mut BalanceState<'a>,
        found: &Solution,
        better: impl Fn(&Self, &BalanceState<'a>, &BalanceState<'a>) -> bool,
    ) -> bool {
        let mut changed = state.clone();
        for item in &self.model.items {
            let Some(seats) = item.chosen(self.asked, &found.values) else { return false };
            change(&mut changed, item.partition, &seats);
        }
        let (bytes, replicas) = copied(&changed);
        let balance = self.asked.balance;
        let within = balance.max_bytes_moved.is_none_or(|most| bytes <= most.0)
            && balance.max_moves.is_none_or(|most| replicas <= most);
        let accepted = within && better(self, state, &changed);
        if accepted {
            *state = changed;
        }
        accepted
    }

    /// The lower bound of bytes, rounded down by more than the error of floats.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded down by more than a float is off; negative is none"
    )]
    fn bound(&self, found: &Solution) -> Option<Bytes> {
        let bytes = (found.bound - MARGIN).max(0.0) * self.model.unit * (1.0 - 1e-9);
        let decided = !self.model.narrowed && found.bound.is_finite();
        decided.then(|| Bytes(self.model.given.0 + bytes.floor() as u64))
    }
}

/// The bytes and replicas that a plan copies.
fn copied(state: &BalanceState<'_>) -> (u64, u64) {
    let (mut bytes, mut replicas) = (0, 0);
    for partition in 0..state.partitions() {
        let before = state.cluster.seats_of(partition);
        let new = state.seats_of(partition).iter().filter(|broker| !before.contains(broker));
        let copies = new.count() as u64;
        bytes += state.size[partition] * copies;
        replicas += copies;
    }
    (bytes, replicas)
}

/// Gives a partition other brokers. A seat that changes stays in its rack if possible.
fn change(state: &mut BalanceState<'_>, partition: u32, seats: &SmallSeats) {
    let held = state.seats_of(partition as usize);
    let mut gone: SmallSeats = held.iter().copied().filter(|b| !seats.contains(b)).collect();
    let come: SmallSeats = seats.iter().copied().filter(|b| !held.contains(b)).collect();
    for to in come {
        let rack = &state.cluster.rack;
        let same = |from: &u32| rack[*from as usize] == rack[to as usize];
        let at = gone.iter().position(same).unwrap_or(0);
        if at < gone.len() {
            let from = gone.remove(at);
            state.shift(SeatShift { partition, from, to });
        }
    }
}
