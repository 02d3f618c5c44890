//! The balance of storage as a mixed-integer program, with a column for each broker that a replica may be on.
//!
//! In: the cluster as planned so far, the seats that may move, and the choices that the rules leave open. Out: a program
//! whose integer answers are exactly the plans that comply with the rules, and a way from its columns back to seats.
//! The program counts bytes in units of the largest replica, so that factors stay near one. Edges and room come from
//! integers.

mod scene;

use super::super::load::BalancedLoad;
use super::super::shelves::Shelves;
use super::super::state::BalanceState;
use super::{Marks, SearchConditions};
use crate::dense::BrokerIx;
use crate::exact::{Column, Program};
use crate::request::RackRule;
use crate::target::RackCounts;
use crate::work::Work;
use scene::PartitionChoices;
use smallvec::SmallVec;

/// A partition with seats to decide.
pub(super) struct SeatsToDecide {
    pub(super) partition: u32,
    /// The bytes of one copy.
    pub(super) size: u64,
    /// Brokers that keep their replica.
    pub(super) fixed: SmallVec<[BrokerIx; 4]>,
    /// Brokers that may hold a replica, each with its column.
    pub(super) choices: SmallVec<[(BrokerIx, usize); 8]>,
    /// Seats to fill with choices.
    pub(super) open: usize,
    /// For each rack the least and the most replicas of the partition in it.
    pub(super) racks: SmallVec<[(usize, usize, usize); 4]>,
    /// Two replicas must not share a host. Needed where a rack holds several.
    apart: bool,
}

/// The seats to decide, by column.
pub(super) struct StorageModel {
    pub(super) items: Vec<SeatsToDecide>,
    /// The bytes on each broker that no decision changes.
    pub(super) base: Vec<u64>,
    /// The bytes and replicas that every plan copies.
    pub(super) given: (u64, u64),
    /// Some seats that the rules leave open are not decided here. The least cost is then no bound for other plans.
    pub(super) narrowed: bool,
    /// Bytes of one unit of load.
    pub(super) unit: f64,
    columns: Vec<SeatColumn>,
}

/// An extra column that is one if any of these seats is taken.
pub(super) struct Span {
    column: usize,
    seats: Vec<usize>,
}

/// The meaning of a column.
#[derive(Clone, Copy)]
pub(super) struct SeatColumn {
    pub(super) broker: BrokerIx,
    /// The bytes of the replica on the broker.
    pub(super) load: u64,
    /// The bytes to copy to the broker.
    pub(super) copied: u64,
    /// Whether the replica has to be copied.
    pub(super) moves: bool,
}

impl StorageModel {
    /// A model of all seats that may change.
    pub(super) fn new(asked: &SearchConditions<'_, '_>) -> Self {
        let state = &asked.before;
        let mut model = Self {
            items: Vec::new(),
            base: state.used.clone(),
            given: (0, 0),
            narrowed: false,
            unit: 1.0,
            columns: Vec::new(),
        };
        let limit = asked.balance.partition_limit;
        let mut shelves =
            limit.map(|limit| Shelves::new(state, Some(limit), BalancedLoad::Storage));
        let mut repairs = asked.repairs.iter().peekable();
        for partition in 0..state.partitions() {
            let repair = repairs.next_if(|item| item.partition == partition);
            let scene = PartitionChoices { asked, partition, repair };
            match scene.item(shelves.as_mut(), &mut model.narrowed) {
                Some(item) => model.add(state, item),
                None => model.give(state, partition, repair),
            }
        }
        model.unit = scale(model.columns.iter().map(|seat| seat.load.max(seat.copied)).max());
        model
    }

    pub(super) fn seat(&self, column: usize) -> &SeatColumn {
        &self.columns[column]
    }

    pub(super) fn binaries(&self) -> usize {
        self.columns.len()
    }

    fn add(&mut self, state: &BalanceState<'_>, mut item: SeatsToDecide) {
        let before = state.cluster.seats_of(item.partition as usize);
        for (broker, column) in &mut item.choices {
            *column = self.columns.len();
            let moves = !before.contains(broker);
            let copied = if moves { item.size } else { 0 };
            let load = state.size_on(item.partition, *broker);
            self.columns.push(SeatColumn { broker: *broker, load, copied, moves });
        }
        for seat in state.seats_of(item.partition as usize) {
            if !item.fixed.contains(seat) {
                let base = &mut self.base[*seat as usize];
                *base = base.saturating_sub(state.size_on(item.partition, *seat));
            }
        }
        self.items.push(item);
    }

