//! A state in ConfigMaps: `NAME`, `NAME-1`, `NAME-2`, ... Each is small enough for the API, and is a complete state
//! file.

use super::state_file;
use super::store::STATE_LABEL;
use crate::error::Error;
use crate::error::StateError;
use crate::record_place::RecordPlace;
use ::kubernetes::shards::{self, Form, Items, ShardsError, managed_by};
use ::kubernetes::{Kubernetes, Name};
use std::collections::BTreeMap;
use topics::TopicsRunRecord;

/// The ConfigMaps of one state.
#[derive(Debug)]
pub(super) struct RecordShards(shards::Shards);

/// A state of some topics, with the facts about all.
struct Part {
    /// The facts about all topics, without the topics.
    whole: TopicsRunRecord,
}

impl Form for Part {
    /// In bytes. The API accepts 1 MiB, which includes everything around the data.
    const MOST: usize = 900_000;
    type Problem = StateError;

    fn items(&self, data: &BTreeMap<String, String>) -> Result<Items, StateError> {
        Ok(state_file::lines(&read(data)?))
    }

    fn data(&self, items: &Items) -> BTreeMap<String, String> {
        [(STATE_LABEL.to_owned(), state_file::of_lines(&self.whole, items))].into()
    }

    fn labels(&self) -> BTreeMap<String, String> {
        managed_by("topicmappr")
    }
}

impl RecordShards {
    /// Reads all ConfigMaps.
    pub(super) async fn read(
        kubernetes: Kubernetes,
        first: Name,
    ) -> Result<(Self, TopicsRunRecord), Error> {
        let form = Part { whole: TopicsRunRecord::default() };
        let shards = shards::Shards::read(kubernetes, first, &form).await.map_err(failed)?;
        let mut state = TopicsRunRecord::default();
        for map in shards.maps() {
            let part = read(&map.data).map_err(|problem| unreadable(map.name.clone(), problem))?;
            state.cluster_id = state.cluster_id.or(part.cluster_id);
            state.documents = state.documents.max(part.documents);
            state.topics.extend(part.topics);
        }
        Ok((Self(shards), state))
    }

    /// Writes the ConfigMaps that change.
    pub(super) async fn write(&mut self, state: &TopicsRunRecord) -> Result<(), Error> {
        let (cluster_id, documents) = (state.cluster_id.clone(), state.documents);
        let whole = TopicsRunRecord { cluster_id, documents, topics: BTreeMap::new() };
        self.0.write(state_file::lines(state), &Part { whole }).await.map_err(failed)
    }
}

fn read(data: &BTreeMap<String, String>) -> Result<TopicsRunRecord, StateError> {
    state_file::read(data.get(STATE_LABEL).map_or("", String::as_str))
}

fn unreadable(name: Name, problem: StateError) -> Error {
    Error::State { place: RecordPlace::ConfigMap(name).to_string(), problem }
}

fn failed(error: ShardsError<StateError>) -> Error {
    match error {
        ShardsError::Unreadable { name, problem } => unreadable(name, problem),
        ShardsError::Taken { error, .. } => Error::Kubernetes(error),
        ShardsError::Api(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::TopicId;
    use topics::TopicState;

    #[test]
    fn a_part_of_a_state_is_a_state_and_reads_back() {
        let id = || Some(TopicId("Nk3mLx0vQ7yTzR5wBfG1aA".to_owned()));
        let topic = || TopicState { id: id(), owned: true, ..TopicState::default() };
        let topics = (0..100).map(|n| (format!("topic-{n:04}"), topic()));
        let whole = TopicsRunRecord {
            cluster_id: Some("c".to_owned()),
            documents: 2,
            ..TopicsRunRecord::default()
        };
        let state = TopicsRunRecord { topics: topics.collect(), ..whole.clone() };
        let part = Part { whole };
        let lines = state_file::lines(&state);
        assert_eq!(lines.len(), 100);
        let data = part.data(&lines);
        assert_eq!(data, [(STATE_LABEL.to_owned(), state_file::written(&state))].into());
        assert_eq!(read(&data).unwrap(), state);
        assert_eq!(part.items(&data).unwrap(), lines);
        let refused = part.items(&BTreeMap::new()).unwrap_err();
        assert!(matches!(failed(ShardsError::Unreadable {
            name: Name::new("kafka", "s-1"), problem: refused
        }), Error::State { place, .. } if place == "configmap:kafka/s-1"));
    }
}
