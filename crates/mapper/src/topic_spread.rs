//! How evenly the replicas of each topic are spread over the brokers that the topic may use.

use crate::dense::{BrokerIx, DenseCluster};
use crate::figures::Figures;
use crate::ids::PartitionId;
use crate::lookup::Lookup;
use crate::plan::Move;
use crate::target::{Target, Targets};

impl Figures {
    /// Sets how even the topics in scope are.
    pub(crate) fn set_topics(&mut self, cluster: &DenseCluster<'_>, targets: &Targets) {
        let mut spread = TopicSpread::new(cluster, targets);
        let topics = 0..targets.of_topic.len();
        let misplaced = topics.map(|topic| spread.misplaced(topic, |_| None));
        let (mut uneven, mut replicas) = (0, 0);
        for of_topic in misplaced {
            uneven += u64::from(of_topic > 0);
            replicas += of_topic;
        }
        self.uneven_topics = Some(uneven);
        self.misplaced_replicas = Some(replicas);
    }

    /// The same after `moves`, if it is known before.
    pub(crate) fn move_topics(
        &mut self,
        cluster: &DenseCluster<'_>,
        targets: &Targets,
        moves: &[Move],
    ) {
        let Some((uneven, replicas)) =
            self.uneven_topics.as_mut().zip(self.misplaced_replicas.as_mut())
        else {
            return;
        };
        let find = Lookup::new(cluster.snapshot);
        let known: Vec<(usize, &Move)> =
            find.topics_of(moves).filter_map(|(change, topic)| Some((topic?, change))).collect();
        let mut spread = TopicSpread::new(cluster, targets);
        for of_topic in known.chunk_by(|one, other| one.0 == other.0) {
            let Some((topic, _)) = of_topic.first() else { continue };
            let before = spread.misplaced(*topic, |_| None);
            let after = spread.misplaced(*topic, |partition| {
                let at = of_topic.binary_search_by_key(&partition, |(_, change)| change.partition);
                at.ok().map(|at| of_topic[at].1)
            });
            *uneven = *uneven + u64::from(after > 0) - u64::from(before > 0);
            *replicas = *replicas + after - before;
        }
    }
}

/// Counts the replicas of one topic at a time.
struct TopicSpread<'c> {
    cluster: &'c DenseCluster<'c>,
    targets: &'c Targets,
    /// For each broker its replicas of the topic.
    held: Vec<u64>,
    /// The brokers that hold any.
    holders: Vec<BrokerIx>,
}

impl<'c> TopicSpread<'c> {
    fn new(cluster: &'c DenseCluster<'c>, targets: &'c Targets) -> Self {
        Self { cluster, targets, held: vec![0; cluster.ids.len()], holders: Vec::new() }
    }

    /// The fewest replicas that would have to move to make a topic even; `moved`: the move of a partition, if it has one.
    fn misplaced<'m>(
        &mut self,
        topic: usize,
        moved: impl Fn(PartitionId) -> Option<&'m Move>,
    ) -> u64 {
        let Some(target) = self.targets.of_topic[topic].map(|at| &self.targets.all[at]) else {
            return 0;
        };
        let (mut replicas, cluster) = (0, self.cluster);
        let partitions = &cluster.snapshot.topics()[topic].partitions;
        for (partition, index) in partitions.iter().zip(cluster.first_partition[topic]..) {
            match moved(partition.id) {
                None => replicas += self.count(target, cluster.seats_of(index).iter().copied()),
                Some(change) => {
                    let seats = change.to.iter().filter_map(|id| cluster.index_of(*id));
                    replicas += self.count(target, seats);
                }
            }
        }
        let brokers = target.brokers.len() as u64;
        let (low, high) = (replicas / brokers.max(1), replicas.div_ceil(brokers.max(1)));
        let without = brokers - self.holders.len() as u64;
        let (mut above, mut below) = (0, low * without);
        for broker in self.holders.drain(..) {
            let held = std::mem::take(&mut self.held[broker as usize]);
            above += held.saturating_sub(high);
            below += low.saturating_sub(held);
        }
        above.max(below)
    }

    /// Counts the replicas on brokers that the topic may use.
    fn count(&mut self, target: &Target, seats: impl Iterator<Item = BrokerIx>) -> u64 {
        let mut counted = 0;
        for broker in seats.filter(|broker| target.allowed[*broker as usize]) {
            let held = &mut self.held[broker as usize];
            if *held == 0 {
                self.holders.push(broker);
            }
            *held += 1;
            counted += 1;
        }
        counted
    }
}
