//! When brokers and their volumes are full, from recorded snapshots.
//!
//! In: a cluster, and recorded snapshots of it with sizes and rates. Out: how each topic grows in the days to come, and from
//! that each broker and volume, with an interval that holds the truth in eight of ten cases.
//!
//! The model: what producers write on a day is a weekday's share of a week, and weeks lie on a line. Written data leaves
//! after `retention.ms`, so growth ends where retention begins. A topic without such retention (compaction,
//! `retention.ms=-1`) goes on growing as its size did. Partitions keep their shares of a topic.

mod topic;

use crate::bytes::Bytes;
use crate::ids::BrokerId;
use crate::snapshot::{Broker, Partition, Snapshot, SnapshotError, Topic};
use serde::Serialize;
use std::collections::BTreeMap;
use topic::{Day, Retention, TopicGrowth};

/// Forecasts reach this far. Later, only the direction is worth knowing.
pub const HORIZON_DAYS: usize = 30;
/// The least time that records span for a forecast: a shorter one does not tell one day from another.
pub const FORECAST_HOURS: i64 = 48;
/// Kafka's default of `log.retention.hours`: what a topic without `retention.ms` is taken to have.
const DEFAULT_RETENTION_DAYS: f64 = 7.0;
/// Eight of ten values of a normal distribution are within this many standard deviations.
const EIGHT_OF_TEN: f64 = 1.281_551_6;

/// Sizes and rates of topics, day by day.
#[derive(Debug)]
pub struct StorageHistory {
    newest_hour: i64,
    /// By topic, the newest day first.
    days: BTreeMap<String, Vec<Day>>,
}

/// One record of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicRecord {
    /// Its hour since 1970.
    pub hour: i64,
    /// What producers wrote, in bytes per second; `None`: the rate of a partition is unknown.
    pub bytes_in: Option<u64>,
    /// The bytes of one replica of each partition; `None`: a size is unknown.
    pub size: Option<u64>,
}

impl TopicRecord {
    /// Of a topic in a snapshot that was taken in this hour.
    pub fn of(hour: i64, topic: &Topic) -> Self {
        let rate = |partition: &Partition| partition.facts.as_deref().and_then(|it| it.bytes_in);
        Self { hour, bytes_in: sum(topic, rate), size: size(topic) }
    }
}

/// A cluster in the days to come.
#[derive(Debug)]
pub struct StorageForecast<'c> {
    cluster: &'c Snapshot,
    /// In the order of the cluster's topics; `None`: no record has the topic.
    topics: Vec<Option<TopicGrowth>>,
    /// Topics that are taken to have Kafka's default retention, because they set none.
    pub assumed_retention: usize,
}

/// A broker, or one of its volumes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiskForecast {
    /// The broker.
    pub broker: BrokerId,
    /// The log dirs of the volume; empty: the broker as a whole.
    #[serde(rename = "log_dirs", skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Its size.
    #[serde(rename = "total_bytes")]
    pub total: Bytes,
    /// The bytes on it now, also those that are not Kafka's.
    #[serde(rename = "used_bytes")]
    pub used: Bytes,
    /// The bytes on it in a week.
    #[serde(rename = "used_in_a_week_bytes")]
    pub used_in_a_week: Bytes,
    /// The days until it is full; `None`: later than [`HORIZON_DAYS`].
    #[serde(rename = "full_in_days", skip_serializing_if = "Option::is_none")]
    pub full: Option<u32>,
    /// The same at the early end of the interval.
    #[serde(rename = "full_in_days_earliest", skip_serializing_if = "Option::is_none")]
    pub full_earliest: Option<u32>,
    /// The same at the late end of the interval.
    #[serde(rename = "full_in_days_latest", skip_serializing_if = "Option::is_none")]
    pub full_latest: Option<u32>,
}

impl StorageHistory {
    /// Without records. `newest_hour`: hours since 1970 of the newest record that will be seen.
    pub fn until(newest_hour: i64) -> Self {
        Self { newest_hour, days: BTreeMap::new() }
    }

    /// Adds a record: a snapshot of the cluster, taken in this hour since 1970.
    pub fn see(&mut self, hour: i64, record: &Snapshot) {
        for topic in record.topics() {
            self.see_topic(&topic.name, &[TopicRecord::of(hour, topic)]);
        }
    }

    /// Adds records of one topic.
    pub fn see_topic(&mut self, name: &str, records: &[TopicRecord]) {
        let days = self.days.entry(name.to_owned()).or_default();
        for record in records {
            let ago = (self.newest_hour - record.hour).div_euclid(24);
            let Ok(ago) = usize::try_from(ago) else { continue };
            if days.len() <= ago {
                days.resize(ago + 1, Day::default());
            }
            let day = &mut days[ago];
            if let Some(rate) = record.bytes_in {
                day.rates = day.rates.saturating_add(rate);
                day.records += 1;
            }
            if let Some(size) = record.size
                && day.size.is_none_or(|(known, _)| known < record.hour)
            {
                day.size = Some((record.hour, size));
            }
        }
    }

