//! The bytes that any plan has to move to end as evenly as this one does.
//!
//! A plan ends with every broker at most so far above and so far below its share. Whatever plan ends inside those two
//! edges, in each group of brokers that hands bytes only round itself: what was above the upper edge had to leave its
//! broker, and so had every replica that was lost or not allowed; what was missing under the lower edge had to
//! arrive. Each byte that leaves or arrives is copied once, so the larger of the two sums is a lower bound. Where the
//! rack rule sends more of the repairs into some racks than there is room for, as much has to leave those ([`Forced`]).

use super::band::Band;
use super::forced::Forced;
use super::shares::Shares;
use super::state::State;
use crate::bytes::Bytes;
use crate::dense::{BrokerIx, Cluster};
use crate::floor;
use crate::request::RackRule;
use crate::target::Targets;
use crate::work::Work;
use std::collections::BTreeMap;

/// What stays on each broker, whatever is done about what is wrong.
pub(super) struct Base {
    /// At the least: what may leave has left. A rack that holds too many replicas does not say which one goes.
    least: Vec<u64>,
    /// At the most: only what is lost or not allowed has left.
    most: Vec<u64>,
    /// What has to be placed anew, wherever it was.
    repairs: Option<Bytes>,
    /// Where some of that has to go.
    forced: Forced,
}

impl Base {
    /// The cluster before, as `repairs` leave it.
    pub(super) fn new(
        cluster: &Cluster<'_>,
        targets: &Targets,
        racks: RackRule,
        repairs: &[Work],
    ) -> Self {
        let used: Vec<u64> = cluster.used.iter().map(|used| used.unwrap_or(0)).collect();
        let (mut least, mut most) = (used.clone(), used);
        for item in repairs {
            let partition = cluster.partition(item.partition);
            let allowed = &targets.all[item.target].allowed;
            let wrong = |broker: BrokerIx| {
                !allowed[broker as usize] || partition.offline().contains(&cluster.id(broker))
            };
            let current = cluster.seats_of(item.partition);
            let gone = |broker: &BrokerIx| !item.held().any(|held| held == *broker);
            let choice = current.iter().any(|broker| gone(broker) && !wrong(*broker));
            for broker in current.iter().copied() {
                let size = partition.size_on(cluster.id(broker)).unwrap_or_default().0;
                let at = broker as usize;
                if wrong(broker) {
                    most[at] = most[at].saturating_sub(size);
                }
                if wrong(broker) || choice {
                    least[at] = least[at].saturating_sub(size);
                }
            }
        }
        let forced = Forced::new(cluster, targets, racks, repairs);
        Self { least, most, repairs: floor::had_to_copy(cluster, repairs), forced }
    }

    /// The lower bound for plans that end where `state` does, or more evenly.
    pub(super) fn bytes(&self, state: &State<'_>, shares: &Shares) -> Option<Bytes> {
        let repairs = self.repairs?.0;
        let (mut excess, mut deficit) = (0, 0);
        let mut apart = 0;
        let mut ends = Vec::new();
        for group in &shares.groups {
            let edges = edges(state, shares, &group.brokers);
            let (mut over, mut under) = (0_u64, 0_u64);
            for (broker, band) in edges {
                let stays = self.least[broker as usize];
                over += stays.saturating_sub(band.high);
                ends.push((broker, stays, band.high));
                under += band.low.saturating_sub(self.most[broker as usize]);
            }
            excess += over;
            deficit += under;
            apart += over.max(under);
        }
        // Repairs may go to any group, so only the sum over all says what they leave to fill.
        let leaves = excess + self.forced.leaves(state.cluster, &ends);
        let one_sea = (repairs + leaves).max(deficit);
        Some(Bytes(if repairs == 0 { apart.max(one_sea) } else { one_sea }))
    }
}

/// The range that a group's brokers ended in, from the worst of them on either side.
pub(super) fn edges(
    state: &State<'_>,
    shares: &Shares,
    group: &[BrokerIx],
) -> BTreeMap<BrokerIx, Band> {
    let shared = || {
        group.iter().filter_map(|b| Some((*b, shares.of[*b as usize]?, state.used[*b as usize])))
    };
    let parts = |bytes: u64, share: u64| (u128::from(bytes) << PARTS) / u128::from(share.max(1));
    // Rounded outwards, so that the bound holds.
    let above = shared().map(|(_, share, used)| parts(used.saturating_sub(share), share) + 1).max();
    let below = shared().map(|(_, share, used)| parts(share.saturating_sub(used), share) + 1).max();
    let of = |share: u64, parts: Option<u128>| {
        let width = (u128::from(share) * parts.unwrap_or(0)) >> PARTS;
        u64::try_from(width).unwrap_or(u64::MAX)
    };
    shared()
        .map(|(broker, share, used)| {
            // A broker without a share has no deviation: its own end is its edge.
            let high = share.saturating_add(of(share, above)).max(used);
            let low = share.saturating_sub(of(share, below)).min(used);
            (broker, Band { low, share, high })
        })
        .collect()
}

/// Fractions of a share are counted in parts per 2^40.
const PARTS: u32 = 40;
