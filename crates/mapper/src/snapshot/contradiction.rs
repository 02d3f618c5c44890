//! What a snapshot's parts may not say of one another.

use super::{Broker, Leader, Partition, PartitionFacts, Parts, Topic};
use crate::bytes::Bytes;
use crate::ids::{BrokerId, PartitionId, TopicPartition, is_topic_name};
use std::collections::BTreeSet;

/// One place where a snapshot denies itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Two brokers with one id.
    #[error("broker {0} is listed twice")]
    BrokerTwice(BrokerId),
    /// Kafka's ids are 32-bit signed integers.
    #[error("broker id {0} is above 2147483647, the largest that Kafka knows")]
    BrokerIdTooLarge(BrokerId),
    /// A broker has more room than space.
    #[error("broker {broker} has {free} free of {total}")]
    MoreFreeThanTotal {
        /// The broker.
        broker: BrokerId,
        /// What it says is free.
        free: Bytes,
        /// What it says is there.
        total: Bytes,
    },
    /// One broker names a log dir twice.
    #[error("broker {broker} lists log dir {path} twice")]
    LogDirTwice {
        /// The broker.
        broker: BrokerId,
        /// The path.
        path: String,
    },
    /// Two topics with one name.
    #[error("topic {0} is listed twice")]
    TopicTwice(String),
    /// A name that Kafka does not take.
    #[error("{0:?} is no name of a topic: 1 to 249 letters, digits, dots, _ and -")]
    TopicMisnamed(String),
    /// Numbers that cannot be added up.
    #[error("its {what} come to more than {MOST} {unit}")]
    TooMuch {
        /// Which numbers.
        what: &'static str,
        /// Their unit.
        unit: &'static str,
    },
    /// A list that no broker could serve.
    #[error("partition {partition} lists {found} replicas in one list, more than {MOST_REPLICAS}")]
    TooManyReplicas {
        /// The partition.
        partition: TopicPartition,
        /// The length of the list.
        found: usize,
    },
    /// A topic without a name.
    #[error("a topic has an empty name")]
    TopicUnnamed,
    /// Two partitions with one number.
    #[error("partition {0} is listed twice")]
    PartitionTwice(TopicPartition),
    /// No replica at all.
    #[error("partition {0} has no replicas")]
    NoReplicas(TopicPartition),
    /// A replica list names a broker twice.
    #[error("partition {partition} lists broker {broker} twice among its {list}")]
    ReplicaTwice {
        /// The partition.
        partition: TopicPartition,
        /// The broker.
        broker: BrokerId,
        /// Which list.
        list: &'static str,
    },
    /// A list or the leader names a broker that holds no replica.
    #[error("partition {partition} names broker {broker} as {role}, but it holds no replica")]
    NotAReplica {
        /// The partition.
        partition: TopicPartition,
        /// The broker.
        broker: BrokerId,
        /// What it is said to be: `in sync`, `leader`, `offline`, `adding`.
        role: &'static str,
    },
    /// What is being removed still stands in the target list.
    #[error("partition {partition} is losing broker {broker}, which still stands in its replicas")]
    RemovingButListed {
        /// The partition.
        partition: TopicPartition,
        /// The broker.
        broker: BrokerId,
    },
    /// A list that goes along with the replicas has another length.
    #[error("partition {partition} has {replicas} replicas, but {found} {list}")]
    Length {
        /// The partition.
        partition: TopicPartition,
        /// How many replicas it has.
        replicas: usize,
        /// How many entries the list has.
        found: usize,
        /// Which list.
        list: &'static str,
    },
}

/// The most that sizes, disks, rates or CPU of a cluster may come to: an exbibyte, ten times the largest clusters. Planners
/// multiply sums by small numbers, which must not overflow.
const MOST: u64 = 1 << 60;

/// The most replicas that one partition may have. Clusters have three, or one on each broker at most; lists are searched
/// from end to end, so that the cost grows with the square of this.
const MOST_REPLICAS: usize = 500;

/// What the brokers contradict, and topics of one another, in parts that are already in order.
pub(super) fn around(parts: &Parts) -> Vec<Contradiction> {
    let mut found = Vec::new();
    brokers(&parts.brokers, &mut found);
    for pair in parts.topics.windows(2) {
        if pair[0].name == pair[1].name {
            found.push(Contradiction::TopicTwice(pair[0].name.clone()));
        }
    }
    let sums = [
        ("disks", "bytes", disks(parts)),
        ("replicas", "bytes", replicas(parts)),
        ("rates", "bytes", rates(parts)),
        ("costs of CPU", "nanocores", cpu(parts)),
    ];
    let too_much = sums.into_iter().filter(|(.., sum)| *sum > MOST.into());
    found.extend(too_much.map(|(what, unit, _)| Contradiction::TooMuch { what, unit }));
    found
}

