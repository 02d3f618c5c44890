//! `plans replay`: what a policy would have done with recorded load, or with a week that is made from a seed.

use crate::commands::scope::PlanScope;
use crate::error::Error;
use crate::live::commands::keep::policy_file;
use crate::live::views::{ReplayView, ReplayedLoad};
use crate::load_folder;
use crate::session::Session;
use execute::keep::KeepPolicy;
use execute::keep::replay::{Course, RecordedCourse, ReplayError, SeededWeek, clairvoyant, replay};
use jiff::Timestamp;
use local::maps::Maps;
use mapper::{Assignment, Snapshot};
use operate::Status;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const HOUR_SECONDS: u64 = 3_600;
const WEEK_SECONDS: u64 = 7 * 24 * HOUR_SECONDS;

/// The flags of `plans replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// Read the policy from this YAML file
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Replay the records of load in this folder
    ///
    /// snapshot --load-folder writes them, each hour.
    #[arg(long, value_name = "DIR", required_unless_present = "seed")]
    load_folder: Option<PathBuf>,
    /// Replay a week made from this number, beginning with the cluster
    ///
    /// Topics grow and breathe with the day. Brokers are lost, come back, join and are cordoned.
    #[arg(long, value_name = "N", conflicts_with = "load_folder")]
    seed: Option<u64>,
}

/// What is replayed, and when it begins and ends, in seconds since 1970.
struct Replaying<C> {
    load: ReplayedLoad,
    start: Snapshot,
    course: C,
    from: u64,
    until: u64,
}

pub(super) fn run(args: &ReplayArgs, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let policy = policy_file::read(&args.policy)?;
    let view = match (&args.load_folder, args.seed) {
        (Some(folder), _) => {
            let maps = Maps::new(session.map_set()?, BTreeMap::new());
            recorded(folder)?.view(&policy, &maps)?
        }
        (None, seed) => {
            let (facts, maps) = session.facts_with_maps()?;
            seeded(facts.snapshot, seed.unwrap_or_default()).view(&policy, &maps)?
        }
    };
    session.show(&view)?;
    Ok(Status::Done)
}

fn recorded(folder: &Path) -> Result<Replaying<RecordedCourse>, Error> {
    let mut course = RecordedCourse::default();
    let (mut start, mut times) = (None, Vec::new());
    load_folder::each(folder, |at, record| {
        course.see(at, &record);
        times.push(at);
        start.get_or_insert(record);
    })?;
    match (start, times.as_slice()) {
        (Some(start), [from, .., until]) => {
            let load = ReplayedLoad::Records(times.len());
            Ok(Replaying { load, start, course, from: *from, until: *until })
        }
        _ => Err(Error::flags(format!(
            "{} has {} of load: a replay needs two",
            folder.display(),
            mapper::counted(times.len(), "record")
        ))),
    }
}

fn seeded(start: Snapshot, seed: u64) -> Replaying<SeededWeek> {
    let captured = start.captured_at().and_then(|at| at.parse::<Timestamp>().ok());
    let from = captured.map_or(0, |at| at.as_second().unsigned_abs());
    let course = SeededWeek::new(&start, seed, from);
    Replaying { load: ReplayedLoad::Seed(seed), start, course, from, until: from + WEEK_SECONDS }
}

impl<C: Course> Replaying<C> {
    fn view(self, policy: &KeepPolicy, maps: &Maps) -> Result<ReplayView, Error> {
        let Self { load, start, course, from, until } = self;
        // The error of a look, after which nothing is planned.
        let wrong = OnceCell::new();
        let scope = |snapshot: &Snapshot| -> Vec<Assignment> {
            let scope = PlanScope::of_cluster(snapshot, maps);
            scope.map(|scope| scope.assignments).unwrap_or_else(|error| {
                wrong.get_or_init(|| error);
                Vec::new()
            })
        };
        let time = (from, until + 1, policy.between_looks_seconds().min(HOUR_SECONDS));
        let run =
            |policy: &KeepPolicy| replay(&start, &course, time, policy, &scope).map_err(refused);
        let with = run(policy)?;
        let nothing = KeepPolicy { triggers: BTreeMap::new(), ..policy.clone() };
        let without = run(&nothing)?;
        let least = clairvoyant(&start, &course, (from, until), policy, &scope).map_err(refused)?;
        match wrong.into_inner() {
            Some(error) => Err(error),
            None => Ok(ReplayView { load, from, until, with, without, least }),
        }
    }
}

fn refused(error: ReplayError) -> Error {
    match error {
        ReplayError::Snapshot(problem) => Error::OddNumbers { problem },
        ReplayError::Assignments(why) => why.into(),
    }
}
