//! The least bytes that any plan has to move to end as evenly as this one.
//!
//! The plan's worst brokers define two edges: the largest distance above the share, and the largest below it.
//! Consider any plan that ends inside these edges, in each group of brokers that exchanges bytes only among itself:
//!
//! - Bytes above the upper edge had to leave their broker. Lost and forbidden replicas had to leave, too.
//! - Bytes that were missing under the lower edge had to arrive.
//!
//! Each byte that leaves or arrives is copied once, so the larger of the two sums is a lower bound. The rack rule can
//! send more repairs into some racks than there is room for. Then the excess has to leave those racks ([`Forced`]).

use super::band::Band;
use super::forced::Forced;
use super::shares::Shares;
use super::state::BalanceState;
use crate::bytes::Bytes;
use crate::dense::{BrokerIx, DenseCluster};
use crate::floor;
use crate::request::RackRule;
use crate::target::Targets;
use crate::work::Work;
use std::collections::BTreeMap;

/// The bytes that stay on each broker, whatever a plan does about lost and forbidden replicas.
pub(super) struct Base {
    /// The least: all replicas that may leave have left. In a rack with too many replicas, each of them may leave.
    least: Vec<u64>,
    /// The most: only lost and forbidden replicas have left.
    most: Vec<u64>,
    /// Bytes that have to be placed on new brokers.
    repairs: Option<Bytes>,
    /// The racks that have to take some of these bytes.
    forced: Forced,
}

impl Base {
    /// The cluster before the plan, without the replicas that `repairs` remove.
    pub(super) fn new(
        cluster: &DenseCluster<'_>,
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
        Self { least, most, repairs: floor::had_to_hold(cluster, repairs), forced }
    }

    /// The lower bound for plans that end as evenly as `state`, or more evenly.
    pub(super) fn bytes(&self, state: &BalanceState<'_>, shares: &Shares) -> Option<Bytes> {
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
        // Repairs may go to any group. Only the sum over all groups says how many bytes they leave to fill.
        let leaves = excess + self.forced.leaves(state.cluster, &ends);
        let one_sea = (repairs + leaves).max(deficit);
        Some(Bytes(if repairs == 0 { apart.max(one_sea) } else { one_sea }))
    }
}

/// The range in which a group's brokers ended, from the worst broker on each side.
pub(super) fn edges(
    state: &BalanceState<'_>,
    shares: &Shares,
    group: &[BrokerIx],
) -> BTreeMap<BrokerIx, Band> {
    let shared = || {
        group.iter().filter_map(|b| Some((*b, shares.of[*b as usize]?, state.used[*b as usize])))
    };
    let parts = |bytes: u64, share: u64| (u128::from(bytes) << PARTS) / u128::from(share.max(1));
    // Rounded outwards, or the result would not be a bound.
    let above = shared().map(|(_, share, used)| parts(used.saturating_sub(share), share) + 1).max();
    let below = shared().map(|(_, share, used)| parts(share.saturating_sub(used), share) + 1).max();
    let of = |share: u64, parts: Option<u128>| {
        let width = (u128::from(share) * parts.unwrap_or(0)) >> PARTS;
        u64::try_from(width).unwrap_or(u64::MAX)
    };
    shared()
        .map(|(broker, share, used)| {
            // A broker without a share has no deviation, so its own final load is its edge.
            let high = share.saturating_add(of(share, above)).max(used);
            let low = share.saturating_sub(of(share, below)).min(used);
            (broker, Band { low, share, high })
        })
        .collect()
}

/// Resolution of a fraction of a share: parts per 2^40.
const PARTS: u32 = 40;
