//! Converts the API's objects to [`facts`](crate::facts).

use crate::facts::{
    ClaimFacts, EnvValue, EnvVar, Health, Name, NodeFacts, Owner, Phase, PodFacts,
    StatefulSetFacts, VolumeFacts,
};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    Container, EnvVarSource, Node, PersistentVolume, PersistentVolumeClaim, Pod, PodCondition,
    PodSpec, PodStatus, VolumeNodeAffinity,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

impl From<Pod> for PodFacts {
    fn from(pod: Pod) -> Self {
        let status = pod.status.unwrap_or_default();
        let meta = pod.metadata;
        let controller =
            meta.owner_references.iter().flatten().find(|o| o.controller == Some(true));
        let owner = controller.map(|o| Owner { kind: o.kind.clone(), name: o.name.clone() });
        let facts = Self {
            name: name(&meta),
            uid: meta.uid.clone().unwrap_or_default(),
            owner,
            terminating: meta.deletion_timestamp.is_some(),
            labels: meta.labels.unwrap_or_default(),
            annotations: meta.annotations.unwrap_or_default(),
            phase: phase(status.phase.as_deref()),
            ready: condition(&status, "Ready").is_some_and(|ready| ready.status == "True"),
            reason: reason(&status),
            ..Self::default()
        };
        match pod.spec {
            Some(spec) => with_spec(facts, spec),
            None => facts,
        }
    }
}

fn with_spec(facts: PodFacts, spec: PodSpec) -> PodFacts {
    let node = spec.node_name.filter(|node| !node.is_empty());
    let inits = spec.init_containers.unwrap_or_default();
    let env = spec.containers.iter().chain(&inits).flat_map(|c| env(c, &facts, node.as_deref()));
    let claim = |volume: k8s_openapi::api::core::v1::Volume| {
        volume.persistent_volume_claim.map(|claim| claim.claim_name)
    };
    PodFacts {
        env: env.collect(),
        claims: spec.volumes.into_iter().flatten().filter_map(claim).collect(),
        node_selector: spec.node_selector.unwrap_or_default(),
        node,
        ..facts
    }
}

fn name(meta: &ObjectMeta) -> Name {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    Name { namespace: text(&meta.namespace), name: text(&meta.name) }
}

fn phase(phase: Option<&str>) -> Phase {
    match phase {
        Some("Running") => Phase::Running,
        Some("Succeeded" | "Failed") => Phase::Ended,
        Some("Unknown") => Phase::Unknown,
        Some(_) | None => Phase::Pending,
    }
}

fn condition<'s>(status: &'s PodStatus, kind: &str) -> Option<&'s PodCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

/// The scheduler's message, or else what a container waits for.
fn reason(status: &PodStatus) -> Option<String> {
    let unscheduled = condition(status, "PodScheduled").filter(|c| c.status == "False");
    if let Some(scheduled) = unscheduled {
        return scheduled.message.clone().or_else(|| scheduled.reason.clone());
    }
    let inits = status.init_container_statuses.iter().flatten();
    let containers = inits.chain(status.container_statuses.iter().flatten());
    let waiting = containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    let waiting = waiting.filter_map(|waiting| waiting.reason.clone()).next();
    waiting.or_else(|| status.reason.clone())
}

/// The variables of a container, each once. The last one with a name counts.
fn env(container: &Container, pod: &PodFacts, node: Option<&str>) -> Vec<EnvVar> {
    let mut known: BTreeMap<String, EnvValue> = BTreeMap::new();
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value_from, &variable.value) {
            (Some(source), _) => from_source(source, pod, node),
            (None, value) => filled_in(value.as_deref().unwrap_or_default(), &known),
        };
        known.insert(variable.name.clone(), value);
    }
    known.into_iter().map(|(name, value)| EnvVar { name, value }).collect()
}

fn from_source(source: &EnvVarSource, pod: &PodFacts, node: Option<&str>) -> EnvValue {
    let Some(field) = &source.field_ref else {
        let kind = match (&source.config_map_key_ref, &source.secret_key_ref) {
            (Some(_), _) => "ConfigMap",
            (None, Some(_)) => "Secret",
            (None, None) => "resource field",
        };
        return EnvValue::Elsewhere(kind.to_owned());
    };
    let path = field.field_path.as_str();
    let value = match path {
        "metadata.name" => Some(pod.name.name.as_str()),
        "metadata.namespace" => Some(pod.name.namespace.as_str()),
        "spec.nodeName" => node,
        _ => in_keys(path, pod),
    };
    match value {
        Some(value) => EnvValue::Text(value.to_owned()),
        None => EnvValue::Elsewhere(format!("field {path}")),
    }
}

