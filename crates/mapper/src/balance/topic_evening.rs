//! Evens the replicas of each topic, one topic after another, the one with the most bytes first.
//!
//! Brokers above their band have to give: they give the replicas that cost the fewest bytes. If brokers below their band
//! need more than these, brokers inside their band give, too, again the cheapest replicas of all. That is the least any
//! plan can copy, so only racks, disks and earlier goals can make it dearer. Of the brokers that may take a replica, it
//! goes to the one that the next goal wants filled. What finds no broker directly goes along a chain of brokers
//! ([`topic_chain`](super::topic_chain)), or in exchange for a replica of another topic ([`topic_swap`](super::topic_swap)).

use super::evening::Evening;
use super::load::BalancedLoad;
use super::load_goals::Layout;
use super::topic_bands::{PieceBand, TopicBands, TopicShares};
use crate::dense::BrokerIx;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What decides between brokers that are alike for a topic.
#[derive(Clone, Copy)]
pub(super) struct Lean<'l> {
    /// The bands of the load that moves should even as well.
    pub(super) layout: &'l Layout,
    /// Whether that load is storage, and is evened after the topics. Then bytes that have to move anyway cost nothing.
    pub(super) saves: bool,
}

/// Evens all topics as far as possible.
pub(super) fn even_topics(evening: &mut Evening<'_, '_>, bands: &TopicBands, lean: Lean<'_>) {
    for topic in uneven(evening, bands) {
        let Some(shares) = bands.of(topic) else { continue };
        let all: Vec<BrokerIx> =
            shares.groups.iter().flat_map(|group| group.brokers.clone()).collect();
        if shares.groups.len() > 1 {
            let turn =
                TopicTurn { evening, bands, lean, topic, shares, group: &all, barred: false };
            turn.even_groups();
        }
        for group in &shares.groups {
            let group = &group.brokers;
            let mut turn = TopicTurn { evening, bands, lean, topic, shares, group, barred: false };
            turn.even();
        }
    }
}

/// The topics that are not even, those with the most bytes first: later moves of small replicas make up for large ones.
fn uneven(evening: &Evening<'_, '_>, bands: &TopicBands) -> Vec<usize> {
    let state = &*evening.state;
    let Some(counts) = &state.topics else { return Vec::new() };
    let bytes = |topic: usize| {
        let partitions = &state.cluster.first_partition[topic..topic + 2];
        let sizes = &state.size[partitions[0]..partitions[1]];
        sizes.iter().sum::<u64>()
    };
    let topics = (0..bands.topics()).filter(|topic| bands.off(counts, *topic) > 0);
    let mut topics: Vec<(Reverse<u64>, usize)> =
        topics.map(|topic| (Reverse(bytes(topic)), topic)).collect();
    topics.sort_unstable();
    topics.into_iter().map(|(_, topic)| topic).collect()
}

/// One topic on brokers that exchange its replicas only among themselves.
pub(super) struct TopicTurn<'t, 'e, 'a> {
    pub(super) evening: &'t mut Evening<'e, 'a>,
    pub(super) bands: &'t TopicBands,
    pub(super) lean: Lean<'t>,
    pub(super) topic: usize,
    pub(super) shares: &'t TopicShares,
    pub(super) group: &'t [BrokerIx],
    /// Whether disks or earlier goals refused a broker that the rules allow.
    barred: bool,
}

/// Among so few brokers, every search is quick.
const FEW: usize = 64;

/// A replica that a broker may give up: its broker, price, size and partition. The smallest come first: if bytes have to
/// leave a broker anyway, other replicas than those of the topics can be chosen to fit.
type PricedSeat = (BrokerIx, i128, u64, u32);

