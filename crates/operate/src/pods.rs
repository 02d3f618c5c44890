//! Joins the facts of Kubernetes about brokers with those of Kafka.

use crate::error::Error;
use crate::events::Note;
use crate::files::Document;
use crate::runtime;
use crate::words::counted;
use ::kubernetes::brokers::{BrokerPod, Brokers, Rules, brokers};
use ::kubernetes::fate::{Fate, VolumesSeen, fate};
use ::kubernetes::{Access, Difference, Finding, Inventory, Kubernetes, Name, Wanted};
use mapper::maps::{Group, MapSet, MapSeverity, Target};
use mapper::{BrokerId, Snapshot};
use std::collections::BTreeSet;

/// The broker pods, and where they run.
#[derive(Debug)]
pub struct Pods {
    /// The pods that the maps name; all pods if no map names any.
    brokers: Brokers,
    /// All broker pods.
    everybody: Brokers,
    inventory: Inventory,
    access: Access,
    search: Search,
    /// Brokers that maps name by id; they may run outside these pods.
    elsewhere: BTreeSet<BrokerId>,
    maps_name_pods: bool,
}

/// The search terms for pods, kept for later searches.
#[derive(Debug, Clone)]
pub struct Search {
    access: Access,
    groups: BTreeSet<Group>,
    pod_labels: Option<String>,
    rules: Rules,
}

impl Search {
    /// A search for the pods of these maps, by these rules.
    pub fn new(access: Access, maps: &MapSet, pod_labels: Option<&str>, rules: Rules) -> Self {
        let groups = maps.maps().iter().filter_map(|map| map.target.group()).collect();
        Self { access, groups, pod_labels: pod_labels.map(str::to_owned), rules }
    }

    /// Whether any map names pods.
    pub fn has_groups(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Connects to the API server that is searched.
    pub async fn connect(&self) -> Result<Kubernetes, Error> {
        Ok(Kubernetes::connect(&self.access).await?)
    }

    /// Determines whether a lost broker will return, from the current pods.
    ///
    /// # Errors
    /// Kubernetes does not answer, or two pods claim to be this broker.
    pub async fn fate(&self, broker: BrokerId) -> Result<Fate, Error> {
        let labels = self.pod_labels.as_deref();
        let mut inventory = gather(&self.access, &self.groups, labels, false).await?;
        let found = brokers(&inventory, &self.rules, &self.groups);
        let names: BTreeSet<&Name> = found.pods_of(broker).map(|pod| &pod.name).collect();
        if names.len() > 1 {
            let pods = names.into_iter().cloned().collect();
            return Err(Error::Pods(vec![Finding::IdClaimedTwice { id: broker, pods }]));
        }
        let seen = add_volumes(&self.access, &names, &mut inventory).await?;
        Ok(fate(broker, &found, &inventory, seen))
    }
}

impl Pods {
    /// Finds the broker pods of these maps; with the sizes of their volumes if `sizes`.
    ///
    /// # Errors
    /// Kubernetes does not answer, or answers with an error.
    pub async fn find(search: Search, maps: &MapSet, sizes: bool) -> Result<Self, Error> {
        let Search { access, groups, pod_labels, rules } = &search;
        let inventory = gather(access, groups, pod_labels.as_deref(), sizes).await?;
        let elsewhere = maps.maps().iter().filter_map(|map| match &map.target {
            Target::Ids(ids) | Target::NumberOf { of: Some(ids), .. } => Some(ids),
            Target::All
            | Target::NumberOf { of: None, .. }
            | Target::InstanceType { .. }
            | Target::StatefulSet { .. }
            | Target::KafkaNodePool { .. }
            | Target::NodeLabels { .. } => None,
        });
        Ok(Self {
            brokers: brokers(&inventory, rules, groups),
            everybody: brokers(&inventory, rules, &BTreeSet::new()),
            elsewhere: elsewhere.flatten().copied().collect(),
            access: access.clone(),
            maps_name_pods: search.has_groups(),
            inventory,
            search,
        })
    }

    /// The members of the groups in the maps.
    pub fn groups(&self) -> std::collections::BTreeMap<Group, mapper::maps::Members> {
        self.brokers.groups.clone()
    }

    /// Adds the facts of Kubernetes to a snapshot.
    pub fn complete(&self, snapshot: Snapshot) -> Result<Snapshot, Error> {
        let completed = self.brokers.complete(snapshot);
        completed.map_err(|problem| Error::Contradiction { problem })
    }

    /// Oddities of the pods, if any map names pods.
    pub fn findings(&self) -> impl Iterator<Item = &(Finding, BTreeSet<Group>)> {
        self.brokers.findings.iter().filter(|_| self.maps_name_pods)
    }

    /// # Errors
    /// The findings that rule out a correct plan.
    pub fn refuse_errors(&self) -> Result<(), Error> {
        let errors = self.findings().map(|(finding, _)| finding);
        let errors: Vec<Finding> =
            errors.filter(|finding| finding.severity() == MapSeverity::Error).cloned().collect();
        if errors.is_empty() { Ok(()) } else { Err(Error::Pods(errors)) }
    }

