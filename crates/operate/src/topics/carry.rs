//! Carries out a decision; makes no choice of its own. The state records each change before it is made, so a killed
//! run is completed by running again.

use super::reread;
use super::store::RunRecordStore;
use crate::error::Error;
use kafka::admin::{AlterTopic, Answers, MorePartitions, NewTopic, NoAnswer, Refusal};
use kafka::{Client, ResponseError};
use mapper::{Replicas, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use topics::{Create, Grow, TopicChanges, TopicConfigChange, TopicState, TopicsRunRecord};

/// Limits of one request: a controller takes seconds for more, and refuses far more.
const TOPICS: usize = 100;
const PARTITIONS: usize = 1_000;

/// The result of a change to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Topic name.
    pub topic: String,
    /// The change that was due.
    pub step: Step,
    /// Whether the cluster made it.
    pub done: Done,
}

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Create the topic.
    Create,
    /// Add partitions.
    Grow,
    /// Set or unset topic configs.
    Configure,
    /// Delete a topic that no definition contains any more.
    Delete,
}

/// The result of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The cluster made the change.
    Yes,
    /// The cluster refused, or could not be reached.
    No {
        /// The refusal, or why no request was sent.
        why: String,
        /// What to do next; `None`: unknown.
        hint: Option<String>,
    },
    /// The change was sent, but no answer came, and the cluster does not show it.
    Unknown {
        /// Why the result is unknown.
        why: String,
    },
}

/// Makes the changes of one run.
pub(super) struct Carrier<'a> {
    pub(super) client: &'a Client,
    pub(super) store: &'a mut RunRecordStore,
    /// The state, updated during the run.
    pub(super) state: TopicsRunRecord,
    pub(super) outcomes: Vec<Outcome>,
    /// Why the cluster is unreachable; after that, no other change is tried.
    pub(super) lost: Option<String>,
}

