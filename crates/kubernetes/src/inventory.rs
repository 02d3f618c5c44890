//! Everything that identifies brokers, in few calls: pods and StatefulSets of some namespaces, and the nodes.
//!
//! It lists only the metadata of nodes. The rest of a node is twenty times as large, and matters only for pods that are
//! not ready. Lists come in pages of 500.

use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error, if_found};
use crate::facts::{ClaimFacts, Health, Name, NodeFacts, PodFacts, StatefulSetFacts, VolumeFacts};
use crate::read::labelled_node;
use futures::future::BoxFuture;
use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::PartialObjectMeta;
use std::collections::{BTreeMap, BTreeSet};

const NODES: &str = "nodes";
const PODS: &str = "pods";
const SETS: &str = "statefulsets.apps";
const CLAIMS: &str = "persistentvolumeclaims";
const VOLUMES: &str = "persistentvolumes";
/// With more nodes than this to read, one list of all nodes is cheaper.
const FEW: usize = 20;

/// What to gather.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The namespaces of broker pods.
    pub namespaces: BTreeSet<String>,
    /// The labels of broker pods (`app=kafka`); `None`: any.
    pub pod_labels: Option<String>,
}

/// The objects that exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// The pods, sorted by namespace and name.
    pub pods: Vec<PodFacts>,
    /// The nodes by name.
    pub nodes: BTreeMap<String, NodeFacts>,
    /// The StatefulSets.
    pub stateful_sets: BTreeMap<Name, StatefulSetFacts>,
    /// The claims, if they were requested.
    pub claims: BTreeMap<Name, ClaimFacts>,
    /// The volumes, if they were requested.
    pub volumes: BTreeMap<String, VolumeFacts>,
}

impl Inventory {
    /// The claims of a pod and their volumes, if both were requested.
    pub fn volumes_of(&self, pod: &PodFacts) -> impl Iterator<Item = (&ClaimFacts, &VolumeFacts)> {
        let namespace = &pod.name.namespace;
        let claims = pod.claims.iter().map(|claim| Name::new(namespace, claim));
        claims.collect::<Vec<Name>>().into_iter().filter_map(|name| {
            let claim = self.claims.get(&name)?;
            Some((claim, self.volumes.get(claim.volume.as_ref()?)?))
        })
    }
}

impl Kubernetes {
    /// Gathers the requested objects. Rights: `list pods`, `list statefulsets.apps` in each namespace; `list nodes`,
    /// and `get nodes` for pods that are not ready.
    ///
    /// # Errors
    /// The first request that failed. No fact is guessed instead.
    pub async fn inventory(&self, wanted: &Wanted) -> Result<Inventory, Error> {
        let (nodes, pods) = tokio::try_join!(self.labelled_nodes(), self.pods(wanted))?;
        let mut inventory = Inventory { nodes, ..pods };
        self.look_at_nodes(&mut inventory).await?;
        Ok(inventory)
    }

    /// Pods and StatefulSets only.
    pub(crate) async fn pods(&self, wanted: &Wanted) -> Result<Inventory, Error> {
        let spaces = wanted.namespaces.iter().map(|namespace| self.in_namespace(namespace, wanted));
        let mut inventory = Inventory::default();
        for space in try_join_all(spaces).await? {
            inventory.pods.extend(space.pods);
            inventory.stateful_sets.extend(space.stateful_sets);
        }
        inventory.pods.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(inventory)
    }

