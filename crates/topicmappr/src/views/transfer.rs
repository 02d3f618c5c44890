//! What a plan copies, how close that is to the least possible, and how long it takes.

use super::nothing;
use local::words::{counted, duration};
use mapper::{BrokerId, Bytes, LeastExposure, Plan, Rate, Snapshot};
use serde::Serialize;
use std::fmt;

/// The rates that durations are given for, per broker; Kafka's throttles are in bytes, 1 MB = 10^6.
const RATES: [Rate; 3] = [Rate(10_000_000), Rate(50_000_000), Rate(100_000_000)];
/// The one that the next command suggests.
pub(super) const SUGGESTED_RATE: Rate = RATES[1];

/// A plan's transfer.
#[derive(Debug, Serialize)]
pub(super) struct Transfer {
    partitions: usize,
    replicas: usize,
    /// Replicas that change their volume and stay on their broker.
    #[serde(skip_serializing_if = "is_zero")]
    replicas_between_volumes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_bytes: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound_disk_bytes: Option<Bytes>,
    steps: usize,
    /// Why nothing moves, where nothing does.
    #[serde(skip)]
    nothing: &'static str,
    /// Whether the caller asked for steps.
    #[serde(skip)]
    paced: bool,
    #[serde(rename = "moved_bytes", skip_serializing_if = "Option::is_none")]
    bytes: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound_bytes: Option<Bytes>,
    /// Bytes moved over the bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_over_bound_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_broker: Option<Worst>,
    pub(super) durations: Vec<Duration>,
}

/// How long partitions are at risk, summed over partitions, as a person reads it.
pub(crate) fn at_risk(seconds: u64, below_min_isr: Option<u64>) -> String {
    let below = below_min_isr.map(|time| format!(", {} of it below min ISR", duration(time)));
    let below = below.unwrap_or_default();
    format!("{} below full replication{below}", duration(seconds))
}

/// The broker that has most to copy: it sets the pace.
#[derive(Debug, Clone, Copy, Serialize)]
struct Worst {
    id: BrokerId,
    direction: Direction,
    bytes: Bytes,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    Incoming,
    Outgoing,
}

/// How long the worst broker takes, and how long partitions are at risk at least.
#[derive(Debug, Serialize)]
pub(super) struct Duration {
    rate_bytes_per_second: Rate,
    seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    least_exposure_partition_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    least_below_min_isr_partition_seconds: Option<u64>,
}

impl Transfer {
    pub(super) fn of(plan: &Plan, before: Option<&Snapshot>) -> Self {
        let least = before.map(|before| plan.least_exposure(before)).unwrap_or_default();
        let bytes = plan.bytes_moved();
        let (replicas_between_volumes, disk_bytes) = plan.moved_between_volumes();
        let worst_broker = worst(plan);
        let durations = match (bytes, worst_broker) {
            (Some(Bytes(1..)), Some(worst)) => {
                RATES.map(|rate| Duration::at(rate, worst, least)).into()
            }
            _ => Vec::new(),
        };
        Self {
            partitions: plan.moves.len(),
            replicas: plan.replicas_moved(),
            replicas_between_volumes,
            disk_bytes: Some(disk_bytes).filter(|_| replicas_between_volumes > 0),
            bound_disk_bytes: plan.floor.and_then(|floor| floor.disk_bytes),
            steps: plan.steps.len(),
            nothing: nothing::why(plan),
            paced: !plan.request.terms().pacing.is_default(),
            bytes,
            bound_bytes: plan.bound_bytes,
            bytes_over_bound_ratio: ratio(bytes, plan.bound_bytes),
            worst_broker,
            durations,
        }
    }

    /// The copies inside brokers, if there are any.
    fn between_volumes(&self) -> Option<String> {
        let bytes = self.disk_bytes?;
        let closeness = closeness(Some(bytes), self.bound_disk_bytes);
        Some(format!("{bytes} within brokers: {closeness}"))
    }
}

impl Duration {
    fn at(rate: Rate, worst: Worst, least: LeastExposure) -> Self {
        let least = least.at(rate);
        let below = least.map(|least| least.below_min_isr).filter(|seconds| *seconds > 0);
        Self {
            rate_bytes_per_second: rate,
            seconds: worst.bytes.0.div_ceil(rate.0),
            least_exposure_partition_seconds: least.map(|least| least.below_full_replication),
            least_below_min_isr_partition_seconds: below,
        }
    }
}

