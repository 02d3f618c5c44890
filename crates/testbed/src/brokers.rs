//! Kafka brokers that start and stop with pods.
//!
//! In: a [`Kubernetes`], a [`Cluster`] whose brokers all run, and the StatefulSets of their pods. A broker runs while
//! its pod runs on a live node; changes take a moment.
//!
//! - When a pod is deleted, its broker stops cleanly. The next pod starts it again.
//! - When a node is lost, its broker is killed at once.
//! - A broker's disk belongs to the node or to the pod's claims. A pod on another node, or with another claim, finds an
//!   empty disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::{Api, ResourceExt};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::kubernetes::{KUBELET, Kubernetes};
use crate::quorum::FIRST_MEMBER;

/// How often the worker checks whether it is still needed.
const PAUSE: Duration = Duration::from_millis(500);

/// The pods of a StatefulSet. A broker's id is the pod's ordinal plus the base. With the base [`FIRST_MEMBER`], the
/// pods are KRaft controllers or ZooKeeper servers, whose disks cannot be lost.
#[derive(Debug, Clone)]
pub struct PodSet {
    /// The namespace.
    pub namespace: String,
    /// The StatefulSet.
    pub name: String,
    /// The id of its first broker.
    pub base: i32,
}

/// What has happened to a broker since it was joined to its pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The uid of the pod in which it runs; `None`: it is down.
    pub pod: Option<String>,
    /// How many times it was started.
    pub starts: u32,
    /// How many times its disk was emptied before a start.
    pub emptied: u32,
    disk: Disk,
}

/// The location of its data. Another value means another disk.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Disk {
    node: String,
    claims: BTreeSet<String>,
}

/// A pod that runs on a live node.
struct Home {
    uid: String,
    disk: Disk,
}

/// Pods joined to brokers while this value exists.
#[derive(Debug)]
pub struct Brokers {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    kubernetes: Arc<Kubernetes>,
    cluster: Arc<Cluster>,
    sets: Vec<PodSet>,
    lives: Mutex<Lives>,
}

#[derive(Debug, Default)]
struct Lives {
    of: BTreeMap<i32, Life>,
    failure: Option<String>,
    over: bool,
}

/// A message of the watches: always the complete state.
enum Heard {
    Pods(usize, BTreeMap<String, Pod>),
    Nodes(BTreeMap<String, Node>),
}

