//! A network in which bytes flow at the least cost: shortest ways first, many at a time (primal-dual).
//!
//! Flows are added first. A node that receives more than it sends has an excess; one that receives less has a lack.
//! The added flows cost nothing. So the excess that then flows along the cheapest ways makes the cheapest flow of all.
//! All numbers are integers, so the answer is exact.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Nodes and arcs between them. Each arc is followed by its reverse arc, which undoes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Network {
    arcs: Vec<ByteArc>,
    /// For each node the arcs that begin there.
    out: Vec<Vec<usize>>,
    /// For each node the bytes that have to leave it, or (negative) that it lacks.
    excess: Vec<i64>,
    /// For each node the price of the cheapest way to it.
    price: Vec<i64>,
    depth: Vec<u32>,
    /// For each node its next arc to try.
    next: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct ByteArc {
    to: usize,
    /// The bytes that the arc can still take.
    room: i64,
    /// Cost per byte.
    cost: i64,
}

/// The flow along an arc: its limits and its present value.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArcFlow {
    pub(super) low: i64,
    pub(super) now: i64,
    pub(super) high: i64,
}

const UNSEEN: u32 = u32::MAX;

impl Network {
    pub(super) fn node(&mut self) -> usize {
        self.out.push(Vec::new());
        self.excess.push(0);
        self.out.len() - 1
    }

    /// Gives bytes to a node from outside, or (negative) takes bytes from it.
    pub(super) fn supply(&mut self, node: usize, bytes: i64) {
        self.excess[node] += bytes;
    }

    /// Adds an arc and returns its number. A flow that is already there must cost nothing.
    pub(super) fn arc(&mut self, from: usize, to: usize, flow: ArcFlow, cost: i64) -> usize {
        let ArcFlow { low, now, high } = flow;
        let name = self.arcs.len();
        self.arcs.push(ByteArc { to, room: high - now, cost });
        self.arcs.push(ByteArc { to: from, room: now - low, cost: -cost });
        self.out[from].push(name);
        self.out[to].push(name + 1);
        self.excess[from] -= now;
        self.excess[to] += now;
        name
    }

    /// The bytes along an arc beyond its lower limit.
    pub(super) fn beyond_least(&self, arc: usize) -> i64 {
        self.arcs[arc ^ 1].room
    }

    /// Sends all excess to nodes that lack bytes, at the least cost; false if that is impossible.
    pub(super) fn settle(&mut self) -> bool {
        self.price = vec![0; self.out.len()];
        loop {
            while self.measure() {
                self.next = vec![0; self.out.len()];
                for node in 0..self.out.len() {
                    while self.excess[node] > 0 && self.send(node) {}
                }
            }
            if self.excess.iter().all(|excess| *excess == 0) {
                return true;
            }
            if !self.raise() {
                return false;
            }
        }
    }

    /// Leaves as few arcs as possible partly filled. A cycle of such arcs costs nothing, so bytes flow round it until one
    /// arc is empty or full. The arcs that remain form a forest.
    pub(super) fn straighten(&mut self) {
        let mut forest: Vec<Vec<usize>> = vec![Vec::new(); self.out.len()];
        for name in (0..self.arcs.len()).step_by(2) {
            if !self.is_partly_filled(name) {
                continue;
            }
            let (from, to) = (self.arcs[name ^ 1].to, self.arcs[name].to);
            if let Some(mut round) = self.way_in(&forest, to, from) {
                round.push(name);
                self.run_round(&round);
                for name in round.iter().copied().filter(|name| !self.is_partly_filled(*name)) {
                    forest[self.arcs[name ^ 1].to].retain(|other| *other != name);
                    forest[self.arcs[name].to].retain(|other| *other != name ^ 1);
                }
            }
            if self.is_partly_filled(name) {
                forest[from].push(name);
                forest[to].push(name ^ 1);
            }
        }
    }

    fn is_partly_filled(&self, name: usize) -> bool {
        self.arcs[name].room > 0 && self.arcs[name ^ 1].room > 0
    }

    fn run_round(&mut self, round: &[usize]) {
        let bytes = round.iter().map(|name| self.arcs[*name].room).min().unwrap_or(0);
        self.push(round, bytes);
    }

    fn push(&mut self, way: &[usize], bytes: i64) {
        for name in way {
            self.arcs[*name].room -= bytes;
            self.arcs[*name ^ 1].room += bytes;
        }
    }

