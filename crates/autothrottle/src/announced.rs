//! Moves that an execution is about to begin. Their throttle is set before their first byte.
//!
//! An announced move counts as a running one, and is throttled like any other, until its announcement expires.
//! Announcements are only in memory. So the next leader waits for [`SETTLING`]: an execution begins a move at most
//! [`BEGUN_WITHIN`](operate::execution::BEGUN_WITHIN) after our answer, and the move is visible by then.

use execute::{Running, Seen};
use mapper::{Replicas, TopicPartition};
use operate::execution::BEGUN_WITHIN;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long an announcement is valid unless it is renewed. Longer than any request of an execution takes.
const STANDS: Duration = Duration::from_secs(120);
/// After this time, a move that was announced to an earlier leader is visible in the cluster, or never begins.
pub(crate) const SETTLING: Duration = Duration::from_secs(5);
const _: () = assert!(SETTLING.as_millis() >= 2 * BEGUN_WITHIN.as_millis());

/// The most announced moves: a tenth of a cluster of 200,000 partitions, about 10 MB. More are refused.
pub(crate) const MOST: usize = 20_000;

/// Why an announcement is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Untaken {
    /// This process accepts no more announcements.
    Closed,
    /// Too much is announced already.
    Full,
}

/// The announced moves.
#[derive(Debug)]
pub(crate) struct Announced {
    /// The unique name of this process.
    process: String,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    moves: BTreeMap<TopicPartition, (Replicas, Instant)>,
    last: Option<Instant>,
    /// How often this process has begun to lead. Announcements to an earlier lead no longer count.
    term: u64,
    closed: bool,
}

impl Announced {
    pub(crate) fn to(process: String) -> Self {
        Self { process, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts all moves with their target lists, or none. Returns whether any is new, and the unique name of the
    /// lead.
    pub(crate) fn announce(
        &self,
        moves: BTreeMap<TopicPartition, Replicas>,
        now: Instant,
    ) -> Result<(bool, String), Untaken> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(Untaken::Closed);
        }
        inner.moves.retain(|_, (_, until)| *until > now);
        let more = moves.keys().filter(|of| !inner.moves.contains_key(of)).count();
        if inner.moves.len() + more > MOST {
            return Err(Untaken::Full);
        }
        let mut new = false;
        for (of, target) in moves {
            inner.last = Some(now);
            let before = inner.moves.insert(of, (target.clone(), now + STANDS));
            new |= before.is_none_or(|(known, _)| known != target);
        }
        Ok((new, format!("{}, lead {}", self.process, inner.term)))
    }

    /// The announcements that are valid now.
    pub(crate) fn standing(&self, now: Instant) -> BTreeMap<TopicPartition, Replicas> {
        let mut inner = self.inner();
        inner.moves.retain(|_, (_, until)| *until > now);
        inner.moves.iter().map(|(of, (target, _))| (of.clone(), target.clone())).collect()
    }

    /// Forgets all announcements: another process may lead, and it does not have them.
    pub(crate) fn forget(&self) {
        let mut inner = self.inner();
        *inner = Inner { term: inner.term + 1, ..Inner::default() };
    }

    /// Accepts no more announcements. Returns how long accepted moves may still be about to begin.
    pub(crate) fn close(&self, now: Instant) -> Duration {
        let mut inner = self.inner();
        inner.closed = true;
        inner.last.map_or(Duration::ZERO, |last| SETTLING.saturating_sub(now - last))
    }
}

/// Counts announced moves that neither run nor are done as running, and returns them. They add no throttle yet, so
/// rates in the cluster may still be an operator's.
pub(crate) fn as_running(
    announced: BTreeMap<TopicPartition, Replicas>,
    seen: &mut Seen,
) -> BTreeSet<TopicPartition> {
    let mut waiting = BTreeSet::new();
    for (of, target) in announced {
        let partition = seen.topics.get(&of.topic).and_then(|topic| topic.partition(of.partition));
        let open = partition.is_some_and(|partition| partition.replicas != target);
        if open && !seen.running.contains_key(&of) {
            seen.running.insert(of.clone(), Running { target, adding: Replicas::default() });
            waiting.insert(of);
        }
    }
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ids, partition, seen_of};
    use mapper::PartitionId;

    fn of(partition: u32) -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition: PartitionId(partition) }
    }

    fn told(
        announced: &Announced,
        partition: u32,
        now: Instant,
    ) -> Result<(bool, String), Untaken> {
        announced.announce([(of(partition), ids(&[1, 3]))].into(), now)
    }

    #[test]
    fn there_is_an_end_to_what_is_taken_in_and_what_lapses_makes_room() {
        let (announced, start) = (Announced::to("a".to_owned()), Instant::now());
        let all = |count: usize| (0..count as u32).map(|id| (of(id), ids(&[1]))).collect();
        assert_eq!(announced.announce(all(MOST + 1), start), Err(Untaken::Full));
        assert!(announced.standing(start).is_empty(), "all or nothing");
        assert!(announced.announce(all(MOST), start).is_ok());
        assert!(announced.announce(all(MOST), start).is_ok(), "again");
        assert_eq!(told(&announced, MOST as u32, start), Err(Untaken::Full));
        assert!(told(&announced, MOST as u32, start + STANDS).is_ok());
        assert_eq!(announced.inner().moves.len(), 1);
    }

    #[test]
    fn an_announcement_stands_until_it_lapses_or_another_leads() {
        let (announced, start) = (Announced::to("a".to_owned()), Instant::now());
        let lead = || "a, lead 0".to_owned();
        assert_eq!(told(&announced, 0, start), Ok((true, lead())));
        assert_eq!(told(&announced, 0, start), Ok((false, lead())));
        let later = start + STANDS - Duration::from_secs(1);
        assert_eq!(told(&announced, 1, later), Ok((true, lead())));
        assert_eq!(announced.standing(later).len(), 2);
        let late = start + STANDS;
        assert_eq!(announced.standing(late), [(of(1), ids(&[1, 3]))].into());
        announced.forget();
        assert!(announced.standing(late).is_empty());
        assert_eq!(told(&announced, 1, late), Ok((true, "a, lead 1".to_owned())));
    }

    #[test]
    fn who_leaves_takes_nothing_in_and_waits_for_what_may_begin() {
        let (announced, start) = (Announced::to("a".to_owned()), Instant::now());
        assert_eq!(announced.close(start), Duration::ZERO);
        let announced = Announced::to("a".to_owned());
        told(&announced, 0, start).unwrap();
        let second = Duration::from_secs(1);
        assert_eq!(announced.close(start + second), SETTLING - second);
        assert_eq!(told(&announced, 0, start), Err(Untaken::Closed));
    }

    #[test]
    fn what_runs_or_is_done_counts_as_it_is() {
        let parts = [0, 1, 2].map(|id| partition(id, &[1, 2], &[1, 2], 1));
        let mut seen = seen_of("t", parts.to_vec());
        let real = Running { target: ids(&[9]), adding: ids(&[9]) };
        seen.running.insert(of(1), real.clone());
        let told = [
            (of(0), ids(&[1, 3])),
            (of(1), ids(&[1, 3])),
            (of(2), ids(&[1, 2])),
            (of(7), ids(&[1])),
        ];
        assert_eq!(as_running(told.into(), &mut seen), [of(0)].into());
        assert_eq!(seen.running[&of(1)], real);
        assert_eq!(seen.running.len(), 2);
        let copies = crate::copies::copies(&seen);
        assert_eq!(copies[0].of, of(0));
        assert_eq!(copies[0].destinations[0].broker, mapper::BrokerId(3));
    }
}