/// `metadata.labels['KEY']`, `metadata.annotations['KEY']`. A missing key gives the empty string.
fn in_keys<'p>(path: &str, pod: &'p PodFacts) -> Option<&'p str> {
    let key = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
    let (keys, key) = match (key("metadata.labels['"), key("metadata.annotations['")) {
        (Some(key), _) => (&pod.labels, key),
        (None, Some(key)) => (&pod.annotations, key),
        (None, None) => return None,
    };
    Some(keys.get(key).map_or("", String::as_str))
}

/// Expands `$(NAME)` to an earlier variable's value and `$$` to a dollar sign. Everything else stays.
fn filled_in(text: &str, known: &BTreeMap<String, EnvValue>) -> EnvValue {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            filled.push('$');
            rest = after;
            continue;
        }
        let name = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        match name.and_then(|(name, after)| Some((known.get(name)?, after))) {
            Some((EnvValue::Text(value), after)) => {
                filled.push_str(value);
                rest = after;
            }
            Some((elsewhere, _)) => return elsewhere.clone(),
            None => filled.push('$'),
        }
    }
    EnvValue::Text(filled + rest)
}

/// A node with its labels only. Its health needs a larger request.
pub(crate) fn labelled_node(meta: ObjectMeta) -> NodeFacts {
    NodeFacts {
        name: meta.name.unwrap_or_default(),
        uid: meta.uid.unwrap_or_default(),
        version: meta.resource_version.unwrap_or_default(),
        labels: meta.labels.unwrap_or_default(),
        health: Health::Unasked,
        cordoned: false,
    }
}

impl From<Node> for NodeFacts {
    fn from(node: Node) -> Self {
        let status = node.status.unwrap_or_default();
        let ready = status.conditions.into_iter().flatten().find(|c| c.type_ == "Ready");
        let health = match ready {
            Some(ready) if ready.status == "True" => Health::Ready,
            Some(ready) if ready.status == "False" => {
                Health::NotReady { reason: ready.reason.unwrap_or_default() }
            }
            Some(ready) => {
                Health::Silent { since: ready.last_transition_time.map(|time| time.0.to_string()) }
            }
            None => Health::Silent { since: None },
        };
        let cordoned = node.spec.and_then(|spec| spec.unschedulable).unwrap_or_default();
        Self { health, cordoned, ..labelled_node(node.metadata) }
    }
}

impl From<StatefulSet> for StatefulSetFacts {
    fn from(set: StatefulSet) -> Self {
        let spec = set.spec.unwrap_or_default();
        let number = |number: i32| u32::try_from(number).unwrap_or(0);
        Self {
            name: name(&set.metadata),
            labels: set.metadata.labels.unwrap_or_default(),
            annotations: set.metadata.annotations.unwrap_or_default(),
            // Kubernetes' own default.
            replicas: spec.replicas.map_or(1, number),
            first_ordinal: spec.ordinals.and_then(|o| o.start).map_or(0, number),
        }
    }
}

impl From<PersistentVolumeClaim> for ClaimFacts {
    fn from(claim: PersistentVolumeClaim) -> Self {
        let spec = claim.spec.unwrap_or_default();
        let capacity = claim.status.and_then(|status| status.capacity);
        let requested = spec.resources.and_then(|resources| resources.requests);
        let size = capacity.or(requested).and_then(|sizes| bytes(&sizes.get("storage")?.0));
        let uid = claim.metadata.uid.clone().unwrap_or_default();
        Self { name: name(&claim.metadata), uid, volume: spec.volume_name, bytes: size }
    }
}

impl From<PersistentVolume> for VolumeFacts {
    fn from(volume: PersistentVolume) -> Self {
        let affinity = volume.spec.and_then(|spec| spec.node_affinity);
        Self {
            name: volume.metadata.name.unwrap_or_default(),
            node_affinity: affinity.map(required).unwrap_or_default(),
        }
    }
}

/// The `In` expressions of the first term, because provisioners write only one.
fn required(affinity: VolumeNodeAffinity) -> Vec<(String, Vec<String>)> {
    let terms = affinity.required.map(|required| required.node_selector_terms);
    let first = terms.into_iter().flatten().next().and_then(|term| term.match_expressions);
    let expressions = first.into_iter().flatten().filter(|e| e.operator == "In");
    expressions.map(|e| (e.key, e.values.unwrap_or_default())).collect()
}

