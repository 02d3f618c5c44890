//! The goal `disks`: evens the volumes of each broker. No replica changes its broker.
//!
//! A broker with several volumes is a cluster of its own: each volume is a broker of it, and each replica a partition with
//! one replica. So the planner of brokers evens its volumes with the fewest bytes. Replicas that the plan brings to the
//! broker are on no volume yet, so they take any volume without further bytes.

use super::broker_volumes::{BrokerVolumes, share};
use super::without_drained;
use crate::bytes::Bytes;
use crate::dense::DenseCluster;
use crate::figures::DiskFigures;
use crate::ids::BrokerId;
use crate::no_plan::NoPlan;
use crate::plan::{ANY_LOG_DIR, Move, Plan, Reason, volume_growth};
use crate::request::{Balance, BalanceGoal, PlanTerms, Request};
use crate::snapshot::{Leader, Partition, Snapshot, Topic};
use crate::steps::{self, Stepped};
use crate::target::Targets;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Says how even the volumes of brokers are, and evens them if that is a goal of the plan's request.
pub(super) fn with_volumes(snapshot: &Snapshot, mut plan: Plan) -> Result<Plan, NoPlan> {
    let has_several =
        |id: &BrokerId| snapshot.broker(*id).is_some_and(|broker| broker.volumes().len() > 1);
    let several: BTreeSet<BrokerId> =
        plan.takers().iter().map(|broker| broker.id).filter(has_several).collect();
    if several.is_empty() {
        return Ok(plan);
    }
    plan.before.disks = DiskFigures::of(snapshot, &several, &[]);
    if let Some(Evened { stepped, floor }) = evened(snapshot, &plan, &several)? {
        (plan.moves, plan.steps) = (stepped.moves, stepped.steps);
        if let Some(known) = &mut plan.floor {
            (known.disks, known.disk_bytes) = (Some(floor.disks), floor.bytes);
        }
    }
    plan.after.disks = DiskFigures::of(snapshot, &several, &plan.moves);
    Ok(plan)
}

/// The plan with even volumes on these brokers; `None` if that is no goal, or if nothing can be evened.
fn evened(
    snapshot: &Snapshot,
    plan: &Plan,
    several: &BTreeSet<BrokerId>,
) -> Result<Option<Evened>, NoPlan> {
    let relieves = matches!(&plan.request, Request::Rebalance(asked) if asked.relieve.is_some());
    let asked = plan.request.balance().filter(|it| it.goals.contains(&BalanceGoal::Disks));
    let Some(balance) = asked.filter(|_| !relieves) else { return Ok(None) };
    let cluster = DenseCluster::new(snapshot);
    let terms = without_drained(plan.request.terms(), balance);
    let targets = Targets::new(&cluster, &terms)?;
    let evening = VolumeEvening { cluster: &cluster, terms: &terms, targets: &targets, balance };
    // A copy to another volume needs room beside what the plan brings there. If the plan itself lacks room then, only
    // the partitions that it leaves alone are evened.
    let evened = evening.of(plan, several, Arrivals::Choose);
    Ok(evened.or_else(|| evening.of(plan, several, Arrivals::StayAsNamed)))
}

/// What happens to replicas that the plan brings to a broker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrivals {
    /// They take the volume that makes the broker most even.
    Choose,
    /// They take the volume that the plan names already. The other replicas of their partitions stay on their volumes.
    StayAsNamed,
}

struct VolumeEvening<'a> {
    cluster: &'a DenseCluster<'a>,
    terms: &'a PlanTerms,
    targets: &'a Targets,
    balance: &'a Balance,
}

/// A plan with even volumes.
struct Evened {
    stepped: Stepped,
    floor: VolumeFloor,
}

/// The best that any plan could reach on the volumes.
struct VolumeFloor {
    disks: DiskFigures,
    bytes: Option<Bytes>,
}

/// What the request's limits leave for copies between volumes; `None`: no limit.
struct LimitsLeft {
    bytes: Option<u64>,
    replicas: Option<u64>,
}

/// The log dirs to which replicas go, by the position of their partition.
type NewDirs<'a> = BTreeMap<usize, Vec<(BrokerId, &'a str)>>;

