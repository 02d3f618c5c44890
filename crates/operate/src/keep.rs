//! Stores what `keep` remembers between looks, and what operators answer to its plans. Next to notes in a file, answers are in
//! another file; in the topic of shared state, in another record. Next to notes in a ConfigMap, each proposal is a `KafkaPlan`,
//! and answers are its annotations. A ConfigMap or a record in the topic is written only if it has not changed since it was read.

use crate::cluster::ClusterAccess;
use crate::error::Error;
use crate::file_lock::FileLock;
use crate::record_place::{RecordPlace, read_file, write_file};
use crate::runtime::us;
use crate::{live, state_topic, stores};
use ::kubernetes::{About, ConfigMap, KafkaPlan, Kubernetes, Name, in_time};
use coordination::{Holder, Role, Wait};
use execute::keep::{KeepNotes, Need, PlanAnswers, Proposal, ProposalState};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

const VERSION: u32 = 1;
/// The time limit to write an Event.
const TOLD: Duration = Duration::from_secs(5);

/// What `keep` remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepRecord {
    /// What the next look needs.
    #[serde(flatten)]
    pub notes: KeepNotes,
    /// What the last look came to.
    #[serde(default)]
    pub proposals: Vec<Proposal>,
}

/// A record with a kind of its own. Every file of this program has a version, so a version alone does not identify one.
pub trait KeptRecord: Default + Serialize + DeserializeOwned {
    /// Its name in the text, and its key in a ConfigMap.
    const KIND: &'static str;
    /// Who writes it in the topic of shared state.
    const ROLE: Role;
}

impl KeptRecord for KeepRecord {
    const KIND: &'static str = "keep";
    const ROLE: Role = Role::Keeper;
}

impl KeptRecord for PlanAnswers {
    const KIND: &'static str = "answers";
    const ROLE: Role = Role::Operator;
}

/// What operators have answered, as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadAnswers {
    /// The answers.
    pub answers: PlanAnswers,
    /// The `KafkaPlan`s that carry them, if there are such.
    plans: Vec<KafkaPlan>,
}

/// Reads what operators have answered.
pub async fn answers(notes: &RecordPlace, access: &ClusterAccess) -> Result<ReadAnswers, Error> {
    match notes {
        RecordPlace::File(_) | RecordPlace::StateTopic => {
            let (_, answers) = StoredRecord::open(&answers_beside(notes), access).await?;
            Ok(ReadAnswers { answers, plans: Vec::new() })
        }
        RecordPlace::ConfigMap(name) => {
            let kubernetes = Kubernetes::connect(&access.kubernetes).await?;
            let plans = kubernetes.kafka_plans(&name.within(kubernetes.namespace())).await?;
            let given = |answer: fn(&KafkaPlan) -> &Option<String>| {
                plans.iter().filter_map(|plan| answer(plan).clone()).collect()
            };
            let answers = PlanAnswers {
                approved: given(|plan| &plan.approved),
                rejected: given(|plan| &plan.rejected),
            };
            Ok(ReadAnswers { answers, plans })
        }
    }
}

/// Answers to the plan for a need. Answers to plans that are not among these proposals have no meaning any more.
pub async fn answer(
    notes: &RecordPlace,
    (need, plan_id): (&Need, &str),
    approved: bool,
    proposals: &[Proposal],
    access: &ClusterAccess,
) -> Result<(), Error> {
    match notes {
        RecordPlace::File(_) | RecordPlace::StateTopic => {
            let beside = answers_beside(notes);
            // The page and a command may answer at the same moment.
            let _alone = match &beside {
                RecordPlace::File(path) => Some(FileLock::take(path, &us())?),
                RecordPlace::ConfigMap(_) | RecordPlace::StateTopic => None,
            };
            let (place, mut answers) = StoredRecord::open::<PlanAnswers>(&beside, access).await?;
            answers.answer(plan_id, approved);
            let proposed = |id: &String| {
                proposals.iter().filter_map(|it| it.plan.as_ref()).any(|plan| plan.plan_id == *id)
            };
            answers.approved.retain(proposed);
            answers.rejected.retain(proposed);
            place.write(&answers, access).await
        }
        RecordPlace::ConfigMap(name) => {
            let kubernetes = Kubernetes::connect(&access.kubernetes).await?;
            let name = name.within(kubernetes.namespace());
            let plan = KafkaPlan::name_for(&name, &need.to_string());
            Ok(kubernetes.answer_kafka_plan(&plan, plan_id, approved).await?)
        }
    }
}

/// Shows proposals as `KafkaPlan`s, and removes those of other needs. There are some only next to notes in a ConfigMap.
pub async fn show(
    notes: &RecordPlace,
    proposals: &[Proposal],
    read: &ReadAnswers,
    access: &ClusterAccess,
) -> Result<(), Error> {
    let RecordPlace::ConfigMap(name) = notes else { return Ok(()) };
    let kubernetes = Kubernetes::connect(&access.kubernetes).await?;
    let name = name.within(kubernetes.namespace());
    let mut shown = Vec::new();
    for proposal in proposals {
        let need = proposal.need.to_string();
        let (plan, status) = (KafkaPlan::name_for(&name, &need), status(proposal));
        if !read.plans.iter().any(|known| known.name == plan && known.status == status) {
            kubernetes.show_kafka_plan(&name, &need, &status).await?;
        }
        shown.push(plan);
    }
    for plan in read.plans.iter().filter(|plan| !shown.contains(&plan.name)) {
        kubernetes.remove_kafka_plan(&plan.name).await?;
    }
    Ok(())
}

