//! Cuts a plan into steps that each leave room for both copies of what moves.
//!
//! A reassignment holds the old copy until the new one is in sync, so what a step frees counts only in the next one.

use crate::bytes::Bytes;
use crate::dense::Cluster;
use crate::ids::BrokerId;
use crate::no_plan::NoPlan;
use crate::plan::Move;
use crate::request::Terms;

/// Moves that wait for each other for ever.
pub(crate) struct Stuck {
    /// Their indices; repairs first.
    pub(crate) waiting: Vec<usize>,
    pub(crate) why: NoPlan,
}

/// The moves by their indices, in steps; within a step in order.
pub(crate) fn in_order(
    cluster: &Cluster<'_>,
    terms: &Terms,
    moves: &[Move],
) -> Result<Vec<Vec<usize>>, Box<Stuck>> {
    let mut disks = Disks {
        limit: cluster.limits(terms.storage_headroom),
        used: cluster.used.clone(),
        cluster,
    };
    let mut waiting: Vec<usize> = (0..moves.len()).collect();
    // Repairs first: what they wait for is another move, never the other way round. The sort is stable.
    waiting.sort_by_key(|index| moves[*index].reason);
    let mut steps = Vec::new();
    while !waiting.is_empty() {
        let (mut step, rest): (Vec<usize>, Vec<usize>) =
            waiting.iter().partition(|index| disks.take(&moves[**index]).is_ok());
        if step.is_empty() {
            let why = disks.stuck(&moves[rest[0]]);
            return Err(Box::new(Stuck { waiting: rest, why }));
        }
        for index in &step {
            disks.free(&moves[*index]);
        }
        step.sort_unstable();
        steps.push(step);
        waiting = rest;
    }
    Ok(steps)
}

struct Disks<'a> {
    cluster: &'a Cluster<'a>,
    limit: Vec<Option<u64>>,
    used: Vec<Option<u64>>,
}

impl Disks<'_> {
    fn at(&self, id: BrokerId) -> Option<usize> {
        self.cluster.index_of(id).map(|broker| broker as usize)
    }

    /// Adds the new copies, if there is room for each of them; says what the first one lacks otherwise.
    fn take(&mut self, change: &Move) -> Result<(), (BrokerId, u64)> {
        let size = copy_bytes(change);
        for id in change.added() {
            let Some(at) = self.at(id) else { continue };
            if let (Some(limit), Some(used)) = (self.limit[at], self.used[at])
                && size > limit.saturating_sub(used)
            {
                return Err((id, size - limit.saturating_sub(used)));
            }
        }
        for id in change.added() {
            if let Some(used) = self.at(id).and_then(|at| self.used[at].as_mut()) {
                *used += size;
            }
        }
        Ok(())
    }

    /// Takes the old copies away.
    fn free(&mut self, change: &Move) {
        let partition = self.cluster.snapshot.partition(&change.topic, change.partition);
        for id in change.removed() {
            let size = partition.and_then(|p| p.size_on(id)).unwrap_or_default();
            if let Some(used) = self.at(id).and_then(|at| self.used[at].as_mut()) {
                *used = used.saturating_sub(size.0);
            }
        }
    }

    fn stuck(&mut self, change: &Move) -> NoPlan {
        let (broker, missing) = self.take(change).err().unwrap_or((change.to[0], 0));
        NoPlan::NoRoomForBothCopies { of: change.of(), broker, missing_bytes: Bytes(missing) }
    }
}

/// The bytes of one copy; 0 where unknown, which is what the capacity rule can say about it.
fn copy_bytes(change: &Move) -> u64 {
    let copies = change.added().count() as u64;
    change.bytes.map_or(0, |bytes| bytes.0 / copies.max(1))
}
