//! Exchanges many small replicas for one large replica, to even replica counts where bytes must stay.
//!
//! Storage can forbid that a broker with too many replicas gives one, or that a broker with too few takes one.
//! Then the first broker gives its smallest replicas. The second broker gives back one replica of as many bytes.
//! Their counts come nearer and their bytes stay. The cost is twice the bytes of a few small replicas.

use super::evening::Evening;
use super::load::REPLICA;
use crate::dense::BrokerIx;
use std::collections::BTreeSet;

/// Replicas that go from `from` to `to`, and the one that comes back.
#[derive(Debug, Clone)]
pub(super) struct Barter {
    there: Vec<u32>,
    back: u32,
    from: BrokerIx,
    to: BrokerIx,
}

/// Limits how many replicas are tried as the one that comes back. Then the exchange is given up.
const CANDIDATES: usize = 32;

impl Barter {
    /// The exchange that brings the counts of two brokers nearest to each other; `None` if no exchange does.
    pub(super) fn between(
        evening: &mut Evening<'_, '_>,
        from: BrokerIx,
        to: BrokerIx,
    ) -> Option<Self> {
        let above = evening.used(from).saturating_sub(evening.band(from).share) / REPLICA;
        let below = evening.band(to).share.saturating_sub(evening.used(to)) / REPLICA;
        // Plus one, because one replica comes back.
        let most = usize::try_from(above.min(below)).ok()? + 1;
        if most < 2 {
            return None;
        }
        let there = small_ones(evening, from, to, most);
        let mut length = there.len();
        while length >= 2 {
            if let Some(back) = counterpart(evening, &there[..length], from, to) {
                let there = there[..length].to_vec();
                return Some(Self { there, back, from, to });
            }
            length /= 2;
        }
        None
    }

    pub(super) fn carry_out(&self, evening: &mut Evening<'_, '_>) {
        let Self { there, back, from, to } = self;
        let back_first = evening.fits(*to, *from, *back, None);
        if back_first {
            evening.shift(*back, *to, *from);
        }
        for partition in there {
            evening.shift(*partition, *from, *to);
        }
        if !back_first {
            evening.shift(*back, *to, *from);
        }
    }
}

/// The smallest replicas that may move, in order of size.
fn small_ones(
    evening: &mut Evening<'_, '_>,
    from: BrokerIx,
    to: BrokerIx,
    most: usize,
) -> Vec<u32> {
    let shelf = evening.shelf(from).to_vec();
    // Where topics have to stay even, one replica of each topic is the most that a broker can be sure to spare.
    let mut topics = BTreeSet::new();
    let may_go = |partition: &u32| {
        let may = evening.state.holds(*partition, from)
            && evening.admit(*partition, from, to)
            && evening.spares(*partition, from)
            && evening.lacks(*partition, to);
        let topic = evening.state.cluster.topic_of(*partition as usize);
        may && (evening.state.topics.is_none() || topics.insert(topic))
    };
    shelf.into_iter().filter(may_go).take(most).collect()
}

/// The smallest replica on `to` that compensates for the bytes that arrive there.
fn counterpart(
    evening: &mut Evening<'_, '_>,
    there: &[u32],
    from: BrokerIx,
    to: BrokerIx,
) -> Option<u32> {
    let size = |evening: &Evening<'_, '_>, partition: u32| evening.state.size[partition as usize];
    let bytes: u64 = there.iter().map(|partition| size(evening, *partition)).sum();
    let shelf = evening.shelf(to).to_vec();
    // Slightly fewer bytes are enough, because a band is as wide as a few replicas.
    let slack = evening.slack(to);
    let least = bytes.saturating_sub(slack);
    let first = shelf.partition_point(|partition| size(evening, *partition) < least);
    let lets = |back: &u32| evening.spares(*back, to) && evening.lacks(*back, from);
    let candidates = shelf[first..].iter().copied().filter(lets).take(CANDIDATES);
    candidates.into_iter().find(|back| {
        evening.state.holds(*back, to)
            && evening.admit(*back, to, from)
            && evening.barters(from, to, there, *back)
    })
}