fn closeness(bytes: Option<Bytes>, bound: Option<Bytes>) -> String {
    match (bytes, bound, ratio(bytes, bound)) {
        (Some(bytes), Some(bound), _) if bytes == bound => "the least possible".to_owned(),
        (Some(_), Some(bound), Some(ratio)) => {
            format!("{ratio:.3} x the bound of {bound} that no plan can go below")
        }
        (Some(_), Some(_), None) => "the least possible is not known".to_owned(),
        _ => "not every size is known".to_owned(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[expect(clippy::cast_precision_loss, reason = "for display, to a thousandth")]
fn ratio(bytes: Option<Bytes>, bound: Option<Bytes>) -> Option<f64> {
    let (bytes, bound) = (bytes?, bound?);
    (bound.0 > 0).then(|| bytes.0 as f64 / bound.0 as f64)
}

/// Throttles hold for each direction of each broker apart.
fn worst(plan: &Plan) -> Option<Worst> {
    let directions = plan.after.brokers.iter().flat_map(|broker| {
        [(Direction::Incoming, broker.incoming_bytes), (Direction::Outgoing, broker.outgoing_bytes)]
            .map(|(direction, bytes)| Worst { id: broker.id, direction, bytes })
    });
    directions
        .filter(|worst| worst.bytes.0 > 0)
        .max_by_key(|worst| (worst.bytes, std::cmp::Reverse(worst.id)))
}

impl Transfer {
    /// What it comes to: names and values, in the order in which they matter.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        if self.partitions == 0 {
            return vec![("changes", format!("none: {}", self.nothing))];
        }
        let partitions = counted(self.partitions, "partition");
        let replicas = counted(self.replicas, "replica");
        let between = match self.replicas_between_volumes {
            0 => String::new(),
            more => format!(", {more} between volumes"),
        };
        let mut lines = vec![("changes", format!("{partitions}, {replicas} to copy{between}"))];
        let bytes = match self.bytes {
            Some(Bytes(0)) if self.replicas == 0 => "none".to_owned(),
            Some(bytes) => format!("{bytes}: {}", closeness(self.bytes, self.bound_bytes)),
            None => format!("unknown: {}", closeness(self.bytes, self.bound_bytes)),
        };
        lines.push(("bytes", bytes));
        lines.extend(self.between_volumes().map(|text| ("disk bytes", text)));
        if let Some(worst) = self.worst_broker {
            let Worst { id, direction, bytes } = worst;
            let does = match direction {
                Direction::Incoming => "takes in",
                Direction::Outgoing => "gives",
            };
            lines.push(("worst broker", format!("{id} {does} {bytes}")));
        }
        lines.extend(times(&self.durations));
        if self.steps > 1 {
            let why = if self.paced {
                "each within the requested limits and the free space"
            } else {
                "not all copies fit at the same time"
            };
            lines.push(("steps", format!("{}: {why}", self.steps)));
        }
        lines
    }
}

/// How long the copies take, and how long partitions are at risk meanwhile.
pub(super) fn times(durations: &[Duration]) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if !durations.is_empty() {
        let texts: Vec<String> = durations.iter().map(ToString::to_string).collect();
        lines.push(("duration", format!("{}, per broker", texts.join("; "))));
    }
    let suggested = durations.iter().find(|it| it.rate_bytes_per_second == SUGGESTED_RATE);
    if let Some(it) = suggested
        && let Some(seconds) = it.least_exposure_partition_seconds
    {
        let least = at_risk(seconds, it.least_below_min_isr_partition_seconds);
        let rate = it.rate_bytes_per_second.0 / 1_000_000;
        let text = format!("at least {least}, summed over partitions, at {rate} MB/s");
        lines.push(("at risk", text));
    }
    lines
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|(name, value)| writeln!(f, "  {name:<13} {value}"))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = duration(self.seconds);
        write!(f, "{time} at {} MB/s", self.rate_bytes_per_second.0 / 1_000_000)
    }
}
