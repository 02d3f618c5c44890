//! `roll`, in words.

use super::heading;
use ::kubernetes::rolling::RollingSet;
use execute::roll::{NextRestart, Pod, RollBatches, RollScene, ServerRole, order};
use mapper::{BrokerId, plural};
use operate::events::role_word;
use operate::roll::{RollEnd, Rolled, Sight};
use operate::words::{counted, few};
use serde::Serialize;
use std::fmt;

/// What would be restarted, in its order.
#[derive(Debug, Serialize)]
pub(crate) struct RollPlan {
    restarts: Vec<Restart>,
    up_to_date: usize,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    in_batches: Option<InBatches>,
    /// What is in the way now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<String>,
}

/// How many batches there are; absent in a roll one by one.
#[derive(Debug, Clone, Copy, Serialize)]
struct InBatches {
    batches: usize,
    /// No roll under the same rules needs fewer.
    at_least_batches: usize,
}

impl fmt::Display for InBatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = plural(self.batches, "batch", "batches");
        write!(f, "{} {word} (at least {})", self.batches, self.at_least_batches)
    }
}

#[derive(Debug, Serialize)]
struct Restart {
    pod: String,
    role: &'static str,
    id: BrokerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    rack: Option<String>,
    up: bool,
    /// The number of its batch, from 1. Later looks may change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<usize>,
}

impl RollPlan {
    /// The plan of a roll one by one, or in these batches.
    pub(crate) fn of(sight: &Sight, next: &NextRestart, batches: Option<RollBatches>) -> Self {
        let scene = &sight.scene;
        let restart = |(index, batch): (usize, Option<usize>)| {
            scene.pods.get(index).map(|pod| Restart {
                pod: pod.name.clone(),
                role: role_word(scene.role(pod.id)),
                id: pod.id,
                rack: pod.rack.clone(),
                up: scene.is_up(pod.id),
                batch,
            })
        };
        let (order, in_batches) = match batches {
            None => (order(scene).into_iter().map(|index| (index, None)).collect(), None),
            Some(RollBatches { batches, at_least }) => {
                let numbered = (1..).zip(&batches);
                let of_one = |(number, batch): (usize, &Vec<usize>)| {
                    batch.iter().map(|index| (*index, Some(number))).collect::<Vec<_>>()
                };
                let order: Vec<(usize, Option<usize>)> = numbered.flat_map(of_one).collect();
                let batches = batches.len();
                (order, Some(InBatches { batches, at_least_batches: at_least }))
            }
        };
        let restarts = order.into_iter().filter_map(restart).collect();
        let mut findings = sight.unobserved.clone();
        findings.extend(in_the_way(next));
        // Controllers and ZooKeeper servers have nothing to hand over.
        let is_broker = |pod: &&Pod| scene.role(pod.id) == ServerRole::Broker;
        let brokers: Vec<&str> = scene.pods.iter().filter(is_broker).map(|pod| &*pod.uid).collect();
        let short = |set: &&RollingSet| {
            set.grace_seconds < ENOUGH_SECONDS
                && set.pods.iter().any(|pod| brokers.contains(&&*pod.uid))
        };
        let slow = sight.sets.iter().filter(short);
        findings.extend(slow.map(|set| {
            format!(
                "StatefulSet {} gives its pods {} s to end: a broker that needs longer is killed, and recovers its logs",
                set.name, set.grace_seconds
            )
        }));
        Self { restarts, up_to_date: up_to_date(scene), in_batches, findings }
    }

    /// Something would be done, or is in the way.
    pub(crate) fn has_findings(&self) -> bool {
        !self.restarts.is_empty() || !self.findings.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.restarts.is_empty()
    }
}

/// How many partitions a line names.
const FEW: usize = 5;

/// Less than this, and Kafka's controlled shutdown may not come to its end.
const ENOUGH_SECONDS: u64 = 60;

fn up_to_date(scene: &RollScene) -> usize {
    scene.pods.iter().filter(|pod| !pod.outdated).count()
}