impl TopicTurn<'_, '_, '_> {
    fn even(&mut self) {
        let (above, below) = self.off();
        if above == 0 && below == 0 {
            return;
        }
        let mut takers = Takers::new(self, above <= below);
        self.lower(&mut takers);
        if self.off().1 > 0 {
            let mut takers = Takers::new(self, true);
            self.fill(&mut takers);
        }
        // Where disks or earlier goals refused many brokers, a chain seldom helps, and takes long to look for.
        let is_quick = !self.barred || self.group.len() <= FEW;
        while is_quick && self.off() != (0, 0) && self.carry_on_along_a_chain() {}
        if self.barred && self.off() != (0, 0) {
            self.exchange_with_other_topics();
        }
    }

    /// Brings the number of replicas in each group of brokers to what it should be.
    fn even_groups(mut self) {
        let mut off = self.group_off();
        while off > 0 && self.carry_on_between_groups() {
            let now = self.group_off();
            if now >= off {
                return;
            }
            off = now;
        }
    }

    fn group_off(&self) -> u64 {
        let Some(counts) = &self.evening.state.topics else { return 0 };
        let held = counts.of(self.topic);
        let off = |at: usize| self.shares.held_in(at, held).abs_diff(self.shares.groups[at].total);
        (0..self.shares.groups.len()).map(off).sum()
    }

    pub(super) fn held(&self, broker: BrokerIx) -> u32 {
        self.evening.state.topics.as_ref().map_or(0, |counts| counts.held(self.topic, broker))
    }

    /// The replicas of each broker in the group.
    fn all_held(&self) -> impl Iterator<Item = (BrokerIx, u32)> {
        let counts = self.evening.state.topics.iter();
        counts.flat_map(|counts| counts.held_by(self.topic, self.group))
    }

    pub(super) fn band(&self, broker: BrokerIx) -> PieceBand {
        self.shares.band(broker)
    }

    /// The replicas above the bands, and those missing below them.
    fn off(&self) -> (u64, u64) {
        self.all_held().fold((0, 0), |(above, below), (broker, held)| {
            let band = self.band(broker);
            let more = u64::from(held.saturating_sub(band.high));
            (above + more, below + u64::from(band.low.saturating_sub(held)))
        })
    }

    /// The level of a broker in the load that moves should even as well.
    pub(super) fn level(&self, broker: BrokerIx) -> u64 {
        let Lean { layout, .. } = self.lean;
        let carried = self.evening.state.carried(layout.load)[broker as usize];
        layout.bands[broker as usize].map_or(u64::MAX, |band| band.level(carried))
    }

    /// Brings brokers above their band down to it, the fullest first.
    fn lower(&mut self, takers: &mut Takers) {
        let above = self.all_held().filter(|(broker, held)| *held > self.band(*broker).high);
        let mut givers: Vec<BrokerIx> = above.map(|(broker, _)| broker).collect();
        givers.sort_by_key(|broker| (Reverse(self.level(*broker)), *broker));
        let seats = self.seats(|turn, broker| turn.held(broker) > turn.band(broker).high);
        for giver in givers {
            let first = seats.partition_point(|seat| seat.0 < giver);
            for (_, _, _, partition) in seats[first..].iter().take_while(|seat| seat.0 == giver) {
                if self.held(giver) <= self.band(giver).high {
                    break;
                }
                self.give(takers, *partition, giver);
            }
        }
    }

    /// Fills brokers below their band with the cheapest replicas of all brokers that can spare one.
    fn fill(&mut self, takers: &mut Takers) {
        let mut seats = self.seats(|turn, broker| turn.held(broker) > turn.band(broker).low);
        seats.sort_unstable_by_key(|seat| (seat.1, seat.2, seat.3, seat.0));
        for (giver, _, _, partition) in seats {
            if takers.is_empty() {
                return;
            }
            if self.held(giver) > self.band(giver).low {
                self.give(takers, partition, giver);
            }
        }
    }

    fn give(&mut self, takers: &mut Takers, partition: u32, giver: BrokerIx) {
        if let Some(taker) = takers.find(self, partition, giver) {
            self.evening.shift(partition, giver, taker);
            takers.keep(self, taker);
        }
    }

    /// The replicas of these brokers that may move, in order of broker and price.
    fn seats(&mut self, gives: impl Fn(&Self, BrokerIx) -> bool) -> Vec<PricedSeat> {
        let mut seats = Vec::new();
        for (giver, partition) in self.movable() {
            if gives(self, giver) {
                let size = self.evening.state.size[partition as usize];
                seats.push((giver, self.price(partition, giver), size, partition));
            }
        }
        seats.sort_unstable();
        seats
    }

    /// The topic's replicas in this group that may move, in order of partition.
    pub(super) fn movable(&mut self) -> Vec<(BrokerIx, u32)> {
        let state = &*self.evening.state;
        let first = &state.cluster.first_partition;
        let mut seats = Vec::new();
        for partition in first[self.topic]..first[self.topic + 1] {
            if state.target_of(partition).is_some() {
                let index = u32::try_from(partition).unwrap_or(u32::MAX);
                seats.extend(state.seats_of(partition).iter().map(|seat| (*seat, index)));
            }
        }
        let mut inside = vec![false; state.cluster.ids.len()];
        self.group.iter().for_each(|broker| inside[*broker as usize] = true);
        let Evening { state, shelves, gives, .. } = &mut *self.evening;
        seats.retain(|(broker, partition)| {
            gives[*broker as usize]
                && inside[*broker as usize]
                && shelves.have(*broker, *partition, state)
        });
        seats
    }

    /// The bytes that giving a replica up costs, now and when storage is evened.
    fn price(&self, partition: u32, giver: BrokerIx) -> i128 {
        let state = &*self.evening.state;
        let size = i128::from(state.size[partition as usize]);
        let held_before = state.cluster.seats_of(partition as usize).contains(&giver);
        let copied = if held_before { size } else { 0 };
        let band = self.lean.layout.bands[giver as usize].filter(|_| self.lean.saves);
        let Some(band) = band else { return copied };
        let used = state.used[giver as usize];
        let off = |used: u64| {
            i128::from(used.saturating_sub(band.high).max(band.low.saturating_sub(used)))
        };
        let left = used.saturating_sub(state.size_on(partition, giver));
        copied + off(left) - off(used)
    }

    /// Whether disks and earlier goals allow a move that the rules allow.
    pub(super) fn is_allowed(&mut self, partition: u32, from: BrokerIx, to: BrokerIx) -> bool {
        let allowed = self.evening.fits(from, to, partition, None)
            && self.evening.guarded(from, to, partition, None);
        self.barred |= !allowed;
        allowed
    }
}

