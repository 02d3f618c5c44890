//! Counts the load of a cluster, before and after a plan.

use crate::bytes::Bytes;
use crate::dense::{BrokerIx, DenseCluster, Supply};
use crate::figures::{BrokerFigures, Figures};
use crate::ids::BrokerId;
use crate::lookup::Lookup;
use crate::plan::Move;
use crate::request::PlanTerms;
use crate::snapshot::{Leader, Partition};
use crate::target::{RackCounts, Target, Targets};
use crate::traffic;

impl Figures {
    /// The figures of a snapshot, for a request's scope.
    pub(crate) fn before(cluster: &DenseCluster<'_>, targets: &Targets, terms: &PlanTerms) -> Self {
        let cpu_model = cluster.snapshot.cpu_model();
        let mut figures = Self { brokers: brokers(cluster), cpu_model, ..Self::default() };
        let topics = cluster.snapshot.topics().iter().zip(&targets.of_topic);
        for ((topic, target), first) in topics.zip(&cluster.first_partition) {
            let Some(target) = target.map(|target| &targets.all[target]) else {
                continue;
            };
            for (offset, partition) in topic.partitions.iter().enumerate() {
                let seats = cluster.seats_of(first + offset);
                let counts = RackCounts::of(cluster, seats.iter().copied());
                figures.rack_violations += usize::from(!counts.keeps(terms.racks, target));
                figures.lost_replicas += lost(cluster, partition, seats.iter().copied());
            }
        }
        figures.set_extremes(targets);
        figures
    }

    /// The figures after `moves` are carried out.
    pub(crate) fn after(
        &self,
        cluster: &DenseCluster<'_>,
        targets: &Targets,
        terms: &PlanTerms,
        moves: &[Move],
    ) -> Self {
        let mut after = self.clone();
        let find = Lookup::new(cluster.snapshot);
        for (change, topic) in find.topics_of(moves) {
            let Some(topic) = topic else { continue };
            let partition = cluster.snapshot.topics()[topic].partition(change.partition);
            let Some(partition) = partition else { continue };
            after.move_load(cluster, partition, change);
            let Some(target) = targets.of_topic[topic].map(|target| &targets.all[target]) else {
                continue;
            };
            let (old, new) = (
                judge(cluster, terms, target, partition, &change.from),
                judge(cluster, terms, target, partition, &change.to),
            );
            after.rack_violations = after.rack_violations + new.0 - old.0;
            after.lost_replicas = after.lost_replicas + new.1 - old.1;
        }
        after.set_extremes(targets);
        after.move_topics(cluster, targets, moves);
        after
    }

    fn move_load(&mut self, cluster: &DenseCluster<'_>, partition: &Partition, change: &Move) {
        let copies = change.added().count() as u64;
        let copied = change.copy_bytes().unwrap_or_default().0;
        let held = change.held_bytes(Some(partition)).unwrap_or_default().0;
        let estimates = ReplicaEstimate::ALL.map(|of| (of, of.of_replica(cluster, partition)));
        for id in change.added() {
            if let Some(broker) = self.broker(cluster, id) {
                broker.replicas += 1;
                for (of, one) in estimates {
                    of.change(broker, one, u64::saturating_add);
                }
                broker.incoming_bytes.0 += copied;
                broker.used_bytes = broker.used_bytes.map(|used| Bytes(used.0 + held));
            }
        }
        for id in change.removed() {
            let gone = partition.size_on(id).unwrap_or_default().0;
            if let Some(broker) = self.broker(cluster, id) {
                broker.replicas -= 1;
                for (of, one) in estimates {
                    of.change(broker, one, u64::saturating_sub);
                }
                broker.used_bytes =
                    broker.used_bytes.map(|used| Bytes(used.0.saturating_sub(gone)));
            }
        }
        if let Some(source) = source(cluster, partition)
            && let Some(broker) = self.broker(cluster, source)
        {
            broker.outgoing_bytes.0 += copied * copies;
        }
        for (list, delta) in [(&change.from, -1_i64), (&change.to, 1)] {
            if let Some(broker) = list.first().and_then(|id| self.broker(cluster, *id)) {
                broker.leaders = broker.leaders.saturating_add_signed(delta);
            }
        }
    }

    fn broker(&mut self, cluster: &DenseCluster<'_>, id: BrokerId) -> Option<&mut BrokerFigures> {
        self.brokers.get_mut(cluster.index_of(id)? as usize)
    }

    /// Sets the fullest and the emptiest broker that any target allows.
    pub(crate) fn set_extremes(&mut self, targets: &Targets) {
        let allowed = |at: usize| targets.all.iter().any(|target| target.allowed[at]);
        let brokers = self.brokers.iter().enumerate().filter(|(at, _)| allowed(*at));
        let brokers: Vec<&BrokerFigures> = brokers.map(|(_, broker)| broker).collect();
        let ratios = |of: fn(&BrokerFigures) -> Option<f64>| {
            let ratios: Vec<f64> = brokers.iter().copied().filter_map(of).collect();
            let (max, min) = (ratios.iter().copied(), ratios.iter().copied());
            (max.reduce(f64::max), min.reduce(f64::min))
        };
        let counts = |of: fn(&BrokerFigures) -> u64| {
            let counts = || brokers.iter().copied().map(of);
            (counts().max(), counts().min())
        };
        let used = ratios(BrokerFigures::used_ratio);
        let network = ratios(BrokerFigures::network_ratio);
        let traffic = || brokers.iter().filter_map(|broker| broker.traffic_bytes_per_second);
        let cpu = || brokers.iter().filter_map(|broker| broker.replica_cpu_nanocores);
        let (replicas, leaders) =
            (counts(|broker| broker.replicas), counts(|broker| broker.leaders));
        (self.max_used_ratio, self.min_used_ratio) = used;
        (self.max_network_ratio, self.min_network_ratio) = network;
        self.max_traffic_bytes_per_second = traffic().max();
        self.min_traffic_bytes_per_second = traffic().min();
        (self.max_cpu_ratio, self.min_cpu_ratio) = ratios(BrokerFigures::cpu_ratio);
        (self.max_cpu_nanocores, self.min_cpu_nanocores) = (cpu().max(), cpu().min());
        (self.max_replicas, self.min_replicas) = replicas;
        (self.max_leaders, self.min_leaders) = leaders;
    }
}