impl Carrier<'_> {
    /// Makes all changes that need no plan.
    pub(super) async fn carry_out(
        &mut self,
        decision: &TopicChanges,
        ids: &BTreeMap<String, TopicId>,
    ) -> Result<(), Error> {
        let begun = begun(self.store.state());
        for new in &decision.create {
            self.state.intend_to_create(&new.topic, &new.replicas, &new.config);
        }
        for change in decision.configs.iter().filter(|change| !change.set.is_empty()) {
            self.state.intend_to_set(&change.topic, ids.get(&change.topic), &change.set);
        }
        self.store.write(&self.state).await?;
        self.create(&decision.create, &begun).await;
        self.grow(&decision.grow).await;
        self.configure(&decision.configs, ids).await;
        self.delete(decision, ids).await;
        self.store.write(&self.state).await
    }

    async fn create(&mut self, new: &[Create], begun: &BTreeMap<String, TopicState>) {
        let topics: Vec<NewTopic> = new
            .iter()
            .map(|new| NewTopic {
                name: new.topic.clone(),
                replicas: new.replicas.clone(),
                config: new.config.clone(),
            })
            .collect();
        let mut created = BTreeSet::new();
        for batch in batches(&topics, |topic| topic.replicas.len()) {
            let names = batch.iter().map(|topic| topic.name.as_str()).collect();
            let Some(mut answers) =
                self.told(Step::Create, &names, self.client.create_topics(batch)).await
            else {
                continue;
            };
            let late: Vec<_> = begun.iter().filter(|(name, _)| answers.is_there(name)).collect();
            for (name, before) in late {
                answers.late.insert(name.clone());
                // The earlier run may have requested other replicas than this run.
                self.state.topics.insert(name.clone(), before.clone());
            }
            let unsure = batch.iter().filter(|topic| answers.is_unsure(&topic.name));
            let unsure: Vec<NewTopic> = unsure.map(|topic| intended(topic, &self.state)).collect();
            let made = answers.settle(reread::created(self.client, &unsure).await);
            let ids = self.ids_of(&unsure.into_iter().map(|topic| topic.name).collect()).await;
            for topic in batch {
                let done = made.of(&topic.name);
                let told = answers.id(&topic.name).or_else(|| ids.get(&topic.name).cloned());
                self.remember(&topic.name, &done, told.as_ref());
                if done == Done::Yes {
                    created.insert(topic.name.clone());
                }
                self.note(&topic.name, Step::Create, done);
            }
        }
        reread::known_everywhere(self.client, &created).await;
    }

    async fn grow(&mut self, grow: &[Grow]) {
        let topics: Vec<MorePartitions> = grow
            .iter()
            .map(|grow| MorePartitions {
                topic: grow.topic.clone(),
                from: grow.from,
                replicas: grow.replicas.clone(),
            })
            .collect();
        for batch in batches(&topics, |topic| topic.replicas.len()) {
            let names = batch.iter().map(|topic| topic.topic.as_str()).collect();
            let asked = self.client.create_partitions(batch);
            let Some(answers) = self.told(Step::Grow, &names, asked).await else {
                continue;
            };
            let unsure: Vec<&MorePartitions> =
                batch.iter().filter(|topic| answers.is_unsure(&topic.topic)).collect();
            let made = answers.settle(reread::grown(self.client, &unsure).await);
            for topic in batch {
                self.note(&topic.topic, Step::Grow, made.of(&topic.topic));
            }
        }
    }

    async fn configure(&mut self, changes: &[TopicConfigChange], ids: &BTreeMap<String, TopicId>) {
        let topics: Vec<AlterTopic> = changes
            .iter()
            .map(|change| AlterTopic {
                topic: change.topic.clone(),
                set: change.set.clone(),
                unset: change.unset.clone(),
            })
            .collect();
        for batch in batches(&topics, |topic| topic.set.len() + topic.unset.len()) {
            let names = batch.iter().map(|topic| topic.topic.as_str()).collect();
            let asked = self.client.alter_topic_configs(batch);
            let Some(answers) = self.told(Step::Configure, &names, asked).await else {
                continue;
            };
            let unsure: Vec<&AlterTopic> =
                batch.iter().filter(|topic| answers.is_unsure(&topic.topic)).collect();
            let made = answers.settle(reread::altered(self.client, &unsure).await);
            for topic in batch {
                let done = made.of(&topic.topic);
                self.remember(&topic.topic, &done, ids.get(&topic.topic));
                if done == Done::Yes {
                    self.state.unset(&topic.topic, topic.unset.iter().map(String::as_str));
                }
                self.note(&topic.topic, Step::Configure, done);
            }
        }
    }

    async fn delete(&mut self, decision: &TopicChanges, ids: &BTreeMap<String, TopicId>) {
        let wanted = decision.prune.iter().filter(|prune| prune.refusal.is_none());
        let topics: BTreeMap<String, TopicId> = wanted
            .filter_map(|prune| Some((prune.topic.clone(), ids.get(&prune.topic)?.clone())))
            .collect();
        if topics.is_empty() {
            return;
        }
        let names = topics.keys().map(String::as_str).collect();
        let asked = self.client.delete_topics(&topics);
        let Some(answers) = self.told(Step::Delete, &names, asked).await else {
            return;
        };
        let unsure = topics.iter().filter(|(name, _)| answers.is_unsure(name));
        let unsure: BTreeMap<String, TopicId> =
            unsure.map(|(name, id)| (name.clone(), id.clone())).collect();
        let made = answers.settle(reread::deleted(self.client, &unsure).await);
        for name in topics.keys() {
            let done = made.of(name);
            if done == Done::Yes {
                self.state.forget(name);
            }
            self.note(name, Step::Delete, done);
        }
    }

    /// Waits for the answer to one request; `None` if it was not sent.
    async fn told<T>(
        &mut self,
        step: Step,
        names: &Vec<&str>,
        asked: impl Future<Output = Result<Answers<T>, NoAnswer>>,
    ) -> Option<Told<T>> {
        let refused = |carrier: &mut Self, why: String, hint: Option<String>| {
            for name in names {
                let done = Done::No { why: why.clone(), hint: hint.clone() };
                if matches!(step, Step::Create | Step::Configure) {
                    carrier.state.not_done(name);
                }
                carrier.note(name, step, done);
            }
        };
        if let Some(lost) = self.lost.clone() {
            refused(self, format!("not tried: {lost}"), None);
            return None;
        }
        match asked.await {
            Ok(answers) => Some(Told { answers, late: BTreeSet::new(), silence: None }),
            Err(NoAnswer::NotMade(error)) => {
                self.lost = Some(error.to_string());
                refused(self, error.to_string(), error.hint());
                None
            }
            Err(NoAnswer::Unknown(error)) => {
                let why = error.to_string();
                self.lost = Some(why.clone());
                Some(Told { answers: Answers::new(), late: BTreeSet::new(), silence: Some(why) })
            }
        }
    }

    /// Ids of topics whose creation got no answer.
    async fn ids_of(&self, names: &BTreeSet<String>) -> BTreeMap<String, TopicId> {
        if names.is_empty() {
            return BTreeMap::new();
        }
        self.client.topic_ids(names).await.unwrap_or_default()
    }

    /// Records a result. An unknown result keeps its intent, so the next run checks it.
    fn remember(&mut self, name: &str, done: &Done, id: Option<&TopicId>) {
        match done {
            Done::Yes => self.state.done(name, id),
            Done::No { .. } => self.state.not_done(name),
            Done::Unknown { .. } => {}
        }
    }

    fn note(&mut self, topic: &str, step: Step, done: Done) {
        self.outcomes.push(Outcome { topic: topic.to_owned(), step, done });
    }
}

/// The answers to one request.
struct Told<T> {
    answers: Answers<T>,
    /// Topics that an earlier run began to create and that exist now: most likely that run created them.
    late: BTreeSet<String>,
    /// Why no answer came.
    silence: Option<String>,
}

/// The results, after the cluster was read again where necessary.
struct Settled {
    done: BTreeMap<String, Done>,
    otherwise: Done,
}

impl Settled {
    fn of(&self, name: &str) -> Done {
        self.done.get(name).unwrap_or(&self.otherwise).clone()
    }
}

