//! How an execution reads: before it begins, while it goes on, and when it has ended.

use super::{counted, heading};
use crate::executing::{Ended, Look, Why};
use execute::{
    Estimate, Held, Hindrance, History, Ill, Ledger, Outcome, Pace, Round, Standing, Stray, Task,
    WhyLeft,
};
use mapper::{BrokerId, Bytes, Plan, TopicPartition};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Past so many, a list of partitions is cut.
const SHOWN: usize = 10;

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
    unsized_partitions: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    busiest: Option<Busiest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle_bytes_per_second: Option<u64>,
    /// At least, by the throttle.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    journal: &'a Path,
    ledger: &'a Path,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<Trouble>,
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
        let topics: BTreeSet<&str> = task.plan.moves.iter().map(|m| &*m.topic).collect();
        let busiest = estimate.brokers.iter().flat_map(|(id, traffic)| {
            [("takes in", traffic.incoming_bytes), ("gives", traffic.outgoing_bytes)]
                .map(|(direction, bytes)| Busiest { broker: *id, direction, bytes })
        });
        Self {
            event: "preview",
            cluster_id: task.cluster_id,
            command: task.plan.request.command(),
            resumes,
            partitions: task.plan.moves.len(),
            done: round.course.count(|standing| *standing == Standing::Done),
            moving: round.course.count(|standing| *standing == Standing::Moving),
            topics: topics.len(),
            steps: task.plan.steps.len(),
            left_bytes: estimate.bytes,
            unsized_partitions: estimate.unsized_moves,
            busiest: busiest.filter(|b| b.bytes.0 > 0).max_by_key(|busiest| busiest.bytes),
            throttle_bytes_per_second: rate(task.pace),
            seconds: estimate.seconds.filter(|_| estimate.bytes.0 > 0),
            journal,
            ledger,
            left_out: troubles(task.plan, round),
        }
    }
}

fn rate(pace: Pace) -> Option<u64> {
    match pace {
        Pace::BytesPerSecond(rate) => Some(rate),
        Pace::Unthrottled => None,
    }
}

impl fmt::Display for Preview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goes = if self.resumes { "Going on with" } else { "Carrying out" };
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
        match self.unsized_partitions {
            0 => writeln!(f)?,
            count => writeln!(f, ", and {count} of unknown size")?,
        }
        if let Some(Busiest { broker, direction, bytes }) = &self.busiest {
            writeln!(f, "  busiest     {broker} {direction} {bytes}")?;
        }
        match self.throttle_bytes_per_second {
            Some(rate) => {
                writeln!(f, "  throttle    {} per second, in and out of each broker", Bytes(rate))?
            }
            None => writeln!(f, "  throttle    none: as fast as the machines can")?,
        }
        if let Some(seconds) = self.seconds {
            writeln!(f, "  takes       {} at least", duration(seconds))?;
        }
        writeln!(f, "  journal     {}", self.journal.display())?;
        writeln!(f, "  ledger      {}", self.ledger.display())?;
        shown(f, &self.left_out, "Not as planned")
    }
}

/// Something that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Trouble {
    partition: String,
    what: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.partition, self.what)
    }
}

fn shown<T: fmt::Display>(f: &mut fmt::Formatter<'_>, all: &[T], name: &str) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    heading(f, name)?;
    for one in all.iter().take(SHOWN) {
        writeln!(f, "  {one}")?;
    }
    if all.len() > SHOWN {
        writeln!(f, "  and {} more; --output json names them all", all.len() - SHOWN)?;
    }
    Ok(())
}

fn troubles(plan: &Plan, round: &Round) -> Vec<Trouble> {
    let all = plan.moves.iter().zip(&round.course.standings);
    let told = all.filter_map(|(change, standing)| {
        let what = match standing {
            Standing::Done | Standing::Moving | Standing::Ready => return None,
            Standing::Hindered(hindrance) => hindered(hindrance),
            Standing::Left(why) => left(why),
        };
        Some(Trouble { partition: change.of().to_string(), what })
    });
    told.collect()
}

fn hindered(hindrance: &Hindrance) -> String {
    match hindrance {
        Hindrance::NoLeader { heals } => {
            format!("it has no leader; one of {} has to return", super::listed(heals))
        }
        Hindrance::DeadReplicas { brokers } => {
            format!("waits for {} to return", super::listed(brokers))
        }
        Hindrance::NotItsTurn => "waits for its earlier step".to_owned(),
        Hindrance::MovedByOthers { target } => {
            format!("another tool is moving it to {}", super::listed(target))
        }
        Hindrance::NoRoom { broker, missing_bytes } => {
            format!("{broker} lacks {missing_bytes} of room")
        }
        Hindrance::RoomNotFreed { broker } => {
            format!("an earlier step was to make room on {broker}, and has not")
        }
    }
}

