//! Emergency overrides: which servers count as ready whatever their state, until when, and why.
//!
//! An override is `UNTIL REASON` (`2026-11-20T20:00:00Z replacing its disk`); both parts are required. It is one of:
//!
//! - the value of an annotation `force-ready` (with or without a prefix) of a pod or its StatefulSet;
//! - the value of `cluster`, `map.NAME`, `broker.ID` or `pod.NAME` in a ConfigMap or a YAML file.
//!
//! An entry that cannot be read forces nothing, and is reported.

use crate::files::Document;
use health::readiness::Force;
use jiff::Timestamp;
use kubernetes::facts::Keys;
use kubernetes::{Inventory, Name};
use mapper::BrokerId;
use std::collections::{BTreeMap, BTreeSet};

const KEY: &str = "force-ready";

/// The server that an override may concern.
#[derive(Debug, Default)]
pub struct Subject {
    /// Broker or KRaft node id; `None`: no `broker.ID` entry applies.
    pub broker: Option<BrokerId>,
    /// Its pod; `None`: outside Kubernetes, no `pod.NAME` entry applies.
    pub pod: Option<Name>,
    /// The maps that contain it.
    pub maps: BTreeSet<String>,
}

/// The overrides found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Forces {
    /// Valid entries, including expired ones.
    pub found: Vec<Force>,
    /// Invalid entries, each with its place.
    pub broken: Vec<String>,
}

impl Forces {
    /// Adds the entries of another place.
    pub fn extend(&mut self, others: Self) {
        self.found.extend(others.found);
        self.broken.extend(others.broken);
    }

    fn take(&mut self, scope: String, place: String, value: &str) {
        match read(value) {
            Ok((until, reason)) => self.found.push(Force {
                scope,
                place,
                until_seconds: u64::try_from(until.as_second()).unwrap_or_default(),
                until: until.to_string(),
                reason: reason.to_owned(),
            }),
            Err(problem) => self.broken.push(format!("{place}: {problem}")),
        }
    }
}

/// Overrides in the annotations of a pod or a StatefulSet; `what` names it.
pub(super) fn on_pod(what: &str, annotations: &Keys) -> Forces {
    let mut forces = Forces::default();
    let ours = |key: &str| key == KEY || key.ends_with(&format!("/{KEY}"));
    for (key, value) in annotations.iter().filter(|(key, _)| ours(key)) {
        forces.take(what.to_owned(), format!("annotation {key}"), value);
    }
    forces
}

/// Overrides in the documents of a file or a ConfigMap; only those about the subject, if one is given.
pub fn in_documents(documents: &[Document], subject: Option<&Subject>) -> Forces {
    let mut forces = Forces::default();
    for document in documents {
        match entries(document) {
            Ok(entries) => {
                for (key, value) in entries {
                    if let Some(scope) = scope(&key, subject, &document.name, &mut forces.broken) {
                        forces.take(scope, document.name.clone(), &value);
                    }
                }
            }
            Err(problem) => forces.broken.push(format!("{}: {problem}", document.name)),
        }
    }
    forces
}

/// The entries of a document: a ConfigMap has one per key, a file has several.
fn entries(document: &Document) -> Result<BTreeMap<String, String>, String> {
    if let Some((place, key)) = document.name.rsplit_once('/')
        && place.starts_with("configmap:")
    {
        return Ok([(key.to_owned(), document.text.clone())].into());
    }
    serde_saphyr::from_str(&document.text).map_err(|error| error.to_string())
}

fn scope(
    key: &str,
    subject: Option<&Subject>,
    place: &str,
    broken: &mut Vec<String>,
) -> Option<String> {
    let about = |is: &dyn Fn(&Subject) -> bool| subject.is_none_or(is);
    let (kind, name) = key.split_once('.').unwrap_or((key, ""));
    let meant = match kind {
        "cluster" if name.is_empty() => true,
        "map" => about(&|subject| subject.maps.contains(name)),
        "broker" => about(&|subject| subject.broker.is_some_and(|id| id.to_string() == name)),
        "pod" => about(&|subject| subject.pod.as_ref().is_some_and(|pod| pod.name == name)),
        _ => {
            broken.push(format!(
                "{place}: {key:?} is none of cluster, map.NAME, broker.ID, pod.NAME"
            ));
            false
        }
    };
    meant.then(|| key.replacen('.', " ", 1))
}

