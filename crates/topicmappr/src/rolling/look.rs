//! One look at pods and brokers.

use super::agreed;
use crate::error::Error;
use crate::executing::Observer;
use ::kubernetes::brokers::{Rules, brokers};
use ::kubernetes::rolling::{Evicted, RollingPod, RollingSet};
use ::kubernetes::{Kubernetes, Name, Wanted};
use execute::roll::{Memory, Pod, Scene, Terms, Voters};
use jiff::Timestamp;
use kafka::Client;
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};

/// Looks at the pods of some StatefulSets, and at the cluster that they are.
pub(crate) struct Sights<'a> {
    kubernetes: &'a Kubernetes,
    client: &'a Client,
    sets: Vec<Name>,
    rules: Rules,
    ids: BTreeMap<Name, BrokerId>,
    /// Every pod that was made before is to be restarted, in seconds since 1970.
    since: Option<u64>,
    observer: Observer,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) scene: Scene,
    pub(crate) sets: Vec<RollingSet>,
    /// StatefulSets whose controller has not seen their latest change.
    pub(crate) unobserved: Vec<String>,
}

impl Sight {
    pub(crate) fn grace_of(&self, pod: &Pod) -> u64 {
        let of = |set: &&RollingSet| set.pods.iter().any(|one| one.uid == pod.uid);
        self.sets.iter().find(of).map_or(0, |set| set.grace_seconds)
    }

    /// How many pods are still to be restarted.
    pub(crate) fn left(&self) -> usize {
        self.scene.pods.iter().filter(|pod| pod.outdated).count()
    }
}

impl<'a> Sights<'a> {
    /// Learns which broker each pod is.
    ///
    /// # Errors
    /// A pod of which nobody knows it; a StatefulSet that is not there.
    pub(crate) async fn of(
        kubernetes: &'a Kubernetes,
        client: &'a Client,
        sets: Vec<Name>,
        rules: &Rules,
        since: Option<u64>,
    ) -> Result<Self, Error> {
        let rules = Rules { pods_are_chosen: true, ..rules.clone() };
        let (ids, observer) = (BTreeMap::new(), Observer::default());
        let mut sights = Self { kubernetes, client, sets, rules, ids, since, observer };
        sights.learn().await?;
        Ok(sights)
    }

    async fn learn(&mut self) -> Result<(), Error> {
        let namespaces = self.sets.iter().map(|set| set.namespace.clone()).collect();
        let wanted = Wanted { namespaces, pod_labels: None };
        let inventory = self.kubernetes.inventory(&wanted).await?;
        for pod in brokers(&inventory, &self.rules, &BTreeSet::new()).pods {
            if !pod.stateful_set.as_ref().is_some_and(|set| self.sets.contains(set)) {
                continue;
            }
            let id = pod.identity.map_err(|problem| Error::NoIdentity {
                pod: pod.name.to_string(),
                problem: problem.to_string(),
            })?;
            self.ids.insert(pod.name, id.id);
        }
        Ok(())
    }

    /// Pods first, then brokers: a broker that counts as live did so after its pod was seen.
    pub(crate) async fn look(&mut self) -> Result<Sight, Error> {
        let mut sets = Vec::new();
        for name in &self.sets {
            sets.push(self.kubernetes.rolling(name).await?);
        }
        let is_new = |pod: &RollingPod| !self.ids.contains_key(&pod.name);
        if sets.iter().flat_map(|set| &set.pods).any(is_new) {
            self.learn().await?;
        }
        let quorum = self.client.quorum().await?;
        let cluster = self.observer.see(self.client, &BTreeSet::new()).await?;
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let known = self.client.cluster();
        let mut pods = Vec::new();
        for set in &sets {
            for pod in &set.pods {
                let id = self.id_of(&pod.name)?;
                let before = self.since.is_some_and(|since| pod.created_seconds < since);
                pods.push(Pod {
                    name: pod.name.to_string(),
                    uid: pod.uid.clone(),
                    id,
                    rack: known.brokers.get(&id).and_then(|broker| broker.rack.clone()),
                    outdated: before || pod.revision != set.update_revision,
                    ready: pod.ready,
                    terminating: pod.terminating,
                    age_seconds: now.saturating_sub(pod.created_seconds),
                });
            }
        }
        let voters = quorum
            .as_ref()
            .map(|quorum| Voters { active: quorum.leader, behind_ms: quorum.voters.clone() });
        let unobserved = sets.iter().filter(|set| !set.observed);
        let unobserved = unobserved.map(|set| {
            format!("the latest change of StatefulSet {} is not observed yet", set.name)
        });
        let scene = Scene {
            pods,
            missing: sets.iter().flat_map(|set| set.missing.clone()).collect(),
            cluster,
            controller: known.controller.filter(|_| quorum.is_none()),
            voters,
        };
        Ok(Sight { unobserved: unobserved.collect(), scene, sets })
    }

    /// Every other broker is asked, too, before one is restarted: what one tells may be old.
    pub(super) async fn disagreed(
        &mut self,
        sight: &Sight,
        index: usize,
        memory: &Memory,
        terms: &Terms,
    ) -> Result<Option<Vec<String>>, Error> {
        // What is read once a minute is read again.
        self.observer = Observer::default();
        agreed::disagreed(self.client, &sight.scene, index, memory, terms).await
    }

    pub(super) async fn end_pod(&self, pod: &Pod, delete: bool) -> Result<Evicted, Error> {
        let (namespace, name) = pod.name.split_once('/').unwrap_or(("", &pod.name));
        let name = Name::new(namespace, name);
        Ok(match delete {
            true => self.kubernetes.delete_pod(&name, &pod.uid).await?,
            false => self.kubernetes.evict(&name, &pod.uid).await?,
        })
    }

    fn id_of(&self, pod: &Name) -> Result<BrokerId, Error> {
        self.ids.get(pod).copied().ok_or_else(|| Error::NoIdentity {
            pod: pod.to_string(),
            problem: "it has just come".to_owned(),
        })
    }
}
