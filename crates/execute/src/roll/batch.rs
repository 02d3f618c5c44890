//! Which pods may be away together.
//!
//! The pods of a batch are of one rack, and with all of them away every partition keeps its min ISR. At most one of
//! them has a vote. A controller without a broker, a ZooKeeper server, the active controller, and a pod that is already
//! down go alone. The rest goes in [`order`], first fit: the next pod that fits joins.

use super::impact::{Spare, majority, partitions};
use super::order::{is_active, order};
use super::{Pod, RollMemory, RollScene, RollTerms, ServerRole, settled};
use crate::seen::isr;
use mapper::snapshot::{Leader, Partition};
use mapper::{BrokerId, Replicas};
use std::collections::{BTreeMap, BTreeSet};

/// How many pods may be away together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxParallel {
    /// At most this many. With 1, pods go one by one.
    Pods(usize),
    /// At most one in ten of the brokers. In addition, no broker that stays takes over more partitions than
    /// a broker leads on average: its leaders at most double. One restart alone can do as much, if one broker has
    /// all the followers.
    Auto,
}

/// `auto` restarts a tenth of the brokers together. The others then carry a ninth more on average. A cluster that
/// survives the loss of one of its racks has that in reserve many times over.
const AUTO_SHARE: usize = 10;

/// All restarts of a roll, in batches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollBatches {
    /// The pods, as indices into [`RollScene::pods`]: one batch after the other. Later looks may change it.
    pub batches: Vec<Vec<usize>>,
    /// No roll under the same rules needs fewer batches.
    pub at_least: usize,
}

/// The batches of a roll in which every broker is back and in sync before the next batch, also those that are not now.
pub fn batches(scene: &RollScene, terms: &RollTerms) -> RollBatches {
    let mut left: Vec<(usize, &Pod)> =
        order(scene).into_iter().filter_map(|at| Some((at, scene.pods.get(at)?))).collect();
    let whole = all_in_sync(scene);
    let brokers = whole.cluster.live.len();
    let most = most(terms, brokers);
    let mut away = AwayTogether::of(&whole, terms, brokers);
    let at_least = away.fewest(&left, scene, most);
    let mut batches = Vec::new();
    while let Some((first, pod)) = left.first().copied() {
        away.clear();
        away.add(pod.id, &away.hands_over(pod.id));
        let mut batch = vec![first];
        let alone = goes_alone(scene, pod);
        left.retain(|(at, other)| {
            let fits = !alone
                && batch.len() < most
                && !goes_alone(scene, other)
                && away.takes(pod.rack.as_ref(), other);
            if fits {
                away.add(other.id, &away.hands_over(other.id));
                batch.push(*at);
            }
            *at != first && !fits
        });
        batches.push(batch);
    }
    RollBatches { batches, at_least }
}

/// The next pod that can be away together with the batch that is away now.
pub(super) fn joins(
    scene: &RollScene,
    memory: &RollMemory,
    terms: &RollTerms,
    order: &[usize],
) -> Option<usize> {
    let first = memory.batch.first()?;
    let live = &scene.cluster.live;
    let gone = memory.batch.iter().filter(|member| !live.contains(&member.id)).count();
    let brokers = live.len() + gone;
    if first.alone
        || memory.batch.len() >= most(terms, brokers)
        || !settled::only_batch_is_away(scene, memory, terms)
    {
        return None;
    }
    let mut away = AwayTogether::of(scene, terms, brokers);
    memory.batch.iter().for_each(|member| away.add(member.id, &member.handed));
    let rack = first.rack.as_ref();
    let fits = |pod: &Pod| !goes_alone(scene, pod) && away.takes(rack, pod);
    let fits = |at: &&usize| scene.pods.get(**at).is_some_and(fits);
    order.iter().find(fits).copied()
}