    /// The arcs of a forest that lead from one node to another.
    fn way_in(&self, forest: &[Vec<usize>], from: usize, to: usize) -> Option<Vec<usize>> {
        let mut came: Vec<Option<usize>> = vec![None; self.out.len()];
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            if node == to {
                let mut way = Vec::new();
                let mut at = to;
                while let Some(name) = came[at].filter(|_| at != from) {
                    way.push(name);
                    at = self.arcs[name ^ 1].to;
                }
                return Some(way);
            }
            for name in &forest[node] {
                let next = self.arcs[*name].to;
                if next != from && came[next].is_none() {
                    came[next] = Some(*name);
                    open.push(next);
                }
            }
        }
        None
    }

    /// Raises the prices to that of the next cheapest way; false if there is none.
    fn raise(&mut self) -> bool {
        let mut best = vec![i64::MAX; self.out.len()];
        let mut heap = BinaryHeap::new();
        for node in (0..self.out.len()).filter(|node| self.excess[*node] > 0) {
            best[node] = 0;
            heap.push(Reverse((0, node)));
        }
        while let Some(Reverse((known, node))) = heap.pop() {
            if known > best[node] {
                continue;
            }
            for name in &self.out[node] {
                let arc = self.arcs[*name];
                let reached = known + arc.cost + self.price[node] - self.price[arc.to];
                if arc.room > 0 && reached < best[arc.to] {
                    best[arc.to] = reached;
                    heap.push(Reverse((reached, arc.to)));
                }
            }
        }
        let lacking = (0..self.out.len()).filter(|node| self.excess[*node] < 0);
        let Some(nearest) = lacking.map(|node| best[node]).min().filter(|best| *best < i64::MAX)
        else {
            return false;
        };
        for (price, best) in self.price.iter_mut().zip(&best) {
            *price += best.min(&nearest);
        }
        true
    }

    /// Whether an arc lies on a cheapest way.
    fn is_tight(&self, from: usize, arc: ByteArc) -> bool {
        arc.room > 0 && arc.cost + self.price[from] == self.price[arc.to]
    }

    /// Counts the arcs on cheapest ways from excess to each node; false if none reaches a node that lacks bytes.
    fn measure(&mut self) -> bool {
        self.depth = vec![UNSEEN; self.out.len()];
        let mut queue = VecDeque::new();
        for node in (0..self.out.len()).filter(|node| self.excess[*node] > 0) {
            self.depth[node] = 0;
            queue.push_back(node);
        }
        let mut reached = false;
        while let Some(node) = queue.pop_front() {
            reached |= self.excess[node] < 0;
            for name in &self.out[node] {
                let arc = self.arcs[*name];
                if self.depth[arc.to] == UNSEEN && self.is_tight(node, arc) {
                    self.depth[arc.to] = self.depth[node] + 1;
                    queue.push_back(arc.to);
                }
            }
        }
        reached
    }

    /// Sends as much as fits along one way from a node; false if no way is left.
    fn send(&mut self, start: usize) -> bool {
        let mut way: Vec<usize> = Vec::new();
        let mut node = start;
        loop {
            if self.excess[node] < 0 {
                let room = way.iter().map(|name| self.arcs[*name].room);
                let most = self.excess[start].min(-self.excess[node]);
                let bytes = room.fold(most, i64::min);
                self.push(&way, bytes);
                self.excess[start] -= bytes;
                self.excess[node] += bytes;
                return true;
            }
            let Some(name) = self.out[node].get(self.next[node]).copied() else {
                // A dead end: no later search enters this node.
                let Some(last) = way.pop() else { return false };
                node = self.arcs[last ^ 1].to;
                self.next[node] += 1;
                continue;
            };
            let arc = self.arcs[name];
            if self.depth[arc.to] == self.depth[node] + 1 && self.is_tight(node, arc) {
                way.push(name);
                node = arc.to;
            } else {
                self.next[node] += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(high: i64) -> ArcFlow {
        ArcFlow { low: 0, now: 0, high }
    }

    #[test]
    fn bytes_take_the_cheapest_ways_that_have_room() {
        let mut network = Network::default();
        let [from, through, to] = [(); 3].map(|()| network.node());
        let dear = network.arc(from, to, open(10), 3);
        let first = network.arc(from, through, open(4), 1);
        let second = network.arc(through, to, open(10), 1);
        network.supply(from, 7);
        network.supply(to, -7);
        assert!(network.settle());
        assert_eq!([dear, first, second].map(|arc| network.beyond_least(arc)), [3, 4, 4]);
    }

    #[test]
    fn what_was_laid_in_is_taken_back_where_that_is_cheaper() {
        let mut network = Network::default();
        let [a, b, c] = [(); 3].map(|()| network.node());
        // Five bytes already go to `b`, and at least two must stay.
        let laid = network.arc(a, b, ArcFlow { low: 2, now: 5, high: 5 }, 0);
        let away = network.arc(a, c, open(9), 1);
        network.supply(a, 5);
        network.supply(b, -2);
        network.supply(c, -3);
        assert!(network.settle());
        assert_eq!((network.beyond_least(laid), network.beyond_least(away)), (0, 3));
    }

    #[test]
    fn partly_filled_arcs_end_as_a_forest() {
        let mut network = Network::default();
        let [a, b, c, d] = [(); 4].map(|()| network.node());
        // Two ways from `a` to `d`, each half filled.
        let half = ArcFlow { low: 0, now: 5, high: 10 };
        let ways = [(a, b), (b, d), (a, c), (c, d)];
        let arcs = ways.map(|(from, to)| network.arc(from, to, half, 0));
        network.supply(a, 10);
        network.supply(d, -10);
        network.settle();
        network.straighten();
        let mut filled = arcs.map(|arc| network.beyond_least(arc));
        filled.sort_unstable();
        assert_eq!(filled, [0, 0, 10, 10]);
    }

    #[test]
    fn what_has_no_way_is_said_not_to_fit() {
        let mut network = Network::default();
        let [from, to] = [(); 2].map(|()| network.node());
        network.arc(from, to, open(3), 0);
        network.supply(from, 4);
        network.supply(to, -4);
        assert!(!network.settle());
    }
}
