//! A state in ConfigMaps: `NAME`, `NAME-1`, `NAME-2`, ... each small enough for the API, each a state by itself.
//!
//! A topic stays in the ConfigMap that it is in. What outgrows one goes to a new one, which is written first: a run that
//! is killed between leaves a topic in both, never in none.

use super::state_file;
use super::store::{STATE_LABEL, StatePlace};
use crate::error::Error;
use ::kubernetes::{ConfigMap, Kubernetes, Name};
use mapper::definitions::{State, TopicState};
use std::collections::BTreeMap;

/// Bytes of text in one ConfigMap; the API takes 1 MiB with everything around it.
const MOST: usize = 900_000;

type Topics = BTreeMap<String, TopicState>;

/// The ConfigMaps of one state.
#[derive(Debug)]
pub(super) struct Shards {
    kubernetes: Kubernetes,
    first: Name,
    found: Vec<(ConfigMap, Topics)>,
}

impl Shards {
    /// Reads all of them.
    pub(super) async fn read(kubernetes: Kubernetes, first: Name) -> Result<(Self, State), Error> {
        let mut shards = Self { kubernetes, first, found: Vec::new() };
        let mut state = State::default();
        while let Some(found) =
            shards.kubernetes.config_map(&shards.name(shards.found.len())).await?
        {
            let place = StatePlace::ConfigMap(found.name.clone()).to_string();
            let text = found.data.get(STATE_LABEL).map_or("", String::as_str);
            let part = state_file::read(text).map_err(|problem| Error::State { place, problem })?;
            state.cluster_id = state.cluster_id.or(part.cluster_id);
            state.documents = state.documents.max(part.documents);
            state.topics.extend(part.topics.clone());
            shards.found.push((found, part.topics));
        }
        Ok((shards, state))
    }

    /// Writes those that change, the new ones first.
    pub(super) async fn write(&mut self, state: &State) -> Result<(), Error> {
        let before: Vec<&Topics> = self.found.iter().map(|(_, topics)| topics).collect();
        let parts = dealt(&before, &state.topics, MOST);
        for at in order(before.len(), parts.len()) {
            let topics = parts[at].clone();
            let part = State { topics: topics.clone(), ..state.clone() };
            let place = StatePlace::ConfigMap(self.name(at)).to_string();
            let text =
                state_file::written(&part).map_err(|problem| Error::State { place, problem })?;
            let data = BTreeMap::from([(STATE_LABEL.to_owned(), text)]);
            match self.found.get_mut(at) {
                Some((found, _)) if found.data == data => {}
                Some((found, now)) => {
                    *found = self.kubernetes.replace_config_map(found, data).await?;
                    *now = topics;
                }
                None => {
                    let labels = [("app.kubernetes.io/managed-by", "topicmappr")];
                    let labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
                    let name = self.name(at);
                    let made = self.kubernetes.create_config_map(&name, &labels, data).await?;
                    self.found.push((made, topics));
                }
            }
        }
        Ok(())
    }

    fn name(&self, at: usize) -> Name {
        match at {
            0 => self.first.clone(),
            _ => Name::new(&self.first.namespace, &format!("{}-{at}", self.first.name)),
        }
    }
}

/// The order of writing: first the new ones, each after the one that leads to it, then those that are there already.
fn order(there: usize, all: usize) -> impl Iterator<Item = usize> {
    (there..all).chain(0..there)
}

/// Deals topics out: each where it was, new ones to the last, and what is too much for one to new ones.
fn dealt(before: &[&Topics], now: &Topics, most: usize) -> Vec<Topics> {
    let mut parts: Vec<Topics> = vec![Topics::new(); before.len().max(1)];
    for (name, topic) in now {
        let at = before.iter().rposition(|part| part.contains_key(name));
        parts[at.unwrap_or(before.len().max(1) - 1)].insert(name.clone(), topic.clone());
    }
    let mut spilt: Vec<(String, TopicState)> = Vec::new();
    for part in &mut parts {
        let mut bytes = HEAD;
        let mut kept = Topics::new();
        for (name, topic) in std::mem::take(part) {
            bytes += state_file::size(&name, &topic);
            if bytes <= most {
                kept.insert(name, topic);
            } else {
                spilt.push((name, topic));
            }
        }
        *part = kept;
    }
    let mut bytes = most;
    for (name, topic) in spilt {
        let size = state_file::size(&name, &topic);
        if bytes + size > most {
            parts.push(Topics::new());
            bytes = HEAD;
        }
        bytes += size;
        if let Some(last) = parts.last_mut() {
            last.insert(name, topic);
        }
    }
    parts
}

/// More than what stands around the topics.
const HEAD: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::definitions::TopicId;

    fn topics(names: impl IntoIterator<Item = usize>) -> Topics {
        let id = || Some(TopicId("Nk3mLx0vQ7yTzR5wBfG1aA".to_owned()));
        let topic = || TopicState { id: id(), owned: true, ..TopicState::default() };
        names.into_iter().map(|n| (format!("topic-{n:04}"), topic())).collect()
    }

    fn all(parts: &[Topics]) -> Topics {
        parts.iter().flatten().map(|(name, topic)| (name.clone(), topic.clone())).collect()
    }

    #[test]
    fn what_is_too_much_for_one_goes_to_new_ones_and_then_stays_where_it_is() {
        let first = dealt(&[], &topics(0..100), 4_000);
        assert!(first.len() > 2);
        assert_eq!(all(&first), topics(0..100));
        for part in &first {
            let state = State { topics: part.clone(), ..State::default() };
            assert!(state_file::written(&state).unwrap().len() <= 4_000);
        }
        let before: Vec<&Topics> = first.iter().collect();
        assert_eq!(dealt(&before, &topics(0..100), 4_000), first);
        let more = dealt(&before, &topics(0..103), 4_000);
        assert_eq!(more[..2], first[..2]);
        assert_eq!(all(&more), topics(0..103));
    }

    #[test]
    fn a_new_one_is_never_written_before_the_one_that_leads_to_it_nor_after_one_that_gives_topics_away()
     {
        assert!(order(0, 3).eq([0, 1, 2]));
        assert!(order(1, 3).eq([1, 2, 0]));
        assert!(order(2, 2).eq([0, 1]));
    }

    #[test]
    fn a_topic_that_a_killed_run_left_in_two_is_kept_in_the_newer() {
        let (old, new) = (topics(0..3), topics(2..5));
        let parts = dealt(&[&old, &new], &topics(0..5), 900_000);
        assert_eq!(parts, [topics(0..2), topics(2..5)]);
    }
}
