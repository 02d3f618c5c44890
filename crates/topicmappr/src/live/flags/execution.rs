//! Flags of the commands that carry plans out.

use ::kubernetes::Name;
use ::kubernetes::lease::lease_name;
use operate::cluster::ClaimBy;
use operate::execution::ExecutionFiles;
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
    lease: Option<Name>,
    /// Claim the cluster in its topic __mappr_state
    ///
    /// The first use creates the topic. The claim keeps out executors on other machines. If one is running, the exit
    /// code is 7. This is the default outside of a pod, without --zookeeper and --lease.
    #[arg(long)]
    state_topic: bool,
    /// Claim nothing: no executor on another machine uses this cluster
    ///
    /// No topic is created.
    #[arg(long, conflicts_with = "state_topic")]
    sole_executor: bool,
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
    pub(crate) fn by(&self) -> ClaimBy {
        match &self.lease {
            _ if self.sole_executor => ClaimBy::Nothing,
            _ if self.state_topic => ClaimBy::Topic,
            Some(name) => ClaimBy::Lease(name.clone()),
            None => ClaimBy::Default,
        }
    }
}

impl BesideArgs {
    /// The same place as the flags of an executor.
    pub(crate) fn claim(&self) -> ClaimBy {
        self.lease.clone().map_or(ClaimBy::Default, ClaimBy::Lease)
    }
}

impl ExecutionArgs {
    /// The same flags for another plan of the cluster, whose journal is next to that plan.
    pub(crate) fn on(&self, plan: &Path, ledger: &Path) -> Self {
        let (plan, state_file) = (plan.to_owned(), Some(ledger.to_owned()));
        Self { plan, journal: None, state_file, cluster_id: self.cluster_id.clone() }
    }

    /// The files, in plain values.
    pub(crate) fn files(&self) -> ExecutionFiles {
        ExecutionFiles {
            plan: self.plan.clone(),
            journal: self.journal.clone(),
            ledger: self.state_file.clone(),
            cluster_id: self.cluster_id.clone(),
        }
    }
}
