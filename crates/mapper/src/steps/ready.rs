//! The moves that may go into the step, by their rank. Most of them are known from the start, and in order.

use crate::dense::BrokerIx;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A rank, with the broker whose line it comes from.
pub(super) type Called = (usize, Option<BrokerIx>);

/// A queue by rank.
#[derive(Default)]
pub(super) struct ReadyQueue {
    /// Ascending: ranks that are in order from the start need no heap.
    first: VecDeque<usize>,
    later: BinaryHeap<Reverse<Called>>,
}

impl ReadyQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.later.is_empty()
    }

    pub(super) fn push(&mut self, called: Called) {
        self.later.push(Reverse(called));
    }

    /// Queues `ranks`, which ascend. No rank from an earlier call may be left in the queue.
    pub(super) fn begin(&mut self, ranks: impl Iterator<Item = usize>) {
        self.first.extend(ranks);
    }

    /// The lowest rank.
    pub(super) fn pop(&mut self) -> Option<Called> {
        let later = self.later.peek().map(|Reverse((rank, _))| *rank);
        match (self.first.front(), later) {
            (Some(first), Some(later)) if later < *first => self.later.pop().map(|called| called.0),
            (Some(_), _) => self.first.pop_front().map(|rank| (rank, None)),
            (None, _) => self.later.pop().map(|called| called.0),
        }
    }
}