/// Ends when an operator has answered since `read`. Without a `KafkaPlan` it never ends.
pub async fn answered(notes: &RecordPlace, read: &ReadAnswers, access: &ClusterAccess) {
    if let RecordPlace::ConfigMap(name) = notes {
        match Kubernetes::connect(&access.kubernetes).await {
            Ok(kubernetes) => {
                let name = name.within(kubernetes.namespace());
                return kubernetes.kafka_plan_is_answered(&name, &read.plans).await;
            }
            Err(error) => tracing::info!(%error, "the next look sees answers"),
        }
    }
    pending().await
}

/// What a `KafkaPlan` shows.
fn status(proposal: &Proposal) -> Value {
    let reasons = match &proposal.state {
        ProposalState::Young { needed_seconds, .. } => {
            vec![format!("it has to last for {needed_seconds} s")]
        }
        ProposalState::Held { why } | ProposalState::ByHand { why } => why.clone(),
        ProposalState::ForApproval | ProposalState::Begins => Vec::new(),
    };
    let mut status = json!({"state": state_name(&proposal.state), "reasons": reasons});
    if let Some(plan) = &proposal.plan {
        status["planId"] = json!(plan.plan_id);
        status["what"] = json!(plan.what);
        status["bytes"] = json!(plan.bytes);
        status["seconds"] = json!(plan.seconds);
        status["warnings"] = json!(plan.warnings);
        if let Some(bound) = plan.bound_bytes {
            status["boundBytes"] = json!(bound);
        }
    }
    status
}

/// The state, as `KafkaPlan`s and metrics name it.
pub(crate) fn state_name(state: &ProposalState) -> &'static str {
    match state {
        ProposalState::Young { .. } => "Young",
        ProposalState::Held { .. } => "Held",
        ProposalState::ByHand { .. } => "ByHand",
        ProposalState::ForApproval => "ForApproval",
        ProposalState::Begins => "Begins",
    }
}

/// Where operators' answers are, next to these notes.
fn answers_beside(notes: &RecordPlace) -> RecordPlace {
    match notes {
        RecordPlace::File(path) => {
            let mut name = path.as_os_str().to_owned();
            name.push(".answers");
            RecordPlace::File(PathBuf::from(name))
        }
        RecordPlace::ConfigMap(_) | RecordPlace::StateTopic => notes.clone(),
    }
}

/// Writes an Event on the ConfigMap of the notes, for operators who describe it or watch Events. Other notes have no Events. A failed
/// Event is only logged.
pub async fn announce(place: &RecordPlace, access: &ClusterAccess, reason: &str, note: &str) {
    let RecordPlace::ConfigMap(name) = place else { return };
    let told = async {
        let kubernetes = Kubernetes::connect(&access.kubernetes).await?;
        let name = name.within(kubernetes.namespace());
        let Some(map) = kubernetes.config_map(&name).await? else { return Ok(()) };
        let announcer = kubernetes.announcer("topicmappr", "keep", About::config_map(&map));
        announcer.tell(reason, note).await
    };
    in_time(TOLD, reason, told).await;
}

/// The place of a record, with the version that was read. The connection to Kubernetes ends with the runtime that it was
/// created in, so a write opens a new one.
pub enum StoredRecord {
    /// In a file.
    File(PathBuf),
    /// In the topic of shared state, with the text that was read there.
    Topic(Option<String>),
    /// In a ConfigMap that there was not. A write creates it.
    NewConfigMap(Name),
    /// In a ConfigMap, as it was read.
    ConfigMap(Box<ConfigMap>),
}

impl StoredRecord {
    /// Reads a record; a missing one is no error.
    pub async fn open<T: KeptRecord>(
        place: &RecordPlace,
        access: &ClusterAccess,
    ) -> Result<(Self, T), Error> {
        let (opened, text) = match place {
            RecordPlace::File(path) => (Self::File(path.clone()), read_file(path)?),
            RecordPlace::StateTopic => {
                let mut records = stores::topic(access, T::ROLE)?.records().await?;
                let text = records.remove(&key::<T>());
                (Self::Topic(text.clone()), text)
            }
            RecordPlace::ConfigMap(name) => {
                let kubernetes = Kubernetes::connect(&access.kubernetes).await?;
                let name = name.within(kubernetes.namespace());
                match kubernetes.config_map(&name).await? {
                    Some(read) => {
                        let text = read.data.get(&key::<T>()).cloned();
                        (Self::ConfigMap(Box::new(read)), text)
                    }
                    None => (Self::NewConfigMap(name), None),
                }
            }
        };
        let record = text.map(|text| parse(place, &text)).transpose()?.unwrap_or_default();
        Ok((opened, record))
    }

