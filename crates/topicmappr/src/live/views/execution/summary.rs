//! How an execution ended.

use super::outcome;
use super::trouble::{MoveTrouble, troubles};
use super::undrained::left;
use crate::live::views::shown;
use crate::views::transfer::at_risk;
use execute::{Key, MoveState, Stray, ThrottleResource};
use mapper::{BrokerId, Plan, Undrained};
use operate::execution::{Ended, Why};
use operate::words::duration;
use operate::words::listed;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// How it ended.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    event: &'static str,
    outcome: &'static str,
    partitions: usize,
    done: usize,
    moving: usize,
    took_seconds: u64,
    /// The lower estimate before the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_seconds: Option<u64>,
    /// How long partitions lacked replicas, summed over partitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    exposure_partition_seconds: Option<u64>,
    /// How long they were below min ISR.
    #[serde(skip_serializing_if = "Option::is_none")]
    below_min_isr_partition_seconds: Option<u64>,
    /// Both, as no order of moves can better them.
    #[serde(skip_serializing_if = "Option::is_none")]
    least_exposure_partition_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    least_below_min_isr_partition_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    troubles: Vec<MoveTrouble>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_cancelled: Vec<MoveTrouble>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    strays: Vec<Stray>,
    /// Whether no throttle of ours is set any more.
    throttle_restored: bool,
    /// Dead brokers that hold nothing any more: they can be unregistered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    emptied_brokers: Vec<BrokerId>,
    /// Vacated brokers that can be cordoned: whether they are cordoned now.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    cordoned: BTreeMap<BrokerId, bool>,
    /// Brokers that were to be emptied, and are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    undrained: Vec<Undrained>,
}

impl Summary {
    pub(crate) fn of(plan: &Plan, ended: &Ended) -> Self {
        let refused = ended.history.not_cancelled.iter().filter_map(|(index, problem)| {
            let partition = plan.moves.get(*index)?.of().to_string();
            let heals = ended.round.not_cancelled.get(index).filter(|heals| !heals.is_empty());
            let heals = heals.map(|ids| format!("; it goes on when {} returns", one_of(ids)));
            let heals = heals.unwrap_or_default();
            Some(MoveTrouble {
                partition,
                what: format!("Kafka does not cancel it: {problem}{heals}"),
            })
        });
        let left = matches!(ended.why, Why::Left(_));
        let (some, least) = (|seconds| Some(seconds).filter(|it| *it > 0), ended.least_exposure);
        Self {
            event: "ended",
            outcome: outcome(ended.why),
            partitions: plan.moves.len(),
            done: ended.round.course.count(|standing| *standing == MoveState::Done),
            moving: ended.round.course.count(|standing| *standing == MoveState::Moving),
            took_seconds: ended.took.as_secs(),
            estimated_seconds: ended.estimated_seconds,
            exposure_partition_seconds: some(ended.exposure.below_full_replication),
            below_min_isr_partition_seconds: some(ended.exposure.below_min_isr),
            least_exposure_partition_seconds: least.map(|least| least.below_full_replication),
            least_below_min_isr_partition_seconds: least
                .and_then(|least| some(least.below_min_isr)),
            // An interrupted run does not know what would have happened.
            troubles: if left { Vec::new() } else { troubles(plan, &ended.round) },
            not_cancelled: refused.collect(),
            strays: ended.round.strays.clone(),
            throttle_restored: ended.clean,
            emptied_brokers: ended.emptied.clone(),
            cordoned: ended.vacated.clone(),
            undrained: ended.undrained.clone(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self.outcome {
            "complete" => "Done: the cluster is as the plan says.",
            "partly" => "Done in part: the rest waits; resume it later.",
            "left_out" => "Ended: some partitions were left out.",
            "cancelled" => "Cancelled: nothing is in flight.",
            "cancelled_partly" => "Cancelled in part: moves that Kafka does not cancel continue.",
            "held_by_others" => "Not begun: other tools are moving replicas.",
            _ if self.throttle_restored => "Interrupted: nothing was in flight.",
            _ => "Interrupted: moves and throttle continue without this process.",
        };
        writeln!(f, "{said}")?;
        writeln!(
            f,
            "  partitions  {} of {} done, {} moving",
            self.done, self.partitions, self.moving
        )?;
        write!(f, "  took        {}", duration(self.took_seconds))?;
        match self.estimated_seconds {
            Some(seconds) => writeln!(f, ", estimated at {}", duration(seconds))?,
            None => writeln!(f)?,
        }
        if let Some(seconds) = self.exposure_partition_seconds {
            let exposure = at_risk(seconds, self.below_min_isr_partition_seconds);
            writeln!(f, "  at risk     {exposure}, summed over partitions")?;
        }
        if let Some(seconds) = self.least_exposure_partition_seconds {
            let least = at_risk(seconds, self.least_below_min_isr_partition_seconds);
            writeln!(f, "  the least   {least}: no order of moves is better")?;
        }
        let throttle = if self.throttle_restored { "as before" } else { "still set" };
        writeln!(f, "  throttle    {throttle}")?;
        let cordoned = |is| self.cordoned.iter().filter(move |(_, now)| **now == is);
        let (still, open): (Vec<_>, Vec<_>) = (
            cordoned(true).map(|(id, _)| *id).collect(),
            cordoned(false).map(|(id, _)| *id).collect(),
        );
        if !still.is_empty() {
            writeln!(f, "  cordons     {}: still no new partitions there", listed(&still))?;
        }
        if !open.is_empty() {
            writeln!(f, "  cordons     ended: {} may get new partitions again", listed(&open))?;
        }
        shown(f, &self.troubles, "Not as planned")?;
        shown(f, &self.not_cancelled, "Not cancelled")?;
        let strays: Vec<String> = self.strays.iter().map(stray).collect();
        shown(f, &strays, "Configs left alone")?;
        let undrained: Vec<String> = self.undrained.iter().map(left).collect();
        shown(f, &undrained, "Not empty")
    }
}

fn one_of(ids: &[BrokerId]) -> String {
    let one = if ids.len() > 1 { "one of " } else { "" };
    format!("{one}{}", listed(ids))
}

fn unread(resource: &ThrottleResource) -> &'static str {
    match resource {
        ThrottleResource::Broker(_) => "the broker does not answer",
        ThrottleResource::Topic(_) => "this user may not see the topic",
    }
}

pub(super) fn stray(stray: &Stray) -> String {
    match stray {
        Stray::UnknownOwner { setting, value } => {
            format!("{setting}: {value}, set by an unknown owner while moves ran")
        }
        Stray::OfAnother { setting, value } => {
            format!("{setting}: {value}, set by autothrottle, or the owner cannot be determined")
        }
        Stray::ChangedByOthers { setting, value } => {
            let value = value.as_deref().unwrap_or("nothing");
            format!("{setting}: {value}, changed by others since")
        }
        Stray::Unreachable { setting } if setting.key == Key::CordonedLogDirs => {
            format!(
                "{setting}: set by this execution, but the broker does not answer; it gets no new partitions until --resume \
                 restores it"
            )
        }
        Stray::Unreachable { setting } => {
            format!(
                "{setting}: set by this execution, but {}; --resume restores it",
                unread(&setting.resource)
            )
        }
    }
}
