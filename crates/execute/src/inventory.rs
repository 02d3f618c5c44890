//! Every throttle that is set in a cluster: its owner, what it paces now, and whether it is a stray.
//!
//! In: the configs that are set, the moves and the replicas that are out of sync, and the ledgers. Out: one
//! [`Throttled`] for each config. A config that may pace a running copy is in use. A stray paces nothing *and* has no
//! owner in any ledger.

use crate::config::{Key, Setting, ThrottleResource, ThrottledEntries, ThrottledReplica};
use crate::ledger::{Ledger, LedgerEntry, Owner};
use mapper::snapshot::Topic;
use mapper::{BrokerId, PartitionId, TopicPartition};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Where a config of a throttle is set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThrottlePlace {
    /// On the default of all brokers (the entity with the empty name).
    EveryBroker,
    /// On this broker or topic.
    On(ThrottleResource),
}

impl fmt::Display for ThrottlePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EveryBroker => f.write_str("every broker"),
            Self::On(resource) => resource.fmt(f),
        }
    }
}

/// `{"every_broker": true}`, `{"broker": 1001}` or `{"topic": "events"}`.
impl Serialize for ThrottlePlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::EveryBroker => serializer.collect_map([("every_broker", true)]),
            Self::On(resource) => resource.serialize(serializer),
        }
    }
}

/// What a config paces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Paces {
    /// The bytes that leaders send.
    Leaders,
    /// The bytes that followers receive.
    Followers,
    /// The bytes that a broker copies from one of its log dirs to another.
    LogDirs,
}

impl Paces {
    /// What this config paces; a cordon paces nothing.
    pub fn of(key: Key) -> Option<Self> {
        match key {
            Key::LeaderRate | Key::LeaderReplicas => Some(Self::Leaders),
            Key::FollowerRate | Key::FollowerReplicas => Some(Self::Followers),
            Key::LogDirRate => Some(Self::LogDirs),
            Key::CordonedLogDirs => None,
        }
    }
}

/// A copy that is in flight, or will be as soon as its broker is back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copying {
    /// The partition.
    pub of: TopicPartition,
    /// The broker that gets the replica.
    pub to: BrokerId,
}

/// All copies in flight in a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Every copy, with all brokers that may send it: leadership may change while it runs.
    copies: BTreeMap<Copying, BTreeSet<BrokerId>>,
    /// Brokers with replicas on their way from one log dir to another; `None`: not known.
    log_dirs: BTreeMap<BrokerId, Option<usize>>,
}

