//! A snapshot with dense indices, for the arithmetic of planners. Names and ids stay outside.
//!
//! Every broker that is listed or in a replica list has an index, in order of id. Every partition has an index, in order
//! of topic and number.

use crate::bytes::{Bytes, Ratio};
use crate::ids::{BrokerId, PartitionId, Seat, TopicPartition};
use crate::snapshot::{Broker, Partition, Snapshot, Volume};
use crate::table::{IdSet, Positions};
use std::collections::{BTreeMap, BTreeSet};

/// A position in [`DenseCluster::ids`].
pub(crate) type BrokerIx = u32;

/// What a broker has, other than storage, in proportion to which it is loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Supply {
    /// Its network, in bytes per second.
    Network,
    /// Its CPU, in nanocores.
    Cpu,
}

impl Supply {
    /// Its name in a snapshot.
    pub(crate) fn fact(self) -> &'static str {
        match self {
            Self::Network => "network_bytes_per_second",
            Self::Cpu => "cpu_nanocores",
        }
    }

    fn of(self, broker: &Broker) -> Option<u64> {
        match self {
            Self::Network => broker.network_bytes_per_second,
            Self::Cpu => broker.cpu_nanocores,
        }
    }

    /// The same for each broker, if none is known. Any value gives the same shares. These (10 Gbit/s, 16 cores) are in the
    /// range of known ones, so levels are as fine as with those.
    fn if_unknown(self) -> u64 {
        match self {
            Self::Network => 1_250_000_000,
            Self::Cpu => 16_000_000_000,
        }
    }
}

/// The dense form of a snapshot. Read-only: a placement holds the changes.
pub(crate) struct DenseCluster<'s> {
    pub(crate) snapshot: &'s Snapshot,
    /// Broker ids, ascending.
    pub(crate) ids: Vec<BrokerId>,
    positions: Positions,
    pub(crate) live: Vec<bool>,
    /// Brokers that get no new replica, because all their log dirs are cordoned.
    cordoned: Vec<bool>,
    /// The rack of each broker. A broker without a rack counts as a separate rack.
    pub(crate) rack: Vec<usize>,
    /// The name of each rack.
    pub(crate) rack_names: Vec<String>,
    /// The host of each broker. A broker with an unknown host counts as a separate host.
    pub(crate) host: Vec<usize>,
    /// Whether any two brokers share a host. If not, hosts do not matter.
    pub(crate) shared_hosts: bool,
    /// Whether the rate of consumers is known for any partition. If not, traffic leaves consumers out.
    pub(crate) counts_consumers: bool,
    /// Whether each [`Supply`] of any broker is known. If not, all count as equal.
    knows: [bool; 2],
    /// The storage of each broker, where known.
    pub(crate) capacity: Vec<Option<u64>>,
    /// The storage used on each broker at the start, where known.
    pub(crate) used: Vec<Option<u64>>,
    /// For each topic the index of its first partition. The last entry is the number of all partitions.
    pub(crate) first_partition: Vec<usize>,
    /// For each partition the index of its topic.
    topic: Vec<u32>,
    /// For each partition the index of its first seat. The last entry is the number of all seats.
    pub(crate) first_seat: Vec<usize>,
    /// The broker on each seat.
    pub(crate) seats: Vec<BrokerIx>,
}