fn disks(parts: &Parts) -> u128 {
    let most = |total: Option<Bytes>, free: Option<Bytes>| {
        u128::from(total.max(free).map_or(0, |bytes| bytes.0))
    };
    let of = |broker: &Broker| {
        let dirs: u128 = broker.log_dirs.iter().map(|dir| most(dir.total, dir.free)).sum();
        dirs.max(most(broker.storage_total, broker.storage_free))
    };
    parts.brokers.iter().map(of).sum()
}

fn replicas(parts: &Parts) -> u128 {
    let of = |partition: &Partition| {
        let own = partition.facts.iter().flat_map(|facts| facts.replica_sizes.iter().flatten());
        let own: u128 = own.map(|size| u128::from(size.0)).sum();
        let all =
            u128::from(partition.size.map_or(0, |size| size.0)) * partition.replicas.len() as u128;
        own.max(all)
    };
    parts.topics.iter().flat_map(|topic| &topic.partitions).map(of).sum()
}

fn rates(parts: &Parts) -> u128 {
    let of = |partition: &Partition| {
        let facts = partition.facts.as_deref();
        let rate =
            |of: fn(&PartitionFacts) -> Option<u64>| u128::from(facts.and_then(of).unwrap_or(0));
        rate(|facts| facts.bytes_in) * partition.replicas.len() as u128
            + rate(|facts| facts.bytes_out)
    };
    let cards = parts.brokers.iter().filter_map(|broker| broker.network_bytes_per_second);
    let told: u128 = parts.topics.iter().flat_map(|topic| &topic.partitions).map(of).sum();
    told + cards.map(u128::from).sum::<u128>()
}

/// What all replicas take at most, by the model, and what brokers have.
fn cpu(parts: &Parts) -> u128 {
    let cores = parts.brokers.iter().filter_map(|broker| broker.cpu_nanocores);
    let cores: u128 = cores.map(u128::from).sum();
    let Some(model) = &parts.cpu_model else { return cores };
    let of = |partition: &Partition| {
        let facts = partition.facts.as_deref();
        let cost = |rate: Option<u64>, each: u64| {
            u128::from(rate.unwrap_or(0)).saturating_mul(each.into())
        };
        let replicas = partition.replicas.len() as u128;
        // Each replica receives what producers write, and all but one are sent it.
        let written = cost(facts.and_then(|facts| facts.bytes_in), model.picoseconds_per_byte);
        let read = cost(facts.and_then(|facts| facts.bytes_out), model.picoseconds_per_byte);
        let bytes = written.saturating_mul(2 * replicas).saturating_add(read) / 1_000;
        let records = cost(facts.and_then(|facts| facts.records_in), model.nanoseconds_per_record);
        let all = bytes.saturating_add(records);
        all.saturating_add(replicas * u128::from(model.nanocores_per_replica))
    };
    let partitions = parts.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(of).fold(cores, u128::saturating_add)
}

fn brokers(brokers: &[Broker], found: &mut Vec<Contradiction>) {
    for pair in brokers.windows(2) {
        if pair[0].id == pair[1].id {
            found.push(Contradiction::BrokerTwice(pair[0].id));
        }
    }
    for broker in brokers {
        if i32::try_from(broker.id.0).is_err() {
            found.push(Contradiction::BrokerIdTooLarge(broker.id));
        }
        let dirs = broker.log_dirs.iter().map(|dir| (dir.total, dir.free));
        for sizes in dirs.chain([(broker.storage_total, broker.storage_free)]) {
            if let (Some(total), Some(free)) = sizes
                && free > total
            {
                found.push(Contradiction::MoreFreeThanTotal { broker: broker.id, free, total });
            }
        }
        let mut paths = BTreeSet::new();
        for dir in &broker.log_dirs {
            if !paths.insert(dir.path.as_str()) {
                let path = dir.path.clone();
                found.push(Contradiction::LogDirTwice { broker: broker.id, path });
            }
        }
    }
}

