//! What an error means for scripts and operators: its code, its exit status, and what to do about it.
//!
//! Each table names every variant: a new error does not compile until all three are decided here.

use super::Error;
use local::Status;
use local::words::{quoted, ranges, uncordon};
use mapper::explain::ExplainError;
use mapper::{BrokerId, NoPlan, Refusal};
use std::collections::BTreeMap;
use std::path::Path;

impl Error {
    /// The stable word by which scripts recognize the error.
    pub(crate) fn code(&self) -> &'static str {
        self.code_and_status().0
    }

    /// The exit status.
    pub(crate) fn status(&self) -> Status {
        self.code_and_status().1
    }

    fn code_and_status(&self) -> (&'static str, Status) {
        match self {
            Self::Console(error) => (error.code(), error.status()),
            Self::Live(error) => (error.code(), error.status()),
            Self::Local(error) => (error.code(), error.status()),
            Self::FilesOnly(_) => ("usage", Status::BadInput),
            Self::TwoSources { .. } => ("source", Status::BadInput),
            Self::Explain(wrong) => (explain_code(wrong), Status::BadInput),
            Self::JournalExists(_) => ("journal", Status::BadInput),
            Self::OtherTools { .. } => ("held", Status::Held),
            Self::NoLedger => ("ledger", Status::BadInput),
            Self::NothingPaced { .. } => ("ledger", Status::NoPlan),
            Self::Returned { .. } => ("returned", Status::NoPlan),
            Self::Cordoned { .. } => ("cordoned", Status::NoPlan),
            Self::NotAgreed => ("not-agreed", Status::BadInput),
            Self::NotUnregistered { .. } | Self::HoldsReplicas { .. } => {
                ("not-unregistered", Status::NoPlan)
            }
            Self::NotReloadable { .. } => ("not-reloadable", Status::NoPlan),
            Self::NotOnDelete { .. } => ("update-strategy", Status::NoPlan),
            Self::NodePool { .. } => ("strimzi", Status::NoPlan),
            Self::FewRecords { .. } => ("usage", Status::BadInput),
            Self::Maps(_) | Self::UnknownMap { .. } => ("maps", Status::BadInput),
            Self::UnknownBrokers { .. } => ("brokers", Status::BadInput),
            Self::NoPlan { why, .. } => match **why {
                NoPlan::TooLarge { .. } => ("too-large", Status::BadInput),
                _ => ("no-plan", Status::NoPlan),
            },
            Self::Broken(_) => ("broken-promise", Status::NoPlan),
            Self::NoNumbers { .. } | Self::OddNumbers { .. } => ("metrics", Status::Outside),
            Self::LogDir { .. } => ("log-dir", Status::BadInput),
            Self::OthersDisk { .. } => ("identity", Status::BadInput),
            Self::NotLost { .. } => ("not-lost", Status::NoPlan),
        }
    }

    /// What to do about it, if that is not obvious.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Console(error) => return error.hint(),
            Self::Live(error) => return error.hint(),
            Self::Local(error) => return error.hint().map(str::to_owned),
            Self::FilesOnly(_) => FILES_ONLY,
            Self::TwoSources { .. } => "leave one of them out",
            Self::UnknownMap { known, .. } => return Some(known_maps(known)),
            Self::UnknownBrokers { known, .. } => {
                let known: Vec<BrokerId> = known.iter().copied().collect();
                return Some(format!("the cluster knows {}", ranges(&known)));
            }
            Self::Explain(wrong) => return explain_hint(wrong),
            Self::NoPlan { lost, .. } if lost.iter().any(|lost| lost.returns().is_some()) => {
                "free the pod of the lost broker: once it is back, there may be nothing to plan"
            }
            // The remedies that were tried are better advice than a general hint.
            Self::NoPlan { clash: Some(clash), .. } if !clash.remedies.is_empty() => return None,
            Self::NoPlan { why, .. } => return no_plan_hint(why),
            Self::OthersDisk { owner, .. } => return Some(others_disk(*owner)),
            Self::NotLost { .. } => NOT_LOST,
            Self::Cordoned { brokers } => return Some(cordoned_hint(brokers)),
            Self::Broken(_) => "do not carry this plan out; make a new one from a fresh snapshot",
            Self::JournalExists(_) => JOURNAL_EXISTS,
            Self::NoLedger => "name it with --state-file FILE, or its journal with --journal FILE",
            Self::NothingPaced { .. } => NOTHING_PACED,
            Self::OtherTools { .. } => OTHER_TOOLS,
            Self::NoNumbers { .. } => NO_NUMBERS,
            Self::Returned { .. } => RETURNED,
            Self::NotOnDelete { set, .. } => return Some(patch(set)),
            Self::NodePool { namespace, pool, .. } => return Some(ask_strimzi(namespace, pool)),
            Self::FewRecords { folder, .. } => return Some(record(folder)),
            Self::HoldsReplicas { broker, .. } => return Some(give_away(*broker)),
            Self::NotAgreed => {
                "agree at the terminal, or with --yes; --dry-run shows what would be done"
            }
            Self::Maps(_)
            | Self::NotUnregistered { .. }
            | Self::NotReloadable { .. }
            | Self::OddNumbers { .. }
            | Self::LogDir { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

const FILES_ONLY: &str = "this build plans from files only (--snapshot FILE); build the whole program with \
                          cargo build --release --bin topicmappr";
const NOT_LOST: &str = "wait for the machine; if it is gone for good, delete its Node object, or lower --lost-for for one \
                        that is silent";
const JOURNAL_EXISTS: &str =
    "--resume goes on with it; to begin anew, name another with --journal FILE";
const NOTHING_PACED: &str =
    "nothing was changed; topicmappr throttle show tells what is set, and whose it is";
const OTHER_TOOLS: &str = "wait for them, or cancel them there; --join goes on beside them (Cruise Control stops the moves of \
                           others by default)";
const NO_NUMBERS: &str = "topicmappr metrics show tells what is known; --exporter-metric and --prometheus-query say where \
                          storage-free and partition-size stand";
const RETURNED: &str = "plan again, which copies less; --even-if-returned carries this plan out all the same, cancel takes back \
                        what is in flight";
fn others_disk(owner: BrokerId) -> String {
    format!(
        "give the pod the disk of its own broker; or let it be broker {owner} (annotation broker-id, \
         --broker-id-base); a disk whose data nobody needs may be emptied, which is then checked against Kafka"
    )
}

fn patch(set: &str) -> String {
    let (namespace, name) = set.split_once('/').unwrap_or(("default", set));
    format!(
        "kubectl patch statefulset {name} --namespace {namespace} --patch '{{\"spec\":{{\"updateStrategy\":{{\"type\":\"OnDelete\",\"rollingUpdate\":null}}}}}}'"
    )
}

fn ask_strimzi(namespace: &str, pool: &str) -> String {
    format!(
        "kubectl annotate pods --selector strimzi.io/pool-name={pool} --namespace {namespace} \
         strimzi.io/manual-rolling-update=true has it restart them"
    )
}

fn record(folder: &Path) -> String {
    let folder = quoted(&folder.display().to_string());
    format!("record one each hour: topicmappr snapshot --rates 60s --load-folder {folder}")
}

fn give_away(broker: BrokerId) -> String {
    format!(
        "give its replicas to others first: topicmappr scale --brokers -2 --drain {broker}, or replace --broker {broker} --with ID"
    )
}

fn known_maps(known: &[String]) -> String {
    if known.is_empty() {
        "give the maps with --maps FILE".to_owned()
    } else {
        format!("the maps are {}", known.join(", "))
    }
}

fn explain_code(wrong: &ExplainError) -> &'static str {
    match wrong {
        ExplainError::OtherSnapshot { .. } | ExplainError::Request(_) => "snapshot",
        ExplainError::UnknownBroker(_) => "brokers",
        _ => "partition",
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
        NoPlan::MissingFact { fact: "bytes_in_per_second", .. } => {
            "measure it: topicmappr snapshot --rates 60s; or leave network out of --balance"
        }
        NoPlan::MissingFact { fact: "cpu_model", .. } => {
            "measure it: topicmappr metrics fetch --rates 60s; or leave cpu out of --balance"
        }
        NoPlan::CoarseCpuModel { .. } => {
            "measure longer, or find what else takes CPU; or leave cpu out of --balance"
        }
        NoPlan::MissingFact { fact: "cpu_nanocores", .. } => {
            "add it to the snapshot, or remove it everywhere; or leave cpu out of --balance"
        }
        NoPlan::MissingFact { fact, .. } if fact.ends_with("_per_second") => {
            "add it to the snapshot, or remove it everywhere; or leave network and cpu out of --balance"
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
