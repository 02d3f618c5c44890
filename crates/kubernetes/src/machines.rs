//! A label or an annotation of the brokers' nodes.
//!
//! In: the namespaces of broker pods, and the key of a node label or annotation. Out: the key's value on each broker's
//! node. It reads only the nodes of broker pods, and only their metadata.

use crate::brokers::{Brokers, Rules, brokers};
use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error, if_found};
use crate::facts::Keys;
use crate::inventory::Wanted;
use crate::read::labelled_node;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};

const NODES: &str = "nodes";
/// How many nodes are read in parallel.
const AT_ONCE: usize = 16;

impl Kubernetes {
    /// The key's value on the node of each broker; `None` if the node lacks the key, or if the pod has no node. Leaves
    /// out a broker whose id two pods claim. Rights: `list pods`, `list statefulsets.apps` in each namespace; `get
    /// nodes`.
    ///
    /// # Errors
    /// The first request that failed. No value is guessed instead.
    pub async fn told_by_machines(
        &self,
        wanted: &Wanted,
        rules: &Rules,
        key: &str,
    ) -> Result<BTreeMap<BrokerId, Option<String>>, Error> {
        let mut inventory = self.pods(wanted).await?;
        let found = brokers(&inventory, rules, &BTreeSet::new());
        let names: BTreeSet<String> = found.pods.into_iter().filter_map(|pod| pod.node).collect();
        let asked = stream::iter(names).map(|name| self.metadata_of(name));
        let nodes: Vec<_> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
        let mut annotations = BTreeMap::new();
        for mut meta in nodes.into_iter().flatten() {
            let own = meta.annotations.take().unwrap_or_default();
            let node = labelled_node(meta);
            annotations.insert(node.name.clone(), own);
            inventory.nodes.insert(node.name.clone(), node);
        }
        Ok(told(&brokers(&inventory, rules, &BTreeSet::new()), &annotations, key))
    }

    fn metadata_of<'a>(&'a self, name: String) -> BoxFuture<'a, Result<Option<ObjectMeta>, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about_global("get", NODES, &name);
            let api: Api<Node> = Api::all(self.client());
            let found = if_found(self.read(&request, || api.get_metadata(&name)).await)?;
            Ok(found.map(|node| node.metadata))
        })
    }
}

/// The values by broker, from the annotations by node.
fn told(
    brokers: &Brokers,
    annotations: &BTreeMap<String, Keys>,
    key: &str,
) -> BTreeMap<BrokerId, Option<String>> {
    let ids: BTreeSet<BrokerId> = brokers.pods.iter().filter_map(|pod| pod.id()).collect();
    let of = |id: BrokerId| {
        let pod = brokers.pod_of(id)?;
        let annotation = || annotations.get(pod.node.as_ref()?)?.get(key);
        Some((id, pod.node_labels.get(key).or_else(annotation).cloned()))
    };
    ids.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{keys, nine, pod, resolved};

    const NETWORK: &str = "example.com/net-mb";

    #[test]
    fn a_label_goes_before_an_annotation_and_other_nodes_say_nothing() {
        let mut inventory = nine();
        let labels = &mut inventory.nodes.get_mut("events-node-0").unwrap().labels;
        labels.insert(NETWORK.to_owned(), "500".to_owned());
        let annotations = ["events-node-0", "events-node-1"]
            .map(|node| (node.to_owned(), keys(&[(NETWORK, "1250-625")])));
        pod(&mut inventory, "events-3").node = None;
        let told = told(&resolved(&inventory, &[]), &annotations.into(), NETWORK);
        let of = |id| told[&BrokerId(id)].as_deref();
        assert_eq!([of(1001), of(1002), of(1003)], [Some("500"), Some("1250-625"), None]);
        assert_eq!(of(1004), None, "it has no node now");
        assert_eq!(told.len(), 9);
    }

    #[test]
    fn two_pods_that_claim_one_id_tell_nothing_of_it() {
        let mut inventory = nine();
        pod(&mut inventory, "events-1").annotations =
            keys(&[("kafka.example.com/broker-id", "1001")]);
        let key = "node.kubernetes.io/instance-type";
        let told = told(&resolved(&inventory, &[]), &BTreeMap::new(), key);
        assert!(!told.contains_key(&BrokerId(1001)) && !told.contains_key(&BrokerId(1002)));
        assert_eq!(told[&BrokerId(1003)].as_deref(), Some("i3.4xlarge"));
    }
}