fn in_the_way(next: &NextRestart) -> Vec<String> {
    match next {
        NextRestart::Done | NextRestart::Restart(_) | NextRestart::Join(_) => Vec::new(),
        NextRestart::Wait(waits) => waits.iter().map(ToString::to_string).collect(),
        NextRestart::Moving(partitions) => vec![format!("{}: {}", moving(), few(partitions, FEW))],
        NextRestart::Unavailable(partitions) => vec![format!(
            "{} would be unavailable for as long as a broker is away (--allow-unavailable): {}",
            counted(partitions.len(), "partition"),
            few(partitions, FEW)
        )],
    }
}

fn moving() -> &'static str {
    "replicas are being reassigned"
}

impl fmt::Display for RollPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.restarts.is_empty() {
            writeln!(f, "No pod needs a restart; {} up to date.", counted(self.up_to_date, "pod"))?;
        } else {
            let pods = counted(self.restarts.len(), "pod");
            let batches = self.in_batches.map(|all| format!(" in about {all}"));
            let batches = batches.unwrap_or_default();
            writeln!(
                f,
                "{pods} to restart{batches}, in this order; {} up to date",
                self.up_to_date
            )?;
            let mut batch = None;
            for restart in &self.restarts {
                if restart.batch != batch {
                    batch = restart.batch;
                    batch.iter().try_for_each(|number| writeln!(f, " batch {number}:"))?;
                }
                let rack = restart.rack.as_ref().map(|rack| format!(", rack {rack}"));
                let down = if restart.up { "" } else { " (down)" };
                let rack = rack.unwrap_or_default();
                let (pod, role, id) = (&restart.pod, restart.role, restart.id);
                writeln!(f, "  {pod}  {role} {id}{rack}{down}")?;
            }
        }
        if !self.findings.is_empty() {
            heading(f, "Before you start")?;
            self.findings.iter().try_for_each(|finding| writeln!(f, "  {finding}"))?;
        }
        Ok(())
    }
}

/// How it ended.
#[derive(Debug, Serialize)]
pub(crate) struct RollSummary {
    outcome: &'static str,
    restarted: Vec<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    in_batches: Option<InBatches>,
    left: usize,
    took_seconds: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    why: Vec<String>,
}

impl RollSummary {
    pub(crate) fn of(rolled: &Rolled, plan: &RollPlan) -> Self {
        let (outcome, why) = match &rolled.why {
            RollEnd::Done => ("done", Vec::new()),
            RollEnd::Left(_) => ("left", Vec::new()),
            RollEnd::Stuck(why) => ("stuck", why.clone()),
            RollEnd::Moving(partitions) => {
                ("moving", vec![format!("{}: {}", moving(), few(partitions, FEW))])
            }
        };
        let in_batches = plan.in_batches.map(|all| InBatches { batches: rolled.batches, ..all });
        Self {
            outcome,
            restarted: rolled.restarted.clone(),
            in_batches,
            left: rolled.left,
            took_seconds: rolled.took.as_secs(),
            why,
        }
    }
}

impl fmt::Display for RollSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_batches = self.in_batches.map(|all| format!(" in {all}")).unwrap_or_default();
        let restarted = format!("{} restarted{in_batches}", counted(self.restarted.len(), "pod"));
        let seconds = self.took_seconds;
        match self.outcome {
            "done" if self.restarted.is_empty() => {
                writeln!(f, "Nothing to restart: every pod is up to date, ready and in sync.")
            }
            "done" => writeln!(
                f,
                "Done: {restarted} in {seconds} s; all are up to date, ready and in sync."
            ),
            "left" => writeln!(f, "Interrupted: {restarted} in {seconds} s."),
            _ => {
                writeln!(f, "Stopped after {seconds} s: {restarted}, {} left.", self.left)?;
                self.why.iter().try_for_each(|why| writeln!(f, "  {why}"))
            }
        }
    }
}
