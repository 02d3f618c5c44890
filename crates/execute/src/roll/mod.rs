//! Rolling restarts: which pod may be restarted now.
//!
//! In: the pods, the cluster as [`Seen`], and what this run has seen of the pods that it restarted last. Out:
//! [`NextRestart`]: one pod to restart, what to wait for, or why nothing may be done. Each call reads from the pods
//! which of them to restart, so a new run can continue after one that was killed. Decides by its arguments alone.
//!
//! A *batch* is the pods that are away together: they go one after the other, each after a look of its own. The next
//! batch begins when all is as it should be again.

mod batch;
mod impact;
mod order;
mod settled;
mod words;

use crate::seen::Seen;
use mapper::{BrokerId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

pub use batch::{MaxParallel, RollBatches, batches};
pub use impact::unavailable;
pub use order::order;

/// A pod and its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Namespace and name.
    pub name: String,
    /// The uid, which differs from that of an earlier pod of the same name.
    pub uid: String,
    /// The id of its broker or controller.
    pub id: BrokerId,
    /// The broker's rack.
    pub rack: Option<String>,
    /// It has to be restarted.
    pub outdated: bool,
    /// Its `Ready` condition is true.
    pub ready: bool,
    /// It has been deleted, but still exists.
    pub terminating: bool,
    /// How long ago it was created.
    pub age_seconds: u64,
}

/// A voter that is further behind the active one, in milliseconds, counts as down. A running voter fetches twice a
/// second (`controller.quorum.fetch.timeout.ms`, `metadata.max.idle.interval.ms`). The quorum never forgets a voter
/// that does not run, so only its delay shows that it is down.
pub const CAUGHT_UP_MS: u64 = 3_000;

/// The voters of a quorum: KRaft controllers, or ZooKeeper servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Voters {
    /// They are ZooKeeper servers.
    pub zookeeper: bool,
    /// The active controller; ZooKeeper's leader.
    pub active: Option<BrokerId>,
    /// Every voter, with its delay behind the active one in milliseconds, if known. A ZooKeeper server that serves has
    /// no delay; the delay of one that does not serve is unknown.
    pub behind_ms: BTreeMap<BrokerId, Option<u64>>,
}

impl Voters {
    /// Whether a voter runs and has caught up.
    fn has(&self, id: BrokerId) -> bool {
        self.behind_ms.get(&id).copied().flatten().is_some_and(|ms| ms <= CAUGHT_UP_MS)
    }
}

/// The kind of server in a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerRole {
    /// A broker; it may also be a controller.
    Broker,
    /// A KRaft controller that is not a broker.
    Controller,
    /// A ZooKeeper server.
    ZooKeeper,
}

/// The state of a roll at one moment.
#[derive(Debug, Clone, Default)]
pub struct RollScene {
    /// The pods of the StatefulSets that are rolled.
    pub pods: Vec<Pod>,
    /// Pods that should exist, but do not.
    pub missing: Vec<String>,
    /// Brokers, topics and running moves.
    pub cluster: Seen,
    /// The controllers, or the ZooKeeper servers if those are rolled; `None` for brokers in ZooKeeper mode.
    pub voters: Option<Voters>,
    /// The broker that is the controller, in ZooKeeper mode.
    pub controller: Option<BrokerId>,
}

impl RollScene {
    /// The kind of server in the pod with this id.
    pub fn role(&self, id: BrokerId) -> ServerRole {
        match &self.voters {
            Some(voters) if voters.zookeeper => ServerRole::ZooKeeper,
            Some(voters)
                if voters.behind_ms.contains_key(&id) && !self.cluster.live.contains(&id) =>
            {
                ServerRole::Controller
            }
            _ => ServerRole::Broker,
        }
    }

    /// Whether the server with this id is running.
    pub fn is_up(&self, id: BrokerId) -> bool {
        self.cluster.live.contains(&id) || self.voters.as_ref().is_some_and(|voters| voters.has(id))
    }
}

/// The operator's limits for a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollTerms {
    /// Partitions that cannot stay available may become unavailable.
    pub allow_unavailable: bool,
    /// A pod younger than this, in seconds, counts only once its predecessor's server was seen as gone. Until then the
    /// cluster may still show the old server as live and in sync.
    pub settle_seconds: u64,
    /// How many pods may be away together.
    pub max_parallel: MaxParallel,
}