/// The scene with every pod's broker live and in sync.
fn all_in_sync(scene: &RollScene) -> RollScene {
    let mut whole = scene.clone();
    let live = &mut whole.cluster.live;
    live.extend(
        scene.pods.iter().map(|pod| pod.id).filter(|id| scene.role(*id) == ServerRole::Broker),
    );
    for partition in whole.cluster.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
        let in_sync: Replicas =
            partition.replicas.iter().copied().filter(|id| live.contains(id)).collect();
        if let Some(facts) = &mut partition.facts {
            if let (Leader::None, Some(first)) = (facts.leader, in_sync.first()) {
                facts.leader = Leader::Broker(*first);
            }
            facts.isr = Some(in_sync);
        }
    }
    whole
}

/// How many pods may be away together, in a cluster of this size.
fn most(terms: &RollTerms, brokers: usize) -> usize {
    match terms.max_parallel {
        MaxParallel::Pods(pods) => pods.max(1),
        MaxParallel::Auto => brokers.div_ceil(AUTO_SHARE).max(1),
    }
}

/// Whether no other pod may be away together with this one. The rack of a broker that is down is unknown.
pub(super) fn goes_alone(scene: &RollScene, pod: &Pod) -> bool {
    scene.role(pod.id) != ServerRole::Broker
        || !scene.cluster.live.contains(&pod.id)
        || is_active(scene, pod.id)
}

fn is_voter(scene: &RollScene, id: BrokerId) -> bool {
    scene.voters.as_ref().is_some_and(|voters| voters.behind_ms.contains_key(&id))
}

/// How many partitions each other broker leads once this one is away, too. A controlled shutdown makes the first
/// replica that is in sync the leader.
pub(super) fn handed(
    scene: &RollScene,
    id: BrokerId,
    away: &BTreeSet<BrokerId>,
) -> BTreeMap<BrokerId, usize> {
    handed_of(partitions(scene).map(|(_, partition)| partition), scene, id, away)
}

fn handed_of<'a>(
    partitions: impl Iterator<Item = &'a Partition>,
    scene: &RollScene,
    id: BrokerId,
    away: &BTreeSet<BrokerId>,
) -> BTreeMap<BrokerId, usize> {
    let mut handed = BTreeMap::new();
    for partition in partitions.filter(|partition| partition.leader() == Leader::Broker(id)) {
        let stays = |other: &&BrokerId| {
            **other != id
                && !away.contains(other)
                && scene.cluster.live.contains(other)
                && isr(partition).contains(other)
        };
        if let Some(next) = partition.replicas.iter().find(stays) {
            *handed.entry(*next).or_default() += 1;
        }
    }
    handed
}

/// Brokers that are away together, and what the partitions still bear.
struct AwayTogether<'a> {
    scene: &'a RollScene,
    terms: &'a RollTerms,
    ids: BTreeSet<BrokerId>,
    partitions: Vec<Margin<'a>>,
    /// For each broker, the partitions that its restart concerns, as indices into `partitions`.
    of: BTreeMap<BrokerId, Vec<usize>>,
    handed: BTreeMap<BrokerId, usize>,
    /// How many partitions one broker may take over.
    most_handed: usize,
}

struct Margin<'a> {
    partition: &'a Partition,
    /// How many of the brokers that it concerns may be away together.
    bears: usize,
    away: usize,
}

impl<'a> AwayTogether<'a> {
    fn of(scene: &'a RollScene, terms: &'a RollTerms, brokers: usize) -> Self {
        let live = &scene.cluster.live;
        let mut of: BTreeMap<BrokerId, Vec<usize>> = BTreeMap::new();
        let mut all = Vec::new();
        let mut led = 0_usize;
        for (index, (topic, partition)) in partitions(scene).enumerate() {
            let (bears, in_sync_only) = match Spare::of(topic, partition, live) {
                Spare::Leaderless | Spare::MinIsrUntold => (0, false),
                // One at a time, as in a roll one by one.
                Spare::Never => (1, false),
                Spare::InSync(bears) => (bears, true),
            };
            let counts = |id: &&BrokerId| {
                !in_sync_only || (live.contains(id) && isr(partition).contains(id))
            };
            for id in partition.replicas.iter().filter(counts) {
                of.entry(*id).or_default().push(index);
            }
            led += usize::from(partition.leader() != Leader::None);
            all.push(Margin { partition, bears, away: 0 });
        }
        let most_handed = match terms.max_parallel {
            MaxParallel::Auto => led.div_ceil(brokers.max(1)),
            MaxParallel::Pods(_) => usize::MAX,
        };
        let (ids, handed) = (BTreeSet::new(), BTreeMap::new());
        Self { scene, terms, ids, partitions: all, of, handed, most_handed }
    }

