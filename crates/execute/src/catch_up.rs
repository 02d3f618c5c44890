//! A broker that comes back under its id with an empty disk: what it has to copy, and which configs pace that.
//!
//! In: the broker, a rate, and what is [`Seen`]. Out: the partitions in which it is behind, and the configs that pace
//! exactly those ([`WantedConfigs`]). No reassignment runs while it copies, so only these lists throttle it (KIP-73).
//! The leaders' lists and rates are set before the broker registers. Its own rate can be set only afterwards.

use crate::config::{Key, Setting, ThrottleResource, ThrottledReplica};
use crate::ledger::Owner;
use crate::reconcile::{List, WantedConfigs, WantedRate, rate_setting};
use crate::seen::{Seen, isr};
use mapper::snapshot::{Leader, Partition};
use mapper::{BrokerId, Rate, TopicPartition};
use std::collections::BTreeSet;

/// The partitions of which the broker has a replica that is not in sync.
pub fn behind(seen: &Seen, broker: BrokerId) -> BTreeSet<TopicPartition> {
    let lags = |partition: &&Partition| !isr(partition).contains(&broker);
    of_broker(seen, broker, lags)
}

/// The partitions whose first replica is on the broker and in sync, but does not lead.
pub fn to_elect(seen: &Seen, broker: BrokerId) -> BTreeSet<TopicPartition> {
    let mut found = of_broker(seen, broker, |partition: &&Partition| {
        partition.replicas.first() == Some(&broker)
            && isr(partition).contains(&broker)
            && partition.leader() != Leader::Broker(broker)
    });
    // The tool that moves a partition also runs its elections.
    found.retain(|of| !seen.running.contains_key(of));
    found
}

/// The configs that pace the copies to the broker now; none once it is in sync everywhere. `ever` are the partitions in
/// which it was behind at the start: their list entries are ours.
pub fn pace(
    broker: BrokerId,
    rate: Rate,
    ever: &BTreeSet<TopicPartition>,
    seen: &Seen,
    owner: Owner,
) -> WantedConfigs {
    let mut wanted = WantedConfigs { owner, ..WantedConfigs::default() };
    let now = behind(seen, broker);
    if now.is_empty() {
        return wanted;
    }
    let mut senders = BTreeSet::new();
    for of in ever.union(&now) {
        let Some(partition) = find(seen, of) else { continue };
        let others = partition.replicas.iter().copied().filter(|id| *id != broker);
        let lists = [
            (Key::LeaderReplicas, others.collect::<Vec<_>>()),
            (Key::FollowerReplicas, vec![broker]),
        ];
        for (key, brokers) in lists {
            let setting = Setting { resource: ThrottleResource::Topic(of.topic.clone()), key };
            let list: &mut List = wanted.lists.entry(setting).or_default();
            let replica = |id: &BrokerId| ThrottledReplica { partition: of.partition, broker: *id };
            let entries = brokers.iter().map(replica);
            list.ever.extend(entries.clone());
            if now.contains(of) {
                list.now.extend(entries);
            }
        }
        if now.contains(of) {
            senders.extend(isr(partition).iter().copied().filter(|id| *id != broker));
        }
    }
    let live = |id: &BrokerId| seen.live.contains(id);
    let rates = senders.into_iter().filter(live).map(|id| rate_setting(id, Key::LeaderRate));
    let own = live(&broker).then(|| rate_setting(broker, Key::FollowerRate));
    wanted.rates = rates.chain(own).map(|setting| (setting, WantedRate::At(rate))).collect();
    wanted
}

fn of_broker(
    seen: &Seen,
    broker: BrokerId,
    which: impl Fn(&&Partition) -> bool,
) -> BTreeSet<TopicPartition> {
    let mut found = BTreeSet::new();
    for topic in seen.topics.values() {
        let held = topic.partitions.iter().filter(|one| one.replicas.contains(&broker));
        let of = |id| TopicPartition { topic: topic.name.clone(), partition: id };
        found.extend(held.filter(&which).map(|partition| of(partition.id)));
    }
    found
}