    /// How the cluster goes on.
    pub fn forecast<'c>(&self, cluster: &'c Snapshot) -> StorageForecast<'c> {
        let mut assumed_retention = 0;
        let topics = cluster.topics().iter().map(|topic| {
            let days = self.days.get(&topic.name)?;
            let size = size(topic)?;
            let (retention, assumed) = retention(topic);
            assumed_retention += usize::from(assumed);
            let most = config(topic, "retention.bytes").filter(|bytes| *bytes >= 0);
            let most = most.map(|bytes| bytes as f64 * topic.partitions.len() as f64);
            Some(TopicGrowth::of(days, size as f64, retention, most))
        });
        let topics = topics.collect();
        StorageForecast { cluster, topics, assumed_retention }
    }
}

fn sum(topic: &Topic, of: impl Fn(&Partition) -> Option<u64>) -> Option<u64> {
    topic
        .partitions
        .iter()
        .try_fold(0_u64, |sum, partition| Some(sum.saturating_add(of(partition)?)))
}

/// The bytes of one replica of each partition, if all are known.
fn size(topic: &Topic) -> Option<u64> {
    sum(topic, |partition| partition.size.map(|size| size.0))
}

fn config(topic: &Topic, key: &str) -> Option<i64> {
    topic.config.get(key)?.parse().ok()
}

/// How long the topic keeps data on brokers, and whether that is only assumed. A tiered topic keeps it for
/// `local.retention.ms` (KIP-405; -2: as long as `retention.ms`).
fn retention(topic: &Topic) -> (Retention, bool) {
    let policy = topic.config.get("cleanup.policy").map_or("delete", String::as_str);
    if !policy.split(',').any(|policy| policy.trim() == "delete") {
        return (Retention::Unlimited, false);
    }
    let local = config(topic, "local.retention.ms").filter(|ms| topic.is_tiered() && *ms != -2);
    match local.or_else(|| config(topic, "retention.ms")) {
        Some(ms @ 0..) => (Retention::Days(ms as f64 / 86_400_000.0), false),
        Some(_) => (Retention::Unlimited, false),
        None => (Retention::Days(DEFAULT_RETENTION_DAYS), true),
    }
}

/// The growth of what is on one disk.
#[derive(Debug, Clone)]
struct DiskGrowth {
    bytes: [f64; HORIZON_DAYS + 1],
    residuals: Vec<f64>,
    fitted: usize,
    /// Sums of variances, each weighted by the bytes of its topic's replicas, and the sum of the weights.
    variance: [f64; HORIZON_DAYS + 1],
    weight: f64,
}

impl Default for DiskGrowth {
    fn default() -> Self {
        let zero = [0.0; HORIZON_DAYS + 1];
        Self { bytes: zero, residuals: Vec::new(), fitted: 1, variance: zero, weight: 0.0 }
    }
}

impl DiskGrowth {
    fn add(&mut self, growth: &TopicGrowth, share: f64, bytes: f64) {
        for (sum, more) in self.bytes.iter_mut().zip(&growth.bytes) {
            *sum += share * more;
        }
        if self.residuals.len() < growth.residuals.len() {
            self.residuals.resize(growth.residuals.len(), 0.0);
        }
        for (sum, more) in self.residuals.iter_mut().zip(&growth.residuals) {
            *sum += share * more;
        }
        for (sum, variance) in self.variance.iter_mut().zip(&growth.variance) {
            *sum += bytes * variance;
        }
        self.fitted = self.fitted.max(growth.fitted);
        self.weight += bytes;
    }

    /// Half of the interval at the end of a day: each day varies by itself, and the level of all days is not known exactly.
    fn margin(&self, day: usize) -> f64 {
        let free = self.residuals.len().saturating_sub(self.fitted);
        if free == 0 || self.weight <= 0.0 {
            return 0.0;
        }
        let squares: f64 = self.residuals.iter().map(|it| it.powi(2)).sum();
        EIGHT_OF_TEN * (squares / free as f64 * self.variance[day] / self.weight).sqrt()
    }

    /// The first day on which so much has been added.
    fn reaches(&self, free: f64, sign: f64) -> Option<u32> {
        let day = (0..=HORIZON_DAYS).find(|day| {
            self.bytes[*day] + sign * self.margin(*day) >= free && (free > 0.0 || *day == 0)
        })?;
        u32::try_from(day).ok()
    }
}

