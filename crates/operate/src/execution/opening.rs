//! Opens the plan, its cluster and its files, for every command on an execution.

use super::places::{journal_of, read_plan};
use super::{Execution, Places};
use crate::error::Error;
use crate::events::RunContext;
use crate::live;
use coordination::{LinesFile, LinesKind};
use execute::{ExecutionHistory, ExecutionTerms, JournalEntry};
use mapper::Plan;
use std::path::PathBuf;

/// The plan and the files of its execution, as the operator named them.
#[derive(Debug, Clone)]
pub struct ExecutionFiles {
    /// The plan.
    pub plan: PathBuf,
    /// Default: next to the plan.
    pub journal: Option<PathBuf>,
    /// Default: next to the journal.
    pub ledger: Option<PathBuf>,
    /// The cluster id, for a plan that has none.
    pub cluster_id: Option<String>,
}

/// A plan with its hash and the path of its journal.
pub struct Meant {
    /// The plan, with each leg of a move as a move.
    pub plan: Plan,
    pub plan_id: String,
    pub journal: PathBuf,
}

impl ExecutionFiles {
    /// Reads the plan.
    pub fn plan(&self) -> Result<Meant, Error> {
        let (plan, plan_id) = read_plan(&self.plan)?;
        let journal = journal_of(&self.plan, self.journal.as_deref());
        let plan = execute::legs(&plan);
        Ok(Meant { plan, plan_id, journal })
    }

    /// The id of the cluster. Refuses a cluster that the plan is not for.
    fn cluster_id(&self, plan: &Plan, found: Option<String>) -> Result<String, Error> {
        let found = found.ok_or_else(|| {
            local::Error::Flags(
                "the cluster does not tell its id: it is older than Kafka 0.10.1".to_owned(),
            )
        })?;
        let meant = plan.cluster_id.as_ref().or(self.cluster_id.as_ref());
        let both = plan.cluster_id.iter().chain(&self.cluster_id);
        match both.into_iter().find(|id| **id != found) {
            Some(other) => Err(local::Error::OtherCluster { plan: other.clone(), found }.into()),
            None if meant.is_none() => Err(Error::NoClusterId { found }),
            None => Ok(found),
        }
    }

    /// The paths of the journal and the ledger.
    fn places(&self, cluster_id: &str) -> Places {
        let (journal, ledger) = (self.journal.as_deref(), self.ledger.as_deref());
        Places::of(&self.plan, journal, ledger, cluster_id)
    }
}

/// A plan and a connection to its cluster. Nothing is locked or written yet.
pub struct Opened {
    /// Connection to the plan's cluster.
    pub client: kafka::Client,
    /// The plan, with each leg of a move as a move.
    pub plan: Plan,
    /// SHA-256 of the plan as this program writes it, before legs are cut.
    pub plan_id: String,
    /// The cluster's id, as Kafka reports it.
    pub cluster_id: String,
    /// Paths of the journal and the ledger.
    pub places: Places,
}

impl Opened {
    /// The history in the journal of the plan.
    pub fn history(&self) -> Result<ExecutionHistory, Error> {
        self.history_of(LinesFile::read(&self.places.journal, LinesKind::Journal)?)
    }

    /// The history of these journal lines, if they belong to this plan.
    pub(super) fn history_of(&self, lines: Vec<JournalEntry>) -> Result<ExecutionHistory, Error> {
        let history = ExecutionHistory::replay(lines);
        match &history.plan {
            Some(other) if *other != self.plan_id => {
                let (path, plan) = (self.places.journal.clone(), other.clone());
                Err(Error::OtherPlan { path, plan })
            }
            _ => Ok(history),
        }
    }

    /// Connects to the cluster; refuses any cluster but the plan's.
    pub async fn of(
        files: &ExecutionFiles,
        meant: Meant,
        context: &mut RunContext<'_>,
    ) -> Result<Self, Error> {
        let access = &context.access;
        let properties = access.properties.as_deref();
        let (client, notes) = live::client(&access.bootstrap, properties).await?;
        notes.iter().try_for_each(|note| context.note(note))?;
        let Meant { plan, plan_id, .. } = meant;
        let cluster_id = files.cluster_id(&plan, client.cluster().id.clone())?;
        let places = files.places(&cluster_id);
        Ok(Self { client, plan, plan_id, cluster_id, places })
    }

    /// The execution: locked by this process, or a preview (`dry_run`).
    pub fn execution(&self, terms: ExecutionTerms, dry_run: bool) -> Result<Execution<'_>, Error> {
        match dry_run {
            true => Execution::rehearse(self, terms),
            false => Execution::open(self, terms),
        }
    }
}
