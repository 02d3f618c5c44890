//! Explains an error to scripts and to operators: its code, its exit status, and the next step.
//!
//! Each table names every variant: a new error does not compile until all three are decided here.

use super::Error;
use crate::status::Status;
use coordination::{LinesError, LinesKind, NotOurLine};

impl Error {
    /// A stable code, by which scripts tell errors apart.
    pub fn code(&self) -> &'static str {
        self.code_and_status().0
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        self.code_and_status().1
    }

    fn code_and_status(&self) -> (&'static str, Status) {
        match self {
            Self::Local(error) => (error.code(), error.status()),
            Self::Lines(LinesError::File(error)) => (error.code(), error.status()),
            Self::Lines(LinesError::NotStored { .. }) => ("write-failed", Status::Outside),
            Self::NoClusterId { .. } => ("cluster-id", Status::BadInput),
            Self::OtherPlan { .. } | Self::Lines(LinesError::Refused { .. }) => {
                ("journal", Status::BadInput)
            }
            Self::Record { .. } => ("journal", Status::Outside),
            Self::Lines(LinesError::Locked { .. })
            | Self::HeldBy { .. }
            | Self::Held(_)
            | Self::OtherRecord { .. }
            | Self::LockLost { .. } => ("held", Status::Held),
            Self::NoDaemon { .. } => ("no-autothrottle", Status::NoPlan),
            Self::BrokersLost { .. } => ("broker-lost", Status::Partly),
            Self::WouldBeUnavailable { .. } => ("unavailable", Status::NoPlan),
            Self::NoQuorum => ("no-quorum", Status::NoPlan),
            Self::StaticQuorum => ("static-quorum", Status::NoPlan),
            Self::Voters(_) => ("voters", Status::NoPlan),
            Self::NoListeners { .. } => ("listeners", Status::Outside),
            Self::Definitions(_) => ("definitions", Status::BadInput),
            Self::State { .. } | Self::OtherState { .. } => ("state", Status::BadInput),
            Self::Kafka(error) => match **error {
                kafka::Error::Config(_) => ("kafka", Status::BadInput),
                _ => ("kafka", Status::Outside),
            },
            Self::Claim(error) => match **error {
                statelog::Error::Lost(_) => ("claim", Status::Held),
                _ => ("claim", Status::Outside),
            },
            Self::Silent { .. } => ("claim", Status::Outside),
            Self::ZooKeeper(error) => match **error {
                // Most likely the operator mistyped the chroot.
                zookeeper::Error::NoKafka { .. } | zookeeper::Error::Kraft { .. } => {
                    ("zookeeper", Status::BadInput)
                }
                _ => ("zookeeper", Status::Outside),
            },
            Self::Kubernetes(error) => match **error {
                kubernetes::Error::NoConfig
                | kubernetes::Error::BadConfig { .. }
                | kubernetes::Error::NotFound { .. } => ("kubernetes", Status::BadInput),
                kubernetes::Error::Strimzi { .. } => ("strimzi", Status::NoPlan),
                _ => ("kubernetes", Status::Outside),
            },
            Self::LockRights(_) => ("kubernetes", Status::Outside),
            Self::Pods(_) | Self::Contradiction { .. } => ("pods", Status::BadInput),
            Self::NoIdentity { .. } => ("identity", Status::BadInput),
            Self::Changed { .. } => ("changed", Status::NoPlan),
            Self::Unproven { .. } | Self::NoAnswer { .. } => ("no-answer", Status::Outside),
            Self::Runtime(_) => ("runtime", Status::Outside),
        }
    }

    /// What to do next; `None` where the message is enough.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Local(error) => return error.hint().map(str::to_owned),
            Self::Lines(LinesError::File(error)) => return error.hint().map(str::to_owned),
            Self::State { .. } => BROKEN_STATE,
            Self::OtherState { .. } => "name this cluster's own state with --state FILE",
            Self::Held(_) => "wait for it to end; a run that was killed holds nothing",
            Self::Pods(_) => "topicmappr maps resolve shows which pod is which broker",
            Self::NoIdentity { .. } => NO_IDENTITY,
            Self::Unproven { .. } | Self::NoAnswer { .. } => KEEP_IT_DOWN,
            Self::Changed { .. } => CHANGED,
            Self::OtherPlan { .. } => "name the plan's own journal with --journal FILE",
            Self::Lines(LinesError::Locked { .. }) | Self::HeldBy { .. } => END_IT_FIRST,
            Self::OtherRecord { .. } => "look again: the same command reads what is there now",
            Self::LockLost { .. } => "see what the other run has done, then go on with --resume",
            Self::NoDaemon { .. } => NO_DAEMON,
            Self::BrokersLost { .. } => "cancel takes back what is in flight, --resume goes on",
            Self::WouldBeUnavailable { .. } => UNAVAILABLE,
            Self::NoQuorum => NO_QUORUM,
            Self::StaticQuorum => STATIC_QUORUM,
            Self::NoListeners { .. } => NO_LISTENERS,
            Self::Voters(refusal) => return Some(refusal.hint()),
            Self::Lines(LinesError::Refused { kind, why, .. }) => match why {
                NotOurLine::Newer { .. } => "use the version of the program that has written it",
                NotOurLine::Foreign { .. } => not_our_lines(*kind),
                NotOurLine::Broken { .. } => broken_line(*kind),
            },
            Self::Lines(LinesError::NotStored { kind, .. }) => not_stored(*kind),
            Self::NoClusterId { found } => {
                return Some(format!("if it is meant for this one, say so: --cluster-id {found}"));
            }
            Self::Kafka(error) => return error.hint(),
            Self::Claim(error) => return error.hint(),
            Self::ZooKeeper(error) => return error.hint(),
            Self::Kubernetes(error) => return error.hint(),
            Self::LockRights(error) => return lock_rights(error),
            Self::Record { .. }
            | Self::Definitions(_)
            | Self::Contradiction { .. }
            | Self::Silent { .. }
            | Self::Runtime(_) => return None,
        };
        Some(hint.to_owned())
    }
}

