//! Maps in YAML: `version: 1`, `maps: {NAME: {topics, brokers, replication, allow}}`.
//!
//! Strict: an unknown key is most likely a typing error, and to ignore it would harm the operator.

use super::cursor::{Cursor, TextFault};
use super::error::{MapMistake, MapPlace, MapsError, yaml_message};
use super::lines::{MAX_REPLICATION, map_topics};
use super::target::{add_label, id_or_range, in_range, kafka_node_pool, stateful_set, target};
use super::written::{BrokersIn, DocumentIn, GroupIn, MapIn, NamesIn, VersionIn};
use super::{Map, MapName, MapSet, Target};
use serde_saphyr::{DuplicateKeyPolicy, Location, Options, Spanned};
use std::collections::{BTreeMap, BTreeSet};

const VERSION: u64 = 1;

/// Reads a document in YAML.
pub(super) fn parse(document: &str, text: &str) -> Result<MapSet, MapsError> {
    let source = YamlText { document, text };
    let read: DocumentIn = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| source.version_first(&error))?;
    source.check_version(&read.version)?;
    let maps = read.maps.value.0;
    if maps.is_empty() {
        return Err(source.blame(read.maps.referenced, MapMistake::NoMaps));
    }
    let maps: Result<Vec<Map>, MapsError> =
        maps.into_iter().map(|(name, map)| source.map(&name, map)).collect();
    MapSet::new(maps?)
}

/// How deep our documents may nest: none needs ten levels, and each level uses stack.
pub const DEEPEST: usize = 16;

fn options() -> Options {
    serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: DEEPEST },
    }
}

struct YamlText<'a> {
    document: &'a str,
    text: &'a str,
}

