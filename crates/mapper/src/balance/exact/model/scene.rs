//! What may be decided about one partition.

use super::super::SearchConditions;
use super::{SeatsToDecide, SmallSeats};
use crate::balance::shares::replicas_in;
use crate::balance::shelves::Shelves;
use crate::dense::BrokerIx;
use crate::target::{RackCounts, Target};
use crate::work::Work;
use smallvec::SmallVec;

/// One partition, with everything that decides where its replicas may go.
pub(super) struct PartitionChoices<'s, 'a> {
    pub(super) asked: &'s SearchConditions<'s, 'a>,
    pub(super) partition: usize,
    pub(super) repair: Option<&'s Work>,
}

impl PartitionChoices<'_, '_> {
    pub(super) fn item(
        &self,
        shelves: Option<&mut Shelves>,
        narrowed: &mut bool,
    ) -> Option<SeatsToDecide> {
        let Self { asked, partition, repair } = self;
        let state = &asked.before;
        let movable = state.target_of(*partition);
        let target = &state.targets.all[movable.or(repair.map(|item| item.target))?];
        let current = state.seats_of(*partition);
        if current.iter().any(|broker| !target.allowed[*broker as usize]) {
            return None;
        }
        let fixed = self.fixed(current, movable.is_some(), shelves);
        let open = current.len() - fixed.len();
        let racks = self.racks(current, target);
        let crowded = self.crowded(target, &racks);
        let hosts_apart = {
            let host = |broker: &BrokerIx| asked.rules.cluster.host[*broker as usize];
            current
                .iter()
                .enumerate()
                .all(|(at, broker)| current[..at].iter().all(|other| host(other) != host(broker)))
        };
        *narrowed |= crowded && open > 0;
        if open == 0 || (crowded && !hosts_apart) {
            return None;
        }
        let offline = asked.rules.cluster.partition(*partition).offline();
        let sound = |broker: &BrokerIx| !offline.contains(&asked.rules.cluster.id(*broker));
        let open_rack = |broker: &BrokerIx| {
            let rack = asked.rules.cluster.rack[*broker as usize];
            racks.iter().any(|(at, _, most)| *at == rack && *most > 0)
        };
        let choices = target.brokers.iter().copied();
        let lets = |broker: &BrokerIx| asked.rules.cluster.cordon_lets(*partition, *broker);
        let choices = choices.filter(|b| !fixed.contains(b) && sound(b) && lets(b) && open_rack(b));
        Some(SeatsToDecide {
            partition: u32::try_from(*partition).unwrap_or(u32::MAX),
            size: state.size[*partition],
            choices: choices.map(|broker| (broker, 0)).collect(),
            fixed,
            open,
            racks,
            apart: crowded,
        })
    }

    /// The seats that stay: replicas that were there before and must not move.
    fn fixed(
        &self,
        current: &[BrokerIx],
        movable: bool,
        mut shelves: Option<&mut Shelves>,
    ) -> SmallSeats {
        let before = self.asked.rules.cluster.seats_of(self.partition);
        let mut stays = |broker: &BrokerIx| {
            let shelved = shelves.as_mut().is_none_or(|shelves| {
                let shelf = shelves.of(*broker, &self.asked.before);
                shelf.iter().any(|partition| *partition as usize == self.partition)
            });
            before.contains(broker)
                && !(movable && self.asked.layout.gives[*broker as usize] && shelved)
        };
        current.iter().copied().filter(|broker| stays(broker)).collect()
    }

    /// The least and the most replicas in each rack: by the rule, or the present count if the rule is already broken.
    fn racks(&self, current: &[BrokerIx], target: &Target) -> SmallVec<[(usize, usize, usize); 4]> {
        let rules = self.asked.rules;
        let counts = RackCounts::of(rules.cluster, current.iter().copied());
        let by_rule = |rack: &usize| {
            let (least, most) = replicas_in(&target.rack_size, *rack, current.len(), rules.racks);
            (*rack, least, most)
        };
        let bounds: SmallVec<[(usize, usize, usize); 4]> =
            target.racks.iter().map(by_rule).collect();
        let kept =
            bounds.iter().all(|(rack, least, most)| (*least..=*most).contains(&counts.get(*rack)));
        if kept && rules.keeps(current, target) && !rules.local {
            return bounds;
        }
        target.racks.iter().map(|rack| (*rack, counts.get(*rack), counts.get(*rack))).collect()
    }

    /// Whether a rack may hold two replicas whose hosts could be the same.
    fn crowded(&self, target: &Target, racks: &[(usize, usize, usize)]) -> bool {
        let cluster = self.asked.rules.cluster;
        let several = |rack: usize| racks.iter().any(|(at, _, most)| *at == rack && *most > 1);
        cluster.shared_hosts
            && target.brokers.iter().any(|broker| several(cluster.rack[*broker as usize]))
    }
}
