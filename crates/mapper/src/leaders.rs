//! Evens preferred leadership over brokers, as far as the replica sets allow.
//!
//! Leadership is unit load: while a chain of partitions leads from a broker to one that leads at least two fewer,
//! handing leadership along the chain makes the whole more even; when no such chain is left, nothing is more even
//! (the sum of squares is at its least).

use crate::dense::BrokerIx;
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// A partition whose preferred leader may be chosen.
pub(crate) struct FreeLead {
    /// Who may lead.
    pub(crate) members: SmallVec<[BrokerIx; 4]>,
    /// Who leads: an index into `members`.
    pub(crate) chosen: usize,
}

impl FreeLead {
    fn leader(&self) -> BrokerIx {
        self.members[self.chosen]
    }
}

/// Chooses leaders for `free`, so that `load` (the partitions that each broker leads, those included) is as even
/// as can be.
pub(crate) fn even(load: &mut [u64], free: &mut [FreeLead]) {
    let mut led: Led = Led::default();
    for (at, lead) in free.iter().enumerate() {
        led.add(at, lead);
    }
    let mut improved = true;
    while improved {
        improved = false;
        let mut sources: Vec<BrokerIx> = led.by_leader.keys().copied().collect();
        sources.sort_by_key(|broker| (Reverse(load[*broker as usize]), *broker));
        for source in sources {
            while let Some(chain) = led.chain(source, load) {
                improved = true;
                for (from, to) in chain {
                    led.hand_over(from, to, free);
                    load[from as usize] -= 1;
                    load[to as usize] += 1;
                }
            }
        }
    }
}

/// Who leads what, and to whom it could be handed.
#[derive(Default)]
struct Led {
    /// For each leader and each other member of its partitions: the partitions.
    by_leader: BTreeMap<BrokerIx, BTreeMap<BrokerIx, Vec<usize>>>,
}

impl Led {
    fn add(&mut self, at: usize, lead: &FreeLead) {
        let of_leader = self.by_leader.entry(lead.leader()).or_default();
        for member in lead.members.iter().filter(|member| **member != lead.leader()) {
            of_leader.entry(*member).or_default().push(at);
        }
    }

    /// The shortest chain of hand-overs to a broker that leads at least two fewer than `source`.
    fn chain(&self, source: BrokerIx, load: &[u64]) -> Option<Vec<(BrokerIx, BrokerIx)>> {
        let enough = load[source as usize].checked_sub(2)?;
        let mut came_from = BTreeMap::from([(source, source)]);
        let mut queue = VecDeque::from([source]);
        while let Some(broker) = queue.pop_front() {
            let Some(next) = self.by_leader.get(&broker) else {
                continue;
            };
            for member in next.keys() {
                if came_from.contains_key(member) {
                    continue;
                }
                came_from.insert(*member, broker);
                if load[*member as usize] <= enough {
                    return Some(walk_back(&came_from, source, *member));
                }
                queue.push_back(*member);
            }
        }
        None
    }

    /// Hands one partition that `from` leads and `to` could lead over.
    fn hand_over(&mut self, from: BrokerIx, to: BrokerIx, free: &mut [FreeLead]) {
        let of_leader = self.by_leader.get_mut(&from);
        let Some(at) = of_leader.and_then(|to_member| to_member.get(&to)?.last().copied()) else {
            return;
        };
        self.remove(at, &free[at]);
        if let Some(chosen) = free[at].members.iter().position(|member| *member == to) {
            free[at].chosen = chosen;
        }
        self.add(at, &free[at]);
    }

    fn remove(&mut self, at: usize, lead: &FreeLead) {
        let Some(of_leader) = self.by_leader.get_mut(&lead.leader()) else {
            return;
        };
        for member in lead.members.iter().filter(|member| **member != lead.leader()) {
            if let Some(list) = of_leader.get_mut(member) {
                // Usually the last entry: it was chosen from there.
                if let Some(index) = list.iter().rposition(|entry| *entry == at) {
                    list.remove(index);
                }
                if list.is_empty() {
                    of_leader.remove(member);
                }
            }
        }
    }
}

fn walk_back(
    came_from: &BTreeMap<BrokerIx, BrokerIx>,
    source: BrokerIx,
    end: BrokerIx,
) -> Vec<(BrokerIx, BrokerIx)> {
    let mut chain = Vec::new();
    let mut broker = end;
    while broker != source {
        let from = came_from[&broker];
        chain.push((from, broker));
        broker = from;
    }
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(members: &[BrokerIx]) -> FreeLead {
        FreeLead { members: SmallVec::from_slice(members), chosen: 0 }
    }

    #[test]
    fn leaders_even_out_along_a_chain() {
        // 0 can hand over to 1 only, and 1 to 2 only.
        let mut free = vec![lead(&[0, 1]), lead(&[0, 1]), lead(&[1, 2]), lead(&[1, 2])];
        let mut load = vec![2, 2, 0];
        even(&mut load, &mut free);
        let mut sorted = load.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [1, 1, 2]);
        let led = |broker| free.iter().filter(|lead| lead.leader() == broker).count() as u64;
        assert_eq!(load, [led(0), led(1), led(2)]);
    }

    #[test]
    fn what_is_even_stays() {
        let mut free = vec![lead(&[0, 1]), lead(&[1, 0])];
        even(&mut [1, 1], &mut free);
        assert!(free.iter().all(|lead| lead.chosen == 0));
    }
}
