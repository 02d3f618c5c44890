//! Why no broker takes a seat.

use super::Placement;
use crate::bytes::Bytes;
use crate::dense::BrokerIx;
use crate::no_plan::{NoPlan, NoPlanStatus, Refusal, Shortage};
use crate::target::Target;
use crate::work::Work;
use std::collections::BTreeMap;

impl Placement<'_> {
    /// The refusal: which seat found no broker, each broker's answer, and which racks lack space.
    pub(super) fn explain(&self, work: &[Work], at: usize, seat: usize) -> NoPlan {
        let item = &work[at];
        let target = &self.targets.all[item.target];
        let rules = self.constraints.of(item, seat, target);
        let partner = self.partner(item, seat);
        let refusal = |broker: BrokerIx| {
            let refused = self.admits(&rules, item, broker).err();
            // A broker that is admitted and yet not chosen is not the requested partner.
            refused.filter(|_| partner.is_none_or(|p| p == broker)).unwrap_or(Refusal::NotAllowed)
        };
        let all = 0..self.cluster.ids.len();
        let refusals = all.filter_map(|broker| {
            let broker = BrokerIx::try_from(broker).ok()?;
            Some((self.cluster.id(broker), refusal(broker)))
        });
        NoPlan::NoBroker {
            seat: self.cluster.seat(item.partition, seat),
            size_bytes: item.size.map(Bytes),
            refusals: refusals.collect(),
            shortage: self.shortage(work, target),
            standing: NoPlanStatus::Unproven,
        }
    }

    /// Racks whose brokers cannot hold the replicas for which the rack rule leaves no other rack.
    fn shortage(&self, work: &[Work], target: &Target) -> Vec<Shortage> {
        let mut needed: BTreeMap<usize, u64> = BTreeMap::new();
        for item in work
            .iter()
            .filter(|item| std::ptr::eq(target, &raw const self.targets.all[item.target]))
        {
            for seat in (0..item.seats.len()).filter(|seat| item.seats[*seat].is_none()) {
                if let Some(rack) = self.constraints.of(item, seat, target).only_rack() {
                    *needed.entry(rack).or_default() += item.size.unwrap_or(0);
                }
            }
        }
        let short = needed.into_iter().filter_map(|(rack, waiting)| {
            let of_rack = target.brokers.iter().filter(|b| self.cluster.rack[**b as usize] == rack);
            // The cordon causes the lack of room in this rack, not the storage.
            if of_rack.clone().any(|broker| self.cluster.is_cordoned(*broker)) {
                return None;
            }
            let room: Option<u64> =
                of_rack.clone().map(|b| self.constraints.room(*b, self.used[*b as usize])).sum();
            let placed: u64 = of_rack
                .flat_map(|b| &self.placed[*b as usize])
                .filter_map(|(at, _)| work[*at].size)
                .sum();
            let (needed, room) = (waiting + placed, room? + placed);
            let rack = Some(self.cluster.rack_names[rack].clone());
            let short = Shortage { rack, needed_bytes: Bytes(needed), room_bytes: Bytes(room) };
            (needed > room).then_some(short)
        });
        short.collect()
    }
}
