//! The possible hand-overs of leadership: for each pair of brokers, stacks of partitions.
//!
//! A pair has one stack for each price of a hand-over. Each stack has a bit that says whether it may hold something, so
//! a search examines 64 brokers at once.

use super::free::{FreeLeads, Locals};

/// Prices of a hand-over: it undoes a change (-1), adds none (0), or makes one (+1).
const PRICES: [i64; 3] = [-1, 0, 1];

/// The price of leadership outside the zone where the clients are: higher than all changes of leader together.
const AWAY: i64 = 1 << 32;

/// Prices where clients are in one zone: first whether leadership comes into the zone, stays, or leaves it.
const ZONED_PRICES: [i64; 9] = [-AWAY - 1, -AWAY, -AWAY + 1, -1, 0, 1, AWAY - 1, AWAY, AWAY + 1];

const NOTHING: u32 = u32::MAX;

/// The pairs of brokers that share a partition, numbered: a bit for each pair, and the number of pairs before each word.
pub(super) struct SharingBrokers {
    /// Words in the row of each broker.
    words: usize,
    shared: Vec<u64>,
    before: Vec<u32>,
    count: usize,
}

impl SharingBrokers {
    pub(super) fn of(free: &FreeLeads, locals: &Locals) -> Self {
        let words = locals.len().div_ceil(64);
        let mut shared = vec![0_u64; words * locals.len()];
        for lead in 0..free.len() {
            let members = free.members(lead);
            for from in members {
                let row = locals.number(*from) as usize * words;
                for to in members.iter().filter(|to| *to != from) {
                    let to = locals.number(*to) as usize;
                    shared[row + to / 64] |= 1 << (to % 64);
                }
            }
        }
        let mut count = 0_u32;
        let before = shared.iter().map(|word| {
            let before = count;
            count += word.count_ones();
            before
        });
        let before = before.collect();
        Self { words, shared, before, count: count as usize }
    }

    fn number(&self, from: usize, to: usize) -> usize {
        let word = from * self.words + to / 64;
        let lower = self.shared[word] & ((1 << (to % 64)) - 1);
        self.before[word] as usize + lower.count_ones() as usize
    }
}

/// One partition on a stack. It is stale once another broker leads the partition. A search drops stale entries.
struct StackedPartition {
    lead: u32,
    below: u32,
}

/// The hand-overs that are possible now.
pub(super) struct Handovers<'f> {
    free: &'f FreeLeads,
    locals: &'f Locals,
    pairs: &'f SharingBrokers,
    /// Whether a change of leader has a price at all.
    priced: bool,
    /// For each partition the number of its leader.
    leader: Vec<u32>,
    /// For each price and pair whether its stack may hold something.
    open: Vec<Vec<u64>>,
    /// For each price and pair the top of its stack.
    top: Vec<Vec<u32>>,
    /// Ascending.
    pub(super) prices: &'static [i64],
    entries: Vec<StackedPartition>,
}

impl<'f> Handovers<'f> {
    /// The handovers with these leaders.
    pub(super) fn new(
        free: &'f FreeLeads,
        locals: &'f Locals,
        pairs: &'f SharingBrokers,
        priced: bool,
        leader: Vec<u32>,
    ) -> Self {
        let prices: &[i64] = if priced && free.has_zone() { &ZONED_PRICES } else { &PRICES };
        let stacks = |price: &i64| {
            let used = priced || *price == 0;
            vec![NOTHING; if used { pairs.count } else { 0 }]
        };
        let mut handovers = Self {
            free,
            locals,
            pairs,
            priced,
            leader,
            open: vec![vec![0; pairs.shared.len()]; prices.len()],
            top: prices.iter().map(stacks).collect(),
            prices,
            entries: Vec::new(),
        };
        // In reverse, so that the first partitions are on top.
        for lead in (0..free.len()).rev() {
            handovers.offer(lead);
        }
        handovers
    }

    pub(super) fn leaders(self) -> Vec<u32> {
        self.leader
    }

    /// The first broker from `start` on to which `from` may be able to hand over a partition at this price.
    pub(super) fn next_open(&self, class: usize, from: usize, start: usize) -> Option<usize> {
        let row = &self.open[class][from * self.pairs.words..(from + 1) * self.pairs.words];
        let mut at = start / 64;
        let mut word = row.get(at)? & (u64::MAX << (start % 64));
        while word == 0 {
            at += 1;
            word = *row.get(at)?;
        }
        Some(at * 64 + word.trailing_zeros() as usize)
    }

    /// Whether there is a partition to hand over. Drops stale entries on the way.
    pub(super) fn has(&mut self, class: usize, from: usize, to: usize) -> bool {
        let pair = self.pairs.number(from, to);
        let top = &mut self.top[class][pair];
        while let Some(entry) = self.entries.get(*top as usize) {
            if self.leader[entry.lead as usize] as usize == from {
                return true;
            }
            *top = entry.below;
        }
        self.open[class][from * self.pairs.words + to / 64] &= !(1 << (to % 64));
        false
    }

    /// Hands over the partition on top. The caller calls [`Self::has`] first.
    pub(super) fn hand_over(&mut self, class: usize, from: usize, to: usize) {
        let pair = self.pairs.number(from, to);
        let Some(entry) = self.entries.get(self.top[class][pair] as usize) else {
            return;
        };
        let lead = entry.lead as usize;
        self.top[class][pair] = entry.below;
        self.leader[lead] = u32::try_from(to).unwrap_or(u32::MAX);
        self.offer(lead);
    }

    /// The position of the first price of hand-overs that come into the zone, stay, or leave it, as this one does.
    fn first_of_zone(&self, lead: usize, from: u32, to: u32) -> usize {
        if self.prices.len() == PRICES.len() {
            return 0;
        }
        let is_away = |number: u32| {
            let broker = self.locals.brokers[number as usize];
            usize::from(self.free.is_away(lead, broker))
        };
        (1 + is_away(to) - is_away(from)) * PRICES.len()
    }

    /// Puts a partition on the stacks of all brokers to which its leader could hand it.
    fn offer(&mut self, lead: usize) {
        let members = self.free.members(lead);
        let from = self.leader[lead];
        let incumbent = self.free.incumbent(lead).map(|broker| self.locals.number(broker));
        for to in members.iter().map(|member| self.locals.number(*member)) {
            if to == from {
                continue;
            }
            let class = match incumbent {
                Some(incumbent) if self.priced && incumbent == to => 0,
                Some(incumbent) if self.priced && incumbent == from => 2,
                Some(_) | None => 1,
            };
            // Without a zone, there are three prices, and no hand-over enters or leaves one.
            let class = class + self.first_of_zone(lead, from, to);
            let (from, to) = (from as usize, to as usize);
            let pair = self.pairs.number(from, to);
            let below = self.top[class][pair];
            self.top[class][pair] = u32::try_from(self.entries.len()).unwrap_or(NOTHING);
            self.entries
                .push(StackedPartition { lead: u32::try_from(lead).unwrap_or(NOTHING), below });
            self.open[class][from * self.pairs.words + to / 64] |= 1 << (to % 64);
        }
    }
}