impl StorageForecast<'_> {
    /// Every broker without known volumes, and every volume of the others, in order of broker and path.
    pub fn disks(&self) -> Vec<DiskForecast> {
        let growths = self.growths();
        let none = DiskGrowth::default();
        let of = |broker: &Broker| {
            let whole = || (Vec::new(), broker.storage_total.zip(broker.storage_free));
            let volumes = broker.volumes();
            let each = volumes.iter().map(|volume| {
                let paths = volume.paths.iter().map(|path| (*path).to_owned()).collect();
                (paths, Some((volume.total, volume.free)))
            });
            let mut disks: Vec<_> = each.collect();
            if disks.is_empty() {
                disks.push(whole());
            }
            let told = disks.into_iter().enumerate().filter_map(|(at, (paths, sizes))| {
                let (total, free) = sizes?;
                let growth = growths.get(&(broker.id, at)).unwrap_or(&none);
                Some(disk(broker.id, paths, (total, free), growth))
            });
            told.collect::<Vec<_>>()
        };
        self.cluster.brokers().iter().flat_map(of).collect()
    }

    /// The growth of each broker's volumes, by their position.
    fn growths(&self) -> BTreeMap<(BrokerId, usize), DiskGrowth> {
        let mut growths: BTreeMap<(BrokerId, usize), DiskGrowth> = BTreeMap::new();
        let volumes: BTreeMap<BrokerId, BTreeMap<&str, usize>> = self
            .cluster
            .brokers()
            .iter()
            .map(|broker| {
                let volumes = broker.volumes().into_iter().enumerate();
                let paths = volumes.flat_map(|(at, it)| it.paths.into_iter().map(move |p| (p, at)));
                (broker.id, paths.collect())
            })
            .collect();
        let topics = self.cluster.topics().iter().zip(&self.topics);
        for (topic, growth) in topics.filter_map(|(topic, growth)| Some((topic, growth.as_ref()?)))
        {
            let all = size(topic).unwrap_or(0) as f64;
            let mut held: BTreeMap<(BrokerId, usize), f64> = BTreeMap::new();
            for partition in &topic.partitions {
                let size = partition.size.unwrap_or_default().0 as f64;
                let even = 1.0 / topic.partitions.len() as f64;
                let share = if all > 0.0 { size / all } else { even };
                for id in &partition.replicas {
                    let path = topic.log_dir_of(partition, *id);
                    let at = path.and_then(|path| volumes.get(id)?.get(path)).copied();
                    *held.entry((*id, at.unwrap_or(0))).or_default() += share;
                }
            }
            for (disk, share) in held {
                growths.entry(disk).or_default().add(growth, share, share * all);
            }
        }
        growths
    }

    /// The cluster as it will be in so many days, at most [`HORIZON_DAYS`]: sizes, and what is free on its brokers.
    ///
    /// # Errors
    /// [`SnapshotError::Contradictions`] if sizes are beyond all measure.
    pub fn cluster_in(&self, days: usize) -> Result<Snapshot, SnapshotError> {
        let days = days.min(HORIZON_DAYS);
        let growths = self.growths();
        let mut parts = self.cluster.clone().into_parts();
        for broker in &mut parts.brokers {
            let id = broker.id;
            let grown = |at: usize| growths.get(&(id, at)).map_or(0.0, |growth| growth.bytes[days]);
            let volumes: Vec<Vec<String>> = broker
                .volumes()
                .into_iter()
                .map(|volume| volume.paths.into_iter().map(str::to_owned).collect())
                .collect();
            for dir in &mut broker.log_dirs {
                let at = volumes.iter().position(|paths| paths.contains(&dir.path));
                // Full volumes of one size would count as one: a byte or two tells them apart.
                let least = Bytes(at.unwrap_or(0) as u64);
                let free = dir.free.map(|free| less(free, at.map_or(0.0, grown), dir.total));
                dir.free = free.map(|free| free.max(least));
            }
            if volumes.is_empty() {
                let total = broker.storage_total;
                broker.storage_free = broker.storage_free.map(|free| less(free, grown(0), total));
            }
        }
        for (topic, growth) in parts.topics.iter_mut().zip(&self.topics) {
            let Some(growth) = growth else { continue };
            let all = size(topic).unwrap_or(0) as f64;
            let factor = if all > 0.0 { 1.0 + growth.bytes[days] / all } else { 1.0 };
            let scaled = |size: Bytes| bytes(size.0 as f64 * factor);
            for partition in &mut topic.partitions {
                partition.size = partition.size.map(scaled);
                let Some(facts) = partition.facts.as_deref_mut() else { continue };
                facts.rare.edit(|rare| rare.copied = rare.copied.map(scaled));
                facts.replica_sizes.iter_mut().for_each(|size| *size = size.map(scaled));
            }
        }
        Snapshot::new(parts)
    }
}

fn less(free: Bytes, grown: f64, total: Option<Bytes>) -> Bytes {
    let most = total.unwrap_or(Bytes(u64::MAX));
    bytes(free.0 as f64 - grown).min(most)
}

/// Whole bytes, and none below zero.
#[expect(clippy::cast_possible_truncation, reason = "a forecast is not known to the byte")]
fn bytes(value: f64) -> Bytes {
    Bytes(value.max(0.0) as u64)
}

fn disk(
    broker: BrokerId,
    paths: Vec<String>,
    (total, free): (Bytes, Bytes),
    growth: &DiskGrowth,
) -> DiskForecast {
    let (used, room) = (total.0.saturating_sub(free.0), free.0 as f64);
    DiskForecast {
        broker,
        paths,
        total,
        used: Bytes(used),
        used_in_a_week: bytes(used as f64 + growth.bytes[7]),
        full: growth.reaches(room, 0.0),
        full_earliest: growth.reaches(room, 1.0),
        full_latest: growth.reaches(room, -1.0),
    }
}

#[cfg(test)]
mod tests;
