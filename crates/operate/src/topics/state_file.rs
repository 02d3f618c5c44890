//! The state of topics as JSON: `docs/schema/topics-state.schema.json`.

use crate::error::StateError;
use jiff::Timestamp;
use mapper::{BrokerId, PartitionId, Replicas, TopicId};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use topics::{Absence, EndOffsets, Intent, TopicState, TopicsRunRecord};

const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Whole {
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
    #[serde(default)]
    documents: usize,
    topics: Vec<OfTopic>,
}

#[derive(Serialize, Deserialize)]
struct OfTopic {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic_id: Option<TopicId>,
    #[serde(default, skip_serializing_if = "is_false")]
    owned: bool,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    keys: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent: Option<OfIntent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    absent: Option<OfAbsence>,
}

#[derive(Serialize, Deserialize)]
struct OfIntent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    create: Option<Vec<Vec<BrokerId>>>,
    #[serde(default)]
    set: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct OfAbsence {
    #[serde(with = "rfc_3339")]
    since: Timestamp,
    /// The end offset of each partition.
    end_offsets: BTreeMap<PartitionId, u64>,
}

/// Reads and writes times as text, in UTC.
mod rfc_3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[derive(Deserialize)]
struct OnlyVersion {
    version: u64,
    /// Only a snapshot has this key; it also has topics with names.
    brokers: Option<IgnoredAny>,
    /// Only a plan has this key.
    partitions: Option<IgnoredAny>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Reads a state. Ignores unknown keys, and refuses a higher version.
pub(super) fn read(text: &str) -> Result<TopicsRunRecord, StateError> {
    let OnlyVersion { version, brokers, partitions } = serde_json::from_str(text)?;
    if brokers.is_some() || partitions.is_some() {
        return Err(StateError::Foreign);
    }
    if version != VERSION {
        return Err(StateError::Version(version));
    }
    let whole: Whole = serde_json::from_str(text)?;
    let topics = whole.topics.into_iter().map(|topic| (topic.name.clone(), state_of(topic)));
    let (cluster_id, documents) = (whole.cluster_id, whole.documents);
    Ok(TopicsRunRecord { cluster_id, documents, topics: topics.collect() })
}

fn state_of(topic: OfTopic) -> TopicState {
    let list = |ids: Vec<BrokerId>| ids.into_iter().collect::<Replicas>();
    TopicState {
        id: topic.topic_id,
        owned: topic.owned,
        keys: topic.keys,
        intent: topic.intent.map(|intent| Intent {
            create: intent.create.map(|lists| lists.into_iter().map(list).collect()),
            set: intent.set,
        }),
        absent: topic.absent.map(|absent| Absence {
            since: absent.since.as_second(),
            end_offsets: EndOffsets::from_iter(absent.end_offsets),
        }),
    }
}

/// Writes a state with one line per topic.
pub(super) fn written(state: &TopicsRunRecord) -> Result<String, StateError> {
    Ok(of_lines(state, &lines(state)?))
}

/// The line of each topic.
pub(super) fn lines(state: &TopicsRunRecord) -> Result<BTreeMap<String, String>, StateError> {
    let line = |(name, topic): (&String, &TopicState)| -> Result<(String, String), StateError> {
        Ok((name.clone(), serde_json::to_string(&of_state(name, topic))?))
    };
    state.topics.iter().map(line).collect()
}

/// A state with these topics instead of its own.
pub(super) fn of_lines(state: &TopicsRunRecord, lines: &BTreeMap<String, String>) -> String {
    let mut text = format!("{{\"version\": {VERSION}");
    if let Some(id) = &state.cluster_id {
        text += &format!(", \"cluster_id\": {}", serde_json::Value::from(id.as_str()));
    }
    text += &format!(", \"documents\": {}, \"topics\": [", state.documents);
    for (at, line) in lines.values().enumerate() {
        text += if at == 0 { "\n" } else { ",\n" };
        text += line;
    }
    text + "\n]}\n"
}

fn of_state(name: &str, topic: &TopicState) -> OfTopic {
    OfTopic {
        name: name.to_owned(),
        topic_id: topic.id.clone(),
        owned: topic.owned,
        keys: topic.keys.clone(),
        intent: topic.intent.as_ref().map(|intent| OfIntent {
            create: intent.create.as_ref().map(|lists| lists.iter().map(|l| l.to_vec()).collect()),
            set: intent.set.clone(),
        }),
        absent: topic.absent.as_ref().map(|absent| OfAbsence {
            since: Timestamp::from_second(absent.since).unwrap_or(Timestamp::UNIX_EPOCH),
            end_offsets: absent.end_offsets.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn some_state() -> TopicsRunRecord {
        let intent = Intent {
            create: Some(vec![[1, 2].map(BrokerId).into_iter().collect()]),
            set: BTreeMap::from([("retention.ms".to_owned(), "5".to_owned())]),
        };
        let end_offsets = EndOffsets::from([(PartitionId(0), 7), (PartitionId(10), 0)]);
        let topics = [
            ("about-to-be", TopicState { intent: Some(intent), ..TopicState::default() }),
            (
                "left-over",
                TopicState {
                    id: Some(TopicId("Nk3mLx0vQ7yTzR5wBfG1aA".to_owned())),
                    owned: true,
                    keys: BTreeSet::from(["retention.ms".to_owned()]),
                    intent: None,
                    absent: Some(Absence { since: 1_795_158_000, end_offsets }),
                },
            ),
        ];
        TopicsRunRecord {
            cluster_id: Some("c".to_owned()),
            documents: 2,
            topics: topics.map(|(name, topic)| (name.to_owned(), topic)).into(),
        }
    }

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        for state in [some_state(), TopicsRunRecord::default()] {
            assert_eq!(read(&written(&state).unwrap()).unwrap(), state);
        }
        let text = written(&some_state()).unwrap();
        assert!(text.contains("\"since\":\"2026-11-20T07:00:00Z\""), "{text}");
    }

    #[test]
    fn a_snapshot_or_a_plan_is_no_state() {
        for text in [
            r#"{"version":1,"cluster_id":"c","brokers":[],"topics":[{"name":"t","partitions":[]}]}"#,
            r#"{"version":1,"partitions":[],"topics":[]}"#,
        ] {
            assert!(matches!(read(text), Err(StateError::Foreign)), "{text}");
        }
    }

    #[test]
    fn a_state_of_a_later_version_is_refused_by_its_version() {
        let refused = read("{\"version\": 2, \"topics\": {}}").unwrap_err();
        assert_eq!(refused.to_string(), "it has version 2, this program reads version 1");
        assert!(matches!(read("[]"), Err(StateError::Syntax(_))));
    }
}
