//! Rolling restarts: which pod may be restarted now.
//!
//! In: the pods, the cluster as [`Seen`], and what this run has seen of the pod that it restarted last. Out: [`Next`]: one pod
//! to restart, what is waited for, or why nothing may be done. What has to be restarted is read off the pods every time,
//! so that a run that was killed is answered by another one. Decides by its arguments alone.

mod impact;
mod order;
mod settled;
mod words;

use crate::seen::Seen;
use mapper::{BrokerId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

pub use impact::unavailable;
pub use order::order;

/// A pod, and the server in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Namespace and name.
    pub name: String,
    /// What tells it from its predecessor of the same name.
    pub uid: String,
    /// Its broker, or controller.
    pub id: BrokerId,
    /// Its rack.
    pub rack: Option<String>,
    /// It is to be restarted.
    pub outdated: bool,
    /// Its `Ready` condition is true.
    pub ready: bool,
    /// It has been deleted, and is not gone yet.
    pub terminating: bool,
    /// How long ago it was created.
    pub age_seconds: u64,
}

/// A voter that is further behind the active one, in milliseconds, is down, or as good as that. One that runs fetches twice a
/// second (`controller.quorum.fetch.timeout.ms`, `metadata.max.idle.interval.ms`), and the quorum never forgets one that does
/// not run: how far it is behind is all that tells.
pub const CAUGHT_UP_MS: u64 = 3_000;

/// The voters of a quorum: KRaft controllers, or ZooKeeper servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Voters {
    /// They are ZooKeeper servers.
    pub zookeeper: bool,
    /// The active controller; ZooKeeper's leader.
    pub active: Option<BrokerId>,
    /// Every voter, with how long it is behind the active one in milliseconds, where that is told. A ZooKeeper server that
    /// serves is not behind; of one that does not, nothing is told.
    pub behind_ms: BTreeMap<BrokerId, Option<u64>>,
}

impl Voters {
    /// Whether a voter runs and has caught up.
    fn has(&self, id: BrokerId) -> bool {
        self.behind_ms.get(&id).copied().flatten().is_some_and(|ms| ms <= CAUGHT_UP_MS)
    }
}

/// What is in a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A broker, which may be a controller, too.
    Broker,
    /// A KRaft controller that is no broker.
    Controller,
    /// A ZooKeeper server.
    ZooKeeper,
}

/// What is seen of a roll.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// The pods of the StatefulSets that are rolled.
    pub pods: Vec<Pod>,
    /// Pods that are to exist, and do not.
    pub missing: Vec<String>,
    /// Brokers, topics and running moves.
    pub cluster: Seen,
    /// The controllers, or the ZooKeeper servers where those are rolled; `None` for brokers in ZooKeeper mode.
    pub voters: Option<Voters>,
    /// The broker that is the controller, in ZooKeeper mode.
    pub controller: Option<BrokerId>,
}

impl Scene {
    /// What the pod with this id has in it.
    pub fn role(&self, id: BrokerId) -> Role {
        match &self.voters {
            Some(voters) if voters.zookeeper => Role::ZooKeeper,
            Some(voters)
                if voters.behind_ms.contains_key(&id) && !self.cluster.live.contains(&id) =>
            {
                Role::Controller
            }
            _ => Role::Broker,
        }
    }

