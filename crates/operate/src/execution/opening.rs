//! The way in that every command on an execution takes: the plan, the cluster that it is meant for, and the files.

use super::places::{journal_of, read_plan};
use super::{Execution, Places, Terms};
use crate::error::Error;
use crate::events::RunContext;
use crate::live;
use mapper::Plan;
use std::path::PathBuf;

/// The plan, and the files of its execution, as they were named.
#[derive(Debug, Clone)]
pub struct ExecutionFiles {
    /// The plan.
    pub plan: PathBuf,
    /// By default beside the plan.
    pub journal: Option<PathBuf>,
    /// By default beside the journal.
    pub ledger: Option<PathBuf>,
    /// The cluster, if the plan does not say which it is for.
    pub cluster_id: Option<String>,
}

/// A plan that is meant for this cluster.
pub struct Meant {
    /// Every submission is a move of its own.
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

    /// The cluster's id, if the plan is meant for it.
    fn cluster_id(&self, plan: &Plan, found: Option<String>) -> Result<String, Error> {
        let found = found.ok_or_else(|| {
            Error::Flags(
                "the cluster does not tell its id: it is older than Kafka 0.10.1".to_owned(),
            )
        })?;
        let meant = plan.cluster_id.as_ref().or(self.cluster_id.as_ref());
        let both = plan.cluster_id.iter().chain(&self.cluster_id);
        match both.into_iter().find(|id| **id != found) {
            Some(other) => Err(Error::OtherCluster { plan: other.clone(), found }),
            None if meant.is_none() => Err(Error::NoClusterId { found }),
            None => Ok(found),
        }
    }

    /// Where journal and ledger are.
    fn places(&self, cluster_id: &str) -> Places {
        let (journal, ledger) = (self.journal.as_deref(), self.ledger.as_deref());
        Places::of(&self.plan, journal, ledger, cluster_id)
    }
}

/// A plan, and a way into its cluster. Nothing is taken or written yet.
pub struct Opened {
    /// Connection to the plan's cluster.
    pub client: kafka::Client,
    /// Every submission is a move of its own.
    pub plan: Plan,
    /// SHA-256 of the plan as this program writes it, before legs are cut.
    pub plan_id: String,
    /// The cluster's id, as Kafka reports it.
    pub cluster_id: String,
    /// Paths of the journal and the ledger.
    pub places: Places,
}

impl Opened {
    /// Connects; refuses any cluster but the plan's.
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

    /// The execution, for this process alone; or only a look at what it would do.
    pub fn execution(&self, terms: Terms, dry_run: bool) -> Result<Execution<'_>, Error> {
        match dry_run {
            true => Execution::rehearse(self, terms),
            false => Execution::open(self, terms),
        }
    }
}
