//! Helpers for several tests of definitions.

use crate::Definitions;

/// The definitions of a valid document.
pub(crate) fn definitions(text: &str) -> Definitions {
    Definitions::read([("test.yaml", text)]).unwrap_or_else(|errors| panic!("{:#?}", errors.0))
}

/// The mistakes of an invalid document.
pub(crate) fn mistakes(text: &str) -> Vec<String> {
    match Definitions::read([("test.yaml", text)]) {
        Ok(read) => panic!("accepted: {read:?}"),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

use crate::decide::{Observed, Options, TopicChanges, decide};
use crate::prune::EndOffsets;
use crate::within::within;
use crate::{DefinitionErrors, Deployment, DeploymentReplicas, TopicsRunRecord};
use mapper::maps::{MapFacts, MapSet, resolve};
use mapper::snapshot::{Broker, Partition, Parts, Snapshot, Topic};
use mapper::{BrokerId, PartitionId, Replicas, TopicId};
use std::collections::{BTreeMap, BTreeSet};

/// Brokers 1..9 in three racks; `m1` has 1..6, `m2` the rest.
pub(crate) const MAPS: &str =
    "m1: \"events.*\" => [1..6], allow=[no-topics]\nm2: \"logs.*\" => [7..9], allow=[no-topics]";

/// A topic: the replicas of its partitions, and its configs.
type There = (Vec<Vec<u32>>, BTreeMap<String, String>);

/// A cluster with definitions: its topics, the record of earlier runs, and the time.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) topics: BTreeMap<String, There>,
    pub(crate) state: TopicsRunRecord,
    pub(crate) end_offsets: BTreeMap<String, EndOffsets>,
    /// Topics that another tool deleted and created again: their ids differ.
    pub(crate) remade: BTreeSet<String>,
    pub(crate) replicas: DeploymentReplicas,
    pub(crate) now: i64,
}

impl World {
    pub(crate) fn with(mut self, name: &str, lists: &[&[u32]], config: &[(&str, &str)]) -> Self {
        let lists = lists.iter().map(|list| list.to_vec()).collect();
        let config = config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.topics.insert(name.to_owned(), (lists, config));
        self
    }

    /// A Deployment in the namespace `shop`.
    pub(crate) fn scale(&mut self, name: &str, replicas: u32) {
        let deployment = Deployment { namespace: "shop".to_owned(), name: name.to_owned() };
        self.replicas.insert(deployment, replicas);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let rack = |id: u32| Some(["a", "b", "c"][id as usize % 3].to_owned());
        let broker = |id| Broker { rack: rack(id), ..Broker::new(BrokerId(id)) };
        let topic = |(name, (lists, config)): (&String, &There)| Topic {
            name: name.clone(),
            config: config.clone(),
            partitions: (0..)
                .zip(lists)
                .map(|(id, l)| Partition::new(PartitionId(id), l.iter().copied().map(BrokerId)))
                .collect(),
            ..Topic::default()
        };
        let (brokers, topics) =
            ((1..10).map(broker).collect(), self.topics.iter().map(topic).collect());
        Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap()
    }

    pub(crate) fn ids(&self) -> BTreeMap<String, TopicId> {
        let again = |name: &String| if self.remade.contains(name) { "again" } else { "" };
        let id = |name: &String| (name.clone(), TopicId(format!("id-{name}{}", again(name))));
        self.topics.keys().map(id).collect()
    }

    /// Makes the decision; the record is as a run would write it before it changes anything.
    pub(crate) fn decide(
        &mut self,
        text: &str,
        options: &Options,
    ) -> Result<TopicChanges, DefinitionErrors> {
        let (definitions, snapshot, ids) = (definitions(text), self.snapshot(), self.ids());
        let maps = MapSet::parse("maps", MAPS).unwrap();
        let known = MapFacts { defined_topics: definitions.names(), ..MapFacts::of(&snapshot) };
        let resolved = resolve(&maps, &known);
        let topics = within(&definitions, &maps, &resolved, &snapshot)?;
        self.state = self.state.held_against(&snapshot, &ids, &definitions);
        let observed = Observed {
            snapshot: &snapshot,
            ids: &ids,
            configs_untold: &BTreeSet::new(),
            end_offsets: &self.end_offsets,
            replicas: &self.replicas,
            now: self.now,
        };
        Ok(decide(&definitions, &topics, &observed, &mut self.state, options))
    }

    /// Makes all changes that are possible at once, as a run without failures.
    pub(crate) fn carry_out(&mut self, decision: &TopicChanges) {
        let raw = |list: &Replicas| list.iter().map(|id| id.0).collect::<Vec<u32>>();
        for new in &decision.create {
            let lists = new.replicas.iter().map(raw).collect();
            self.state.intend_to_create(&new.topic, &new.replicas, &new.config);
            self.topics.insert(new.topic.clone(), (lists, new.config.clone()));
            self.state.done(&new.topic, self.ids().get(&new.topic));
        }
        for grow in &decision.grow {
            let lists = &mut self.topics.get_mut(&grow.topic).unwrap().0;
            lists.extend(grow.replicas.iter().map(raw));
        }
        for change in &decision.configs {
            let id = self.ids().get(&change.topic).cloned();
            self.state.intend_to_set(&change.topic, id.as_ref(), &change.set);
            let config = &mut self.topics.get_mut(&change.topic).unwrap().1;
            config.extend(change.set.clone());
            config.retain(|key, _| !change.unset.contains(key));
            self.state.done(&change.topic, id.as_ref());
            self.state.unset(&change.topic, change.unset.iter().map(String::as_str));
        }
        for prune in decision.prune.iter().filter(|prune| prune.refusal.is_none()) {
            self.topics.remove(&prune.topic);
            self.state.forget(&prune.topic);
        }
    }
}
