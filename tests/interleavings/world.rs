//! A simulated cluster with its throttle configs, the records of both roles with a lead for each, and an operator. The laws
//! are checked here: when a ledger line is written, when a config is sent, and after each transition.

use crate::choices::Choices;
use coordination::Records;
use execute::{
    ConfigEdit, JournalEntry, Key, Ledger, Running, Seen, Setting, ThrottleResource, ThrottleValue,
    ThrottledEntries, legs, rate_setting,
};
use mapper::snapshot::{Leader, Partition, PartitionFacts, Topic};
use mapper::{
    Assignment, Balance, BrokerId, Move, PartitionId, Plan, PlanTerms, Rate, Ratio, Reason,
    Replicas, Request, Scale, TopicPartition, TopicSelection,
};
use operate::ledger_records;
use std::collections::{BTreeMap, BTreeSet};

const BROKERS: u32 = 4;
/// Rates of the operator, and of executions. Those of the daemon are at least 10 MB/s: a value shows who has set it.
const OPERATORS: [&str; 4] = ["7", "8", "9", "11"];
const OF_EXECUTIONS: [Rate; 2] = [Rate(1000), Rate(2000)];
const LISTS: [Option<&str>; 6] = [None, None, None, Some("*"), Some("9:9"), Some("8:4 , 7:2")];

/// What has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    OriginalsAreTheOperators,
    ListsKeepWhatIsPaced,
    ValuesHaveOwners,
    ValuesAreRestored,
    Ends,
}

/// For whom records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Executor,
    Daemon,
}

impl Role {
    pub fn other(self) -> Self {
        match self {
            Self::Executor => Self::Daemon,
            Self::Daemon => Self::Executor,
        }
    }
}

/// How a write of records ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrote {
    All,
    /// No answer: all of it may be done, or, for a daemon, a part.
    NoAnswer,
    /// Another process leads.
    Fenced,
}

/// The records of one role.
#[derive(Default)]
pub struct Store {
    pub records: Records,
    /// What the records say.
    pub ledger: Ledger,
    pub holder: Option<u32>,
    /// How often the lead was taken.
    pub term: u32,
    /// The holder has just confirmed its lead, and writes to the cluster: the lead does not end in these seconds.
    pub writes: bool,
}

pub struct State {
    pub replicas: Replicas,
    pub isr: Replicas,
    pub run: Option<Running>,
}

/// A request to set a config that Kafka has not carried out yet.
struct Sent {
    by: u32,
    setting: Setting,
    edit: ConfigEdit,
    /// The operator's values of this config that the sender could know.
    known: usize,
}

/// The operator's values that a look could show, for each config.
pub type Known = BTreeMap<Setting, usize>;

pub struct World {
    /// In milliseconds.
    pub now: u64,
    pub choices: Choices,
    pub partitions: BTreeMap<TopicPartition, State>,
    configs: BTreeMap<ThrottleResource, BTreeMap<Key, String>>,
    executors: Store,
    daemons: Store,
    sent: Vec<Sent>,
    /// The ledger file of each machine that has run an execution.
    pub files: Vec<Ledger>,
    /// The machine that wrote the executors' records last.
    pub owner: Option<usize>,
    pub journal: Vec<JournalEntry>,
    pub plan: Option<Plan>,
    pub plans: u32,
    pub pace: Rate,
    pub join: bool,
    /// The values that the operator has set, in order; the first is the one before all.
    operators: BTreeMap<Setting, Vec<Option<String>>>,
    /// For each of them, what counts while it is the last: itself, and those before it that a process has restored or
    /// written over because it could not know a later one.
    rights: BTreeMap<Setting, Vec<BTreeSet<Option<String>>>>,
    /// Until when each process rests, and whether a reassignment ends its rest.
    pub rests: BTreeMap<u32, (u64, bool)>,
    pub to_end: BTreeSet<u32>,
    pub trace: Option<Vec<String>>,
    pub broken: Option<(Law, String)>,
    /// A config or a ledger has changed since the last check.
    pub changed: bool,
}

fn ids(ids: &[u32]) -> Replicas {
    ids.iter().copied().map(BrokerId).collect()
}

fn of(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition: PartitionId(partition) }
}

