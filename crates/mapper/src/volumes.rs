//! Brokers with several volumes: how full each volume is, and which one takes a new replica.
//!
//! Kafka puts a replica into the log dir with the fewest replicas, however full it is. Therefore a plan names the log
//! dir for each broker with several volumes: the one with the most room.

use crate::bytes::Bytes;
use crate::dense::{BrokerIx, DenseCluster};
use crate::ids::BrokerId;
use crate::no_plan::NoPlan;
use crate::plan::{ANY_LOG_DIR, Move, Reason};
use crate::request::PlanTerms;
use crate::snapshot::{Partition, Topic};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The volumes of brokers that have several.
#[derive(Clone)]
pub(crate) struct Volumes<'s> {
    of: BTreeMap<BrokerIx, Vec<VolumeFilling<'s>>>,
}

#[derive(Clone)]
struct VolumeFilling<'s> {
    paths: Vec<&'s str>,
    /// The log dir that a plan names: the first that is not cordoned. `None`: the volume takes no new replica.
    open: Option<&'s str>,
    limit: u64,
    used: u64,
}

/// Why no volume can take a replica: the volume with the most room, and the bytes that it lacks.
pub(crate) struct FullVolume<'s> {
    pub(crate) log_dir: &'s str,
    pub(crate) room: u64,
    pub(crate) missing: u64,
}

impl<'s> Volumes<'s> {
    pub(crate) fn new(cluster: &DenseCluster<'s>, terms: &PlanTerms) -> Self {
        let mut of = BTreeMap::new();
        for broker in cluster.snapshot.brokers() {
            let volumes = broker.volumes();
            let at = cluster.index_of(broker.id);
            let Some(at) = at.filter(|_| volumes.len() > 1) else { continue };
            let fillings = volumes.into_iter().map(|volume| VolumeFilling {
                limit: volume.total.0
                    - terms.storage_headroom.of(volume.total).0.min(volume.total.0),
                used: volume.total.0 - volume.free.0,
                open: volume.paths.iter().copied().find(|path| !broker.cordons(path)),
                paths: volume.paths,
            });
            of.insert(at, fillings.collect());
        }
        Self { of }
    }

    /// Whether no broker has several volumes.
    pub(crate) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// The log dir for a replica of this size; `None` if the broker has no choice of volumes.
    pub(crate) fn choose(
        &self,
        broker: BrokerIx,
        bytes: u64,
    ) -> Result<Option<&'s str>, FullVolume<'s>> {
        let Some(volumes) = self.of.get(&broker) else { return Ok(None) };
        let room = |volume: &VolumeFilling<'_>| volume.limit.saturating_sub(volume.used);
        let open = volumes.iter().filter_map(|volume| Some((room(volume), volume.open?)));
        let Some((room, log_dir)) = open.max_by_key(|(room, dir)| (*room, Reverse(*dir))) else {
            return Ok(None);
        };
        match bytes.checked_sub(room) {
            Some(missing @ 1..) => Err(FullVolume { log_dir, room, missing }),
            Some(0) | None => Ok(Some(log_dir)),
        }
    }

    /// The bytes that all volumes of a broker may still take together; `None` if it has no choice of volumes.
    pub(crate) fn room(&self, broker: BrokerIx) -> Option<u64> {
        let volumes = self.of.get(&broker)?;
        let open = volumes.iter().filter(|volume| volume.open.is_some());
        Some(open.map(|volume| volume.limit.saturating_sub(volume.used)).sum())
    }

    /// The bytes that a log dir's volume lacks for a replica; 0 if there is room, or if the figures are unknown.
    pub(crate) fn lacks(&self, broker: BrokerIx, log_dir: &str, bytes: u64) -> u64 {
        let volume = self.of.get(&broker).and_then(|of| of.iter().find(|v| v.holds(log_dir)));
        volume.map_or(0, |v| bytes.saturating_sub(v.limit.saturating_sub(v.used)))
    }

    pub(crate) fn take(&mut self, broker: BrokerIx, log_dir: &str, bytes: u64) {
        if let Some(volume) = self.find(broker, log_dir) {
            volume.used += bytes;
        }
    }

    pub(crate) fn free(&mut self, broker: BrokerIx, log_dir: &str, bytes: u64) {
        if let Some(volume) = self.find(broker, log_dir) {
            volume.used = volume.used.saturating_sub(bytes);
        }
    }

