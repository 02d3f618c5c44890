//! What holds of preferred leaders: evacuated brokers lead nothing that somebody else can lead, and choosing leaders
//! moves no data.

use super::view::View;
use super::violation::Violation;
use crate::ids::{BrokerId, PartitionId, TopicPartition};
use crate::plan::{Move, Plan};
use crate::request::Request;
use crate::snapshot::Partition;
use std::collections::{BTreeMap, BTreeSet};

/// Brokers that are not to lead.
pub(super) struct Evacuation<'p> {
    brokers: &'p BTreeSet<BrokerId>,
}

impl<'p> Evacuation<'p> {
    /// The one that a request asks for, if it asks for one.
    pub(super) fn of(request: &'p Request) -> Option<Self> {
        let brokers = match request {
            Request::Leaders(leaders) => &leaders.evacuate,
            Request::Rebuild(_)
            | Request::Replace(_)
            | Request::Rebalance(_)
            | Request::Scale(_) => return None,
        };
        (!brokers.is_empty()).then_some(Self { brokers })
    }

    /// Whether the list is led by an evacuated broker while another of it could lead.
    fn is_led_wrongly(
        &self,
        view: &View<'_>,
        partition: &Partition,
        list: &[BrokerId],
    ) -> Option<BrokerId> {
        let head = list.first().copied().filter(|head| self.brokers.contains(head))?;
        list.iter().any(|id| self.may_lead(view, partition, *id)).then_some(head)
    }

    fn may_lead(&self, view: &View<'_>, partition: &Partition, id: BrokerId) -> bool {
        let offline = partition.offline().contains(&id) && partition.replicas.contains(&id);
        view.snapshot.is_live(id) && !offline && !self.brokers.contains(&id)
    }

    /// Whether a partition that is left out for want of another leader had one.
    pub(super) fn has_another(&self, view: &View<'_>, partition: &Partition) -> bool {
        self.is_led_wrongly(view, partition, &partition.replicas).is_some()
    }
}

/// Evacuated brokers that go on leading, unsaid.
pub(super) fn evacuated(
    view: &View<'_>,
    plan: &Plan,
    evacuation: &Evacuation<'_>,
) -> Vec<Violation> {
    let moved: BTreeMap<(&str, PartitionId), &Move> =
        plan.moves.iter().map(|change| ((&*change.topic, change.partition), change)).collect();
    let said: BTreeSet<(&str, PartitionId)> =
        plan.left_out.iter().map(|left| (&*left.topic, left.partition)).collect();
    let mut broken = Vec::new();
    for (topic, _) in view.in_scope() {
        for partition in &topic.partitions {
            let key = (topic.name.as_str(), partition.id);
            let list = moved.get(&key).map_or(&partition.replicas, |change| &change.to);
            let wrong = evacuation.is_led_wrongly(view, partition, list);
            if let Some(broker) = wrong.filter(|_| !said.contains(&key)) {
                let of = TopicPartition { topic: topic.name.clone(), partition: partition.id };
                broken.push(Violation::Leads { of, broker });
            }
        }
    }
    broken
}

/// A plan of `leaders` changes the order of replicas, and nothing else; who comes first is healthy.
pub(super) fn only_reorders(view: &View<'_>, change: &Move) -> Option<Violation> {
    let changed: Vec<BrokerId> = change.removed().chain(change.added()).collect();
    if !changed.is_empty() {
        return Some(Violation::NoReason { of: change.of(), brokers: changed });
    }
    let partition = view.snapshot.partition(&change.topic, change.partition)?;
    let head = change.to.first().copied()?;
    let healthy = view.snapshot.is_live(head) && !partition.offline().contains(&head);
    (!healthy).then(|| Violation::Leads { of: change.of(), broker: head })
}
