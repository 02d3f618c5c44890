//! One run: definitions, lock, state, cluster, decision; and on request the changes.

use super::carry::{Carrier, Outcome};
use super::observe::Seen;
use super::store::RunRecordStore;
use crate::cluster::{Servers, Source};
use crate::error::Error;
use crate::events::Note;
use crate::live;
use crate::maps::Maps;
use crate::pods::Pods;
use crate::record_place::RecordPlace;
use crate::runtime;
use crate::words::counted;
use ::kubernetes::Access;
use jiff::Timestamp;
use mapper::maps::{MapFinding, MapSeverity};
use mapper::scope::Scope;
use mapper::{Assignment, Snapshot, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use topics::{
    Definitions, DeploymentReplicas, Mapped, Observed, Options, TopicChanges, TopicsRunRecord,
    decide, within,
};

/// The options of a run.
#[derive(Debug)]
pub struct TopicsRun {
    /// Topics, as the documents define them.
    pub definitions: Definitions,
    /// The replicas of the Deployments that they name.
    pub replicas: DeploymentReplicas,
    /// Maps, with the brokers that they name.
    pub maps: Maps,
    /// The broker pods, if anything refers to them.
    pub pods: Option<Pods>,
    /// Which topics to cover, and whether to recreate or delete.
    pub options: Options,
    /// Where earlier runs recorded the topics that they own; `None`: nowhere, so this program owns no topic.
    pub state: Option<RecordPlace>,
    /// Access to Kubernetes, for the state's ConfigMap.
    pub access: Access,
    /// The number of documents that the operator confirms, although an earlier run read more.
    pub documents: Option<usize>,
    /// Plan even if no replica has to move.
    pub plan_wanted: bool,
}

/// The facts of a run, and its decision.
#[derive(Debug)]
pub struct TopicsLook {
    /// Topics, as the documents define them.
    pub definitions: Definitions,
    /// The cluster; after [`apply`], the cluster with the changes, if a plan is needed.
    pub snapshot: Snapshot,
    /// What to create, grow, configure and delete.
    pub decision: TopicChanges,
    /// The number of defined topics that the run covers.
    pub covered: usize,
    /// The planner's tasks for topics that have to move.
    pub assignments: Vec<Assignment>,
    /// The broker pods, if anything refers to them.
    pub pods: Option<Pods>,
    /// Findings from resolving the maps.
    pub findings: Vec<MapFinding>,
    /// Notes for the operator that do not stop the run.
    pub notes: Vec<Note>,
    /// Why nothing is deleted, although the operator requested it.
    pub prune_refused: Option<String>,
    /// The new state.
    state: TopicsRunRecord,
    ids: BTreeMap<String, TopicId>,
}

/// A run that made its changes.
#[derive(Debug)]
pub struct Applied {
    /// The facts and the decision behind the changes.
    pub looked: TopicsLook,
    /// The result of each change, including refused ones.
    pub outcomes: Vec<Outcome>,
    /// The number of requests that change the cluster.
    pub requests_sent: u64,
}

/// Looks, and changes nothing, not even the state.
pub fn look(asked: TopicsRun, source: &Source) -> Result<TopicsLook, Error> {
    runtime::wait(async {
        let store = RunRecordStore::read(asked.state.as_ref(), &asked.access).await?;
        match source {
            Source::File(path) => {
                let mut looked = decided(asked, Seen::of(local::source::snapshot(path)?), &store)?;
                if !store.state().topics.is_empty() {
                    let text =
                        "a snapshot tells no topic ids: what earlier runs have done is left out";
                    looked.notes.push(Note::new(text));
                }
                Ok(looked)
            }
            Source::Live(servers) => {
                let (client, notes) = live::kafka(servers).await?;
                let seen = see(&client, notes, &asked, &store).await?;
                decided(asked, seen, &store)
            }
        }
    })?
}

/// Looks, and makes the changes that need no plan.
pub fn apply(asked: TopicsRun, servers: &Servers) -> Result<Applied, Error> {
    runtime::wait(async {
        let (store, lock) = RunRecordStore::open(asked.state.as_ref(), &asked.access).await?;
        lock.during(changed(asked, servers, store)).await
    })?
}

async fn changed(
    asked: TopicsRun,
    servers: &Servers,
    mut store: RunRecordStore,
) -> Result<Applied, Error> {
    let (client, notes) = live::kafka(servers).await?;
    let seen = see(&client, notes, &asked, &store).await?;
    let plan_wanted = asked.plan_wanted;
    let mut looked = decided(asked, seen, &store)?;
    let mut carrier = Carrier {
        client: &client,
        store: &mut store,
        state: looked.state.clone(),
        outcomes: Vec::new(),
        lost: None,
    };
    carrier.carry_out(&looked.decision, &looked.ids).await?;
    let outcomes = carrier.outcomes;
    if plan_wanted || !looked.assignments.is_empty() {
        // A plan needs the whole new state of the cluster: all configs, and the new partitions.
        looked.snapshot = completed(live::captured(&client).await?.snapshot, looked.pods.as_ref())?;
    }
    Ok(Applied { looked, outcomes, requests_sent: client.changes_sent() })
}

async fn see(
    client: &kafka::Client,
    notes: Vec<Note>,
    asked: &TopicsRun,
    store: &RunRecordStore,
) -> Result<Seen, Error> {
    let mut seen = Seen::ask(client, &asked.definitions, store.state()).await?;
    seen.notes.splice(0..0, notes);
    Ok(seen)
}

fn decided(asked: TopicsRun, seen: Seen, store: &RunRecordStore) -> Result<TopicsLook, Error> {
    let TopicsRun { definitions, replicas, maps, pods, mut options, .. } = asked;
    let (place, documents) = (asked.state, asked.documents);
    let Seen { snapshot, ids, configs_untold, end_offsets, mut notes } = seen;
    let place = place.map_or_else(|| "none".to_owned(), |place| place.to_string());
    refuse_other_cluster(store.state(), &place, &snapshot)?;
    refuse_idle_patterns(&options, &definitions, store.state())?;
    let snapshot = completed(snapshot, pods.as_ref())?;
    let mut resolved = maps.resolve_with(&snapshot, definitions.names());
    // In a new cluster, the first topics of a map may be defined later than those of others.
    let waiting = resolved.let_maps_wait(maps.set());
    notes.extend(waiting.into_iter().map(waits_for_topics));
    let (decision, assignments, state, prune_refused);
    {
        let topics: Vec<Mapped<'_>> =
            within(&definitions, maps.set(), &resolved, &snapshot).map_err(Error::Definitions)?;
        resolved.assignments()?;
        let counted = Documents::of(&definitions, store, documents)?;
        notes.extend(counted.note());
        prune_refused = options.prune.and_then(|_| counted.refuses_to_prune(store, &place));
        if prune_refused.is_some() {
            options.prune = None;
        }
        let mut after = store.state().held_against(&snapshot, &ids, &definitions);
        after.cluster_id = snapshot.cluster_id().map(str::to_owned).or(after.cluster_id);
        after.documents = counted.to_remember();
        let observed = Observed {
            snapshot: &snapshot,
            ids: &ids,
            configs_untold: &configs_untold,
            end_offsets: &end_offsets,
            replicas: &replicas,
            now: Timestamp::now().as_second(),
        };
        decision = decide(&definitions, &topics, &observed, &mut after, &options);
        assignments = decision.assignments(&topics);
        state = after;
    }
    let notices = resolved.of_severity(MapSeverity::Notice);
    notes.extend(notices.map(|finding| Note::new(finding.to_string())));
    let findings = resolved.findings;
    let covered = definitions.topics().filter(|topic| options.covers(&topic.name)).count();
    Ok(TopicsLook {
        definitions,
        snapshot,
        decision,
        covered,
        assignments,
        pods,
        findings,
        notes,
        prune_refused,
        state,
        ids,
    })
}

fn waits_for_topics(finding: MapFinding) -> Note {
    Note {
        text: format!("{finding}; the run goes on without it"),
        hint: Some("define its first topic, or correct its pattern".to_owned()),
    }
}

/// Adds the facts of Kubernetes about brokers to the snapshot.
fn completed(snapshot: Snapshot, pods: Option<&Pods>) -> Result<Snapshot, Error> {
    let Some(pods) = pods else { return Ok(snapshot) };
    pods.refuse_errors()?;
    pods.complete(snapshot)
}

/// Refuses a pattern of `--only` that matches no topic, neither a defined one nor one of an earlier run.
fn refuse_idle_patterns(
    options: &Options,
    definitions: &Definitions,
    state: &TopicsRunRecord,
) -> Result<(), Error> {
    if options.only.is_empty() {
        return Ok(());
    }
    let defined = definitions.names();
    let names: BTreeSet<&str> =
        defined.iter().chain(state.topics.keys()).map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().collect();
    Scope { include: options.only.clone(), exclude: Vec::new() }.select(&names)?;
    Ok(())
}

fn refuse_other_cluster(
    state: &TopicsRunRecord,
    place: &str,
    snapshot: &Snapshot,
) -> Result<(), Error> {
    match (&state.cluster_id, snapshot.cluster_id()) {
        (Some(state), Some(found)) if state != found => Err(Error::OtherState {
            place: place.to_owned(),
            state: state.clone(),
            found: found.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The number of documents now, and in earlier runs.
struct Documents {
    found: usize,
    remembered: usize,
    /// The operator confirmed the number.
    confirmed: bool,
}

impl Documents {
    fn of(
        definitions: &Definitions,
        store: &RunRecordStore,
        expected: Option<usize>,
    ) -> Result<Self, Error> {
        let (found, remembered) = (definitions.documents(), store.state().documents);
        match expected {
            Some(expected) if expected != found => {
                let text = counted(found, "document");
                Err(local::Error::Flags(format!("--expect-documents {expected}: there is {text}"))
                    .into())
            }
            _ => Ok(Self { found, remembered, confirmed: expected.is_some() }),
        }
    }

    fn are_fewer(&self) -> bool {
        self.found < self.remembered && !self.confirmed
    }

    /// The number to record: the largest of all runs, unless the operator confirmed another one.
    fn to_remember(&self) -> usize {
        if self.confirmed { self.found } else { self.found.max(self.remembered) }
    }

    fn note(&self) -> Option<Note> {
        self.are_fewer().then(|| Note {
            text: format!(
                "{} found, and an earlier run read {}: what the others define stays as it is",
                counted(self.found, "document"),
                self.remembered
            ),
            hint: Some(format!("if that is meant, say --expect-documents {}", self.found)),
        })
    }

    fn refuses_to_prune(&self, store: &RunRecordStore, place: &str) -> Option<String> {
        if self.found == 0 {
            Some("there is no document: every topic would count as not defined".to_owned())
        } else if self.are_fewer() {
            let (found, before) = (self.found, self.remembered);
            Some(format!("there are fewer documents ({found}) than an earlier run read ({before})"))
        } else if *store.state() == TopicsRunRecord::default() {
            Some(format!("nothing is remembered in {place}, so no topic is known to be ours"))
        } else {
            None
        }
    }
}
