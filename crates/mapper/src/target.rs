//! The brokers for the replicas of an assignment's topics, by dense indices.

use crate::assign::assign;
use crate::assignment::Assignment;
use crate::dense::{BrokerIx, DenseCluster};
use crate::no_plan::NoPlan;
use crate::request::{PlanTerms, RackRule};
use smallvec::SmallVec;

/// One assignment, resolved against a cluster.
pub(crate) struct Target {
    /// For each broker: whether the assignment names it and it is live.
    pub(crate) allowed: Vec<bool>,
    /// Those brokers, ascending.
    pub(crate) brokers: Vec<BrokerIx>,
    /// The brokers that the assignment names and that are lost.
    pub(crate) lost: Vec<BrokerIx>,
    /// For each rack: how many of its brokers are allowed.
    pub(crate) rack_size: Vec<usize>,
    /// The racks that have an allowed broker.
    pub(crate) racks: Vec<usize>,
    /// The requested replication factor; none keeps that of each partition.
    pub(crate) replication: Option<usize>,
    /// The assignment comes from a map, so a seat elsewhere is off its map.
    pub(crate) is_map: bool,
}

impl Target {
    fn new(cluster: &DenseCluster<'_>, assignment: &Assignment) -> Self {
        let mut target = Self {
            allowed: vec![false; cluster.ids.len()],
            brokers: Vec::new(),
            lost: Vec::new(),
            rack_size: vec![0; cluster.rack_names.len()],
            racks: Vec::new(),
            replication: assignment.replication.map(|factor| factor as usize),
            is_map: assignment.map.is_some(),
        };
        for broker in assignment.brokers.iter().filter_map(|id| cluster.index_of(*id)) {
            if !cluster.live[broker as usize] {
                target.lost.push(broker);
                continue;
            }
            target.allowed[broker as usize] = true;
            target.brokers.push(broker);
            target.rack_size[cluster.rack[broker as usize]] += 1;
        }
        target.racks = (0..target.rack_size.len()).filter(|r| target.rack_size[*r] > 0).collect();
        target
    }
}

/// The targets of a request, and the one that takes each topic.
pub(crate) struct Targets {
    pub(crate) all: Vec<Target>,
    /// For each topic: an index into `all`.
    pub(crate) of_topic: Vec<Option<usize>>,
}

impl Targets {
    pub(crate) fn new(cluster: &DenseCluster<'_>, terms: &PlanTerms) -> Result<Self, NoPlan> {
        let of_topic = assign(cluster.snapshot, &terms.assignments)?;
        let all = terms.assignments.iter().map(|a| Target::new(cluster, a)).collect();
        Ok(Self { all, of_topic })
    }
}

/// How many replicas each rack has: few entries, because a partition has few replicas.
#[derive(Default)]
pub(crate) struct RackCounts(SmallVec<[(usize, usize); 4]>);

impl RackCounts {
    pub(crate) fn of(cluster: &DenseCluster<'_>, brokers: impl Iterator<Item = BrokerIx>) -> Self {
        let mut counts = Self::default();
        for broker in brokers {
            counts.add(cluster.rack[broker as usize]);
        }
        counts
    }

    pub(crate) fn add(&mut self, rack: usize) {
        match self.0.iter_mut().find(|(known, _)| *known == rack) {
            Some((_, count)) => *count += 1,
            None => self.0.push((rack, 1)),
        }
    }

    pub(crate) fn get(&self, rack: usize) -> usize {
        self.0.iter().find(|(known, _)| *known == rack).map_or(0, |(_, count)| *count)
    }

    pub(crate) fn distinct(&self) -> usize {
        self.0.len()
    }

    /// The fewest replicas that any rack with a free allowed broker has; `None` if all are full.
    pub(crate) fn least(&self, target: &Target) -> Option<usize> {
        let held = self.0.iter().filter(|(rack, _)| target.rack_size[*rack] > 0).count();
        if held < target.racks.len() {
            return Some(0);
        }
        let free = target.racks.iter().filter(|rack| self.get(**rack) < target.rack_size[**rack]);
        free.map(|rack| self.get(*rack)).min()
    }

    /// The racks with a free allowed broker that have the fewest replicas: [`RackRule::Spread`] allows them one more.
    pub(crate) fn open<'t>(&'t self, target: &'t Target) -> impl Iterator<Item = usize> + 't {
        let least = self.least(target);
        target.racks.iter().copied().filter(move |rack| {
            let held = self.get(*rack);
            held < target.rack_size[*rack] && least.is_some_and(|least| held <= least)
        })
    }

    /// Adds replicas one by one to the racks with the fewest.
    pub(crate) fn pour(&mut self, replicas: usize, target: &Target) {
        for _ in 0..replicas {
            let open = |rack: &&usize| self.get(**rack) < target.rack_size[**rack];
            let next = target.racks.iter().filter(open).min_by_key(|rack| self.get(**rack));
            if let Some(rack) = next.copied() {
                self.add(rack);
            }
        }
    }

    /// Whether the replicas keep the rule, given the racks of the target.
    pub(crate) fn keeps(&self, rule: RackRule, target: &Target) -> bool {
        // The rule is kept at best with a rack for each replica.
        if self.0.iter().all(|(_, count)| *count == 1) {
            return true;
        }
        match rule {
            RackRule::AtLeast(asked) => {
                let replicas: usize = self.0.iter().map(|(_, count)| count).sum();
                self.distinct() >= replicas.min(asked as usize)
            }
            RackRule::Spread => {
                let most = self.0.iter().map(|(_, count)| *count).max().unwrap_or(0);
                self.least(target).is_none_or(|least| most <= least + 1)
            }
        }
    }
}
