//! A folder of recorded load: for each hour a snapshot with rates, `load-2026-11-20T07.json.gz` (UTC).
//!
//! A record appears whole or not at all. Two records of one hour: the later one replaces the earlier one. The time is that
//! of the snapshot, not of this machine.

use crate::error::Error;
use crate::facts::Facts;
use crate::flags::LoadWindow;
use crate::views::RecordedLoadView;
use jiff::{SignedDuration, Timestamp};
use local::Note;
use local::files::{OutFile, in_folder, probe_folder, remove};
use local::source;
use mapper::snapshot::Partition;
use mapper::{FORECAST_HOURS, Percentile, Plan, RecordedLoad, Snapshot, StorageHistory};
use std::path::{Path, PathBuf};

/// A record's hour, and its file.
type HourFile = (Timestamp, PathBuf);

/// What writing a record has changed.
pub(crate) struct Recorded {
    pub(crate) file: PathBuf,
    /// The records in the folder now.
    pub(crate) records: usize,
    pub(crate) removed: usize,
}

/// Whether records can be written to the folder: asked before a measurement that takes a while.
pub(crate) fn probe(folder: &Path) -> Result<(), Error> {
    Ok(probe_folder(folder)?)
}

/// Writes a snapshot as the record of its hour. Then deletes the records that are older than `keep`.
pub(crate) fn record(
    folder: &Path,
    snapshot: &Snapshot,
    keep: SignedDuration,
) -> Result<Recorded, Error> {
    if !partitions(snapshot).any(|one| one.facts.as_ref().is_some_and(|f| f.bytes_in.is_some())) {
        let why = "a record of load needs rates, and no partition has one: add --rates 60s";
        return Err(Error::flags(why));
    }
    let captured = snapshot.captured_at().unwrap_or("unknown");
    let hour = captured.parse::<Timestamp>().map_err(|_| {
        Error::flags(format!("a record of load needs the time of its capture: it is {captured}"))
    })?;
    if let Some((_, newest)) = records(folder)?.last() {
        same_cluster(snapshot, &source::snapshot(newest)?, newest)?;
    }
    let file = folder.join(format!("{PREFIX}{}{SUFFIX}", hour_name(hour)));
    OutFile::at(&file)?.stage(|to| snapshot.write_json(to))?.publish_stored()?;
    let all = records(folder)?;
    let old = |(other, _): &&HourFile| hour.duration_since(*other) > keep;
    let old: Vec<&HourFile> = all.iter().filter(old).collect();
    for (_, path) in &old {
        remove(path)?;
    }
    Ok(Recorded { file, records: all.len() - old.len(), removed: old.len() })
}

const PREFIX: &str = "load-";
const SUFFIX: &str = ".json.gz";

fn hour_name(hour: Timestamp) -> String {
    hour.strftime("%Y-%m-%dT%H").to_string()
}

/// The records of a folder, the oldest first. Other files do not count.
fn records(folder: &Path) -> Result<Vec<HourFile>, Error> {
    let of = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let hour = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        Some((format!("{hour}:00:00Z").parse().ok()?, path))
    };
    let mut records: Vec<HourFile> =
        in_folder(folder, &["gz"])?.into_iter().filter_map(of).collect();
    records.sort();
    Ok(records)
}

fn partitions(snapshot: &Snapshot) -> impl Iterator<Item = &Partition> {
    snapshot.topics().iter().flat_map(|topic| &topic.partitions)
}

/// The sizes and rates of all records, to see what they lead to. [`Error::FewRecords`] if they span too little time.
pub(crate) fn history(cluster: &Snapshot, folder: &Path) -> Result<StorageHistory, Error> {
    let all = records(folder)?;
    let hour = |at: Timestamp| at.as_second().div_euclid(3600);
    let [first, newest] = [all.first(), all.last()].map(|one| one.map_or(0, |(at, _)| hour(*at)));
    let hours = newest - first;
    if hours < FORECAST_HOURS {
        let folder = folder.to_owned();
        return Err(Error::FewRecords { folder, hours, needed: FORECAST_HOURS });
    }
    let mut history = StorageHistory::until(newest);
    for record in of_cluster(cluster, &all) {
        let (at, record) = record?;
        history.see(hour(at), &record);
    }
    Ok(history)
}

/// The history in a folder. It is read again only when there are other records.
#[cfg(feature = "live")]
#[derive(Default)]
pub(crate) struct KnownHistory(Option<(Vec<HourFile>, StorageHistory)>);

#[cfg(feature = "live")]
impl KnownHistory {
    pub(crate) fn of(
        &mut self,
        cluster: &Snapshot,
        folder: &Path,
    ) -> Result<&StorageHistory, Error> {
        let now = records(folder)?;
        let known = match self.0.take().filter(|(files, _)| *files == now) {
            Some(known) => known,
            None => (now, history(cluster, folder)?),
        };
        Ok(&self.0.insert(known).1)
    }
}