impl World {
    pub fn new(choices: Choices) -> Self {
        let of_all = [(of("a", 0), [1, 2]), (of("a", 1), [2, 3]), (of("b", 0), [3, 4])];
        let state = |list: [u32; 2]| State { replicas: ids(&list), isr: ids(&list), run: None };
        let partitions = of_all.map(|(of, list)| (of, state(list))).into();
        let mut world = Self {
            now: 0,
            choices,
            partitions,
            configs: BTreeMap::new(),
            executors: Store::default(),
            daemons: Store::default(),
            sent: Vec::new(),
            files: vec![Ledger::default()],
            owner: None,
            journal: Vec::new(),
            plan: None,
            plans: 0,
            pace: OF_EXECUTIONS[0],
            join: false,
            operators: BTreeMap::new(),
            rights: BTreeMap::new(),
            rests: BTreeMap::new(),
            to_end: BTreeSet::new(),
            trace: None,
            broken: None,
            changed: true,
        };
        world.configure();
        world
    }

    fn configure(&mut self) {
        for id in (1..=BROKERS).map(BrokerId) {
            self.configs.insert(ThrottleResource::Broker(id), BTreeMap::new());
            for key in Key::OF_BROKERS {
                let value = self.choices.happens(3).then(|| OPERATORS[0].to_owned());
                self.operator_sets(rate_setting(id, key), value);
            }
        }
        for topic in ["a", "b"] {
            let resource = ThrottleResource::Topic(topic.to_owned());
            self.configs.insert(resource.clone(), BTreeMap::new());
            for key in Key::OF_TOPICS {
                let value = self.choices.any(&LISTS).map(str::to_owned);
                self.operator_sets(Setting { resource: resource.clone(), key }, value);
            }
        }
    }

