//! A small cluster: what passes through each network card in a quarter of a second.

use crate::quota::Quota;
use mapper::{BrokerId, Bytes, PartitionId, Rate, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use throttle::{
    BrokerSeen, BrokerTraffic, CopySeen, PerDirection, ReplicaToFill, ReplicationRole,
    ThrottleDecision, ThrottleInputs, ThrottledReplicas, WhyNotInSync,
};

pub(crate) const MB: u64 = 1_000_000;
pub(crate) const TICK_MS: u64 = 250;
/// How long clients are alone, in seconds.
pub(crate) const WARM_UP: u64 = 60;
/// How many seconds of metrics are kept.
const KEPT: usize = 240;

/// What clients want to send and to fetch, at a time in seconds; in bytes per second.
pub(crate) type Clients = Box<dyn Fn(u64) -> PerDirection<u64>>;

pub(crate) struct Node {
    /// Of the network card, each way; bytes per second.
    pub(crate) capacity: u64,
    pub(crate) live: bool,
    pub(crate) metrics: bool,
    /// It tells how much is replication.
    pub(crate) tells_replication: bool,
    pub(crate) clients: Clients,
    /// Clients wait for as many seconds' worth of what they did not get, and go without the rest; `None`: they wait for
    /// all of it, and all of it presses.
    pub(crate) patience: Option<u64>,
    /// What clients could not send or get yet.
    backlog: PerDirection<u64>,
    quotas: PerDirection<Quota>,
    seconds: Vec<PerDirection<Second>>,
}

/// What passed in one second through one port.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Second {
    pub(crate) wanted: u64,
    pub(crate) clients: u64,
    pub(crate) replication: u64,
}

pub(crate) struct Partition {
    pub(crate) leader: BrokerId,
    pub(crate) followers: Vec<BrokerId>,
    pub(crate) to: Vec<(BrokerId, u64)>,
    pub(crate) bytes: u64,
    /// What producers write, in bytes per second.
    pub(crate) ingest: u64,
}

pub(crate) struct Cluster {
    pub(crate) now_ms: u64,
    pub(crate) nodes: BTreeMap<BrokerId, Node>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) rates: BTreeMap<(BrokerId, ReplicationRole), u64>,
    pub(crate) lists: ThrottledReplicas,
    /// The averages that metrics tell go over so many seconds.
    pub(crate) window: u64,
    /// When each rate was changed: second, broker, role, to what.
    pub(crate) writes: Vec<(u64, BrokerId, ReplicationRole, u64)>,
}

/// Who sends how much to whom in one tick.
struct Flow {
    partition: usize,
    from: BrokerId,
    to: BrokerId,
    bytes: u64,
    /// Whose replica it fills; `None`: it keeps one in sync.
    fills: Option<usize>,
}

pub(crate) fn steady(megabytes: u64) -> Clients {
    Box::new(move |_| PerDirection::both(megabytes * MB))
}

impl Node {
    /// What clients ask for beside what they want now. Those who go without have so many connections: behind, they ask for
    /// twice as much.
    fn pressing(&self, role: ReplicationRole, wanted: u64) -> u64 {
        let backlog = *self.backlog.of(role);
        self.patience.map_or(backlog, |_| backlog.min(wanted))
    }
}

impl Cluster {
    pub(crate) fn new(capacities: &[(u32, u64)]) -> Self {
        let node = |(id, capacity): &(u32, u64)| {
            let node = Node {
                capacity: capacity * MB,
                live: true,
                metrics: true,
                tells_replication: true,
                clients: steady(30),
                patience: None,
                backlog: PerDirection::default(),
                quotas: PerDirection::default(),
                seconds: Vec::new(),
            };
            (BrokerId(*id), node)
        };
        Self {
            now_ms: 0,
            nodes: capacities.iter().map(node).collect(),
            partitions: Vec::new(),
            rates: BTreeMap::new(),
            lists: ThrottledReplicas::default(),
            window: 0,
            writes: Vec::new(),
        }
    }

