//! What a rolling restart reads from a StatefulSet and its pods, and how it restarts them. Every write names the uid
//! that was seen, so that a retry never affects a successor with the same name.

use crate::connect::Kubernetes;
use crate::error::{ApiRequest, Error, if_found};
use crate::facts::{Name, PodFacts};
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, EvictParams, Preconditions};
use std::collections::BTreeSet;

const SETS: &str = "statefulsets.apps";
const PODS: &str = "pods";
const REVISION: &str = "controller-revision-hash";
/// Kubernetes' own default.
const GRACE_SECONDS: i64 = 30;

/// A StatefulSet, as far as a rolling restart needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollingSet {
    /// Its name.
    pub name: Name,
    /// `spec.updateStrategy.type`. With any value but `OnDelete`, Kubernetes restarts pods itself.
    pub strategy: String,
    /// The revision that its pods should have.
    pub update_revision: String,
    /// Whether its controller has seen the latest change, so that the revision matches the template.
    pub observed: bool,
    /// How long its pods get to stop, in seconds.
    pub grace_seconds: u64,
    /// The missing pods.
    pub missing: Vec<String>,
    /// Its pods, sorted by name.
    pub pods: Vec<RollingPod>,
}

/// One of its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollingPod {
    /// Its name.
    pub name: Name,
    /// Distinguishes it from earlier pods with the same name.
    pub uid: String,
    /// The revision that it was created from.
    pub revision: String,
    /// Whether its `Ready` condition is true.
    pub ready: bool,
    /// Whether it has been deleted but still exists.
    pub terminating: bool,
    /// Its creation time, in seconds since 1970.
    pub created_seconds: u64,
}

/// The result of an eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evicted {
    /// The pod is stopping.
    Yes,
    /// A PodDisruptionBudget forbids it for now.
    NotNow(String),
    /// The pod that was seen no longer exists.
    Gone,
}

impl Kubernetes {
    /// A StatefulSet with its pods. Rights: `get statefulsets.apps`, `list pods`.
    ///
    /// # Errors
    /// Why it could not be read; [`Error::NotFound`] if there is none; [`Error::Strimzi`] if the name is that of Strimzi's
    /// pods, or of their pool.
    pub fn rolling<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, Result<RollingSet, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about("get", SETS, name);
            let api: Api<StatefulSet> = Api::namespaced(self.client(), &name.namespace);
            let set = if_found(self.read(&request, || api.get(&name.name)).await)?;
            let listing = ApiRequest::about_all("list", PODS, Some(&name.namespace));
            let pods: Api<Pod> = Api::namespaced(self.client(), &name.namespace);
            let Some(set) = set else {
                let all = self.list(&pods, &listing, None).await?;
                let strimzi =
                    all.into_iter().find_map(|pod| strimzi_set(&PodFacts::from(pod), name));
                return Err(
                    strimzi.map_or(Error::NotFound { request }, |set| Error::Strimzi { set })
                );
            };
            let labels = set.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone());
            let labels: Vec<String> = labels
                .unwrap_or_default()
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let pods = self.list(&pods, &listing, Some(&labels.join(","))).await?;
            Ok(read(name, set, pods))
        })
    }

    /// Evicts a pod through the PodDisruptionBudget. Right: `create pods/eviction`. Sent once.
    ///
    /// # Errors
    /// Why the pod was not evicted, or may not have been.
    pub fn evict<'a>(
        &'a self,
        name: &'a Name,
        uid: &'a str,
    ) -> BoxFuture<'a, Result<Evicted, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about("create", "pods/eviction", name);
            let api: Api<Pod> = Api::namespaced(self.client(), &name.namespace);
            let params =
                EvictParams { delete_options: Some(of_uid(uid)), ..EvictParams::default() };
            match self.send(&request, api.evict(&name.name, &params)).await {
                Err(Error::Refused { code: 429, message, .. }) => Ok(Evicted::NotNow(message)),
                sent => evicted(sent),
            }
        })
    }

    /// Deletes a pod. Right: `delete pods`. Sent once.
    ///
    /// # Errors
    /// Why the pod was not deleted, or may not have been.
    pub fn delete_pod<'a>(
        &'a self,
        name: &'a Name,
        uid: &'a str,
    ) -> BoxFuture<'a, Result<Evicted, Error>> {
        Box::pin(async move {
            let request = ApiRequest::about("delete", PODS, name);
            let api: Api<Pod> = Api::namespaced(self.client(), &name.namespace);
            evicted(self.send(&request, api.delete(&name.name, &of_uid(uid))).await)
        })
    }
}

/// What the answer says of the pod with the uid of the request.
fn evicted<T>(sent: Result<T, Error>) -> Result<Evicted, Error> {
    match sent {
        Ok(_) => Ok(Evicted::Yes),
        Err(Error::NotFound { .. } | Error::Conflict { .. }) => Ok(Evicted::Gone),
        Err(error) => Err(error),
    }
}

/// The StrimziPodSet of a pod, if `name` is this set or the pool of the pod.
fn strimzi_set(pod: &PodFacts, name: &Name) -> Option<Name> {
    let owner = pod.owner.as_ref().filter(|owner| owner.kind == "StrimziPodSet")?;
    let set = Name::new(&pod.name.namespace, &owner.name);
    (set == *name || pod.node_pool().as_ref() == Some(name)).then_some(set)
}

fn of_uid(uid: &str) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

