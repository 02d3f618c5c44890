//! Many small replicas for one large: how numbers are evened where bytes must stay.
//!
//! A broker with too many replicas and one with too few may both be at the edge of what storage lets them give or take.
//! Then the first gives its smallest replicas, and the second gives one back of as many bytes: their numbers come nearer,
//! their bytes stay, and two times a few small replicas is all that it costs.

use super::evening::Evening;
use super::load::REPLICA;
use crate::dense::BrokerIx;

/// Replicas that go from `from` to `to`, and the one that comes back.
#[derive(Debug, Clone)]
pub(super) struct Barter {
    there: Vec<u32>,
    back: u32,
    from: BrokerIx,
    to: BrokerIx,
}

/// Candidates for what comes back that are looked at.
const CANDIDATES: usize = 32;

impl Barter {
    /// The exchange between two brokers that brings their numbers nearest; `None` if none does.
    pub(super) fn between(
        evening: &mut Evening<'_, '_>,
        from: BrokerIx,
        to: BrokerIx,
    ) -> Option<Self> {
        let above = evening.used(from).saturating_sub(evening.band(from).share) / REPLICA;
        let below = evening.band(to).share.saturating_sub(evening.used(to)) / REPLICA;
        // One comes back.
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

/// The smallest replicas that may go, in order of size.
fn small_ones(
    evening: &mut Evening<'_, '_>,
    from: BrokerIx,
    to: BrokerIx,
    most: usize,
) -> Vec<u32> {
    let shelf = evening.shelf(from).to_vec();
    let may_go = |partition: &u32| {
        evening.state.holds(*partition, from) && evening.admit(*partition, from, to)
    };
    shelf.into_iter().filter(may_go).take(most).collect()
}

/// The smallest replica on `to` that makes up for what comes there.
fn counterpart(
    evening: &mut Evening<'_, '_>,
    there: &[u32],
    from: BrokerIx,
    to: BrokerIx,
) -> Option<u32> {
    let size = |evening: &Evening<'_, '_>, partition: u32| evening.state.size[partition as usize];
    let bytes: u64 = there.iter().map(|partition| size(evening, *partition)).sum();
    let shelf = evening.shelf(to).to_vec();
    // A little less may do: the bands are as wide as a few replicas.
    let slack = evening.slack(to);
    let least = bytes.saturating_sub(slack);
    let first = shelf.partition_point(|partition| size(evening, *partition) < least);
    let candidates = shelf[first..].iter().copied().take(CANDIDATES);
    candidates.into_iter().find(|back| {
        evening.state.holds(*back, to)
            && evening.admit(*back, to, from)
            && evening.barters(from, to, there, *back)
    })
}
