//! `plan report`: a plan as one HTML page.

use super::{read, refuse_other_cluster};
use crate::error::Error;
use crate::session::Session;
use crate::views::Page;
use local::Note;
use local::Status;
use local::files::OutFile;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// The flags of `plan report`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan file (.json, .json.gz)
    ///
    /// --snapshot adds racks and maps to the page, and verifies every promise.
    plan: PathBuf,
    /// Write the page to this file (.html, .html.gz); - is stdout
    #[arg(long, value_name = "FILE|-")]
    out_file: Option<PathBuf>,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let path = args.out_file.as_deref().ok_or_else(|| {
        Error::flags("plan report needs --out-file FILE (or - for stdout)".to_owned())
    })?;
    let out = if path == Path::new("-") { None } else { Some(OutFile::at(path)?) };
    let facts = session.facts_if_any()?;
    let plan = read(&args.plan)?.plan.ok_or_else(|| local::Error::NotOurs(args.plan.clone()))?;
    if let Some(facts) = &facts {
        refuse_other_cluster(&plan, &facts.snapshot)?;
        if plan.snapshot != facts.snapshot.hash() {
            session.say(&Note::new(
                "the plan was made from another snapshot; the page judges it by this one",
            ))?;
        }
    }
    let snapshot = facts.as_ref().map(|facts| &facts.snapshot);
    let judged = snapshot.map(|snapshot| (snapshot, mapper::check(snapshot, &plan)));
    let page = Page { plan: &plan, snapshot: judged };
    match out {
        None => write!(session.streams.out, "{page}").map_err(Error::stream)?,
        Some(out) => {
            out.stage(|to| write!(to, "{page}"))?.publish()?;
            session.show(&WrittenPage { file: path })?;
        }
    }
    Ok(Status::Done)
}

/// Where the page is.
#[derive(Debug, Serialize)]
struct WrittenPage<'a> {
    file: &'a Path,
}

impl fmt::Display for WrittenPage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "written  {}", self.file.display())
    }
}