    /// A partition on `replicas` (the first leads) to be copied to `to`.
    pub(crate) fn moves(&mut self, replicas: &[u32], to: &[u32], gigabytes: u64, ingest: u64) {
        let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let replicas = ids(replicas);
        self.partitions.push(Partition {
            leader: replicas[0],
            followers: replicas[1..].to_vec(),
            to: ids(to).into_iter().map(|broker| (broker, 0)).collect(),
            bytes: gigabytes * 1000 * MB,
            ingest: ingest * MB,
        });
    }

    pub(crate) fn node(&mut self, id: u32) -> &mut Node {
        self.nodes.get_mut(&BrokerId(id)).expect("the broker exists")
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.now_ms / 1000
    }

    pub(crate) fn is_done(&self) -> bool {
        self.partitions.iter().all(|partition| partition.to.is_empty())
    }

    fn is_live(&self, id: BrokerId) -> bool {
        self.nodes[&id].live
    }

    pub(crate) fn tick(&mut self) {
        if self.now_ms.is_multiple_of(1000) {
            self.nodes.values_mut().for_each(|node| node.seconds.push(PerDirection::default()));
        }
        let flows = self.wishes();
        let share = self.shares(&flows);
        for flow in &flows {
            let both = share[&flow.from].tx.min(share[&flow.to].rx);
            let bytes = (flow.bytes as f64 * both) as u64;
            self.carry(flow, bytes);
        }
        let second = self.seconds();
        for (id, node) in self.nodes.iter_mut().filter(|(_, node)| node.live) {
            let wanted = (node.clients)(second);
            for role in ReplicationRole::ALL {
                let wanted = wanted.of(role) * TICK_MS / 1000;
                let waiting = wanted + node.backlog.of(role);
                let asked = wanted + node.pressing(role, wanted);
                let passed = (asked as f64 * share[id].of(role)) as u64;
                let sample = node.seconds.last_mut().expect("begun above").of_mut(role);
                sample.wanted += wanted;
                sample.clients += passed;
                let most = node.patience.map_or(u64::MAX, |seconds| wanted * 4 * seconds);
                *node.backlog.of_mut(role) = (waiting - passed).min(most);
            }
        }
        for partition in &mut self.partitions {
            partition.bytes += partition.ingest * TICK_MS / 1000;
            let (bytes, ingest) = (partition.bytes, partition.ingest);
            // Within a quarter of a second of the end a follower counts as in sync.
            let done = |(_, done): &mut (BrokerId, u64)| *done + ingest * TICK_MS / 1000 >= bytes;
            let over = partition.to.extract_if(.., done).map(|(broker, _)| broker);
            partition.followers.extend(over.collect::<Vec<_>>());
        }
        self.now_ms += TICK_MS;
    }

    fn wishes(&mut self) -> Vec<Flow> {
        let mut flows = Vec::new();
        for index in 0..self.partitions.len() {
            let (leader, ingest) = (self.partitions[index].leader, self.partitions[index].ingest);
            if !self.is_live(leader) {
                continue;
            }
            let in_sync = self.partitions[index].followers.clone();
            for to in in_sync.into_iter().filter(|to| self.is_live(*to)) {
                let bytes = ingest * TICK_MS / 1000;
                flows.push(Flow { partition: index, from: leader, to, bytes, fills: None });
            }
            for (place, (to, _)) in self.partitions[index].to.clone().into_iter().enumerate() {
                if self.is_live(to) && !self.is_held_back(index, leader, to) {
                    let bytes = self.nodes[&to].capacity * TICK_MS / 1000;
                    flows.push(Flow {
                        partition: index,
                        from: leader,
                        to,
                        bytes,
                        fills: Some(place),
                    });
                }
            }
        }
        // The fetches of one broker for what it fills share its card before they meet anybody else.
        let mut fetches: BTreeMap<BrokerId, u64> = BTreeMap::new();
        for flow in flows.iter().filter(|flow| flow.fills.is_some()) {
            *fetches.entry(flow.to).or_default() += 1;
        }
        for flow in flows.iter_mut().filter(|flow| flow.fills.is_some()) {
            flow.bytes /= fetches[&flow.to];
        }
        flows
    }

