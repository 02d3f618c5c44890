//! Replicas that have made no progress for too long, and the broker whose rate limits them.

use crate::fair::Got;
use crate::limits::ThrottleTerms;
use crate::load::Loads;
use crate::note::ThrottleNote;
use crate::paced::{Paced, ThrottledTarget};
use crate::port::ReplicationRole;
use crate::watch::Growth;
use mapper::{BrokerId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One note for each broker and role that limits a replica.
pub(crate) fn stalls(
    paced: &[Paced<'_>],
    growths: &[Growth],
    loads: &Loads,
    got: &[Got],
    terms: &ThrottleTerms,
) -> Vec<ThrottleNote> {
    let after = u64::try_from(terms.stalled_after.as_millis()).unwrap_or(u64::MAX);
    let mut held: BTreeMap<(BrokerId, ReplicationRole), (u64, BTreeSet<TopicPartition>)> =
        BTreeMap::new();
    for (one, growth) in paced.iter().zip(growths) {
        // Without a leader nothing can arrive, and there is a separate note for that.
        let Some(leader) = one.copy.leader else { continue };
        for (to, progress) in one.to.iter().zip(&growth.to).filter(|(_, p)| p.stood >= after) {
            let by = held_by(leader, to, loads, got);
            let (least, partitions) = held.entry(by).or_insert((u64::MAX, BTreeSet::new()));
            *least = progress.stood.min(*least);
            partitions.insert(one.copy.of.clone());
        }
    }
    let note = |((broker, role), (least, partitions))| ThrottleNote::Stalled {
        broker,
        role,
        since: Duration::from_millis(least),
        partitions,
    };
    held.into_iter().map(note).collect()
}

fn held_by(
    leader: BrokerId,
    to: &ThrottledTarget,
    loads: &Loads,
    got: &[Got],
) -> (BrokerId, ReplicationRole) {
    let of_way = loads.way(leader, to.broker).and_then(|way| got.get(way));
    let port = of_way.and_then(|got| got.held_by);
    port.map_or((to.broker, ReplicationRole::Follower), |port| loads.name(port))
}