    fn concerned(&self, id: BrokerId) -> impl Iterator<Item = &Margin<'a>> {
        let indices = self.of.get(&id).into_iter().flatten();
        indices.filter_map(|index| self.partitions.get(*index))
    }

    fn change(&mut self, id: BrokerId, change: impl Fn(&mut Margin<'a>)) {
        for index in self.of.get(&id).into_iter().flatten() {
            self.partitions.get_mut(*index).into_iter().for_each(&change);
        }
    }

    fn add(&mut self, id: BrokerId, handed: &BTreeMap<BrokerId, usize>) {
        self.ids.insert(id);
        self.change(id, |margin| margin.away += 1);
        for (other, count) in handed {
            *self.handed.entry(*other).or_default() += count;
        }
    }

    fn clear(&mut self) {
        for id in std::mem::take(&mut self.ids) {
            self.change(id, |margin| margin.away = 0);
        }
        self.handed.clear();
    }

    fn hands_over(&self, id: BrokerId) -> BTreeMap<BrokerId, usize> {
        let partitions = self.concerned(id).map(|margin| margin.partition);
        handed_of(partitions, self.scene, id, &self.ids)
    }

    /// Whether this pod may be away together with the others, which are of this rack.
    fn takes(&self, rack: Option<&String>, pod: &Pod) -> bool {
        let has_vote = |id: &BrokerId| is_voter(self.scene, *id);
        pod.rack.as_ref() == rack
            && !self.ids.contains(&pod.id)
            && !(has_vote(&pod.id) && self.ids.iter().any(has_vote))
            && majority(self.scene, pod, self.terms).is_none()
            && self.concerned(pod.id).all(|margin| margin.away < margin.bears)
            && self.can_hand_over(pod.id)
    }

    fn can_hand_over(&self, id: BrokerId) -> bool {
        let gets = |other: &BrokerId| self.handed.get(other).copied().unwrap_or(0);
        self.most_handed == usize::MAX
            || self
                .hands_over(id)
                .iter()
                .all(|(other, count)| gets(other) + count <= self.most_handed)
    }

    /// The least number of batches: each rack needs one for every `most` pods, for every vote, and for the pods of which
    /// a partition bears the loss of only some.
    fn fewest(&mut self, pods: &[(usize, &Pod)], now: &RollScene, most: usize) -> usize {
        let (alone, together): (Vec<&Pod>, Vec<&Pod>) =
            pods.iter().map(|(_, pod)| *pod).partition(|pod| goes_alone(now, pod));
        let mut racks: BTreeMap<Option<&String>, Vec<&Pod>> = BTreeMap::new();
        for pod in together {
            racks.entry(pod.rack.as_ref()).or_default().push(pod);
        }
        let mut fewest = alone.len();
        for pods in racks.into_values() {
            let votes = pods.iter().filter(|pod| is_voter(self.scene, pod.id)).count();
            let mut of_rack = pods.len().div_ceil(most).max(votes);
            pods.iter().for_each(|pod| self.add(pod.id, &BTreeMap::new()));
            for margin in pods.iter().flat_map(|pod| self.concerned(pod.id)) {
                of_rack = of_rack.max(margin.away.div_ceil(margin.bears.max(1)));
            }
            self.clear();
            fewest += of_rack;
        }
        fewest
    }
}