    fn listed(&self, index: usize, broker: BrokerId, role: ReplicationRole) -> bool {
        let entry = (PartitionId(index as u32), broker);
        match role {
            ReplicationRole::Leader => self.lists.leaders.contains(&entry),
            ReplicationRole::Follower => self.lists.followers.contains(&entry),
        }
    }

    fn is_held_back(&mut self, index: usize, from: BrokerId, to: BrokerId) -> bool {
        let now = self.now_ms;
        [(from, ReplicationRole::Leader), (to, ReplicationRole::Follower)].into_iter().any(
            |(broker, role)| {
                let rate = self.rates.get(&(broker, role)).copied().unwrap_or(u64::MAX);
                let listed = self.listed(index, broker, role);
                let node = self.nodes.get_mut(&broker).expect("the broker exists");
                listed && node.quotas.of_mut(role).exceeds(now, rate)
            },
        )
    }

    /// Which part of what is wanted of it each port can carry.
    fn shares(&self, flows: &[Flow]) -> BTreeMap<BrokerId, PerDirection<f64>> {
        let mut wanted: BTreeMap<BrokerId, PerDirection<u64>> = BTreeMap::new();
        for (id, node) in &self.nodes {
            let clients = (node.clients)(self.seconds());
            let each = |role| {
                let wanted = clients.of(role) * TICK_MS / 1000;
                wanted + node.pressing(role, wanted)
            };
            wanted.insert(
                *id,
                PerDirection {
                    tx: each(ReplicationRole::Leader),
                    rx: each(ReplicationRole::Follower),
                },
            );
        }
        for flow in flows {
            wanted.entry(flow.from).or_default().tx += flow.bytes;
            wanted.entry(flow.to).or_default().rx += flow.bytes;
        }
        let share = |(id, wanted): (BrokerId, PerDirection<u64>)| {
            let can = (self.nodes[&id].capacity * TICK_MS / 1000) as f64;
            let share = |bytes: u64| (can / bytes.max(1) as f64).min(1.0);
            (id, PerDirection { tx: share(wanted.tx), rx: share(wanted.rx) })
        };
        wanted.into_iter().map(share).collect()
    }

    fn carry(&mut self, flow: &Flow, bytes: u64) {
        let now = self.now_ms;
        for (broker, role) in
            [(flow.from, ReplicationRole::Leader), (flow.to, ReplicationRole::Follower)]
        {
            let listed = self.listed(flow.partition, broker, role);
            let node = self.nodes.get_mut(&broker).expect("the broker exists");
            node.seconds.last_mut().expect("begun before").of_mut(role).replication += bytes;
            if listed {
                node.quotas.of_mut(role).record(now, bytes);
            }
        }
        let partition = &mut self.partitions[flow.partition];
        if let Some(place) = flow.fills {
            let done = &mut partition.to[place].1;
            *done = (*done + bytes).min(partition.bytes);
        }
    }

    pub(crate) fn observe(&self, since_ms: u64) -> ThrottleInputs {
        let copies = self.partitions.iter().enumerate();
        ThrottleInputs {
            at: Duration::from_millis(self.now_ms),
            brokers: self
                .nodes
                .iter()
                .map(|(id, node)| (*id, self.look_at(node, since_ms)))
                .collect(),
            copies: copies
                .filter(|(_, of)| !of.to.is_empty())
                .map(|(n, of)| self.copy(n, of))
                .collect(),
            applied: self.rates.iter().map(|(at, rate)| (*at, Rate(*rate))).collect(),
            ..ThrottleInputs::default()
        }
    }

