//! Turns a tree into definitions, and collects every mistake.
//!
//! Strict: an unknown key is most likely a typing error, and to ignore it would harm the operator.

use crate::config;
use crate::error::DefinitionError;
use crate::mistake::DefinitionMistake;
use crate::tree::{self, Tree, YamlEntry, YamlValue};
use crate::{Allowance, Definition, Deployment, PartitionCount, ReplicasOf, Written};
use mapper::is_topic_name;
use mapper::maps::{MapName, MapPlace};
use std::collections::{BTreeMap, BTreeSet};

const VERSION: &str = "1";
const DOCUMENT: &[&str] = &["version", "defaults", "topics"];
const DEFAULTS: &[&str] = &["partitions", "replication", "config"];
const TOPIC: &[&str] =
    &["name", "map", "partitions", "replication", "config", "owner", "labels", "allow"];
const REPLICAS_OF: &[&str] = &["replicasOf", "atMost"];
/// The most partitions that KRaft creates in one request (`MAX_PARTITIONS_PER_BATCH`).
const MOST_PARTITIONS: u32 = 10_000;
/// The protocol stores the replication factor as a 16-bit number.
const MOST_REPLICAS: u32 = 32_767;

/// The content of a text.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) topics: Vec<Definition>,
    pub(crate) documents: usize,
    pub(crate) errors: Vec<DefinitionError>,
}

/// Reads one text.
pub(crate) fn read(document: &str, text: &str) -> Read {
    let (trees, errors) = tree::read(document, text);
    let mut reader = DefinitionReader {
        read: Read { errors, documents: trees.len(), ..Read::default() },
        topic: None,
    };
    if trees.is_empty() && reader.read.errors.is_empty() {
        let place = MapPlace { document: document.to_owned(), line: 1, column: 1 };
        reader.blame(&place, None, DefinitionMistake::NoDocument);
    }
    for tree in trees {
        reader.document(tree);
    }
    // In the order of the document, independent of the order in which its keys are read.
    reader.read.errors.sort_by(|a, b| a.place.cmp(&b.place));
    reader.read
}

/// A document's settings for all of its topics.
#[derive(Default)]
struct Defaults {
    partitions: Option<PartitionCount>,
    replication: Option<Written<u32>>,
    config: BTreeMap<String, Written<String>>,
}

type Fields = BTreeMap<String, YamlEntry>;

struct DefinitionReader {
    read: Read,
    /// The topic that is being read.
    topic: Option<String>,
}

impl DefinitionReader {
    fn blame(&mut self, place: &MapPlace, key: Option<&str>, mistake: DefinitionMistake) {
        self.read.errors.push(DefinitionError {
            place: place.clone(),
            topic: self.topic.clone(),
            key: key.map(str::to_owned),
            mistake,
        });
    }

    fn expected(&mut self, tree: &Tree, key: Option<&str>, expected: &'static str) {
        let found = tree.value.described();
        self.blame(&tree.place, key, DefinitionMistake::Expected { expected, found });
    }

    fn document(&mut self, tree: Tree) {
        let place = tree.place.clone();
        let Some(mut fields) = self.fields(tree, None, DOCUMENT) else { return };
        let version = fields.remove("version").and_then(|e| self.text(&e.value, "version"));
        match version {
            Some(version) if version == VERSION => {}
            Some(found) => {
                return self.blame(&place, Some("version"), DefinitionMistake::Version { found });
            }
            None => self.blame(
                &place,
                Some("version"),
                DefinitionMistake::Missing { by_default: false },
            ),
        }
        let defaults = fields.remove("defaults").map(|entry| self.defaults(entry.value));
        let defaults = defaults.unwrap_or_default();
        let Some(topics) = fields.remove("topics") else {
            return self.blame(
                &place,
                Some("topics"),
                DefinitionMistake::Missing { by_default: false },
            );
        };
        let YamlValue::List(topics) = topics.value.value else {
            return self.expected(&topics.value, Some("topics"), "a list of topics");
        };
        for tree in topics {
            if let Some(topic) = self.topic(tree, &defaults) {
                self.read.topics.push(topic);
            }
            self.topic = None;
        }
    }