impl<'a> VolumeEvening<'a> {
    /// `None` if a move between brokers finds no room beside the copies between volumes.
    fn of(&self, plan: &Plan, several: &BTreeSet<BrokerId>, arrivals: Arrivals) -> Option<Evened> {
        let mut left = LimitsLeft::of(self.balance, plan);
        let mut floor = VolumeFloor::default();
        let mut dirs = NewDirs::new();
        let mut brokers = self.volumes(plan, several, arrivals);
        // If a limit ends the evening early, the fullest volumes have come first.
        brokers.sort_by(|one, other| other.fullest().total_cmp(&one.fullest()));
        for broker in &mut brokers {
            let within =
                broker.evened(self.terms.storage_headroom, left.within(self.balance, broker))?;
            floor.add(broker, &within);
            for change in &within.moves {
                let to = change.to.first().and_then(|volume| broker.log_dir(*volume));
                let index = self.cluster.find(&change.topic, change.partition);
                let Some((index, to)) = index.zip(to) else { continue };
                if !change.from.contains(&broker.outside()) {
                    left.spend(change.bytes.unwrap_or_default());
                }
                dirs.entry(index).or_default().push((broker.id, to));
            }
        }
        let moves = self.with_dirs(plan, dirs);
        let (stepped, ()) = steps::lay_out(self.cluster, self.terms, moves, |_| ()).ok()?;
        let whole = stepped.taken_back.iter().all(|change| change.from == change.to);
        whole.then_some(Evened { stepped, floor })
    }

    /// The volumes of these brokers with the replicas that may change their volume, as they are after the plan.
    fn volumes(
        &self,
        plan: &Plan,
        several: &BTreeSet<BrokerId>,
        arrivals: Arrivals,
    ) -> Vec<BrokerVolumes<'a>> {
        let known = several.iter().filter_map(|id| self.cluster.snapshot.broker(*id));
        let mut brokers: BTreeMap<BrokerId, BrokerVolumes<'a>> =
            known.map(|broker| (broker.id, BrokerVolumes::of(broker))).collect();
        let position = |change: &Move| self.cluster.find(&change.topic, change.partition);
        let changes: BTreeMap<usize, &Move> =
            plan.moves.iter().filter_map(|change| Some((position(change)?, change))).collect();
        for (index, partition) in self.cluster.partitions() {
            let at = self.cluster.topic_of(index);
            if self.targets.of_topic[at].is_none() {
                continue;
            }
            let topic = &self.cluster.snapshot.topics()[at];
            let lies = |id| topic.log_dir_of(partition, id);
            let change = changes.get(&index).copied();
            for id in change.into_iter().flat_map(Move::removed) {
                if let Some(broker) = brokers.get_mut(&id) {
                    broker.free(lies(id), partition.size_on(id).unwrap_or_default());
                }
            }
            let may_change = self.may_change(topic, partition)
                && (change.is_none() || arrivals == Arrivals::Choose);
            for id in change.map_or(&partition.replicas, |change| &change.to) {
                let Some(broker) = brokers.get_mut(id) else { continue };
                let of = (topic.name.as_str(), partition.id);
                match change.filter(|_| !partition.replicas.contains(id)) {
                    Some(change) => {
                        let bytes = change.held_bytes(Some(partition)).unwrap_or_default();
                        match arrivals {
                            Arrivals::Choose => broker.expect(of, bytes),
                            Arrivals::StayAsNamed => broker.take(change.log_dir(*id), bytes),
                        }
                    }
                    None if may_change && !partition.offline().contains(id) => {
                        broker.hold(of, lies(*id), partition.size_on(*id));
                    }
                    None => {}
                }
            }
        }
        brokers.into_values().collect()
    }

    /// Whether brokers can copy its replicas: they copy from the leader's log what they lack.
    fn may_change(&self, topic: &Topic, partition: &Partition) -> bool {
        let is_led = match partition.leader() {
            Leader::Broker(id) => self.cluster.snapshot.is_live(id),
            Leader::Unknown => true,
            Leader::None => false,
        };
        is_led && !partition.is_moving() && topic.diskless().is_none()
    }

    /// The plan's moves, and a move for each other partition with a replica that changes its volume.
    fn with_dirs(&self, plan: &Plan, mut dirs: NewDirs<'a>) -> Vec<Move> {
        let mut moves = plan.moves.clone();
        for change in &mut moves {
            let index = self.cluster.find(&change.topic, change.partition);
            if let Some((index, new)) = index.and_then(|index| dirs.remove_entry(&index)) {
                name(change, self.cluster.partition(index), &new);
            }
        }
        let mut topic: (usize, Arc<str>) = (usize::MAX, Arc::from(""));
        for (index, new) in dirs {
            let at = self.cluster.topic_of(index);
            if topic.0 != at {
                topic = (at, Arc::from(self.cluster.snapshot.topics()[at].name.as_str()));
            }
            let partition = self.cluster.partition(index);
            let mut change = Move {
                topic: Arc::clone(&topic.1),
                partition: partition.id,
                from: partition.replicas.clone(),
                via: Box::default(),
                to: partition.replicas.clone(),
                log_dirs: Vec::new(),
                reason: Reason::Balance,
                bytes: Some(Bytes(0)),
                disk_bytes: Bytes(0),
            };
            name(&mut change, partition, &new);
            moves.push(change);
        }
        moves.sort_by(|a, b| a.topic.cmp(&b.topic).then(a.partition.cmp(&b.partition)));
        moves
    }
}