    fn look_at(&self, node: &Node, since_ms: u64) -> BrokerSeen {
        let since = (self.now_ms - since_ms) / 1000;
        let window = self.window.max(since).max(1) as usize;
        let last = &node.seconds[node.seconds.len().saturating_sub(window.min(KEPT))..];
        let mean = |what: fn(&Second) -> u64| {
            let of = |role| {
                let sum: u64 = last.iter().map(|second| what(second.of(role))).sum();
                Rate(sum / (last.len() as u64).max(1))
            };
            PerDirection { tx: of(ReplicationRole::Leader), rx: of(ReplicationRole::Follower) }
        };
        let traffic = BrokerTraffic {
            total: mean(|second| second.clients + second.replication),
            replication: node.tells_replication.then(|| mean(|second| second.replication)),
            window: Duration::from_secs(self.window),
        };
        BrokerSeen {
            live: node.live,
            capacity: Some(PerDirection::both(Rate(node.capacity))),
            traffic: (node.metrics && node.live && !last.is_empty()).then_some(traffic),
            ..BrokerSeen::default()
        }
    }

    fn copy(&self, index: usize, partition: &Partition) -> CopySeen {
        let told = |id: BrokerId, bytes: u64| self.is_live(id).then_some(Bytes(bytes));
        let to = |(broker, done): &(BrokerId, u64)| ReplicaToFill {
            broker: *broker,
            done: told(*broker, *done),
        };
        let in_sync = [partition.leader].into_iter().chain(partition.followers.iter().copied());
        CopySeen {
            of: TopicPartition { topic: "t".to_owned(), partition: PartitionId(index as u32) },
            cause: WhyNotInSync::Reassignment,
            leader: Some(partition.leader).filter(|id| self.is_live(*id)),
            in_sync: in_sync.filter(|id| self.is_live(*id)).collect(),
            destinations: partition.to.iter().map(to).collect(),
            min_insync: Some(1),
            leader_bytes: told(partition.leader, partition.bytes),
            ingest: None,
        }
    }

    /// A minute before the move begins.
    pub(crate) fn warm_up(&mut self) {
        let moves: Vec<_> =
            self.partitions.iter_mut().map(|of| std::mem::take(&mut of.to)).collect();
        while self.seconds() < WARM_UP {
            self.tick();
        }
        for (partition, to) in self.partitions.iter_mut().zip(moves) {
            partition.to = to;
        }
    }

    /// What a daemon does with a decision: dead brokers are written to when they are back.
    pub(crate) fn apply(&mut self, decision: &ThrottleDecision) {
        self.lists = decision.lists.get("t").cloned().unwrap_or_default();
        let named: BTreeSet<_> = decision.rates.keys().copied().collect();
        self.rates.retain(|at, _| named.contains(at));
        for ((broker, role), decided) in &decision.rates {
            let rate = decided.rate.0;
            let known = self.rates.get(&(*broker, *role)) == Some(&rate);
            if self.is_live(*broker) && !known {
                self.rates.insert((*broker, *role), rate);
                self.writes.push((self.seconds(), *broker, *role, rate));
            }
        }
    }

    /// The least share of what they wanted that clients got over any so many seconds of a time.
    pub(crate) fn clients_got(&self, within: std::ops::Range<u64>, over: usize) -> f64 {
        let range = within.start as usize..within.end as usize;
        let ports = self.nodes.values().filter(|node| node.seconds.len() >= range.end);
        let each = ports.flat_map(|node| ReplicationRole::ALL.map(|role| (node, role))).flat_map(
            |(node, role)| {
                node.seconds[range.clone()].windows(over).map(move |seconds| {
                    let sum = |what: fn(&Second) -> u64| {
                        seconds.iter().map(|s| what(s.of(role))).sum::<u64>()
                    };
                    match sum(|second| second.wanted) {
                        0 => 1.0,
                        wanted => sum(|second| second.clients) as f64 / wanted as f64,
                    }
                })
            },
        );
        each.fold(1.0, f64::min)
    }
}
