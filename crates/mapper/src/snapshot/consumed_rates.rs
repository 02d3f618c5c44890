//! A snapshot with what consumers read.
//!
//! Kafka counts it for each topic and leader, not for each partition. So the rate of a topic is shared over the partitions
//! that the broker leads, in proportion to what producers write to them, because consumers read what is written.

use super::{Leader, Partition, Snapshot, SnapshotError, Topic};
use crate::bytes::Rate;
use crate::ids::BrokerId;
use std::collections::BTreeMap;

/// What consumers read of each topic from each broker that tells it. A topic that a broker does not name is not read there.
pub type ConsumedRates = BTreeMap<BrokerId, BTreeMap<String, Rate>>;

impl Snapshot {
    /// The cluster with what consumers read of each partition, where its leader tells that. Known rates stay.
    ///
    /// # Errors
    /// [`SnapshotError::Contradictions`] if the sum of all rates is beyond all measure.
    pub fn with_consumed(self, rates: &ConsumedRates) -> Result<Self, SnapshotError> {
        let mut parts = self.parts;
        parts.topics.iter_mut().for_each(|topic| share(topic, rates));
        Self::new(parts)
    }

    /// The partitions of which it is known what consumers read.
    pub fn with_known_consumers(&self) -> usize {
        let partitions = self.topics().iter().flat_map(|topic| &topic.partitions);
        partitions.filter(|one| one.facts.as_ref().is_some_and(|f| f.bytes_out.is_some())).count()
    }
}

/// What producers write to partitions of one leader, and their number.
#[derive(Default, Clone, Copy)]
struct LedPart {
    bytes_in: u64,
    partitions: u64,
}

fn share(topic: &mut Topic, rates: &ConsumedRates) {
    let mut led: BTreeMap<BrokerId, LedPart> = BTreeMap::new();
    for partition in &topic.partitions {
        if let Leader::Broker(leader) = partition.leader() {
            let all = led.entry(leader).or_default();
            all.bytes_in = all.bytes_in.saturating_add(written(partition).unwrap_or(0));
            all.partitions += 1;
        }
    }
    // If what producers write is unknown for one, the others would get its part.
    let is_rated = topic.partitions.iter().all(|partition| written(partition).is_some());
    for partition in &mut topic.partitions {
        let Leader::Broker(leader) = partition.leader() else { continue };
        let Some(topics) = rates.get(&leader) else { continue };
        let all = led.get(&leader).copied().unwrap_or_default();
        let rate = topics.get(&topic.name).map_or(0, |rate| rate.0);
        let (part, whole) = match is_rated && all.bytes_in > 0 {
            true => (written(partition).unwrap_or(0), all.bytes_in),
            false => (1, all.partitions.max(1)),
        };
        let own = u128::from(rate) * u128::from(part) / u128::from(whole);
        let facts = partition.facts.get_or_insert_default();
        facts.bytes_out = facts.bytes_out.or(u64::try_from(own).ok());
    }
}

fn written(partition: &Partition) -> Option<u64> {
    partition.facts.as_ref()?.bytes_in
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broker 1 leads the first three partitions, broker 2 the next one, and none the last one.
    fn shared(rates: [&str; 5]) -> Vec<Option<u64>> {
        let leaders = ["1", "1", "1", "2", "-1"];
        let partition = |(id, leader): (usize, &str)| {
            format!(r#"{{"id": {id}, "replicas": [1, 2], "leader": {leader}{}}}"#, rates[id])
        };
        let partitions: Vec<String> = leaders.into_iter().enumerate().map(partition).collect();
        let partitions = partitions.join(",");
        let text = format!(
            r#"{{"version": 1, "brokers": [{{"id": 1}}, {{"id": 2}}], "topics": [{{"name": "t", "partitions": [{partitions}]}}]}}"#
        );
        let of = |topic: &str| BTreeMap::from([(topic.to_owned(), Rate(1_000))]);
        let rates = ConsumedRates::from([(BrokerId(1), of("t")), (BrokerId(2), of("other"))]);
        let snapshot = Snapshot::from_json(text.as_bytes()).unwrap().with_consumed(&rates).unwrap();
        let partitions = &snapshot.topics()[0].partitions;
        assert_eq!(snapshot.with_known_consumers(), 4, "all but the one without a leader");
        partitions.iter().map(|one| one.facts.as_ref()?.bytes_out).collect()
    }

    const IN: [&str; 5] = [
        r#", "bytes_in_per_second": 100"#,
        r#", "bytes_in_per_second": 300"#,
        r#", "bytes_in_per_second": 0"#,
        r#", "bytes_in_per_second": 50"#,
        r#", "bytes_in_per_second": 0"#,
    ];

    #[test]
    fn consumers_read_what_producers_write() {
        assert_eq!(shared(IN), [Some(250), Some(750), Some(0), Some(0), None]);
    }

    #[test]
    fn without_all_rates_of_producers_partitions_are_alike() {
        let some = [IN[0], IN[1], "", IN[3], IN[4]];
        assert_eq!(shared(some), [Some(333), Some(333), Some(333), Some(0), None]);
        assert_eq!(shared([""; 5]), [Some(333), Some(333), Some(333), Some(0), None]);
        let known = [r#", "bytes_out_per_second": 7"#, "", "", "", ""];
        assert_eq!(shared(known)[0], Some(7), "what is known stays");
    }
}