    /// Adds a repair that leaves nothing to decide.
    fn give(&mut self, state: &BalanceState<'_>, partition: usize, repair: Option<&Work>) {
        if repair.is_some() {
            let before = state.cluster.seats_of(partition);
            let copies = state.seats_of(partition).iter().filter(|b| !before.contains(b)).count();
            self.given.0 += state.size[partition] * copies as u64;
            self.given.1 += copies as u64;
        }
    }

    /// The rules alone, as rows over columns without cost.
    pub(super) fn rules(&self, asked: &SearchConditions<'_, '_>) -> (Program, Vec<Span>) {
        let (mut program, mut spans) = (Program::default(), Vec::new());
        for _ in &self.columns {
            program.column(Column { cost: 0.0, most: 1.0, whole: true });
        }
        for item in &self.items {
            item.rows(asked, &mut program);
            item.span(asked, &mut program, &mut spans);
        }
        let SearchConditions { balance, .. } = asked;
        if let Some(most) = balance.max_bytes_moved {
            let most = self.load(most.0.saturating_sub(self.given.0));
            program.row(self.terms(|seat| self.load(seat.copied)), f64::NEG_INFINITY, most);
        }
        if let Some(most) = balance.max_moves {
            let most = count(most.saturating_sub(self.given.1));
            program.row(self.terms(replicas), f64::NEG_INFINITY, most);
        }
        (program, spans)
    }

    /// Keeps every broker between its marks. `slack`: for each broker a column that widens them by that part of its share.
    pub(super) fn bound_loads(
        &self,
        program: &mut Program,
        marks: &Marks,
        margin: f64,
        slack: &[Option<usize>],
    ) {
        let mut loads: Vec<Vec<(usize, f64)>> = vec![Vec::new(); self.base.len()];
        for (column, seat) in self.columns.iter().enumerate() {
            loads[seat.broker as usize].push((column, self.load(seat.load)));
        }
        for (at, terms) in loads.into_iter().enumerate() {
            let Some(mark) = marks.of[at].filter(|_| !terms.is_empty()) else { continue };
            let base = self.load(self.base[at]);
            let (low, high) = (self.load(mark.low) - base + margin, self.load(mark.high) - base);
            let room = self.load(mark.room) - base - margin;
            let Some(slack) = slack[at] else {
                program.row(terms, low, (high - margin).min(room));
                continue;
            };
            let share = self.load(mark.share);
            let widened = |by: f64| {
                let mut terms = terms.clone();
                terms.push((slack, by));
                terms
            };
            program.row(widened(share), low, f64::INFINITY);
            program.row(widened(-share), f64::NEG_INFINITY, high - margin);
            program.row(terms, f64::NEG_INFINITY, room);
        }
    }

    /// The factor of each column, without those of zero.
    pub(super) fn terms(&self, of: impl Fn(&SeatColumn) -> f64) -> Vec<(usize, f64)> {
        let all = self.columns.iter().map(of).enumerate();
        all.filter(|(_, factor)| *factor != 0.0).collect()
    }

    /// Bytes in units of the program.
    #[expect(clippy::cast_precision_loss, reason = "the answer is held against the integers")]
    pub(super) fn load(&self, bytes: u64) -> f64 {
        bytes as f64 / self.unit
    }

    /// The values of all columns for the seats of a state.
    pub(super) fn values(&self, state: &BalanceState<'_>, spans: &[Span]) -> Vec<f64> {
        let mut values = vec![0.0; self.columns.len() + spans.len()];
        for item in &self.items {
            for (broker, column) in &item.choices {
                if state.holds(item.partition, *broker) {
                    values[*column] = 1.0;
                }
            }
        }
        for span in spans {
            let any = span.seats.iter().any(|seat| values[*seat] > 0.5);
            values[span.column] = f64::from(u8::from(any));
        }
        values
    }
}

/// The cost that counts replicas to copy: one for each.
pub(super) fn replicas(seat: &SeatColumn) -> f64 {
    f64::from(u8::from(seat.moves))
}

#[expect(clippy::cast_precision_loss, reason = "the answer is held against the integers")]
fn scale(largest: Option<u64>) -> f64 {
    largest.unwrap_or(1).max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "numbers of replicas are far below 2^52")]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

