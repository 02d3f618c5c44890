//! What an error is to scripts: its exit code, and its name.

use super::Error;
use crate::files::FileError;
use crate::status::Status;
use mapper::NoPlan;
use mapper::explain::ExplainError;

impl Error {
    /// The exit code.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Usage(error) if !error.use_stderr() => Status::Done,
            Self::NoPlan { why, .. } if matches!(**why, NoPlan::TooLarge { .. }) => {
                Status::BadInput
            }
            Self::NoPlan { .. }
            | Self::Broken(_)
            | Self::WouldErase(_)
            | Self::Returned { .. }
            | Self::Cordoned { .. }
            | Self::NotLost { .. }
            | Self::Changed { .. } => Status::NoPlan,
            Self::NoNumbers { .. } | Self::OddNumbers { .. } => Status::Outside,
            Self::NotUnregistered { .. }
            | Self::HoldsReplicas { .. }
            | Self::NotOnDelete { .. }
            | Self::WouldBeUnavailable { .. } => Status::NoPlan,
            Self::NotReloadable { .. } => Status::NoPlan,
            Self::Unproven { .. } | Self::NoAnswer { .. } => Status::Outside,
            Self::Held(_) | Self::LockLost { .. } => Status::Held,
            Self::Claim(error)
                if matches!(**error, statelog::Error::Held { .. } | statelog::Error::Lost(_)) =>
            {
                Status::Held
            }
            Self::Claim(_) | Self::Record { .. } => Status::Outside,
            Self::Kafka(error) if matches!(**error, kafka::Error::Config(_)) => Status::BadInput,
            // A mistyped chroot, most likely.
            Self::ZooKeeper(error) if matches!(**error, zookeeper::Error::NoKafka { .. }) => {
                Status::BadInput
            }
            Self::Kubernetes(error)
                if matches!(
                    **error,
                    kubernetes::Error::NoConfig
                        | kubernetes::Error::BadConfig { .. }
                        | kubernetes::Error::NotFound { .. }
                ) =>
            {
                Status::BadInput
            }
            Self::Kafka(_)
            | Self::Unanswered { .. }
            | Self::ZooKeeper(_)
            | Self::Kubernetes(_)
            | Self::LockRights(_)
            | Self::LeaseRights(_)
            | Self::Runtime(_) => Status::Outside,
            Self::Stream(_) | Self::File(FileError::Write { .. }) | Self::NotStored { .. } => {
                Status::Outside
            }
            Self::Locked { .. }
            | Self::HeldBy { .. }
            | Self::DaemonHas { .. }
            | Self::OtherTools { .. } => Status::Held,
            Self::NothingPaced { .. } | Self::NoDaemon { .. } => Status::NoPlan,
            _ => Status::BadInput,
        }
    }

    /// What scripts tell errors apart by.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Layer { .. } | Self::Flag { .. } | Self::Flags(_) => "usage",
            Self::ConfigFile { .. } => "config",
            Self::NoSource | Self::TwoSources { .. } => "source",
            Self::File(FileError::Read { .. }) => "unreadable",
            Self::File(FileError::Unwritable { .. }) => "unwritable",
            Self::File(FileError::Write { .. }) | Self::NotStored { .. } => "write-failed",
            Self::Snapshot { .. } => "snapshot",
            Self::PlanFile { .. } | Self::NotOurs(_) | Self::OtherCluster { .. } => "plan-file",
            Self::Explain(ExplainError::OtherSnapshot { .. } | ExplainError::Request(_)) => {
                "snapshot"
            }
            Self::Explain(ExplainError::UnknownBroker(_)) => "brokers",
            Self::Explain(_) => "partition",
            Self::NoClusterId { .. } => "cluster-id",
            Self::JournalExists(_)
            | Self::OtherPlan { .. }
            | Self::BrokenLine { .. }
            | Self::NotOurLines { .. }
            | Self::NewerLines { .. }
            | Self::Record { .. } => "journal",
            Self::Locked { .. }
            | Self::HeldBy { .. }
            | Self::DaemonHas { .. }
            | Self::OtherTools { .. } => "held",
            Self::NoLedger | Self::NothingPaced { .. } => "ledger",
            Self::Returned { .. } => "returned",
            Self::Cordoned { .. } => "cordoned",
            Self::NoDaemon { .. } => "no-autothrottle",
            Self::NotAgreed => "not-agreed",
            Self::NotUnregistered { .. } | Self::HoldsReplicas { .. } => "not-unregistered",
            Self::NotReloadable { .. } => "not-reloadable",
            Self::NotOnDelete { .. } => "update-strategy",
            Self::WouldBeUnavailable { .. } => "unavailable",
            Self::Scope(_) => "topics",
            Self::Maps(_) | Self::MapFindings(_) | Self::UnknownMap { .. } => "maps",
            Self::UnknownBrokers { .. } => "brokers",
            Self::NoPlan { why, .. } if matches!(**why, NoPlan::TooLarge { .. }) => "too-large",
            Self::NoPlan { .. } => "no-plan",
            Self::Definitions(_) => "definitions",
            Self::State { .. } | Self::OtherState { .. } => "state",
            Self::Held(_) | Self::LockLost { .. } => "held",
            Self::Broken(_) => "broken-promise",
            Self::Kafka(_) | Self::Unanswered { .. } => "kafka",
            Self::Claim(_) => "claim",
            Self::NoNumbers { .. } | Self::OddNumbers { .. } => "metrics",
            Self::ZooKeeper(_) => "zookeeper",
            Self::Kubernetes(_) | Self::LockRights(_) | Self::LeaseRights(_) => "kubernetes",
            Self::Pods(_) | Self::Contradiction { .. } => "pods",
            Self::LogDir { .. } => "log-dir",
            Self::NoIdentity { .. } | Self::OthersDisk { .. } => "identity",
            Self::WouldErase(_) => "would-erase",
            Self::NotLost { .. } => "not-lost",
            Self::Changed { .. } => "changed",
            Self::Unproven { .. } | Self::NoAnswer { .. } => "no-answer",
            Self::Runtime(_) => "runtime",
            Self::Stream(_) => "stream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::PathBuf;

    #[test]
    fn a_failed_write_is_an_outside_failure_and_a_missing_folder_wrong_input() {
        let path = PathBuf::from("p");
        let failed =
            FileError::Write { path: path.clone(), problem: io::ErrorKind::StorageFull.into() };
        assert_eq!(Error::from(failed).status(), Status::Outside);
        let problem = "there is no folder".to_owned();
        let missing = FileError::Unwritable { path, problem };
        assert_eq!(Error::from(missing).status(), Status::BadInput);
    }
}
