//! From a decision to the configs of the throttle.
//!
//! In: the decision, the ledger, what is seen. Out: what to set and to restore. It follows the decision. It also keeps each
//! throttle of ours that covers a replica which a reassignment fills, whatever was decided: a throttle stays while a
//! replica is copied under it. Pure.

use crate::quiet::Quiet;
use execute::{
    Holding, Key, Ledger, List, Owner, Seen, Setting, ThrottleResource, ThrottleValue,
    ThrottledReplica, WantedConfigs, WantedRate, passing, rate_of, rate_setting, reconcile,
    records_what_stands,
};
use mapper::{PartitionId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};
use throttle::{ReplicationRole, ThrottleDecision, ThrottledReplicas};

/// What to set, and what to restore. `None`: a value that is set would be recorded as the operator's. So the ledger of
/// executions is read first, before and after another look (`asked`). Also while moves run: an execution sets its rates
/// before a move begins, and keeps them between two moves.
pub fn holding(
    decision: &ThrottleDecision,
    ledger: &Ledger,
    seen: &Seen,
    (quiet, keeps_throttles): (&Quiet, bool),
    asked: bool,
) -> Option<Holding> {
    let holding = reconciled(decision, ledger, seen, (quiet, keeps_throttles));
    (asked || !records_what_stands(&holding.actions, ledger)).then_some(holding)
}

/// The same for a process that writes nothing.
pub(crate) fn reconciled(
    decision: &ThrottleDecision,
    ledger: &Ledger,
    seen: &Seen,
    (quiet, keeps_throttles): (&Quiet, bool),
) -> Holding {
    let mut wanted = wanted(decision, ledger, seen, quiet);
    if keeps_throttles {
        and_keep_what_is_ours(&mut wanted, ledger);
    }
    reconcile(&wanted, ledger, seen)
}

/// The configs that the cluster needs now. `quiet` has the values from when nothing moved.
fn wanted(
    decision: &ThrottleDecision,
    ledger: &Ledger,
    seen: &Seen,
    quiet: &Quiet,
) -> WantedConfigs {
    let mut lists = decided_lists(decision);
    for (setting, entries) in covering(ledger, seen) {
        lists.entry(setting).or_default().extend(entries);
    }
    let mut rates: BTreeMap<Setting, WantedRate> = BTreeMap::new();
    for (setting, entries) in &lists {
        let brokers = entries.iter().map(|replica| replica.broker);
        rates.extend(
            brokers.map(|broker| {
                (rate_setting(broker, rate_of(setting.key)), WantedRate::LeaveAsItIs)
            }),
        );
    }
    rates.extend(of_executions(ledger));
    for ((broker, role), decided) in &decision.rates {
        rates.insert(rate_setting(*broker, rate_key(*role)), WantedRate::At(decided.rate));
    }
    let list = |(setting, now): (Setting, BTreeSet<ThrottledReplica>)| {
        let in_flight = passing(seen, &setting);
        (setting, List { ever: now.clone(), now, in_flight })
    };
    WantedConfigs {
        owner: Owner::Daemon,
        rates,
        lists: lists.into_iter().map(list).collect(),
        originals: quiet.originals().clone(),
        unsettled: quiet.is_unsettled(),
        ..WantedConfigs::default()
    }
}

/// No throttle, except those that only an execution can judge.
pub fn nothing(ledger: &Ledger) -> WantedConfigs {
    WantedConfigs {
        owner: Owner::Daemon,
        rates: of_executions(ledger).collect(),
        ..WantedConfigs::default()
    }
}

/// Whether something is copied between the dirs of one broker is an execution's to know: its rate stays.
fn of_executions(ledger: &Ledger) -> impl Iterator<Item = (Setting, WantedRate)> {
    let theirs = ledger.held().filter(|(setting, _)| setting.key == Key::LogDirRate);
    theirs.map(|(setting, _)| (setting.clone(), WantedRate::LeaveAsItIs))
}

