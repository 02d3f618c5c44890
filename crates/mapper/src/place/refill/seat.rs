//! Turns a solver's values into filled seats: each broker gets a seat that the rules, in integers, allow.

use super::model::{RefillModel, SeatsToFill};
use crate::dense::BrokerIx;
use crate::no_plan::Refusal;
use crate::place::Placement;
use crate::work::Work;
use smallvec::SmallVec;
use std::cmp::Reverse;

/// The columns that a rule refused.
pub(super) struct Unseated {
    /// Columns that cannot all be chosen together.
    pub(super) together: Vec<usize>,
    /// The bytes alone prove that they cannot be chosen together.
    pub(super) certain: bool,
}

/// Fills the seats with the chosen brokers, the largest replicas first, in the order in which volumes are filled.
pub(super) fn seat(
    placement: &mut Placement<'_>,
    work: &mut [Work],
    model: &RefillModel,
    values: &[f64],
) -> Result<(), Unseated> {
    let mut order: Vec<&SeatsToFill> = model.items.iter().collect();
    order.sort_by_key(|item| (Reverse(work[item.at].size), work[item.at].partition));
    for item in order {
        for group in &item.groups {
            let chosen = group.choices.iter().filter(|(_, column)| is_chosen(values, *column));
            let mut chosen: SmallVec<[BrokerIx; 4]> = chosen.map(|(broker, _)| *broker).collect();
            let mut seats = group.seats.clone();
            // Values that are not whole name too few brokers, or too many.
            if chosen.len() != seats.len() {
                return Err(Unseated { together: Vec::new(), certain: false });
            }
            while !seats.is_empty() {
                if !seat_one(placement, work, item.at, &mut seats, &mut chosen) {
                    return Err(why(placement, work, model, item, (seats[0], chosen[0]), values));
                }
            }
        }
    }
    Ok(())
}

fn is_chosen(values: &[f64], column: usize) -> bool {
    values[column] > 0.5
}

/// Fills the first seat that one of these brokers may take, by the rules of the heuristic.
fn seat_one(
    placement: &mut Placement<'_>,
    work: &mut [Work],
    at: usize,
    seats: &mut SmallVec<[usize; 4]>,
    chosen: &mut SmallVec<[BrokerIx; 4]>,
) -> bool {
    chosen.sort_by_key(|broker| placement.rank(*broker, work[at].size));
    for (index, seat) in seats.iter().copied().enumerate() {
        let item = &work[at];
        let rules = placement.constraints.of(item, seat, &placement.targets.all[item.target]);
        let before = rules.as_before();
        let admitted = |broker: &BrokerIx| {
            placement.admits(&rules, item, *broker).is_ok()
                || before.as_ref().is_some_and(|r| placement.admits(r, item, *broker).is_ok())
        };
        if let Some(taken) = chosen.iter().position(admitted) {
            let broker = chosen.remove(taken);
            seats.remove(index);
            placement.put(work, at, seat, broker);
            return true;
        }
    }
    false
}

/// Finds the columns to exclude: all of a broker without room, else those of the partition itself.
fn why(
    placement: &Placement<'_>,
    work: &[Work],
    model: &RefillModel,
    item: &SeatsToFill,
    (seat, broker): (usize, BrokerIx),
    values: &[f64],
) -> Unseated {
    let partition = &work[item.at];
    let target = &placement.targets.all[partition.target];
    let rules = placement.constraints.of(partition, seat, target);
    let refused = placement.admits(&rules, partition, broker);
    if let Err(Refusal::NoRoom { log_dir, .. }) = refused {
        let on = model.on.get(&broker).into_iter().flatten().filter(|(_, load)| *load > 0.0);
        let on = on.map(|(column, _)| *column);
        let together = on.filter(|column| is_chosen(values, *column)).collect();
        return Unseated { together, certain: log_dir.is_none() };
    }
    let own = item.groups.iter().flat_map(|group| &group.choices).map(|(_, column)| *column);
    let together = own.filter(|column| is_chosen(values, *column)).collect();
    Unseated { together, certain: false }
}