    /// Whether the server with this id does anything.
    pub fn is_up(&self, id: BrokerId) -> bool {
        self.cluster.live.contains(&id) || self.voters.as_ref().is_some_and(|voters| voters.has(id))
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Partitions that cannot stay available may become unavailable.
    pub allow_unavailable: bool,
    /// A younger pod counts only once its predecessor's server was seen to be gone, in seconds: until then the cluster may
    /// still show the old server as live and in sync.
    pub settle_seconds: u64,
}

/// What this run has seen of servers that went. Lost with the run: then young pods are waited for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    restarted: Option<Restarted>,
    /// Pods that were there while their server was not: what comes up in them is new.
    waiting: BTreeMap<BrokerId, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Restarted {
    id: BrokerId,
    /// The pod that was there before.
    uid: String,
    /// The cluster has noticed that its server was gone.
    gone: bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Every pod is as it is to be, ready and in sync.
    Done,
    /// Restart this pod: its index in [`Scene::pods`].
    Restart(usize),
    /// Look again in a moment.
    Wait(Vec<Hindrance>),
    /// Somebody moves replicas: nothing is restarted meanwhile.
    Moving(BTreeSet<TopicPartition>),
    /// Restarts would make these unavailable, however careful they are, and nobody has allowed it.
    Unavailable(BTreeSet<TopicPartition>),
}

/// What a restart waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// A pod does not exist (yet).
    Missing(String),
    /// A pod that was deleted is not gone.
    Terminating(String),
    /// A pod is not ready.
    NotReady(String),
    /// A pod is ready, and its broker not registered.
    NotRegistered(String, BrokerId),
    /// A pod is so young that the cluster may still tell of the server before it.
    Young(String, u64),
    /// Replicas on a broker are not in sync.
    Lagging(BrokerId, BTreeSet<TopicPartition>),
    /// The controller, or ZooKeeper server, in a pod has not caught up.
    Behind(String, Option<u64>),
    /// Partitions that would take no acknowledged writes without the broker.
    UnderMinIsr(BrokerId, BTreeSet<TopicPartition>),
    /// Partitions without a leader, of which the broker has a replica.
    Leaderless(BrokerId, BTreeSet<TopicPartition>),
    /// Nobody tells how many replicas have to be in sync.
    MinIsrUntold(BrokerId, BTreeSet<String>),
    /// Without that pod too few voters would be left: how many, and how many are a majority.
    NoMajority(String, usize, usize),
}

impl Memory {
    /// Notes that a pod is about to be restarted.
    pub fn restarts(&mut self, pod: &Pod) {
        self.restarted = Some(Restarted { id: pod.id, uid: pod.uid.clone(), gone: false });
    }

    /// Notes what a look shows of it.
    pub fn look(&mut self, scene: &Scene) {
        if let Some(last) = &mut self.restarted {
            // A voter that only hesitates counts as behind, too: its own end is what its pod's end tells.
            let ended = scene.role(last.id) == Role::Broker
                || scene.pods.iter().all(|pod| pod.uid != last.uid);
            last.gone |= ended && !scene.is_up(last.id);
        }
        for pod in scene.pods.iter().filter(|pod| !pod.terminating && !scene.is_up(pod.id)) {
            self.waiting.insert(pod.id, pod.uid.clone());
        }
    }

    /// Whether the server that a pod has now is known to be another one than before.
    fn knows(&self, pod: &Pod) -> bool {
        let last = self.restarted.as_ref().filter(|last| last.id == pod.id);
        self.waiting.get(&pod.id) == Some(&pod.uid)
            || last.is_some_and(|last| last.uid != pod.uid && last.gone)
    }
}

/// What to do now.
pub fn next(scene: &Scene, memory: &Memory, terms: &Terms) -> Next {
    let order = order(scene);
    if order.is_empty() {
        let waits = settled::unsettled(scene, memory, terms);
        return if waits.is_empty() { Next::Done } else { Next::Wait(waits) };
    }
    let moving = &scene.cluster.running;
    if !moving.is_empty() {
        return Next::Moving(moving.keys().cloned().collect());
    }
    let unavailable = impact::unavailable(scene);
    if !unavailable.is_empty() && !terms.allow_unavailable {
        return Next::Unavailable(unavailable);
    }
    let mut waits = settled::unsettled(scene, memory, terms);
    let Some((first, pod)) =
        order.first().and_then(|first| Some((*first, scene.pods.get(*first)?)))
    else {
        return Next::Done;
    };
    waits.extend(impact::hindrances(scene, pod, terms));
    if waits.is_empty() { Next::Restart(first) } else { Next::Wait(waits) }
}

#[cfg(test)]
mod tests;
