//! The log dirs that a plan names: where each replica is, and where it has to go.
//!
//! A destination learns its log dir before it gets the replica, and forgets it at a restart. If the replica arrives in
//! another dir because of that, its broker copies it over afterwards.

use crate::seen::Seen;
use mapper::{BrokerId, Move, TopicPartition};

/// A replica, and the log dir that it goes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogDirDestination {
    /// The move, by index.
    pub index: usize,
    /// The partition.
    pub of: TopicPartition,
    /// The broker.
    pub broker: BrokerId,
    /// The log dir's path on the broker.
    pub log_dir: String,
}

/// Where a replica is, compared to where it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lies {
    /// In the wanted log dir.
    There,
    /// In another log dir, and the broker is copying it over.
    Coming,
    /// In another log dir of the broker.
    Elsewhere,
    /// The broker does not have the replica.
    Nowhere,
    /// The broker did not report it.
    Untold,
}

/// Where a broker's replica is.
pub(crate) fn lies(seen: &Seen, change: &Move, broker: BrokerId, log_dir: &str) -> Lies {
    let Some(stored) = seen.stored.get(&broker).filter(|_| seen.live.contains(&broker)) else {
        return Lies::Untold;
    };
    let replica = stored.replicas.get(&change.of());
    match replica.and_then(|replica| Some((replica.log_dir.as_deref()?, replica))) {
        None => Lies::Nowhere,
        // A replica on its way out of this dir, at another tool's request, is not yet where it has to be.
        Some((dir, replica)) if dir == log_dir && replica.arriving.is_none() => Lies::There,
        Some((_, replica)) if replica.arriving.as_deref() == Some(log_dir) => Lies::Coming,
        Some(_) => Lies::Elsewhere,
    }
}

/// The brokers that copy this partition from one of their dirs to another, or have to.
pub(crate) fn copying<'p>(
    seen: &'p Seen,
    change: &'p Move,
) -> impl Iterator<Item = BrokerId> + use<'p> {
    let moves = |(id, dir): &(BrokerId, &str)| {
        matches!(lies(seen, change, *id, dir), Lies::Coming | Lies::Elsewhere)
    };
    change.named_log_dirs().filter(moves).map(|(id, _)| id)
}

/// Whether a broker is copying this partition to the dir that the plan names.
pub(crate) fn under_way(seen: &Seen, change: &Move) -> bool {
    change.named_log_dirs().any(|(id, dir)| lies(seen, change, id, dir) == Lies::Coming)
}

/// The log dirs that brokers have to learn before a move is submitted. They learn them again while it is in flight,
/// because a restarted broker forgets. A replica in another dir waits until all replicas have arrived: copies within a
/// broker have a rate of their own.
pub(crate) fn to_tell(seen: &Seen, index: usize, change: &Move) -> Vec<LogDirDestination> {
    match seen.has_arrived(change) {
        true => places(seen, index, change, |lies| matches!(lies, Lies::Elsewhere)),
        false => places(seen, index, change, |lies| *lies == Lies::Nowhere),
    }
}

fn places(
    seen: &Seen,
    index: usize,
    change: &Move,
    those: fn(&Lies) -> bool,
) -> Vec<LogDirDestination> {
    // Kafka refuses a cordoned dir in every request.
    let wanted = change
        .named_log_dirs()
        .filter(|(id, dir)| those(&lies(seen, change, *id, dir)) && !seen.cordons(*id, dir));
    let place = |(broker, dir): (BrokerId, &str)| LogDirDestination {
        index,
        of: change.of(),
        broker,
        log_dir: dir.to_owned(),
    };
    wanted.map(place).collect()
}

/// The requests that stop the copies between the dirs of brokers: each replica stays where it is.
pub(crate) fn to_stay(seen: &Seen, index: usize, change: &Move) -> Vec<LogDirDestination> {
    let coming =
        change.named_log_dirs().filter(|(id, dir)| lies(seen, change, *id, dir) == Lies::Coming);
    let stays = coming.filter_map(|(broker, _)| {
        let replica = seen.stored.get(&broker)?.replicas.get(&change.of())?;
        Some(LogDirDestination {
            index,
            of: change.of(),
            broker,
            log_dir: replica.log_dir.clone()?,
        })
    });
    stays.collect()
}