impl SeatsToDecide {
    fn rows(&self, asked: &SearchConditions<'_, '_>, program: &mut Program) {
        let cluster = asked.rules.cluster;
        let of = |wanted: &dyn Fn(BrokerIx) -> bool| -> Vec<(usize, f64)> {
            let choices = self.choices.iter().filter(|(broker, _)| wanted(*broker));
            choices.map(|(_, column)| (*column, 1.0)).collect()
        };
        let settled = self.is_settled();
        for (rack, least, most) in &self.racks {
            let in_rack = |broker: BrokerIx| cluster.rack[broker as usize] == *rack;
            let held = self.fixed.iter().filter(|broker| in_rack(**broker)).count();
            let (least, most) = (least.saturating_sub(held), most.saturating_sub(held));
            let terms = of(&in_rack);
            if !terms.is_empty() && (settled || least > 0 || most < terms.len()) {
                program.row(terms, count(least as u64), count(most as u64));
            }
        }
        if !settled {
            program.row(of(&|_| true), count(self.open as u64), count(self.open as u64));
        }
        if self.apart {
            for (broker, _) in &self.choices {
                let host = cluster.host[*broker as usize];
                let on_host = |other: BrokerIx| cluster.host[other as usize] == host;
                let held = self.fixed.iter().filter(|fixed| on_host(**fixed)).count();
                let terms = of(&on_host);
                if host == *broker as usize && terms.len() + held > 1 {
                    let most = count(1_u64.saturating_sub(held as u64));
                    program.row(terms, f64::NEG_INFINITY, most);
                }
            }
        }
    }

    fn is_settled(&self) -> bool {
        self.racks.iter().all(|(_, least, most)| least == most)
    }

    /// Asks for the least number of racks: one column per rack is one if the rack is used, and their sum has a bound.
    fn span(&self, asked: &SearchConditions<'_, '_>, program: &mut Program, spans: &mut Vec<Span>) {
        let racks = match asked.rules.racks {
            RackRule::AtLeast(racks) if !self.is_settled() => racks as usize,
            RackRule::AtLeast(_) | RackRule::Spread => return,
        };
        let rack = |broker: BrokerIx| asked.rules.cluster.rack[broker as usize];
        let replicas = self.open + self.fixed.len();
        let mut held: SmallVec<[usize; 4]> = self.fixed.iter().map(|b| rack(*b)).collect();
        held.sort_unstable();
        held.dedup();
        let wanted = replicas.min(racks).saturating_sub(held.len());
        let mut used = Vec::new();
        for (at, _, most) in self.racks.iter().filter(|(at, ..)| !held.contains(at)) {
            let terms = self.choices.iter().filter(|(broker, _)| rack(*broker) == *at);
            let mut terms: Vec<(usize, f64)> = terms.map(|(_, column)| (*column, 1.0)).collect();
            if !terms.is_empty() && *most > 0 {
                // It is whole if the seats are whole, so the solver need not enforce it.
                let any = program.column(Column { cost: 0.0, most: 1.0, whole: false });
                let seats = terms.iter().map(|(column, _)| *column).collect();
                spans.push(Span { column: any, seats });
                terms.push((any, -1.0));
                program.row(terms, 0.0, f64::INFINITY);
                used.push((any, 1.0));
            }
        }
        if wanted > 0 {
            program.row(used, count(wanted as u64), f64::INFINITY);
        }
    }

    /// The brokers that an answer chooses, the fixed ones included; `None` if they break a rule.
    pub(super) fn chosen(
        &self,
        asked: &SearchConditions<'_, '_>,
        values: &[f64],
    ) -> Option<SmallSeats> {
        let mut seats = self.fixed.clone();
        let taken = self.choices.iter().filter(|(_, column)| values[*column] > 0.5);
        seats.extend(taken.map(|(broker, _)| *broker));
        self.keeps_rules(asked, &seats).then_some(seats)
    }

    pub(super) fn keeps_rules(&self, asked: &SearchConditions<'_, '_>, seats: &SmallSeats) -> bool {
        let cluster = asked.rules.cluster;
        let counts = RackCounts::of(cluster, seats.iter().copied());
        let racks = self
            .racks
            .iter()
            .all(|(rack, least, most)| (*least..=*most).contains(&counts.get(*rack)));
        let spanned = match asked.rules.racks {
            RackRule::Spread => true,
            RackRule::AtLeast(asked) => {
                counts.distinct() >= seats.len().min(asked as usize) || self.is_settled()
            }
        };
        let mut hosts: SmallVec<[usize; 4]> =
            seats.iter().map(|broker| cluster.host[*broker as usize]).collect();
        hosts.sort_unstable();
        let apart = !self.apart || hosts.windows(2).all(|pair| pair[0] != pair[1]);
        let complete = seats.len() == self.fixed.len() + self.open;
        complete && racks && spanned && apart
    }
}

pub(super) type SmallSeats = SmallVec<[BrokerIx; 4]>;
