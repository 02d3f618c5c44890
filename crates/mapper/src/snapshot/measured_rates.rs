//! A snapshot with measured rates.

use super::{PartitionFacts, Parts, Snapshot, SnapshotError};
use crate::bytes::Rate;
use crate::cpu_model::CpuModel;
use crate::ids::TopicPartition;
use serde::Serialize;
use std::collections::BTreeMap;

/// What producers write to a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducedRate {
    /// Bytes, as they are in the log.
    pub bytes: Rate,
    /// Records in each second; `None`: the leader did not report offsets.
    pub records: Option<u64>,
}

/// Why the rates of a partition are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmeasured {
    /// It did not exist, or had no leader, in each look.
    NotLedThroughout,
    /// Its leadership moved: clients were interrupted, and two brokers' logs differ in size.
    LeaderChanged,
    /// Its leader did not report the size of its log twice.
    NoSize,
    /// Its log lost segments or records in each interval.
    LogCut,
}

impl Unmeasured {
    /// The reason in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotLedThroughout => "without a leader, or new",
            Self::LeaderChanged => "its leader changed",
            Self::NoSize => "its leader did not report the size of its log",
            Self::LogCut => "segments of its log were deleted all the time",
        }
    }
}

/// What producers write to each partition, or why it is unknown.
pub type MeasuredRates = BTreeMap<TopicPartition, Result<ProducedRate, Unmeasured>>;

/// The partitions of a snapshot whose rates are unknown for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmeasuredPartitions {
    /// The reason.
    pub why: Unmeasured,
    /// Their number.
    pub partitions: usize,
    /// The first of them.
    pub first: TopicPartition,
}

impl Snapshot {
    /// Whether the rate of producers is known for any partition.
    pub fn has_rates(&self) -> bool {
        let partitions = self.topics().iter().flat_map(|topic| &topic.partitions);
        partitions.filter_map(|one| one.facts.as_ref()).any(|facts| facts.bytes_in.is_some())
    }

    /// The cluster with this model of what brokers' CPU is spent on, or without one.
    ///
    /// # Errors
    /// [`SnapshotError::Contradictions`] if the sum of all costs is beyond all measure.
    pub fn with_cpu_model(self, cpu_model: Option<CpuModel>) -> Result<Self, SnapshotError> {
        Self::new(Parts { cpu_model, ..self.parts })
    }

    /// The cluster with these rates of producers, and its partitions without a rate, by reason. An unknown rate stays
    /// absent.
    ///
    /// # Errors
    /// [`SnapshotError::Contradictions`] if the sum of all rates is beyond all measure.
    pub fn with_rates(
        self,
        rates: &MeasuredRates,
    ) -> Result<(Self, Vec<UnmeasuredPartitions>), SnapshotError> {
        let mut unmeasured: BTreeMap<Unmeasured, UnmeasuredPartitions> = BTreeMap::new();
        let mut parts = self.parts;
        for topic in &mut parts.topics {
            for partition in &mut topic.partitions {
                let of = TopicPartition { topic: topic.name.clone(), partition: partition.id };
                // A partition that no look has seen is newer than the last one.
                match rates.get(&of).copied().unwrap_or(Err(Unmeasured::NotLedThroughout)) {
                    Ok(rate) => {
                        let facts: &mut PartitionFacts = partition.facts.get_or_insert_default();
                        (facts.bytes_in, facts.records_in) = (Some(rate.bytes.0), rate.records);
                    }
                    Err(why) => {
                        let none = UnmeasuredPartitions { why, partitions: 0, first: of };
                        unmeasured.entry(why).or_insert(none).partitions += 1;
                    }
                }
            }
        }
        Ok((Self::new(parts)?, unmeasured.into_values().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartitionId;

    #[test]
    fn an_unknown_rate_stays_absent_and_is_counted() {
        let text = br#"{"version": 1, "brokers": [{"id": 1}], "topics": [{"name": "t", "partitions": [
            {"id": 0, "replicas": [1]}, {"id": 1, "replicas": [1]}, {"id": 2, "replicas": [1]}, {"id": 3, "replicas": [1]}]}]}"#;
        let before = Snapshot::from_json(text).unwrap();
        let of = |id| TopicPartition { topic: "t".to_owned(), partition: PartitionId(id) };
        let rate = |bytes, records| Ok(ProducedRate { bytes: Rate(bytes), records });
        let rates: MeasuredRates = [
            (of(0), rate(0, Some(0))),
            (of(1), Err(Unmeasured::LeaderChanged)),
            (of(2), rate(9, None)),
        ]
        .into();
        let (after, unmeasured) = before.clone().with_rates(&rates).unwrap();
        let found = |id| {
            let facts = after.partition("t", PartitionId(id)).unwrap().facts.as_deref();
            facts.map(|facts| (facts.bytes_in, facts.records_in))
        };
        assert_eq!(found(0), Some((Some(0), Some(0))));
        assert_eq!((found(1), found(3)), (None, None));
        assert_eq!(found(2), Some((Some(9), None)));
        let whys: Vec<_> = unmeasured.iter().map(|u| (u.why, u.partitions, &u.first)).collect();
        let expected =
            [(Unmeasured::NotLedThroughout, 1, &of(3)), (Unmeasured::LeaderChanged, 1, &of(1))];
        assert_eq!(whys, expected);
        assert_eq!(after.hash(), before.hash(), "traffic is not part of the hash");
        let mut written = Vec::new();
        after.write_json(&mut written).unwrap();
        assert_eq!(Snapshot::from_json(&written).unwrap(), after);
    }
}
