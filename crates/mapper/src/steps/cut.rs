//! Cuts moves into single submissions: by the brokers that give up replicas, and before a leader leaves.
//!
//! Every intermediate list consists of replicas of the first and the last list, and names no broker twice. In each rack
//! and host it holds a number of replicas between those of the two lists. So if both lists comply with the rack rule,
//! the intermediate lists do, too.

use crate::dense::DenseCluster;
use crate::ids::{BrokerId, Replicas};
use crate::plan::Move;
use crate::snapshot::{Leader, Partition};
use crate::step_limits::StepLimits;
use smallvec::{SmallVec, smallvec};
use std::collections::{BTreeMap, BTreeSet};

/// For each submission of a move its wave. A wave begins when the wave before it has ended.
pub(super) type Waves = SmallVec<[u32; 1]>;

/// Whether the pacing cuts any move.
pub(super) fn is_asked_for(pacing: &StepLimits) -> bool {
    pacing.chunk_brokers.is_some() || pacing.phased
}

/// The waves of moves that are submitted uncut.
pub(super) fn uncut(moves: usize) -> Vec<Waves> {
    vec![smallvec![0]; moves]
}

/// Writes the intermediate lists into the moves, and returns the wave of each submission.
pub(super) fn cut(
    cluster: &DenseCluster<'_>,
    pacing: &StepLimits,
    partitions: &[Option<&Partition>],
    moves: &mut [Move],
) -> Vec<Waves> {
    let scissors = Scissors {
        cluster,
        phased: pacing.phased,
        window: pacing.chunk_brokers.map(|size| windows(cluster, partitions, moves, size)),
    };
    let each = moves.iter_mut().zip(partitions);
    each.map(|(change, partition)| scissors.cut(change, *partition)).collect()
}

struct Scissors<'a> {
    cluster: &'a DenseCluster<'a>,
    phased: bool,
    /// The wave of each broker that gives up replicas; `None` if they all give at once.
    window: Option<BTreeMap<BrokerId, u32>>,
}

/// Assigns waves to the brokers that give up healthy replicas, the highest ids first.
fn windows(
    cluster: &DenseCluster<'_>,
    partitions: &[Option<&Partition>],
    moves: &[Move],
    size: u32,
) -> BTreeMap<BrokerId, u32> {
    let mut givers = BTreeSet::new();
    for (change, partition) in moves.iter().zip(partitions) {
        givers.extend(change.removed().filter(|id| is_sound(cluster, *partition, *id)));
    }
    let numbered = (0_u32..).zip(givers.into_iter().rev());
    numbered.map(|(at, broker)| (broker, at / size.max(1))).collect()
}

/// A lost replica is replaced at once, because Kafka refuses a new list that names a lost broker.
fn is_sound(cluster: &DenseCluster<'_>, partition: Option<&Partition>, id: BrokerId) -> bool {
    cluster.snapshot.is_live(id) && partition.is_some_and(|p| !p.offline().contains(&id))
}

/// One replica that leaves, and the one that replaces it.
struct ReplicaExchange {
    wave: u32,
    out: Option<BrokerId>,
    into: Option<BrokerId>,
}

