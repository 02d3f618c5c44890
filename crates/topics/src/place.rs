//! Brokers for new partitions.
//!
//! The planner places them like lost replicas: first over the racks, then where the map's topics have fewest replicas,
//! then where most storage is free. Leaders are evened out exactly.

use crate::even::even;
use crate::within::Mapped;
use mapper::maps::ResolvedMap;
use mapper::snapshot::{Broker, Partition, Parts, Snapshot, Topic};
use mapper::{
    Assignment, BaseReplicas, BrokerId, NoPlan, PartitionId, PlaceBy, PlanTerms, Ratio, Rebuild,
    Replicas, TopicSelection,
};
use std::collections::{BTreeMap, BTreeSet};

/// The missing partitions of a topic.
#[derive(Clone, Copy)]
pub(crate) struct MissingPartitions<'a> {
    pub(crate) topic: &'a Mapped<'a>,
    /// The replication factor of the new partitions.
    pub(crate) replication: u32,
    /// How many partitions exist.
    pub(crate) from: u32,
    /// How many there will be.
    pub(crate) to: u32,
}

/// The new partitions' replicas, in order, or why there are none.
pub(crate) type Placed = Result<Vec<Replicas>, NoPlan>;

/// Places all missing partitions of one map's topics. Each topic gets all of its partitions, or none.
pub(crate) fn place(
    snapshot: &Snapshot,
    map: &ResolvedMap,
    wanted: &[MissingPartitions<'_>],
) -> Vec<Placed> {
    let lost: Vec<BrokerId> = map.brokers.iter().filter(|b| !b.live).map(|b| b.id).collect();
    // Kafka also places new partitions only on brokers that are not cordoned.
    let is_cordoned = |id: &BrokerId| snapshot.broker(*id).is_some_and(Broker::is_cordoned);
    let live = map.brokers.iter().filter(|b| b.live).map(|b| b.id);
    let (cordoned, live): (Vec<BrokerId>, Vec<BrokerId>) = live.partition(is_cordoned);
    let fits = |wanted: &MissingPartitions<'_>| wanted.replication as usize <= live.len();
    let mut world = World::of(snapshot, map, wanted);
    let sound: Vec<MissingPartitions<'_>> = wanted.iter().copied().filter(fits).collect();
    let mut together = world.place(&sound, &live).map(Vec::into_iter);
    wanted
        .iter()
        .map(|wanted| {
            if !fits(wanted) {
                return Err(too_few(wanted, &live, &lost, &cordoned));
            }
            match &mut together {
                Ok(placed) => Ok(placed.next().unwrap_or_default()),
                // One topic prevents the common answer: place each topic alone.
                Err(_) => {
                    world.place(&[*wanted], &live).map(|mut one| one.pop().unwrap_or_default())
                }
            }
        })
        .collect()
}

fn too_few(
    wanted: &MissingPartitions<'_>,
    live: &[BrokerId],
    lost: &[BrokerId],
    cordoned: &[BrokerId],
) -> NoPlan {
    NoPlan::TooFewBrokers {
        of: mapper::TopicPartition {
            topic: wanted.topic.definition.name.clone(),
            partition: PartitionId(wanted.from),
        },
        replication: wanted.replication as usize,
        allowed: live.to_vec(),
        lost: lost.to_vec(),
        cordoned: cordoned.to_vec(),
    }
}

/// The brokers of the cluster with the topics of one map; other topics are not counted.
struct World {
    brokers: Vec<Broker>,
    topics: BTreeMap<String, Topic>,
}

impl World {
    fn of(snapshot: &Snapshot, map: &ResolvedMap, wanted: &[MissingPartitions<'_>]) -> Self {
        let mut names: BTreeSet<&str> = map.topics.iter().flatten().map(String::as_str).collect();
        names.extend(wanted.iter().map(|wanted| wanted.topic.definition.name.as_str()));
        let topics = names.iter().filter_map(|name| snapshot.topic(name));
        Self {
            brokers: snapshot.brokers().to_vec(),
            topics: topics.map(|topic| (topic.name.clone(), bare(topic))).collect(),
        }
    }

    /// Places the partitions, and counts them from then on.
    fn place(
        &mut self,
        wanted: &[MissingPartitions<'_>],
        live: &[BrokerId],
    ) -> Result<Vec<Vec<Replicas>>, NoPlan> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let stand_ins = wanted.iter().map(|w| vec![stand_in(w, live); w.partitions().count()]);
        let before = self.with(wanted, &stand_ins.collect::<Vec<_>>())?;
        let mut lists = planned(&before, wanted, live, &PlacementStart::Empty)?;
        even(&mut lists, &before, live, self.held());
        let placed = by_topic(wanted, &lists);
        let before = self.with(wanted, &placed)?;
        let lists = planned(&before, wanted, live, &PlacementStart::From(&lists))?;
        let placed = by_topic(wanted, &lists);
        for (wanted, lists) in wanted.iter().zip(&placed) {
            self.count(wanted, lists);
        }
        Ok(placed)
    }

    /// The number of replicas on each broker.
    fn held(&self) -> BTreeMap<BrokerId, usize> {
        let mut held = BTreeMap::new();
        let partitions = self.topics.values().flat_map(|topic| &topic.partitions);
        for id in partitions.flat_map(|partition| partition.replicas.iter().copied()) {
            *held.entry(id).or_insert(0) += 1;
        }
        held
    }

    /// The same cluster with these additional partitions.
    fn with(
        &self,
        wanted: &[MissingPartitions<'_>],
        placed: &[Vec<Replicas>],
    ) -> Result<Snapshot, NoPlan> {
        let mut world = Self { brokers: self.brokers.clone(), topics: self.topics.clone() };
        for (wanted, lists) in wanted.iter().zip(placed) {
            world.count(wanted, lists);
        }
        let topics = world.topics.into_values().collect();
        let parts = Parts { brokers: world.brokers, topics, ..Parts::default() };
        Snapshot::new(parts).map_err(|problem| NoPlan::MissingFact {
            fact: "a complete list of partitions",
            what: format!("the map's topics ({problem})"),
        })
    }

    fn count(&mut self, wanted: &MissingPartitions<'_>, lists: &[Replicas]) {
        let name = wanted.name();
        let new = || Topic { name: name.to_owned(), ..Topic::default() };
        let topic = self.topics.entry(name.to_owned()).or_insert_with(new);
        let lists = wanted.partitions().zip(lists);
        topic.partitions.extend(lists.map(|(id, list)| Partition::new(id, list.iter().copied())));
    }
}

impl<'a> MissingPartitions<'a> {
    fn name(&self) -> &'a str {
        &self.topic.definition.name
    }

    fn partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (self.from..self.to).map(PartitionId)
    }
}

/// Live brokers as a placeholder, because a planner leaves out a partition without one; any of them will do.
fn stand_in(wanted: &MissingPartitions<'_>, live: &[BrokerId]) -> Replicas {
    live.iter().copied().take(wanted.replication as usize).collect()
}

/// A topic reduced to its replicas.
fn bare(topic: &Topic) -> Topic {
    let partition = |partition: &Partition| Partition { facts: None, ..partition.clone() };
    Topic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(partition).collect(),
        ..Topic::default()
    }
}

