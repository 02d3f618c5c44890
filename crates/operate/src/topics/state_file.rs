//! The state of topics as JSON: `docs/schema/topics-state.schema.json`.

use crate::error::StateError;
use jiff::Timestamp;
use mapper::TopicId;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use topics::{Absence, EndOffsets, Intent, TopicState, TopicsRunRecord};

const VERSION: u64 = 1;

#[derive(Deserialize)]
struct Whole {
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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    owned: bool,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    keys: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intent: Option<Intent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    absent: Option<OfAbsence>,
}

#[derive(Serialize, Deserialize)]
struct OfAbsence {
    since: Timestamp,
    /// The end offset of each partition.
    end_offsets: EndOffsets,
}

#[derive(Deserialize)]
struct OnlyVersion {
    version: u64,
    /// Only a snapshot has this key; it also has topics with names.
    brokers: Option<IgnoredAny>,
    /// Only a plan has this key.
    partitions: Option<IgnoredAny>,
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
    TopicState {
        id: topic.topic_id,
        owned: topic.owned,
        keys: topic.keys,
        intent: topic.intent,
        absent: topic.absent.map(|absent| Absence {
            since: absent.since.as_second(),
            end_offsets: absent.end_offsets,
        }),
    }
}

/// Writes a state with one line per topic.
pub(super) fn written(state: &TopicsRunRecord) -> String {
    of_lines(state, &lines(state))
}

/// The line of each topic.
pub(super) fn lines(state: &TopicsRunRecord) -> BTreeMap<String, String> {
    // A topic has only texts and numbers, which JSON can always represent.
    let line = |name, topic| serde_json::to_string(&of_state(name, topic)).unwrap_or_default();
    state.topics.iter().map(|(name, topic)| (name.clone(), line(name, topic))).collect()
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
        intent: topic.intent.clone(),
        absent: topic.absent.as_ref().map(|absent| OfAbsence {
            since: Timestamp::from_second(absent.since).unwrap_or(Timestamp::UNIX_EPOCH),
            end_offsets: absent.end_offsets.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::{BrokerId, PartitionId};

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
            assert_eq!(read(&written(&state)).unwrap(), state);
        }
        let text = written(&some_state());
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
