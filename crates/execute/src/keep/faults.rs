//! What is wrong with a cluster, and which plans wait for it.

use super::notes::Need;
use super::policy::Trigger;
use health::Ailment;
use mapper::{BrokerId, joined};
use std::collections::BTreeSet;

/// What is wrong with a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterFaults {
    /// Brokers that hold replicas and are not live.
    pub lost: BTreeSet<BrokerId>,
    /// Brokers with a disk so full that they may stop.
    pub full: BTreeSet<BrokerId>,
    /// Why clients may be slow, as text.
    pub slow: Option<String>,
    /// Everything else, as text.
    pub other: BTreeSet<String>,
}

impl ClusterFaults {
    /// Sums up these ailments. The consequences of a lost broker are not counted as further trouble.
    #[must_use]
    pub fn of(ailments: &[Ailment]) -> Self {
        let mut found = Self::default();
        for ailment in ailments {
            if let Ailment::Lost { broker, replicas, .. } | Ailment::Fenced { broker, replicas, .. } =
                ailment
                && *replicas > 0
            {
                found.lost.insert(*broker);
            }
            if let Ailment::FullDisk { broker, now: true, .. } = ailment {
                found.full.insert(*broker);
            }
        }
        for ailment in ailments {
            found.other.extend(trouble(ailment, &found.lost));
        }
        found
    }

    /// Why a plan for this need has to wait. A lost broker is replaced only if it is all that is wrong. Every other plan
    /// waits for a whole cluster. A nearly full disk is what a plan for full disks mends: it copies nothing to such a disk.
    pub(super) fn against(&self, need: &Need) -> Vec<String> {
        let mut why: Vec<String> = self.other.iter().cloned().collect();
        let full = self.full.iter().filter(|_| need.trigger != Trigger::FullDisk);
        why.extend(full.map(|broker| format!("the disk of broker {broker} is nearly full")));
        match need.trigger {
            Trigger::LostBroker if self.lost.len() > 1 => {
                why.push(format!("more than one broker is lost: {}", joined(&self.lost)));
            }
            // It may be what makes clients slow.
            Trigger::LostBroker => {}
            Trigger::LeavingBroker
            | Trigger::FullDisk
            | Trigger::FillingDisk
            | Trigger::Drift
            | Trigger::NewBroker
            | Trigger::Imbalance
            | Trigger::Certificates => {
                why.extend(self.slow.clone());
                why.extend(
                    (!self.lost.is_empty()).then(|| format!("lost: broker {}", joined(&self.lost))),
                );
            }
        }
        why
    }
}

fn trouble(ailment: &Ailment, lost: &BTreeSet<BrokerId>) -> Option<String> {
    let counted = |partitions: &BTreeSet<_>, one: &str, others: &str| {
        let count = partitions.len();
        format!("{} {}", mapper::counted(count, "partition"), mapper::plural(count, one, others))
    };
    match ailment {
        // Plans give a cordoned broker no replicas, so it is no trouble. A full disk is a need, and plans make it emptier.
        Ailment::Lost { .. }
        | Ailment::Fenced { .. }
        | Ailment::Cordoned { .. }
        | Ailment::FullDisk { .. } => None,
        Ailment::UnderMinIsr { partitions, missing }
        | Ailment::AtMinIsr { partitions, missing }
        | Ailment::UnderReplicated { partitions, missing } => {
            let lag = joined(missing.iter().filter(|id| !lost.contains(id)));
            let what = counted(partitions, "lacks", "lack");
            (!lag.is_empty()).then(|| format!("{what} replicas of live brokers: {lag}"))
        }
        Ailment::Offline { partitions, .. } => {
            Some(format!("{} no leader", counted(partitions, "has", "have")))
        }
        Ailment::FailedLogDir { broker, .. } => {
            Some(format!("a log dir of broker {broker} has failed"))
        }
        Ailment::Moving { partitions, .. } => {
            Some(format!("{} being reassigned", counted(partitions, "is", "are")))
        }
    }
}
