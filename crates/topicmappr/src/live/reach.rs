//! The way to servers, for commands that plan from any source.

use crate::error::Error;
use crate::facts::{Facts, PodKnowledge, ServerReach};
use crate::live::lost::lost_broker;
use crate::live::views::pod_problems;
use crate::lost::LostBroker;
use crate::session::Session;
use crate::views::{Caution, PodProblems};
use health::readiness::Force;
use local::Note;
use local::files::Document;
use mapper::maps::{Group, Map, MapSet, Members};
use mapper::{BrokerId, Snapshot};
use operate::cluster::{Servers, Source};
use operate::live::{self, CapturedCluster};
use operate::pods::{Pods, Search, config_map};
use operate::probes::in_inventory;
use operate::runtime;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Kafka, ZooKeeper and Kubernetes, over the network.
pub(crate) struct NetworkReach;

impl ServerReach for NetworkReach {
    fn capture(
        &self,
        servers: &Servers,
        rates: Option<Duration>,
        session: &Session<'_, '_>,
    ) -> Result<Facts, Error> {
        session.global.talk.log();
        let CapturedCluster { snapshot, metrics_age, notes } = live::capture(servers, rates)?;
        Ok(Facts { metrics_age, ..Facts::new(snapshot, notes) })
    }

    fn pods(
        &self,
        set: &MapSet,
        source: Option<&Source>,
        session: &Session<'_, '_>,
    ) -> Result<Option<Box<dyn PodKnowledge>>, Error> {
        Ok(session.found_pods(set, source)?.map(boxed))
    }

    fn config_map(&self, name: &str, session: &Session<'_, '_>) -> Result<Vec<Document>, Error> {
        let access = session.global.kubernetes.access(session.environment);
        Ok(runtime::wait(config_map(&access, name))??)
    }
}

/// The pods as a planning command takes them.
pub(crate) fn boxed(pods: Pods) -> Box<dyn PodKnowledge> {
    Box::new(pods)
}

impl Session<'_, '_> {
    /// The broker pods, if this run needs them, for commands that ask more of them.
    pub(crate) fn found_pods(
        &self,
        set: &MapSet,
        source: Option<&Source>,
    ) -> Result<Option<Pods>, Error> {
        let flags = &self.global.kubernetes;
        let access = flags.access(self.environment);
        let search = Search::new(access, set, flags.pod_labels(), flags.rules());
        let named = flags.is_named() || self.global.maps.are_in_config_map();
        let asked = match source {
            None => search.has_groups(),
            Some(Source::File(_)) => named && search.has_groups(),
            Some(Source::Live(_)) => named || search.has_groups(),
        };
        if !asked {
            return Ok(None);
        }
        self.global.talk.log();
        match runtime::wait(Pods::find(search, set, source.is_some()))? {
            // No flag names Kubernetes: the maps then report which brokers they lack.
            Err(operate::Error::Kubernetes(error))
                if !named && matches!(*error, ::kubernetes::Error::NoConfig) =>
            {
                Ok(None)
            }
            found => Ok(Some(found?)),
        }
    }
}

impl PodKnowledge for Pods {
    fn complete(&self, snapshot: Snapshot) -> Result<Snapshot, Error> {
        Ok(Pods::complete(self, snapshot)?)
    }

    fn groups(&self) -> BTreeMap<Group, Members> {
        Pods::groups(self)
    }

    fn refuse_errors(&self) -> Result<(), Error> {
        Ok(Pods::refuse_errors(self)?)
    }

    fn note_on_volumes(&self, cluster: &Snapshot) -> Option<Note> {
        Pods::note_on_volumes(self, cluster)
    }

    fn cautions(&self, cluster: &Snapshot) -> Vec<Caution> {
        let findings = self.findings().filter_map(|(finding, _)| {
            Caution::of_pods(finding.code(), finding.severity(), finding.to_string())
        });
        let differences = self.differences(cluster);
        let differences = differences.iter().map(|one| {
            Caution::of_broker(::kubernetes::Difference::CODE, one.to_string(), one.id())
        });
        findings.chain(differences).collect()
    }

    fn fates(&self, lost: &BTreeSet<BrokerId>, new: &[BrokerId]) -> Result<Vec<LostBroker>, Error> {
        let joined: Vec<_> = new.iter().filter_map(|id| Some((*id, self.pod_of(*id)?))).collect();
        let fates = Pods::fates(self, lost)?;
        Ok(fates.into_iter().map(|(id, fate)| lost_broker(id, fate, &joined)).collect())
    }

    fn problems(&self, cluster: Option<&Snapshot>, maps: &[Map]) -> PodProblems {
        pod_problems(self, cluster, maps)
    }

    fn forced(&self) -> (Vec<Force>, Vec<String>) {
        let forces = in_inventory(self.inventory());
        (forces.found, forces.broken)
    }
}