fn brokers(cluster: &DenseCluster<'_>) -> Vec<BrokerFigures> {
    let ids = (0..).zip(&cluster.ids);
    let mut brokers: Vec<BrokerFigures> = ids
        .map(|(broker, id)| BrokerFigures {
            traffic_bytes_per_second: Some(0),
            network_bytes_per_second: cluster.supply(Supply::Network, broker),
            replica_cpu_nanocores: cluster.snapshot.cpu_model().map(|_| 0),
            cpu_nanocores: cluster.supply(Supply::Cpu, broker),
            id: *id,
            live: cluster.live[broker as usize],
            replicas: 0,
            leaders: 0,
            used_bytes: cluster.used[broker as usize].map(Bytes),
            capacity_bytes: cluster.capacity[broker as usize].map(Bytes),
            incoming_bytes: Bytes(0),
            outgoing_bytes: Bytes(0),
        })
        .collect();
    for partition in 0..cluster.first_seat.len() - 1 {
        for (index, seat) in cluster.seats_of(partition).iter().enumerate() {
            let broker = &mut brokers[*seat as usize];
            broker.replicas += 1;
            broker.leaders += u64::from(index == 0);
        }
    }
    ReplicaEstimate::ALL.into_iter().for_each(|of| of.add_up(cluster, &mut brokers));
    brokers
}

/// A load that is estimated for each replica.
#[derive(Clone, Copy)]
enum ReplicaEstimate {
    Traffic,
    Cpu,
}

impl ReplicaEstimate {
    const ALL: [Self; 2] = [Self::Traffic, Self::Cpu];

    fn of_replica(self, cluster: &DenseCluster<'_>, partition: &Partition) -> Option<u64> {
        match self {
            Self::Traffic => traffic::of_replica(cluster, partition),
            Self::Cpu => cluster.snapshot.cpu_model()?.of_replica(cluster, partition),
        }
    }

    fn of_broker(self, broker: &mut BrokerFigures) -> &mut Option<u64> {
        match self {
            Self::Traffic => &mut broker.traffic_bytes_per_second,
            Self::Cpu => &mut broker.replica_cpu_nanocores,
        }
    }

    /// A broker with a replica whose load is unknown has an unknown load.
    fn change(self, broker: &mut BrokerFigures, one: Option<u64>, by: fn(u64, u64) -> u64) {
        let all = self.of_broker(broker);
        *all = all.zip(one).map(|(all, one)| by(all, one));
    }

    /// Adds the load of each broker whose partitions all have known rates.
    fn add_up(self, cluster: &DenseCluster<'_>, brokers: &mut [BrokerFigures]) {
        let mut known = false;
        if brokers.iter_mut().any(|broker| self.of_broker(broker).is_some()) {
            for (index, partition) in cluster.partitions() {
                let one = self.of_replica(cluster, partition);
                for seat in cluster.seats_of(index) {
                    self.change(&mut brokers[*seat as usize], one, u64::saturating_add);
                }
            }
            known = brokers.iter_mut().any(|b| b.replicas > 0 && self.of_broker(b).is_some());
        }
        // If no rate is known at all, the zero of an empty broker has no meaning.
        if !known {
            brokers.iter_mut().for_each(|broker| *self.of_broker(broker) = None);
        }
    }
}

/// The broker that copies are taken from: the leader if known, otherwise the first replica that can lead.
fn source(cluster: &DenseCluster<'_>, partition: &Partition) -> Option<BrokerId> {
    let live = |id: &BrokerId| cluster.is_live(*id);
    if let Leader::Broker(leader) = partition.leader() {
        return Some(leader).filter(live);
    }
    partition.replicas.iter().copied().find(|id| live(id) && !partition.offline().contains(id))
}

/// Lost replicas among a partition's seats.
fn lost(
    cluster: &DenseCluster<'_>,
    partition: &Partition,
    seats: impl Iterator<Item = BrokerIx>,
) -> usize {
    let offline = partition.offline();
    let is_lost = |seat: &BrokerIx| {
        !cluster.live[*seat as usize]
            || (!offline.is_empty() && offline.contains(&cluster.id(*seat)))
    };
    seats.filter(is_lost).count()
}

/// The rack violations (0 or 1) and lost replicas of one replica list.
fn judge(
    cluster: &DenseCluster<'_>,
    terms: &PlanTerms,
    target: &Target,
    partition: &Partition,
    list: &[BrokerId],
) -> (usize, usize) {
    let seats = || list.iter().filter_map(|id| cluster.index_of(*id));
    let broken = !RackCounts::of(cluster, seats()).keeps(terms.racks, target);
    (usize::from(broken), lost(cluster, partition, seats()))
}