    pub fn tell(&mut self, text: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>7}.{:03} {}", now / 1000, now % 1000, text()));
        }
    }

    pub fn breaks(&mut self, law: Law, text: String) {
        self.tell(|| format!("broken: {law:?}: {text}"));
        self.broken.get_or_insert((law, text));
    }

    pub fn store(&mut self, role: Role) -> &mut Store {
        match role {
            Role::Executor => &mut self.executors,
            Role::Daemon => &mut self.daemons,
        }
    }

    pub fn get(&self, setting: &Setting) -> Option<&str> {
        self.configs[&setting.resource].get(&setting.key).map(String::as_str)
    }

    pub fn differs(&self, seen: &Seen, setting: &Setting) -> bool {
        seen.configs[&setting.resource].get(&setting.key).map(String::as_str) != self.get(setting)
    }

    fn put(&mut self, setting: &Setting, value: Option<String>) {
        self.changed = true;
        let set = self.configs.get_mut(&setting.resource).unwrap();
        match value {
            Some(value) => drop(set.insert(setting.key, value)),
            None => drop(set.remove(&setting.key)),
        }
    }

    fn operator_sets(&mut self, setting: Setting, value: Option<String>) {
        self.put(&setting, value.clone());
        self.rights.entry(setting.clone()).or_default().push([value.clone()].into());
        self.operators.entry(setting).or_default().push(value);
    }

    /// The operator sets or changes a rate at any moment, and removes one that no ledger lists: without a rate, what is
    /// removed may be anyone's.
    pub fn operator_acts(&mut self) {
        let id = BrokerId(1 + self.choices.pick(BROKERS as usize) as u32);
        let key = self.choices.any(&Key::OF_BROKERS);
        let setting = rate_setting(id, key);
        let listed = [&self.executors.ledger, &self.daemons.ledger, self.file()]
            .iter()
            .any(|ledger| ledger.get(&setting).is_some());
        let old = self.operators[&setting].last().cloned().flatten();
        let value = match self.choices.happens(3) && !listed {
            true => None,
            false => Some(self.choices.any(&OPERATORS).to_owned()),
        };
        if value != old {
            self.tell(|| format!("operator: {setting} = {value:?}"));
            self.operator_sets(setting, value);
        }
    }

    /// The ledger file of the machine that executed last.
    pub fn file(&self) -> &Ledger {
        self.files.last().unwrap()
    }

    pub fn known(&self, known: &mut Known, of_brokers: bool) {
        let read = self.operators.iter().filter(|(setting, _)| {
            matches!(setting.resource, ThrottleResource::Broker(_)) == of_brokers
        });
        known.extend(read.map(|(setting, all)| (setting.clone(), all.len())));
    }

    /// A process has written over values that it could not know: any of them may be the one that counts.
    fn could_not_know(&mut self, setting: &Setting, known: usize) {
        let rights = self.rights.get_mut(setting).unwrap();
        if known < rights.len() {
            let older = rights[known - 1..].iter().flatten().cloned().collect();
            *rights.last_mut().unwrap() = older;
        }
    }

    fn right(&self) -> impl Iterator<Item = (&Setting, &BTreeSet<Option<String>>)> {
        self.rights.iter().filter_map(|(setting, rights)| Some((setting, rights.last()?)))
    }

    /// No value of the other role, and none of our own, is recorded as the operator's.
    pub fn accounts(&mut self, by: Role, before: &Ledger, now: &Ledger, known: &Known) {
        self.changed = true;
        for (setting, held) in now.held() {
            let all = &self.operators[setting];
            let is_operators = match setting.key.is_list() {
                false => all.contains(&held.before),
                true => {
                    let entries = |value: &Option<String>| {
                        ThrottledEntries::parse(value.as_deref()).replicas()
                    };
                    let theirs: BTreeSet<_> = all.iter().flat_map(entries).collect();
                    entries(&held.before).is_subset(&theirs)
                }
            };
            if !is_operators {
                let what = held.before.clone();
                self.breaks(
                    Law::OriginalsAreTheOperators,
                    format!("the {by:?} records {what:?} as the original of {setting}"),
                );
            }
            if before.get(setting).is_none() {
                self.could_not_know(setting, known[setting]);
            }
        }
    }

    pub fn remembers(&mut self, originals: &BTreeMap<Setting, String>) {
        for (setting, value) in originals {
            if !self.operators[setting].contains(&Some(value.clone())) {
                self.breaks(
                    Law::OriginalsAreTheOperators,
                    format!("the daemon takes {value} for an original of {setting}"),
                );
            }
        }
    }

    /// The records of a role become these, if this process leads.
    pub fn write(&mut self, role: Role, by: u32, wanted: Records) -> Wrote {
        if self.store(role).holder != Some(by) {
            return Wrote::Fenced;
        }
        self.changed = true;
        let lost = self.choices.happens(24);
        let some = (lost && role == Role::Daemon).then(|| self.choices.pick(4));
        let store = self.store(role);
        let names: BTreeSet<String> = store.records.keys().chain(wanted.keys()).cloned().collect();
        let mut changes: Vec<String> =
            names.into_iter().filter(|name| store.records.get(name) != wanted.get(name)).collect();
        changes.sort_by_key(|name| !wanted.contains_key(name));
        for name in changes.into_iter().take(some.unwrap_or(usize::MAX)) {
            match wanted.get(&name) {
                Some(text) => drop(store.records.insert(name, text.clone())),
                None => drop(store.records.remove(&name)),
            }
        }
        store.ledger = Ledger::replay(ledger_records::lines(&store.records).unwrap());
        if lost { Wrote::NoAnswer } else { Wrote::All }
    }

    /// A list keeps the entries of copies that the other role paces, as far as the look could show them.
    fn keeps_what_is_paced(
        &mut self,
        by: Role,
        seen: &Seen,
        setting: &Setting,
        value: Option<&str>,
    ) {
        let ThrottleResource::Topic(topic) = &setting.resource else { return };
        let before = ThrottledEntries::parse(self.get(setting));
        let after = ThrottledEntries::parse(value);
        let removed = &before.replicas() - &after.replicas();
        for replica in removed.into_iter().filter(|_| after != ThrottledEntries::All) {
            let of = TopicPartition { topic: topic.clone(), partition: replica.partition };
            let Some(run) = seen.running.get(&of) else { continue };
            let isr = &self.partitions[&of].isr;
            let fills = run.adding.iter().any(|id| !isr.contains(id));
            let copies = match setting.key {
                Key::FollowerReplicas => !isr.contains(&replica.broker),
                _ => isr.contains(&replica.broker),
            };
            let other = match by {
                Role::Executor => &self.daemons.ledger,
                Role::Daemon => &self.executors.ledger,
            };
            let paces = other
                .get(setting)
                .is_some_and(|held| held.ours.contains(&ThrottleValue::Replica(replica)));
            if fills && copies && paces && self.partitions[&of].run.is_some() {
                self.breaks(
                    Law::ListsKeepWhatIsPaced,
                    format!("the {by:?} removes {replica:?} from {setting}"),
                );
            }
        }
    }

    pub fn send(
        &mut self,
        (role, by): (Role, u32),
        seen: &Seen,
        known: &Known,
        (setting, edit): (Setting, ConfigEdit),
    ) {
        let value = edit.after(self.get(&setting));
        self.keeps_what_is_paced(role, seen, &setting, value.as_deref());
        let known = known[&setting];
        self.sent.push(Sent { by, setting, edit, known });
    }

    /// What this process has sent takes effect, or is lost.
    pub fn arrives(&mut self, by: u32) {
        let (own, rest) = std::mem::take(&mut self.sent).into_iter().partition(|s| s.by == by);
        self.sent = rest;
        let own: Vec<Sent> = own;
        for Sent { setting, edit, known, .. } in own {
            if self.choices.happens(20) {
                self.tell(|| format!("lost: {setting}: {edit:?} of {by}"));
                continue;
            }
            self.could_not_know(&setting, known);
            let value = edit.after(self.get(&setting));
            self.put(&setting, value);
        }
    }

    /// Every value in the cluster has an owner.
    pub fn every_value_has_an_owner(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let ledgers = [&self.executors.ledger, self.file(), &self.daemons.ledger];
        let mut ownerless = Vec::new();
        for (setting, right) in self.right() {
            let Some(value) = self.get(setting) else { continue };
            let owned = |value: &ThrottleValue| {
                let held = |ledger: &&Ledger| {
                    ledger.get(setting).is_some_and(|held| held.ours.contains(value))
                };
                ledgers.iter().any(held)
            };
            let is_right = right.iter().any(|right| right.as_deref() == Some(value));
            let fine = is_right
                || match (setting.key.is_list(), ThrottledEntries::parse(Some(value))) {
                    (true, ThrottledEntries::Some(entries)) => {
                        let first = ThrottledEntries::parse(self.operators[setting][0].as_deref());
                        entries
                            .iter()
                            .all(|entry| owned(entry) || first.cover(&[entry.clone()].into()))
                    }
                    (true, ThrottledEntries::All) => false,
                    (false, _) => owned(&value.into()),
                };
            if !fine {
                ownerless.push(format!("{setting} = {value} has no owner"));
            }
        }
        ownerless.into_iter().for_each(|text| self.breaks(Law::ValuesHaveOwners, text));
    }

    /// At the end, every value is the operator's; of a list, every entry, in any order.
    pub fn every_value_is_the_operators(&mut self) {
        let same = |one: Option<&str>, other: Option<&str>, is_list| match is_list {
            true => ThrottledEntries::parse(one) == ThrottledEntries::parse(other),
            false => one == other,
        };
        let wrong = self.right().filter(|(setting, right)| {
            let is_list = setting.key.is_list();
            !right.iter().any(|right| same(right.as_deref(), self.get(setting), is_list))
        });
        let wrong: Vec<String> = wrong
            .map(|(setting, right)| format!("{setting} = {:?}, not {right:?}", self.get(setting)))
            .collect();
        wrong.into_iter().for_each(|text| self.breaks(Law::ValuesAreRestored, text));
        let ledgers = [&self.executors.ledger, &self.daemons.ledger];
        if let Some((setting, _)) = ledgers.iter().find_map(|ledger| ledger.held().next()) {
            self.breaks(Law::ValuesAreRestored, format!("{setting} is still in a ledger"));
        }
    }

    pub fn running(&self) -> BTreeMap<TopicPartition, Running> {
        let runs = self.partitions.iter();
        runs.filter_map(|(of, state)| Some((of.clone(), state.run.clone()?))).collect()
    }

    pub fn topics(&self) -> BTreeMap<String, Topic> {
        let mut topics: BTreeMap<String, Topic> = BTreeMap::new();
        for (of, state) in &self.partitions {
            let topic = topics.entry(of.topic.clone()).or_insert_with(|| Topic {
                name: of.topic.clone(),
                min_insync_replicas: Some(1),
                ..Topic::default()
            });
            let mut all = state.replicas.clone();
            if let Some(run) = &state.run {
                all.clone_from(&run.target);
                all.extend(state.replicas.iter().copied().filter(|id| !run.target.contains(id)));
            }
            let mut partition = Partition::new(of.partition, all);
            partition.facts = Some(Box::new(PartitionFacts {
                isr: Some(state.isr.clone()),
                leader: Leader::Broker(state.isr[0]),
                ..PartitionFacts::default()
            }));
            topic.partitions.push(partition);
        }
        topics
    }

    pub fn configs(
        &self,
        of_brokers: bool,
    ) -> impl Iterator<Item = (ThrottleResource, BTreeMap<Key, String>)> {
        let asked = self.configs.iter().filter(move |(resource, _)| {
            matches!(resource, ThrottleResource::Broker(_)) == of_brokers
        });
        asked.map(|(resource, set)| (resource.clone(), set.clone()))
    }

    pub fn live(&self) -> BTreeSet<BrokerId> {
        (1..=BROKERS).map(BrokerId).collect()
    }

    /// A reassignment begins, unless one runs.
    pub fn alter(&mut self, of: &TopicPartition, target: &Replicas) {
        let state = self.partitions.get_mut(of).unwrap();
        if state.run.is_some() || state.replicas == *target {
            return;
        }
        let adding: Replicas =
            target.iter().copied().filter(|id| !state.replicas.contains(id)).collect();
        state.run = Some(Running { target: target.clone(), adding });
        self.tell(|| format!("cluster: {of} moves to {target:?}"));
        self.daemons_notice();
    }

    /// Between rounds, daemons look for reassignments each second.
    fn daemons_notice(&mut self) {
        let soon = self.now + 1000;
        for (until, _) in self.rests.values_mut().filter(|(_, watches)| *watches) {
            *until = soon.min(*until);
        }
    }

    fn idle(&self) -> Vec<TopicPartition> {
        let idle = self.partitions.iter().filter(|(_, state)| state.run.is_none());
        idle.map(|(of, _)| of.clone()).collect()
    }

    fn target(&mut self, of: &TopicPartition) -> Replicas {
        let mut target = self.partitions[of].replicas.clone();
        let new: Vec<BrokerId> =
            self.live().into_iter().filter(|id| !target.contains(id)).collect();
        let index = self.choices.pick(target.len());
        target[index] = self.choices.any(&new);
        target
    }

    /// Another tool moves a partition; or a replica falls behind.
    pub fn others_act(&mut self) {
        let idle = self.idle();
        if idle.is_empty() {
            return;
        }
        let of = self.choices.any(&idle);
        if self.choices.happens(4) {
            self.tell(|| format!("cluster: a replica of {of} falls behind"));
            self.partitions.get_mut(&of).unwrap().isr.truncate(1);
            return;
        }
        let target = self.target(&of);
        self.alter(&of, &target);
    }

    /// One replica catches up, or one reassignment ends. Returns whether there was any.
    pub fn progresses(&mut self) -> bool {
        let open = |state: &State| state.run.is_some() || state.isr.len() < state.replicas.len();
        let open = self.partitions.iter().filter(|(_, state)| open(state));
        let open: Vec<TopicPartition> = open.map(|(of, _)| of.clone()).collect();
        if open.is_empty() {
            return false;
        }
        let of = self.choices.any(&open);
        let state = self.partitions.get_mut(&of).unwrap();
        let wanted = state.run.as_ref().map_or(&state.replicas, |run| &run.target);
        let behind = wanted.iter().copied().find(|id| !state.isr.contains(id));
        let text = match (behind, state.run.take()) {
            (Some(id), run) => {
                state.isr.push(id);
                state.run = run;
                format!("{id} has caught up")
            }
            (None, Some(run)) => {
                state.isr.clone_from(&run.target);
                state.replicas = run.target;
                "its move ends".to_owned()
            }
            (None, None) => return true,
        };
        self.tell(|| format!("cluster: {of}: {text}"));
        self.daemons_notice();
        true
    }

    /// The plan of the next execution: the last one until it is done.
    pub fn plan(&mut self) -> Plan {
        if let Some(plan) = &self.plan {
            return plan.clone();
        }
        let mut moves = Vec::new();
        for of in self.partitions.keys().cloned().collect::<Vec<_>>() {
            if self.choices.pick(2) == 0 {
                continue;
            }
            moves.push(Move {
                topic: of.topic.as_str().into(),
                partition: of.partition,
                from: self.partitions[&of].replicas.clone(),
                via: Box::default(),
                disk_bytes: mapper::Bytes(0),
                to: self.target(&of),
                log_dirs: Vec::new(),
                reason: Reason::Balance,
                bytes: None,
            });
        }
        let steps = (0..moves.len()).map(|index| vec![index]).collect();
        let plan =
            Plan { cluster_id: Some("c".to_owned()), steps, moves, ..Plan::empty(request()) };
        self.plans += 1;
        self.journal.clear();
        self.pace = self.choices.any(&OF_EXECUTIONS);
        self.join = self.choices.pick(2) == 1;
        self.plan.insert(legs(&plan)).clone()
    }

    /// An operator asks for another rate of the execution.
    pub fn other_pace(&mut self) {
        self.pace = self.choices.any(&OF_EXECUTIONS);
    }
}

fn request() -> Request {
    let topics = TopicSelection::Named(["a".to_owned(), "b".to_owned()].into());
    let brokers = (1..=BROKERS).map(BrokerId).collect();
    Request::Scale(Scale {
        terms: PlanTerms::new(vec![Assignment::new(topics, brokers)], Ratio::ZERO),
        balance: Balance::default(),
    })
}
