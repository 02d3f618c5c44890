//! Rounds: look, decide, write, let some time pass.

use crate::model::{Cluster, MB};
use mapper::BrokerId;
use std::ops::Range;
use throttle::{
    ReplicationRole, ThrottleDecision, ThrottleLimits, ThrottleMemory, ThrottleTerms, decide,
};

pub(crate) struct Run {
    pub(crate) cluster: Cluster,
    pub(crate) limits: ThrottleLimits,
    /// Seconds between two rounds.
    pub(crate) interval: u64,
    state: ThrottleMemory,
    pub(crate) decisions: Vec<(u64, ThrottleDecision)>,
    looked_ms: u64,
}

impl Run {
    pub(crate) fn new(cluster: Cluster, interval: u64) -> Self {
        Self::within(cluster, interval, |_| {})
    }

    pub(crate) fn within(
        mut cluster: Cluster,
        interval: u64,
        change: impl FnOnce(&mut ThrottleTerms),
    ) -> Self {
        let mut terms = ThrottleTerms::default();
        change(&mut terms);
        let limits = ThrottleLimits::new(terms).expect("the terms of a test make sense");
        cluster.warm_up();
        Self {
            cluster,
            limits,
            interval,
            state: ThrottleMemory::default(),
            decisions: Vec::new(),
            looked_ms: 0,
        }
    }

    /// Goes on until so many seconds after the start, or the end of the move.
    pub(crate) fn until(&mut self, seconds: u64) {
        while self.cluster.seconds() < seconds && !self.cluster.is_done() {
            if self.cluster.now_ms.is_multiple_of(self.interval * 1000) {
                self.round();
            }
            self.never_unpaced();
            self.cluster.tick();
        }
    }

    fn round(&mut self) {
        let seen = self.cluster.observe(self.looked_ms);
        self.looked_ms = self.cluster.now_ms;
        let (state, decision) = decide(std::mem::take(&mut self.state), &seen, &self.limits);
        self.state = state;
        self.cluster.apply(&decision);
        self.decisions.push((self.cluster.seconds(), decision));
    }

    /// Whatever leads has a rate, at every moment: also who has led since the round before only.
    fn never_unpaced(&self) {
        let cluster = &self.cluster;
        for (index, partition) in cluster.partitions.iter().enumerate() {
            if partition.to.is_empty() || !cluster.nodes[&partition.leader].live {
                continue;
            }
            let entry = |broker| (mapper::PartitionId(index as u32), broker);
            assert!(
                cluster.lists.leaders.contains(&entry(partition.leader)),
                "{index} at {}",
                cluster.now_ms
            );
            assert!(cluster.rates.contains_key(&(partition.leader, ReplicationRole::Leader)));
            for (to, _) in partition.to.iter().filter(|(to, _)| cluster.nodes[to].live) {
                assert!(cluster.lists.followers.contains(&entry(*to)));
                assert!(
                    cluster.rates.contains_key(&(*to, ReplicationRole::Follower)),
                    "{to} at {}",
                    cluster.now_ms
                );
            }
        }
    }

    /// How often one port was written to in a time, at most.
    pub(crate) fn most_writes(&self, within: Range<u64>) -> usize {
        let writes = || self.cluster.writes.iter().filter(|write| within.contains(&write.0));
        let of = |port: (BrokerId, ReplicationRole)| {
            writes().filter(|write| (write.1, write.2) == port).count()
        };
        writes().map(|write| of((write.1, write.2))).max().unwrap_or_default()
    }

    /// In MB/s.
    pub(crate) fn rate(&self, broker: u32, role: ReplicationRole) -> u64 {
        self.cluster.rates[&(BrokerId(broker), role)] / MB
    }
}
