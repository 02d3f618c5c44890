//! The replicas that remain on a drained broker when an execution ends, and the sweep that moves them.

use crate::run::Run;
use crate::world::{DRAINED, OUT_OF_SCOPE, topic};
use mapper::{PlaceBy, TopicPartition, check, sweep, undrained};
use std::collections::BTreeSet;

impl Run {
    /// The executor names everything that the drained broker still holds. One sweep moves the replicas of the plan's
    /// topics, and no others.
    pub fn is_swept(&mut self) {
        self.others_are_done();
        let (request, snapshot) = (self.plan.request.clone(), self.cluster.snapshot());
        let left = undrained(&request, snapshot.topics());
        let (ours, others) = self.held_by_the_drained();
        let named = left.iter().flat_map(|left| left.partitions.iter().cloned()).collect();
        assert_eq!(ours, named, "what is left is named");
        assert_eq!(left.iter().map(|left| left.out_of_scope).sum::<usize>(), others.len());
        assert!(left.iter().all(|left| left.broker == DRAINED));
        let Some(request) = sweep(&request, &snapshot, PlaceBy::Count) else {
            assert_eq!(ours, BTreeSet::new(), "there is something to sweep");
            return;
        };
        let plan = mapper::plan(&snapshot, &request).unwrap();
        assert_eq!(check(&snapshot, &plan), []);
        assert_eq!(plan.moves.iter().map(|change| change.of()).collect::<BTreeSet<_>>(), ours);
        assert!(plan.moves.iter().all(|change| change.removed().eq([DRAINED])), "{:?}", plan.moves);
        self.begins(&plan);
        self.calms_down();
        self.ends_as_promised();
        self.is_complete();
        assert_eq!(self.held_by_the_drained(), (BTreeSet::new(), others));
    }

    /// The partitions in scope, and those out of scope.
    fn held_by_the_drained(&self) -> (BTreeSet<TopicPartition>, BTreeSet<TopicPartition>) {
        let held = self.cluster.partitions.iter();
        let held = held.filter(|(_, state)| state.replicas.contains(&DRAINED));
        held.map(|(of, _)| of.clone()).partition(|of| of.topic != topic(OUT_OF_SCOPE))
    }
}
