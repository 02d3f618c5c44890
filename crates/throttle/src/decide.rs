//! One round of decisions.

use crate::decision::{Decided, RateReason, ThrottleDecision};
use crate::fair::Got;
use crate::health::feel;
use crate::limits::{Share, ThrottleLimits, ThrottleTerms};
use crate::load::{Loads, PortIx};
use crate::note::ThrottleNote;
use crate::offer::{Offer, Port, offer};
use crate::paced::{self, Pacing};
use crate::port::ReplicationRole;
use crate::seen::{CopySeen, ThrottleInputs};
use crate::stalls::stalls;
use crate::state::{BrokerMemory, PortMemory, ThrottleMemory};
use crate::wants::share_out;
use crate::watch::{Moment, look};
use mapper::{BrokerId, Bytes, Rate, Ratio};
use std::collections::{BTreeMap, BTreeSet};

/// The end of a path that does not limit it gets a higher rate than its share: by one part in this many.
const WIDER: u64 = 10;

/// The rate of each broker that copies, for each role, and the replicas that are throttled.
///
/// The same arguments give the same answer, in any order of the copies. The caller passes the state that the round
/// before returned; [`ThrottleMemory::default`] at first.
pub fn decide(
    mut state: ThrottleMemory,
    seen: &ThrottleInputs,
    limits: &ThrottleLimits,
) -> (ThrottleMemory, ThrottleDecision) {
    let terms = limits.terms();
    let now = u64::try_from(seen.at.as_millis()).unwrap_or(u64::MAX);
    let moment = Moment { now, elapsed: state.elapsed(now) };
    let mut notes = BTreeSet::new();
    let Pacing { paced, first } = paced::paced(seen, terms, &mut notes);
    let lists = paced::lists(&paced, &first, seen);
    let (copies, growths) = look(std::mem::take(&mut state.copies), &paced, moment);
    let loads = Loads::of(&paced, &growths, &lists);
    let mut brokers = feelings(&state, &loads, seen, terms, moment, &mut notes);
    let offers = offers(&loads, &brokers, seen, terms, moment, &mut notes);
    let room: Vec<u64> = offers.iter().map(|offer| offer.as_ref().map_or(0, |o| o.room)).collect();
    let (got, paths) = share_out(&loads, &room, &state.paths, moment.elapsed, terms);
    notes.extend(stalls(&paced, &growths, &loads, &got, terms));
    let through = through(&loads, &got);
    let mut rates = BTreeMap::new();
    for (index, broker, role, load) in loads.named() {
        let Some(offer) = &offers[index] else { continue };
        let wanted = wanted(offer, load.counted, through[index], terms);
        let standing = seen.applied.get(&(broker, role)).copied();
        let decided = settle(wanted, offer, standing, terms);
        notes.extend(clients_feel_it(offer, &decided, (broker, role), load.counted));
        rates.insert((broker, role), decided);
        let next = PortMemory { rate: Some(decided.rate), ..offer.next };
        if let Some(memory) = brokers.get_mut(&broker) {
            *memory.ports.of_mut(role) = next;
        }
    }
    let global = seen.overrides.global;
    let paced_by_it = global.is_some() && (state.global_override_paced || !paced.is_empty());
    let autoremove = global.is_some_and(|global| global.autoremove);
    let (passing, broker_overrides_over) = passing_overrides(&state, seen);
    let next = ThrottleMemory {
        at_milliseconds: Some(now),
        brokers,
        copies,
        paths,
        global_override_paced: paced_by_it,
        passing_overrides: passing,
    };
    let global_override_is_over = autoremove && paced_by_it && paced.is_empty();
    (next, ThrottleDecision { rates, lists, notes, global_override_is_over, broker_overrides_over })
}

/// Brokers whose own override ends with the copies that it paces. First those for which it has paced a copy; then those
/// of them that no longer copy anything.
fn passing_overrides(
    state: &ThrottleMemory,
    seen: &ThrottleInputs,
) -> (BTreeSet<BrokerId>, BTreeSet<BrokerId>) {
    let ends = |copy: &CopySeen| -> Vec<BrokerId> {
        let destinations = copy.destinations.iter().map(|to| to.broker);
        copy.in_sync.iter().copied().chain(copy.leader).chain(destinations).collect()
    };
    let busy: BTreeSet<BrokerId> = seen.copies.iter().flat_map(ends).collect();
    let all = seen.overrides.brokers.iter().filter(|(_, own)| own.autoremove);
    let paces = |id: &BrokerId| busy.contains(id) || state.passing_overrides.contains(id);
    let passing: BTreeSet<BrokerId> = all.map(|(id, _)| *id).filter(paces).collect();
    let over = &passing - &busy;
    (passing, over)
}

