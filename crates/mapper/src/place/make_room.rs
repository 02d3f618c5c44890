//! Makes room for a seat that no broker can take: another replica that this plan placed gives way.

use super::Placement;
use crate::dense::BrokerIx;
use crate::no_plan::Refusal;
use crate::work::Work;

/// The most replicas of one broker that are tried to be pushed away for one seat. Then another broker is tried.
const MOST_PUSHED: usize = 64;

impl Placement<'_> {
    /// Moves one replica that this plan placed to another broker, so that the seat finds room in its place.
    pub(super) fn make_room(
        &mut self,
        work: &mut [Work],
        at: usize,
        seat: usize,
    ) -> Option<BrokerIx> {
        let (target, candidates) = self.candidates(&work[at], seat);
        for broker in candidates.iter().copied() {
            let rules = self.constraints.of(&work[at], seat, target);
            let refused = self.admits(&rules, &work[at], broker);
            let Err(Refusal::NoRoom { missing_bytes, .. }) = refused else { continue };
            let mut placed = self.placed[broker as usize].clone();
            placed.retain(|(other, _)| *other != at && work[*other].size >= Some(missing_bytes.0));
            placed.sort_by_key(|(other, seat)| (work[*other].size, *other, *seat));
            for (other, other_seat) in placed.into_iter().take(MOST_PUSHED) {
                if self.push_elsewhere(work, other, other_seat, broker) {
                    // The pushed replica may have been on another volume than the one without room.
                    let rules = self.constraints.of(&work[at], seat, target);
                    if self.admits(&rules, &work[at], broker).is_ok() {
                        return Some(broker);
                    }
                }
            }
        }
        None
    }

    fn push_elsewhere(
        &mut self,
        work: &mut [Work],
        other: usize,
        seat: usize,
        from: BrokerIx,
    ) -> bool {
        self.clear(work, (other, seat), from);
        let elsewhere = self.best(&work[other], seat, Some(from));
        self.put(work, other, seat, elsewhere.unwrap_or(from));
        elsewhere.is_some()
    }
}
