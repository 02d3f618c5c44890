//! Facts that no snapshot has: controllers, throttles, owners of moves, versions of Kafka.

use crate::doctor::ailing::REPLACE_DISK;
use crate::doctor::{DoctorFinding, LiveFacts, Needs, Severity};
use execute::{
    Accounts, Key, Owner, Setting, ThrottleOwner, ThrottleResource, ThrottleValue, Throttled,
};
use kafka::admin::Quorum;
use mapper::{BrokerId, TopicPartition};
use operate::words::{counted, few, ranges};
use std::collections::{BTreeMap, BTreeSet};

/// A controller that is this many milliseconds behind is left out of elections for now.
const BEHIND: u64 = 10_000;

/// The facts that are not in the snapshot.
#[derive(Debug, Default)]
pub(crate) struct LiveCluster {
    /// The controllers, if the cluster has a quorum.
    pub(crate) quorum: Option<Quorum>,
    /// Every throttle.
    pub(crate) throttles: Vec<Throttled>,
    /// Failed log dirs of live brokers.
    pub(crate) failed_log_dirs: BTreeMap<BrokerId, Vec<String>>,
    /// Live brokers, grouped by version.
    pub(crate) versions: Vec<BTreeSet<BrokerId>>,
    pub(crate) moves: RunningMoves,
    /// The controller is unknown, although brokers were asked.
    pub(crate) no_controller: bool,
}

/// The owner of the running moves.
#[derive(Debug, Default)]
pub(crate) struct RunningMoves {
    /// The configs that our own executions have set, if a ledger was given.
    pub(crate) accounts: Accounts,
    /// A ledger was given.
    pub(crate) ledger: bool,
    /// A process on this machine is running.
    pub(crate) runs: bool,
    /// Topics of Cruise Control exist.
    pub(crate) cruise_control: bool,
}

impl RunningMoves {
    /// Adds the owner of these moves to the finding.
    fn owner_of(&self, moves: &BTreeSet<TopicPartition>, finding: DoctorFinding) -> DoctorFinding {
        let ours = moves.iter().filter(|of| self.is_ours(of)).count();
        let by = self.accounts.ledger().last_holder().filter(|_| self.runs);
        let others = moves.len() - ours;
        let hint = match (self.ledger, ours, others) {
            (_, _, 0) => match by {
                Some(by) => format!("an execution's, by {by}"),
                None => "an execution's that has no process here: execute PLAN --resume".to_owned(),
            },
            (true, 0, _) => "no execution of the ledger's: another tool's".to_owned(),
            (true, _, _) => format!("{ours} an execution's, {others} another tool's"),
            (false, _, _) => "whose is unknown: name the ledger with --state-file FILE".to_owned(),
        };
        let cruise = self.cruise_control && others > 0;
        finding.hint(match cruise {
            true => format!("{hint}; Cruise Control seems to run here (its topics exist)"),
            false => hint,
        })
    }

    fn is_ours(&self, of: &TopicPartition) -> bool {
        Key::OF_TOPICS.iter().any(|key| {
            let setting =
                Setting { resource: ThrottleResource::Topic(of.topic.clone()), key: *key };
            let held = self.accounts.ledger().get(&setting);
            let ours = held.into_iter().flat_map(|held| &held.ours);
            ours.filter_map(ThrottleValue::replica).any(|one| one.partition == of.partition)
        })
    }
}

impl LiveFacts for LiveCluster {
    fn findings(&self, by_maps: bool) -> Vec<DoctorFinding> {
        let mut found = Vec::new();
        found.extend(self.controllers());
        found.extend(self.failed_log_dirs.iter().map(|failed| failed_log_dirs(failed, by_maps)));
        found.extend(self.strays());
        found.extend(self.left_to_resume());
        found.extend(self.mixed_versions());
        found
    }

    fn owner_of(&self, moves: &BTreeSet<TopicPartition>, finding: DoctorFinding) -> DoctorFinding {
        self.moves.owner_of(moves, finding)
    }

    fn reports_log_dirs_of(&self, broker: BrokerId) -> bool {
        self.failed_log_dirs.contains_key(&broker)
    }