const BROKEN_STATE: &str = "correct it, or begin anew with another --state: nothing is owned then";
const NO_IDENTITY: &str = "say it by annotation, label or KAFKA_BROKER_ID on the pod, or see --identity and --broker-id-base";
const KEEP_IT_DOWN: &str = "keep the broker down until Kafka answers; a cluster that has never run needs --bootstrap-new-cluster";
const CHANGED: &str = "run the same command with --dry-run: it looks at broker and pod again; once the broker is back, the \
                       command paces what it copies, puts the throttle back, and deletes nothing";
const END_IT_FIRST: &str =
    "end that process first (SIGTERM: its moves go on), and run this with --resume";
const NO_DAEMON: &str = "start autothrottle in this cluster, name its API with --autothrottle URL, or give a rate: --throttle 50MB/s";
const NO_QUORUM: &str = "roll --zookeeper restarts ZooKeeper servers";
const STATIC_QUORUM: &str = "Kafka 4.1 and later make it dynamic: kafka-features.sh --bootstrap-server HOST:PORT upgrade --feature \
                             kraft.version=1. Before that, change controller.quorum.voters of all nodes and restart them: roll";
const NO_LISTENERS: &str = "run this where the controllers can be reached, with --controller-config for their listener; or name the \
                            listener: --endpoint CONTROLLER://HOST:PORT";
const UNAVAILABLE: &str = "give them more replicas than min.insync.replicas (topicmappr rebuild --replication N), or accept it \
                           with --allow-unavailable";

fn not_our_lines(kind: LinesKind) -> &'static str {
    match kind {
        LinesKind::Ledger => {
            "name a new file with --state-file FILE, or one that this program has written. A state file is autothrottle's: \
             start that daemon again, and it restores what it has set"
        }
        LinesKind::Journal => {
            "name a new file with --journal FILE, or one that this program has written"
        }
        LinesKind::Requests => {
            "move it away: the file beside a ledger that ends in .asked is for requests"
        }
        LinesKind::Records => {
            "name a new file with --state-file FILE, or one that this version of autothrottle has written. If an earlier \
             one wrote this file, start that one again and end it while nothing moves: it restores the original values"
        }
    }
}

/// An operator may remove only a journal: the ledger alone has the original values.
fn broken_line(kind: LinesKind) -> &'static str {
    match kind {
        LinesKind::Journal => {
            "a lost journal loses only history: move it away, and run this with --resume"
        }
        LinesKind::Ledger | LinesKind::Records => {
            "keep this file: its lines name the values that stood in the cluster before. Copy it away, look at \
             topicmappr throttle show (without this file), put those values back by hand, and start with a new --state-file"
        }
        LinesKind::Requests => "move it away: it has nothing but requests for another rate",
    }
}

fn not_stored(kind: LinesKind) -> &'static str {
    match kind {
        LinesKind::Journal | LinesKind::Ledger => {
            "make room on that disk, then start again, an execution with --resume; keep the file: its lines are whole. \
             topicmappr throttle show lists what is set, throttle clear puts it back"
        }
        LinesKind::Records => {
            "make room on that disk, and start the daemon again unless it still runs; keep the file: its lines are \
             whole, and nothing else has the original values"
        }
        LinesKind::Requests => "make room on that disk, and ask again",
    }
}

fn lock_rights(error: &kubernetes::Error) -> Option<String> {
    match error {
        kubernetes::Error::Forbidden { request, .. } => Some(format!(
            "{}, as deploy/manifests/execute.yaml does for --lease kafka/topicmappr-execute; --sole-executor does without",
            request.grant()
        )),
        other => other.hint(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::PathBuf;

    #[test]
    fn a_refused_file_has_a_hint_and_a_ledger_is_never_thrown_away_by_it() {
        let path = || PathBuf::from("l");
        for kind in [LinesKind::Ledger, LinesKind::Records] {
            let refused = |why| Error::from(LinesError::Refused { path: path(), kind, why });
            let foreign = refused(NotOurLine::Foreign { seems: "text".to_owned() });
            let newer = refused(NotOurLine::Newer { version: 2 });
            for refused in [foreign, newer] {
                assert_eq!(refused.status(), Status::BadInput, "{refused}");
                assert!(refused.hint().is_some(), "{refused}");
            }
            let problem = "its checksum is another".to_owned();
            let broken = refused(NotOurLine::Broken { line: 3, problem });
            let problem = io::ErrorKind::StorageFull.into();
            let full = LinesError::NotStored { path: path(), kind, problem };
            for error in [broken, full.into()] {
                let hint = error.hint().unwrap();
                assert!(hint.to_lowercase().contains("keep th"), "{hint}");
                assert!(!hint.contains("only history") && !hint.contains("delete"), "{hint}");
            }
        }
    }
}