impl<'s> DenseCluster<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        let ids = snapshot.known_brokers();
        let positions = Positions::new(ids.clone());
        let mut first_partition = Vec::with_capacity(snapshot.topics().len() + 1);
        let partitions = snapshot.topics().iter().map(|topic| topic.partitions.len()).sum();
        let mut of_topic = Vec::with_capacity(partitions);
        let mut first_seat = Vec::with_capacity(partitions + 1);
        first_seat.push(0);
        let mut seats = Vec::new();
        let mut counts_consumers = false;
        for (at, topic) in (0_u32..).zip(snapshot.topics()) {
            first_partition.push(first_seat.len() - 1);
            for partition in &topic.partitions {
                seats.extend(partition.replicas.iter().filter_map(|id| positions.of(*id)));
                first_seat.push(seats.len());
                of_topic.push(at);
                let facts = partition.facts.as_ref();
                counts_consumers |= facts.is_some_and(|facts| facts.bytes_out.is_some());
            }
        }
        first_partition.push(first_seat.len() - 1);
        let listed: Vec<Option<&Broker>> = ids.iter().map(|id| snapshot.broker(*id)).collect();
        let (rack, rack_names) = racks(&ids, &listed);
        let (host, shared_hosts) = hosts(&ids, &listed);
        let mut cluster = Self {
            snapshot,
            live: listed.iter().map(|broker| broker.is_some_and(|b| b.live)).collect(),
            cordoned: listed.iter().map(|broker| broker.is_some_and(Broker::is_cordoned)).collect(),
            rack,
            rack_names,
            host,
            shared_hosts,
            counts_consumers,
            knows: [Supply::Network, Supply::Cpu]
                .map(|supply| listed.iter().flatten().any(|b| supply.of(b).is_some())),
            capacity: listed.iter().map(|b| b.and_then(|b| b.storage_total).map(|t| t.0)).collect(),
            used: Vec::new(),
            first_partition,
            topic: of_topic,
            first_seat,
            seats,
            ids,
            positions,
        };
        cluster.used = cluster.used_bytes(&listed);
        cluster
    }

    /// Total less free bytes if both are known, else the sum of the replicas if the size of each is known.
    fn used_bytes(&self, listed: &[Option<&Broker>]) -> Vec<Option<u64>> {
        let mut used: Vec<Option<u64>> = listed
            .iter()
            .map(|broker| broker.and_then(|b| Some(b.storage_total?.0 - b.storage_free?.0)))
            .collect();
        let unknown: Vec<bool> = used.iter().map(Option::is_none).collect();
        if unknown.iter().any(|unknown| *unknown) {
            let mut sums = vec![Some(0_u64); used.len()];
            for (index, partition) in self.partitions() {
                for (seat, id) in self.seats_of(index).iter().zip(&partition.replicas) {
                    let sum = &mut sums[*seat as usize];
                    *sum = sum.zip(partition.size_on(*id)).map(|(sum, size)| sum + size.0);
                }
            }
            for ((used, sum), unknown) in used.iter_mut().zip(sums).zip(unknown) {
                if unknown {
                    *used = sum;
                }
            }
        }
        used
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = (usize, &'s Partition)> {
        self.snapshot.topics().iter().flat_map(|topic| &topic.partitions).enumerate()
    }

    pub(crate) fn partition_count(&self) -> usize {
        self.topic.len()
    }

    pub(crate) fn seats_of(&self, partition: usize) -> &[BrokerIx] {
        &self.seats[self.first_seat[partition]..self.first_seat[partition + 1]]
    }

    pub(crate) fn index_of(&self, id: BrokerId) -> Option<BrokerIx> {
        self.positions.of(id)
    }

    /// Whether the broker is listed and live.
    pub(crate) fn is_live(&self, id: BrokerId) -> bool {
        self.index_of(id).is_some_and(|broker| self.live[broker as usize])
    }

    /// Whether the broker gets no new replica, because all its log dirs are cordoned.
    #[inline]
    pub(crate) fn is_cordoned(&self, broker: BrokerIx) -> bool {
        self.cordoned[broker as usize]
    }

    /// Whether a cordon allows a broker for a partition. All planners ask this. A broker takes a replica if it is not
    /// cordoned, or already holds it: a return to it is no new replica.
    #[inline]
    pub(crate) fn cordon_lets(&self, partition: usize, broker: BrokerIx) -> bool {
        !self.is_cordoned(broker) || self.seats_of(partition).contains(&broker)
    }

    pub(crate) fn id(&self, broker: BrokerIx) -> BrokerId {
        self.ids[broker as usize]
    }

    /// A supply of a broker, where known.
    pub(crate) fn supply(&self, supply: Supply, broker: BrokerIx) -> Option<u64> {
        supply.of(self.snapshot.broker(self.id(broker))?)
    }

    /// Whether this supply of any broker is known. If not, all count as equal.
    pub(crate) fn knows(&self, supply: Supply) -> bool {
        self.knows[supply as usize]
    }

    /// The weight of a broker among all brokers: its supply, or the same for each if none is known.
    pub(crate) fn weight_of(&self, supply: Supply, broker: BrokerIx) -> Option<u64> {
        let listed = self.snapshot.broker(self.id(broker))?;
        match self.knows(supply) {
            true => supply.of(listed),
            false => Some(supply.if_unknown()),
        }
    }

    /// The usable storage of each broker; `None` if its capacity or use is unknown.
    pub(crate) fn limits(&self, headroom: Ratio) -> Vec<Option<u64>> {
        let limit = |(capacity, used): (&Option<u64>, &Option<u64>)| {
            let (capacity, _) = (*capacity).zip(*used)?;
            Some(capacity - headroom.of(Bytes(capacity)).0.min(capacity))
        };
        let mut limits: Vec<Option<u64>> =
            self.capacity.iter().zip(&self.used).map(limit).collect();
        // Replicas can leave a cordoned log dir, but no replica can take their place.
        let cordoned = self.snapshot.brokers().iter().filter(|b| !b.cordoned_log_dirs.is_empty());
        for broker in cordoned {
            let Some(at) = self.index_of(broker.id).map(|at| at as usize) else { continue };
            if let Some((limit, used)) = limits[at].as_mut().zip(self.used[at]) {
                *limit = (*limit).min(used.saturating_add(open_room(broker, headroom)));
            }
        }
        limits
    }

    pub(crate) fn topic_of(&self, partition: usize) -> usize {
        self.topic[partition] as usize
    }

    /// The partition in the snapshot.
    pub(crate) fn partition(&self, index: usize) -> &'s Partition {
        let topic = self.topic_of(index);
        &self.snapshot.topics()[topic].partitions[index - self.first_partition[topic]]
    }

    /// The index of the rack with this name.
    pub(crate) fn rack_named(&self, name: &str) -> Option<usize> {
        self.rack_names.iter().position(|rack| rack == name)
    }

    /// The index of a partition, if it exists.
    pub(crate) fn find(&self, topic: &str, partition: PartitionId) -> Option<usize> {
        let topics = self.snapshot.topics();
        let at = topics.binary_search_by(|known| known.name.as_str().cmp(topic)).ok()?;
        let within = topics[at].partitions.binary_search_by_key(&partition, |known| known.id);
        Some(self.first_partition[at] + within.ok()?)
    }

    pub(crate) fn name(&self, partition: usize) -> TopicPartition {
        let topic = self.snapshot.topics()[self.topic_of(partition)].name.clone();
        TopicPartition { topic, partition: self.partition(partition).id }
    }

    pub(crate) fn seat(&self, partition: usize, index: usize) -> Seat {
        Seat { of: self.name(partition), index }
    }
}

