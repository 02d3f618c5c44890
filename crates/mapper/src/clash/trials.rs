//! Plans again, with the relevant part of the cluster, as often as the work limit allows.

use crate::assign::assign;
use crate::balance::without_drained;
use crate::bytes::Bytes;
use crate::check::check;
use crate::dense::DenseCluster;
use crate::planners::plan;
use crate::request::{BaseLists, Request};
use crate::snapshot::Snapshot;
use std::borrow::Cow;

/// A cluster with fewer partitions is planned as a whole.
const SMALL: usize = 1_000;
/// The most partitions that are planned during a search. It takes some seconds, but is no limit of time.
const SEARCH: u64 = 2_000_000;
/// The most partitions of the whole cluster that are planned to confirm the results.
const CONFIRM: u64 = 2_000_000;

/// Attempts at a plan.
pub(super) struct Trials<'a> {
    pub(super) whole: &'a Snapshot,
    /// The relevant part of the cluster: all of a small one.
    pub(super) snapshot: Cow<'a, Snapshot>,
    pub(super) request: &'a Request,
    search: u64,
    confirm: u64,
    /// Attempts that the work limit did not allow.
    pub(super) untried: usize,
}

impl<'a> Trials<'a> {
    pub(super) fn new(whole: &'a Snapshot, request: &'a Request) -> Self {
        Self::with_small(whole, request, SMALL)
    }

    pub(super) fn with_small(whole: &'a Snapshot, request: &'a Request, small: usize) -> Self {
        let snapshot = if partitions(whole) <= small as u64 {
            Cow::Borrowed(whole)
        } else {
            what_matters(whole, request).map_or(Cow::Borrowed(whole), Cow::Owned)
        };
        Self { whole, snapshot, request, search: SEARCH, confirm: CONFIRM, untried: 0 }
    }

    /// Whether there is no plan after a change; `None`: not tried.
    pub(super) fn fails(
        &mut self,
        change: impl Fn(&Snapshot, &Request) -> (Snapshot, Request),
    ) -> Option<bool> {
        let cost = partitions(&self.snapshot).max(1);
        if cost > self.search {
            self.untried += 1;
            return None;
        }
        self.search -= cost;
        let (snapshot, request) = change(&self.snapshot, self.request);
        Some(plan(&snapshot, &request).is_err())
    }

    /// Whether a change of the relevant part leads to a plan.
    pub(super) fn helps(
        &mut self,
        change: impl Fn(&Snapshot, &Request) -> (Snapshot, Request),
    ) -> bool {
        self.fails(change) == Some(false)
    }

    /// Whether the change leads to a plan for the whole cluster that keeps every promise.
    pub(super) fn is_confirmed(
        &mut self,
        change: impl Fn(&Snapshot, &Request) -> (Snapshot, Request),
    ) -> bool {
        let cost = partitions(self.whole).max(1);
        if cost > self.confirm {
            self.untried += 1;
            return false;
        }
        self.confirm -= cost;
        let (snapshot, request) = change(self.whole, self.request);
        plan(&snapshot, &request).is_ok_and(|plan| check(&snapshot, &plan).is_empty())
    }
}

fn partitions(snapshot: &Snapshot) -> u64 {
    snapshot.topics().iter().map(|topic| topic.partitions.len() as u64).sum()
}

/// The partitions that need work. The others are left out, but their storage counts as used. `None`: all may matter.
fn what_matters(whole: &Snapshot, request: &Request) -> Option<Snapshot> {
    let all_matter = match request {
        Request::Rebuild(rebuild) => rebuild.force || rebuild.sub_affinity,
        Request::Replace(_) | Request::Leaders(_) | Request::Rebalance(_) | Request::Scale(_) => {
            false
        }
    };
    if all_matter || request.terms().fix_racks {
        return None;
    }
    let terms = match request.balance() {
        Some(balance) => without_drained(request.terms(), balance),
        None => request.terms().clone(),
    };
    let taken = assign(whole, &terms.assignments).ok()?;
    let base = BaseLists::of(request);
    let outgoing = match request {
        Request::Replace(replace) => Some(replace.outgoing),
        Request::Rebuild(_) | Request::Leaders(_) | Request::Rebalance(_) | Request::Scale(_) => {
            None
        }
    };
    let cluster = DenseCluster::new(whole);
    let used = |id| {
        let at = cluster.index_of(id)? as usize;
        cluster.used[at].map(Bytes)
    };
    let names = whole.topics();
    let part = whole.only(
        |topic, partition| {
            let at = names.binary_search_by(|known| known.name.cmp(&topic.name));
            let Some(at) = at.ok().and_then(|at| taken[at]) else { return false };
            let assignment = &terms.assignments[at];
            let factor = assignment.replication.map_or(partition.replicas.len(), |n| n as usize);
            let fine = |id| match outgoing {
                Some(outgoing) => id != outgoing,
                None => whole.is_live(id) && assignment.brokers.contains(&id),
            };
            base.get(&topic.name, partition.id).is_some()
                || factor != partition.replicas.len()
                || !partition.offline().is_empty()
                || !partition.replicas.iter().all(|id| fine(*id))
        },
        used,
    );
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::super::{ClashRule, clash_of};
    use super::*;
    use crate::{Assignment, PlaceBy, PlanTerms, Ratio, Rebuild, TopicSelection};

    /// A broker is lost, and the only other one of its rack has no room for all of its replicas.
    fn no_space() -> (Snapshot, Request) {
        let fixture = include_bytes!("../../fixtures/no-space.json");
        let snapshot = Snapshot::from_json(fixture).unwrap();
        let brokers = snapshot.known_brokers().into_iter().collect();
        let assignments = vec![Assignment::new(TopicSelection::Rest, brokers)];
        let terms = PlanTerms::new(assignments, Ratio::from_percent(10));
        let request = Request::Rebuild(Rebuild::new(terms, PlaceBy::Storage));
        (snapshot, request)
    }

    #[test]
    fn the_part_that_matters_gives_the_answer_of_the_whole() {
        let (snapshot, request) = no_space();
        let why = plan(&snapshot, &request).unwrap_err();
        let mut part = Trials::with_small(&snapshot, &request, 0);
        assert!(partitions(&part.snapshot) < partitions(&snapshot));
        let of_part = clash_of(&mut part, &why);
        assert_eq!(of_part, clash_of(&mut Trials::with_small(&snapshot, &request, 1_000), &why));
        assert!(matches!(of_part.rules[..], [ClashRule::Storage { .. }, ClashRule::Lost { .. }]));
        assert_eq!(of_part.remedies.len(), 3);
    }
}
