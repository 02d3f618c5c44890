//! The facts about a cluster, from any source, as one snapshot.

use crate::error::Error;
use crate::flags::SourceArgs;
use crate::load_folder::LoadInUse;
use crate::lost::LostBroker;
use crate::session::Session;
use crate::views::{Caution, PodProblems};
use health::readiness::Force;
use jiff::SignedDuration;
use local::Note;
use local::files::Document;
use local::maps::Maps;
use local::source::{self, Servers, Source};
use local::words::counted;
use mapper::maps::{Group, Map, MapSet, Members};
use mapper::{BrokerId, Snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A captured cluster.
pub(crate) struct Facts {
    pub(crate) snapshot: Snapshot,
    /// The age of stored metrics, if the run needed them.
    pub(crate) metrics_age: Option<SignedDuration>,
    /// What is missing from the snapshot, and why.
    pub(crate) notes: Vec<Note>,
    /// The broker pods, if the run asked Kubernetes.
    pub(crate) pods: Option<Box<dyn PodKnowledge>>,
    /// The recorded load whose rates the snapshot has, if a flag names it.
    pub(crate) load: Option<LoadInUse>,
}

impl Facts {
    /// A captured cluster without information about pods.
    pub(crate) fn new(snapshot: Snapshot, notes: Vec<Note>) -> Self {
        Self { snapshot, metrics_age: None, notes, pods: None, load: None }
    }
}

/// The way to everything that is in no file. A build that plans from files only has none.
pub(crate) trait ServerReach {
    /// The cluster behind these servers, now. `rates`: how long to measure what producers write first, if at all.
    fn capture(
        &self,
        servers: &Servers,
        rates: Option<Duration>,
        session: &Session<'_, '_>,
    ) -> Result<Facts, Error>;
    /// The broker pods, if this run needs them. With a snapshot file, Kubernetes is asked only if a flag names it.
    fn pods(
        &self,
        set: &MapSet,
        source: Option<&Source>,
        session: &Session<'_, '_>,
    ) -> Result<Option<Box<dyn PodKnowledge>>, Error>;
    /// The documents of a ConfigMap.
    fn config_map(&self, name: &str, session: &Session<'_, '_>) -> Result<Vec<Document>, Error>;
}

/// What Kubernetes knows about brokers.
pub(crate) trait PodKnowledge: Send + Sync {
    /// The snapshot with these facts.
    fn complete(&self, snapshot: Snapshot) -> Result<Snapshot, Error>;
    /// The members of the groups in the maps.
    fn groups(&self) -> BTreeMap<Group, Members>;
    /// # Errors
    /// The findings that rule out a correct plan.
    fn refuse_errors(&self) -> Result<(), Error>;
    /// A note on volume sizes; call it before the snapshot is completed.
    fn note_on_volumes(&self, cluster: &Snapshot) -> Option<Note>;
    /// Warnings about the pods of a plan's brokers.
    fn cautions(&self, cluster: &Snapshot) -> Vec<Caution>;
    /// What becomes of these lost brokers; `new` are live brokers without replicas.
    fn fates(&self, lost: &BTreeSet<BrokerId>, new: &[BrokerId]) -> Result<Vec<LostBroker>, Error>;
    /// Problems of the pods of these maps.
    fn problems(&self, cluster: Option<&Snapshot>, maps: &[Map]) -> PodProblems;
    /// What counts as ready by force, and the entries that cannot be read.
    fn forced(&self) -> (Vec<Force>, Vec<String>);
}

/// All facts that are needed before anything is resolved.
pub(crate) struct Around {
    pub(crate) facts: Option<Facts>,
    pub(crate) pods: Option<Box<dyn PodKnowledge>>,
    pub(crate) maps: Maps,
}

impl Session<'_, '_> {
    /// The facts for a planning command: completed from Kubernetes, if flags or maps name it.
    pub(crate) fn facts_of_plan(&mut self) -> Result<Facts, Error> {
        let source = self.global.source.source()?;
        self.look_around(Some(&source))?.facts.ok_or(Error::from(local::Error::NoSource))
    }

    /// The same for commands that also work without a cluster.
    pub(crate) fn facts_if_any(&mut self) -> Result<Option<Facts>, Error> {
        match self.global.source.source_if_any()? {
            Some(source) => self.facts_of(&source, None).map(Some),
            None => Ok(None),
        }
    }

    /// The facts about the cluster, completed from Kubernetes, and the maps with the brokers that Kubernetes lists for
    /// them.
    pub(crate) fn facts_with_maps(&mut self) -> Result<(Facts, Maps), Error> {
        self.measured_facts(None)
    }

    /// The same with the rates of producers, measured for this time, if one is given.
    pub(crate) fn measured_facts(
        &mut self,
        rates: Option<Duration>,
    ) -> Result<(Facts, Maps), Error> {
        let source = self.global.source.source()?;
        let Around { facts, pods, maps } = self.look_longer(Some(&source), rates)?;
        let facts = facts.ok_or(local::Error::NoSource)?;
        if let Some(pods) = &pods {
            pods.refuse_errors()?;
        }
        Ok((Facts { pods, ..facts }, maps))
    }

    /// The same for commands that also work without a cluster, and that report problems themselves.
    pub(crate) fn look_around(&mut self, source: Option<&Source>) -> Result<Around, Error> {
        self.look_longer(source, None)
    }

    fn look_longer(
        &mut self,
        source: Option<&Source>,
        rates: Option<Duration>,
    ) -> Result<Around, Error> {
        let set = self.map_set()?;
        let mut facts = source.map(|source| self.facts_of(source, rates)).transpose()?;
        let pods = self.pods(&set, source)?;
        if let (Some(facts), Some(pods)) = (&mut facts, &pods) {
            if let Some(note) =
                pods.note_on_volumes(&facts.snapshot).filter(|_| !self.global.talk.logs.quiet)
            {
                self.say(&note)?;
            }
            facts.snapshot = pods.complete(facts.snapshot.clone())?;
        }
        let groups = pods.as_ref().map(|pods| pods.groups()).unwrap_or_default();
        Ok(Around { facts, pods, maps: Maps::new(set, groups) })
    }

    /// The cluster of this source; of a file, without notes on what is in it.
    pub(crate) fn unnoted(&mut self, source: &Source) -> Result<Snapshot, Error> {
        match source {
            Source::File(path) => Ok(source::snapshot(path)?),
            Source::Live(_) => Ok(self.facts_of(source, None)?.snapshot),
        }
    }

    fn facts_of(&mut self, source: &Source, rates: Option<Duration>) -> Result<Facts, Error> {
        if let Some(during) = rates {
            self.announce_measurement(source, during)?;
        }
        let mut facts = match source {
            Source::File(path) => Facts::new(source::snapshot(path)?, Vec::new()),
            Source::Live(servers) => self.reach()?.capture(servers, rates, self)?,
        };
        facts.snapshot = with_storage(facts.snapshot, &self.global.source)?;
        facts.notes.extend(on_the_move(&facts.snapshot));
        if !self.global.talk.logs.quiet {
            facts.notes.iter().try_for_each(|note| self.say(note))?;
        }
        Ok(facts)
    }
}

impl Session<'_, '_> {
    /// The run is silent for a while: says why. Only brokers can be measured.
    pub(crate) fn announce_measurement(
        &mut self,
        source: &Source,
        during: Duration,
    ) -> Result<(), Error> {
        if !matches!(source, Source::Live(Servers::Kafka { .. })) {
            let message =
                "--rates measures a live cluster: name it with --bootstrap-server HOST:PORT";
            return Err(Error::flags(message));
        }
        if self.global.talk.logs.quiet {
            return Ok(());
        }
        self.say(&Note::new(format!("measuring traffic for {} s ...", during.as_secs())))
    }
}

/// A note about running reassignments: a plan starts from their targets.
fn on_the_move(snapshot: &Snapshot) -> Option<Note> {
    let moving = snapshot.moving();
    let first = moving.first()?;
    let count = counted(moving.len(), "partition");
    let text = format!("being reassigned: {count}, {first} the first; a plan leaves them alone");
    let hint =
        Some("wait for them, or cancel them, and plan again to have them looked at".to_owned());
    Some(Note { text, hint })
}

/// The snapshot with the capacities of `--broker-storage`.
pub(crate) fn with_storage(snapshot: Snapshot, args: &SourceArgs) -> Result<Snapshot, Error> {
    let Some(storage) = &args.broker_storage else {
        return Ok(snapshot);
    };
    let capacities = storage.capacities()?;
    // A broker that is only in replica lists is lost. Its capacity is ignored, but naming it is not a mistake.
    let known = crate::flags::known_brokers(&snapshot);
    let unknown: Vec<_> = capacities.keys().copied().filter(|id| !known.contains(id)).collect();
    if unknown.is_empty() {
        Ok(snapshot.with_broker_storage(&capacities))
    } else {
        Err(Error::UnknownBrokers { unknown, known })
    }
}

impl Session<'_, '_> {
    /// The way to servers.
    fn reach(&self) -> Result<&'static dyn ServerReach, Error> {
        self.reach.ok_or_else(|| Error::FilesOnly("this command asks servers".to_owned()))
    }

    /// The maps that the flags name.
    pub(crate) fn map_set(&self) -> Result<MapSet, Error> {
        self.global.maps.read(|name| self.reach()?.config_map(name, self))
    }

    /// The broker pods, if this run needs them.
    pub(crate) fn pods(
        &self,
        set: &MapSet,
        source: Option<&Source>,
    ) -> Result<Option<Box<dyn PodKnowledge>>, Error> {
        // Without Kubernetes, the maps report which brokers they lack.
        self.reach.map_or(Ok(None), |reach| reach.pods(set, source, self))
    }
}