fn read(value: &str) -> Result<(Timestamp, &str), String> {
    let value = value.trim();
    let (until, reason) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    let wrong = |what: &str| format!("{what}: write 2026-11-20T20:00:00Z replacing its disk");
    let until: Timestamp = until.parse().map_err(|_| wrong(&format!("{until:?} is no time")))?;
    match reason.trim() {
        "" => Err(wrong("a reason is missing")),
        reason => Ok((until, reason)),
    }
}

/// Overrides in the annotations of all pods and StatefulSets.
pub fn in_inventory(inventory: &Inventory) -> Forces {
    let mut forces = Forces::default();
    for pod in &inventory.pods {
        forces.extend(on_pod(&format!("pod {}", pod.name), &pod.annotations));
    }
    for set in inventory.stateful_sets.values() {
        forces.extend(on_pod(&format!("StatefulSet {}", set.name), &set.annotations));
    }
    forces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, text: &str) -> Document {
        Document { name: name.to_owned(), text: text.to_owned() }
    }

    fn scopes(forces: &Forces) -> Vec<&str> {
        forces.found.iter().map(|force| force.scope.as_str()).collect()
    }

    const FILE: &str = "cluster: 2026-11-20T20:00:00Z all at once\nmap.events: 2026-11-20T20:00:00Z m\n\
                        broker.1001: 2026-11-20T20:00:00Z b\npod.kafka-7: 2026-11-20T20:00:00Z p\n";

    #[test]
    fn an_entry_counts_for_whom_it_names() {
        let documents = [document("forced.yaml", FILE)];
        let mine = |broker, pod: Option<&str>, maps: &[&str]| Subject {
            broker: Some(BrokerId(broker)),
            pod: pod.map(|name| Name::new("kafka", name)),
            maps: maps.iter().map(|map| (*map).to_owned()).collect(),
        };
        let of = |subject: Subject| {
            let forces = in_documents(&documents, Some(&subject));
            assert!(forces.broken.is_empty(), "{:?}", forces.broken);
            scopes(&forces).join(",")
        };
        assert_eq!(of(mine(1001, None, &[])), "broker 1001,cluster");
        assert_eq!(of(mine(7, Some("kafka-7"), &["events"])), "cluster,map events,pod kafka-7");
        assert_eq!(of(mine(7, None, &["logs"])), "cluster");
        assert_eq!(in_documents(&documents, None).found.len(), 4, "all, for who asks about nobody");
    }

    #[test]
    fn time_and_reason_are_both_required_and_what_cannot_be_read_forces_nothing() {
        for (value, problem) in [
            ("2026-11-20T20:00:00Z", "a reason is missing"),
            ("soon because", "\"soon\" is no time"),
            ("", "\"\" is no time"),
        ] {
            let forces = in_documents(&[document("configmap:kafka/forced/cluster", value)], None);
            assert_eq!(forces.found, []);
            assert!(forces.broken[0].contains(problem), "{:?}", forces.broken);
        }
        let odd = in_documents(&[document("configmap:kafka/forced/everything", "x")], None);
        assert!(odd.broken[0].contains("none of cluster"), "{:?}", odd.broken);
        assert_eq!(in_documents(&[document("f", "- a list")], None).broken.len(), 1);
    }

    #[test]
    fn an_annotation_may_have_a_prefix() {
        let value = "2026-11-20T20:00:00Z replacing its disk".to_owned();
        let keys =
            [("example.org/force-ready".to_owned(), value), ("other".to_owned(), "x".into())];
        let forces = on_pod("pod kafka/kafka-0", &keys.into());
        let force = &forces.found[0];
        assert_eq!(
            force.to_string(),
            "pod kafka/kafka-0 until 2026-11-20T20:00:00Z by annotation example.org/force-ready: replacing its disk"
        );
        assert_eq!(force.until_seconds, 1_795_204_800);
    }
}
