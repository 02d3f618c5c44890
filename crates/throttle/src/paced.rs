//! Which replicas are throttled.
//!
//! The followers' lists name only replicas to fill: an in-sync replica must not wait. The leaders' lists name the
//! leader and every other replica in sync. A leader's quota counts only what it sends while it leads, so it costs
//! nothing to name the others. One of them may become leader long before the next round, when the leader fails or
//! leaves the replica list.

use crate::decision::ThrottledReplicas;
use crate::limits::ThrottleTerms;
use crate::note::{ThrottleNote, WhyNotThrottled};
use crate::seen::{BrokerSeen, CopySeen, ReplicaToFill, ThrottleInputs, WhyNotInSync};
use mapper::{BrokerId, Bytes, PartitionId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// A partition with the replicas to fill that are throttled.
pub(crate) struct Paced<'s> {
    /// The facts about it.
    pub(crate) copy: &'s CopySeen,
    /// Its leader is live and can feed them.
    pub(crate) leads_live: bool,
    /// The destinations that are throttled; never empty.
    pub(crate) to: Vec<ThrottledTarget>,
}

/// A replica that is throttled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThrottledTarget {
    pub(crate) broker: BrokerId,
    pub(crate) done: Option<Bytes>,
    /// Its broker is live and can receive it.
    pub(crate) live: bool,
}

/// What is throttled, and what is not.
pub(crate) struct Pacing<'s> {
    /// In order of partition, each once.
    pub(crate) paced: Vec<Paced<'s>>,
    /// Partitions that are filled before all others.
    pub(crate) first: BTreeSet<&'s TopicPartition>,
}

impl Paced<'_> {
    /// The brokers that feed it, or would feed it next.
    pub(crate) fn sources(&self) -> impl Iterator<Item = BrokerId> {
        let leader = self.copy.leader.filter(|leader| !self.copy.in_sync.contains(leader));
        leader.into_iter().chain(self.copy.in_sync.iter().copied())
    }

    /// The brokers that are filled.
    fn brokers(&self) -> impl Iterator<Item = BrokerId> {
        self.to.iter().map(|to| to.broker)
    }
}

/// The partitions that are throttled. Those that are not go to the notes, with the reason.
pub(crate) fn paced<'s>(
    seen: &'s ThrottleInputs,
    terms: &ThrottleTerms,
    notes: &mut BTreeSet<ThrottleNote>,
) -> Pacing<'s> {
    let mut copies: Vec<&CopySeen> = seen.copies.iter().collect();
    copies.sort_by(|a, b| a.of.cmp(&b.of));
    copies.dedup_by(|next, first| next.of == first.of);
    let live = |broker| seen.brokers.get(&broker).is_some_and(|broker: &BrokerSeen| broker.live);
    let mut pacing = Pacing { paced: Vec::with_capacity(copies.len()), first: BTreeSet::new() };
    for copy in copies {
        let target = |to: &ReplicaToFill| ThrottledTarget {
            broker: to.broker,
            done: to.done,
            live: live(to.broker),
        };
        let to: Vec<ThrottledTarget> =
            copy.destinations.iter().map(target).filter(|to| is_behind(copy, to, terms)).collect();
        if to.is_empty() {
            continue;
        }
        if let Some(why) = goes_first(copy, terms) {
            notes.insert(ThrottleNote::Unpaced { of: copy.of.clone(), why });
            pacing.first.insert(&copy.of);
            continue;
        }
        if copy.leader.is_none() {
            notes.insert(ThrottleNote::NoLeader { of: copy.of.clone() });
        }
        pacing.paced.push(Paced { copy, leads_live: copy.leader.is_some_and(live), to });
    }
    pacing
}

/// A replica of a reassignment always is. A broker that is down copies nothing; how much it has to catch up is known
/// when it is back.
fn is_behind(copy: &CopySeen, to: &ThrottledTarget, terms: &ThrottleTerms) -> bool {
    match copy.cause {
        WhyNotInSync::Reassignment => true,
        WhyNotInSync::Recovery if !terms.pace_recovery => false,
        WhyNotInSync::Recovery => {
            let done = to.done.unwrap_or_default().0;
            let missing = copy.leader_bytes.map(|all| Bytes(all.0.saturating_sub(done)));
            to.live && missing.is_none_or(|missing| missing > terms.recovery_bytes)
        }
    }
}

/// A reassignment never goes first, however few replicas are in sync: it is always throttled.
fn goes_first(copy: &CopySeen, terms: &ThrottleTerms) -> Option<WhyNotThrottled> {
    if terms.pace_all || copy.cause == WhyNotInSync::Reassignment {
        return None;
    }
    let in_sync = copy.in_sync.len();
    let under =
        copy.min_insync.is_some_and(|min| in_sync < usize::try_from(min).unwrap_or(usize::MAX));
    if under {
        Some(WhyNotThrottled::UnderMinIsr)
    } else if in_sync <= 1 {
        Some(WhyNotThrottled::LastInSync)
    } else {
        None
    }
}

/// The lists of all topics.
pub(crate) fn lists(
    paced: &[Paced<'_>],
    first: &BTreeSet<&TopicPartition>,
    seen: &ThrottleInputs,
) -> BTreeMap<String, ThrottledReplicas> {
    let of_topics = paced.chunk_by(|one, next| one.copy.of.topic == next.copy.of.topic);
    let mut lists: BTreeMap<String, ThrottledReplicas> = of_topics.filter_map(list).collect();
    let filled: BTreeSet<BrokerId> = paced.iter().flat_map(Paced::brokers).collect();
    // An override for a broker that fills nothing now: its later recoveries find their throttle already set.
    for (broker, topics) in &seen.hosted {
        if !seen.overrides.stays_on(*broker) || filled.contains(broker) {
            continue;
        }
        for (topic, partitions) in topics {
            let paced = |partition: &&PartitionId| {
                let of = TopicPartition { topic: topic.clone(), partition: **partition };
                !first.contains(&of)
            };
            let own: Vec<_> = partitions.iter().filter(paced).map(|of| (*of, *broker)).collect();
            if !own.is_empty() {
                lists.entry(topic.clone()).or_default().followers.extend(own);
            }
        }
    }
    lists
}

/// The lists of one topic.
fn list(of_topic: &[Paced<'_>]) -> Option<(String, ThrottledReplicas)> {
    let topic = of_topic.first()?.copy.of.topic.clone();
    let leaders =
        |one: &Paced<'_>| one.sources().map(|id| (one.copy.of.partition, id)).collect::<Vec<_>>();
    let followers =
        |one: &Paced<'_>| one.brokers().map(|id| (one.copy.of.partition, id)).collect::<Vec<_>>();
    let lists = ThrottledReplicas {
        leaders: of_topic.iter().flat_map(leaders).collect(),
        followers: of_topic.iter().flat_map(followers).collect(),
    };
    Some((topic, lists))
}
