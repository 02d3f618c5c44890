//! The facts of a cluster, wherever they come from, as one snapshot.

use crate::error::Error;
use crate::files;
use crate::flags::{Source, SourceArgs};
use crate::live;
use crate::session::Session;
use crate::views::counted;
use jiff::SignedDuration;
use mapper::Snapshot;
use std::fmt;
use std::path::Path;

/// A cluster as it was captured.
pub(crate) struct Facts {
    pub(crate) snapshot: Snapshot,
    /// How old stored metrics were, where the run needed them.
    pub(crate) metrics_age: Option<SignedDuration>,
    /// What is missing from the snapshot, and why.
    pub(crate) notes: Vec<Note>,
}

/// Something to know about a run that goes on.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) hint: Option<String>,
}

impl Note {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "note: {}", self.text)?;
        match &self.hint {
            Some(hint) => writeln!(f, "  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Session<'_, '_> {
    /// The facts of the cluster that the flags name; says what is missing from them.
    pub(crate) fn facts(&mut self) -> Result<Facts, Error> {
        let source = self.global.source.source()?;
        self.facts_of(&source)
    }

    /// The same for commands that can do without a cluster.
    pub(crate) fn facts_if_any(&mut self) -> Result<Option<Facts>, Error> {
        match self.global.source.source_if_any()? {
            Some(source) => self.facts_of(&source).map(Some),
            None => Ok(None),
        }
    }

    fn facts_of(&mut self, source: &Source) -> Result<Facts, Error> {
        let mut facts = match source {
            Source::File(path) => {
                Facts { snapshot: from_file(path)?, metrics_age: None, notes: Vec::new() }
            }
            Source::Live(servers) => live::capture(servers, &self.global.talk)?,
        };
        facts.snapshot = with_storage(facts.snapshot, &self.global.source)?;
        facts.notes.extend(on_the_move(&facts.snapshot));
        if !self.global.talk.quiet {
            facts.notes.iter().try_for_each(|note| self.say(note))?;
        }
        Ok(facts)
    }
}

/// Running reassignments: what they end in is what a plan starts from.
fn on_the_move(snapshot: &Snapshot) -> Option<Note> {
    let mut moving = snapshot.topics().iter().flat_map(|topic| {
        let of_topic = topic.partitions.iter().filter(|partition| partition.is_moving());
        of_topic.map(|partition| format!("{}-{}", topic.name, partition.id))
    });
    let first = moving.next()?;
    let count = counted(moving.count() + 1, "partition");
    let text = format!("being reassigned: {count}, {first} the first; a plan leaves them alone");
    let hint =
        Some("wait for them, or cancel them, and plan again to have them looked at".to_owned());
    Some(Note { text, hint })
}

/// A snapshot file's cluster.
fn from_file(path: &Path) -> Result<Snapshot, Error> {
    let text = files::read(path)?;
    Snapshot::from_json(&text).map_err(|problem| Error::Snapshot { path: path.to_owned(), problem })
}

fn with_storage(snapshot: Snapshot, args: &SourceArgs) -> Result<Snapshot, Error> {
    let Some(storage) = &args.broker_storage else {
        return Ok(snapshot);
    };
    let capacities = storage.capacities()?;
    let unknown: Vec<_> =
        capacities.keys().copied().filter(|id| snapshot.broker(*id).is_none()).collect();
    if unknown.is_empty() {
        Ok(snapshot.with_broker_storage(&capacities))
    } else {
        let known = crate::flags::known_brokers(&snapshot);
        Err(Error::UnknownBrokers { unknown, known })
    }
}
