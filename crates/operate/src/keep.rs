//! Stores what `keep` remembers between looks, and what operators answer to its plans. Next to notes in a file, answers are in
//! another file. Next to notes in a ConfigMap, each proposal is a `KafkaPlan`, and answers are its annotations. A ConfigMap is
//! written only if it has not changed since it was read.

use crate::error::Error;
use crate::record_place::{RecordPlace, read_file, write_file};
use ::kubernetes::{About, Access, ConfigMap, KafkaPlan, Kubernetes, in_time};
use execute::keep::{KeepNotes, Need, PlanAnswers, Proposal, ProposalState};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
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
}

impl KeptRecord for KeepRecord {
    const KIND: &'static str = "keep";
}

impl KeptRecord for PlanAnswers {
    const KIND: &'static str = "answers";
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
pub async fn answers(notes: &RecordPlace, access: &Access) -> Result<ReadAnswers, Error> {
    match notes {
        RecordPlace::File(path) => {
            let beside = RecordPlace::File(answers_beside(path));
            let (_, answers) = StoredRecord::open(&beside, access).await?;
            Ok(ReadAnswers { answers, plans: Vec::new() })
        }
        RecordPlace::ConfigMap(name) => {
            let kubernetes = Kubernetes::connect(access).await?;
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
    access: &Access,
) -> Result<(), Error> {
    match notes {
        RecordPlace::File(path) => {
            let beside = RecordPlace::File(answers_beside(path));
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
            let kubernetes = Kubernetes::connect(access).await?;
            let name = name.within(kubernetes.namespace());
            let plan = KafkaPlan::name_for(&name, &need.to_string());
            Ok(kubernetes.answer_kafka_plan(&plan, plan_id, approved).await?)
        }
    }
}

/// Shows proposals as `KafkaPlan`s, and removes those of other needs. Next to notes in a file there are none.
pub async fn show(
    notes: &RecordPlace,
    proposals: &[Proposal],
    read: &ReadAnswers,
    access: &Access,
) -> Result<(), Error> {
    let RecordPlace::ConfigMap(name) = notes else { return Ok(()) };
    let kubernetes = Kubernetes::connect(access).await?;
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

/// Ends when an operator has answered since `read`. Next to notes in a file it never ends.
pub async fn answered(notes: &RecordPlace, read: &ReadAnswers, access: &Access) {
    if let RecordPlace::ConfigMap(name) = notes {
        match Kubernetes::connect(access).await {
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

/// Where operators' answers are, next to notes in a file.
fn answers_beside(notes: &Path) -> PathBuf {
    let mut name = notes.as_os_str().to_owned();
    name.push(".answers");
    PathBuf::from(name)
}

/// Writes an Event on the ConfigMap of the notes, for operators who describe it or watch Events. Notes in a file have
/// no Events. A failed Event is only logged.
pub async fn announce(place: &RecordPlace, access: &Access, reason: &str, note: &str) {
    let RecordPlace::ConfigMap(name) = place else { return };
    let told = async {
        let kubernetes = Kubernetes::connect(access).await?;
        let name = name.within(kubernetes.namespace());
        let Some(map) = kubernetes.config_map(&name).await? else { return Ok(()) };
        let announcer = kubernetes.announcer("topicmappr", "keep", About::config_map(&map));
        announcer.tell(reason, note).await
    };
    in_time(TOLD, reason, told).await;
}

/// The place of a record, with the version that was read. The connection to Kubernetes ends with the runtime that it was
/// created in, so a write opens a new one.
pub struct StoredRecord {
    /// A ConfigMap has its namespace here.
    place: RecordPlace,
    /// The ConfigMap that was read; `None`: there was none, and a write creates it.
    read: Option<ConfigMap>,
}

impl StoredRecord {
    /// Reads a record; a missing one is no error.
    pub async fn open<T: KeptRecord>(
        place: &RecordPlace,
        access: &Access,
    ) -> Result<(Self, T), Error> {
        let (opened, text) = match place {
            RecordPlace::File(path) => {
                (Self { place: place.clone(), read: None }, read_file(path)?)
            }
            RecordPlace::ConfigMap(name) => {
                let kubernetes = Kubernetes::connect(access).await?;
                let name = name.within(kubernetes.namespace());
                let read = kubernetes.config_map(&name).await?;
                let text = read.as_ref().and_then(|map| map.data.get(&key::<T>()).cloned());
                (Self { place: RecordPlace::ConfigMap(name), read }, text)
            }
        };
        let record = text.map(|text| parse(place, &text)).transpose()?.unwrap_or_default();
        Ok((opened, record))
    }

    /// Writes the record.
    pub async fn write<T: KeptRecord>(self, record: &T, access: &Access) -> Result<(), Error> {
        let text = written(record).map_err(io::Error::from).map_err(local::Error::Stream)?;
        match (self.place, self.read) {
            (RecordPlace::File(path), _) => write_file(&path, &text)?,
            (RecordPlace::ConfigMap(name), None) => {
                let kubernetes = Kubernetes::connect(access).await?;
                let data = [(key::<T>(), text)].into();
                kubernetes.create_config_map(&name, &BTreeMap::new(), data).await?;
            }
            (RecordPlace::ConfigMap(_), Some(read)) => {
                let kubernetes = Kubernetes::connect(access).await?;
                let mut data = read.data.clone();
                data.insert(key::<T>(), text);
                kubernetes.replace_config_map(&read, data).await?;
            }
        }
        Ok(())
    }
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

    #[test]
    fn answers_have_a_file_of_their_own() {
        assert_eq!(
            answers_beside(Path::new("/work/notes.json")),
            Path::new("/work/notes.json.answers")
        );
    }
}
