//! Decides which brokers may lead which partitions.

use super::free::FreeLeads;
use crate::dense::{BrokerIx, DenseCluster};
use crate::ids::BrokerId;
use crate::plan::{LeftOut, WhyLeftOut};
use crate::request::Leaders;
use crate::snapshot::Partition;
use crate::target::{Target, Targets};
use crate::work::why_left_out;
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The partitions of some topics whose leader is to be chosen.
pub(super) struct LeaderChoices {
    pub(super) free: FreeLeads,
    /// For each free leadership the index of its partition.
    pub(super) partitions: Vec<usize>,
    /// The partitions that each broker leads in the topics that are evened together.
    pub(super) load: Vec<u64>,
}

/// The facts that decide which brokers may lead.
pub(super) struct LeaderRules<'a> {
    pub(super) cluster: &'a DenseCluster<'a>,
    pub(super) targets: &'a Targets,
    evacuated: Vec<bool>,
}

impl<'a> LeaderRules<'a> {
    pub(super) fn new(
        cluster: &'a DenseCluster<'a>,
        targets: &'a Targets,
        request: &Leaders,
    ) -> Self {
        Self { cluster, targets, evacuated: marked(cluster, &request.evacuate) }
    }

    /// The choices for some topics, each with its partitions. The leaders of all other topics do not change. Partitions
    /// that cannot be touched go to `left_out`.
    pub(super) fn choices(
        &self,
        topics: Range<usize>,
        left_out: &mut Vec<LeftOut>,
    ) -> LeaderChoices {
        let load = vec![0; self.cluster.ids.len()];
        let mut choices = LeaderChoices { free: FreeLeads::new(), partitions: Vec::new(), load };
        for index in topics {
            let topic = &self.cluster.snapshot.topics()[index];
            let target = self.targets.of_topic[index].map(|target| &self.targets.all[target]);
            let first = self.cluster.first_partition[index];
            for (offset, partition) in topic.partitions.iter().enumerate() {
                let found = match target {
                    Some(target) => self.candidates(first + offset, partition, target),
                    None => Ok(SmallVec::new()),
                };
                let candidates = found.unwrap_or_else(|why| {
                    left_out.push(LeftOut {
                        topic: Arc::from(topic.name.as_str()),
                        partition: partition.id,
                        replicas: partition.replicas.clone(),
                        why,
                    });
                    SmallVec::new()
                });
                self.enter(&mut choices, first + offset, &candidates);
            }
        }
        choices
    }

    fn enter(&self, choices: &mut LeaderChoices, partition: usize, candidates: &[BrokerIx]) {
        let head = self.cluster.seats_of(partition).first().copied();
        let stays =
            candidates.is_empty() || (candidates.len() == 1 && candidates.first().copied() == head);
        if !stays {
            choices.free.push(candidates.iter().copied(), head);
            choices.partitions.push(partition);
        }
        let leader = if stays { head } else { Some(choices.free.leader(choices.free.len() - 1)) };
        if let Some(leader) = leader {
            choices.load[leader as usize] += 1;
        }
    }

    /// The brokers that may lead a partition. If there are none, its leader rightly stays as it is.
    fn candidates(
        &self,
        index: usize,
        partition: &Partition,
        target: &Target,
    ) -> Result<SmallVec<[BrokerIx; 4]>, WhyLeftOut> {
        let seats = self.cluster.seats_of(index);
        if let Some(why) = why_left_out(self.cluster, index) {
            return Err(why);
        }
        if seats.iter().any(|seat| !self.cluster.live[*seat as usize]) {
            let lost = partition.replicas.iter().filter(|id| !self.cluster.snapshot.is_live(**id));
            return Err(WhyLeftOut::LostReplica { lost: lost.copied().collect() });
        }
        let fit = seats.iter().copied().filter(|seat| {
            let offline = partition.offline();
            !self.evacuated[*seat as usize]
                && (offline.is_empty() || !offline.contains(&self.cluster.id(*seat)))
        });
        let allowed = fit.clone().filter(|seat| target.allowed[*seat as usize]);
        let allowed: SmallVec<[BrokerIx; 4]> = allowed.collect();
        let Some(head) = seats.first().filter(|head| self.evacuated[**head as usize]) else {
            return Ok(allowed);
        };
        // Leadership leaves an evacuated broker even for a broker that the request does not name.
        let all = if allowed.is_empty() { fit.collect() } else { allowed };
        if all.is_empty() {
            return Err(WhyLeftOut::NoOtherLeader { leader: self.cluster.id(*head) });
        }
        Ok(all)
    }
}

/// For each broker of the cluster: whether it is in `brokers`.
fn marked(cluster: &DenseCluster<'_>, brokers: &BTreeSet<BrokerId>) -> Vec<bool> {
    let mut marked = vec![false; cluster.ids.len()];
    for broker in brokers.iter().filter_map(|id| cluster.index_of(*id)) {
        marked[broker as usize] = true;
    }
    marked
}
