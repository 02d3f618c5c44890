//! Moves leadership from brokers with too many partitions to brokers with too few.
//!
//! It uses the shortest chains of hand-overs, many at a time (Dinic), and only the cheapest ones (primal-dual).

use super::handovers::Handovers;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

const UNSEEN: u32 = u32::MAX;
/// Every way from this node has been tried.
const SPENT: u32 = u32::MAX - 1;

/// The brokers, followed by one *hub* for each set of brokers, if there are hubs.
///
/// Inside a set each broker ends on the set's level or one above it. A broker gives its one above to the hub, or takes
/// one from it, and no partition changes hands. So the ones above move to where they are cheapest.
pub(super) struct LeaderFlow<'f> {
    pub(super) handovers: Handovers<'f>,
    /// For each broker its set. Leadership never goes to another set.
    pub(super) set: Vec<usize>,
    /// For each broker and hub the number that it has to give, or (negative) can take.
    pub(super) room: Vec<i64>,
    /// For each broker whether it ends one above its set's level.
    pub(super) above: Vec<bool>,
    /// For each broker and hub the price of reaching it. A chain follows only arcs that agree with these prices.
    potential: Vec<i64>,
    depth: Vec<u32>,
    /// For each broker and hub the next arc to try.
    cursor: Vec<usize>,
    /// For each broker and hub the extra price of the cheapest way found to it.
    best: Vec<i64>,
}

/// A way from one broker or hub to another.
struct LeaderArc {
    /// Its position among the arcs of its start: brokers by price come first, the hub last.
    at: usize,
    to: usize,
    price: i64,
}

/// The arcs that a search looks for.
#[derive(Clone, Copy)]
enum WantedArcs {
    Any,
    /// On a cheapest way, to a node of this depth.
    Tight(u32),
    /// From a node that is reached at this price, to a node that this arc reaches at a lower price than known.
    Cheaper(i64),
}

impl<'f> LeaderFlow<'f> {
    pub(super) fn new(
        handovers: Handovers<'f>,
        set: Vec<usize>,
        room: Vec<i64>,
        above: Vec<bool>,
    ) -> Self {
        let nodes = room.len();
        Self {
            handovers,
            set,
            room,
            above,
            potential: vec![0; nodes],
            depth: vec![UNSEEN; nodes],
            cursor: vec![0; nodes],
            best: vec![i64::MAX; nodes],
        }
    }

    /// Moves as much as possible without raising the price.
    pub(super) fn saturate(&mut self) {
        while self.measure() {
            self.cursor.fill(0);
            for node in 0..self.room.len() {
                while self.room[node] > 0 && self.move_one(node) {}
            }
        }
    }

    /// Raises the price to that of the next cheapest chain; false if there is none.
    pub(super) fn raise(&mut self) -> bool {
        self.find_cheapest_ways();
        let takers = (0..self.room.len()).filter(|node| self.room[*node] < 0);
        let Some(next) = takers.map(|node| self.best[node]).min().filter(|next| *next < i64::MAX)
        else {
            return false;
        };
        for (potential, price) in self.potential.iter_mut().zip(&self.best) {
            *potential += price.min(&next);
        }
        true
    }

    pub(super) fn is_done(&self) -> bool {
        self.room.iter().all(|room| *room <= 0)
    }

    /// Every possible hand-over inside a set, as pairs of brokers.
    pub(super) fn arcs(&mut self) -> Vec<(usize, usize)> {
        let mut arcs = Vec::new();
        for from in 0..self.set.len() {
            let mut start = 0;
            while let Some(arc) = self.next(from, start, WantedArcs::Any) {
                arcs.push((from, arc.to));
                start = arc.at + 1;
            }
        }
        arcs
    }

    /// Measures depths from the givers down to the nearest takers; false if no taker can be reached.
    fn measure(&mut self) -> bool {
        self.depth.fill(UNSEEN);
        let mut queue = VecDeque::new();
        for node in (0..self.room.len()).filter(|node| self.room[*node] > 0) {
            self.depth[node] = 0;
            queue.push_back(node);
        }
        let mut deepest = UNSEEN;
        while let Some(node) = queue.pop_front() {
            let depth = self.depth[node];
            if depth >= deepest {
                break;
            }
            let mut start = 0;
            while let Some(arc) = self.next(node, start, WantedArcs::Tight(UNSEEN)) {
                self.depth[arc.to] = depth + 1;
                if self.room[arc.to] < 0 {
                    deepest = depth + 1;
                }
                queue.push_back(arc.to);
                start = arc.at + 1;
            }
        }
        deepest != UNSEEN
    }

