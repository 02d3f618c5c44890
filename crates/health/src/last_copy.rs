//! What a broker would erase if it started without its log.
//!
//! In: a [`Snapshot`], the broker, and the partitions whose log it still has. Out: each [`Erasure`], or the missing
//! fact without which the answer is unknown. A broker that may lead does so with whatever it has. With an empty disk it
//! leads an empty log, and the other replicas truncate theirs to it. Neither `min.insync.replicas` nor
//! `unclean.leader.election.enable=false` prevents that, in ZooKeeper mode and in KRaft.

use mapper::snapshot::{Leader, Partition, PartitionFacts, Topic};
use mapper::{BrokerId, Replicas, Snapshot, TopicPartition};
use serde::Serialize;
use std::collections::BTreeSet;

/// A partition that would lose its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// The partition.
    pub partition: TopicPartition,
    /// Why the broker would lead it.
    pub why: WhyErased,
    /// The other replicas, in their order: they may still have the records.
    pub others: Replicas,
    /// A reassignment is adding replicas to it. An unclean election now could choose one of them that is empty.
    pub adding: bool,
}

/// Why a broker would lead a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyErased {
    /// There is no other replica.
    OnlyReplica,
    /// No other replica is in sync.
    OnlyInSync,
    /// No other replica is eligible (KIP-966).
    OnlyEligible,
    /// It was the last leader of the partition, which has none now.
    LastLeader,
    /// Other replicas are in sync or eligible, too, and all of them are down.
    OthersDown,
    /// All in-sync replicas are down, and the topic allows any replica to lead.
    Unclean,
}

/// A missing fact, without which it is unknown what a start would erase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {fact} of {partition} is not known")]
pub struct UnknownErasure {
    /// The partition.
    pub partition: TopicPartition,
    /// `leader` or `in-sync replicas`.
    pub fact: &'static str,
}

/// The partitions that `broker` would erase by starting without their logs; `on_disk` are those whose log it has.
///
/// # Errors
/// The first fact that is missing. An unknown fact never counts as safe.
pub fn would_erase(
    snapshot: &Snapshot,
    broker: BrokerId,
    on_disk: &BTreeSet<TopicPartition>,
) -> Result<Vec<Erasure>, UnknownErasure> {
    let mut erasures = Vec::new();
    for topic in snapshot.topics() {
        for partition in topic.partitions.iter().filter(|partition| holds(partition, broker)) {
            let name = TopicPartition { topic: topic.name.clone(), partition: partition.id };
            if on_disk.contains(&name) {
                continue;
            }
            let why = why(snapshot, topic, partition, broker);
            let why = why.map_err(|fact| UnknownErasure { partition: name.clone(), fact })?;
            erasures.extend(why.map(|why| erasure(name, why, partition, broker)));
        }
    }
    Ok(erasures)
}

/// Whether the broker may lead. It may do so until a reassignment that removes its replica ends.
fn holds(partition: &Partition, broker: BrokerId) -> bool {
    partition.replicas.contains(&broker) || removing(partition).contains(&broker)
}

fn removing(partition: &Partition) -> &[BrokerId] {
    partition.facts.as_ref().map_or(&[], |facts| &facts.rare.removing)
}

fn erasure(partition: TopicPartition, why: WhyErased, of: &Partition, broker: BrokerId) -> Erasure {
    let replicas = of.replicas.iter().chain(removing(of)).copied();
    let adding = of.facts.as_ref().is_some_and(|facts| !facts.rare.adding.is_empty());
    Erasure { partition, why, others: replicas.filter(|id| *id != broker).collect(), adding }
}

/// Why the broker would lead, if it would; otherwise the fact that is missing.
fn why(
    snapshot: &Snapshot,
    topic: &Topic,
    partition: &Partition,
    broker: BrokerId,
) -> Result<Option<WhyErased>, &'static str> {
    let led = match partition.leader() {
        Leader::Unknown => return Err("leader"),
        Leader::Broker(leader) => leader != broker && snapshot.is_live(leader),
        Leader::None => false,
    };
    // A live leader remains: the broker follows it, and copies what it lacks.
    if led {
        return Ok(None);
    }
    let facts = partition.facts.as_deref().ok_or("leader")?;
    let in_sync = facts.isr.as_deref().ok_or("in-sync replicas")?;
    Ok(leads(snapshot, topic, partition, facts, in_sync, broker))
}

fn leads(
    snapshot: &Snapshot,
    topic: &Topic,
    partition: &Partition,
    facts: &PartitionFacts,
    in_sync: &[BrokerId],
    broker: BrokerId,
) -> Option<WhyErased> {
    let mut others = partition.replicas.iter().chain(&facts.rare.removing);
    if others.all(|id| *id == broker) {
        return Some(WhyErased::OnlyReplica);
    }
    let may_lead: BTreeSet<BrokerId> = in_sync.iter().chain(&facts.rare.elr).copied().collect();
    let is_only = |list: &[BrokerId]| !list.is_empty() && list.iter().all(|id| *id == broker);
    if is_only(in_sync) {
        return Some(WhyErased::OnlyInSync);
    }
    if in_sync.is_empty() && is_only(&facts.rare.elr) {
        return Some(WhyErased::OnlyEligible);
    }
    if facts.rare.last_known_elr.contains(&broker) {
        return Some(WhyErased::LastLeader);
    }
    let up = |id: &BrokerId| snapshot.is_live(*id) && !facts.rare.offline.contains(id);
    if may_lead.iter().any(|id| *id != broker && up(id)) {
        return None;
    }
    if may_lead.contains(&broker) {
        return Some(WhyErased::OthersDown);
    }
    let unclean = topic.config.get("unclean.leader.election.enable");
    (unclean.map(String::as_str) == Some("true")).then_some(WhyErased::Unclean)
}

#[cfg(test)]
mod tests;