    fn quorum(&self) -> Option<(Option<BrokerId>, Vec<BrokerId>)> {
        let quorum = self.quorum.as_ref()?;
        Some((quorum.leader, quorum.voters.keys().copied().collect()))
    }
}

impl LiveCluster {
    fn controllers(&self) -> Option<DoctorFinding> {
        let Some(quorum) = &self.quorum else {
            let finding =
                DoctorFinding::new("no-controller", Severity::Critical, "no controller is known");
            return self.no_controller.then(|| finding.hint("nothing in the cluster can change"));
        };
        if quorum.leader.is_none() {
            let finding =
                DoctorFinding::new("no-controller", Severity::Critical, "no controller leads");
            return Some(
                finding.hint("nothing in the cluster can change: see the controllers' logs"),
            );
        }
        let behind = |behind: &Option<u64>| behind.is_none_or(|millis| millis > BEHIND);
        let late = quorum.voters.iter().filter(|(_, millis)| behind(millis)).map(|(id, _)| *id);
        let late: Vec<BrokerId> = late.collect();
        let all = quorum.voters.len();
        if late.is_empty() {
            return None;
        }
        // If one more controller stops, there is no majority.
        let severity =
            if all - late.len() <= all / 2 + 1 { Severity::Critical } else { Severity::Warning };
        let message = format!("controllers behind or down: {} of {all} voters", ranges(&late));
        let finding = DoctorFinding::new("controller-behind", severity, message).brokers(late);
        Some(finding.run(Needs::Live, "controllers status"))
    }

    fn strays(&self) -> Option<DoctorFinding> {
        let strays: Vec<&Throttled> = self.throttles.iter().filter(|one| one.stray).collect();
        if strays.is_empty() {
            return None;
        }
        let message = format!("{} of throttles left over", counted(strays.len(), "config"));
        let finding = DoctorFinding::new("stray-throttle", Severity::Warning, message);
        let places: BTreeSet<String> = strays.iter().map(|one| one.place.to_string()).collect();
        let first = few(&places, 4);
        let hint = format!("they pace nothing now, and the next copy without a word: {first}");
        Some(finding.hint(hint).run(Needs::Live, "throttle clear --strays --dry-run"))
    }

    /// Configs that an execution has set, without a process on this machine that will restore them.
    fn left_to_resume(&self) -> Option<DoctorFinding> {
        // The daemon restores its own configs.
        let held = |one: &&Throttled| match &one.owner {
            ThrottleOwner::Ledger { by } => *by != Owner::Daemon,
            ThrottleOwner::Operator | ThrottleOwner::Unknown => false,
        };
        let idle = self.throttles.iter().filter(held).filter(|one| one.in_flight == 0).count();
        if idle == 0 || self.moves.runs {
            return None;
        }
        let message = format!("{} of an execution that has no process", counted(idle, "throttle"));
        let finding = DoctorFinding::new("execution-left", Severity::Warning, message);
        Some(
            finding.hint(
                "its ledger knows what stood there before: execute PLAN --resume puts it back",
            ),
        )
    }

    fn mixed_versions(&self) -> Option<DoctorFinding> {
        if self.versions.len() < 2 {
            return None;
        }
        let groups =
            self.versions.iter().map(|group| ranges(&group.iter().copied().collect::<Vec<_>>()));
        let groups: Vec<String> = groups.collect();
        let message = format!("brokers of {} versions of Kafka", groups.len());
        let finding = DoctorFinding::new("mixed-versions", Severity::Notice, message);
        Some(finding.hint(format!("a rolling upgrade, most likely: {}", groups.join(" | "))))
    }
}

fn failed_log_dirs((broker, paths): (&BrokerId, &Vec<String>), by_maps: bool) -> DoctorFinding {
    let message = format!("broker {broker}: failed log dirs: {}", paths.join(", "));
    DoctorFinding::new("failed-log-dir", Severity::Critical, message)
        .brokers([*broker])
        .hint(REPLACE_DISK)
        .rebuild(by_maps)
}