    fn defaults(&mut self, tree: Tree) -> Defaults {
        let Some(mut fields) = self.fields(tree, Some("defaults"), DEFAULTS) else {
            return Defaults::default();
        };
        Defaults {
            partitions: self.partitions(&mut fields, "defaults.partitions"),
            replication: self.replication(&mut fields, "defaults.", false),
            config: self.config(&mut fields, "defaults.config", false),
        }
    }

    fn topic(&mut self, tree: Tree, defaults: &Defaults) -> Option<Definition> {
        let place = tree.place.clone();
        self.topic = name_in(&tree);
        let mut fields = self.fields(tree, None, TOPIC)?;
        let name = self.name(&mut fields, &place);
        let map = self.map(&mut fields);
        let given = fields.contains_key("partitions");
        let partitions = self.partitions(&mut fields, "partitions");
        let partitions = partitions.or_else(|| defaults.partitions.clone());
        if partitions.is_none() && !given {
            self.blame(&place, Some("partitions"), DefinitionMistake::Missing { by_default: true });
        }
        let replication = self.replication(&mut fields, "", true);
        let mut config = defaults.config.clone();
        config.extend(self.config(&mut fields, "config", true));
        let owner = fields.remove("owner").and_then(|e| self.text(&e.value, "owner"));
        let labels = self.labels(&mut fields);
        let allow = self.allow(&mut fields);
        Some(Definition {
            name: name?,
            map,
            partitions: partitions?,
            replication: replication.or_else(|| defaults.replication.clone()),
            config,
            owner,
            labels,
            allow,
            place,
        })
    }

    fn name(&mut self, fields: &mut Fields, place: &MapPlace) -> Option<String> {
        let Some(entry) = fields.remove("name") else {
            self.blame(place, Some("name"), DefinitionMistake::Missing { by_default: false });
            return None;
        };
        let name = self.text(&entry.value, "name")?;
        if !is_topic_name(&name) {
            self.topic = None;
            self.blame(&entry.value.place, Some("name"), DefinitionMistake::TopicName { name });
            return None;
        }
        Some(name)
    }

    fn map(&mut self, fields: &mut Fields) -> Option<Written<MapName>> {
        let tree = fields.remove("map")?.value;
        let name = self.text(&tree, "map")?;
        match MapName::new(&name) {
            Ok(value) => Some(Written { value, place: tree.place, own: true }),
            Err(_) => {
                let mistake = DefinitionMistake::UnknownMap { name, known: Vec::new() };
                self.blame(&tree.place, Some("map"), mistake);
                None
            }
        }
    }

    fn partitions(&mut self, fields: &mut Fields, path: &str) -> Option<PartitionCount> {
        let entry = fields.get("partitions")?;
        if !matches!(entry.value.value, YamlValue::Map(_)) {
            let prefix = path.trim_end_matches("partitions");
            let number = self.number(fields, "partitions", prefix, MOST_PARTITIONS)?;
            return Some(PartitionCount::Number(number));
        }
        let tree = fields.remove("partitions")?.value;
        let place = tree.place.clone();
        let mut fields = self.fields(tree, Some(path), REPLICAS_OF)?;
        let limited = fields.contains_key("atMost");
        let at_most = self.number(&mut fields, "atMost", &format!("{path}."), MOST_PARTITIONS);
        let path = format!("{path}.replicasOf");
        let Some(entry) = fields.remove("replicasOf") else {
            self.blame(&place, Some(&path), DefinitionMistake::Missing { by_default: false });
            return None;
        };
        let found = self.text(&entry.value, &path)?;
        let Some(deployment) = Deployment::read(&found) else {
            let mistake = DefinitionMistake::Deployment { found };
            self.blame(&entry.value.place, Some(&path), mistake);
            return None;
        };
        let at_most = if limited { at_most? } else { MOST_PARTITIONS };
        Some(PartitionCount::ReplicasOf(ReplicasOf { deployment, at_most }))
    }