/// Everything that is ours stays as it is (`--skip-auto-delete-throttles`).
fn and_keep_what_is_ours(wanted: &mut WantedConfigs, ledger: &Ledger) {
    for (setting, held) in ledger.held() {
        if setting.key.is_list() {
            let list = wanted.lists.entry(setting.clone()).or_default();
            list.now.extend(held.ours.iter().filter_map(ThrottleValue::replica));
            list.ever.extend(&list.now);
        } else {
            wanted.rates.entry(setting.clone()).or_insert(WantedRate::LeaveAsItIs);
        }
    }
}

/// The partitions that are being copied under a list of ours.
pub fn covered(
    ledger: &Ledger,
    seen: &Seen,
    copied: &BTreeSet<TopicPartition>,
) -> BTreeSet<TopicPartition> {
    let mut found = BTreeSet::new();
    for (setting, held) in ledger.held() {
        let ThrottleResource::Topic(topic) = &setting.resource else { continue };
        for replica in held.ours.iter().filter_map(ThrottleValue::replica) {
            let of = TopicPartition { topic: topic.clone(), partition: replica.partition };
            if copied.contains(&of) || seen.running.contains_key(&of) {
                found.insert(of);
            }
        }
    }
    found
}

pub(crate) fn rate_key(role: ReplicationRole) -> Key {
    match role {
        ReplicationRole::Leader => Key::LeaderRate,
        ReplicationRole::Follower => Key::FollowerRate,
    }
}

fn decided_lists(decision: &ThrottleDecision) -> BTreeMap<Setting, BTreeSet<ThrottledReplica>> {
    let mut lists = BTreeMap::new();
    for (topic, ThrottledReplicas { leaders, followers }) in &decision.lists {
        for (key, replicas) in [(Key::LeaderReplicas, leaders), (Key::FollowerReplicas, followers)]
        {
            if !replicas.is_empty() {
                let setting = Setting { resource: ThrottleResource::Topic(topic.clone()), key };
                let replica = |&(partition, broker): &_| ThrottledReplica { partition, broker };
                lists.insert(setting, replicas.iter().map(replica).collect());
            }
        }
    }
    lists
}

/// What is ours and may still hold a replica back that a reassignment fills.
fn covering(ledger: &Ledger, seen: &Seen) -> BTreeMap<Setting, BTreeSet<ThrottledReplica>> {
    let mut lists = BTreeMap::new();
    for (setting, held) in ledger.held() {
        let ThrottleResource::Topic(topic) = &setting.resource else { continue };
        let covers = |&ThrottledReplica { partition, broker }: &ThrottledReplica| {
            let of = TopicPartition { topic: topic.clone(), partition };
            let follows = setting.key == Key::FollowerReplicas;
            let done = || follows && in_sync(seen, topic, partition, broker);
            seen.running.contains_key(&of) && !done()
        };
        let ours = held.ours.iter().filter_map(ThrottleValue::replica);
        let entries: BTreeSet<ThrottledReplica> = ours.filter(covers).collect();
        if !entries.is_empty() {
            lists.insert(setting.clone(), entries);
        }
    }
    lists
}

