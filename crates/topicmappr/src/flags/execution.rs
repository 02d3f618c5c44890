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
    /// The plan file (.json, .json.gz)
    plan: PathBuf,
    /// Keep the journal of the execution in this file [default: PLAN.journal]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Keep the ledger of the cluster in this file
    ///
    /// The ledger lists what executions have set in the cluster. Each cluster has one. Default:
    /// topicmappr-CLUSTER_ID.ledger next to the journal.
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// Set the cluster's id if the plan does not contain it
    #[arg(long, value_name = "ID")]
    cluster_id: Option<String>,
}

/// How an execution keeps out executors on other machines. Default: in ZooKeeper with --zookeeper; in a pod by a
/// Lease; else in the topic __mappr_state, which the first use creates.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClaimArgs {
    /// Claim the cluster with this Kubernetes Lease
    ///
    /// Default in a pod: mappr-cluster-HASH in the pod's namespace. The command roll uses the same Lease.
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = lease_name, conflicts_with_all = ["state_topic", "sole_executor"])]
    pub(crate) lease: Option<Name>,
    /// Claim the cluster in its topic __mappr_state
    ///
    /// The first use creates the topic. The claim keeps out executors on other machines. If one is running, the exit
    /// code is 7. This is the default outside of a pod, without --zookeeper and --lease.
    #[arg(long)]
    pub(crate) state_topic: bool,
    /// Claim nothing: no executor on another machine uses this cluster
    ///
    /// No topic is created.
    #[arg(long, conflicts_with = "state_topic")]
    pub(crate) sole_executor: bool,
}

/// Where to find an execution of another machine, if this machine has no journal of it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BesideArgs {
    /// Look for the execution under this Kubernetes Lease
    ///
    /// If this machine has no journal, journal and ledger are read from the records next to the Lease. The Lease
    /// itself does not change. Default in a pod: mappr-cluster-HASH in the pod's namespace.
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = lease_name)]
    lease: Option<Name>,
}

impl ClaimArgs {
    /// The flags if the operator names no place.
    pub(crate) const fn unnamed() -> Self {
        Self { lease: None, state_topic: false, sole_executor: false }
    }
}

impl BesideArgs {
    /// The same place as the flags of an executor.
    pub(crate) fn claim(&self) -> ClaimArgs {
        ClaimArgs { lease: self.lease.clone(), ..ClaimArgs::unnamed() }
    }
}

/// A plan that is meant for this cluster.
pub(crate) struct Meant {
    /// Each submission is a separate move.
    pub(crate) plan: Plan,
    pub(crate) plan_id: String,
    pub(crate) journal: PathBuf,
}

impl ExecutionArgs {
    /// The same flags for another plan of the cluster, whose journal is next to that plan.
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
