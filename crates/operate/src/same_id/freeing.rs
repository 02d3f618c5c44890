//! Frees the pod of a lost broker. Every fact that justifies a deletion is read again right before it.
//!
//! A deletion cannot be undone, and a broker may return while the operator reads the question. So before each
//! deletion, cluster and pod must be as they were when the operator agreed. The API server deletes only the very
//! object that was seen.

use crate::error::Error;
use crate::events::{Note, RunContext};
use crate::execution::Alone;
use crate::pods::Search;
use ::kubernetes::Deleted;
use ::kubernetes::fate::{Fate, Return, Step};
use health::would_erase;
use kafka::{Client, Standing, Unsettled};
use mapper::{BrokerId, counted};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The time limit for the brokers' answers to agree, and the pause between two attempts.
const SETTLES: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_secs(1);
/// The time limit for a broker that counts as dead to answer. A lost machine does not refuse a connection but stays
/// silent, so every look takes this long.
const ANSWERS: Duration = Duration::from_secs(2);
/// Attempts to delete a node. A node's object may change for other reasons; the API server then refuses the deletion,
/// and everything is checked again.
const ATTEMPTS: usize = 3;

/// The deletions that the operator agreed to.
#[derive(Debug)]
pub struct Freeing {
    /// Id of the lost broker.
    pub broker: BrokerId,
    /// Its pod, and the objects to delete.
    pub back: Return,
    /// The search that finds pod and node again before each deletion.
    pub search: Search,
    /// How long a node must have been silent to count as lost.
    pub lost_for: Duration,
}

/// The result of the deletions.
#[derive(Debug)]
pub enum Freed {
    Yes,
    /// The broker returned by itself before any deletion.
    Back(String),
}

/// Why a deletion is no longer justified.
enum Void {
    /// The broker has returned.
    Back(String),
    Changed(String),
}

impl Freeing {
    /// # Errors
    /// [`Error::Changed`] if the pod may not be freed any more.
    pub async fn is_justified(&self, client: &Client) -> Result<(), Error> {
        match self.look(client, 0).await? {
            Ok(_) => Ok(()),
            Err(Void::Back(what) | Void::Changed(what)) => {
                Err(Error::Changed { what, deleted: Vec::new() })
            }
        }
    }

    /// Makes the deletions.
    ///
    /// # Errors
    /// [`Error::Changed`] as soon as a fact differs from what the operator agreed to; also any error that hides a
    /// fact.
    pub async fn free(
        &self,
        client: &Client,
        alone: &mut Alone,
        context: &mut RunContext<'_>,
    ) -> Result<Freed, Error> {
        let mut done: Vec<String> = Vec::new();
        for (index, step) in self.back.steps.iter().enumerate() {
            match self.carry_out(step, index, client, alone).await? {
                Ok(()) => {}
                Err(Void::Back(what)) if done.is_empty() => return Ok(Freed::Back(what)),
                Err(Void::Back(what) | Void::Changed(what)) => {
                    return Err(Error::Changed { what, deleted: done });
                }
            }
            context.note(&Note::new(format!("deleted {step}")))?;
            done.push(format!("deleting {step}"));
        }
        Ok(Freed::Yes)
    }

    /// Makes one deletion, right after a look.
    async fn carry_out(
        &self,
        step: &Step,
        index: usize,
        client: &Client,
        alone: &mut Alone,
    ) -> Result<Result<(), Void>, Error> {
        for _ in 0..ATTEMPTS {
            if !alone.may_act().await? {
                let what = "the claim on the cluster cannot be confirmed".to_owned();
                return Ok(Err(Void::Changed(what)));
            }
            let version = match self.look(client, index).await? {
                Ok(now) => version_of(step, &now),
                Err(void) => return Ok(Err(void)),
            };
            let kubernetes = self.search.connect().await?;
            match kubernetes.delete_seen(step, version.as_deref()).await? {
                Deleted::Yes | Deleted::Gone => return Ok(Ok(())),
                // The next look shows the new state.
                Deleted::Changed => {}
            }
        }
        Ok(Err(Void::Changed(format!("{step} keeps changing"))))
    }

    /// Checks everything again. The slow checks come first, to keep the time between the last check and the deletion
    /// short.
    async fn look(&self, client: &Client, next: usize) -> Result<Result<Return, Void>, Error> {
        if let Err(void) = self.absent(client).await? {
            return Ok(Err(void));
        }
        let time = self.search.connect().await?.server_time().await?;
        let now = self.search.fate(self.broker).await?;
        if let Some(what) = self.back.changed(&now, next) {
            return Ok(Err(Void::Changed(what)));
        }
        let Fate::Returns(now) = now else {
            return Ok(Err(Void::Changed(format!(
                "pod {} does not exist any more",
                self.back.pod
            ))));
        };
        if let Some(why) = now.not_lost(time, self.lost_for) {
            return Ok(Err(Void::Changed(why.to_string())));
        }
        let cluster = client.describe_cluster().await?;
        Ok(match cluster.live().any(|id| id == self.broker) {
            true => Err(registered(self.broker)),
            false => Ok(now),
        })
    }

    /// Checks that the broker is not in the cluster, does not answer, and is not the only one with any data.
    async fn absent(&self, client: &Client) -> Result<Result<(), Void>, Error> {
        let moving = client.reassignments().await?;
        if let Some(of) = moving.keys().next() {
            return Ok(Err(Void::Changed(format!("{of} is being reassigned"))));
        }
        let began = Instant::now();
        let snapshot = loop {
            match kafka::standing(client, self.broker).await? {
                Standing::Settled(snapshot) => break snapshot,
                Standing::Unsettled(Unsettled::Live(broker)) => {
                    return Ok(Err(registered(broker)));
                }
                Standing::Unsettled(why) if began.elapsed() < SETTLES => {
                    tracing::info!(%why, "asking again");
                    tokio::time::sleep(PAUSE).await;
                }
                Standing::Unsettled(why) => {
                    return Ok(Err(Void::Changed(why.to_string())));
                }
            }
        };
        let erased = would_erase(&snapshot, self.broker, &BTreeSet::new());
        let problem = |untold: health::UnknownErasure| Error::Unproven {
            broker: self.broker,
            problem: untold.to_string(),
        };
        let erased = erased.map_err(problem)?;
        if let Some(first) = erased.first() {
            let (count, of) = (erased.len(), &first.partition);
            let what = format!(
                "only broker {} has the last records of {}, {of} for one",
                self.broker,
                counted(count, "partition")
            );
            return Ok(Err(Void::Changed(what)));
        }
        Ok(match client.answers_unlisted(self.broker, ANSWERS).await {
            Some(address) => {
                let what = format!(
                    "broker {} answers at {address}, although the cluster does not count it as live",
                    self.broker
                );
                Err(Void::Changed(what))
            }
            None => Ok(()),
        })
    }
}

fn registered(broker: BrokerId) -> Void {
    Void::Back(format!("broker {broker} is registered again"))
}

/// For a node: the version of the object that was just found silent. A new report of the node changes the version.
fn version_of(step: &Step, now: &Return) -> Option<String> {
    match step {
        Step::Node { node, .. } => now.nodes.get(node).map(|node| node.version.clone()),
        Step::Claim { .. } | Step::Pod { .. } => None,
    }
}