impl InFlight {
    /// Replicas that moves add, and those that are not in sync. `adding` is the controller's list. A partition with an
    /// unknown ISR counts as being copied to all its brokers.
    pub fn of<'t>(
        topics: impl IntoIterator<Item = &'t Topic>,
        adding: &BTreeMap<TopicPartition, BTreeSet<BrokerId>>,
    ) -> Self {
        let mut copies = BTreeMap::new();
        for topic in topics {
            for partition in &topic.partitions {
                let of = TopicPartition { topic: topic.name.clone(), partition: partition.id };
                let in_sync = partition.facts.as_ref().and_then(|facts| facts.isr.as_ref());
                let lags = |id: &&BrokerId| in_sync.is_none_or(|isr| !isr.contains(id));
                let lagging = partition.replicas.iter().filter(lags).copied();
                let added = adding.get(&of).into_iter().flatten().copied();
                let to: BTreeSet<BrokerId> = lagging.chain(added).collect();
                let all: BTreeSet<BrokerId> = partition.replicas.iter().copied().collect();
                for to in to {
                    copies.insert(Copying { of: of.clone(), to }, all.clone());
                }
            }
        }
        // A move counts even if its topic was created or deleted between the two reads.
        for (of, brokers) in adding {
            for to in brokers {
                let copy = Copying { of: of.clone(), to: *to };
                copies.entry(copy).or_default();
            }
        }
        Self { copies, log_dirs: BTreeMap::new() }
    }

    /// Records how many replicas a broker copies between its log dirs; `None`: not known.
    pub fn between_log_dirs(&mut self, broker: BrokerId, replicas: Option<usize>) {
        self.log_dirs.insert(broker, replicas);
    }

    /// Every copy.
    pub fn copies(&self) -> impl Iterator<Item = &Copying> {
        self.copies.keys()
    }

    /// How many copies a config may pace.
    fn paced_by(&self, place: &ThrottlePlace, paces: Paces, value: &str) -> usize {
        match place {
            ThrottlePlace::On(ThrottleResource::Topic(name)) => {
                self.in_list(name, paces, &ThrottledEntries::parse(Some(value)))
            }
            ThrottlePlace::On(ThrottleResource::Broker(_)) | ThrottlePlace::EveryBroker
                if paces == Paces::LogDirs =>
            {
                let of = |id: &BrokerId| {
                    *place == ThrottlePlace::EveryBroker
                        || *place == ThrottlePlace::On(ThrottleResource::Broker(*id))
                };
                // A broker that does not report it may be copying.
                let counts = self.log_dirs.iter().filter(|(id, _)| of(id));
                counts.map(|(_, count)| count.unwrap_or(1)).sum()
            }
            ThrottlePlace::EveryBroker => self.copies.len(),
            ThrottlePlace::On(ThrottleResource::Broker(id)) => {
                let takes_part = |(copy, all): &(&Copying, &BTreeSet<BrokerId>)| match paces {
                    Paces::Followers | Paces::LogDirs => copy.to == *id,
                    Paces::Leaders => copy.to != *id && (all.is_empty() || all.contains(id)),
                };
                self.copies.iter().filter(takes_part).count()
            }
        }
    }

    /// Whether a broker sends or receives any copy: tools set rates for both sides at once.
    fn takes_part(&self, place: &ThrottlePlace) -> bool {
        let ThrottlePlace::On(ThrottleResource::Broker(id)) = place else { return false };
        let part =
            |(copy, all): (&Copying, &BTreeSet<BrokerId>)| copy.to == *id || all.contains(id);
        self.copies.iter().any(part)
    }

    fn in_list(&self, topic: &str, paces: Paces, list: &ThrottledEntries) -> usize {
        let of_topic = self.copies.keys().filter(|copy| copy.of.topic == topic);
        if *list == ThrottledEntries::All {
            return of_topic.count();
        }
        let named = list.replicas();
        let partitions: BTreeSet<PartitionId> = named.iter().map(|of| of.partition).collect();
        let replica =
            |copy: &Copying| ThrottledReplica { partition: copy.of.partition, broker: copy.to };
        let covered = |copy: &&Copying| match paces {
            Paces::Followers | Paces::LogDirs => named.contains(&replica(copy)),
            Paces::Leaders => partitions.contains(&copy.of.partition),
        };
        of_topic.filter(covered).count()
    }
}

/// The owner of a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "owner", rename_all = "snake_case")]
pub enum ThrottleOwner {
    /// A ledger lists it.
    Ledger {
        /// The owner in the ledger.
        #[serde(rename = "plan")]
        by: Owner,
    },
    /// The operator: a ledger lists it as the original value.
    Operator,
    /// No known ledger lists it.
    Unknown,
}

/// One config of a throttle, as it is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Throttled {
    /// Where it is set.
    #[serde(flatten)]
    pub place: ThrottlePlace,
    /// The config's name.
    pub key: Key,
    /// Its value.
    pub value: String,
    /// What it paces.
    pub paces: Paces,
    /// Its owner.
    #[serde(flatten)]
    pub owner: ThrottleOwner,
    /// Since when the ledger lists it, as the ledger writes times (RFC 3339, UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owned_since: Option<String>,
    /// How many copies in flight it may pace.
    pub in_flight: usize,
    /// It paces nothing, its broker has no part in any copy, and it has no owner.
    pub stray: bool,
}

/// Ledgers with their past lines: also the original values from before our own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    ledger: Ledger,
    originals: BTreeMap<Setting, BTreeSet<String>>,
    since: BTreeMap<Setting, String>,
    /// The lines of another process's ledger.
    others: Option<Box<Accounts>>,
    /// There is another ledger that could not be read.
    unread: bool,
}

impl Accounts {
    /// The state after these lines of a ledger, in their order.
    pub fn replay(entries: impl IntoIterator<Item = LedgerEntry>) -> Self {
        Self::replay_dated(entries.into_iter().map(|entry| (None, entry)))
    }