    /// Moves one leadership from here to a taker; false if no taker is left.
    fn move_one(&mut self, source: usize) -> bool {
        let mut way = vec![source];
        while let Some(node) = way.last().copied() {
            if self.room[node] < 0 {
                self.carry(&way);
                return true;
            }
            let deeper = self.depth[node].saturating_add(1);
            match self.next(node, self.cursor[node], WantedArcs::Tight(deeper)) {
                Some(arc) => {
                    self.cursor[node] = arc.at;
                    way.push(arc.to);
                }
                None => {
                    self.depth[node] = SPENT;
                    way.pop();
                }
            }
        }
        false
    }

    fn carry(&mut self, way: &[usize]) {
        let brokers = self.set.len();
        for (from, to) in way.iter().zip(&way[1..]) {
            match (*from < brokers, *to < brokers) {
                (true, true) => {
                    self.handovers.hand_over(self.cursor[*from] / brokers, *from, *to);
                }
                (true, false) => self.above[*from] = true,
                (false, _) => self.above[*to] = false,
            }
        }
        if let (Some(first), Some(last)) = (way.first(), way.last()) {
            self.room[*first] -= 1;
            self.room[*last] += 1;
        }
    }

    /// Finds the extra price of the cheapest way from any giver to each node; `i64::MAX` if there is none.
    fn find_cheapest_ways(&mut self) {
        self.best.fill(i64::MAX);
        let mut heap = BinaryHeap::new();
        for node in (0..self.room.len()).filter(|node| self.room[*node] > 0) {
            self.best[node] = 0;
            heap.push(Reverse((0_i64, node)));
        }
        while let Some(Reverse((so_far, node))) = heap.pop() {
            if so_far > self.best[node] {
                continue;
            }
            let mut start = 0;
            while let Some(arc) = self.next(node, start, WantedArcs::Cheaper(so_far)) {
                self.best[arc.to] = so_far + self.extra(node, arc.to, arc.price);
                heap.push(Reverse((self.best[arc.to], arc.to)));
                start = arc.at + 1;
            }
        }
    }

    /// The cost of an arc beyond the difference of the potentials; 0 on a cheapest way, never negative.
    fn extra(&self, from: usize, to: usize, price: i64) -> i64 {
        price + self.potential[from] - self.potential[to]
    }

    fn is_wanted(&self, wanted: WantedArcs, from: usize, to: usize, price: i64) -> bool {
        match wanted {
            WantedArcs::Any => true,
            WantedArcs::Cheaper(so_far) => so_far + self.extra(from, to, price) < self.best[to],
            WantedArcs::Tight(depth) => self.depth[to] == depth && self.extra(from, to, price) == 0,
        }
    }

    /// The first wanted arc from position `start` on.
    fn next(&mut self, from: usize, start: usize, wanted: WantedArcs) -> Option<LeaderArc> {
        let brokers = self.set.len();
        if from >= brokers {
            return self.next_of_hub(from, start, wanted);
        }
        let prices = self.handovers.prices;
        let mut at = start;
        while at < prices.len() * brokers {
            let (class, first) = (at / brokers, at % brokers);
            let Some(to) = self.handovers.next_open(class, from, first) else {
                at = (class + 1) * brokers;
                continue;
            };
            at = class * brokers + to;
            if self.set[to] == self.set[from]
                && self.is_wanted(wanted, from, to, prices[class])
                && self.handovers.has(class, from, to)
            {
                return Some(LeaderArc { at, to, price: prices[class] });
            }
            at += 1;
        }
        let hub = brokers + self.set[from];
        let open = at == prices.len() * brokers && hub < self.room.len() && !self.above[from];
        (open && self.is_wanted(wanted, from, hub, 0)).then_some(LeaderArc {
            at,
            to: hub,
            price: 0,
        })
    }

    fn next_of_hub(&self, hub: usize, start: usize, wanted: WantedArcs) -> Option<LeaderArc> {
        let of_hub = |to: &usize| self.above[*to] && self.set.len() + self.set[*to] == hub;
        let mut rest = (start..self.set.len()).filter(of_hub);
        let to = rest.find(|to| self.is_wanted(wanted, hub, *to, 0))?;
        Some(LeaderArc { at: to, to, price: 0 })
    }
}
