//! What to do about an error, where that is not plain.

use super::Error;
use super::words::{is_help, ranges};
use crate::executing::Kind;
use crate::files::FileError;
use crate::views::uncordon;
use clap::error::{ContextKind, ContextValue};
use mapper::explain::ExplainError;
use mapper::{BrokerId, NoPlan, Refusal, SnapshotError};
use std::collections::BTreeMap;

const NOT_LOST: &str = "wait for the machine; if it is gone for good, delete its Node object, or lower --lost-for for one \
                        that is silent";
const CHANGED: &str = "run the same command with --dry-run: it looks at broker and pod again; once the broker is back, the \
                       command paces what it copies, puts the throttle back, and deletes nothing";

impl Error {
    /// What to do about it, where that is not plain.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Usage(error) if is_help(error) => return None,
            Self::Usage(error) | Self::Layer { error, .. } => return clap_hint(error),
            Self::NoSource => "name it with --snapshot FILE or --bootstrap-server HOST:PORT",
            Self::TwoSources { .. } => "leave one of them out",
            Self::NotOurs(_) => "a plan of this program is what --out-file writes",
            Self::File(FileError::Write { .. }) => {
                "nothing was written; make room, or name another place"
            }
            Self::File(FileError::Unwritable { .. }) => {
                "nothing was planned or written; make the folder, or name another place"
            }
            Self::Snapshot { problem: SnapshotError::Version { .. }, .. } => {
                "read it with the version of topicmappr that wrote it, or newer"
            }
            Self::Snapshot { .. } => "capture it again: topicmappr snapshot --out-file FILE",
            Self::State { .. } => {
                "correct it, or begin anew with another --state: nothing is owned then"
            }
            Self::OtherState { .. } => "name this cluster's own state with --state FILE",
            Self::Held(_) => "wait for it to end; a run that was killed holds nothing",
            Self::UnknownMap { known, .. } => return Some(known_maps(known)),
            Self::UnknownBrokers { known, .. } => {
                let known: Vec<BrokerId> = known.iter().copied().collect();
                return Some(format!("the cluster knows {}", ranges(&known)));
            }
            Self::Explain(wrong) => return explain_hint(wrong),
            Self::Kafka(error) => return error.hint(),
            Self::Claim(error) => return error.hint(),
            Self::ZooKeeper(error) => return error.hint(),
            Self::Kubernetes(error) => return error.hint(),
            Self::LockRights(error) => return lock_rights_hint(error),
            Self::LeaseRights(error) => return lease_rights_hint(error),
            Self::Pods(_) => "topicmappr maps resolve shows which pod is which broker",
            Self::NoPlan { lost, .. } if lost.iter().any(|lost| lost.returns().is_some()) => {
                "free the pod of the lost broker: once it is back, there may be nothing to plan"
            }
            // What was tried is better advice than what might help.
            Self::NoPlan { clash: Some(clash), .. } if !clash.remedies.is_empty() => return None,
            Self::NoPlan { why, .. } => return no_plan_hint(why),
            Self::NoIdentity { .. } => {
                "say it by annotation, label or KAFKA_BROKER_ID on the pod, or see --identity and --broker-id-base"
            }
            Self::OthersDisk { owner, .. } => {
                return Some(format!(
                    "give the pod the disk of its own broker; or let it be broker {owner} (annotation broker-id, \
                     --broker-id-base); a disk whose data nobody needs may be emptied, which is then checked against Kafka"
                ));
            }
            Self::Unproven { .. } | Self::NoAnswer { .. } => {
                "keep the broker down until Kafka answers; a cluster that has never run needs --bootstrap-new-cluster"
            }
            Self::NotLost { .. } => NOT_LOST,
            Self::Changed { .. } => CHANGED,
            Self::Cordoned { brokers } => return Some(cordoned_hint(brokers)),
            Self::Broken(_) => "do not carry this plan out; make a new one from a fresh snapshot",
            other => return other.execution_hint(),
        };
        Some(hint.to_owned())
    }

    /// The same for what ends an execution.
    fn execution_hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoClusterId { found } => {
                return Some(format!("if it is meant for this one, say so: --cluster-id {found}"));
            }
            Self::JournalExists(_) => {
                "--resume goes on with it; to begin anew, name another with --journal FILE"
            }
            Self::OtherPlan { .. } => "name the plan's own journal with --journal FILE",
            Self::Locked { .. } | Self::HeldBy { .. } => {
                "end that process first (SIGTERM: its moves go on), and run this with --resume"
            }
            Self::DaemonHas { .. } => {
                "ask the daemon: curl -X POST 'http://HOST:8080/throttle?rate=50' is 50 MB/s for all that take part"
            }
            Self::NoLedger => "name it with --state-file FILE, or its journal with --journal FILE",
            Self::NothingPaced { .. } => {
                "nothing was changed; topicmappr throttle show tells what is set, and whose it is"
            }
            Self::LockLost { .. } => "see what the other run has done, then go on with --resume",
            Self::OtherTools { .. } => {
                "wait for them, or cancel them there; --join goes on beside them (Cruise Control stops the moves of \
                 others by default)"
            }
            Self::NoNumbers { .. } => {
                "topicmappr metrics show tells what is known; --exporter-metric and --prometheus-query say where \
                 storage-free and partition-size stand"
            }
            Self::NoDaemon { .. } => {
                "start autothrottle in this cluster, name its API with --autothrottle URL, or give a rate: --throttle 50MB/s"
            }
            Self::Returned { .. } => {
                "plan again, which copies less; --even-if-returned carries this plan out all the same, cancel takes back \
                 what is in flight"
            }
            Self::NotOnDelete { set, .. } => {
                let (namespace, name) = set.split_once('/').unwrap_or(("default", set));
                return Some(format!(
                    "kubectl patch statefulset {name} --namespace {namespace} --patch '{{\"spec\":{{\"updateStrategy\":{{\"type\":\"OnDelete\",\"rollingUpdate\":null}}}}}}'"
                ));
            }
            Self::WouldBeUnavailable { .. } => {
                "give them more replicas than min.insync.replicas (topicmappr rebuild --replication N), or accept it with \
                 --allow-unavailable"
            }
            Self::HoldsReplicas { broker, .. } => {
                return Some(format!(
                    "give its replicas to others first: topicmappr scale --brokers -2 --drain {broker}, or replace --broker {broker} --with ID"
                ));
            }
            Self::Unanswered { .. } => {
                "look before you ask for it again: the same command with --dry-run tells what is left to do"
            }
            Self::NotAgreed => {
                "agree at the terminal, or with --yes; --dry-run shows what would be done"
            }
            other => return other.lines_hint(),
        };
        Some(hint.to_owned())
    }

    /// The same for journals and ledgers. Only a journal may go: nothing but the ledger knows what stood there before.
    fn lines_hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotOurLines { kind: Kind::Ledger, .. } => {
                "name a new file with --state-file FILE, or one that this program has written"
            }
            Self::NotOurLines { kind: Kind::Journal, .. } => {
                "name a new file with --journal FILE, or one that this program has written"
            }
            Self::NotOurLines { kind: Kind::Requests, .. } => {
                "move it away: the file beside a ledger that ends in .asked is for requests"
            }
            Self::NewerLines { .. } => "use the version of the program that has written it",
            Self::BrokenLine { kind: Kind::Journal, .. } => {
                "a lost journal loses only history: move it away, and run this with --resume"
            }
            Self::BrokenLine { kind: Kind::Ledger, .. } => {
                "keep this file: its lines name the values that stood in the cluster before. Copy it away, look at \
                 topicmappr throttle show (without this file), put those values back by hand, and start with a new --state-file"
            }
            Self::BrokenLine { kind: Kind::Requests, .. } => {
                "move it away: it has nothing but requests for another rate"
            }
            Self::NotStored { kind: Kind::Journal | Kind::Ledger, .. } => {
                "make room on that disk, then start again, an execution with --resume; keep the file: its lines are whole. \
                 topicmappr throttle show lists what is set, throttle clear puts it back"
            }
            Self::NotStored { kind: Kind::Requests, .. } => "make room on that disk, and ask again",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// clap's own proposal, where it has one.