    /// One pod with its StatefulSet and its node: what a pod needs to know about itself. Rights: `get pods`, `get
    /// statefulsets.apps`, `get nodes`.
    ///
    /// # Errors
    /// The request that failed. A StatefulSet or node that no longer exists is only missing from the inventory.
    pub fn pod<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<Inventory, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about("get", PODS, name);
            let api: Api<Pod> = Api::namespaced(self.client(), &name.namespace);
            let pod = PodFacts::from(self.read(&request, || api.get(&name.name)).await?);
            let mut inventory = Inventory::default();
            if let Some(set) = pod.stateful_set() {
                let request = ApiRequest::about("get", SETS, &set);
                let api: Api<StatefulSet> = Api::namespaced(self.client(), &set.namespace);
                let found = self.read(&request, || api.get(&set.name)).await;
                let found = if_found(found)?.map(|found| (set, found.into()));
                inventory.stateful_sets.extend(found);
            }
            if let Some(name) = &pod.node {
                let found = self.node(name).await?.map(|node| (name.clone(), node));
                inventory.nodes.extend(found);
            }
            inventory.pods.push(pod);
            Ok(inventory)
        })
    }

    /// Adds the claims of these namespaces, which have the sizes of volumes. Rights: `list persistentvolumeclaims` in
    /// each.
    ///
    /// # Errors
    /// The request that failed. The inventory then stays as it was.
    pub fn add_claims<'a>(
        &'a self,
        namespaces: &'a BTreeSet<String>,
        inventory: &'a mut Inventory,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let asked = namespaces.iter().map(|namespace| async move {
                let request = ApiRequest::about_all("list", CLAIMS, Some(namespace));
                let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client(), namespace);
                self.list(&api, &request, None).await
            });
            let claims = try_join_all(asked).await?.into_iter().flatten().map(ClaimFacts::from);
            inventory.claims.extend(claims.map(|claim| (claim.name.clone(), claim)));
            Ok(())
        })
    }

    /// Adds a pod's claims and their volumes. Rights: `get persistentvolumeclaims`, `get persistentvolumes`.
    ///
    /// # Errors
    /// The request that failed.
    pub fn add_volumes_of<'a>(
        &'a self,
        pod: &'a PodFacts,
        inventory: &'a mut Inventory,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for claim in &pod.claims {
                let name = Name::new(&pod.name.namespace, claim);
                let request = ApiRequest::about("get", CLAIMS, &name);
                let api: Api<PersistentVolumeClaim> =
                    Api::namespaced(self.client(), &name.namespace);
                let found = if_found(self.read(&request, || api.get(claim)).await)?;
                let Some(claim) = found.map(ClaimFacts::from) else { continue };
                if let Some(volume) = &claim.volume {
                    let request = ApiRequest::about_global("get", VOLUMES, volume);
                    let api: Api<PersistentVolume> = Api::all(self.client());
                    let found = if_found(self.read(&request, || api.get(volume)).await)?;
                    if let Some(found) = found.map(VolumeFacts::from) {
                        self.look_at_nodes_for(&found, inventory).await?;
                        inventory.volumes.insert(volume.clone(), found);
                    }
                }
                inventory.claims.insert(name, claim);
            }
            Ok(())
        })
    }

    /// Adds the health of the nodes that a local volume is on, because the pods do not lead to these nodes.
    async fn look_at_nodes_for(
        &self,
        volume: &VolumeFacts,
        inventory: &mut Inventory,
    ) -> Result<(), Error> {
        let on = inventory.nodes.values().filter(|node| volume.is_usable_on(node));
        let unseen = on.filter(|node| node.health == Health::Unasked);
        let names: Vec<String> = unseen.map(|node| node.name.clone()).take(FEW + 1).collect();
        // A volume that more nodes than this can use is not bound to one of them.
        if names.len() > FEW || volume.node_affinity.is_empty() {
            return Ok(());
        }
        let nodes = try_join_all(names.iter().map(|name| self.node(name))).await?;
        let nodes = nodes.into_iter().flatten().map(|node| (node.name.clone(), node));
        inventory.nodes.extend(nodes);
        Ok(())
    }

    fn labelled_nodes<'a>(&'a self) -> BoxFuture<'a, Result<BTreeMap<String, NodeFacts>, Error>> {
        Box::pin(async move {
            let api: Api<Node> = Api::all(self.client());
            let request = ApiRequest::about_all("list", NODES, None);
            let (nodes, cordoned) = tokio::try_join!(
                self.list_metadata(&api, &request, None),
                // Metadata alone does not tell it.
                self.list_metadata(&api, &request, Some("spec.unschedulable=true")),
            )?;
            let cordoned: BTreeSet<Option<String>> =
                cordoned.into_iter().map(|node| node.metadata.name).collect();
            let node = |node: PartialObjectMeta<Node>| NodeFacts {
                cordoned: cordoned.contains(&node.metadata.name),
                ..labelled_node(node.metadata)
            };
            Ok(nodes.into_iter().map(node).map(|node| (node.name.clone(), node)).collect())
        })
    }

    fn in_namespace<'a>(
        &'a self,
        namespace: &'a str,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Inventory, Error>> {
        Box::pin(async move {
            let list = |resource| ApiRequest::about_all("list", resource, Some(namespace));
            let (pods, sets) = (list(PODS), list(SETS));
            let pod_api: Api<Pod> = Api::namespaced(self.client(), namespace);
            let set_api: Api<StatefulSet> = Api::namespaced(self.client(), namespace);
            let (pods, sets) = tokio::try_join!(
                self.list(&pod_api, &pods, wanted.pod_labels.as_deref()),
                self.list(&set_api, &sets, None),
            )?;
            let sets = sets.into_iter().map(StatefulSetFacts::from);
            Ok(Inventory {
                pods: pods.into_iter().map(PodFacts::from).collect(),
                stateful_sets: sets.map(|set| (set.name.clone(), set)).collect(),
                ..Inventory::default()
            })
        })
    }

    /// Adds the health of the nodes whose pods are not ready.
    fn look_at_nodes<'a>(
        &'a self,
        inventory: &'a mut Inventory,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let unwell = inventory.pods.iter().filter(|pod| !pod.ready || pod.terminating);
            let names: BTreeSet<&String> = unwell.filter_map(|pod| pod.node.as_ref()).collect();
            let names: Vec<&String> =
                names.into_iter().filter(|name| inventory.nodes.contains_key(*name)).collect();
            let looked_at: Vec<NodeFacts> = if names.len() > FEW {
                let api: Api<Node> = Api::all(self.client());
                let request = ApiRequest::about_all("list", NODES, None);
                let nodes = self.list(&api, &request, None).await?;
                nodes.into_iter().map(NodeFacts::from).collect()
            } else {
                let nodes = try_join_all(names.into_iter().map(|name| self.node(name))).await?;
                nodes.into_iter().flatten().collect()
            };
            let looked_at = looked_at.into_iter().map(|node| (node.name.clone(), node));
            inventory.nodes.extend(looked_at);
            Ok(())
        })
    }

    fn node<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<NodeFacts>, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about_global("get", NODES, name);
            let api: Api<Node> = Api::all(self.client());
            let found = if_found(self.read(&request, || api.get(name)).await)?;
            Ok(found.map(NodeFacts::from))
        })
    }
}
