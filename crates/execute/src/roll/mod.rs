//! Rolling restarts: which pod may be restarted now.
//!
//! In: the pods, the cluster as [`Seen`], and what this run has seen of the pod that it restarted last. Out: [`Next`]: one pod
//! to restart, what is waited for, or why nothing may be done. What has to be restarted is read off the pods every time,
//! so that a run that was killed is answered by another one. Decides by its arguments alone.

mod impact;
mod order;
mod settled;

use crate::seen::Seen;
use mapper::{BrokerId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

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

/// The voters of a KRaft quorum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Voters {
    /// The active controller.
    pub active: Option<BrokerId>,
    /// Every voter, with how long it is behind the active one in milliseconds, where that is told.
    pub behind_ms: BTreeMap<BrokerId, Option<u64>>,
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
    /// The controllers; `None` in ZooKeeper mode.
    pub voters: Option<Voters>,
    /// The broker that is the controller, in ZooKeeper mode.
    pub controller: Option<BrokerId>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Partitions that cannot stay available may become unavailable.
    pub allow_unavailable: bool,
    /// A younger pod counts only once its predecessor's server was seen to be gone, in seconds: until then the cluster may
    /// still show the old server as live and in sync.
    pub settle_seconds: u64,
    /// A controller that is further behind has not caught up, in milliseconds.
    pub max_behind_ms: u64,
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
    /// A controller has not caught up.
    Behind(BrokerId, Option<u64>),
    /// Partitions that would take no acknowledged writes without the broker.
    UnderMinIsr(BrokerId, BTreeSet<TopicPartition>),
    /// Partitions without a leader, of which the broker has a replica.
    Leaderless(BrokerId, BTreeSet<TopicPartition>),
    /// Nobody tells how many replicas have to be in sync.
    MinIsrUntold(BrokerId, BTreeSet<String>),
    /// Too few controllers would be left.
    NoMajority(BrokerId, usize, usize),
}

impl Memory {
    /// Notes that a pod is about to be restarted.
    pub fn restarts(&mut self, pod: &Pod) {
        self.restarted = Some(Restarted { id: pod.id, uid: pod.uid.clone(), gone: false });
    }

    /// Notes what a look shows of it.
    pub fn look(&mut self, scene: &Scene) {
        let is_up = |id: BrokerId| scene.cluster.live.contains(&id) || is_up_voter(scene, id);
        if let Some(last) = &mut self.restarted {
            last.gone |= !is_up(last.id);
        }
        for pod in scene.pods.iter().filter(|pod| !pod.terminating && !is_up(pod.id)) {
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

/// A controller that is no broker is told by the quorum alone.
fn is_up_voter(scene: &Scene, id: BrokerId) -> bool {
    let behind = scene.voters.as_ref().and_then(|voters| voters.behind_ms.get(&id).copied());
    behind.flatten().is_some() && !scene.cluster.live.contains(&id)
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

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(pod) => write!(f, "pod {pod} does not exist"),
            Self::Terminating(pod) => write!(f, "pod {pod} is still ending"),
            Self::NotReady(pod) => write!(f, "pod {pod} is not ready"),
            Self::NotRegistered(pod, id) => {
                write!(f, "pod {pod} is ready, and broker {id} is not registered")
            }
            Self::Young(pod, seconds) => write!(
                f,
                "pod {pod} is {seconds} s old: the cluster may still tell of the broker before it"
            ),
            Self::Lagging(id, partitions) => {
                write!(f, "broker {id} is not in sync in {}", named(partitions))
            }
            Self::Behind(id, Some(ms)) => write!(f, "controller {id} is {ms} ms behind"),
            Self::Behind(id, None) => write!(f, "controller {id} has not been heard of"),
            Self::UnderMinIsr(id, partitions) => {
                write!(
                    f,
                    "without broker {id}, too few replicas are in sync of {}",
                    named(partitions)
                )
            }
            Self::Leaderless(id, partitions) => {
                write!(f, "nobody leads {}, of which broker {id} has replicas", named(partitions))
            }
            Self::MinIsrUntold(id, topics) => {
                let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
                write!(f, "min.insync.replicas is not told of {}, on broker {id}", few(&topics))
            }
            Self::NoMajority(id, left, needed) => write!(
                f,
                "without controller {id}, {left} have caught up, and a majority is {needed}"
            ),
        }
    }
}

fn named(partitions: &BTreeSet<TopicPartition>) -> String {
    let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
    few(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn few(names: &[&str]) -> String {
    const FEW: usize = 3;
    let more = names.len().saturating_sub(FEW);
    let first: Vec<&str> = names.iter().take(FEW).copied().collect();
    first.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

#[cfg(test)]
mod tests;
