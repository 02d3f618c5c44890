//! The facts of a cluster, wherever they come from, as one snapshot.

use crate::error::Error;
use crate::files;
use crate::flags::{Source, SourceArgs};
use crate::live;
use crate::maps::Maps;
use crate::pods::Pods;
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
    /// Where its brokers run, where Kubernetes was asked.
    pub(crate) pods: Option<Pods>,
}

impl Facts {
    pub(crate) fn new(snapshot: Snapshot, notes: Vec<Note>) -> Self {
        Self { snapshot, metrics_age: None, notes, pods: None }
    }
}

/// All that there is to know before anything is resolved.
pub(crate) struct Around {
    pub(crate) facts: Option<Facts>,
    pub(crate) pods: Option<Pods>,
    pub(crate) maps: Maps,
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

    /// The facts of the cluster as a planning command sees it: completed by Kubernetes, if flags or maps name that.
    pub(crate) fn facts_of_plan(&mut self) -> Result<Facts, Error> {
        let source = self.global.source.source()?;
        self.look_around(Some(&source))?.facts.ok_or(Error::NoSource)
    }

    /// The same for commands that can do without a cluster.
    pub(crate) fn facts_if_any(&mut self) -> Result<Option<Facts>, Error> {
        match self.global.source.source_if_any()? {
            Some(source) => self.facts_of(&source).map(Some),
            None => Ok(None),
        }
    }

    /// The facts of the cluster, completed by Kubernetes, and the maps with the brokers that it knows for them.
    pub(crate) fn facts_with_maps(&mut self) -> Result<(Facts, Maps), Error> {
        let source = self.global.source.source()?;
        let Around { facts, pods, maps } = self.look_around(Some(&source))?;
        let facts = facts.ok_or(Error::NoSource)?;
        if let Some(pods) = &pods {
            pods.refuse_errors()?;
        }
        Ok((Facts { pods, ..facts }, maps))
    }

    /// The same for commands that can do without a cluster, and say what is wrong themselves.
    pub(crate) fn look_around(&mut self, source: Option<&Source>) -> Result<Around, Error> {
        let set = self.map_set()?;
        let mut facts = source.map(|source| self.facts_of(source)).transpose()?;
        let pods = self.pods(&set, source)?;
        if let (Some(facts), Some(pods)) = (&mut facts, &pods) {
            if let Some(note) =
                pods.note_on_volumes(&facts.snapshot).filter(|_| !self.global.talk.logs.quiet)
            {
                self.say(&note)?;
            }
            facts.snapshot = pods.complete(facts.snapshot.clone())?;
        }
        let groups = pods.as_ref().map(Pods::groups).unwrap_or_default();
        Ok(Around { facts, pods, maps: Maps::new(set, groups) })
    }

    fn facts_of(&mut self, source: &Source) -> Result<Facts, Error> {
        let mut facts = match source {
            Source::File(path) => Facts::new(from_file(path)?, Vec::new()),
            Source::Live(servers) => live::capture(servers, &self.global.talk)?,
        };
        facts.snapshot = with_storage(facts.snapshot, &self.global.source)?;
        facts.notes.extend(on_the_move(&facts.snapshot));
        if !self.global.talk.logs.quiet {
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
pub(crate) fn from_file(path: &Path) -> Result<Snapshot, Error> {
    let text = files::read(path)?;
    Snapshot::from_json(&text).map_err(|problem| Error::Snapshot { path: path.to_owned(), problem })
}

/// The snapshot with the capacities of `--broker-storage`.
pub(crate) fn with_storage(snapshot: Snapshot, args: &SourceArgs) -> Result<Snapshot, Error> {
    let Some(storage) = &args.broker_storage else {
        return Ok(snapshot);
    };
    let capacities = storage.capacities()?;
    // What is only in replica lists is lost: its capacity counts for nothing, and naming it is no mistake.
    let known = crate::flags::known_brokers(&snapshot);
    let unknown: Vec<_> = capacities.keys().copied().filter(|id| !known.contains(id)).collect();
    if unknown.is_empty() {
        Ok(snapshot.with_broker_storage(&capacities))
    } else {
        Err(Error::UnknownBrokers { unknown, known })
    }
}
