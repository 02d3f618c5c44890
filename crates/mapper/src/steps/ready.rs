//! The moves that may go into the step, by their rank: most of them known from the start, and in order.

use crate::dense::BrokerIx;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A rank, with the broker in whose line it stood first.
pub(super) type Called = (usize, Option<BrokerIx>);

/// A queue by rank.
#[derive(Default)]
pub(super) struct Ready {
    /// Ascending: no tree is needed for what nobody comes before.
    first: VecDeque<usize>,
    later: BinaryHeap<Reverse<Called>>,
}

impl Ready {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.later.is_empty()
    }

    pub(super) fn push(&mut self, called: Called) {
        self.later.push(Reverse(called));
    }

    /// `ranks` ascend, and nothing is queued yet that came so before.
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