/// Brokers that take replicas of a topic: first those below their band, and of these the emptiest.
struct Takers {
    heap: BinaryHeap<Reverse<(bool, u64, BrokerIx)>>,
    /// Only brokers below their band take.
    below: bool,
}

/// The most brokers whose disks or bands may refuse one replica. Then it stays.
const MOST_REFUSED: usize = 32;

impl Takers {
    fn new(turn: &TopicTurn<'_, '_, '_>, below: bool) -> Self {
        let mut takers = Self { heap: BinaryHeap::new(), below };
        let all = turn.all_held().filter_map(|(broker, held)| takers.entry(turn, broker, held));
        takers.heap = all.collect::<Vec<_>>().into();
        takers
    }

    fn entry(
        &self,
        turn: &TopicTurn<'_, '_, '_>,
        broker: BrokerIx,
        held: u32,
    ) -> Option<Reverse<(bool, u64, BrokerIx)>> {
        let band = turn.band(broker);
        let most = if self.below { band.low } else { band.high };
        (held < most).then(|| Reverse((held >= band.low, turn.level(broker), broker)))
    }

    fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// The first broker that takes the replica. It is taken off the list.
    fn find(
        &mut self,
        turn: &mut TopicTurn<'_, '_, '_>,
        partition: u32,
        giver: BrokerIx,
    ) -> Option<BrokerIx> {
        let (mut refused, mut aside, mut found) = (0, Vec::new(), None);
        while let Some(entry) = self.heap.pop() {
            let Reverse((_, _, taker)) = entry;
            if turn.evening.admit(partition, giver, taker) {
                if turn.is_allowed(partition, giver, taker) {
                    found = Some(taker);
                    break;
                }
                refused += 1;
            }
            aside.push(entry);
            if refused >= MOST_REFUSED {
                break;
            }
        }
        self.heap.extend(aside);
        found
    }

    /// Puts a broker back on the list if it takes more.
    fn keep(&mut self, turn: &TopicTurn<'_, '_, '_>, broker: BrokerIx) {
        let entry = self.entry(turn, broker, turn.held(broker));
        self.heap.extend(entry);
    }
}

impl<'l> Lean<'l> {
    /// `after`: the loads that are evened after the topics.
    pub(super) fn on(layout: &'l Layout, after: &[BalancedLoad]) -> Self {
        let saves = layout.load == BalancedLoad::Storage && after.contains(&BalancedLoad::Storage);
        Self { layout, saves }
    }
}