    /// Everything that was read from Kubernetes.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The contradictions between Kafka and Kubernetes.
    pub fn differences(&self, cluster: &Snapshot) -> Vec<Difference> {
        self.brokers.differences(cluster, &self.everybody, &self.elsewhere)
    }

    /// A note on volume sizes; call it before the snapshot is completed.
    pub fn note_on_volumes(&self, cluster: &Snapshot) -> Option<Note> {
        let others = self.brokers.other_volumes(cluster);
        let first = others.first()?;
        let count = match others.len() {
            1 => String::new(),
            count => format!("; so it is with {} more", counted(count - 1, "broker")),
        };
        Some(Note {
            text: format!("{first}{count}: what Kafka says counts"),
            hint: Some(
                "where a claim has grown, its file system grows when the pod starts anew"
                    .to_owned(),
            ),
        })
    }

    /// Determines for each of these lost brokers whether it will return.
    pub fn fates(&self, lost: &BTreeSet<BrokerId>) -> Result<Vec<(BrokerId, Fate)>, Error> {
        let mut inventory = self.inventory.clone();
        let of_lost = lost.iter().filter_map(|id| self.pod_of(*id));
        let names: BTreeSet<&Name> = of_lost.map(|pod| &pod.name).collect();
        let seen = runtime::wait(add_volumes(&self.access, &names, &mut inventory))??;
        let pods = if self.maps_name_pods { &self.brokers } else { &self.everybody };
        Ok(lost.iter().map(|id| (*id, fate(*id, pods, &inventory, seen))).collect())
    }

    /// The search terms, for another search.
    pub fn search(&self) -> &Search {
        &self.search
    }

    /// The pod of a broker.
    pub fn pod_of(&self, id: BrokerId) -> Option<&BrokerPod> {
        self.brokers.pod_of(id).or_else(|| self.everybody.pod_of(id))
    }
}

async fn gather(
    access: &Access,
    groups: &BTreeSet<Group>,
    pod_labels: Option<&str>,
    sizes: bool,
) -> Result<Inventory, Error> {
    let kubernetes = Kubernetes::connect(access).await?;
    let here = || kubernetes.namespace().to_owned();
    let namespaces = groups.iter().map(|group| match group {
        Group::StatefulSet { namespace, .. } | Group::KafkaNodePool { namespace, .. } => {
            namespace.clone()
        }
        Group::InstanceType(_) | Group::NodeLabels(_) => here(),
    });
    let mut namespaces: BTreeSet<String> = namespaces.collect();
    if namespaces.is_empty() {
        namespaces.insert(here());
    }
    let pod_labels = pod_labels.map(str::to_owned);
    let wanted = Wanted { namespaces, pod_labels };
    let mut inventory = kubernetes.inventory(&wanted).await?;
    if sizes {
        match kubernetes.add_claims(&wanted.namespaces, &mut inventory).await {
            Ok(()) => {}
            // Kafka reports the sizes itself, except in old versions.
            Err(error @ ::kubernetes::Error::Forbidden { .. }) => {
                tracing::info!(%error, "the sizes of claims are not known");
            }
            Err(error) => return Err(error.into()),
        }
    }
    tracing::info!(calls = kubernetes.calls(), pods = inventory.pods.len(), "asked Kubernetes");
    Ok(inventory)
}

/// Adds claims and volumes. They are optional: without the right to read them, they stay unknown.
async fn add_volumes(
    access: &Access,
    pods: &BTreeSet<&Name>,
    inventory: &mut Inventory,
) -> Result<VolumesSeen, Error> {
    let kubernetes = Kubernetes::connect(access).await?;
    let pods = inventory.pods.iter().filter(|pod| pods.contains(&pod.name)).cloned();
    for pod in pods.collect::<Vec<_>>() {
        match kubernetes.add_volumes_of(&pod, inventory).await {
            Ok(()) => {}
            Err(error @ ::kubernetes::Error::Forbidden { .. }) => {
                tracing::warn!(%error, "the volumes of lost brokers are not looked at");
                return Ok(VolumesSeen::No);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(VolumesSeen::Yes)
}

/// Reads the documents of a ConfigMap, one for each key.
pub async fn config_map(access: &Access, name: &str) -> Result<Vec<Document>, Error> {
    documents_of(&Kubernetes::connect(access).await?, name).await
}

/// The same, over an existing connection.
pub async fn documents_of(kubernetes: &Kubernetes, name: &str) -> Result<Vec<Document>, Error> {
    let name = Name::parsed(name, kubernetes.namespace());
    let place = format!("configmap:{name}");
    let wrong = |problem: String| Error::from(local::Error::flag("--maps", place.clone(), problem));
    let found = kubernetes.config_map(&name).await?;
    let found = found.ok_or_else(|| wrong("there is no such ConfigMap".to_owned()))?;
    if let Some(key) = found.binary.first() {
        return Err(wrong(format!("the value of {key} is binary, not text")));
    }
    if found.data.is_empty() {
        return Err(wrong("it holds no data".to_owned()));
    }
    let data = found.data.into_iter();
    Ok(data.map(|(key, text)| Document { name: format!("{place}/{key}"), text }).collect())
}
