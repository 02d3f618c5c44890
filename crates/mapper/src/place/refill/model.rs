//! Empty seats as a mixed-integer program, with a column for each broker that a seat may use.
//!
//! In: a placement in which no replica is placed yet, and its work. Out: a program that every way to fill the seats
//! satisfies, and a way from its columns back to brokers. It omits single volumes, and how a partition may continue to
//! break the rack rule. This makes it wider, never narrower: if the program has no answer, the seats have none.

use super::bounds;
use crate::dense::BrokerIx;
use crate::exact::{Column, Program};
use crate::place::Placement;
use crate::plan::Reason;
use crate::request::RackRule;
use crate::target::{RackCounts, Target};
use crate::work::Work;
use smallvec::SmallVec;
use std::collections::BTreeMap;

pub(super) struct RefillModel {
    pub(super) items: Vec<SeatsToFill>,
    /// The rules alone: columns without cost.
    pub(super) rules: Program,
    /// For each broker the load that each of its columns adds, in units.
    pub(super) on: BTreeMap<BrokerIx, Vec<(usize, f64)>>,
    /// Bytes of one unit of load: the largest replica.
    unit: f64,
}

/// A partition with empty seats.
pub(super) struct SeatsToFill {
    /// Its index in the work.
    pub(super) at: usize,
    pub(super) groups: SmallVec<[SeatGroup; 1]>,
}

/// Empty seats that the same brokers may take.
pub(super) struct SeatGroup {
    pub(super) seats: SmallVec<[usize; 4]>,
    /// These brokers, each with its column.
    pub(super) choices: Vec<(BrokerIx, usize)>,
}

/// Widens each limit by this, because rounded factors must not exclude a replica that just fits.
const ROUNDING: f64 = 1e-9;

/// The most columns that a model of this work can have.
pub(super) fn weight(placement: &Placement<'_>, work: &[Work]) -> usize {
    let columns = |item: &Work| match item.empty() {
        0 => 0,
        seats if placement.pairs.is_empty() => {
            placement.targets.all[item.target].brokers.len().max(seats)
        }
        seats => placement.targets.all[item.target].brokers.len() + seats,
    };
    work.iter().map(columns).sum()
}

impl RefillModel {
    /// `None`: some seat has no possible broker, even if all others stay empty.
    pub(super) fn new(placement: &Placement<'_>, work: &[Work]) -> Option<Self> {
        let largest =
            work.iter().filter(|item| item.empty() > 0).filter_map(|item| item.size).max();
        let mut model = Self {
            items: Vec::new(),
            rules: Program::default(),
            on: BTreeMap::new(),
            unit: as_float(largest.unwrap_or(1).max(1)),
        };
        for (at, item) in work.iter().enumerate().filter(|(_, item)| item.empty() > 0) {
            let scene = SeatsOfPartition::new(placement, item);
            model.add(at, &scene)?;
        }
        model.keep_room(placement);
        Some(model)
    }

    pub(super) fn binaries(&self) -> usize {
        self.rules.columns.iter().filter(|column| column.whole).count()
    }

    /// Bytes in units of the program.
    pub(super) fn load(&self, bytes: u64) -> f64 {
        as_float(bytes) / self.unit
    }

    /// The values of the columns for filled seats.
    pub(super) fn values(&self, work: &[Work]) -> Vec<f64> {
        let mut values = vec![0.0; self.rules.columns.len()];
        for item in &self.items {
            for group in &item.groups {
                let held =
                    |broker| group.seats.iter().any(|s| work[item.at].seats[*s] == Some(broker));
                for (_, column) in group.choices.iter().filter(|(broker, _)| held(*broker)) {
                    values[*column] = 1.0;
                }
            }
        }
        values
    }

    fn add(&mut self, at: usize, scene: &SeatsOfPartition<'_, '_>) -> Option<()> {
        let load = self.load(scene.item.size.unwrap_or(0));
        let mut groups = scene.groups();
        for group in &mut groups {
            if group.choices.len() < group.seats.len() {
                return None;
            }
            for (broker, column) in &mut group.choices {
                *column = self.rules.column(Column { cost: 0.0, most: 1.0, whole: true });
                self.on.entry(*broker).or_default().push((*column, load));
            }
            let seats = as_float(group.seats.len() as u64);
            let all = group.choices.iter().map(|(_, column)| (*column, 1.0)).collect();
            self.rules.row(all, seats, seats);
        }
        let choices = || groups.iter().flat_map(|group| &group.choices).copied();
        if groups.len() > 1 {
            let each: SmallVec<[BrokerIx; 8]> = choices().map(|(broker, _)| broker).collect();
            for (at, broker) in each.iter().enumerate().filter(|(at, b)| !each[..*at].contains(b)) {
                let same = choices().skip(at).filter(|(other, _)| other == broker);
                self.rules.row(same.map(|(_, c)| (c, 1.0)).collect(), f64::NEG_INFINITY, 1.0);
            }
        }
        scene.spread(&mut self.rules, &choices().collect::<Vec<_>>())?;
        self.items.push(SeatsToFill { at, groups });
        Some(())
    }

