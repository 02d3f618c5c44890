//! The log dirs of a broker that is not running: their owner and their partitions.

use crate::error::Error;
use mapper::{BrokerId, PartitionId, TopicPartition};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Kafka's file with the owner of a log dir.
const META: &str = "meta.properties";
/// The log of KRaft's metadata is in one of the log dirs, but is no partition of the broker.
const METADATA_LOG: &str = "__cluster_metadata";

/// The content of all log dirs of a broker.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Volume {
    /// Their owner, and the file with its id.
    pub(super) owner: Option<(BrokerId, PathBuf)>,
    /// Their cluster, and the file with its id.
    pub(super) cluster: Option<(String, PathBuf)>,
    /// Log dirs without a partition; also those that do not exist.
    pub(super) empty: Vec<PathBuf>,
    /// The partitions in the others.
    pub(super) partitions: BTreeSet<TopicPartition>,
}

impl Volume {
    pub(super) fn read(dirs: &[PathBuf]) -> Result<Self, Error> {
        let mut volume = Self::default();
        for dir in dirs {
            let partitions = partitions_in(dir)?;
            if partitions.is_empty() {
                volume.empty.push(dir.clone());
            }
            volume.partitions.extend(partitions);
            volume.add_meta(&dir.join(META))?;
        }
        Ok(volume)
    }

    fn add_meta(&mut self, path: &Path) -> Result<(), Error> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unusable(path, error.to_string())),
        };
        let get = |wanted: &str| {
            let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
            let mut values = pairs.filter(|(key, _)| key.trim() == wanted);
            values.next().map(|(_, value)| value.trim())
        };
        // Version 1 says node.id, version 0 broker.id.
        if let Some(id) = get("node.id").or_else(|| get("broker.id")) {
            let id = id.parse().map(BrokerId);
            let id = id.map_err(|_| unusable(path, "its id is no broker id".to_owned()))?;
            same(&mut self.owner, id, path, "brokers")?;
        }
        match get("cluster.id") {
            Some(cluster) => same(&mut self.cluster, cluster.to_owned(), path, "clusters"),
            None => Ok(()),
        }
    }
}

/// Checks that all log dirs of a broker have the same id.
fn same<T: PartialEq + std::fmt::Display>(
    known: &mut Option<(T, PathBuf)>,
    found: T,
    path: &Path,
    what: &str,
) -> Result<(), Error> {
    match known {
        Some((first, at)) if *first != found => {
            let at = at.display();
            Err(unusable(path, format!("it says {found}, and {at} says {first}: two {what}")))
        }
        Some(_) => Ok(()),
        None => {
            *known = Some((found, path.to_owned()));
            Ok(())
        }
    }
}

fn partitions_in(dir: &Path) -> Result<BTreeSet<TopicPartition>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(unusable(dir, error.to_string())),
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(|error| unusable(dir, error.to_string()))?;
        if entry.path().is_dir() {
            found.extend(entry.file_name().to_str().and_then(partition));
        }
    }
    Ok(found)
}

/// `events.raw-3`; not `events.raw-3.4c1b-delete`, `-future` or `-stray`, which Kafka does not use as the partition's log.
fn partition(folder: &str) -> Option<TopicPartition> {
    let (topic, number) = folder.rsplit_once('-')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || topic.is_empty() || topic == METADATA_LOG {
        return None;
    }
    Some(TopicPartition { topic: topic.to_owned(), partition: PartitionId(number.parse().ok()?) })
}

fn unusable(path: &Path, problem: String) -> Error {
    Error::LogDir { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(folders: &[&str]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        folders.iter().for_each(|folder| fs::create_dir_all(home.path().join(folder)).unwrap());
        home
    }

    #[test]
    fn only_whole_logs_of_partitions_count() {
        let home = home(&[
            "data/events.raw-3",
            "data/a-b-10",
            "data/gone-1.4c1b0a-delete",
            "data/moving-2.4c1b0a-future",
            "data/old-2.4c1b0a-stray",
            "fresh/lost+found",
            "fresh/__cluster_metadata-0",
        ]);
        fs::write(home.path().join("data/file-7"), "").unwrap();
        let dirs = ["data", "fresh", "missing"].map(|name| home.path().join(name));
        let volume = Volume::read(&dirs).unwrap();
        let names: Vec<String> = volume.partitions.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a-b-10", "events.raw-3"]);
        assert_eq!(volume.empty, dirs[1..]);
    }

    #[test]
    fn both_versions_of_meta_properties_tell_the_owner() {
        for (key, version) in [("broker.id", 0), ("node.id", 1)] {
            let home = home(&["data"]);
            let text = format!("#\n#Fri Nov 20\nversion={version}\n{key}=1003\ncluster.id=Nk3\n");
            fs::write(home.path().join("data").join(META), text).unwrap();
            let volume = Volume::read(&[home.path().join("data")]).unwrap();
            assert_eq!(volume.owner.unwrap().0, BrokerId(1003));
            assert_eq!(volume.cluster.unwrap().0, "Nk3");
        }
    }

    #[test]
    fn log_dirs_of_two_brokers_are_refused() {
        let home = home(&["one", "two"]);
        for (name, id) in [("one", 1), ("two", 2)] {
            fs::write(home.path().join(name).join(META), format!("node.id={id}\n")).unwrap();
        }
        let refused = Volume::read(&["one", "two"].map(|name| home.path().join(name)));
        assert!(refused.unwrap_err().to_string().contains("two brokers"));
    }
}