/// What to remember of each broker that copies, and its health.
fn feelings(
    state: &ThrottleMemory,
    loads: &Loads,
    seen: &ThrottleInputs,
    terms: &ThrottleTerms,
    moment: Moment,
    notes: &mut BTreeSet<ThrottleNote>,
) -> BTreeMap<BrokerId, BrokerMemory> {
    let mut brokers = BTreeMap::new();
    for (_, broker, _, _) in loads.named() {
        if brokers.contains_key(&broker) {
            continue;
        }
        let mut memory = state.brokers.get(&broker).cloned().unwrap_or_default();
        if let Some(seen_of_it) = seen.brokers.get(&broker) {
            let missing = seen_of_it.traffic.is_none() && seen_of_it.live;
            memory.missing_rounds =
                if missing { memory.missing_rounds.saturating_add(1) } else { 0 };
            let (next, ill) = feel(memory.wellbeing, &seen_of_it.health, &terms.health, moment.now);
            memory.wellbeing = next;
            let used = next.used_ratio;
            if seen.overrides.of(broker).is_none() {
                notes.extend(ill.map(|why| ThrottleNote::Ill { broker, why, used }));
            }
        }
        brokers.insert(broker, memory);
    }
    brokers
}

fn offers(
    loads: &Loads,
    brokers: &BTreeMap<BrokerId, BrokerMemory>,
    seen: &ThrottleInputs,
    terms: &ThrottleTerms,
    moment: Moment,
    notes: &mut BTreeSet<ThrottleNote>,
) -> Vec<Option<Offer>> {
    let mut offers: Vec<Option<Offer>> = Vec::new();
    offers.resize_with(loads.len(), || None);
    for (index, broker, role, load) in loads.named() {
        let Some(memory) = brokers.get(&broker) else { continue };
        let port = Port { broker, role, load, memory, moment };
        offers[index] = Some(offer(&port, seen, terms, notes));
    }
    offers
}

/// The sum of the paths through each port; `None`: there are no paths.
///
/// Two equal quotas in a row let less through than each alone: the second stops bursts that the first lets through. So
/// the end that does not limit the path gets a slightly higher rate.
fn through(loads: &Loads, got: &[Got]) -> Vec<Option<u64>> {
    let mut through: Vec<Option<u64>> = vec![None; loads.len()];
    let mut add = |port: PortIx, share: u64| {
        through[port] = Some(through[port].unwrap_or_default().saturating_add(share));
    };
    for (way, got) in loads.ways.iter().zip(got) {
        add(way.from, got.share);
        add(way.to, got.share);
    }
    let mut holds = vec![false; loads.len()];
    got.iter().filter_map(|got| got.held_by).for_each(|port| holds[port] = true);
    let wider = |(sum, holds): (Option<u64>, bool)| {
        sum.map(|sum| if holds { sum } else { sum.saturating_add(sum / WIDER) })
    };
    through.into_iter().zip(holds).map(wider).collect()
}

/// The rate before the current rate is taken into account.
fn wanted(
    offer: &Offer,
    counted: u64,
    through: Option<u64>,
    terms: &ThrottleTerms,
) -> (Rate, RateReason) {
    if let Some(fixed) = offer.fixed {
        return fixed;
    }
    let all = offer.headroom.unwrap_or_default().0;
    let (spare, why) = match (through, terms.share) {
        (Some(share), Share::Fair) => (share.min(all), RateReason::Share),
        (Some(_), Share::Headroom) => (all, RateReason::Headroom),
        (None, _) => (all, RateReason::Standby),
    };
    let rate = Rate(spare.saturating_add(counted));
    let floor = offer.floor.rate().unwrap_or_default();
    if floor > rate && floor > terms.min_rate {
        (floor, RateReason::Floor)
    } else if terms.min_rate > rate {
        (terms.min_rate, RateReason::MinRate)
    } else {
        (rate, why)
    }
}

/// Small changes are not written, unless an operator asked for them or replicas would starve.
fn settle(
    (rate, why): (Rate, RateReason),
    offer: &Offer,
    standing: Option<Rate>,
    terms: &ThrottleTerms,
) -> Decided {
    let asked = matches!(why, RateReason::Override { .. });
    let keep = standing.filter(|standing| {
        let least = offer.floor.rate().unwrap_or_default().max(terms.min_rate);
        let enough = *standing >= least;
        !asked && enough && is_near(rate, *standing, terms.change_threshold)
    });
    Decided {
        rate: keep.unwrap_or(rate),
        why,
        kept: keep.is_some_and(|kept| kept != rate),
        headroom: offer.headroom,
        floor: offer.floor,
    }
}

fn is_near(rate: Rate, standing: Rate, threshold: Ratio) -> bool {
    rate.0.abs_diff(standing.0) < threshold.of(Bytes(standing.0)).0 || rate == standing
}

fn clients_feel_it(
    offer: &Offer,
    decided: &Decided,
    (broker, role): (BrokerId, ReplicationRole),
    counted: u64,
) -> Option<ThrottleNote> {
    let (floor, headroom) = offer.floor.rate().zip(offer.headroom)?;
    let headroom = Rate(headroom.0.saturating_add(counted));
    let computed = !matches!(decided.why, RateReason::Override { .. });
    (computed && floor > headroom).then_some(ThrottleNote::FloorAboveHeadroom {
        broker,
        role,
        floor,
        headroom,
    })
}
