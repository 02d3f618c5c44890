//! Runs two functions at once, on two cores.
//!
//! Each depends only on its arguments, and the caller waits for both. So the result is the same on one core or many.

use std::{panic, thread};

/// With fewer partitions than this, a thread costs more time than it saves, so both run on the caller's thread.
pub(crate) const MANY: usize = 20_000;

/// The results of both functions. `partitions` is the amount of work. The first runs on the caller's own thread.
pub fn both<A, B: Send>(
    partitions: usize,
    one: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    if !pays(partitions) {
        return (one(), other());
    }
    thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        (one, other.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}

fn pays(partitions: usize) -> bool {
    #[cfg(test)]
    if let Some(forced) = tests::FORCED.get() {
        return forced;
    }
    partitions >= MANY
}

#[cfg(test)]
mod tests {
    use crate::snapshot::{Broker, Partition, Parts, Snapshot, Topic};
    use crate::{
        Assignment, BrokerId, Bytes, PartitionId, PlaceBy, PlanTerms, Ratio, Rebuild,
        TopicSelection, check, rebuild,
    };
    use std::cell::Cell;

    thread_local! {
        /// Whether a thread is used, for any amount of work.
        pub(super) static FORCED: Cell<Option<bool>> = const { Cell::new(None) };
    }

    /// Six brokers in three racks, the last one lost, and five topics.
    fn cluster() -> Snapshot {
        let broker = |id| Broker {
            live: id < 6,
            rack: Some(format!("rack-{}", id % 3)),
            storage_total: Some(Bytes(1 << 20)),
            storage_free: Some(Bytes(1 << 19)),
            ..Broker::new(BrokerId(id))
        };
        let partition = |id: u32| {
            let replicas = (0..3).map(|seat| BrokerId((id + seat) % 6 + 1));
            let size = Some(Bytes(u64::from(id * 7 % 11 + 1)));
            Partition { size, ..Partition::new(PartitionId(id), replicas) }
        };
        let topic = |name: &str| Topic {
            name: name.to_owned(),
            partitions: (0..9).map(partition).collect(),
            ..Topic::default()
        };
        let topics = ["a", "b", "c", "d", "e"].map(topic).into();
        Snapshot::new(Parts { brokers: (1..=6).map(broker).collect(), topics, ..Parts::default() })
            .unwrap()
    }

    fn request(force: bool) -> Rebuild {
        let brokers = (1..6).map(BrokerId).collect();
        let terms =
            PlanTerms::new(vec![Assignment::new(TopicSelection::Rest, brokers)], Ratio::ZERO);
        Rebuild { force, ..Rebuild::new(terms, PlaceBy::Storage) }
    }

    #[test]
    fn two_cores_give_the_plan_that_one_gives() {
        let before = cluster();
        for force in [false, true] {
            let plans = [false, true].map(|at_once| {
                FORCED.set(Some(at_once));
                let plan = rebuild(&before, &request(force)).unwrap();
                assert_eq!(check(&before, &plan), []);
                assert!(plan.moves.len() > 10);
                plan
            });
            assert_eq!(plans[0], plans[1]);
        }
    }
}