/// Names the log dirs of these brokers' replicas.
fn name(change: &mut Move, partition: &Partition, new: &[(BrokerId, &str)]) {
    change.log_dirs.resize(change.to.len(), ANY_LOG_DIR.to_owned());
    for (id, log_dir) in new {
        let seat = change.to.iter().position(|held| held == id);
        if let Some(named) = seat.and_then(|seat| change.log_dirs.get_mut(seat)) {
            (*log_dir).clone_into(named);
        }
    }
    let sizes = change.between_volumes().map(|(id, _)| partition.size_on(id).unwrap_or_default());
    change.disk_bytes = sizes.sum();
    if change.reason == Reason::Leader && change.between_volumes().next().is_some() {
        change.reason = Reason::Balance;
    }
}

impl LimitsLeft {
    fn of(balance: &Balance, plan: &Plan) -> Self {
        let bytes = plan.bytes_moved().unwrap_or_default().0;
        let replicas = plan.replicas_moved() as u64;
        Self {
            bytes: balance.max_bytes_moved.map(|most| most.0.saturating_sub(bytes)),
            replicas: balance.max_moves.map(|most| most.saturating_sub(replicas)),
        }
    }

    fn spend(&mut self, bytes: Bytes) {
        self.bytes = self.bytes.map(|left| left.saturating_sub(bytes.0));
        self.replicas = self.replicas.map(|left| left.saturating_sub(1));
    }

    /// The balance that is asked of a broker's volumes. What comes to the broker is within the limits already.
    fn within(&self, asked: &Balance, broker: &BrokerVolumes<'_>) -> Balance {
        let (replicas, bytes) = broker.expected();
        Balance {
            by: asked.by,
            tolerance: asked.tolerance,
            partition_limit: asked.partition_limit,
            partition_size_threshold: asked.partition_size_threshold,
            max_bytes_moved: self.bytes.map(|left| Bytes(left).plus(bytes)),
            max_moves: self.replicas.map(|left| left.saturating_add(replicas)),
            solver: asked.solver,
            ..Balance::default()
        }
    }
}

impl VolumeFloor {
    fn add(&mut self, broker: &BrokerVolumes<'_>, plan: &Plan) {
        let Some(floor) = plan.floor else { return };
        self.disks.max_used_ratio = self.disks.max_used_ratio.max(floor.max_used_ratio);
        let times = floor.max_used_ratio / broker.used_ratio();
        self.disks.max_times_broker = self.disks.max_times_broker.max(times);
        let (_, expected) = broker.expected();
        let least = plan.bound_bytes.map(|bound| Bytes(bound.0.saturating_sub(expected.0)));
        self.bytes = self.bytes.zip(least).map(|(sum, least)| sum.plus(least));
    }
}

impl Default for VolumeFloor {
    fn default() -> Self {
        let disks = DiskFigures { max_used_ratio: 0.0, max_times_broker: 1.0 };
        Self { disks, bytes: Some(Bytes(0)) }
    }
}

impl DiskFigures {
    /// The volumes of these brokers after these moves.
    fn of(before: &Snapshot, brokers: &BTreeSet<BrokerId>, moves: &[Move]) -> Option<Self> {
        let growth = volume_growth(before, moves);
        let mut figures: Option<Self> = None;
        for broker in brokers.iter().filter_map(|id| before.broker(*id)) {
            let volumes = broker.volumes();
            let used = volumes.iter().map(|volume| {
                let grown = volume.paths.iter().filter_map(|path| growth.get(&(broker.id, *path)));
                let used = i128::from(volume.total.0 - volume.free.0) + grown.sum::<i128>();
                (u64::try_from(used).unwrap_or(0), volume.total.0)
            });
            let of_broker = Self::of_volumes(&used.collect::<Vec<_>>());
            figures = Some(figures.map_or(of_broker, |figures| Self {
                max_used_ratio: figures.max_used_ratio.max(of_broker.max_used_ratio),
                max_times_broker: figures.max_times_broker.max(of_broker.max_times_broker),
            }));
        }
        figures
    }

    /// One broker's volumes: the bytes used, and the size.
    fn of_volumes(volumes: &[(u64, u64)]) -> Self {
        let most = volumes.iter().map(|(used, total)| share(*used, *total)).fold(0.0, f64::max);
        let sums = volumes.iter().fold((0_u64, 0_u64), |sum, volume| {
            (sum.0.saturating_add(volume.0), sum.1.saturating_add(volume.1))
        });
        let whole = share(sums.0, sums.1);
        let times = if whole > 0.0 { most / whole } else { 1.0 };
        Self { max_used_ratio: most, max_times_broker: times }
    }
}