    /// The same, with the time at which each line was written, if known (RFC 3339, UTC).
    pub fn replay_dated(entries: impl IntoIterator<Item = (Option<String>, LedgerEntry)>) -> Self {
        let mut accounts = Self::default();
        for (at, entry) in entries {
            accounts.take(&entry);
            if let (Some(at), LedgerEntry::Held { setting, .. }) = (at, &entry)
                && accounts.ledger.get(setting).is_none()
            {
                accounts.since.insert(setting.clone(), at);
            }
            accounts.ledger.apply(entry);
        }
        accounts
    }

    /// Adds the ledger of another process: of a daemon with its own ledger.
    #[must_use]
    pub fn beside(self, others: Self) -> Self {
        Self { others: Some(Box::new(others)), ..self }
    }

    /// Records that the ledger of another process cannot be read: then no config is certainly a stray.
    #[must_use]
    pub fn beside_unread(self) -> Self {
        Self { unread: true, ..self }
    }

    /// The configs that the ledger lists now.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The value that a line finds is the operator's, unless an older line shows that it is our own.
    fn take(&mut self, entry: &LedgerEntry) {
        let LedgerEntry::Held { setting, before: Some(before), .. } = entry else { return };
        if self.ledger.get(setting).is_none() {
            self.originals.entry(setting.clone()).or_default().insert(before.clone());
        }
    }

    /// The owner of this value by any ledger, and since when.
    fn owner(
        &self,
        place: &ThrottlePlace,
        key: Key,
        value: &str,
    ) -> (ThrottleOwner, Option<String>) {
        match (self.own(place, key, value), &self.others) {
            ((ThrottleOwner::Unknown, _), Some(others)) => others.owner(place, key, value),
            (own, _) => own,
        }
    }

    /// The same by our own ledger.
    fn own(&self, place: &ThrottlePlace, key: Key, value: &str) -> (ThrottleOwner, Option<String>) {
        let ThrottlePlace::On(resource) = place else { return (ThrottleOwner::Unknown, None) };
        let setting = Setting { resource: resource.clone(), key };
        if let Some(held) = self.ledger.get(&setting) {
            let owner = ThrottleOwner::Ledger { by: held.owner.clone() };
            return (owner, self.since.get(&setting).cloned());
        }
        let mut originals = self.originals.get(&setting).into_iter().flatten();
        match originals.any(|original| keeps(key, original, value)) {
            true => (ThrottleOwner::Operator, None),
            false => (ThrottleOwner::Unknown, None),
        }
    }
}

/// Whether the operator's value is still there; other tools may have added to a list since.
fn keeps(key: Key, original: &str, value: &str) -> bool {
    match ThrottledEntries::parse(Some(original)) {
        ThrottledEntries::Some(entries) if key.is_list() && !entries.is_empty() => {
            ThrottledEntries::parse(Some(value)).cover(&entries)
        }
        ThrottledEntries::Some(_) | ThrottledEntries::All => original == value,
    }
}