fn read(name: &Name, set: StatefulSet, pods: Vec<Pod>) -> RollingSet {
    let (spec, status) = (set.spec.unwrap_or_default(), set.status.unwrap_or_default());
    let strategy = spec.update_strategy.and_then(|strategy| strategy.type_);
    let own = |pod: &Pod| {
        pod.metadata.owner_references.iter().flatten().any(|owner| {
            owner.controller == Some(true) && owner.kind == "StatefulSet" && owner.name == name.name
        })
    };
    let mut pods: Vec<RollingPod> =
        pods.into_iter().filter(own).map(|pod| read_pod(&name.namespace, pod)).collect();
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    let there: BTreeSet<&str> = pods.iter().map(|pod| pod.name.name.as_str()).collect();
    let first = spec.ordinals.and_then(|ordinals| ordinals.start).unwrap_or(0);
    let wanted = (first..first.saturating_add(spec.replicas.unwrap_or(1)))
        .map(|ordinal| format!("{}-{ordinal}", name.name));
    let missing = wanted.filter(|pod| !there.contains(pod.as_str()));
    let grace = spec.template.spec.and_then(|spec| spec.termination_grace_period_seconds);
    RollingSet {
        name: name.clone(),
        // Kubernetes' own default.
        strategy: strategy.unwrap_or_else(|| "RollingUpdate".to_owned()),
        update_revision: status.update_revision.unwrap_or_default(),
        observed: status.observed_generation == set.metadata.generation,
        grace_seconds: u64::try_from(grace.unwrap_or(GRACE_SECONDS)).unwrap_or_default(),
        missing: missing.map(|pod| format!("{}/{pod}", name.namespace)).collect(),
        pods,
    }
}

fn read_pod(namespace: &str, pod: Pod) -> RollingPod {
    let meta = pod.metadata;
    let conditions = pod.status.and_then(|status| status.conditions).unwrap_or_default();
    let created = meta.creation_timestamp.map_or(Timestamp::UNIX_EPOCH, |created| created.0);
    RollingPod {
        name: Name::new(namespace, &meta.name.unwrap_or_default()),
        uid: meta.uid.unwrap_or_default(),
        revision: meta.labels.and_then(|mut labels| labels.remove(REVISION)).unwrap_or_default(),
        ready: conditions.iter().any(|is| is.type_ == "Ready" && is.status == "True"),
        terminating: meta.deletion_timestamp.is_some(),
        created_seconds: u64::try_from(created.as_second()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn set(spec: Value, status: Value) -> RollingSet {
        let mut value = json!({
            "metadata": {"name": "kafka", "namespace": "k", "generation": 4},
            "spec": {"serviceName": "kafka", "selector": {}, "template": {"metadata": {}}},
            "status": status,
        });
        for (key, one) in spec.as_object().unwrap() {
            value["spec"][key] = one.clone();
        }
        let pod = |name: &str, owner: &str| {
            json!({"metadata": {
                "name": name, "uid": format!("uid-{name}"), "labels": {REVISION: "kafka-7"},
                "creationTimestamp": "2026-11-20T07:00:00Z",
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": owner, "uid": "u", "controller": true}]},
                "status": {"replicas": 0, "conditions": [{"type": "Ready", "status": "True"}]}})
        };
        let pods = [pod("kafka-2", "kafka"), pod("kafka-other-1", "kafka-other")];
        let pods = pods.into_iter().map(|pod| serde_json::from_value(pod).unwrap()).collect();
        read(&Name::new("k", "kafka"), serde_json::from_value(value).unwrap(), pods)
    }

    #[test]
    fn a_set_tells_its_own_pods_and_those_that_it_lacks() {
        let spec = json!({"replicas": 2, "ordinals": {"start": 2}, "updateStrategy": {"type": "OnDelete"},
            "template": {"metadata": {}, "spec": {"containers": [], "terminationGracePeriodSeconds": 600}}});
        let status = json!({"replicas": 1, "updateRevision": "kafka-8", "observedGeneration": 4});
        let set = set(spec, status);
        assert_eq!(
            (set.strategy.as_str(), set.observed, set.grace_seconds),
            ("OnDelete", true, 600)
        );
        assert_eq!(set.missing, ["k/kafka-3"]);
        let [pod] = &set.pods[..] else { panic!("{:?}", set.pods) };
        assert_eq!((pod.uid.as_str(), pod.revision.as_str()), ("uid-kafka-2", "kafka-7"));
        assert!(pod.ready && !pod.terminating && pod.created_seconds == 1_795_158_000);
    }

    #[test]
    fn pods_of_strimzi_are_told_by_their_set_and_by_their_pool() {
        let owner = crate::facts::Owner { kind: "StrimziPodSet".into(), name: "my-a".into() };
        let labels = [("strimzi.io/pool-name".to_owned(), "a".to_owned())];
        let name = Name::new("k", "my-a-0");
        let pod =
            PodFacts { name, labels: labels.into(), owner: Some(owner), ..PodFacts::default() };
        let set = Some(Name::new("k", "my-a"));
        assert_eq!(strimzi_set(&pod, &Name::new("k", "my-a")), set);
        assert_eq!(strimzi_set(&pod, &Name::new("k", "a")), set);
        for (namespace, name) in [("k", "my-a-0"), ("k", "b"), ("other", "my-a")] {
            assert_eq!(strimzi_set(&pod, &Name::new(namespace, name)), None, "{namespace}/{name}");
        }
        assert_eq!(strimzi_set(&PodFacts { owner: None, ..pod }, &Name::new("k", "a")), None);
    }

    #[test]
    fn what_is_not_said_is_what_kubernetes_does_by_default() {
        let set = set(json!({}), json!({"replicas": 0, "observedGeneration": 3}));
        assert_eq!((set.strategy.as_str(), set.grace_seconds), ("RollingUpdate", 30));
        assert!(!set.observed, "its latest change is not seen yet");
        assert_eq!(set.missing, ["k/kafka-0"]);
    }
}