    fn replication(
        &mut self,
        fields: &mut Fields,
        prefix: &str,
        own: bool,
    ) -> Option<Written<u32>> {
        let place = fields.get("replication")?.value.place.clone();
        let value = self.number(fields, "replication", prefix, MOST_REPLICAS)?;
        Some(Written { value, place, own })
    }

    fn config(
        &mut self,
        fields: &mut Fields,
        path: &str,
        own: bool,
    ) -> BTreeMap<String, Written<String>> {
        let Some(entry) = fields.remove("config") else { return BTreeMap::new() };
        let mut config = BTreeMap::new();
        for YamlEntry { key, place, value } in self.entries(entry.value, path) {
            let path = format!("{path}.{key}");
            if config::is_throttle(&key) {
                self.blame(&place, Some(&path), DefinitionMistake::Throttle);
            } else if let Some(text) = self.text(&value, &path) {
                config.insert(key, Written { value: text, place: value.place, own });
            }
        }
        config
    }

    fn labels(&mut self, fields: &mut Fields) -> BTreeMap<String, String> {
        let Some(entry) = fields.remove("labels") else { return BTreeMap::new() };
        let mut labels = BTreeMap::new();
        for YamlEntry { key, value, .. } in self.entries(entry.value, "labels") {
            if let Some(text) = self.text(&value, &format!("labels.{key}")) {
                labels.insert(key, text);
            }
        }
        labels
    }

    fn allow(&mut self, fields: &mut Fields) -> BTreeSet<Allowance> {
        let Some(entry) = fields.remove("allow") else { return BTreeSet::new() };
        let YamlValue::List(items) = entry.value.value else {
            self.expected(&entry.value, Some("allow"), "a list, as in [min-isr]");
            return BTreeSet::new();
        };
        let mut allow = BTreeSet::new();
        for item in items {
            match self.text(&item, "allow") {
                Some(text) if text == Allowance::MinIsr.as_str() => {
                    allow.insert(Allowance::MinIsr);
                }
                Some(found) => {
                    self.blame(&item.place, Some("allow"), DefinitionMistake::Allowance { found })
                }
                None => {}
            }
        }
        allow
    }

    fn number(&mut self, fields: &mut Fields, key: &str, prefix: &str, most: u32) -> Option<u32> {
        let tree = fields.remove(key)?.value;
        let path = format!("{prefix}{key}");
        let found = self.text(&tree, &path)?;
        match found.parse::<u32>() {
            Ok(number) if (1..=most).contains(&number) => Some(number),
            _ => {
                self.blame(&tree.place, Some(&path), DefinitionMistake::Number { most, found });
                None
            }
        }
    }

    fn text(&mut self, tree: &Tree, key: &str) -> Option<String> {
        match &tree.value {
            YamlValue::Scalar(text) => Some(text.clone()),
            YamlValue::Null | YamlValue::List(_) | YamlValue::Map(_) => {
                self.expected(tree, Some(key), "text, a number or a boolean");
                None
            }
        }
    }

    fn entries(&mut self, tree: Tree, key: &str) -> Vec<YamlEntry> {
        match tree.value {
            YamlValue::Map(entries) => entries,
            YamlValue::Null | YamlValue::Scalar(_) | YamlValue::List(_) => {
                self.expected(&tree, Some(key), "a mapping");
                Vec::new()
            }
        }
    }

    /// The known keys of a mapping; other keys are mistakes.
    fn fields(
        &mut self,
        tree: Tree,
        path: Option<&str>,
        known: &'static [&'static str],
    ) -> Option<Fields> {
        let YamlValue::Map(entries) = tree.value else {
            self.expected(&tree, path, "a mapping");
            return None;
        };
        let mut fields = Fields::new();
        for entry in entries {
            if known.contains(&entry.key.as_str()) {
                fields.insert(entry.key.clone(), entry);
            } else {
                let prefix = path.map(|path| format!("{path}.")).unwrap_or_default();
                let key = format!("{prefix}{}", entry.key);
                self.blame(&entry.place, Some(&key), DefinitionMistake::UnknownKey { known });
            }
        }
        Some(fields)
    }
}