/// Evaluates every config that is set, ordered by place, then name.
pub fn throttled(
    set: &BTreeMap<ThrottlePlace, BTreeMap<Key, String>>,
    in_flight: &InFlight,
    accounts: &Accounts,
) -> Vec<Throttled> {
    let mut all = Vec::new();
    for (place, configs) in set {
        for (key, value) in configs {
            let key = *key;
            let Some(paces) = Paces::of(key) else { continue };
            let (owner, owned_since) = accounts.owner(place, key, value);
            let count = in_flight.paced_by(place, paces, value);
            let idle = count == 0 && (paces == Paces::LogDirs || !in_flight.takes_part(place));
            all.push(Throttled {
                place: place.clone(),
                key,
                value: value.clone(),
                paces,
                stray: idle && owner == ThrottleOwner::Unknown && !accounts.unread,
                owner,
                owned_since,
                in_flight: count,
            });
        }
    }
    all.sort_by(|a, b| (&a.place, a.key.as_str()).cmp(&(&b.place, b.key.as_str())));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::snapshot::{Partition, PartitionFacts};

    const RATE: Key = Key::FollowerRate;
    const LEADS: Key = Key::LeaderRate;
    const LIST: Key = Key::FollowerReplicas;

    /// Partition 0 is in sync on 1 and 2; partition 1 is not in sync on 2.
    fn topic() -> Topic {
        let partition = |id, isr: &[u32]| {
            let mut partition = Partition::new(PartitionId(id), [1, 2].map(BrokerId));
            let isr = isr.iter().copied().map(BrokerId).collect();
            let facts = PartitionFacts { isr: Some(isr), ..PartitionFacts::default() };
            partition.facts = Some(Box::new(facts));
            partition
        };
        let partitions = vec![partition(0, &[1, 2]), partition(1, &[1])];
        Topic { name: "t".to_owned(), partitions, ..Topic::default() }
    }

    fn judged(place: ThrottlePlace, key: Key, value: &str, lines: Vec<LedgerEntry>) -> Throttled {
        let set = [(place, [(key, value.to_owned())].into())].into();
        let in_flight = InFlight::of([&topic()], &BTreeMap::new());
        let mut all = throttled(&set, &in_flight, &Accounts::replay(lines));
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    fn broker(id: u32) -> ThrottlePlace {
        ThrottlePlace::On(ThrottleResource::Broker(BrokerId(id)))
    }

    fn held(key: Key, before: Option<&str>, ours: &str) -> LedgerEntry {
        LedgerEntry::Held {
            setting: Setting { resource: ThrottleResource::Broker(BrokerId(9)), key },
            before: before.map(str::to_owned),
            found: None,
            ours: [ours.into()].into(),
            met: [].into(),
            owner: "p".to_owned().into(),
        }
    }

    #[test]
    fn what_a_daemon_accounts_for_beside_our_ledger_is_no_stray() {
        let set = |value: &str| BTreeMap::from([(broker(9), [(RATE, value.to_owned())].into())]);
        let judged = |value: &str, accounts: &Accounts| {
            throttled(&set(value), &InFlight::default(), accounts).remove(0)
        };
        let setting =
            Setting { resource: ThrottleResource::Broker(BrokerId(9)), key: Key::FollowerRate };
        let daemons = Accounts::replay([LedgerEntry::Held {
            setting,
            before: None,
            found: None,
            ours: ["7".into()].into(),
            met: [].into(),
            owner: Owner::Daemon,
        }]);
        assert!(judged("7", &Accounts::default()).stray);
        let both = Accounts::default().beside(daemons);
        let found = judged("7", &both);
        assert_eq!(
            (found.stray, found.owner),
            (false, ThrottleOwner::Ledger { by: Owner::Daemon })
        );
        assert!(both.ledger().is_empty(), "it is not ours");
        let unread = judged("7", &Accounts::default().beside_unread());
        assert_eq!((unread.stray, unread.owner), (false, ThrottleOwner::Unknown));
    }

    #[test]
    fn what_may_pace_a_copy_is_no_stray() {
        let count = |place, key, value| judged(place, key, value, Vec::new()).in_flight;
        assert_eq!(count(broker(2), RATE, "1"), 1);
        assert_eq!(count(broker(1), RATE, "1"), 0, "1 takes nothing in");
        assert_eq!(count(broker(1), LEADS, "1"), 1);
        assert_eq!(count(broker(3), LEADS, "1"), 0, "3 has nothing to send");
        assert_eq!(count(ThrottlePlace::EveryBroker, RATE, "1"), 1);
        let topic = || ThrottlePlace::On(ThrottleResource::Topic("t".to_owned()));
        assert_eq!(count(topic(), LIST, "*"), 1);
        assert_eq!(count(topic(), LIST, "0:2,1:1"), 0, "both are in sync");
        assert_eq!(count(topic(), LIST, "1:2"), 1);
        assert_eq!(count(topic(), Key::LeaderReplicas, "1:2"), 1, "2 may lead the next moment");
        assert!(judged(topic(), LIST, "0:2", Vec::new()).stray);
        assert!(
            !judged(broker(1), RATE, "1", Vec::new()).stray,
            "1 sends: its rates came in a pair"
        );
        assert!(!judged(topic(), LIST, "1:2", Vec::new()).stray);
    }

    #[test]
    fn a_ledger_knows_its_own_and_the_operators_even_when_all_is_over() {
        let key = Key::FollowerRate;
        let owner = |value, lines| judged(broker(9), RATE, value, lines).owner;
        let running = || vec![held(key, Some("7"), "10")];
        assert_eq!(owner("10", running()), ThrottleOwner::Ledger { by: "p".to_owned().into() });
        let setting = Setting { resource: ThrottleResource::Broker(BrokerId(9)), key };
        let released = || LedgerEntry::Released { setting: setting.clone() };
        let over = || [running(), vec![released()]].concat();
        assert_eq!(owner("7", over()), ThrottleOwner::Operator);
        assert_eq!(owner("10", over()), ThrottleOwner::Unknown);
        assert!(!judged(broker(9), RATE, "7", over()).stray);
        assert!(judged(broker(9), RATE, "10", over()).stray);
        // The second line, while the first is still open, finds our own value.
        let twice = vec![held(key, None, "10"), held(key, Some("10"), "20"), released()];
        assert_eq!(owner("10", twice), ThrottleOwner::Unknown);
    }

    #[test]
    fn what_is_held_is_as_old_as_its_first_line() {
        let setting =
            Setting { resource: ThrottleResource::Broker(BrokerId(2)), key: Key::FollowerRate };
        let held = |ours: &str| LedgerEntry::Held {
            setting: setting.clone(),
            before: None,
            found: None,
            ours: [ours.into()].into(),
            met: [].into(),
            owner: "p".to_owned().into(),
        };
        let since = |lines: Vec<(&str, LedgerEntry)>| {
            let lines = lines.into_iter().map(|(at, line)| (Some(at.to_owned()), line));
            let accounts = Accounts::replay_dated(lines);
            let set = [(broker(2), [(RATE, "5".to_owned())].into())].into();
            throttled(&set, &InFlight::default(), &accounts)[0].owned_since.clone()
        };
        let released = || LedgerEntry::Released { setting: setting.clone() };
        assert_eq!(since(vec![("1", held("5")), ("2", held("6"))]).as_deref(), Some("1"));
        let again = vec![("1", held("5")), ("2", released()), ("3", held("5"))];
        assert_eq!(since(again).as_deref(), Some("3"));
        assert_eq!(since(vec![("1", held("5")), ("2", released())]), None);
    }

    #[test]
    fn a_list_that_keeps_the_operators_entries_is_the_operators() {
        let setting = Setting {
            resource: ThrottleResource::Topic("t".to_owned()),
            key: Key::FollowerReplicas,
        };
        let held = LedgerEntry::Held {
            setting: setting.clone(),
            before: Some("7:1,0:2".to_owned()),
            found: None,
            ours: ["1:2".into()].into(),
            met: [].into(),
            owner: "p".to_owned().into(),
        };
        let over = || vec![held.clone(), LedgerEntry::Released { setting: setting.clone() }];
        let owner =
            |value| judged(ThrottlePlace::On(setting.resource.clone()), LIST, value, over()).owner;
        assert_eq!(owner("0:2,5:5,7:1"), ThrottleOwner::Operator);
        assert_eq!(owner("0:2"), ThrottleOwner::Unknown);
    }

    #[test]
    fn a_broker_that_does_not_tell_may_be_copying_between_its_log_dirs() {
        let set = [(broker(1), [(Key::LogDirRate, "5".to_owned())].into())].into();
        let mut in_flight = InFlight::default();
        let stray =
            |in_flight: &InFlight| throttled(&set, in_flight, &Accounts::default())[0].stray;
        in_flight.between_log_dirs(BrokerId(1), None);
        assert!(!stray(&in_flight));
        in_flight.between_log_dirs(BrokerId(1), Some(0));
        assert!(stray(&in_flight));
    }

    #[test]
    fn every_place_is_told_in_json() {
        let told = |place| {
            let told = judged(place, RATE, "1", Vec::new());
            serde_json::to_value(told).unwrap()
        };
        assert_eq!(told(ThrottlePlace::EveryBroker)["every_broker"], true);
        assert_eq!(told(broker(2))["broker"], 2);
        assert_eq!(told(broker(2))["owner"], "unknown");
    }

    #[test]
    fn a_move_counts_before_its_topic_is_known() {
        let of = TopicPartition { topic: "new".to_owned(), partition: PartitionId(0) };
        let adding = [(of, [BrokerId(5)].into())].into();
        let in_flight = InFlight::of([], &adding);
        assert_eq!(in_flight.paced_by(&broker(5), Paces::Followers, "1"), 1);
        assert_eq!(
            in_flight.paced_by(&broker(4), Paces::Leaders, "1"),
            1,
            "nobody knows who sends"
        );
    }
}