/// Known to be in sync: a list does not limit it.
fn in_sync(seen: &Seen, topic: &str, partition: PartitionId, broker: mapper::BrokerId) -> bool {
    let found = seen.topics.get(topic).and_then(|topic| topic.partition(partition));
    let isr = found.and_then(|partition| partition.facts.as_ref()?.isr.as_ref());
    isr.is_some_and(|isr| isr.contains(&broker))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ids, partition, seen_of};
    use execute::{LedgerEntry, Others, Running, ThrottledEntries};
    use mapper::BrokerId;
    use throttle::Decided;

    fn list(key: Key) -> Setting {
        Setting { resource: ThrottleResource::Topic("t".to_owned()), key }
    }

    fn ledger(key: Key, ours: &[&str]) -> Ledger {
        let ours = ours.iter().map(|entry| (*entry).into()).collect();
        Ledger::replay([LedgerEntry::Held {
            setting: list(key),
            before: None,
            found: None,
            ours,
            met: BTreeSet::new(),
            owner: Owner::Daemon,
        }])
    }

    /// Partition 0 of `t` moves from 1 to 3.
    fn moving(isr: &[u32]) -> Seen {
        let mut seen = seen_of("t", vec![partition(0, &[1, 3], isr, 1)]);
        let of = TopicPartition { topic: "t".to_owned(), partition: PartitionId(0) };
        seen.running.insert(of, Running { target: ids(&[3]), adding: ids(&[3]) });
        seen
    }

    #[test]
    fn what_covers_a_running_copy_is_wanted_whatever_was_decided() {
        let nothing = ThrottleDecision::default();
        let ledger = ledger(Key::FollowerReplicas, &["0:3", "1:3"]);
        let wanted = wanted(&nothing, &ledger, &moving(&[1]), &Quiet::default());
        assert_eq!(
            wanted.lists[&list(Key::FollowerReplicas)].now,
            ThrottledEntries::parse(Some("0:3")).replicas()
        );
        let rate = rate_setting(BrokerId(3), Key::FollowerRate);
        assert_eq!(wanted.rates, [(rate, WantedRate::LeaveAsItIs)].into());
    }

    #[test]
    fn a_follower_in_sync_is_released_at_once_and_its_leader_when_the_move_ends() {
        let nothing = ThrottleDecision::default();
        let follower = ledger(Key::FollowerReplicas, &["0:3"]);
        assert_eq!(wanted(&nothing, &follower, &moving(&[1, 3]), &Quiet::default()).lists.len(), 0);
        let leader = ledger(Key::LeaderReplicas, &["0:1"]);
        assert_eq!(wanted(&nothing, &leader, &moving(&[1, 3]), &Quiet::default()).lists.len(), 1);
        let ended = seen_of("t", vec![partition(0, &[3], &[3], 3)]);
        assert_eq!(wanted(&nothing, &leader, &ended, &Quiet::default()).lists.len(), 0);
    }

    #[test]
    fn nothing_of_ours_goes_where_nothing_may_be_deleted() {
        let ledger = ledger(Key::FollowerReplicas, &["0:3"]);
        let mut wanted = WantedConfigs::default();
        and_keep_what_is_ours(&mut wanted, &ledger);
        let ended = seen_of("t", vec![partition(0, &[3], &[3], 3)]);
        let mut seen = ended;
        let set = [(Key::FollowerReplicas, "0:3".to_owned())].into();
        seen.configs.insert(list(Key::FollowerReplicas).resource, set);
        assert_eq!(execute::reconcile(&wanted, &ledger, &seen).actions, []);
    }

    #[test]
    fn a_rate_of_an_execution_is_asked_for_also_while_moves_run_that_we_pace() {
        let rate = rate_setting(BrokerId(3), Key::FollowerRate);
        let ledger = ledger(Key::FollowerReplicas, &["0:3"]);
        let mut seen = moving(&[1]);
        let set = [(Key::FollowerRate, "1000".to_owned())].into();
        seen.configs.insert(rate.resource.clone(), set);
        let decided = Decided {
            rate: mapper::Rate(7),
            why: throttle::RateReason::Share,
            kept: false,
            headroom: None,
            floor: throttle::RateFloor::Never,
        };
        let rates = [((BrokerId(3), ReplicationRole::Follower), decided)].into();
        let decision = ThrottleDecision { rates, ..ThrottleDecision::default() };
        let quiet = Quiet::default();
        let holding =
            |seen: &Seen, asked| holding(&decision, &ledger, seen, (&quiet, false), asked);
        assert_eq!(holding(&seen, false), None);
        assert_eq!(holding(&seen, true).map(|holding| holding.sets()), Some(true), "an operator's");
        seen.others = Others::Known([(rate, ["1000".into()].into())].into());
        assert_eq!(holding(&seen, true).map(|holding| holding.sets()), Some(false));
    }
}