impl<T> Told<T> {
    /// Whether the change may have been made, so that the cluster must be read again.
    fn is_unsure(&self, name: &str) -> bool {
        match self.answers.get(name) {
            Some(Ok(_)) => false,
            Some(Err(refusal)) => refusal.is_unsure() || self.late.contains(name),
            None => true,
        }
    }

    /// Combines answers and reads. `seen` has the topics whose change the cluster shows.
    fn settle(&self, seen: BTreeSet<String>) -> Settled {
        let mut done: BTreeMap<String, Done> = BTreeMap::new();
        for (name, answer) in &self.answers {
            done.insert(name.clone(), of_answer(answer, self.is_unsure(name)));
        }
        done.extend(seen.into_iter().map(|name| (name, Done::Yes)));
        let why =
            self.silence.clone().unwrap_or_else(|| "the broker did not answer for it".to_owned());
        Settled { done, otherwise: Done::Unknown { why } }
    }
}

impl Told<Option<TopicId>> {
    /// Whether the topic could not be created because it exists, although this run had not seen it.
    fn is_there(&self, name: &str) -> bool {
        let refusal = self.answers.get(name).and_then(|answer| answer.as_ref().err());
        refusal.is_some_and(|refusal| refusal.code == ResponseError::TopicAlreadyExists)
    }

    fn id(&self, name: &str) -> Option<TopicId> {
        self.answers.get(name).and_then(|answer| answer.as_ref().ok().cloned().flatten())
    }
}

fn of_answer<T>(answer: &Result<T, Refusal>, unsure: bool) -> Done {
    match answer {
        Ok(_) => Done::Yes,
        Err(refusal) if unsure => Done::Unknown { why: refusal.to_string() },
        Err(refusal) => Done::No { why: refusal.to_string(), hint: refusal.hint() },
    }
}

/// The topics that an earlier run was about to create when it was killed: the cluster may still be creating them.
fn begun(before: &TopicsRunRecord) -> BTreeMap<String, TopicState> {
    let begun = before.topics.iter().filter(|(_, topic)| creates(topic).is_some());
    begun.map(|(name, topic)| (name.clone(), topic.clone())).collect()
}

fn creates(topic: &TopicState) -> Option<&Vec<Replicas>> {
    topic.intent.as_ref()?.create.as_ref()
}

/// The topic as the run that began to create it recorded it.
fn intended(new: &NewTopic, state: &TopicsRunRecord) -> NewTopic {
    let replicas = state.topics.get(&new.name).and_then(creates).unwrap_or(&new.replicas).clone();
    NewTopic { replicas, ..new.clone() }
}

/// Splits work into requests that a controller answers soon.
fn batches<T>(all: &[T], weight: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut batches = Vec::new();
    let (mut start, mut sum) = (0, 0);
    for (at, item) in all.iter().enumerate() {
        let more = weight(item);
        if at > start && (at - start == TOPICS || sum + more > PARTITIONS) {
            batches.push(&all[start..at]);
            (start, sum) = (at, 0);
        }
        sum += more;
    }
    if start < all.len() {
        batches.push(&all[start..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::BrokerId;

    /// The cluster was still creating the topic when this run looked.
    #[test]
    fn a_topic_that_a_killed_run_has_begun_is_looked_for_when_it_turns_out_to_be_there() {
        let list =
            |brokers: [u32; 2]| vec![brokers.into_iter().map(BrokerId).collect::<Replicas>()];
        let name = || "events".to_owned();
        let mut before = TopicsRunRecord::default();
        before.intend_to_create("events", &list([1, 2]), &BTreeMap::new());
        before.intend_to_set("others", None, &BTreeMap::new());
        let topics = begun(&before);
        assert_eq!(topics.keys().collect::<Vec<_>>(), ["events"]);
        let new = NewTopic { name: name(), replicas: list([2, 3]), config: BTreeMap::new() };
        assert_eq!(intended(&new, &TopicsRunRecord::default()), new);
        assert_eq!(intended(&new, &TopicsRunRecord { topics, ..before }).replicas, list([1, 2]));

        let code = ResponseError::TopicAlreadyExists;
        let refusal = Refusal { code, message: None, denied: None };
        let answers = Answers::from([(name(), Err(refusal))]);
        let mut told = Told { answers, late: BTreeSet::new(), silence: None };
        assert!(told.is_there("events") && !told.is_unsure("events"));
        assert!(matches!(told.settle(BTreeSet::new()).of("events"), Done::No { .. }));
        told.late.insert(name());
        assert!(matches!(told.settle(BTreeSet::new()).of("events"), Done::Unknown { .. }));
        assert_eq!(told.settle([name()].into()).of("events"), Done::Yes);
    }

    #[test]
    fn a_request_holds_so_many_topics_or_partitions_and_everything_is_in_one() {
        let sizes = |weights: &[usize]| -> Vec<usize> {
            batches(weights, |weight| *weight).iter().map(|batch| batch.len()).collect()
        };
        assert_eq!(sizes(&[1; 250]), [100, 100, 50]);
        assert_eq!(sizes(&[600, 300, 200, 5_000, 1]), [2, 1, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }
}
