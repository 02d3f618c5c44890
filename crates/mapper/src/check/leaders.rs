//! The promises about preferred leaders. An evacuated broker does not lead a partition that another broker can lead.
//! The choice of leaders moves no data.

use super::topics;
use super::view::CheckedSnapshot;
use super::violation::Violation;
use crate::ids::{BrokerId, PartitionId, TopicPartition};
use crate::plan::{LeftOut, Move, Plan};
use crate::request::Request;
use crate::scope::ScopeError;
use crate::snapshot::{Partition, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// Brokers that should not lead some topics.
pub(super) struct Evacuation<'p> {
    brokers: &'p BTreeSet<BrokerId>,
    /// None: all topics in scope.
    topics: Option<BTreeSet<&'p str>>,
}

impl<'p> Evacuation<'p> {
    /// The evacuation in a request, if there is one.
    pub(super) fn of(
        before: &'p Snapshot,
        request: &'p Request,
    ) -> Result<Option<Self>, ScopeError> {
        let (brokers, topics) = match request {
            Request::Leaders(leaders) => (&leaders.evacuate, None),
            Request::Rebuild(rebuild) => match &rebuild.leader_evacuation {
                Some(asked) => (&asked.brokers, Some(&asked.topics)),
                None => return Ok(None),
            },
            Request::Replace(_) | Request::Rebalance(_) | Request::Scale(_) => return Ok(None),
        };
        let topics = topics.map(|topics| topics::meant(before, topics)).transpose()?;
        Ok((!brokers.is_empty()).then_some(Self { brokers, topics }))
    }

    /// Whether an evacuated broker leads the list although another broker of it could.
    fn is_led_wrongly(
        &self,
        view: &CheckedSnapshot<'_>,
        partition: &Partition,
        list: &[BrokerId],
    ) -> Option<BrokerId> {
        let head = list.first().copied().filter(|head| self.brokers.contains(head))?;
        list.iter().any(|id| self.may_lead(view, partition, *id)).then_some(head)
    }

    fn may_lead(&self, view: &CheckedSnapshot<'_>, partition: &Partition, id: BrokerId) -> bool {
        let offline = partition.offline().contains(&id) && partition.replicas.contains(&id);
        view.is_live(id) && !offline && !self.brokers.contains(&id)
    }

    /// Whether a partition that the plan leaves with an evacuated leader has another possible leader after the plan.
    pub(super) fn has_another(
        &self,
        view: &CheckedSnapshot<'_>,
        plan: &Plan,
        left: &LeftOut,
    ) -> bool {
        let Some(partition) = view.find.partition(&left.topic, left.partition) else {
            return true;
        };
        let key = (&*left.topic, left.partition);
        let moves = &plan.moves;
        // If the moves are out of order, the move is not found, and the old list is used.
        let at = moves.binary_search_by(|change| (&*change.topic, change.partition).cmp(&key));
        let list = at.map_or(&partition.replicas, |at| &moves[at].to);
        self.is_led_wrongly(view, partition, list).is_some()
    }
}

/// Evacuated brokers that still lead, without a report in the plan.
pub(super) fn evacuated(
    view: &CheckedSnapshot<'_>,
    plan: &Plan,
    evacuation: &Evacuation<'_>,
) -> Vec<Violation> {
    let moved: BTreeMap<(&str, PartitionId), &Move> =
        plan.moves.iter().map(|change| ((&*change.topic, change.partition), change)).collect();
    let said: BTreeSet<(&str, PartitionId)> =
        plan.left_out.iter().map(|left| (&*left.topic, left.partition)).collect();
    let mut broken = Vec::new();
    let covered =
        |topic: &str| evacuation.topics.as_ref().is_none_or(|topics| topics.contains(topic));
    for (topic, _) in view.in_scope().filter(|(topic, _)| covered(&topic.name)) {
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

/// Checks that a plan of `leaders` changes only the order of replicas, and that the first one is healthy.
pub(super) fn only_reorders(view: &CheckedSnapshot<'_>, change: &Move) -> Option<Violation> {
    let changed: Vec<BrokerId> = change.removed().chain(change.added()).collect();
    if !changed.is_empty() {
        return Some(Violation::NoReason { of: change.of(), brokers: changed });
    }
    let partition = view.find.partition(&change.topic, change.partition)?;
    let head = change.to.first().copied()?;
    let healthy = view.is_live(head) && !partition.offline().contains(&head);
    (!healthy).then(|| Violation::Leads { of: change.of(), broker: head })
}
