//! Brokers and their free space.

use super::Notice;
use super::storage::Stored;
use crate::admin::{Cluster, ClusterBroker, LogDirFacts};
use mapper::snapshot::{Broker, LogDir};
use mapper::{BrokerId, Bytes};
use std::collections::BTreeSet;

/// Every registered broker. Only those that reported their log dirs have figures for space.
pub(super) fn parts(cluster: &Cluster, stored: &Stored, notices: &mut Vec<Notice>) -> Vec<Broker> {
    let mut untold = BTreeSet::new();
    let mut brokers = Vec::with_capacity(cluster.brokers.len());
    for (&id, known) in &cluster.brokers {
        let dirs = stored.get(&id).map(Vec::as_slice).unwrap_or_default();
        if working(dirs).any(|dir| size(dir).is_none()) {
            untold.insert(id);
        }
        brokers.push(part(id, known, dirs));
        let failed = dirs.iter().filter_map(|dir| Some((dir.path.clone(), dir.failure?)));
        notices.extend(failed.map(|(path, code)| Notice::LogDirFailed { broker: id, path, code }));
    }
    if !untold.is_empty() {
        notices.push(Notice::VolumesUntold { brokers: untold });
    }
    brokers
}

fn part(id: BrokerId, known: &ClusterBroker, dirs: &[LogDirFacts]) -> Broker {
    let room = room(dirs);
    Broker {
        live: known.live,
        rack: known.rack.clone(),
        host: known.address.as_ref().map(|address| address.host.clone()),
        port: known.address.as_ref().map(|address| address.port),
        storage_total: room.map(|(total, _)| total),
        storage_free: room.map(|(_, free)| free),
        log_dirs: log_dirs(dirs),
        ..Broker::new(id)
    }
}

/// The largest difference in free space between two log dirs on one volume. A broker measures its log dirs one after
/// the other while it writes, so the numbers differ by what it wrote in between.
const SAME_VOLUME: Bytes = Bytes(64 << 20);

/// A volume, identified by two numbers: its size, and the lowest free space measured on it.
type Volume = (Bytes, Bytes);

fn working(dirs: &[LogDirFacts]) -> impl Iterator<Item = &LogDirFacts> {
    dirs.iter().filter(|dir| dir.failure.is_none())
}

fn size(dir: &LogDirFacts) -> Option<Volume> {
    dir.total.zip(dir.free)
}

/// The volumes of these log dirs, without the failed ones.
fn volumes(dirs: &[LogDirFacts]) -> BTreeSet<Volume> {
    let sizes: BTreeSet<Volume> = working(dirs).filter_map(size).collect();
    let mut volumes = BTreeSet::new();
    let mut last: Option<Volume> = None;
    for (total, free) in sizes {
        if last.is_none_or(|last| !is_on((total, free), last)) {
            last = Some((total, free));
            volumes.insert((total, free));
        }
    }
    volumes
}

fn is_on(dir: Volume, volume: Volume) -> bool {
    dir.0 == volume.0 && dir.1 >= volume.1 && dir.1.0 - volume.1.0 <= SAME_VOLUME.0
}

/// Log dirs on one volume get the same numbers, so that a reader of the snapshot can recognise the volume.
fn log_dirs(dirs: &[LogDirFacts]) -> Vec<LogDir> {
    let volumes = volumes(dirs);
    let log_dir = |dir: &LogDirFacts| {
        let volume = size(dir).and_then(|dir| volumes.iter().find(|volume| is_on(dir, **volume)));
        let free = volume.map(|volume| volume.1).or(dir.free);
        LogDir { path: dir.path.clone(), total: dir.total, free }
    };
    dirs.iter().map(log_dir).collect()
}

/// Total and free bytes over the working volumes; unknown if one of them reports none.
fn room(dirs: &[LogDirFacts]) -> Option<(Bytes, Bytes)> {
    if working(dirs).any(|dir| size(dir).is_none()) {
        return None;
    }
    let sum = |(total, free): (Bytes, Bytes), volume: Volume| {
        (Bytes(total.0 + volume.0.0), Bytes(free.0 + volume.1.0))
    };
    volumes(dirs).into_iter().fold(None, |room, volume| Some(sum(room.unwrap_or_default(), volume)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::ResponseError;
    use std::collections::BTreeMap;

    fn dir(total: Option<u64>, free: Option<u64>, failure: Option<ResponseError>) -> LogDirFacts {
        LogDirFacts {
            path: String::new(),
            failure,
            total: total.map(Bytes),
            free: free.map(Bytes),
            topics: BTreeMap::new(),
            arriving: BTreeMap::new(),
        }
    }

    #[test]
    fn log_dirs_on_one_volume_count_once() {
        let dirs =
            [dir(Some(9), Some(4), None), dir(Some(9), Some(4), None), dir(Some(5), Some(1), None)];
        assert_eq!(room(&dirs), Some((Bytes(14), Bytes(5))));
    }

    #[test]
    fn what_was_written_between_two_looks_makes_no_second_volume() {
        let dirs = [
            dir(Some(1 << 40), Some((1 << 30) + 8192), None),
            dir(Some(1 << 40), Some(1 << 30), None),
        ];
        assert_eq!(room(&dirs), Some((Bytes(1 << 40), Bytes(1 << 30))));
        assert!(log_dirs(&dirs).iter().all(|dir| dir.free == Some(Bytes(1 << 30))));
        let apart =
            [dir(Some(1 << 40), Some(2 << 30), None), dir(Some(1 << 40), Some(1 << 30), None)];
        assert_eq!(room(&apart), Some((Bytes(2 << 40), Bytes(3 << 30))));
    }

    #[test]
    fn a_failed_log_dir_has_no_room_and_hides_no_other() {
        let failed = dir(None, None, Some(ResponseError::KafkaStorageError));
        assert_eq!(
            room(&[dir(Some(9), Some(4), None), failed.clone()]),
            Some((Bytes(9), Bytes(4)))
        );
        assert_eq!(room(&[failed]), None);
    }

    #[test]
    fn a_volume_that_does_not_tell_makes_the_sum_unknown() {
        assert_eq!(room(&[dir(Some(9), Some(4), None), dir(None, None, None)]), None);
    }
}
