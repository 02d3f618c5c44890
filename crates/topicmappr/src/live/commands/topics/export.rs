//! `topics export`: the cluster's topics as definitions; applied, they change nothing.

use crate::error::Error;
use crate::live::flags::patterns;
use crate::session::Session;
use mapper::scope::Scope;
use operate::Status;
use operate::events::Note;
use operate::files::OutFile;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use topics::{Exported, export};

/// The flags of `topics export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Export only topics that match these regexes
    ///
    /// A regex matches whole names.
    #[arg(long, value_name = "REGEX,...")]
    only: Vec<String>,
    /// Write the definitions to this file; - is stdout
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    out_file: PathBuf,
}

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let out = (args.out_file != Path::new("-")).then(|| OutFile::at(&args.out_file)).transpose()?;
    let (facts, maps) = session.facts_with_maps()?;
    let snapshot = &facts.snapshot;
    let resolved = (!maps.written().is_empty()).then(|| maps.resolve(Some(snapshot)));
    let unmapped: BTreeSet<&str> = resolved
        .iter()
        .flat_map(|resolved| &resolved.unmapped)
        .map(|unmapped| unmapped.topic.as_str())
        .collect();
    let names: Vec<&str> = snapshot.topics().iter().map(|topic| topic.name.as_str()).collect();
    let chosen = chosen(&args.only, &names)?;
    let topics = export(snapshot, |name| chosen.contains(name) && !unmapped.contains(name));
    let exported = Exported::of(&topics);
    if !unmapped.is_empty() {
        let text = format!("topics in no map are left out: {} of them", unmapped.len());
        let hint = Some("topicmappr maps check names them".to_owned());
        session.say(&Note { text, hint })?;
    }
    match out {
        Some(out) => out.stage(|to| write!(to, "{exported}"))?.publish()?,
        None => write!(session.streams.out, "{exported}").map_err(Error::stream)?,
    }
    Ok(Status::Done)
}

fn chosen<'n>(only: &[String], names: &[&'n str]) -> Result<BTreeSet<&'n str>, Error> {
    if only.is_empty() {
        return Ok(names.iter().copied().collect());
    }
    let include = patterns("--only", only)?;
    Ok(Scope { include, exclude: Vec::new() }.select(names)?)
}
