//! The facts about a cluster, from any source, as one snapshot.

use crate::error::Error;
use crate::flags::SourceArgs;
use crate::session::Session;
use ::kubernetes::Kubernetes;
use mapper::Snapshot;
use mapper::maps::MapSet;
use operate::cluster::Source;
use operate::events::Note;
use operate::live::{self, Facts};
use operate::maps::Maps;
use operate::pods::{Pods, Search, config_map, documents_of};
use operate::runtime;
use operate::words::counted;
use std::path::Path;

/// All facts that are needed before anything is resolved.
pub(crate) struct Around {
    pub(crate) facts: Option<Facts>,
    pub(crate) pods: Option<Pods>,
    pub(crate) maps: Maps,
}

impl Session<'_, '_> {
    /// The facts about the cluster that the flags name. Reports the missing facts.
    pub(crate) fn facts(&mut self) -> Result<Facts, Error> {
        let source = self.global.source.source()?;
        self.facts_of(&source)
    }

    /// The facts for a planning command: completed from Kubernetes, if flags or maps name it.
    pub(crate) fn facts_of_plan(&mut self) -> Result<Facts, Error> {
        let source = self.global.source.source()?;
        self.look_around(Some(&source))?.facts.ok_or(Error::Operate(operate::Error::NoSource))
    }

    /// The same for commands that also work without a cluster.
    pub(crate) fn facts_if_any(&mut self) -> Result<Option<Facts>, Error> {
        match self.global.source.source_if_any()? {
            Some(source) => self.facts_of(&source).map(Some),
            None => Ok(None),
        }
    }

    /// The facts about the cluster, completed from Kubernetes, and the maps with the brokers that Kubernetes lists for
    /// them.
    pub(crate) fn facts_with_maps(&mut self) -> Result<(Facts, Maps), Error> {
        let source = self.global.source.source()?;
        let Around { facts, pods, maps } = self.look_around(Some(&source))?;
        let facts = facts.ok_or(Error::Operate(operate::Error::NoSource))?;
        if let Some(pods) = &pods {
            pods.refuse_errors()?;
        }
        Ok((Facts { pods, ..facts }, maps))
    }

    /// The same for commands that also work without a cluster, and that report problems themselves.
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
            Source::File(path) => Facts::new(live::from_file(path)?, Vec::new()),
            Source::Live(servers) => self.global.talk.captured(servers)?,
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
    /// Connects to Kafka, and reports what is notable about the properties.
    pub(crate) async fn client(
        &mut self,
        bootstrap: &str,
        properties: Option<&Path>,
    ) -> Result<kafka::Client, Error> {
        let (client, notes) = live::client(bootstrap, properties).await?;
        notes.iter().try_for_each(|note| self.say(note))?;
        Ok(client)
    }
}

/// A note about running reassignments: a plan starts from their targets.
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
    /// The maps that the flags name.
    pub(crate) fn map_set(&self) -> Result<MapSet, Error> {
        let access = self.global.kubernetes.access(self.environment);
        self.global.maps.read(|name| Ok(runtime::wait(config_map(&access, name))??))
    }

    /// The same for a caller that is already in an async task.
    pub(crate) async fn map_set_with(&self, kubernetes: &Kubernetes) -> Result<MapSet, Error> {
        let Some(name) = self.global.maps.config_map() else {
            return self.global.maps.read(|_| Ok(Vec::new()));
        };
        let documents = documents_of(kubernetes, name).await?;
        self.global.maps.read(|_| Ok(documents))
    }

    /// The broker pods, if this run needs them. With a snapshot file, Kubernetes is asked only if a flag names it.
    pub(crate) fn pods(
        &self,
        set: &MapSet,
        source: Option<&Source>,
    ) -> Result<Option<Pods>, Error> {
        let flags = &self.global.kubernetes;
        let access = flags.access(self.environment);
        let search = Search::new(access, set, flags.pod_labels(), flags.rules());
        let named = flags.is_named() || self.global.maps.are_in_config_map();
        let asked = match source {
            None => search.has_groups(),
            Some(Source::File(_)) => named && search.has_groups(),
            Some(Source::Live(_)) => named || search.has_groups(),
        };
        if !asked {
            return Ok(None);
        }
        self.global.talk.log();
        match runtime::wait(Pods::find(search, set, source.is_some()))? {
            // No flag names Kubernetes: the maps then report which brokers they lack.
            Err(operate::Error::Kubernetes(error))
                if !named && matches!(*error, ::kubernetes::Error::NoConfig) =>
            {
                Ok(None)
            }
            found => Ok(Some(found?)),
        }
    }
}