fn left(why: &WhyLeft) -> String {
    match why {
        WhyLeft::Changed { found } => {
            format!("left out: it was changed since the plan was made, to {}", super::listed(found))
        }
        WhyLeft::Gone => "left out: it was deleted".to_owned(),
        WhyLeft::Refused { problem } => format!("left out: Kafka refuses it: {problem}"),
    }
}

/// Where an execution stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Progress {
    event: &'static str,
    at: String,
    partitions: usize,
    done: usize,
    moving: usize,
    waiting: usize,
    left_out: usize,
    /// Of what is to be copied.
    pub(crate) copied_bytes: Bytes,
    bytes: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
}

impl Progress {
    pub(crate) fn of(task: &Task<'_>, look: &Look, round: &Round) -> Self {
        let (mut copied, mut all) = (0_u64, 0_u64);
        for (change, standing) in task.plan.moves.iter().zip(&round.course.standings) {
            let Some(bytes) = change.bytes else { continue };
            let so_far = match standing {
                Standing::Done => bytes.0,
                Standing::Moving => {
                    let of = change.of();
                    let arrived = |id| look.copied.get(&(of.clone(), id)).map_or(0, |b| b.0);
                    change.added().map(arrived).sum::<u64>().min(bytes.0)
                }
                Standing::Ready | Standing::Hindered(_) => 0,
                Standing::Left(_) => continue,
            };
            copied += so_far;
            all += bytes.0;
        }
        let count = |so: fn(&Standing) -> bool| round.course.count(so);
        Self {
            event: "progress",
            at: crate::live::now(),
            partitions: task.plan.moves.len(),
            done: count(|standing| *standing == Standing::Done),
            moving: count(|standing| *standing == Standing::Moving),
            waiting: count(|s| matches!(s, Standing::Ready | Standing::Hindered(_))),
            left_out: count(|standing| matches!(standing, Standing::Left(_))),
            copied_bytes: Bytes(copied),
            bytes: Bytes(all),
            bytes_per_second: None,
            left_seconds: None,
            held: round.held.as_ref().map(held),
        }
    }

    /// So many bytes were copied in this time.
    pub(crate) fn measured(&mut self, bytes: u64, time: Duration) {
        const LONG_ENOUGH: u64 = 5;
        let seconds = time.as_secs();
        if seconds >= LONG_ENOUGH && bytes > 0 {
            let rate = (bytes / seconds).max(1);
            self.bytes_per_second = Some(rate);
            self.left_seconds = Some(self.bytes.0.saturating_sub(self.copied_bytes.0) / rate);
        }
    }

    /// Nobody would miss this line after the other.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.done, self.moving, self.left_out) == (other.done, other.moving, other.left_out)
    }

    /// Whoever watches has to know at once.
    pub(crate) fn is_news(&self, other: &Self) -> bool {
        self.held.is_some() != other.held.is_some()
    }
}

fn held(held: &Held) -> String {
    match held {
        Held::Paused(ill) => {
            let offline = ill.values().filter(|ill| **ill == Ill::Offline).count();
            let partitions: Vec<&TopicPartition> = ill.keys().collect();
            format!(
                "paused: {} below min ISR, {offline} offline, that were not so at the start: {}; \
                 --pause-on none goes on",
                ill.len() - offline,
                some(&partitions)
            )
        }
        Held::OtherTools(partitions) => {
            let partitions: Vec<&TopicPartition> = partitions.iter().collect();
            format!("waits for the moves of other tools: {}", some(&partitions))
        }
        Held::Stuck(seconds) => {
            format!("waits for brokers to return, or for room, since {seconds} s")
        }
    }
}

fn some(partitions: &[&TopicPartition]) -> String {
    const FEW: usize = 3;
    let names: Vec<String> = partitions.iter().take(FEW).map(ToString::to_string).collect();
    let more = partitions.len().saturating_sub(FEW);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.join(", ") + &more
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {} of {} done, {} moving",
            self.at, self.done, self.partitions, self.moving
        )?;
        if self.left_out > 0 {
            write!(f, ", {} left out", self.left_out)?;
        }
        if self.bytes.0 > 0 {
            write!(f, "; {} of {}", self.copied_bytes, self.bytes)?;
        }
        if let (Some(rate), Some(left)) = (self.bytes_per_second, self.left_seconds) {
            write!(f, ", {}/s, {} left", Bytes(rate), duration(left))?;
        }
        match &self.held {
            Some(held) => writeln!(f, "; {held}"),
            None => writeln!(f),
        }
    }
}

/// How it ended.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    event: &'static str,
    outcome: &'static str,
    partitions: usize,
    done: usize,
    moving: usize,
    took_seconds: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    troubles: Vec<Trouble>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_cancelled: Vec<Trouble>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    strays: Vec<Stray>,
    /// Nothing of ours is set in the cluster any more.
    throttle_restored: bool,
}

