//! One look at pods, brokers and controllers.

use super::agreed;
use super::look::Sight;
use super::pods::RollPods;
use crate::error::Error;
use crate::execution::Observer;
use ::kafka::Client;
use ::kubernetes::brokers::{Rules, brokers};
use ::kubernetes::rolling::RollingPod;
use ::kubernetes::{Name, Wanted};
use execute::roll::{NextRestart, RollMemory, RollScene, RollTerms, Voters};
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};

/// Looks at the pods and their Kafka cluster.
pub(super) struct KafkaPods<'a> {
    pub(super) pods: RollPods<'a>,
    client: Client,
    rules: Rules,
    ids: BTreeMap<Name, BrokerId>,
    observer: Observer,
}

impl<'a> KafkaPods<'a> {
    /// Finds out which broker or controller runs in each pod.
    pub(super) async fn of(
        pods: RollPods<'a>,
        client: Client,
        rules: Rules,
    ) -> Result<Self, Error> {
        let rules = Rules { pods_are_chosen: true, ..rules };
        let (ids, observer) = (BTreeMap::new(), Observer::default());
        let mut all = Self { pods, client, rules, ids, observer };
        all.learn().await?;
        Ok(all)
    }

    async fn learn(&mut self) -> Result<(), Error> {
        let namespaces = self.pods.sets.iter().map(|set| set.namespace.clone()).collect();
        let wanted = Wanted { namespaces, pod_labels: None };
        let inventory = self.pods.kubernetes.inventory(&wanted).await?;
        for pod in brokers(&inventory, &self.rules, &BTreeSet::new()).pods {
            if !pod.stateful_set.as_ref().is_some_and(|set| self.pods.sets.contains(set)) {
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

    /// Looks at pods first, then brokers. So a broker that is live now was live after its pod was seen.
    pub(super) async fn look(&mut self) -> Result<Sight, Error> {
        let sets = self.pods.look().await?;
        let is_new = |pod: &RollingPod| !self.ids.contains_key(&pod.name);
        if sets.iter().flat_map(|set| &set.pods).any(is_new) {
            self.learn().await?;
        }
        let quorum = self.client.quorum().await?;
        // The next restart could leave a partition without a leader if this user cannot see it.
        self.client.sees_every_topic().await?;
        let cluster = self.observer.see(&self.client, &BTreeSet::new()).await?;
        let known = self.client.cluster();
        let rack_of = |id| known.brokers.get(&id).and_then(|broker| broker.rack.clone());
        let voters = quorum.as_ref().map(|quorum| Voters {
            zookeeper: false,
            active: quorum.leader,
            behind_ms: quorum.voters.clone(),
        });
        let scene = RollScene {
            pods: self.pods.of(&sets, |pod| self.id_of(pod), rack_of)?,
            cluster,
            controller: known.controller.filter(|_| quorum.is_none()),
            voters,
            ..RollScene::default()
        };
        Ok(Sight::of(scene, sets))
    }

    /// Asks every other broker before a restart, because the metadata of one broker may be old.
    pub(super) async fn disagreed(
        &mut self,
        sight: &Sight,
        expected: &NextRestart,
        memory: &RollMemory,
        terms: &RollTerms,
    ) -> Result<Option<Vec<String>>, Error> {
        // Facts that are cached for a minute are read again.
        self.observer = Observer::default();
        agreed::disagreed(&self.client, &sight.scene, expected, memory, terms).await
    }

    fn id_of(&self, pod: &Name) -> Result<BrokerId, Error> {
        self.ids.get(pod).copied().ok_or_else(|| Error::NoIdentity {
            pod: pod.to_string(),
            problem: "it has just come".to_owned(),
        })
    }
}
