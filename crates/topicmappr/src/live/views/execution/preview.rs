//! What is about to be done.

use super::trouble::{MoveTrouble, troubles};
use crate::live::views::shown;
use crate::views::transfer::at_risk;
use execute::{Estimate, MoveState, Pace, Round, Task};
use mapper::{BrokerId, Bytes, Rate};
use operate::words::counted;
use operate::words::{duration, listed};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// What is about to be done.
#[derive(Debug, Serialize)]
pub(crate) struct Preview<'a> {
    event: &'static str,
    cluster_id: &'a str,
    command: &'static str,
    resumes: bool,
    partitions: usize,
    done: usize,
    moving: usize,
    topics: usize,
    steps: usize,
    left_bytes: Bytes,
    /// The bytes to copy between log dirs of brokers.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_disk_bytes: Option<Bytes>,
    unsized_partitions: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    busiest: Option<Busiest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle_bytes_per_second: Option<Rate>,
    /// The daemon decides it.
    paced_by_autothrottle: bool,
    /// About, by the throttle.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    /// When the partitions have their copies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    done_at: Vec<DoneAt>,
    /// The least sum, over partitions that lack replicas, of the time until they have them. No order of moves betters it.
    #[serde(skip_serializing_if = "Option::is_none")]
    least_exposure_partition_seconds: Option<u64>,
    /// The same for the time below min ISR.
    #[serde(skip_serializing_if = "Option::is_none")]
    least_below_min_isr_partition_seconds: Option<u64>,
    /// Brokers that get no new partitions until the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cordons: Vec<BrokerId>,
    journal: &'a Path,
    ledger: &'a Path,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<MoveTrouble>,
}

/// When a share of the partitions has all its copies, about.
#[derive(Debug, Serialize)]
struct DoneAt {
    percent: usize,
    seconds: u64,
}

#[derive(Debug, Serialize)]
struct Busiest {
    broker: BrokerId,
    direction: &'static str,
    bytes: Bytes,
}

impl<'a> Preview<'a> {
    pub(crate) fn of(
        task: &Task<'a>,
        round: &Round,
        estimate: &Estimate,
        resumes: bool,
        (journal, ledger): (&'a Path, &'a Path),
    ) -> Self {
        let least = estimate.least_exposure;
        let percents = (10..=100).step_by(10).filter(|_| estimate.bytes.0 > 0);
        let done_at = percents
            .filter_map(|percent| Some(DoneAt { percent, seconds: estimate.done_at(percent)? }));
        let topics: BTreeSet<&str> = task.plan.moves.iter().map(|m| &*m.topic).collect();
        let busiest = estimate.brokers.iter().flat_map(|(id, traffic)| {
            [
                ("takes in", traffic.incoming_bytes),
                ("gives", traffic.outgoing_bytes),
                ("copies between its log dirs", traffic.disk_bytes),
            ]
            .map(|(direction, bytes)| Busiest { broker: *id, direction, bytes })
        });
        let disk_bytes: Bytes = estimate.brokers.values().map(|traffic| traffic.disk_bytes).sum();
        let copies = estimate.bytes.plus(disk_bytes).0 > 0;
        Self {
            event: "preview",
            cluster_id: task.cluster_id,
            command: task.plan.request.command(),
            resumes,
            partitions: task.plan.moves.len(),
            done: round.course.count(|standing| *standing == MoveState::Done),
            moving: round.course.count(|standing| *standing == MoveState::Moving),
            topics: topics.len(),
            steps: task.plan.steps.len(),
            left_bytes: estimate.bytes,
            left_disk_bytes: Some(disk_bytes).filter(|bytes| bytes.0 > 0),
            unsized_partitions: estimate.unsized_moves,
            busiest: busiest.filter(|b| b.bytes.0 > 0).max_by_key(|busiest| busiest.bytes),
            throttle_bytes_per_second: rate(task.terms.pace),
            paced_by_autothrottle: task.terms.pace == Pace::Auto,
            seconds: estimate.seconds.filter(|_| copies),
            done_at: done_at.collect(),
            least_exposure_partition_seconds: least.map(|least| least.below_full_replication),
            least_below_min_isr_partition_seconds: least
                .map(|least| least.below_min_isr)
                .filter(|seconds| *seconds > 0),
            cordons: round.cordons().collect(),
            journal,
            ledger,
            left_out: troubles(task.plan, round),
        }
    }
}

fn rate(pace: Pace) -> Option<Rate> {
    match pace {
        Pace::BytesPerSecond(rate) => Some(rate),
        Pace::Unthrottled | Pace::Auto => None,
    }
}

impl fmt::Display for Preview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goes = if self.resumes { "Continuing" } else { "Carrying out" };
        writeln!(f, "{goes} a {} in cluster {}", self.command, self.cluster_id)?;
        write!(f, "  partitions  {} of {}", self.partitions, counted(self.topics, "topic"))?;
        match (self.done, self.moving) {
            (0, 0) => writeln!(f)?,
            (done, 0) => writeln!(f, "; {done} done already")?,
            (done, moving) => writeln!(f, "; {done} done already, {moving} moving")?,
        }
        if self.steps > 1 {
            writeln!(f, "  steps       {}", self.steps)?;
        }
        write!(f, "  to copy     {}", self.left_bytes)?;
        if let Some(bytes) = self.left_disk_bytes {
            write!(f, ", and {bytes} between log dirs")?;
        }
        match self.unsized_partitions {
            0 => writeln!(f)?,
            count => writeln!(f, ", and {count} of unknown size")?,
        }
        if let Some(Busiest { broker, direction, bytes }) = &self.busiest {
            writeln!(f, "  busiest     {broker} {direction} {bytes}")?;
        }
        match self.throttle_bytes_per_second {
            Some(rate) => writeln!(
                f,
                "  throttle    {} per second, into and out of each broker",
                Bytes(rate.0)
            )?,
            None if self.paced_by_autothrottle => {
                writeln!(f, "  throttle    set by autothrottle")?;
            }
            None => writeln!(f, "  throttle    none")?,
        }
        if let Some(seconds) = self.seconds {
            write!(f, "  takes       about {}", duration(seconds))?;
            let done = |percent| self.done_at.iter().find(|done| done.percent == percent);
            match (done(50), done(90)) {
                (Some(half), Some(most)) if seconds >= 60 => writeln!(
                    f,
                    "; half of the partitions are done after {}, 90 % after {}",
                    duration(half.seconds),
                    duration(most.seconds)
                )?,
                _ => writeln!(f)?,
            }
        }
        if let Some(seconds) = self.least_exposure_partition_seconds {
            let least = at_risk(seconds, self.least_below_min_isr_partition_seconds);
            writeln!(f, "  at risk     at least {least}, summed over partitions")?;
        }
        if !self.cordons.is_empty() {
            let brokers = listed(&self.cordons);
            writeln!(f, "  cordons     {brokers}: no new partitions there until the end")?;
        }
        writeln!(f, "  journal     {}", self.journal.display())?;
        writeln!(f, "  ledger      {}", self.ledger.display())?;
        shown(f, &self.left_out, "Not as planned")
    }
}