/// Gives each record, the oldest first, with the seconds since 1970 of its hour. All are of one cluster.
#[cfg(feature = "live")]
pub(crate) fn each(folder: &Path, mut give: impl FnMut(u64, Snapshot)) -> Result<(), Error> {
    let all = records(folder)?;
    let Some((_, first)) = all.first() else { return Ok(()) };
    for record in of_cluster(&source::snapshot(first)?, &all) {
        let (at, record) = record?;
        give(at.as_second().unsigned_abs(), record);
    }
    Ok(())
}

/// Reads these records. Those of another cluster would rate topics that only have the same names.
fn of_cluster<'a>(
    cluster: &'a Snapshot,
    files: impl IntoIterator<Item = &'a HourFile>,
) -> impl Iterator<Item = Result<(Timestamp, Snapshot), Error>> {
    files.into_iter().map(|(at, path)| {
        let record = source::snapshot(path)?;
        same_cluster(cluster, &record, path)?;
        Ok((*at, record))
    })
}

/// The recorded load that a plan uses.
pub(crate) struct LoadInUse {
    load: RecordedLoad,
    percentile: Percentile,
    hours: usize,
    first: String,
    last: String,
}

impl LoadInUse {
    /// Gives the cluster the rates of the records in this window, which ends with the newest record.
    pub(crate) fn rate(
        facts: Facts,
        folder: &Path,
        window: LoadWindow,
    ) -> Result<(Facts, Vec<Note>), Error> {
        let all = records(folder)?;
        let Some(newest) = all.last().map(|(hour, _)| *hour) else { return Err(none(folder)) };
        let counts = |(hour, _): &&HourFile| newest.duration_since(*hour) < window.span;
        let counted: Vec<&HourFile> = all.iter().filter(counts).collect();
        let cluster = facts.snapshot;
        let mut load = RecordedLoad::default();
        for record in of_cluster(&cluster, counted.iter().copied()) {
            load.see(&cluster, &record?.1);
        }
        let mut notes: Vec<Note> = stale(&cluster, newest).into_iter().collect();
        let rated = load.rated(cluster, window.percentile);
        let (snapshot, unknown) = rated.map_err(|problem| Error::OddNumbers { problem })?;
        if unknown > 0 {
            let partitions = mapper::counted(unknown, "partition");
            let text = format!("no record has a rate of {partitions}: they may be new");
            let hint = "record once more: snapshot --rates 60s --load-folder DIR".to_owned();
            notes.push(Note { text, hint: Some(hint) });
        }
        let named = |at: Option<&&HourFile>| at.map_or(String::new(), |(hour, _)| hour_name(*hour));
        let load = Self {
            load,
            percentile: window.percentile,
            hours: counted.len(),
            first: named(counted.first()),
            last: named(counted.last()),
        };
        Ok((Facts { snapshot, load: Some(load), ..facts }, notes))
    }

    /// What the brokers carry at the percentile, before and after a plan.
    pub(crate) fn view(&self, rated: &Snapshot, plan: &Plan) -> RecordedLoadView {
        RecordedLoadView {
            percentile: self.percentile,
            hours: self.hours,
            first_hour: self.first.clone(),
            last_hour: self.last.clone(),
            brokers: self.load.brokers(rated, plan, self.percentile),
        }
    }
}

fn none(folder: &Path) -> Error {
    let folder = folder.display();
    Error::flags(format!(
        "no record of load in {folder}: write one each hour, with topicmappr snapshot --rates 60s --load-folder {folder}"
    ))
}

fn same_cluster(cluster: &Snapshot, record: &Snapshot, path: &Path) -> Result<(), Error> {
    match cluster.cluster_id().zip(record.cluster_id()) {
        Some((here, other)) if here != other => Err(Error::flags(format!(
            "{} is of cluster {other}, and this cluster is {here}: name its own --load-folder",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// The age of the newest record from which a note says so.
const STALE: SignedDuration = SignedDuration::from_hours(25);

fn stale(cluster: &Snapshot, newest: Timestamp) -> Option<Note> {
    let captured: Timestamp = cluster.captured_at()?.parse().ok()?;
    let age = captured.duration_since(newest);
    (age >= STALE).then(|| Note {
        text: format!("the newest record of load is {} hours old", age.as_hours()),
        hint: Some("find out why no record was written since".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const RATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/scripts/traffic.json");

    #[test]
    fn a_folder_keeps_the_records_of_one_cluster() {
        let ours = source::snapshot(Path::new(RATED)).unwrap();
        let id = ours.cluster_id().unwrap().to_owned();
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = elsewhere.path().join("other.json");
        let text = fs::read_to_string(RATED).unwrap().replace(&id, "AnotherClusterAnother1");
        fs::write(&copy, text).unwrap();
        let other = source::snapshot(&copy).unwrap();

        let folder = tempfile::tempdir().unwrap();
        let keep = SignedDuration::from_hours(24);
        let first = record(folder.path(), &ours, keep).unwrap();
        let before = fs::read(&first.file).unwrap();
        let refused = record(folder.path(), &other, keep).err().unwrap().to_string();
        assert!(refused.contains(&format!("is of cluster {id}, and this cluster is")), "{refused}");
        assert_eq!(fs::read(&first.file).unwrap(), before, "it replaced nothing");
        assert_eq!(record(folder.path(), &ours, keep).unwrap().records, 1);
    }
}