    /// Frees the bytes of the replica that a broker holds before the plan.
    pub(crate) fn free_replica(
        &mut self,
        cluster: &DenseCluster<'_>,
        topic: &Topic,
        partition: &Partition,
        id: BrokerId,
    ) {
        let Some(broker) = cluster.index_of(id).filter(|at| self.of.contains_key(at)) else {
            return;
        };
        if let Some(log_dir) = topic.log_dir_of(partition, id) {
            self.free(broker, log_dir, partition.size_on(id).unwrap_or_default().0);
        }
    }

    fn find(&mut self, broker: BrokerIx, log_dir: &str) -> Option<&mut VolumeFilling<'s>> {
        self.of.get_mut(&broker)?.iter_mut().find(|volume| volume.holds(log_dir))
    }
}

impl VolumeFilling<'_> {
    fn holds(&self, log_dir: &str) -> bool {
        self.paths.contains(&log_dir)
    }
}

/// Names the log dirs of replicas that arrive at brokers with several volumes. Moves for balance that find no volume with
/// room are removed from the moves and returned.
pub(crate) fn name_log_dirs(
    cluster: &DenseCluster<'_>,
    terms: &PlanTerms,
    moves: &mut Vec<Move>,
) -> Result<Vec<Move>, NoPlan> {
    let volumes = Volumes::new(cluster, terms);
    let mut taken_back = Vec::new();
    if volumes.is_empty() {
        return Ok(taken_back);
    }
    loop {
        let without_room = name_all(cluster, volumes.clone(), moves)?;
        if without_room.is_empty() {
            return Ok(taken_back);
        }
        // The room that the removed moves would have freed is not free, so the others are named again.
        for at in without_room.into_iter().rev() {
            taken_back.push(moves.remove(at));
        }
    }
}

/// Names every log dir. Returns the moves for balance without room, in their order.
fn name_all(
    cluster: &DenseCluster<'_>,
    mut volumes: Volumes<'_>,
    moves: &mut [Move],
) -> Result<Vec<usize>, NoPlan> {
    for change in moves.iter() {
        let topic = cluster.snapshot.topic(&change.topic);
        let found = topic.and_then(|topic| Some((topic, topic.partition(change.partition)?)));
        if let Some((topic, partition)) = found {
            change.removed().for_each(|id| volumes.free_replica(cluster, topic, partition, id));
        }
    }
    let mut order: Vec<usize> = (0..moves.len()).collect();
    let rank = |at: &usize| {
        let change = &moves[*at];
        (change.reason == Reason::Balance, Reverse(change.copy_bytes()), *at)
    };
    order.sort_by_key(rank);
    let mut without_room = Vec::new();
    for at in order {
        if let Err((id, full)) = name(cluster, &mut volumes, &mut moves[at]) {
            if moves[at].reason == Reason::Balance {
                without_room.push(at);
                continue;
            }
            return Err(NoPlan::NoRoomForBothCopies {
                of: moves[at].of(),
                broker: id,
                log_dir: Some(full.log_dir.to_owned()),
                missing_bytes: Bytes(full.missing),
            });
        }
    }
    without_room.sort_unstable();
    Ok(without_room)
}

fn name<'s>(
    cluster: &DenseCluster<'_>,
    volumes: &mut Volumes<'s>,
    change: &mut Move,
) -> Result<(), (BrokerId, FullVolume<'s>)> {
    let partition = cluster.snapshot.partition(&change.topic, change.partition);
    let each = change.held_bytes(partition).unwrap_or_default().0;
    let mut named: Vec<(usize, &str)> = Vec::new();
    for (at, id) in change.to.iter().enumerate() {
        if change.from.contains(id) {
            continue;
        }
        let Some(broker) = cluster.index_of(*id) else { continue };
        if let Some(log_dir) = volumes.choose(broker, each).map_err(|full| (*id, full))? {
            volumes.take(broker, log_dir, each);
            named.push((at, log_dir));
        }
    }
    change.log_dirs.clear();
    if !named.is_empty() {
        change.log_dirs.resize(change.to.len(), ANY_LOG_DIR.to_owned());
        for (at, log_dir) in named {
            log_dir.clone_into(&mut change.log_dirs[at]);
        }
    }
    Ok(())
}
