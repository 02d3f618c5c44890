//! Moves replicas of a topic along a chain of brokers: each gets one and gives another one.
//!
//! Racks can forbid every direct move from a broker with too many replicas of a topic to one with too few. A third broker
//! then takes a replica of the first, and gives another one to the second.

use super::state::SeatShift;
use super::topic_evening::TopicTurn;
use crate::dense::BrokerIx;
use std::collections::{BTreeMap, VecDeque};

impl TopicTurn<'_, '_, '_> {
    /// Moves one replica along the shortest chain that racks, disks and earlier goals allow; false if there is none.
    pub(super) fn carry_on_along_a_chain(&mut self) -> bool {
        let all = vec![true; self.evening.state.cluster.ids.len()];
        let (gives, takes) = self.chain_ends(&all, &all);
        self.carry_on(&gives, &takes)
    }

    /// The same from a group of brokers with too many replicas to one with too few.
    pub(super) fn carry_on_between_groups(&mut self) -> bool {
        let Some(counts) = &self.evening.state.topics else { return false };
        let held = counts.of(self.topic);
        let brokers = self.evening.state.cluster.ids.len();
        let (mut above, mut below) = (vec![false; brokers], vec![false; brokers]);
        for (at, group) in self.shares.groups.iter().enumerate() {
            let has = self.shares.held_in(at, held);
            for broker in &group.brokers {
                above[*broker as usize] = has > group.total;
                below[*broker as usize] = has < group.total;
            }
        }
        let (gives, takes) = self.chain_ends(&above, &below);
        self.carry_on(&gives, &takes)
    }

    /// Brokers that have to give, or can, and brokers that have to take, or can; of these brokers.
    fn chain_ends(&self, givers: &[bool], takers: &[bool]) -> (Vec<bool>, Vec<bool>) {
        let of = |among: &[bool], holds: &dyn Fn(BrokerIx) -> bool| {
            let mut chosen = vec![false; among.len()];
            for broker in self.group.iter().filter(|broker| among[**broker as usize]) {
                chosen[*broker as usize] = holds(*broker);
            }
            chosen
        };
        let mut gives = of(givers, &|broker| self.held(broker) > self.band(broker).high);
        let mut takes = of(takers, &|broker| self.held(broker) < self.band(broker).low);
        if !gives.contains(&true) {
            gives = of(givers, &|broker| self.held(broker) > self.band(broker).low);
        }
        if !takes.contains(&true) {
            takes = of(takers, &|broker| self.held(broker) < self.band(broker).high);
        }
        (gives, takes)
    }

    fn carry_on(&mut self, gives: &[bool], takes: &[bool]) -> bool {
        let Some(chain) = self.chain(gives, takes) else { return false };
        let before = self.evening.state.log.len();
        // From the end, so that no broker holds more than it may in between.
        for SeatShift { partition, from, to } in chain {
            if !self.evening.admit(partition, from, to) || !self.is_allowed(partition, from, to) {
                self.evening.state.rewind(before);
                return false;
            }
            self.evening.shift(partition, from, to);
        }
        true
    }

    /// The moves of the shortest chain, the last one first.
    fn chain(&mut self, gives: &[bool], takes: &[bool]) -> Option<Vec<SeatShift>> {
        let mut seats: BTreeMap<BrokerIx, Vec<u32>> = BTreeMap::new();
        for (broker, partition) in self.movable() {
            seats.entry(broker).or_default().push(partition);
        }
        let size = |partition: u32| self.evening.state.size[partition as usize];
        seats.values_mut().for_each(|own| own.sort_by_key(|partition| size(*partition)));
        let mut unseen: Vec<BrokerIx> = Vec::new();
        let mut queue: VecDeque<BrokerIx> = VecDeque::new();
        for broker in self.group {
            match gives[*broker as usize] {
                true => queue.push_back(*broker),
                false => unseen.push(*broker),
            }
        }
        let mut reached: BTreeMap<BrokerIx, SeatShift> = BTreeMap::new();
        while let Some(from) = queue.pop_front() {
            let own = seats.get(&from).map(Vec::as_slice).unwrap_or_default();
            let mut left = Vec::new();
            for to in std::mem::take(&mut unseen) {
                let goes = own.iter().copied().find(|partition| {
                    !on_the_way(&reached, from, *partition)
                        && self.evening.admit(*partition, from, to)
                        && self.is_allowed(*partition, from, to)
                });
                let Some(partition) = goes else {
                    left.push(to);
                    continue;
                };
                reached.insert(to, SeatShift { partition, from, to });
                if takes[to as usize] {
                    return Some(way(&reached, to).copied().collect());
                }
                queue.push_back(to);
            }
            unseen = left;
        }
        None
    }
}

/// The moves that lead to a broker, the last one first.
fn way(reached: &BTreeMap<BrokerIx, SeatShift>, to: BrokerIx) -> impl Iterator<Item = &SeatShift> {
    std::iter::successors(reached.get(&to), |last| reached.get(&last.from))
}

/// Whether a partition already moves on the way to a broker: the moves of a chain must not depend on each other.
fn on_the_way(reached: &BTreeMap<BrokerIx, SeatShift>, to: BrokerIx, partition: u32) -> bool {
    way(reached, to).any(|change| change.partition == partition)
}
