//! Flags of the commands that carry plans out.

use crate::error::Error;
use crate::executing::{Places, journal_of, read_plan};
use ::kubernetes::Name;
use ::kubernetes::lease::lease_name;
use mapper::Plan;
use std::path::{Path, PathBuf};

/// The plan, and the files of its execution.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ExecutionArgs {
    /// The plan (.json, .json.gz)
    plan: PathBuf,
    /// File of what was done [default: PLAN.journal]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// File of what is set in the cluster, one for each cluster [default: topicmappr-CLUSTER_ID.ledger beside the
    /// journal]
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// The cluster, if the plan does not say which it is for
    #[arg(long, value_name = "ID")]
    cluster_id: Option<String>,
}

/// How executors on other machines are kept out. By default: in ZooKeeper with --zookeeper, by a Lease in a pod, else in
/// the topic __mappr_state, which is made on first use.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClaimArgs {
    /// Claims the cluster by this Lease of Kubernetes [default in a pod: mappr-cluster-HASH in its namespace, as roll does]
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = lease_name, conflicts_with_all = ["state_topic", "sole_executor"])]
    pub(crate) lease: Option<Name>,
    /// Claims the cluster in its topic __mappr_state, which is made on first use, so that no executor on another machine
    /// acts beside this one; exit code 7 if one does [default without --zookeeper and --lease, outside of a pod]
    #[arg(long)]
    pub(crate) state_topic: bool,
    /// Says that no executor on another machine works on this cluster: nothing is claimed, and no topic is made
    #[arg(long, conflicts_with = "state_topic")]
    pub(crate) sole_executor: bool,
}

/// Where to look for an execution of another machine, if this one has no journal of it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BesideArgs {
    /// Lease of Kubernetes that the execution holds: where this machine has no journal, journal and ledger are read from
    /// beside it, and it is left alone [default in a pod: mappr-cluster-HASH in its namespace]
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = lease_name)]
    lease: Option<Name>,
}

impl ClaimArgs {
    /// Where nobody names a place.
    pub(crate) const fn unnamed() -> Self {
        Self { lease: None, state_topic: false, sole_executor: false }
    }
}

impl BesideArgs {
    /// As executors are told of the place.
    pub(crate) fn claim(&self) -> ClaimArgs {
        ClaimArgs { lease: self.lease.clone(), ..ClaimArgs::unnamed() }
    }
}

/// A plan that is meant for this cluster.
pub(crate) struct Meant {
    /// Every submission is a move of its own.
    pub(crate) plan: Plan,
    pub(crate) plan_id: String,
    pub(crate) journal: PathBuf,
}

impl ExecutionArgs {
    /// The same for another plan of the same cluster, with its own journal beside it.
    pub(crate) fn on(&self, plan: &Path, ledger: &Path) -> Self {
        let (plan, state_file) = (plan.to_owned(), Some(ledger.to_owned()));
        Self { plan, journal: None, state_file, cluster_id: self.cluster_id.clone() }
    }

    /// Reads the plan.
    pub(crate) fn plan(&self) -> Result<Meant, Error> {
        let (plan, plan_id) = read_plan(&self.plan)?;
        let journal = journal_of(&self.plan, self.journal.as_deref());
        let plan = execute::legs(&plan);
        Ok(Meant { plan, plan_id, journal })
    }

    /// The cluster's id, if the plan is meant for it.
    pub(crate) fn cluster_id(&self, plan: &Plan, found: Option<String>) -> Result<String, Error> {
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
    pub(crate) fn places(&self, cluster_id: &str) -> Places {
        let (journal, ledger) = (self.journal.as_deref(), self.state_file.as_deref());
        Places::of(&self.plan, journal, ledger, cluster_id)
    }
}
