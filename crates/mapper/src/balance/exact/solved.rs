//! What a search found, and what it proves.

use super::copied;
use super::search_limits::SearchLimits;
use crate::balance::state::BalanceState;
use crate::bytes::Bytes;
use crate::exact::{Effort, Evidence};
use crate::finish::Proof;
use crate::plan::{BalanceFloor, BoundBy};

/// The result of the search.
#[derive(Debug, Clone, Copy)]
pub(in crate::balance) struct Solved {
    pub(super) pace: SearchLimits,
    /// The bytes and replicas that the plan copies.
    pub(super) copied: (u64, u64),
    /// The number of columns in the program.
    pub(super) binaries: usize,
    pub(super) effort: Effort,
    /// Whether no plan ends with its worst broker nearer to its share.
    pub(super) most_even: bool,
    /// The least bytes that a plan copies if it ends as evenly.
    pub(super) bound: Option<Bytes>,
    /// Whether no plan that ends as evenly copies fewer bytes.
    pub(super) fewest_bytes: bool,
}

impl Solved {
    /// A result without any proof.
    pub(super) fn nothing(pace: SearchLimits, binaries: usize) -> Self {
        Self {
            pace,
            copied: (0, 0),
            binaries,
            effort: Effort::NONE,
            most_even: false,
            bound: None,
            fewest_bytes: false,
        }
    }

    /// The proof about a plan; `sums`: the bound from the loads of brokers and racks.
    pub(in crate::balance) fn proof(
        &self,
        state: &BalanceState<'_>,
        sums: Option<Bytes>,
        floor: Option<BalanceFloor>,
    ) -> Proof {
        // A plan that was changed since is another plan, and may be less even.
        let same = copied(state) == self.copied;
        let own = self.bound.filter(|_| same);
        let own = if self.fewest_bytes { own.map(|_| Bytes(self.copied.0)) } else { own };
        let Self { binaries, effort, pace, .. } = *self;
        let by = match pace {
            _ if own <= sums => BoundBy::Loads,
            SearchLimits::Led => BoundBy::Linear,
            SearchLimits::Short | SearchLimits::Thorough => BoundBy::Search,
        };
        let most_even = (pace != SearchLimits::Led).then_some(same && self.most_even);
        let engine = pace.engine();
        let evidence = Evidence { engine, binaries, effort, most_even, fullest: None, by };
        Proof { bound_bytes: own.max(sums), floor, evidence: Some(evidence) }
    }
}
