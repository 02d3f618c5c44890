//! One run: definitions, lock, state, cluster, decision; and, if asked, the changes.

use super::carry::{Carrier, Outcome};
use super::observe::Seen;
use super::store::{StatePlace, Store};
use crate::cluster::{Servers, Source};
use crate::error::Error;
use crate::events::Note;
use crate::live;
use crate::maps::Maps;
use crate::pods::Pods;
use crate::runtime;
use crate::words::counted;
use ::kubernetes::Access;
use jiff::Timestamp;
use mapper::maps::{Finding, Severity};
use mapper::scope::Scope;
use mapper::{Assignment, Snapshot, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use topics::{Decision, Definitions, Mapped, Observed, Options, State, decide, within};

/// What a run is asked for.
#[derive(Debug)]
pub struct Asked {
    /// Topics, as the documents define them.
    pub definitions: Definitions,
    /// Maps, with the brokers that they name.
    pub maps: Maps,
    /// The broker pods, where anything is about them.
    pub pods: Option<Pods>,
    /// Which topics to cover, and whether to recreate or delete.
    pub options: Options,
    /// Where earlier runs recorded what they own.
    pub state: StatePlace,
    /// Where the state's ConfigMap is.
    pub access: Access,
    /// So many documents are right, though an earlier run read more.
    pub documents: Option<usize>,
    /// A plan is wanted, even if nothing has to move.
    pub plan_wanted: bool,
}

/// What was found, and what has to be done.
#[derive(Debug)]
pub struct Looked {
    /// Topics, as the documents define them.
    pub definitions: Definitions,
    /// The cluster; after [`apply`], as it is with the changes, if a plan has to be made.
    pub snapshot: Snapshot,
    /// What to create, grow, configure and delete.
    pub decision: Decision,
    /// How many of the defined topics the run is about.
    pub covered: usize,
    /// What a planner is asked for the topics that have to move.
    pub assignments: Vec<Assignment>,
    /// The broker pods, where anything is about them.
    pub pods: Option<Pods>,
    /// What resolving the maps found.
    pub findings: Vec<Finding>,
    /// Oddities for the operator that stop nothing.
    pub notes: Vec<Note>,
    /// Why nothing is deleted, though it was asked for.
    pub prune_refused: Option<String>,
    /// What is to be remembered.
    state: State,
    ids: BTreeMap<String, TopicId>,
}

/// A run that changed what it could.
#[derive(Debug)]
pub struct Applied {
    /// Definitions, cluster and decision that the changes follow from.
    pub looked: Looked,
    /// One for each change that was due, refused ones included.
    pub outcomes: Vec<Outcome>,
    /// Requests sent that change something.
    pub requests_sent: u64,
}

/// Looks, and changes nothing, not even what is remembered.
pub fn look(asked: Asked, source: &Source) -> Result<Looked, Error> {
    runtime::wait(async {
        let store = Store::read(&asked.state, &asked.access).await?;
        match source {
            Source::File(path) => {
                let mut looked = decided(asked, Seen::of(live::from_file(path)?), &store)?;
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

/// Looks, and changes what needs no plan.
pub fn apply(asked: Asked, servers: &Servers) -> Result<Applied, Error> {
    runtime::wait(async {
        let (store, lock) = Store::open(&asked.state, &asked.access).await?;
        lock.during(changed(asked, servers, store)).await
    })?
}

async fn changed(asked: Asked, servers: &Servers, mut store: Store) -> Result<Applied, Error> {
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
        // A plan is made from the whole of what there is now: all configs, and the partitions that are new.
        looked.snapshot = completed(live::captured(&client).await?.snapshot, looked.pods.as_ref())?;
    }
    Ok(Applied { looked, outcomes, requests_sent: client.changes_sent() })
}

async fn see(
    client: &kafka::Client,
    notes: Vec<Note>,
    asked: &Asked,
    store: &Store,
) -> Result<Seen, Error> {
    let mut seen = Seen::ask(client, &asked.definitions, store.state()).await?;
    seen.notes.splice(0..0, notes);
    Ok(seen)
}

fn decided(asked: Asked, seen: Seen, store: &Store) -> Result<Looked, Error> {
    let Asked { definitions, maps, pods, mut options, state: place, documents, .. } = asked;
    let Seen { snapshot, ids, configs_untold, end_offsets, mut notes } = seen;
    refuse_other_cluster(store.state(), &place, &snapshot)?;
    refuse_idle_patterns(&options, &definitions, store.state())?;
    let snapshot = completed(snapshot, pods.as_ref())?;
    let resolved = maps.resolve_with(&snapshot, definitions.names());
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
            now: Timestamp::now().as_second(),
        };
        decision = decide(&definitions, &topics, &observed, &mut after, &options);
        assignments = decision.assignments(&topics);
        state = after;
    }
    let notices = resolved.of_severity(Severity::Notice);
    notes.extend(notices.map(|finding| Note::new(finding.to_string())));
    let findings = resolved.findings;
    let covered = definitions.topics().filter(|topic| options.covers(&topic.name)).count();
    Ok(Looked {
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

/// The snapshot, with what Kubernetes knows of its brokers.
fn completed(snapshot: Snapshot, pods: Option<&Pods>) -> Result<Snapshot, Error> {
    let Some(pods) = pods else { return Ok(snapshot) };
    pods.refuse_errors()?;
    pods.complete(snapshot)
}

/// A pattern of `--only` that means no topic, neither defined now nor made by an earlier run, is a mistake.
fn refuse_idle_patterns(
    options: &Options,
    definitions: &Definitions,
    state: &State,
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
    state: &State,
    place: &StatePlace,
    snapshot: &Snapshot,
) -> Result<(), Error> {
    match (&state.cluster_id, snapshot.cluster_id()) {
        (Some(state), Some(found)) if state != found => Err(Error::OtherState {
            place: place.to_string(),
            state: state.clone(),
            found: found.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// How many documents there are, and were.
struct Documents {
    found: usize,
    remembered: usize,
    /// The operator says that it is right so.
    confirmed: bool,
}

impl Documents {
    fn of(
        definitions: &Definitions,
        store: &Store,
        expected: Option<usize>,
    ) -> Result<Self, Error> {
        let (found, remembered) = (definitions.documents(), store.state().documents);
        match expected {
            Some(expected) if expected != found => {
                let text = counted(found, "document");
                Err(Error::Flags(format!("--expect-documents {expected}: there is {text}")))
            }
            _ => Ok(Self { found, remembered, confirmed: expected.is_some() }),
        }
    }

    fn are_fewer(&self) -> bool {
        self.found < self.remembered && !self.confirmed
    }

    /// The most that any run has read, until the operator says otherwise.
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

    fn refuses_to_prune(&self, store: &Store, place: &StatePlace) -> Option<String> {
        if self.found == 0 {
            Some("there is no document: every topic would count as not defined".to_owned())
        } else if self.are_fewer() {
            let (found, before) = (self.found, self.remembered);
            Some(format!("there are fewer documents ({found}) than an earlier run read ({before})"))
        } else if *store.state() == State::default() {
            Some(format!("nothing is remembered in {place}, so no topic is known to be ours"))
        } else {
            None
        }
    }
}