/// The bytes that the log dirs of a broker that are not cordoned still take together.
fn open_room(broker: &Broker, headroom: Ratio) -> u64 {
    if broker.is_cordoned() {
        return 0;
    }
    let volumes = broker.volumes();
    if volumes.is_empty() {
        return u64::MAX;
    }
    let open =
        volumes.iter().filter(|volume| volume.paths.iter().any(|path| !broker.cordons(path)));
    let room = |volume: &Volume<'_>| {
        let kept = headroom.of(volume.total).0.min(volume.total.0);
        volume.free.0.saturating_sub(kept)
    };
    open.map(room).sum()
}

impl Snapshot {
    /// Every broker that is listed or in a replica list, ascending.
    pub fn known_brokers(&self) -> Vec<BrokerId> {
        let mut ids: IdSet = self.brokers().iter().map(|broker| broker.id).collect();
        self.topics().iter().for_each(|topic| ids.insert_holders(topic));
        ids.into_sorted()
    }
}

fn racks(ids: &[BrokerId], listed: &[Option<&Broker>]) -> (Vec<usize>, Vec<String>) {
    let named: BTreeSet<&str> =
        listed.iter().filter_map(|b| b.and_then(|b| b.rack.as_deref())).collect();
    let position: BTreeMap<&str, usize> = named.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    let mut names: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
    let rack = ids
        .iter()
        .zip(listed)
        .map(|(id, broker)| {
            let own = broker.and_then(|b| position.get(b.rack.as_deref()?).copied());
            own.unwrap_or_else(|| {
                names.push(format!("(none, broker {id})"));
                names.len() - 1
            })
        })
        .collect();
    (rack, names)
}

fn hosts(ids: &[BrokerId], listed: &[Option<&Broker>]) -> (Vec<usize>, bool) {
    // Hosts are compared only within a rack. A broker without a rack shares neither rack nor host.
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut host = Vec::with_capacity(ids.len());
    let mut shared = false;
    for (index, broker) in listed.iter().enumerate() {
        let name = broker.and_then(|b| b.rack.as_deref().zip(b.host.as_deref()));
        let first = name.map_or(index, |name| *seen.entry(name).or_insert(index));
        shared |= first != index;
        host.push(first);
    }
    (host, shared)
}
