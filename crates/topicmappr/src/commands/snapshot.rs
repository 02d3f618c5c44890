//! `snapshot`: a cluster, captured into a file; `snapshot edit`: the cluster as it might be.

mod edit;

use crate::error::Error;
use crate::flags::{RatesArgs, RecordArgs};
use crate::load_folder::{self, Recorded};
use crate::session::Session;
use local::Status;
use local::files::OutFile;
use mapper::Snapshot;
use mapper::snapshot::Partition;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// The flags of `snapshot`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    edit: Option<Edit>,
    #[command(flatten)]
    out: OutArgs,
    #[command(flatten)]
    rates: RatesArgs,
    #[command(flatten)]
    record: RecordArgs,
}

/// What may follow `snapshot`.
#[derive(Debug, clap::Subcommand)]
enum Edit {
    /// Write a changed snapshot, for what-if questions
    ///
    /// Brokers are lost, removed or added, and data grows.
    Edit(Box<edit::Args>),
}

/// Where a snapshot goes.
#[derive(Debug, clap::Args)]
struct OutArgs {
    /// Write the snapshot to this file (.json, .json.gz); - is stdout
    #[arg(long, value_name = "FILE|-")]
    out_file: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    match (&args.edit, &args.record.load_folder) {
        (Some(Edit::Edit(args)), _) => edit::run(args, session),
        (None, Some(folder)) => record(folder, args, session),
        (None, None) => write(&args.out, session, |session| {
            Ok(session.measured_facts(args.rates.rates)?.0.snapshot)
        }),
    }
}

/// Writes the snapshot as the record of its hour.
fn record(folder: &Path, args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    load_folder::probe(folder)?;
    let snapshot = session.measured_facts(args.rates.rates)?.0.snapshot;
    let Recorded { file, records, removed } =
        load_folder::record(folder, &snapshot, args.record.keep)?;
    let summary = CaptureSummary::of(&snapshot, &file);
    session.show(&CaptureSummary { records: Some(RecordsKept { records, removed }), ..summary })?;
    Ok(Status::Done)
}

/// Checks the place of the file first, then captures the snapshot.
fn write(
    args: &OutArgs,
    session: &mut Session<'_, '_>,
    snapshot: impl FnOnce(&mut Session<'_, '_>) -> Result<Snapshot, Error>,
) -> Result<Status, Error> {
    let path = args.out_file.as_deref().ok_or_else(|| {
        Error::flags("snapshot needs --out-file FILE (or - for stdout)".to_owned())
    })?;
    if path == Path::new("-") {
        let snapshot = snapshot(session)?;
        snapshot.write_json(session.streams.out).map_err(Error::stream)?;
        return Ok(Status::Done);
    }
    let out = OutFile::at(path)?;
    let snapshot = snapshot(session)?;
    out.stage(|to| snapshot.write_json(to))?.publish()?;
    session.show(&CaptureSummary::of(&snapshot, path))?;
    Ok(Status::Done)
}

/// What a capture holds.
#[derive(Debug, Serialize)]
struct CaptureSummary<'a> {
    file: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<&'a str>,
    brokers: usize,
    live_brokers: usize,
    topics: usize,
    partitions: usize,
    /// Partitions whose size is not known.
    unsized_partitions: usize,
    /// Partitions with a known rate of producers.
    #[serde(skip_serializing_if = "Option::is_none")]
    rated_partitions: Option<usize>,
    /// The records of load next to this one.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    records: Option<RecordsKept>,
}

/// The records in a folder of recorded load.
#[derive(Debug, Serialize)]
struct RecordsKept {
    records: usize,
    #[serde(rename = "removed_records")]
    removed: usize,
}

impl<'a> CaptureSummary<'a> {
    fn of(snapshot: &'a Snapshot, file: &'a Path) -> Self {
        let is_rated =
            |p: &&Partition| p.facts.as_ref().is_some_and(|facts| facts.bytes_in.is_some());
        let partitions = || snapshot.topics().iter().flat_map(|topic| &topic.partitions);
        Self {
            file,
            cluster_id: snapshot.cluster_id(),
            brokers: snapshot.brokers().len(),
            live_brokers: snapshot.brokers().iter().filter(|broker| broker.live).count(),
            topics: snapshot.topics().len(),
            partitions: partitions().count(),
            unsized_partitions: partitions().filter(|p| p.size.is_none()).count(),
            rated_partitions: Some(partitions().filter(is_rated).count())
                .filter(|rated| *rated > 0),
            records: None,
        }
    }
}

impl fmt::Display for CaptureSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cluster     {}", self.cluster_id.unwrap_or("unknown"))?;
        writeln!(f, "brokers     {}, {} live", self.brokers, self.live_brokers)?;
        writeln!(f, "topics      {}", self.topics)?;
        write!(f, "partitions  {}", self.partitions)?;
        match self.unsized_partitions {
            0 => writeln!(f)?,
            count => writeln!(f, ", {count} of unknown size")?,
        }
        if let Some(rated) = self.rated_partitions {
            writeln!(f, "rates       of {rated} partitions")?;
        }
        if let Some(RecordsKept { records, removed }) = self.records {
            writeln!(f, "records     {records} in the folder, {removed} removed")?;
        }
        writeln!(f, "written     {}", self.file.display())
    }
}