    fn keep_room(&mut self, placement: &Placement<'_>) {
        for (broker, terms) in &self.on {
            let used = placement.used[*broker as usize];
            let Some(room) = placement.constraints.room(*broker, used) else { continue };
            let room = placement.volumes.room(*broker).map_or(room, |volumes| room.min(volumes));
            let terms: Vec<(usize, f64)> = terms.iter().copied().filter(|t| t.1 > 0.0).collect();
            if !terms.is_empty() {
                let room = as_float(room) / self.unit + ROUNDING;
                self.rules.row(terms, f64::NEG_INFINITY, room);
            }
        }
    }
}

/// A partition with seats to fill.
pub(super) struct SeatsOfPartition<'s, 'a> {
    placement: &'s Placement<'a>,
    pub(super) item: &'s Work,
    target: &'s Target,
    held: SmallVec<[BrokerIx; 4]>,
    /// Whether it broke the rack rule before and may continue to break it.
    lenient: bool,
    /// The replicas that each rack ends with; `None` if the rule does not fix them.
    racks: Option<bounds::RackBounds>,
}

impl<'s, 'a> SeatsOfPartition<'s, 'a> {
    pub(super) fn new(placement: &'s Placement<'a>, item: &'s Work) -> Self {
        let cluster = placement.cluster;
        let target = &placement.targets.all[item.target];
        let held: SmallVec<[BrokerIx; 4]> = item.held().collect();
        let before = RackCounts::of(cluster, cluster.seats_of(item.partition).iter().copied());
        let (rule, fix_racks) = placement.constraints.rack_rule();
        let lenient = !fix_racks && item.reason != Reason::Forced && !before.keeps(rule, target);
        let mut racks = match rule {
            RackRule::Spread => bounds::of_racks(cluster, target, &held, item.empty()),
            RackRule::AtLeast(_) => None,
        };
        if lenient {
            let counts = RackCounts::of(cluster, held.iter().copied());
            for (rack, least, most) in racks.iter_mut().flatten() {
                (*least, *most) = (counts.get(*rack), before.get(*rack).max(*most));
            }
        }
        Self { placement, item, target, held, lenient, racks }
    }

    /// For each rack the replicas that have to go there.
    pub(super) fn forced(&self) -> impl Iterator<Item = (usize, usize)> {
        let counts = RackCounts::of(self.placement.cluster, self.held.iter().copied());
        let racks = self.racks.iter().flatten();
        racks.map(move |(rack, least, _)| (*rack, least - counts.get(*rack)))
    }

    /// The seats by the brokers that may take them: the replacing broker, or any.
    fn groups(&self) -> SmallVec<[SeatGroup; 1]> {
        let mut groups: SmallVec<[SeatGroup; 1]> = SmallVec::new();
        let mut free = None;
        for seat in (0..self.item.seats.len()).filter(|seat| self.item.seats[*seat].is_none()) {
            let partner = self.placement.partner(self.item, seat);
            if let (None, Some(at)) = (partner, free) {
                let group: &mut SeatGroup = &mut groups[at];
                group.seats.push(seat);
                continue;
            }
            let one = partner.as_slice();
            let brokers = if partner.is_some() { one } else { self.target.brokers.as_slice() };
            let choices = brokers.iter().filter(|broker| self.may_take(**broker));
            let choices = choices.map(|broker| (*broker, 0)).collect();
            if partner.is_none() {
                free = Some(groups.len());
            }
            groups.push(SeatGroup { seats: SmallVec::from_iter([seat]), choices });
        }
        groups
    }