/// What this run has seen of servers that stopped. It is lost with the run; the next run then waits for young pods to
/// age.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollMemory {
    /// The pods restarted since all was last as it should be. Another run does not know them, and waits for them.
    batch: Vec<Restarted>,
    /// Pods that were seen while their server was down: a server that comes up in them is new.
    waiting: BTreeMap<BrokerId, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Restarted {
    id: BrokerId,
    name: String,
    /// The uid of the pod that was there before.
    uid: String,
    /// The rack of its broker. The cluster does not report it while the broker is away.
    rack: Option<String>,
    /// No other pod may be away with it.
    alone: bool,
    /// How many partitions the other brokers have to lead in its place.
    handed: BTreeMap<BrokerId, usize>,
    /// The cluster has noticed that its server stopped.
    gone: bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextRestart {
    /// Every pod is up to date, ready and in sync.
    Done,
    /// Restart this pod, the first of a batch: its index in [`RollScene::pods`].
    Restart(usize),
    /// Restart this pod, too, while the others of the batch are away.
    Join(usize),
    /// Look again in a moment.
    Wait(Vec<RestartHindrance>),
    /// Another tool moves replicas: nothing is restarted until it ends.
    Moving(BTreeSet<TopicPartition>),
    /// Restarts in any order would make these unavailable, and the operator has not allowed that.
    Unavailable(BTreeSet<TopicPartition>),
}

/// What a restart waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestartHindrance {
    /// A pod does not exist, or not yet.
    Missing(String),
    /// A deleted pod still exists.
    Terminating(String),
    /// A pod is not ready.
    NotReady(String),
    /// A pod is ready, but its broker is not registered.
    NotRegistered(String, BrokerId),
    /// A pod is so young that the cluster may still report the server before it.
    Young(String, u64),
    /// Replicas on a broker are not in sync.
    Lagging(BrokerId, BTreeSet<TopicPartition>),
    /// The controller, or ZooKeeper server, in a pod has not caught up.
    Behind(String, Option<u64>),
    /// Partitions that would take no acknowledged writes without the broker.
    UnderMinIsr(BrokerId, BTreeSet<TopicPartition>),
    /// Partitions without a leader, of which the broker has a replica.
    Leaderless(BrokerId, BTreeSet<TopicPartition>),
    /// The number of replicas that have to be in sync is unknown.
    MinIsrUntold(BrokerId, BTreeSet<String>),
    /// Without that pod too few voters would be left: how many, and how many are a majority.
    NoMajority(String, usize, usize),
}

impl RollMemory {
    /// Records that a pod is about to be restarted: in the batch that is away (`joins`), or as the first of a new one.
    pub fn restarts(&mut self, scene: &RollScene, pod: &Pod, joins: bool) {
        if !joins {
            self.batch.clear();
        }
        let away = self.batch.iter().map(|member| member.id).collect();
        self.batch.push(Restarted {
            id: pod.id,
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            rack: pod.rack.clone(),
            alone: batch::goes_alone(scene, pod),
            handed: batch::handed(scene, pod.id, &away),
            gone: false,
        });
    }

    /// Whether this broker was restarted in the latest batch.
    pub fn is_of_batch(&self, id: BrokerId) -> bool {
        self.batch.iter().any(|member| member.id == id)
    }

    /// Records what a look shows of the restarted pods.
    pub fn look(&mut self, scene: &RollScene) {
        for last in &mut self.batch {
            // A voter that only pauses is also behind. For a voter, only the end of its pod shows that the server
            // stopped.
            let ended = scene.role(last.id) == ServerRole::Broker
                || scene.pods.iter().all(|pod| pod.uid != last.uid);
            last.gone |= ended && !scene.is_up(last.id);
        }
        for pod in scene.pods.iter().filter(|pod| !pod.terminating && !scene.is_up(pod.id)) {
            self.waiting.insert(pod.id, pod.uid.clone());
        }
    }

    /// Whether the pod's server is known to be a new one.
    fn knows(&self, pod: &Pod) -> bool {
        let last = self.batch.iter().find(|last| last.id == pod.id);
        self.waiting.get(&pod.id) == Some(&pod.uid)
            || last.is_some_and(|last| last.uid != pod.uid && last.gone)
    }
}

/// What to do now.
pub fn next(scene: &RollScene, memory: &RollMemory, terms: &RollTerms) -> NextRestart {
    let order = order(scene);
    if order.is_empty() {
        let waits = settled::unsettled(scene, memory, terms);
        return if waits.is_empty() { NextRestart::Done } else { NextRestart::Wait(waits) };
    }
    let moving = &scene.cluster.running;
    if !moving.is_empty() {
        return NextRestart::Moving(moving.keys().cloned().collect());
    }
    let unavailable = impact::unavailable(scene);
    if !unavailable.is_empty() && !terms.allow_unavailable {
        return NextRestart::Unavailable(unavailable);
    }
    let mut waits = settled::unsettled(scene, memory, terms);
    if !waits.is_empty()
        && let Some(index) = batch::joins(scene, memory, terms, &order)
    {
        return NextRestart::Join(index);
    }
    let Some((first, pod)) =
        order.first().and_then(|first| Some((*first, scene.pods.get(*first)?)))
    else {
        return NextRestart::Done;
    };
    waits.extend(impact::hindrances(scene, pod, terms));
    if waits.is_empty() { NextRestart::Restart(first) } else { NextRestart::Wait(waits) }
}

#[cfg(test)]
mod tests;
