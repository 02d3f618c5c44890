//! Laws of topic definitions. Topics without a definition are never touched, new topics are spread evenly, a second run
//! does nothing, and applying an export changes nothing.

use crate::config;
use mapper::maps::{MapFacts, MapSet, resolve};
use mapper::snapshot::{Broker, Partition, Parts, Topic};
use mapper::{
    Assignment, BrokerId, PartitionId, PlaceBy, PlanTerms, Ratio, Rebuild, Replicas, Request,
    Snapshot, TopicId,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use topics::{
    Definitions, Exported, Mapped, Observed, Options, PruneLimits, TopicChanges, TopicState,
    TopicsRunRecord, decide, export, within,
};

/// Two maps over two or three racks. Topics of `a` and `b`, and others in no map.
const MAPS: &str =
    "a: \"a-.*\" => [1..6], allow=[no-topics]\nb: \"b-.*\" => [7..12], allow=[no-topics]";

#[derive(Debug, Clone)]
struct Case {
    racks: u32,
    existing: BTreeMap<String, There>,
    defined: BTreeMap<String, Wish>,
    /// The topics that earlier runs have recorded as their own.
    owned: BTreeSet<usize>,
    recreate: bool,
    max_deletes: usize,
}

#[derive(Debug, Clone)]
struct There {
    partitions: u32,
    replication: u32,
    seed: u32,
    config: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Wish {
    partitions: u32,
    replication: u32,
    config: BTreeMap<String, String>,
}

fn some_config() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key =
        prop_oneof![Just("retention.ms"), Just("segment.ms"), Just("min.cleanable.dirty.ratio")];
    btree_map(key.prop_map(str::to_owned), prop_oneof!["[1-9]", Just("0.50".to_owned())], 0..3)
}

fn case() -> impl Strategy<Value = Case> {
    let there = (1_u32..5, 1_u32..4, any::<u32>(), some_config()).prop_map(
        |(partitions, replication, seed, config)| There { partitions, replication, seed, config },
    );
    let wish = (1_u32..7, 1_u32..4, some_config())
        .prop_map(|(partitions, replication, config)| Wish { partitions, replication, config });
    (
        1_u32..4,
        btree_map("[abx]-[0-5]", there, 0..8),
        btree_map("[ab]-[0-9]", wish, 0..8),
        proptest::collection::btree_set(0_usize..8, 0..4),
        any::<bool>(),
        0_usize..3,
    )
        .prop_map(|(racks, existing, defined, owned, recreate, max_deletes)| Case {
            racks,
            existing,
            defined,
            owned,
            recreate,
            max_deletes,
        })
}

impl Case {
    fn snapshot(&self) -> Snapshot {
        let rack = |id: u32| Some(format!("rack-{}", id % self.racks));
        let broker = |id: u32| Broker { rack: rack(id), ..Broker::new(BrokerId(id)) };
        let topic = |(name, there): (&String, &There)| Topic {
            name: name.clone(),
            config: there.config.clone(),
            partitions: (0..there.partitions)
                .map(|id| {
                    let seats =
                        (0..there.replication).map(|seat| (there.seed % 12 + id + seat) % 12 + 1);
                    Partition::new(PartitionId(id), seats.map(BrokerId))
                })
                .collect(),
            ..Topic::default()
        };
        Snapshot::new(Parts {
            brokers: (1..=12).map(broker).collect(),
            topics: self.existing.iter().map(topic).collect(),
            ..Parts::default()
        })
        .unwrap()
    }

    fn document(&self) -> String {
        let mut text = "version: 1\ntopics:\n".to_owned();
        if self.defined.is_empty() {
            text = "version: 1\ntopics: []\n".to_owned();
        }
        for (name, wish) in &self.defined {
            let config: Vec<String> =
                wish.config.iter().map(|(k, v)| format!("{k}: {v}")).collect();
            text += &format!(
                "  - {{name: {name}, partitions: {}, replication: {}, config: {{{}}}}}\n",
                wish.partitions,
                wish.replication,
                config.join(", ")
            );
        }
        text
    }

    fn state(&self) -> TopicsRunRecord {
        let owned = self.existing.keys().enumerate().filter(|(at, _)| self.owned.contains(at));
        let topic = |(_, name): (usize, &String)| {
            let id = Some(id(name));
            (name.clone(), TopicState { id, owned: true, ..TopicState::default() })
        };
        TopicsRunRecord { topics: owned.map(topic).collect(), ..TopicsRunRecord::default() }
    }

    fn options(&self) -> Options {
        let prune = Some(PruneLimits { after_seconds: 0, max: self.max_deletes });
        Options { prune, recreate: self.recreate, only: Vec::new() }
    }
}

/// The request that `topics apply` sends to a planner.
fn rebuild(assignments: Vec<Assignment>) -> Rebuild {
    Rebuild::new(PlanTerms::new(assignments, Ratio::ZERO), PlaceBy::Count)
}

fn id(name: &str) -> TopicId {
    TopicId(format!("id-{name}"))
}

/// Decides, and passes on the input of the decision.
fn decided<T>(
    document: &str,
    snapshot: &Snapshot,
    state: &mut TopicsRunRecord,
    options: &Options,
    then: impl FnOnce(&Definitions, &[Mapped<'_>], TopicChanges) -> T,
) -> T {
    let definitions = Definitions::read([("t.yaml", document)]).unwrap();
    // Parsed once, because regexes take longer than everything else.
    static PARSED: LazyLock<MapSet> = LazyLock::new(|| MapSet::parse("maps", MAPS).unwrap());
    let maps = &*PARSED;
    let known = MapFacts { defined_topics: definitions.names(), ..MapFacts::of(snapshot) };
    let resolved = resolve(maps, &known);
    let topics = within(&definitions, maps, &resolved, snapshot).unwrap();
    let ids = snapshot.topics().iter().map(|t| (t.name.clone(), id(&t.name))).collect();
    let ends = |topic: &Topic| topic.partitions.iter().map(|p| (p.id, 0)).collect();
    let end_offsets = snapshot.topics().iter().map(|t| (t.name.clone(), ends(t))).collect();
    *state = state.held_against(snapshot, &ids, &definitions);
    let (untold, replicas) = (BTreeSet::new(), BTreeMap::new());
    let observed = Observed {
        snapshot,
        ids: &ids,
        configs_untold: &untold,
        end_offsets: &end_offsets,
        replicas: &replicas,
        now: 0,
    };
    let decision = decide(&definitions, &topics, &observed, state, options);
    then(&definitions, &topics, decision)
}

/// Every topic that a decision would change.
fn touched(decision: &TopicChanges) -> BTreeSet<&str> {
    let deleted = decision.prune.iter().filter(|prune| prune.refusal.is_none());
    let names = decision.create.iter().map(|c| c.topic.as_str());
    names
        .chain(decision.grow.iter().map(|g| g.topic.as_str()))
        .chain(decision.configs.iter().map(|c| c.topic.as_str()))
        .chain(decision.moves.iter().map(|m| m.topic.as_str()))
        .chain(deleted.map(|prune| prune.topic.as_str()))
        .collect()
}

/// The cluster after everything that needs no plan.
fn after(snapshot: &Snapshot, decision: &TopicChanges) -> Snapshot {
    let mut parts = snapshot.clone().into_parts();
    for new in &decision.create {
        let partitions =
            new.partitions().map(|(id, list)| Partition::new(id, list.iter().copied()));
        parts.topics.push(Topic {
            name: new.topic.clone(),
            config: new.config.clone(),
            partitions: partitions.collect(),
            ..Topic::default()
        });
    }
    for topic in &mut parts.topics {
        for grow in decision.grow.iter().filter(|grow| grow.topic == topic.name) {
            let lists = (grow.from..).map(PartitionId).zip(&grow.replicas);
            topic.partitions.extend(lists.map(|(id, l)| Partition::new(id, l.iter().copied())));
        }
        for change in decision.configs.iter().filter(|change| change.topic == topic.name) {
            topic.config.extend(change.set.clone());
            topic.config.retain(|key, _| !change.unset.contains(key));
        }
    }
    let deleted =
        |topic: &Topic| decision.prune.iter().any(|p| p.topic == topic.name && p.refusal.is_none());
    parts.topics.retain(|topic| !deleted(topic));
    Snapshot::new(parts).unwrap()
}

/// The highest and the lowest count among these brokers.
fn spread(counts: &BTreeMap<BrokerId, usize>, brokers: impl Iterator<Item = BrokerId>) -> usize {
    let counts: Vec<usize> = brokers.map(|id| counts.get(&id).copied().unwrap_or(0)).collect();
    counts.iter().max().unwrap() - counts.iter().min().unwrap()
}

proptest! {
    #![proptest_config(Config { cases: config().cases.div_ceil(4), ..config() })]

    #[test]
    fn what_nobody_defines_is_touched_only_if_it_is_its_own_and_to_be_pruned(case in case()) {
        let snapshot = case.snapshot();
        let before = case.state();
        let (mut state, options) = (before.clone(), case.options());
        // The second run may delete. The first one only starts to count the time.
        for _ in 0..2 {
            decided(&case.document(), &snapshot, &mut state, &options, |definitions, _, decision| {
                let deletes = decision.prune.iter().filter(|p| p.refusal.is_none());
                let mine = |name: &str| before.topics.contains_key(name);
                for prune in deletes.clone() {
                    prop_assert!(mine(&prune.topic) && definitions.get(&prune.topic).is_none());
                }
                prop_assert!(deletes.clone().count() <= case.max_deletes);
                let deleted: BTreeSet<&str> = deletes.map(|p| p.topic.as_str()).collect();
                for name in touched(&decision) {
                    prop_assert!(definitions.get(name).is_some() || deleted.contains(name), "{}", name);
                }
                // The planned topics match the definitions, too.
                let kept = decision.moves.iter().all(|m| definitions.get(&m.topic).is_some());
                prop_assert!(kept);
                Ok(())
            })?;
        }
    }

    #[test]
    fn the_plan_for_what_has_to_move_touches_no_topic_that_nobody_defines(case in case()) {
        let snapshot = case.snapshot();
        decided(&case.document(), &snapshot, &mut TopicsRunRecord::default(), &Options::default(), |definitions, topics, decision| {
            let request = rebuild(decision.assignments(topics));
            // If a map has too few brokers or racks, there is no plan to check.
            if let Ok(plan) = mapper::plan(&snapshot, &Request::Rebuild(request)) {
                for change in &plan.moves {
                    prop_assert!(definitions.get(&change.topic).is_some(), "{}", change.topic);
                    prop_assert!(decision.moves.iter().any(|moving| *moving.topic == *change.topic));
                }
                prop_assert_eq!(plan.moves.is_empty(), decision.moves.is_empty());
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_second_run_changes_nothing(case in case()) {
        let snapshot = case.snapshot();
        let (mut state, options) = (TopicsRunRecord::default(), Options::default());
        let then = decided(&case.document(), &snapshot, &mut state, &options, |_, _, decision| after(&snapshot, &decision));
        decided(&case.document(), &then, &mut state, &options, |_, _, decision| {
            prop_assert!(decision.create.is_empty() && decision.grow.is_empty(), "{:?}", decision);
            prop_assert!(decision.configs.is_empty(), "{:?}", decision.configs);
            Ok(())
        })?;
    }

    #[test]
    fn every_new_partition_lies_on_its_maps_brokers_over_as_many_racks_as_can_be(case in case()) {
        let snapshot = case.snapshot();
        decided(&case.document(), &snapshot, &mut TopicsRunRecord::default(), &Options::default(), |_, topics, decision| {
            let new = decision.create.iter().flat_map(|c| c.replicas.iter().map(move |list| (&c.topic, list)));
            let more = decision.grow.iter().flat_map(|g| g.replicas.iter().map(move |list| (&g.topic, list)));
            for (name, list) in new.chain(more) {
                let mapped = topics.iter().find(|t| t.definition.name == *name).unwrap();
                let allowed: BTreeSet<BrokerId> = mapped.map.brokers.iter().map(|b| b.id).collect();
                let distinct: BTreeSet<BrokerId> = list.iter().copied().collect();
                prop_assert_eq!(distinct.len(), list.len());
                prop_assert!(distinct.is_subset(&allowed));
                let racks: BTreeSet<u32> = list.iter().map(|id| id.0 % case.racks).collect();
                prop_assert_eq!(racks.len(), list.len().min(case.racks as usize));
            }
            Ok(())
        })?;
    }

    #[test]
    fn from_nothing_leaders_and_replicas_are_within_one_of_even(
        racks in 1_u32..4,
        topics in vec((1_u32..9, 1_u32..4), 1..25),
    ) {
        let mut case = Case { racks, existing: BTreeMap::new(), defined: BTreeMap::new(), owned: BTreeSet::new(), recreate: false, max_deletes: 0 };
        for (at, (partitions, replication)) in topics.into_iter().enumerate() {
            let name = format!("{}-{at}", ["a", "b"][at % 2]);
            case.defined.insert(name, Wish { partitions, replication, config: BTreeMap::new() });
        }
        let snapshot = case.snapshot();
        decided(&case.document(), &snapshot, &mut TopicsRunRecord::default(), &Options::default(), |_, topics, decision| {
            let (mut replicas, mut leaders) = (BTreeMap::new(), BTreeMap::new());
            for list in decision.create.iter().flat_map(|c| &c.replicas) {
                let list: &Replicas = list;
                *leaders.entry(list[0]).or_insert(0) += 1;
                for id in list {
                    *replicas.entry(*id).or_insert(0) += 1;
                }
            }
            for map in topics.iter().map(|t| t.map) {
                let ids = || map.brokers.iter().map(|broker| broker.id);
                prop_assert!(spread(&replicas, ids()) <= 1, "replicas {:?}", replicas);
                prop_assert!(spread(&leaders, ids()) <= 1, "leaders {:?}", leaders);
            }
            Ok(())
        })?;
    }

    #[test]
    fn an_export_applied_changes_nothing(case in case()) {
        let mut case = case;
        // Topics in no map cannot be defined, and the moves of a plan are not a change of this kind.
        case.existing.retain(|name, _| !name.starts_with('x'));
        let snapshot = case.snapshot();
        let topics = export(&snapshot, |_| true);
        let document = Exported::of(&topics).to_string();
        decided(&document, &snapshot, &mut TopicsRunRecord::default(), &Options::default(), |definitions, _, decision| {
            prop_assert_eq!(definitions.names().len(), snapshot.topics().len());
            let TopicChanges { create, grow, configs, held, prune, .. } = decision;
            prop_assert!(create.is_empty() && grow.is_empty() && configs.is_empty());
            prop_assert!(held.is_empty() && prune.is_empty());
            Ok(())
        })?;
    }
}
