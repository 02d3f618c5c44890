//! The exact answer for small scopes: the balance of storage as a mixed-integer program, solved in three rounds.
//!
//! Each round settles one word of the objective and holds the next ones to it: the worst distance of a broker from its
//! band, group by group; then the bytes copied; then the replicas copied. The heuristic's answer is where the search
//! starts, so the result is never worse. A solver's answer is floats: it is rounded, held against every rule in
//! integers, and dropped if it breaks one. What is said to be proven is proven to the solver's tolerance, a
//! ten-millionth of the largest replica.

mod flow;
mod led;
mod marks;
mod model;
mod network;
mod pace;
mod whittle;

use super::band::Band;
use super::bound::Base;
use super::field::{Field, Layout};
use super::load::Load;
use super::rules::Rules;
use super::shares::Group;
use super::state::{Shift, State};
use crate::bytes::Bytes;
use crate::exact::{Answer, Column, Effort, Evidence, Found, Program};
use crate::finish::Proof;
use crate::no_plan::NoPlan;
use crate::plan::{BoundBy, Floor};
use crate::request::Balance;
use crate::work::Work;
use led::Evens;
use marks::{Marks, Strain};
use model::{Model, SmallSeats, Span, replicas};
use pace::Pace;

/// The cluster as a search finds it.
pub(super) struct Start<'s, 'a> {
    before: State<'a>,
    balance: &'s Balance,
    repairs: &'s [Work],
    pace: Pace,
}

impl<'s, 'a> Start<'s, 'a> {
    /// Keeps the cluster as it is once the repairs are done, if it is to be searched.
    ///
    /// # Errors
    /// [`NoPlan::TooLarge`]: the exact solver is asked for, and would not come to an end.
    pub(super) fn new(
        state: &State<'a>,
        field: &Field<'_>,
        balance: &'s Balance,
        repairs: &'s [Work],
    ) -> Result<Option<Self>, NoPlan> {
        // Storage is what the program knows; other goals would be lost to it.
        if field.loads != [Load::Storage] {
            return Ok(None);
        }
        let pace = Pace::of(balance.solver, binaries(state, repairs))?;
        // A larger limit has to end as evenly at least, which only the heuristic's order of changes warrants.
        let limited = balance.max_bytes_moved.is_some() || balance.max_moves.is_some();
        let pace = pace.filter(|pace| *pace == Pace::Thorough || !limited);
        Ok(pace.map(|pace| Self { before: state.clone(), balance, repairs, pace }))
    }

    /// Betters the plan of `state`, and proves what it can; `None` where that is not worth the while.
    pub(super) fn search(
        self,
        state: &mut State<'a>,
        field: &'s Field<'a>,
        layout: &'s Layout,
        base: &Base,
        even_out: Evens<'_, 'a>,
    ) -> Option<Solved> {
        let Self { before, balance, repairs, pace } = self;
        let even = field.layout(state, Load::Storage).is_even(state);
        let least = base.bytes(state, &layout.shares);
        match pace {
            Pace::Thorough => {}
            Pace::Short | Pace::Led if even && is_near(copied(state).0, least) => return None,
            // With other goals beside it storage is not searched, and must not end less evenly for that.
            Pace::Short if !even => return None,
            Pace::Short | Pace::Led => {}
        }
        let rules = &field.rules;
        let asked = Asked { before, rules, balance, repairs, layout, pace };
        if pace == Pace::Led {
            let (binaries, bound) = led::follow(state, &asked, even_out);
            return Some(Solved {
                copied: copied(state),
                bound,
                ..Solved::nothing(pace, binaries)
            });
        }
        let mut better = state.clone();
        let solved = improve(&mut better, &asked);
        // A short search proves little; what it leaves outside the bands, the next plan would take up again.
        if pace == Pace::Short && !field.layout(&better, Load::Storage).is_even(&better) {
            return None;
        }
        *state = better;
        Some(solved)
    }
}

/// Within a fifth of a percent of the bound.
fn is_near(bytes: u64, least: Option<Bytes>) -> bool {
    least.is_some_and(|least| bytes <= least.0 + least.0 / 500)
}

/// What is asked of any answer.
struct Asked<'s, 'a> {
    /// The cluster once the repairs are done.
    pub(super) before: State<'a>,
    pub(super) rules: &'s Rules<'a>,
    pub(super) balance: &'s Balance,
    pub(super) repairs: &'s [Work],
    /// The bands, and who may give replicas away, before anything was evened.
    pub(super) layout: &'s Layout,
    pub(super) pace: Pace,
}

impl Asked<'_, '_> {
    fn marks(&self, bands: &[Option<Band>]) -> Marks {
        let used: Vec<u64> = self.rules.cluster.used.iter().map(|used| used.unwrap_or(0)).collect();
        Marks::new(bands, &self.rules.limit, &used)
    }
}

/// What the search came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Solved {
    pace: Pace,
    /// What the plan copies: bytes, replicas.
    copied: (u64, u64),
    /// Seats that were weighed.
    binaries: usize,
    effort: Effort,
    /// No plan ends with its worst broker nearer to its share.
    most_even: bool,
    /// No plan that ends as evenly copies less than this.
    bound: Option<Bytes>,
    /// The plan copies the least.
    fewest_bytes: bool,
}

impl Solved {
    /// Nothing is proven.
    fn nothing(pace: Pace, binaries: usize) -> Self {
        Self {
            pace,
            copied: (0, 0),
            binaries,
            effort: Effort::NONE,
            most_even: false,
            bound: None,
            fewest_bytes: false,
        }
    }

