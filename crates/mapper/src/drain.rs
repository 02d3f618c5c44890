//! What remains on brokers that a request has emptied: Kafka still places new partitions on such a broker.
//!
//! In: the request that was carried out, and the current cluster. Out: the replicas that are still there, and the
//! request that moves only those.

use crate::assign::assign_any;
use crate::assignment::{Assignment, TopicSelection};
use crate::balance::without_drained;
use crate::ids::{BrokerId, TopicPartition};
use crate::request::{BaseReplicas, Mends, PlaceBy, PlanTerms, Rebuild, Request};
use crate::snapshot::{Partition, Snapshot, Topic};
use crate::step_limits::StepLimits;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A broker that should be empty, and is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undrained {
    /// The broker.
    pub broker: BrokerId,
    /// Its partitions of the topics in the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<TopicPartition>,
    /// How many of its partitions are not in the request: they were to stay.
    pub out_of_scope: usize,
}

/// The brokers that a request empties and that still have replicas of these topics, in order of id.
pub fn undrained<'t>(
    request: &Request,
    topics: impl IntoIterator<Item = &'t Topic>,
) -> Vec<Undrained> {
    let emptied = request.emptied();
    if emptied.is_empty() {
        return Vec::new();
    }
    let topics: Vec<&Topic> = topics.into_iter().collect();
    let taken = assign_any(&topics, &request.terms().assignments);
    let mut left: BTreeMap<BrokerId, Undrained> = BTreeMap::new();
    for (topic, taken) in topics.iter().zip(taken) {
        for partition in &topic.partitions {
            for broker in partition.replicas.iter().copied().filter(|id| emptied.contains(id)) {
                let none = Undrained { broker, partitions: Vec::new(), out_of_scope: 0 };
                let left = left.entry(broker).or_insert(none);
                match taken {
                    Some(_) => left.partitions.push(of(topic, partition)),
                    None => left.out_of_scope += 1,
                }
            }
        }
    }
    left.into_values().collect()
}

/// The request that moves the remaining replicas of the request's topics off the emptied brokers, and nothing else;
/// none if there are none.
pub fn sweep(request: &Request, snapshot: &Snapshot, placement: PlaceBy) -> Option<Request> {
    let topics: Vec<&Topic> = snapshot.topics().iter().collect();
    let taken = assign_any(&topics, &request.terms().assignments);
    let emptied = request.emptied();
    let holds = |partition: &&Partition| partition.replicas.iter().any(|id| emptied.contains(id));
    let mut base = Vec::new();
    let mut named: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (topic, taken) in topics.iter().zip(taken) {
        let Some(assignment) = taken else { continue };
        for partition in topic.partitions.iter().filter(holds) {
            named.entry(assignment).or_default().insert(topic.name.clone());
            base.push(BaseReplicas {
                topic: topic.name.clone(),
                partition: partition.id,
                replicas: partition.replicas.iter().copied().map(Some).collect(),
            });
        }
    }
    if base.is_empty() {
        return None;
    }
    let all = staying(request).assignments;
    let assignments = named.into_iter().filter_map(|(index, names)| {
        let assignment = all.get(index)?.clone();
        Some(Assignment { topics: TopicSelection::Named(names), ..assignment })
    });
    let terms = PlanTerms {
        assignments: assignments.collect(),
        mends: Mends::Everything,
        pacing: StepLimits::default(),
        ..request.terms().clone()
    };
    Some(Request::Rebuild(Rebuild { base, sweeps: emptied, ..Rebuild::new(terms, placement) }))
}

/// The request's terms, without the brokers to empty.
fn staying(request: &Request) -> PlanTerms {
    match request.balance() {
        Some(balance) => without_drained(request.terms(), balance),
        None => request.terms().clone(),
    }
}

fn of(topic: &Topic, partition: &Partition) -> TopicPartition {
    TopicPartition { topic: topic.name.clone(), partition: partition.id }
}
