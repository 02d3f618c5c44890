//! Proves at any size that no choice of brokers has room: it adds up the bytes that have to go to the same brokers.

use super::even::allowed;
use super::model::SeatsOfPartition;
use crate::dense::BrokerIx;
use crate::place::Placement;
use crate::work::Work;
use std::collections::BTreeMap;

/// Brokers that have to take bytes together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    All,
    Rack(usize),
    One(BrokerIx),
}

/// Whether all brokers, those of a rack, or one replacing broker have to take more bytes than they have room for.
pub(super) fn is_certain(placement: &Placement<'_>, work: &[Work]) -> bool {
    let mut needed: BTreeMap<By, u128> = BTreeMap::new();
    for item in work.iter().filter(|item| item.empty() > 0) {
        let size = u128::from(item.size.unwrap_or(0));
        let mut need = |by: By, replicas: usize| {
            *needed.entry(by).or_default() += size * replicas as u128;
        };
        need(By::All, item.empty());
        for (rack, come) in
            SeatsOfPartition::new(placement, item).forced().filter(|(_, come)| *come > 0)
        {
            need(By::Rack(rack), come);
        }
        for seat in (0..item.seats.len()).filter(|seat| item.seats[*seat].is_none()) {
            if let Some(partner) = placement.partner(item, seat) {
                need(By::One(partner), 1);
            }
        }
    }
    let allowed = allowed(placement);
    let room = |by: By| {
        let own = allowed.iter().copied().filter(|broker| match by {
            By::All => true,
            By::Rack(rack) => placement.cluster.rack[*broker as usize] == rack,
            By::One(one) => *broker == one,
        });
        let rooms = own.map(|broker| room(placement, broker).map(u128::from));
        rooms.sum::<Option<u128>>()
    };
    needed.into_iter().any(|(by, bytes)| room(by).is_some_and(|room| bytes > room))
}

fn room(placement: &Placement<'_>, broker: BrokerIx) -> Option<u64> {
    let room = placement.constraints.room(broker, placement.used[broker as usize])?;
    Some(placement.volumes.room(broker).map_or(room, |volumes| room.min(volumes)))
}