    /// Whether a broker could take a replica of the partition if it took nothing else.
    fn may_take(&self, broker: BrokerIx) -> bool {
        let Placement { cluster, constraints, volumes, used, .. } = self.placement;
        let size = self.item.size.unwrap_or(0);
        let open = |ends: &bounds::RackBounds| {
            let rack = cluster.rack[broker as usize];
            let there =
                self.held.iter().filter(|held| cluster.rack[**held as usize] == rack).count();
            ends.iter().any(|(at, _, most)| *at == rack && *most > there)
        };
        self.target.allowed[broker as usize]
            && cluster.cordon_lets(self.item.partition, broker)
            && !self.held.contains(&broker)
            && !self.item.offline.contains(&broker)
            && constraints.room(broker, used[broker as usize]).is_none_or(|room| size <= room)
            && volumes.choose(broker, size).is_ok()
            && self.racks.as_ref().is_none_or(open)
    }

    /// Adds the rows of racks and hosts; `None`: a rack or host that has to take replicas cannot.
    fn spread(&self, rules: &mut Program, choices: &[(BrokerIx, usize)]) -> Option<()> {
        let cluster = self.placement.cluster;
        if let Some(racks) = &self.racks {
            for (rack, least, most) in racks {
                let of = |broker: BrokerIx| cluster.rack[broker as usize] == *rack;
                self.between(rules, choices, (*least, *most), of)?;
            }
            return self.spread_over_hosts(rules, choices, racks);
        }
        match self.placement.constraints.rack_rule().0 {
            RackRule::AtLeast(asked) if !self.lenient => self.span(rules, choices, asked as usize),
            RackRule::AtLeast(_) | RackRule::Spread => {}
        }
        Some(())
    }

    fn spread_over_hosts(
        &self,
        rules: &mut Program,
        choices: &[(BrokerIx, usize)],
        racks: &bounds::RackBounds,
    ) -> Option<()> {
        let cluster = self.placement.cluster;
        if !cluster.shared_hosts || self.lenient {
            return Some(());
        }
        for (rack, least, most) in racks {
            let in_rack = |broker: &&BrokerIx| cluster.rack[**broker as usize] == *rack;
            let there = self.held.iter().filter(in_rack).count();
            let come = (least - there, most - there);
            let Some(hosts) = bounds::of_hosts(cluster, self.target, &self.held, *rack, come)
            else {
                continue;
            };
            for (host, least, most) in hosts {
                let of = |broker: BrokerIx| {
                    let at = broker as usize;
                    cluster.host[at] == host && cluster.rack[at] == *rack
                };
                self.between(rules, choices, (least, most), of)?;
            }
        }
        Some(())
    }

    /// Adds a row for the least and the most replicas in one place, those already there included.
    fn between(
        &self,
        rules: &mut Program,
        choices: &[(BrokerIx, usize)],
        (least, most): (usize, usize),
        of: impl Fn(BrokerIx) -> bool,
    ) -> Option<()> {
        let there = self.held.iter().filter(|broker| of(**broker)).count();
        let own = choices.iter().filter(|(broker, _)| of(*broker));
        let terms: Vec<(usize, f64)> = own.map(|(_, column)| (*column, 1.0)).collect();
        let (least, most) = (least.saturating_sub(there), most.saturating_sub(there));
        if terms.len() < least {
            return None;
        }
        if !terms.is_empty() && (least > 0 || most < terms.len()) {
            rules.row(terms, as_float(least as u64), as_float(most as u64));
        }
        Some(())
    }

    /// Asks for replicas in at least `asked` racks, or in as many as the empty seats can still reach.
    fn span(&self, rules: &mut Program, choices: &[(BrokerIx, usize)], asked: usize) {
        let cluster = self.placement.cluster;
        let counts = RackCounts::of(cluster, self.held.iter().copied());
        let needed = self.item.seats.len().min(asked).min(counts.distinct() + self.item.empty());
        let new = needed.saturating_sub(counts.distinct());
        if new == 0 {
            return;
        }
        let mut reached = Vec::new();
        for rack in self.target.racks.iter().filter(|rack| counts.get(**rack) == 0) {
            let own = choices.iter().filter(|(broker, _)| cluster.rack[*broker as usize] == *rack);
            let mut terms: Vec<(usize, f64)> = own.map(|(_, column)| (*column, -1.0)).collect();
            let column = rules.column(Column { cost: 0.0, most: 1.0, whole: false });
            terms.push((column, 1.0));
            rules.row(terms, f64::NEG_INFINITY, 0.0);
            reached.push((column, 1.0));
        }
        rules.row(reached, as_float(new as u64), f64::INFINITY);
    }
}

#[expect(clippy::cast_precision_loss, reason = "the answer is held against the integers")]
pub(super) fn as_float(number: u64) -> f64 {
    number as f64
}