/// The start of a plan.
enum PlacementStart<'a> {
    /// Every seat of the new partitions is empty.
    Empty,
    /// The replicas are placed, and only their leaders are left to choose.
    From(&'a [Replicas]),
}

impl PlacementStart<'_> {
    fn list(&self, at: usize, seats: u32) -> Vec<Option<BrokerId>> {
        match self {
            Self::Empty => vec![None; seats as usize],
            Self::From(lists) => lists[at].iter().copied().map(Some).collect(),
        }
    }
}

/// The new partitions of all topics, one after the other.
fn all<'a>(
    wanted: &[MissingPartitions<'a>],
) -> impl Iterator<Item = (MissingPartitions<'a>, PartitionId)> {
    wanted.iter().flat_map(|wanted| wanted.partitions().map(|id| (*wanted, id)))
}

/// The planner's answer: `before` has each new partition, and only these are in scope.
fn planned(
    before: &Snapshot,
    wanted: &[MissingPartitions<'_>],
    live: &[BrokerId],
    start: &PlacementStart<'_>,
) -> Result<Vec<Replicas>, NoPlan> {
    let base = all(wanted).enumerate().map(|(at, (wanted, partition))| BaseReplicas {
        topic: wanted.name().to_owned(),
        partition,
        replicas: start.list(at, wanted.replication),
    });
    let plan = mapper::rebuild(before, &request(wanted, live, base.collect()))?;
    let moved: BTreeMap<(&str, PartitionId), &Replicas> =
        plan.moves.iter().map(|m| ((&*m.topic, m.partition), &m.to)).collect();
    let list = |(wanted, id): (MissingPartitions<'_>, PartitionId)| match moved
        .get(&(wanted.name(), id))
    {
        Some(to) => (*to).clone(),
        // The planner has left it unchanged.
        None => before.partition(wanted.name(), id).map(|p| p.replicas.clone()).unwrap_or_default(),
    };
    Ok(all(wanted).map(list).collect())
}

fn by_topic(wanted: &[MissingPartitions<'_>], lists: &[Replicas]) -> Vec<Vec<Replicas>> {
    let mut lists = lists.iter().cloned();
    wanted.iter().map(|w| lists.by_ref().take(w.partitions().count()).collect()).collect()
}

fn request(
    wanted: &[MissingPartitions<'_>],
    live: &[BrokerId],
    base: Vec<BaseReplicas>,
) -> Rebuild {
    let names = wanted.iter().map(|wanted| wanted.topic.definition.name.clone());
    let brokers = live.iter().copied().collect();
    let assignment = Assignment::new(TopicSelection::Named(names.collect()), brokers);
    // New partitions are empty, so they do not fill a full broker further.
    let terms = PlanTerms::new(vec![assignment], Ratio::ZERO);
    Rebuild { optimize_leadership: true, base, ..Rebuild::new(terms, PlaceBy::Count) }
}
