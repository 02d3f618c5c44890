//! One look at pods and their servers.

use super::ensemble::Ensemble;
use super::kafka::KafkaPods;
use super::pods::RollPods;
use crate::error::Error;
use ::kafka::Client;
use ::kubernetes::brokers::Rules;
use ::kubernetes::rolling::{Evicted, RollingSet};
use execute::roll::{NextRestart, Pod, RollMemory, RollScene, RollTerms, order};
use std::collections::BTreeMap;

/// Looks at the pods of some StatefulSets and at their servers: brokers and controllers, or ZooKeeper servers.
pub struct Sights<'a>(Of<'a>);

enum Of<'a> {
    Kafka(Box<KafkaPods<'a>>),
    ZooKeeper(Box<Ensemble<'a>>),
}

/// The result of a look.
#[derive(Debug)]
pub struct Sight {
    /// Pods, controllers and cluster: the input of `execute::roll::next`.
    pub scene: RollScene,
    /// The StatefulSets that the pods belong to.
    pub sets: Vec<RollingSet>,
    /// StatefulSets whose controller has not seen their latest change.
    pub unobserved: Vec<String>,
}

impl Sight {
    pub(super) fn of(mut scene: RollScene, sets: Vec<RollingSet>) -> Self {
        let unobserved = sets.iter().filter(|set| !set.observed);
        let unobserved = unobserved.map(|set| {
            format!("the latest change of StatefulSet {} is not observed yet", set.name)
        });
        scene.missing = sets.iter().flat_map(|set| set.missing.clone()).collect();
        Self { unobserved: unobserved.collect(), scene, sets }
    }

    pub(crate) fn grace_of(&self, pod: &Pod) -> u64 {
        let of = |set: &&RollingSet| set.pods.iter().any(|one| one.uid == pod.uid);
        self.sets.iter().find(of).map_or(0, |set| set.grace_seconds)
    }

    /// The number of pods still to restart.
    pub fn left(&self) -> usize {
        self.scene.pods.iter().filter(|pod| pod.outdated).count()
    }

    /// The number of pods that are not even ending yet.
    pub(super) fn not_begun(&self) -> usize {
        order(&self.scene).len()
    }
}

impl<'a> Sights<'a> {
    /// Pods with brokers or KRaft controllers.
    ///
    /// # Errors
    /// A pod without a known broker id, or a missing StatefulSet.
    pub async fn of_kafka(
        pods: RollPods<'a>,
        client: Client,
        rules: &Rules,
    ) -> Result<Self, Error> {
        let pods = KafkaPods::of(pods, client, rules.clone()).await?;
        Ok(Self(Of::Kafka(Box::new(pods))))
    }

    /// Pods with ZooKeeper servers. `named` has the addresses of pods whose names are not in those of the ensemble.
    pub fn of_zookeeper(
        pods: RollPods<'a>,
        ensemble: &zookeeper::ZooKeeperAddress,
        named: &BTreeMap<String, String>,
    ) -> Self {
        Self(Of::ZooKeeper(Box::new(Ensemble::of(pods, ensemble, named))))
    }

    /// Reads the pods first, then the servers in them.
    ///
    /// # Errors
    /// Kubernetes or Kafka does not answer, or the id of the server in a pod is unknown.
    pub async fn look(&mut self) -> Result<Sight, Error> {
        match &mut self.0 {
            Of::Kafka(pods) => pods.look().await,
            Of::ZooKeeper(ensemble) => ensemble.look().await,
        }
    }

    /// Why other brokers disagree. All ZooKeeper servers were asked during the look.
    pub(super) async fn disagreed(
        &mut self,
        sight: &Sight,
        expected: &NextRestart,
        memory: &RollMemory,
        terms: &RollTerms,
    ) -> Result<Option<Vec<String>>, Error> {
        match &mut self.0 {
            Of::Kafka(pods) => pods.disagreed(sight, expected, memory, terms).await,
            Of::ZooKeeper(_) => Ok(None),
        }
    }

    pub(super) async fn end_pod(&self, pod: &Pod, delete: bool) -> Result<Evicted, Error> {
        match &self.0 {
            Of::Kafka(all) => all.pods.end(pod, delete).await,
            Of::ZooKeeper(all) => all.pods.end(pod, delete).await,
        }
    }
}