impl Brokers {
    /// Joins pods and brokers. All of them must be running.
    pub fn join(
        kubernetes: &Arc<Kubernetes>,
        cluster: &Arc<Cluster>,
        sets: impl Into<Vec<PodSet>>,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            kubernetes: Arc::clone(kubernetes),
            cluster: Arc::clone(cluster),
            sets: sets.into(),
            lives: Mutex::default(),
        });
        let (tell, heard) = channel();
        for (index, set) in shared.sets.iter().enumerate() {
            let tell = tell.clone();
            let namespace = set.namespace.clone();
            kubernetes.follow(
                move |client| Api::<Pod>::namespaced(client, &namespace),
                move |pods| tell.send(Heard::Pods(index, pods.clone())).is_ok(),
            );
        }
        kubernetes
            .follow(Api::<Node>::all, move |nodes| tell.send(Heard::Nodes(nodes.clone())).is_ok());
        let working = Arc::clone(&shared);
        let worker = thread::spawn(move || working.work(&heard));
        let brokers = Self { shared, worker: Some(worker) };
        let (quorum, others): (Vec<&PodSet>, _) =
            brokers.shared.sets.iter().partition(|set| set.base == FIRST_MEMBER);
        let members = if quorum.is_empty() { 0 } else { cluster.members().len() };
        let wanted = members + if others.is_empty() { 0 } else { cluster.brokers().len() };
        crate::wait::until("a pod for each broker", Duration::from_secs(60), || {
            let lives = brokers.lives();
            lives.is_err().then_some(()).or_else(|| (lives.ok()?.len() == wanted).then_some(()))
        })?;
        brokers.lives().map(|_| brokers)
    }

    /// The current state of the brokers.
    pub fn lives(&self) -> Result<BTreeMap<i32, Life>, Error> {
        let lives = self.shared.lives();
        match &lives.failure {
            Some(failure) => {
                Err(Error::Api { what: "pods as brokers".into(), source: failure.clone().into() })
            }
            None => Ok(lives.of.clone()),
        }
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        self.shared.lives().over = true;
        if let Some(worker) = self.worker.take() {
            // The panic has already been printed, and a second one in drop would hide the test's own.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// The lives are valid even after a thread panicked while it held the lock.
    fn lives(&self) -> MutexGuard<'_, Lives> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, heard: &Receiver<Heard>) {
        let mut pods: BTreeMap<usize, BTreeMap<String, Pod>> = BTreeMap::new();
        let mut nodes = None;
        loop {
            let first = match heard.recv_timeout(PAUSE) {
                Ok(heard) => Some(heard),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Changes that arrived while brokers started and stopped count as one change.
            for news in first.into_iter().chain(heard.try_iter()) {
                match news {
                    Heard::Pods(set, all) => drop(pods.insert(set, all)),
                    Heard::Nodes(all) => nodes = Some(all),
                }
            }
            if self.lives().over {
                return;
            }
            let Some(nodes) = nodes.as_ref().filter(|_| pods.len() == self.sets.len()) else {
                continue;
            };
            let settled = self.homes(&pods, nodes).and_then(|homes| self.settle(&homes, nodes));
            if let Err(why) = settled {
                self.lives().failure.get_or_insert(why.to_string());
                return;
            }
        }
    }

    /// The pod in which each broker should run.
    fn homes(
        &self,
        pods: &BTreeMap<usize, BTreeMap<String, Pod>>,
        nodes: &BTreeMap<String, Node>,
    ) -> Result<BTreeMap<i32, Home>, Error> {
        let mut homes = BTreeMap::new();
        for (set, pods) in self.sets.iter().zip(pods.values()) {
            for (name, pod) in pods {
                let ordinal = name.strip_prefix(&format!("{}-", set.name));
                let Some(ordinal) = ordinal.and_then(|text| text.parse::<i32>().ok()) else {
                    continue;
                };
                let id = set.base + ordinal;
                let Some(node) = runs_on(pod).filter(|node| is_up(nodes.get(*node))) else {
                    continue;
                };
                let claims = match self.lives().of.get(&id) {
                    // The claims of a pod do not change during its life.
                    Some(life) if life.pod == pod.uid() => life.disk.claims.clone(),
                    _ => self.claims(&set.namespace, pod)?,
                };
                let disk = Disk { node: node.to_owned(), claims };
                homes.insert(id, Home { uid: pod.uid().unwrap_or_default(), disk });
            }
        }
        Ok(homes)
    }

    /// The uids of the claims that a pod mounts.
    fn claims(&self, namespace: &str, pod: &Pod) -> Result<BTreeSet<String>, Error> {
        let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let names = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref());
        let names: Vec<String> = names.map(|claim| claim.claim_name.clone()).collect();
        if names.is_empty() {
            return Ok(BTreeSet::new());
        }
        let namespace = namespace.to_owned();
        self.kubernetes.run("the claims of a pod", |client| async move {
            let claims = Api::<PersistentVolumeClaim>::namespaced(client, &namespace);
            let mut uids = BTreeSet::new();
            for name in names {
                uids.extend(claims.get(&name).await?.uid());
            }
            Ok(uids)
        })
    }

    /// Stops and starts the brokers that are in the wrong state: all in parallel, and all stops before all starts.
    fn settle(
        &self,
        homes: &BTreeMap<i32, Home>,
        nodes: &BTreeMap<String, Node>,
    ) -> Result<(), Error> {
        let lives = self.lives().of.clone();
        let moved = |id: &i32, pod: &String| homes.get(id).map(|home| &home.uid) != Some(pod);
        let ending = lives.iter().filter_map(|(id, life)| {
            life.pod.as_ref().filter(|pod| moved(id, pod)).map(|_| (*id, life))
        });
        at_once(ending, |id, life| {
            match (is_up(nodes.get(&life.disk.node)), id >= FIRST_MEMBER) {
                (true, false) => self.cluster.stop_broker(id)?,
                (true, true) => self.cluster.stop_member(id)?,
                (false, false) => self.cluster.kill_broker(id)?,
                (false, true) => self.cluster.kill_member(id)?,
            }
            self.lives().of.entry(id).and_modify(|life| life.pod = None);
            Ok(())
        })?;
        let down = |id: &i32| self.lives().of.get(id).is_none_or(|life| life.pod.is_none());
        let starting: Vec<_> =
            homes.iter().filter(|(id, _)| down(id)).map(|(id, home)| (*id, home)).collect();
        at_once(starting.into_iter(), |id, home| self.start(id, home))
    }

    fn start(&self, id: i32, home: &Home) -> Result<(), Error> {
        let known = self.lives().of.get(&id).cloned();
        let life = match known {
            // The broker was already running when it was joined to its pod.
            None => Life { pod: None, starts: 0, emptied: 0, disk: home.disk.clone() },
            Some(life) if id >= FIRST_MEMBER => {
                self.cluster.start_member(id)?;
                Life { starts: life.starts + 1, ..life }
            }
            Some(mut life) => {
                if life.disk != home.disk {
                    self.cluster.wipe_broker(id)?;
                    life.emptied += 1;
                }
                self.cluster.start_broker(id)?;
                life.starts += 1;
                life
            }
        };
        let life = Life { pod: Some(home.uid.clone()), disk: home.disk.clone(), ..life };
        self.lives().of.insert(id, life);
        Ok(())
    }
}

/// The node of a pod that runs and is not being deleted.
fn runs_on(pod: &Pod) -> Option<&str> {
    let phase = pod.status.as_ref()?.phase.as_deref()?;
    let stays = pod.metadata.deletion_timestamp.is_none() && phase == "Running";
    pod.spec.as_ref()?.node_name.as_deref().filter(|_| stays)
}

fn is_up(node: Option<&Node>) -> bool {
    let labels = node.and_then(|node| node.metadata.labels.as_ref());
    labels.and_then(|labels| labels.get(KUBELET)).is_some_and(|kubelet| kubelet == "up")
}

fn at_once<'a, T: Sync + 'a>(
    brokers: impl Iterator<Item = (i32, &'a T)>,
    work: impl Fn(i32, &T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let work = &work;
    thread::scope(|scope| {
        let running: Vec<_> =
            brokers.map(|(id, about)| scope.spawn(move || work(id, about))).collect();
        running.into_iter().try_for_each(|one| match one.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