fn find<'s>(seen: &'s Seen, of: &TopicPartition) -> Option<&'s Partition> {
    seen.topics.get(&of.topic)?.partitions.iter().find(|partition| partition.id == of.partition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ThrottledEntries;
    use crate::ledger::Ledger;
    use crate::reconcile::reconcile;
    use crate::{Action, LedgerEntry};
    use mapper::snapshot::{PartitionFacts, Topic};
    use mapper::{PartitionId, Replicas};
    use std::collections::BTreeMap;

    const BROKER: BrokerId = BrokerId(3);

    /// Partitions 0 and 1 of `t` on 1, 2, 3 and on 3, 1; broker 3 is in sync where `in_sync` says so.
    fn seen(live: &[u32], in_sync: [bool; 2]) -> Seen {
        let ids = |ids: &[u32]| -> Replicas { ids.iter().copied().map(BrokerId).collect() };
        let partition = |id: u32, replicas: &[u32], there: bool| {
            let mut partition = Partition::new(PartitionId(id), ids(replicas));
            let mut isr = ids(replicas);
            isr.retain(|id| there || *id != BROKER);
            let leader = Leader::Broker(BrokerId(1));
            let facts = PartitionFacts { isr: Some(isr), leader, ..PartitionFacts::default() };
            partition.facts = Some(Box::new(facts));
            partition
        };
        let partitions =
            vec![partition(0, &[1, 2, 3], in_sync[0]), partition(1, &[3, 1], in_sync[1])];
        let topic = Topic { name: "t".into(), partitions, ..Topic::default() };
        let mut seen =
            Seen { live: live.iter().copied().map(BrokerId).collect(), ..Seen::default() };
        seen.topics.insert("t".to_owned(), topic);
        seen
    }

    fn owner() -> Owner {
        Owner::Execution { plan: "p".to_owned() }
    }

    fn of(partition: u32) -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition: PartitionId(partition) }
    }

    fn list(wanted: &WantedConfigs, key: Key) -> BTreeSet<ThrottledReplica> {
        let setting = Setting { resource: ThrottleResource::Topic("t".to_owned()), key };
        wanted.lists[&setting].now.clone()
    }

    fn named(text: &str) -> BTreeSet<ThrottledReplica> {
        ThrottledEntries::parse(Some(text)).replicas()
    }

    #[test]
    fn leaders_are_held_back_before_it_is_there_and_itself_from_then_on() {
        let ever = [of(0), of(1)].into();
        let wanted = pace(BROKER, Rate(7), &ever, &seen(&[1, 2], [false, false]), owner());
        assert_eq!(list(&wanted, Key::LeaderReplicas), named("0:1,0:2,1:1"));
        assert_eq!(list(&wanted, Key::FollowerReplicas), named("0:3,1:3"));
        let leaders =
            [1, 2].map(|id| (rate_setting(BrokerId(id), Key::LeaderRate), WantedRate::At(Rate(7))));
        assert_eq!(wanted.rates, leaders.clone().into());
        let wanted = pace(BROKER, Rate(7), &ever, &seen(&[1, 2, 3], [false, false]), owner());
        let own = (rate_setting(BROKER, Key::FollowerRate), WantedRate::At(Rate(7)));
        assert_eq!(wanted.rates, leaders.into_iter().chain([own]).collect::<BTreeMap<_, _>>());
    }

    #[test]
    fn what_is_in_sync_is_named_no_more_and_in_the_end_nothing() {
        let ever = [of(0), of(1)].into();
        let half = pace(BROKER, Rate(7), &ever, &seen(&[1, 2, 3], [true, false]), owner());
        assert_eq!(list(&half, Key::FollowerReplicas), named("1:3"));
        assert_eq!(half.rates.len(), 2, "broker 2 sends nothing any more");
        let done = pace(BROKER, Rate(7), &ever, &seen(&[1, 2, 3], [true, true]), owner());
        assert_eq!(done, WantedConfigs { owner: owner(), ..WantedConfigs::default() });
    }

    /// Applies the actions in a cluster that accepts every config, and keeps an operator's rate as it was.
    #[test]
    fn an_operators_rate_is_put_back() {
        let rate = rate_setting(BrokerId(1), Key::LeaderRate);
        let topic = ThrottleResource::Topic("t".to_owned());
        let mut configs: BTreeMap<ThrottleResource, BTreeMap<Key, String>> =
            [1, 2, 3].map(|id| (ThrottleResource::Broker(BrokerId(id)), BTreeMap::new())).into();
        configs.insert(topic, BTreeMap::new());
        configs.get_mut(&rate.resource).unwrap().insert(rate.key, "99".to_owned());
        let before = configs.clone();
        let mut ledger = Ledger::default();
        for in_sync in [[false; 2], [true, false], [true; 2], [true; 2], [true; 2]] {
            let seen = Seen { configs: configs.clone(), ..seen(&[1, 2, 3], in_sync) };
            let wanted = pace(BROKER, Rate(7), &[of(0), of(1)].into(), &seen, owner());
            for action in reconcile(&wanted, &ledger, &seen).actions {
                if let Action::Account(entry) = action {
                    ledger.apply(entry);
                } else if let Action::Set { setting, edit } = action {
                    let of = configs.get_mut(&setting.resource).unwrap();
                    match edit.after(of.get(&setting.key).map(String::as_str)) {
                        Some(value) => drop(of.insert(setting.key, value)),
                        None => drop(of.remove(&setting.key)),
                    }
                } else {
                    panic!("a throttle is held by accounts and configs alone");
                }
            }
            if in_sync == [false; 2] {
                assert_eq!(configs[&rate.resource][&rate.key], "7");
            }
        }
        assert_eq!(configs, before);
        assert!(ledger.is_empty());
        let held = |entry: &LedgerEntry| matches!(entry, LedgerEntry::Held { .. });
        assert!(!ledger.entries().iter().any(held));
    }

    #[test]
    fn it_is_elected_where_it_is_to_lead_and_can() {
        assert_eq!(to_elect(&seen(&[1, 2, 3], [true, true]), BROKER), [of(1)].into());
        assert_eq!(to_elect(&seen(&[1, 2, 3], [true, false]), BROKER), BTreeSet::new());
    }
}