impl Scissors<'_> {
    fn cut(&self, change: &mut Move, partition: Option<&Partition>) -> Waves {
        let mut lists: Vec<(Replicas, u32)> = self.by_window(change, partition);
        if self.phased {
            lists = self.keeping_leaders(change, partition, lists);
        }
        let waves = lists.iter().map(|(_, wave)| *wave).collect();
        lists.pop();
        change.via = lists.into_iter().map(|(list, _)| list).collect();
        waves
    }

    /// The lists after each wave that changes the partition. The last one is the move's final list.
    fn by_window(&self, change: &Move, partition: Option<&Partition>) -> Vec<(Replicas, u32)> {
        let Some(window) = &self.window else {
            return vec![(change.to.clone(), 0)];
        };
        let wave = |id: &BrokerId| match is_sound(self.cluster, partition, *id) {
            true => window.get(id).copied().unwrap_or(0),
            false => 0,
        };
        let mut exchanges = self.exchanges(change, &wave);
        exchanges.sort_by_key(|exchange| exchange.wave);
        let mut list = change.from.clone();
        let mut lists = Vec::new();
        for of_wave in exchanges.chunk_by(|a, b| a.wave == b.wave) {
            of_wave.iter().for_each(|exchange| exchange.apply(&mut list));
            lists.push((list.clone(), of_wave[0].wave));
        }
        let last = lists.pop().map_or(0, |(_, wave)| wave);
        lists.push((change.to.clone(), last));
        lists
    }

    /// Pairs each leaving replica with a new one: first on the same host, then in the same rack, then any.
    fn exchanges(&self, change: &Move, wave: &dyn Fn(&BrokerId) -> u32) -> Vec<ReplicaExchange> {
        let mut out: Vec<BrokerId> = change.removed().collect();
        let mut into: Vec<BrokerId> = change.added().collect();
        out.sort_by_key(|id| wave(id));
        let place = |id: BrokerId| {
            let at = self.cluster.index_of(id)? as usize;
            Some((self.cluster.rack[at], self.cluster.host[at]))
        };
        let same_host = |a: BrokerId, b: BrokerId| place(a) == place(b);
        let same_rack = |a: BrokerId, b: BrokerId| place(a).map(|p| p.0) == place(b).map(|p| p.0);
        let anywhere = |_: BrokerId, _: BrokerId| true;
        let alike: [&dyn Fn(BrokerId, BrokerId) -> bool; 3] = [&same_host, &same_rack, &anywhere];
        let mut exchanges = Vec::new();
        for alike in alike {
            out.retain(|gone| {
                let Some(at) = into.iter().position(|new| alike(*gone, *new)) else { return true };
                let into = Some(into.remove(at));
                exchanges.push(ReplicaExchange { wave: wave(gone), out: Some(*gone), into });
                false
            });
        }
        let rest = out.into_iter().map(|gone| (wave(&gone), Some(gone), None));
        let first = exchanges.iter().map(|exchange| exchange.wave).min().unwrap_or(0);
        let more = into.into_iter().map(|new| (first, None, Some(new)));
        let rest: Vec<_> = rest.chain(more).collect();
        exchanges.extend(rest.into_iter().map(|(wave, out, into)| ReplicaExchange {
            wave,
            out,
            into,
        }));
        exchanges
    }

    /// Adds a list before each list without the leader: the same list, with the leader in front.
    fn keeping_leaders(
        &self,
        change: &Move,
        partition: Option<&Partition>,
        lists: Vec<(Replicas, u32)>,
    ) -> Vec<(Replicas, u32)> {
        let told = match partition.map(Partition::leader) {
            Some(Leader::Broker(id)) => Some(id).filter(|id| change.from.contains(id)),
            Some(Leader::None | Leader::Unknown) | None => None,
        };
        let mut leader = told.or(change.from.first().copied());
        let mut kept = Vec::with_capacity(lists.len() + 1);
        let mut before = change.from.clone();
        for (list, wave) in lists {
            if let Some(id) = leader
                && before.contains(&id)
                && !list.contains(&id)
            {
                let copies = list.iter().any(|new| !before.contains(new));
                if copies && is_sound(self.cluster, partition, id) {
                    kept.push((std::iter::once(id).chain(list.iter().copied()).collect(), wave));
                }
                leader = list.first().copied();
            }
            before.clone_from(&list);
            kept.push((list, wave));
        }
        kept
    }
}

impl ReplicaExchange {
    fn apply(&self, list: &mut Replicas) {
        let at = self.out.and_then(|gone| list.iter().position(|held| *held == gone));
        match (at, self.into) {
            (Some(at), Some(new)) => list[at] = new,
            (Some(at), None) => drop(list.remove(at)),
            (None, Some(new)) => list.push(new),
            (None, None) => {}
        }
    }
}