impl Summary {
    pub(crate) fn of(plan: &Plan, ended: &Ended) -> Self {
        let refused = ended.history.not_cancelled.iter().filter_map(|(index, problem)| {
            let partition = plan.moves.get(*index)?.of().to_string();
            Some(Trouble { partition, what: format!("Kafka does not cancel it: {problem}") })
        });
        let left = matches!(ended.why, Why::Left(_));
        Self {
            event: "ended",
            outcome: outcome(ended.why),
            partitions: plan.moves.len(),
            done: ended.round.course.count(|standing| *standing == Standing::Done),
            moving: ended.round.course.count(|standing| *standing == Standing::Moving),
            took_seconds: ended.took.as_secs(),
            // Who leaves does not know what would have come.
            troubles: if left { Vec::new() } else { troubles(plan, &ended.round) },
            not_cancelled: refused.collect(),
            strays: ended.round.strays.clone(),
            throttle_restored: ended.clean,
        }
    }
}

fn outcome(why: Why) -> &'static str {
    match why {
        Why::Over(Outcome::Complete) => "complete",
        Why::Over(Outcome::Partly) => "partly",
        Why::Over(Outcome::LeftOut) => "left_out",
        Why::Over(Outcome::Cancelled) => "cancelled",
        Why::Over(Outcome::CancelledPartly) => "cancelled_partly",
        Why::Over(Outcome::HeldByOthers) => "held_by_others",
        Why::Left(_) => "detached",
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self.outcome {
            "complete" => "Done: the cluster is as the plan says.",
            "partly" => "Done in part: the rest waits, and can be resumed.",
            "left_out" => "Ended: some partitions were left out.",
            "cancelled" => "Cancelled: nothing is in flight.",
            "cancelled_partly" => "Cancelled in part: what Kafka does not cancel goes on.",
            "held_by_others" => "Not begun: other tools are moving replicas.",
            _ if self.throttle_restored => "Left: nothing was in flight.",
            _ => "Left: moves and throttle go on without this process.",
        };
        writeln!(f, "{said}")?;
        writeln!(
            f,
            "  partitions  {} of {} done, {} moving",
            self.done, self.partitions, self.moving
        )?;
        writeln!(f, "  took        {}", duration(self.took_seconds))?;
        let throttle = if self.throttle_restored { "as before" } else { "still set" };
        writeln!(f, "  throttle    {throttle}")?;
        shown(f, &self.troubles, "Not as planned")?;
        shown(f, &self.not_cancelled, "Not cancelled")?;
        let strays: Vec<String> = self.strays.iter().map(stray).collect();
        shown(f, &strays, "Configs left as they are")
    }
}

fn stray(stray: &Stray) -> String {
    match stray {
        Stray::UnknownOwner { setting, value } => {
            format!("{setting}: {value}, set by nobody knows whom while moves ran")
        }
        Stray::ChangedByOthers { setting, value } => {
            let value = value.as_deref().unwrap_or("nothing");
            format!("{setting}: {value}, set by somebody else since")
        }
        Stray::Unreachable { setting } => {
            format!("{setting}: ours, but the broker does not answer; --resume puts it back")
        }
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

/// How far an execution is, for whoever asks from outside.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView {
    #[serde(flatten)]
    progress: Progress,
    /// Whether a process on this machine is at it, or how it ended.
    execution: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    troubles: Vec<Trouble>,
    /// Running moves that are not the plan's.
    other_moves: Vec<TopicPartition>,
    /// Configs that are to be put back.
    held_configs: Vec<String>,
}

impl StatusView {
    pub(crate) fn of(
        task: &Task<'_>,
        look: &Look,
        round: &Round,
        history: &History,
        ledger: &Ledger,
        runs: bool,
    ) -> Self {
        let by = ledger.last_owner().filter(|_| runs).map(str::to_owned);
        Self {
            progress: Progress::of(task, look, round),
            execution: match (runs, history.plan.is_some(), history.finished) {
                (true, _, _) => "running",
                (false, _, Some(outcome)) => self::outcome(Why::Over(outcome)),
                (false, true, None) => "interrupted",
                (false, false, None) => "not_begun",
            },
            by,
            troubles: troubles(task.plan, round),
            other_moves: round.course.foreign.iter().cloned().collect(),
            held_configs: ledger.held().map(|(setting, _)| setting.to_string()).collect(),
        }
    }
}

impl fmt::Display for StatusView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "execution   {}", self.execution.replace('_', " "))?;
        match &self.by {
            Some(by) => writeln!(f, ", by {by}")?,
            None => writeln!(f)?,
        }
        let Progress { done, partitions, moving, waiting, left_out, .. } = &self.progress;
        writeln!(
            f,
            "partitions  {done} of {partitions} done, {moving} moving, {waiting} to come, {left_out} left out"
        )?;
        writeln!(f, "bytes       {} of {}", self.progress.copied_bytes, self.progress.bytes)?;
        writeln!(
            f,
            "throttle    {} set by executions",
            counted(self.held_configs.len(), "config")
        )?;
        shown(f, &self.troubles, "Not as planned")?;
        shown(f, &self.other_moves, "Moved by other tools")
    }
}