    /// What is proven about a plan; `sums`: the bound that the loads of brokers and racks give.
    pub(super) fn proof(
        &self,
        state: &State<'_>,
        sums: Option<Bytes>,
        floor: Option<Floor>,
    ) -> Proof {
        // What was changed since is another plan: less even, for all that is known.
        let same = copied(state) == self.copied;
        let own = self.bound.filter(|_| same);
        let own = if self.fewest_bytes { own.map(|_| Bytes(self.copied.0)) } else { own };
        let Self { binaries, effort, pace, .. } = *self;
        let by = match pace {
            _ if own <= sums => BoundBy::Loads,
            Pace::Led => BoundBy::Linear,
            Pace::Short | Pace::Thorough => BoundBy::Search,
        };
        let most_even = (pace != Pace::Led).then_some(same && self.most_even);
        let engine = pace.engine();
        let evidence = Evidence { engine, binaries, effort, most_even, fullest: None, by };
        Proof { bound_bytes: own.max(sums), floor, evidence: Some(evidence) }
    }
}

/// What a second try keeps away from the edges, in units of the largest replica: ten times what floats may overstep.
const MARGIN: f64 = 1e-6;

/// How many seats there are to weigh, at the most.
fn binaries(state: &State<'_>, repairs: &[Work]) -> usize {
    let mut repairs = repairs.iter().peekable();
    let choices = (0..state.partitions()).map(|partition| {
        let repair = repairs.next_if(|item| item.partition == partition);
        let target = state.target_of(partition).or(repair.map(|item| item.target));
        target.map_or(0, |target| state.targets.all[target].brokers.len())
    });
    choices.sum()
}

/// Betters the plan of `state` as far as a search of limited length can.
fn improve<'a>(state: &mut State<'a>, asked: &Asked<'_, 'a>) -> Solved {
    let model = Model::new(asked);
    let (rules, spans) = model.rules(asked);
    let mut search = Search {
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

struct Search<'s, 'a> {
    asked: &'s Asked<'s, 'a>,
    model: Model,
    rules: Program,
    spans: Vec<Span>,
    marks: Marks,
    groups: &'s [Group],
    solved: Solved,
}

impl<'a> Search<'_, 'a> {
    /// Evening that leaves the worst broker of every group as it was is given up.
    fn stay(&self, state: &mut State<'a>) {
        let before = &self.asked.before;
        let in_vain = self.groups.iter().all(|group| {
            let (old, new) = (&before.used, &state.used);
            !self.marks.strain(old, group).exceeds(self.marks.strain(new, group))
        });
        if in_vain {
            *state = before.clone();
        }
    }

    /// The worst broker of each group as near to its band as can be.
    fn evenness(&mut self, state: &mut State<'a>) {
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

    /// The fewest bytes of all plans that end as evenly.
    fn bytes(&mut self, state: &mut State<'a>) {
        self.marks = self.marks.widened(&state.used, self.groups);
        for margin in [0.0, MARGIN] {
            let program = self.costs_bytes(margin);
            let hint = self.model.values(state, &self.spans);
            let Some(found) = self.ask(&program, Some(&hint)) else { return };
            if margin == 0.0 {
                self.solved.bound = self.bound(&found);
            }
            let fewer = |search: &Self, old: &State<'_>, new: &State<'_>| {
                search.marks.hold(&new.used) && copied(new).0 <= copied(old).0
            };
            if self.take(state, &found, fewer) {
                self.solved.fewest_bytes = found.proven && margin == 0.0 && !self.model.narrowed;
                return;
            }
        }
    }

    /// The fewest replicas of all plans that copy as few bytes.
    fn replicas(&mut self, state: &mut State<'a>) {
        if !self.solved.fewest_bytes {
            return;
        }
        let mut program = self.within_marks(0.0);
        let bytes = copied(state).0.saturating_sub(self.model.given.0);
        let cost = self.model.terms(|seat| self.model.load(seat.copied));
        // Rounding must not shut the plan out that is at hand.
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

    /// The bytes copied, as the cost of a plan within the marks.
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

    fn ask(&mut self, program: &Program, hint: Option<&[f64]>) -> Option<Found> {
        let limits = self.asked.pace.limits(self.solved.binaries);
        match program.solve(limits, hint) {
            Answer::Found(found) => {
                self.solved.effort.add(found.effort);
                Some(found)
            }
            Answer::Infeasible | Answer::Nothing => None,
        }
    }

    /// Carries an answer out if it keeps to every rule and is `better`; says whether it did.
    fn take(
        &self,
        state: &mut State<'a>,
        found: &Found,
        better: impl Fn(&Self, &State<'a>, &State<'a>) -> bool,
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

    /// What no plan goes below, rounded down by more than floats may be off.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded down by more than a float is off; negative is none"
    )]
    fn bound(&self, found: &Found) -> Option<Bytes> {
        let bytes = (found.bound - MARGIN).max(0.0) * self.model.unit * (1.0 - 1e-9);
        let decided = !self.model.narrowed && found.bound.is_finite();
        decided.then(|| Bytes(self.model.given.0 + bytes.floor() as u64))
    }
}

/// The bytes and replicas that a plan copies.
fn copied(state: &State<'_>) -> (u64, u64) {
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

/// Gives a partition other brokers; a seat that changes stays in its rack where it can.
fn change(state: &mut State<'_>, partition: u32, seats: &SmallSeats) {
    let held = state.seats_of(partition as usize);
    let mut gone: SmallSeats = held.iter().copied().filter(|b| !seats.contains(b)).collect();
    let come: SmallSeats = seats.iter().copied().filter(|b| !held.contains(b)).collect();
    for to in come {
        let rack = &state.cluster.rack;
        let same = |from: &u32| rack[*from as usize] == rack[to as usize];
        let at = gone.iter().position(same).unwrap_or(0);
        if at < gone.len() {
            let from = gone.remove(at);
            state.shift(Shift { partition, from, to });
        }
    }
}