    /// Writes the record.
    pub async fn write<T: KeptRecord>(
        self,
        record: &T,
        access: &ClusterAccess,
    ) -> Result<(), Error> {
        let text = written(record).map_err(io::Error::from).map_err(local::Error::Stream)?;
        match self {
            Self::File(path) => write_file(&path, &text)?,
            Self::Topic(read) => write_in_topic::<T>(read.as_ref(), text, access).await?,
            Self::NewConfigMap(name) => {
                let kubernetes = Kubernetes::connect(&access.kubernetes).await?;
                let data = [(key::<T>(), text)].into();
                kubernetes.create_config_map(&name, &BTreeMap::new(), data).await?;
            }
            Self::ConfigMap(read) => {
                let kubernetes = Kubernetes::connect(&access.kubernetes).await?;
                let mut data = read.data.clone();
                data.insert(key::<T>(), text);
                kubernetes.replace_config_map(&read, data).await?;
            }
        }
        Ok(())
    }
}

/// Writes a record in the topic, if it is still as it was read. Creates a missing topic.
async fn write_in_topic<T: KeptRecord>(
    read: Option<&String>,
    text: String,
    access: &ClusterAccess,
) -> Result<(), Error> {
    let (client, _) = live::connect(&access.bootstrap, access.properties.as_deref()).await?;
    state_topic::open(&client, None).await?;
    let store = stores::topic(access, T::ROLE)?;
    let tell = |holder: &str| tracing::info!(holder, "another process writes the record");
    let mut lead = store.lead(Holder::without_place(us()), Wait::ForTheDead, tell).await?;
    let written = match lead.read().await {
        Ok(there) if there.get(&key::<T>()) == read => {
            lead.write(&[(key::<T>(), text)].into()).await.map_err(Error::from)
        }
        Ok(_) => Err(Error::OtherRecord { name: key::<T>(), place: store.name() }),
        Err(error) => Err(error.into()),
    };
    lead.release().await;
    written
}

fn key<T: KeptRecord>() -> String {
    format!("{}.json", T::KIND)
}

/// The text of a record.
///
/// # Errors
/// None for the records of this program.
pub fn written<T: KeptRecord>(record: &T) -> Result<String, serde_json::Error> {
    let mut document = serde_json::to_value(record)?;
    document["version"] = json!(VERSION);
    document["kind"] = json!(T::KIND);
    serde_json::to_string_pretty(&document)
}

fn parse<T: KeptRecord>(place: &RecordPlace, text: &str) -> Result<T, Error> {
    let wrong =
        |problem: String| Error::from(local::Error::flag("--notes", place.to_string(), problem));
    let document: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let (version, kind) = (&document["version"], &document["kind"]);
    if kind != T::KIND {
        return Err(wrong(format!("this is no record of the kind {}", T::KIND)));
    }
    if version != VERSION {
        return Err(wrong(format!("version {version} is none that this program reads")));
    }
    serde_json::from_value(document).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::keep::ProposalState;

    #[test]
    fn what_is_noted_is_read_back_and_other_versions_are_not() {
        let place = RecordPlace::File(PathBuf::from("notes"));
        let need = "lost-broker 1003".parse().unwrap();
        let state = ProposalState::Held { why: vec!["a fire".to_owned()] };
        let proposal = Proposal { need, plan: None, state };
        let mut record = KeepRecord { proposals: vec![proposal.clone()], ..KeepRecord::default() };
        record.notes.since_seconds.insert(proposal.need, 5);
        let text = written(&record).unwrap();
        assert_eq!(parse::<KeepRecord>(&place, &text).unwrap(), record);
        assert!(
            parse::<KeepRecord>(&place, &text.replace("\"version\": 1", "\"version\": 2")).is_err()
        );
        assert!(parse::<KeepRecord>(&place, "{}").is_err());
        assert!(parse::<PlanAnswers>(&place, &text).is_err());
    }

    #[tokio::test]
    async fn two_answers_at_one_moment_lose_none() {
        let folder = tempfile::tempdir().unwrap();
        let notes = RecordPlace::File(folder.path().join("notes"));
        let need: Need = "drift".parse().unwrap();
        let access = ClusterAccess::default();
        let says = async || answer(&notes, (&need, "sha256:1"), true, &[], &access).await;
        let other = FileLock::take(&folder.path().join("notes.answers"), &us()).unwrap();
        assert!(matches!(says().await, Err(Error::Held(_))));
        assert!(!folder.path().join("notes.answers").exists());
        drop(other);
        says().await.unwrap();
        assert!(folder.path().join("notes.answers").exists());
    }

    #[test]
    fn answers_have_a_file_of_their_own() {
        let beside = |place: &str| answers_beside(&RecordPlace::from(place)).to_string();
        assert_eq!(beside("/work/notes.json"), "/work/notes.json.answers");
        assert_eq!(beside("state-topic"), "state-topic");
    }
}