/// The name of a topic, for its mistakes.
fn name_in(tree: &Tree) -> Option<String> {
    let YamlValue::Map(entries) = &tree.value else { return None };
    let entry = entries.iter().find(|entry| entry.key == "name")?;
    match &entry.value.value {
        YamlValue::Scalar(name) => Some(name.replace(char::is_control, " ")),
        YamlValue::Null | YamlValue::List(_) | YamlValue::Map(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{definitions, mistakes};
    use crate::{Deployment, PartitionCount, ReplicasOf};

    #[test]
    fn a_definition_is_read_as_it_is_written() {
        let text = r#"
version: 1
defaults:
  partitions: 3
  replication: 3
  config: {cleanup.policy: delete, min.insync.replicas: 2}
topics:
  - name: events.raw
    map: map1
    partitions: 12
    config: {retention.ms: 604800000, min.cleanable.dirty.ratio: 0.50, unclean.leader.election.enable: false}
    owner: team-events
    labels: {tier: gold}
  - {name: logs, config: {cleanup.policy: "compact,delete"}, allow: [min-isr]}
"#;
        let read = definitions(text);
        assert_eq!(read.documents(), 1);
        let raw = read.get("events.raw").unwrap();
        assert_eq!(raw.partitions, PartitionCount::Number(12));
        assert_eq!(raw.replication.as_ref().unwrap().value, 3);
        let config: Vec<(&str, &str, u64)> = raw
            .config
            .iter()
            .map(|(key, v)| (key.as_str(), v.value.as_str(), v.place.line))
            .collect();
        assert_eq!(
            config,
            [
                ("cleanup.policy", "delete", 6),
                ("min.cleanable.dirty.ratio", "0.50", 11),
                ("min.insync.replicas", "2", 6),
                ("retention.ms", "604800000", 11),
                ("unclean.leader.election.enable", "false", 11),
            ]
        );
        assert_eq!(raw.owner.as_deref(), Some("team-events"));
        assert_eq!(raw.labels["tier"], "gold");
        let logs = read.get("logs").unwrap();
        assert_eq!(logs.config["cleanup.policy"].value, "compact,delete");
        assert_eq!((&logs.partitions, logs.allow.len()), (&PartitionCount::Number(3), 1));
    }

    #[test]
    fn a_text_may_hold_several_documents_each_with_its_defaults() {
        let text = "version: 1\ndefaults: {partitions: 1, replication: 1}\ntopics: [{name: a}]\n---\n\
                    version: 1\ntopics: [{name: b, partitions: 2}]\n";
        let read = definitions(text);
        assert_eq!(read.documents(), 2);
        assert!(read.get("a").unwrap().replication.is_some());
        assert!(read.get("b").unwrap().replication.is_none());
    }

    #[test]
    fn partitions_may_be_the_replicas_of_a_deployment() {
        let text = "version: 1\ndefaults: {partitions: {replicasOf: deployment/shop/billing, atMost: 24}}\n\
                    topics:\n  - {name: a}\n  - {name: b, partitions: {replicasOf: deployment/web/front.end-2}}\n  \
                    - {name: c, partitions: 4}";
        let read = definitions(text);
        let of = |namespace: &str, name: &str, at_most| {
            let deployment = Deployment { namespace: namespace.into(), name: name.into() };
            PartitionCount::ReplicasOf(ReplicasOf { deployment, at_most })
        };
        let found: Vec<&PartitionCount> = read.topics().map(|topic| &topic.partitions).collect();
        let expected = [
            &of("shop", "billing", 24),
            &of("web", "front.end-2", 10_000),
            &PartitionCount::Number(4),
        ];
        assert_eq!(found, expected);
        let names: Vec<String> = read.deployments().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["deployment/shop/billing", "deployment/web/front.end-2"]);
    }

    /// A document, and its mistakes, in order.
    const REFUSED: &[(&str, &[&str])] = &[
        ("", &["1:1: there is no document in it"]),
        ("topics: []", &["1:1: version: missing"]),
        (
            "version: 2\ntopics: 7",
            &["1:1: version: the definitions have version 2, this program reads version 1"],
        ),
        (
            "version: 1\ntopics: {a: 1}",
            &["2:9: topics: expected a list of topics, found a mapping"],
        ),
        (
            "version: 1\ntopic: []\ntopics:\n  - {name: a, partitons: 3, replication: 0}\n  - {name: 'a b', partitions: x}",
            &[
                "2:1: topic: unknown key; known are version, defaults, topics",
                "4:5: topic a: partitions: missing, here and in defaults",
                "4:15: topic a: partitons: unknown key; known are name, map, partitions, replication, config, owner, \
                 labels, allow",
                "4:42: topic a: replication: has to be a number from 1 to 32767, not \"0\"",
                "5:12: name: \"a b\" is no name for a topic: 1 to 249 letters, digits, dots, _ and -, please",
                "5:31: partitions: has to be a number from 1 to 10000, not \"x\"",
            ],
        ),
        (
            "version: 1\ntopics:\n  - {name: a, partitions: 1, config: {retention.ms: [1], x: , \
             leader.replication.throttled.replicas: '*'}, labels: x, allow: [all], map: 7}",
            &[
                "3:53: topic a: config.retention.ms: expected text, a number or a boolean, found a list",
                "3:59: topic a: config.x: expected text, a number or a boolean, found nothing",
                "3:63: topic a: config.leader.replication.throttled.replicas: belongs to whoever throttles a \
                 reassignment, not to a definition",
                "3:116: topic a: labels: expected a mapping, found \"x\"",
                "3:127: topic a: allow: \"all\" is nothing that can be allowed; known is min-isr",
                "3:138: topic a: map: there is no map \"7\"",
            ],
        ),
        (
            "version: 1\ntopics:\n  - {name: a, name: b, partitions: 0}",
            &[
                "3:15: duplicate mapping key: name not allowed here",
                "3:36: topic a: partitions: has to be a number from 1 to 10000, not \"0\"",
            ],
        ),
        (
            "version: 1\ntopics:\n  - {name: a, partitions: 1}\n  - {name: a, partitions: 2}",
            &["4:5: topic a: name: was already defined at test.yaml:3:5"],
        ),
        ("version: 1\ntopics: [", &["2:9: unclosed bracket '['"]),
        (
            "version: 1\ndefaults: {partitions: {}}\ntopics:\n  - {name: a, partitions: {replicasOf: shop/billing, \
             atMost: 0, atLeast: 1}}\n  - {name: b, partitions: {replicasOf: deployment/shop/Billing}}\n  \
             - {name: c, partitions: {replicasOf: [deployment]}}\n  - {name: d, partitions: [1]}",
            &[
                "2:24: defaults.partitions.replicasOf: missing",
                "4:40: topic a: partitions.replicasOf: has to be deployment/NAMESPACE/NAME, not \"shop/billing\"",
                "4:62: topic a: partitions.atMost: has to be a number from 1 to 10000, not \"0\"",
                "4:65: topic a: partitions.atLeast: unknown key; known are replicasOf, atMost",
                "5:40: topic b: partitions.replicasOf: has to be deployment/NAMESPACE/NAME, not \"deployment/shop/Billing\"",
                "6:40: topic c: partitions.replicasOf: expected text, a number or a boolean, found a list",
                "7:27: topic d: partitions: expected text, a number or a boolean, found a list",
            ],
        ),
    ];

    #[test]
    fn every_mistake_is_named_with_its_place_topic_and_key() {
        for (text, expected) in REFUSED {
            let expected: Vec<String> =
                expected.iter().map(|line| format!("test.yaml:{line}")).collect();
            assert_eq!(mistakes(text), expected, "{text}");
        }
    }
}