/// A quantity in bytes: `100Gi`, `1500M`, `1e12`, `107374182400`. Rounds down; `None` if it is not a quantity.
pub(crate) fn bytes(quantity: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 12] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        ("Ei", 1 << 60),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000),
        ("E", 1_000_000_000_000_000_000),
    ];
    let unit =
        UNITS.iter().find_map(|(suffix, unit)| Some((quantity.strip_suffix(suffix)?, *unit)));
    let (number, unit) = match unit {
        Some(found) => found,
        None => match quantity.split_once(['e', 'E']) {
            Some((number, power)) => (number, 10_u64.checked_pow(power.parse().ok()?)?),
            None => match quantity.strip_suffix('m') {
                Some(thousandths) => return Some(thousandths.parse::<u64>().ok()? / 1000),
                None => (quantity, 1),
            },
        },
    };
    decimal(number, unit)
}

/// Computes `1.5` units without a float, because a large volume exceeds a float's precision.
fn decimal(number: &str, unit: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u128>().ok() };
    let unit = u128::from(unit);
    let scale = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let part = digits(part)?.checked_mul(unit)? / scale;
    u64::try_from(digits(whole)?.checked_mul(unit)?.checked_add(part)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(spec: serde_json::Value) -> PodFacts {
        let value = json!({
            "metadata": {
                "namespace": "kafka", "name": "kafka-3",
                "labels": {"apps.kubernetes.io/pod-index": "3"},
                "annotations": {"x/base": "1000"},
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "kafka", "uid": "u", "controller": true}
                ],
            },
            "spec": spec,
        });
        PodFacts::from(serde_json::from_value::<Pod>(value).unwrap())
    }

    fn value(facts: &PodFacts, name: &str) -> EnvValue {
        facts.env.iter().find(|v| v.name == name).unwrap().value.clone()
    }

    #[test]
    fn variables_are_filled_in_as_the_kubelet_does_it() {
        let facts = pod(json!({"nodeName": "node-a", "containers": [{"name": "kafka", "env": [
            {"name": "INDEX", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "KAFKA_BROKER_ID", "value": "10$(INDEX)"},
            {"name": "LATER", "value": "$(NEVER) $$(INDEX)"},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "OF_SECRET", "value": "$(SECRET)"},
            {"name": "TWICE", "value": "1"}, {"name": "TWICE", "value": "2"},
        ]}]}));
        let text = |text: &str| EnvValue::Text(text.to_owned());
        assert_eq!(value(&facts, "KAFKA_BROKER_ID"), text("103"));
        assert_eq!(value(&facts, "NODE"), text("node-a"));
        assert_eq!(value(&facts, "LATER"), text("$(NEVER) $(INDEX)"));
        assert_eq!(value(&facts, "OF_SECRET"), EnvValue::Elsewhere("Secret".into()));
        assert_eq!(value(&facts, "TWICE"), text("2"));
        assert_eq!(facts.stateful_set(), Some(Name::new("kafka", "kafka")));
    }

    #[test]
    fn a_node_whose_heartbeats_stopped_is_silent() {
        let node = |status: &str| {
            let value = json!({"metadata": {"name": "n"}, "status": {"conditions": [
                {"type": "Ready", "status": status, "reason": "KubeletNotReady",
                 "lastTransitionTime": "2026-11-20T07:00:00Z"}]}});
            NodeFacts::from(serde_json::from_value::<Node>(value).unwrap()).health
        };
        assert_eq!(node("True"), Health::Ready);
        assert_eq!(node("False"), Health::NotReady { reason: "KubeletNotReady".into() });
        assert_eq!(node("Unknown"), Health::Silent { since: Some("2026-11-20T07:00:00Z".into()) });
    }

    #[test]
    fn quantities_are_exact_bytes() {
        let cases = [
            ("100Gi", Some(107_374_182_400)),
            ("1.5Ti", Some(1_649_267_441_664)),
            ("1500M", Some(1_500_000_000)),
            ("1e12", Some(1_000_000_000_000)),
            ("107374182400", Some(107_374_182_400)),
            ("5000m", Some(5)),
            ("100 Gi", None),
            ("20Ei", None),
            ("", Some(0)),
        ];
        for (quantity, expected) in cases {
            assert_eq!(bytes(quantity), expected, "{quantity:?}");
        }
    }

    #[test]
    fn a_volume_tells_which_nodes_can_use_it() {
        let value = json!({"metadata": {"name": "pv"}, "spec": {"nodeAffinity": {"required": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-a"]}]}]}}}});
        let volume = VolumeFacts::from(serde_json::from_value::<PersistentVolume>(value).unwrap());
        let expected = vec![("kubernetes.io/hostname".to_owned(), vec!["node-a".to_owned()])];
        assert_eq!(volume.node_affinity, expected);
    }
}