fn clap_hint(error: &clap::Error) -> Option<String> {
    let text = error.render().to_string();
    let tip = text.lines().find_map(|line| line.trim().strip_prefix("tip: "));
    let unknown = error.kind() == clap::error::ErrorKind::UnknownArgument;
    if unknown && is_below_zero(error) {
        return Some("the flag before it takes no number below zero".to_owned());
    }
    let tip = tip.or(unknown.then_some("--help after the command lists its flags"));
    tip.map(str::to_owned)
}

/// `-1`, where a value was meant: clap takes it for a flag.
fn is_below_zero(error: &clap::Error) -> bool {
    let found = error.get(ContextKind::InvalidArg);
    let Some(ContextValue::String(word)) = found else { return false };
    word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn known_maps(known: &[String]) -> String {
    if known.is_empty() {
        "give the maps with --maps FILE".to_owned()
    } else {
        format!("the maps are {}", known.join(", "))
    }
}

fn lock_rights_hint(error: &kubernetes::Error) -> Option<String> {
    match error {
        kubernetes::Error::Forbidden { request, .. } => Some(format!(
            "{}, as deploy/manifests/execute.yaml does for --lease kafka/topicmappr-execute; --sole-executor does without",
            request.grant()
        )),
        other => other.hint(),
    }
}

fn lease_rights_hint(error: &kubernetes::Error) -> Option<String> {
    match error {
        kubernetes::Error::Forbidden { request, .. } => Some(format!(
            "name the Lease of deploy/manifests/roll.yaml: --lease kafka/topicmappr-execute; or {}",
            request.grant()
        )),
        other => other.hint(),
    }
}

fn explain_hint(wrong: &ExplainError) -> Option<String> {
    let hint = match wrong {
        ExplainError::OtherSnapshot { .. } => {
            "name the snapshot that the plan was made from (--save-snapshot keeps it), with the same --broker-storage; a \
             live cluster must be as it was then, and be asked as then: with the same --maps and --namespace"
        }
        ExplainError::UnknownTopic { near, .. } if !near.is_empty() => {
            return Some(format!("near to it: {}", near.join(", ")));
        }
        ExplainError::NoSuchMove { .. } | ExplainError::UnknownTopic { .. } => {
            "topicmappr plan show PLAN --moves lists what moves"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn cordoned_hint(brokers: &BTreeMap<BrokerId, usize>) -> String {
    let brokers: Vec<BrokerId> = brokers.keys().copied().collect();
    let command = uncordon(&brokers);
    format!("plan again: no plan uses a cordoned broker or log dir; or end the cordon: {command}")
}

fn no_plan_hint(reason: &NoPlan) -> Option<String> {
    let hint = match reason {
        NoPlan::NoBroker { shortage, .. } if !shortage.is_empty() => {
            "add storage or brokers to the rack that lacks room, or lower --storage-headroom"
        }
        NoPlan::NoBroker { refusals, .. } if refusals.values().any(|r| *r == Refusal::Cordoned) => {
            "end the cordon of a broker, or allow more brokers for these topics"
        }
        NoPlan::NoBroker { .. } => "allow more brokers for these topics",
        NoPlan::TooFewBrokers { cordoned, .. } if !cordoned.is_empty() => {
            "end the cordon of a broker, allow more live brokers, or ask for fewer replicas"
        }
        NoPlan::TooFewBrokers { .. } => "allow more live brokers, or ask for fewer replicas",
        NoPlan::TooFewRacks { .. } => "lower --min-rack-ids, or allow brokers of other racks",
        NoPlan::NoRoomForBothCopies { .. } => {
            "make room on that broker first, or lower --storage-headroom"
        }
        NoPlan::MissingFact { fact, .. } if fact.ends_with("_per_second") => {
            "leave network out of --balance, or add the rate to the snapshot"
        }
        NoPlan::MissingFact { .. } => {
            "place by count (--placement count), or give capacities with --broker-storage"
        }
        NoPlan::TooLarge { .. } => {
            "name fewer topics or brokers, or leave it to --solver auto, which says how near it came"
        }
        NoPlan::BeyondLimit { .. } => "raise --max-bytes-moved or --max-moves",
        NoPlan::NoPartner { .. } => "name the incoming broker: --with ID",
        _ => return None,
    };
    Some(hint.to_owned())
}