/// What a topic whose partitions are already in order contradicts of itself.
pub(super) fn within(topic: &Topic, found: &mut Vec<Contradiction>) {
    if topic.name.is_empty() {
        found.push(Contradiction::TopicUnnamed);
    } else if !is_topic_name(&topic.name) {
        found.push(Contradiction::TopicMisnamed(topic.name.clone()));
    }
    let name = |id: PartitionId| TopicPartition { topic: topic.name.clone(), partition: id };
    for pair in topic.partitions.windows(2) {
        if pair[0].id == pair[1].id {
            found.push(Contradiction::PartitionTwice(name(pair[0].id)));
        }
    }
    for partition in &topic.partitions {
        let longest = longest(partition);
        if longest > MOST_REPLICAS {
            let partition = name(partition.id);
            found.push(Contradiction::TooManyReplicas { partition, found: longest });
            continue;
        }
        if partition.replicas.is_empty() {
            found.push(Contradiction::NoReplicas(name(partition.id)));
        }
        if let Some(broker) = repeated(&partition.replicas) {
            let partition = name(partition.id);
            found.push(Contradiction::ReplicaTwice { partition, broker, list: "replicas" });
        }
        if let Some(facts) = &partition.facts {
            related(partition, facts, &|| name(partition.id), found);
        }
    }
}

/// The length of the longest list of a partition.
fn longest(partition: &Partition) -> usize {
    let told = partition.facts.as_deref().map(|facts| {
        let isr = facts.isr.as_ref().map_or(0, |isr| isr.len());
        let rare = &facts.rare;
        let lists = [&rare.offline, &rare.elr, &rare.last_known_elr, &rare.adding, &rare.removing];
        lists.map(|list| list.len()).into_iter().chain([isr]).max().unwrap_or(0)
    });
    partition.replicas.len().max(told.unwrap_or(0))
}

/// The lists that go along with the replica list.
fn related(
    partition: &Partition,
    facts: &PartitionFacts,
    name: &dyn Fn() -> TopicPartition,
    found: &mut Vec<Contradiction>,
) {
    let held = |id: &BrokerId| partition.replicas.contains(id) || facts.rare.removing.contains(id);
    let mut expect_held = |list: &[BrokerId], role: &'static str| {
        for broker in list.iter().filter(|id| !held(id)) {
            found.push(Contradiction::NotAReplica { partition: name(), broker: *broker, role });
        }
        if let Some(broker) = repeated(list) {
            found.push(Contradiction::ReplicaTwice { partition: name(), broker, list: role });
        }
    };
    expect_held(facts.isr.as_deref().unwrap_or_default(), "in sync");
    expect_held(&facts.rare.offline, "offline");
    expect_held(&facts.rare.elr, "an eligible leader");
    expect_held(&facts.rare.adding, "adding");
    if let Leader::Broker(leader) = facts.leader {
        expect_held(&[leader], "leader");
    }
    for broker in facts.rare.removing.iter().filter(|id| partition.replicas.contains(id)) {
        found.push(Contradiction::RemovingButListed { partition: name(), broker: *broker });
    }
    for (list, length) in
        [("replica sizes", facts.replica_sizes.len()), ("log dirs", facts.log_dirs.len())]
    {
        let replicas = partition.replicas.len();
        if length != 0 && length != replicas {
            found.push(Contradiction::Length { partition: name(), replicas, found: length, list });
        }
    }
}

fn repeated(list: &[BrokerId]) -> Option<BrokerId> {
    (1..list.len()).find(|index| list[..*index].contains(&list[*index])).map(|index| list[index])
}

#[cfg(test)]
mod tests {
    use crate::snapshot::Snapshot;

    #[test]
    fn costs_of_cpu_that_cannot_be_added_up_are_refused() {
        let said = |each: u64, cores: u64| {
            let text = format!(
                r#"{{"version": 1, "cpu_model": {{"idle_nanocores": 0, "picoseconds_per_byte": {each},
                "nanoseconds_per_record": 0, "nanocores_per_replica": 0, "brokers": 3, "error_ratio": 0.0}},
                "brokers": [{{"id": 1, "cpu_nanocores": {cores}}}], "topics": [{{"name": "t", "partitions": [
                {{"id": 0, "replicas": [1], "bytes_in_per_second": 1000000000}}]}}]}}"#
            );
            Snapshot::from_json(text.as_bytes()).err().map(|error| error.to_string())
        };
        let refused = "the snapshot contradicts itself in 1 place: its costs of CPU come to more than \
                       1152921504606846976 nanocores";
        assert_eq!(said(1_000_000, 64_000_000_000), None, "two thousand cores");
        assert_eq!(said(u64::MAX, 0).as_deref(), Some(refused));
        assert_eq!(said(0, u64::MAX).as_deref(), Some(refused));
    }
}