impl YamlText<'_> {
    fn place(&self, location: Location) -> MapPlace {
        MapPlace::in_yaml(self.document, location)
    }

    fn blame(&self, location: Location, mistake: MapMistake) -> MapsError {
        self.place(location).blame(mistake)
    }

    fn check_version(&self, version: &Spanned<u64>) -> Result<(), MapsError> {
        match version.value {
            VERSION => Ok(()),
            found => Err(self.blame(version.referenced, MapMistake::Version { found })),
        }
    }

    /// A document of another version is refused because of its version, not because of its shape.
    fn version_first(&self, error: &serde_saphyr::Error) -> MapsError {
        let version = serde_saphyr::from_str_with_options::<VersionIn>(self.text, options());
        let refused = version.ok().and_then(|read| self.check_version(&read.version).err());
        refused.unwrap_or_else(|| self.explain(error))
    }

    fn explain(&self, error: &serde_saphyr::Error) -> MapsError {
        let place = self.place(error.location().unwrap_or(Location::UNKNOWN));
        if let serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } = error
            && let Some((name, first)) = self.first_of(key, &place)
        {
            return place.blame(MapMistake::MapTwice { name, first });
        }
        place.blame(MapMistake::Yaml(yaml_message(error)))
    }

    /// The map of that name, if it is before `second`.
    fn first_of(&self, key: &str, second: &MapPlace) -> Option<(MapName, MapPlace)> {
        let mut first_wins = options();
        first_wins.duplicate_keys = DuplicateKeyPolicy::FirstWins;
        let read: NamesIn = serde_saphyr::from_str_with_options(self.text, first_wins).ok()?;
        let (name, _) = read.maps.0.iter().find(|(name, _)| name.value == key)?;
        let place = self.place(name.referenced);
        (place < *second).then_some((MapName::new(key).ok()?, place))
    }

    fn map(&self, name: &Spanned<String>, map: MapIn) -> Result<Map, MapsError> {
        let at = |location| move |mistake| self.blame(location, mistake);
        let place = self.place(name.referenced);
        let named_at = name.referenced;
        let name = MapName::new(&name.value).map_err(at(named_at))?;
        let source = map.topics.as_ref().map(|topics| topics.value.as_str());
        let topics_at = map.topics.as_ref().map_or(named_at, |topics| topics.referenced);
        let topics = map_topics(&name, source).map_err(at(topics_at))?;
        let replication = self.number(map.replication, "replication factor", MAX_REPLICATION)?;
        Ok(Map {
            name,
            topics,
            target: self.target(map.brokers)?,
            replication,
            allow: map.allow.into_iter().collect(),
            place,
        })
    }

    fn target(&self, brokers: Spanned<BrokersIn>) -> Result<Target, MapsError> {
        match brokers.value {
            BrokersIn::Text(text) => self.whole(&text, brokers.referenced, target),
            BrokersIn::Ids(list) => {
                let mut ids = BTreeSet::new();
                for item in &list {
                    self.whole(&item.value, item.referenced, |c| id_or_range(c, &mut ids))?;
                }
                let expected = "at least one broker id";
                let found = "an empty list".to_owned();
                let mistake = MapMistake::Expected { expected, found };
                (!ids.is_empty())
                    .then_some(Target::Ids(ids))
                    .ok_or_else(|| self.blame(brokers.referenced, mistake))
            }
            BrokersIn::Group(group) => self.group(*group, brokers.referenced),
        }
    }

    /// Reads a scalar to its end. A mistake gets the scalar's own place, because escapes make the position inside it
    /// uncertain.
    fn whole<T>(
        &self,
        text: &str,
        location: Location,
        read: impl FnOnce(&mut Cursor<'_>) -> Result<T, TextFault>,
    ) -> Result<T, MapsError> {
        let mut cursor = Cursor::new(text.trim());
        read(&mut cursor)
            .and_then(|value| cursor.end("the end").map(|()| value))
            .map_err(|fault| self.blame(location, fault.mistake))
    }

    fn group(&self, group: GroupIn, location: Location) -> Result<Target, MapsError> {
        let count = self.number(group.count, "count", u32::MAX)?;
        match (group.stateful_set, group.kafka_node_pool, group.node_labels, count) {
            (Some(text), None, None, None) => {
                self.whole(&text.value, text.referenced, stateful_set)
            }
            (None, Some(text), None, None) => {
                self.whole(&text.value, text.referenced, kafka_node_pool)
            }
            (None, None, Some(pairs), count) if !pairs.0.is_empty() => {
                let mut labels = BTreeMap::new();
                for (key, value) in &pairs.0 {
                    add_label(&mut labels, &key.value, &value.value)
                        .map_err(|mistake| self.blame(key.referenced, mistake))?;
                }
                Ok(Target::NodeLabels { labels, count })
            }
            _ => {
                let expected = "either statefulSet, kafkaNodePool, or nodeLabels (and a count)";
                let found = "another choice of keys".to_owned();
                Err(self.blame(location, MapMistake::Expected { expected, found }))
            }
        }
    }

    fn number(
        &self,
        written: Option<Spanned<String>>,
        what: &'static str,
        most: u32,
    ) -> Result<Option<u32>, MapsError> {
        written
            .map(|number| {
                in_range(&number.value, what, most)
                    .map_err(|mistake| self.blame(number.referenced, mistake))
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{maps, refusal, unplaced};

    #[test]
    fn every_form_says_the_same_as_its_line() {
        let yaml = r#"
version: 1
maps:
  map1: {topics: "events.*", brokers: [1001..1006]}   # ids and inclusive ranges
  map2: {topics: "check_runs|notifications", brokers: 3x i3.8xlarge}
  map3: {topics: "logs-.*", brokers: {statefulSet: kafka/kafka-logs}}
  map6: {topics: "metrics.*", brokers: {kafkaNodePool: kafka/pool-a}}
  map4: {topics: ".*\\.dlq", brokers: {nodeLabels: {pool: small}, count: 3}, replication: 2, allow: [no-topics]}
  map5:
    topics: by-id
    brokers:
      - 1007
      - 1008..1009
  rest: {brokers: all}
"#;
        let lines = r#"
map1: "events.*" => [1001..1006]
map2: "check_runs|notifications" => 3x i3.8xlarge
map3: "logs-.*" => statefulSet kafka/kafka-logs
map6: "metrics.*" => kafkaNodePool kafka/pool-a
map4: ".*\.dlq" => nodeLabels pool=small count=3, replication=2, allow=[no-topics]
map5: "by-id" => [1007..1009]
rest: => all
"#;
        assert_eq!(unplaced(&maps(yaml)), unplaced(&maps(lines)));
        assert_eq!(maps(yaml).maps()[1].place.to_string(), "test.yaml:5:3");
    }

    /// A document, and its error.
    const REFUSED: &[(&str, &str)] = &[
        ("version: 2\nmaps: []", "1:10: the maps have version 2, this program reads version 1"),
        ("version: 1\nmaps: {}", "2:7: there is no map in it"),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: [1, 2..]}",
            "3:31: expected a broker id, found the end",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: []}",
            "3:27: expected at least one broker id, found an empty list",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: 3x}",
            "3:27: expected a count and an instance type, as in 6x i3.4xlarge, found the end",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: {count: 3}}",
            "3:27: expected either statefulSet, kafkaNodePool, or nodeLabels (and a count), found another choice of keys",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: all, replication: 0}",
            "3:45: the replication factor has to be from 1 to 32767, not 0",
        ),
        (
            "version: 1\nmaps:\n  m: {brokers: all}",
            "3:3: map m names no topics; only the map named rest takes what is left",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: 'a\n\n    b', brokers: all}",
            "3:15: the pattern \"a\\nb\" contains a control character",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: all}\n  n: {topics: y, brokers: all}\n  m: {topics: z, brokers: all}",
            "5:3: map m was already written at test.yaml:3:3",
        ),
        ("maps: {}", "1:1: missing field `version`"),
        ("version: 1\nmaps:\n  m: {topics: x}", "3:7: missing field `brokers`"),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: all, replicas: 3}",
            "3:32: unknown field `replicas`, expected one of topics, brokers, replication, allow",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: 1001}",
            "3:18: invalid type: integer `1001`, expected brokers: [1001..1006], 3x TYPE, {statefulSet: NS/NAME}, {kafkaNodePool: NS/NAME}, {nodeLabels: {k: v}}, or all",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: all, allow: [everything]}",
            "3:40: unknown variant `everything`, expected one of no-topics, shared-brokers",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: x, topics: y, brokers: all}",
            "3:18: duplicate mapping key: topics not allowed here",
        ),
        (
            "version: 1\nmaps:\n  m: {topics: x, brokers: [1001, 1002}",
            "3:27: mismatched bracket '[' closed by '}'",
        ),
    ];

    #[test]
    fn a_mistake_is_named_with_its_line_and_column() {
        for (text, expected) in REFUSED {
            assert_eq!(refusal(text), format!("test.yaml:{expected}"), "{text}");
        }
    }

    #[test]
    fn nesting_without_an_end_is_refused() {
        let text = format!("version: 1\nmaps: {}", "[".repeat(100_000));
        assert!(refusal(&text).starts_with("test.yaml:2:"));
    }
}
