//! An executor in a simulated cluster, and the invariants that must hold while it runs.

use crate::cluster::{Cluster, MIN_ISR, State};
use crate::world::{DRAINED, Event, World, ids, topic};
use execute::{
    Abandoned, Action, Aim, ExecutionHistory, ExecutionOutcome, ExecutionTerms, JournalEntry, Key,
    Ledger, LedgerEntry, LogDirDestination, MOVES_PER_BROKER, MoveState, Pace, PauseOn, Setting,
    Settling, Stray, Task, ThrottleResource, ThrottledEntries, WhyLeft, legs, next, repace,
    throttled_topics,
};
use mapper::{BrokerId, Move, PartitionId, Plan, Rate, Replicas, TopicPartition};
use std::collections::BTreeSet;

/// After this number of calm rounds, everything must be over.
const LONG: usize = 400;

pub struct Run {
    world: World,
    pub plan: Plan,
    aim: Aim,
    pub cluster: Cluster,
    at_start: Cluster,
    journal: Vec<JournalEntry>,
    ledger: Vec<LedgerEntry>,
    /// The partitions that were unhealthy when the execution began. The executor's own memory of them may be lost.
    ill_at_start: BTreeSet<TopicPartition>,
    began: bool,
    foreign: BTreeSet<TopicPartition>,
    changed_by_others: BTreeSet<TopicPartition>,
    /// Moves that an operator cancelled with another tool after the executor knew that they had begun.
    cancelled_by_others: BTreeSet<TopicPartition>,
    /// Kafka does not keep the order when it cancels, and no tool restores the order after another tool's cancel.
    out_of_order: BTreeSet<TopicPartition>,
    strays: BTreeSet<Stray>,
    standings: Vec<MoveState>,
    journal_was_lost: bool,
    outcome: Option<ExecutionOutcome>,
    /// Moves of this round whose brokers got no log dir.
    not_told: BTreeSet<usize>,
    settling: Settling,
    abandoned: Abandoned,
}

impl Run {
    pub fn of(world: &World) -> Self {
        let cluster = Cluster::of(world);
        Self {
            plan: legs(&world.plan()),
            world: world.clone(),
            aim: Aim::CarryOut,
            at_start: cluster.clone(),
            cluster,
            journal: Vec::new(),
            ledger: Vec::new(),
            ill_at_start: BTreeSet::new(),
            began: false,
            foreign: BTreeSet::new(),
            changed_by_others: BTreeSet::new(),
            cancelled_by_others: BTreeSet::new(),
            out_of_order: BTreeSet::new(),
            strays: BTreeSet::new(),
            standings: Vec::new(),
            journal_was_lost: false,
            outcome: None,
            not_told: BTreeSet::new(),
            settling: Settling::default(),
            abandoned: Abandoned::default(),
        }
    }

    fn name(&self, index: usize) -> Option<TopicPartition> {
        let shape = self.world.partitions.get(index)?;
        let partition = self.world.number(index);
        Some(TopicPartition { topic: topic(shape.topic), partition })
    }

    /// An event happens, and the executor runs one round.
    pub fn happens(&mut self, event: &Event) {
        let mut allowed = usize::MAX;
        match event {
            Event::Nothing => {}
            Event::Killed(actions) => allowed = *actions,
            Event::JournalLost => {
                self.journal.clear();
                self.journal_was_lost = true;
                self.cancelled_by_others.clear();
            }
            Event::BrokerDies(id) => self.cluster.dies(BrokerId(*id)),
            Event::BrokerReturns(id) => self.cluster.returns(BrokerId(*id)),
            Event::BrokerMute(id) => {
                self.cluster.mute.insert(BrokerId(*id));
            }
            Event::Progress(index) => {
                if let Some(of) = self.name(*index) {
                    self.progress(&of);
                }
            }
            Event::TopicDeleted(index) => {
                self.cluster.delete(&topic(*index));
                self.foreign.retain(|of| of.topic != topic(*index));
            }
            Event::PartitionCreated(index, on) => self.cluster.create(&topic(*index), ids(on)),
            Event::MovedByOthers(index, to) => self.moved_by_others(*index, to),
            Event::CancelledByOthers(index) => self.is_cancelled_by_others(*index),
            Event::Hidden(index) => self.is_hidden(&topic(*index)),
            Event::Shown(index) => drop(self.cluster.hidden.remove(&topic(*index))),
            Event::RateAsked(rate) => self.rate_is_asked(*rate),
            Event::RateSet(rate) => self.rate_is_set(*rate),
        }
        self.round(allowed);
    }

    /// The executor is asked for another rate, and takes it.
    fn rate_is_asked(&mut self, rate: Rate) {
        if let Pace::BytesPerSecond(_) = self.world.pace {
            self.world.pace = Pace::BytesPerSecond(rate);
            self.journal.push(JournalEntry::Paced { pace: self.world.pace });
        }
    }

    /// The executor is gone, and somebody gives what is in flight another rate; the next one is told the same.
    fn rate_is_set(&mut self, rate: Rate) {
        if let Pace::BytesPerSecond(_) = self.world.pace {
            self.world.pace = Pace::BytesPerSecond(rate);
            let ledger = Ledger::replay(self.ledger.clone());
            let repaced = repace(&ledger, &self.cluster.seen(), rate);
            repaced.actions.into_iter().for_each(|action| self.act(action));
            self.resumes();
        }
    }

    fn rate(&self) -> Option<String> {
        match self.world.pace {
            Pace::BytesPerSecond(rate) => Some(rate.0.to_string()),
            Pace::Unthrottled | Pace::Auto => None,
        }
    }

    fn progress(&mut self, of: &TopicPartition) {
        self.cluster.progresses(of);
        if self.cluster.partitions.get(of).is_none_or(|state| state.run.is_none()) {
            self.foreign.remove(of);
        }
    }

    /// Another process continues. It retries the moves that others have cancelled.
    fn resumes(&mut self) {
        self.journal.push(JournalEntry::Resumed { pace: self.world.pace });
        self.cancelled_by_others.clear();
    }

    fn is_hidden(&mut self, topic: &str) {
        let planned = self.plan.moves.iter().any(|change| *change.topic == *topic);
        if planned && self.cluster.partitions.keys().any(|of| of.topic == topic) {
            self.cluster.hidden.insert(topic.to_owned());
        }
    }

    fn is_cancelled_by_others(&mut self, index: usize) {
        let Some(of) = self.name(index).filter(|of| !self.foreign.contains(of)) else { return };
        let run = self.cluster.partitions.get(&of).and_then(|state| state.run.clone());
        let Some(run) = run else { return };
        let history = ExecutionHistory::replay(self.journal.clone());
        let mut moves = self.plan.moves.iter().enumerate();
        let is_known = moves.any(|(index, change)| {
            let is_this = change.of() == of && change.to == run.target;
            is_this && history.begun.contains(&index) && !history.cancelled.contains(&index)
        });
        if self.cluster.cancel(&of).is_ok() {
            if is_known {
                self.cancelled_by_others.insert(of.clone());
            }
            self.out_of_order.insert(of);
        }
    }

    /// If topics are hidden, the executor's look fails. Even a decision without that check must neither release their
    /// configs nor leave out their moves.
    fn gives_up_nothing_that_is_hidden(&self, task: &Task<'_>) -> bool {
        let hidden = &self.cluster.hidden;
        if hidden.is_empty() {
            return true;
        }
        let history = ExecutionHistory::replay(self.journal.clone());
        let ledger = Ledger::replay(self.ledger.clone());
        let round = next(task, &history, &ledger, &self.cluster.seen());
        for action in &round.actions {
            match action {
                Action::Account(LedgerEntry::Released { setting }) => {
                    let ThrottleResource::Topic(name) = &setting.resource else { continue };
                    assert!(!hidden.contains(name), "{setting} is given up, and its topic hidden");
                }
                Action::Write(JournalEntry::LeftOut { index, .. }) => {
                    let of = task.plan.moves[*index].of();
                    assert!(!hidden.contains(&of.topic), "{of} is left out, and its topic hidden");
                }
                _ => {}
            }
        }
        false
    }

    fn moved_by_others(&mut self, index: usize, to: &[u32]) {
        let Some(of) = self.name(index) else { return };
        // A move to the plan's own target looks like the plan's own move.
        let mut moves = self.plan.moves.iter().filter(|change| change.of() == of);
        let sorted = |mut all: Vec<BrokerId>| {
            all.sort();
            all
        };
        if moves.any(|change| sorted(change.to.to_vec()) == sorted(ids(to).to_vec())) {
            return;
        }
        let idle = self.cluster.partitions.get(&of).is_some_and(|state| state.run.is_none());
        if idle && self.cluster.alter(&of, &ids(to)).is_ok() {
            self.changed_by_others.insert(of.clone());
            if self.cluster.partitions[&of].run.is_some() {
                self.foreign.insert(of);
            }
        }
    }

    /// One round. The executor is killed after this number of actions.
    fn round(&mut self, allowed: usize) {
        self.cluster.now += 1;
        let plan = self.plan.clone();
        let terms = ExecutionTerms {
            limits: self.world.limits,
            pause_on: self.world.pause_on,
            ..ExecutionTerms::new(self.aim, self.world.pace)
        };
        let task = Task { plan: &plan, plan_id: "p", cluster_id: "c", terms };
        if !self.gives_up_nothing_that_is_hidden(&task) {
            return;
        }
        let history = ExecutionHistory::replay(self.journal.clone());
        let ledger = Ledger::replay(self.ledger.clone());
        let mut seen = self.cluster.seen();
        self.settling.mark(&plan, &history, &mut seen);
        self.abandoned.mark(&mut seen);
        let knows_all = next(&task, &history, &ledger, &seen);
        let asked = throttled_topics(&task, &history, &seen);
        seen.configs.retain(|resource, _| match resource {
            ThrottleResource::Topic(name) => {
                asked.contains(name) || ledger.resources().contains(resource)
            }
            ThrottleResource::Broker(_) => true,
        });
        let round = next(&task, &history, &ledger, &seen);
        assert_eq!(round, knows_all, "the throttle of a topic counts that nobody would ask for");
        self.strays.extend(round.strays);
        self.standings = round.course.standings;
        self.not_told.clear();
        let killed = round.actions.len() > allowed;
        for action in round.actions.into_iter().take(allowed) {
            self.act(action);
        }
        if killed {
            self.resumes();
            (self.settling, self.abandoned) = (Settling::default(), Abandoned::default());
        } else {
            self.everything_in_flight_is_paced();
        }
    }

    /// Kafka must place nothing on the drained broker while it gives replicas away.
    fn leave_only_under_a_cordon(&self, moves: &[usize]) {
        let leaves =
            self.moves(moves).iter().any(|change| change.removed().any(|id| id == DRAINED));
        if leaves && self.cluster.can_cordon() {
            let set = &self.cluster.configs[&ThrottleResource::Broker(DRAINED)];
            assert_eq!(set.get(&Key::CordonedLogDirs).map(String::as_str), Some("*"));
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Write(entry) => {
                if let JournalEntry::Started { ill, .. } = &entry
                    && !self.began
                {
                    self.ill_at_start = ill.clone();
                    self.began = true;
                }
                self.journal.push(entry);
            }
            Action::Account(entry) => self.ledger.push(entry),
            Action::Set { setting, edit } => {
                self.is_accounted_for(&setting);
                let value = edit.after(self.cluster.get(&setting));
                self.takes_nothing_from_what_runs(&setting, value.as_deref());
                self.takes_no_rate_from_copies(&setting, value.as_deref());
                self.cluster.set(&setting, value.as_deref());
            }
            Action::Place { places } => places.iter().for_each(|place| self.place(place)),
            Action::Submit { mut moves } => {
                moves.retain(|index| !self.not_told.contains(index));
                self.leave_only_under_a_cordon(&moves);
                self.submit(&moves);
            }
            Action::Reorder { moves } => {
                for change in self.moves(&moves) {
                    assert!(self.cluster.partitions[&change.of()].run.is_none());
                    let _ = self.cluster.alter(&change.of(), &change.from);
                }
            }
            Action::Cancel { moves } => {
                for (index, change) in moves.iter().zip(self.moves(&moves)) {
                    if let Err(problem) = self.cluster.cancel(&change.of()) {
                        self.journal.push(JournalEntry::NotCancelled { index: *index, problem });
                    }
                }
            }
            Action::Elect { moves } => {
                for change in self.moves(&moves) {
                    let state = &self.cluster.partitions[&change.of()];
                    assert!(state.run.is_none(), "an election while replicas are copied");
                    self.cluster.elect(&change.of());
                }
            }
            Action::Stop(outcome) => self.outcome = Some(outcome),
        }
    }

    fn moves(&self, indices: &[usize]) -> Vec<Move> {
        indices.iter().map(|index| self.plan.moves[*index].clone()).collect()
    }

    fn place(&mut self, place: &LogDirDestination) {
        let LogDirDestination { index, of, broker, log_dir } = place;
        let lies = self.cluster.partitions[of].dirs.get(broker);
        if lies.is_some_and(|lies| lies.log_dir.as_ref() != Some(log_dir)) {
            assert_eq!(self.aim, Aim::CarryOut, "a cancel copies nothing to another dir");
            self.copies_are_paced(*broker);
        }
        if !self.cluster.place(of, *broker, log_dir) {
            self.not_told.insert(*index);
        }
    }

    fn copies_are_paced(&self, id: BrokerId) {
        let silent = !self.cluster.live.contains(&id) || self.cluster.mute.contains(&id);
        let rate = self.config(ThrottleResource::Broker(id), Key::LogDirRate);
        let paced = silent || self.world.pace == Pace::Unthrottled || rate.is_some();
        assert!(paced, "{id} copies from dir to dir without a rate");
    }

    fn submit(&mut self, moves: &[usize]) {
        assert_eq!(self.aim, Aim::CarryOut, "a cancel submits nothing");
        self.nothing_new_is_ill();
        for (index, change) in moves.iter().zip(self.moves(moves)) {
            let of = change.of();
            let state = &self.cluster.partitions[&of];
            assert!(state.run.is_none(), "{of}: submitted over a running move");
            assert!(state.leader.is_some(), "{of}: submitted without a leader");
            let cancelled = self.cancelled_by_others.contains(&of);
            assert!(!cancelled, "{of}: begun again, though another tool has cancelled it");
            self.is_paced(&change);
            if let Err(problem) = self.cluster.alter(&of, &change.to) {
                self.journal.push(JournalEntry::Refused { index: *index, problem });
            } else {
                self.changed_by_others.remove(&of);
                self.out_of_order.remove(&of);
                // Sometimes the controller's answer is lost.
                if !self.cluster.now.is_multiple_of(3) {
                    self.journal.push(JournalEntry::Begun { moves: vec![*index] });
                }
            }
        }
        self.is_within_limits(&self.moves(moves));
    }

    /// Moves that wait for dead brokers do not count as in flight.
    fn is_within_limits(&self, submitted: &[Move]) {
        let lives = |id: &BrokerId| self.cluster.live.contains(id);
        let own = self.cluster.partitions.iter().filter(|(of, _)| !self.foreign.contains(of));
        let runs = own.filter_map(|(_, state)| state.run.as_ref());
        let under_way: Vec<_> =
            runs.filter(|run| run.adding.is_empty() || run.adding.iter().any(lives)).collect();
        assert!(under_way.len() <= self.world.limits.moves, "too many at once");
        for id in submitted.iter().flat_map(Move::added) {
            let into = under_way.iter().filter(|run| run.adding.contains(&id)).count();
            let most = self.world.limits.moves_per_broker.unwrap_or(MOVES_PER_BROKER);
            assert!(into <= most, "too many at once into {id}");
        }
    }

    /// `--pause-on new`: a partition that was healthy at the start, is unhealthy now, and is not healed by the plan.
    fn nothing_new_is_ill(&self) {
        if self.world.pause_on == PauseOn::Never || self.journal_was_lost {
            return;
        }
        for (of, state) in &self.cluster.partitions {
            let ill =
                state.leader.is_none() || u32::try_from(state.isr.len()).is_ok_and(|n| n < MIN_ISR);
            let old = self.world.pause_on == PauseOn::New && self.ill_at_start.contains(of);
            assert!(!ill || old, "{of} is ill, and new moves are submitted");
        }
    }

    fn config(&self, resource: ThrottleResource, key: Key) -> Option<&str> {
        self.cluster.configs.get(&resource)?.get(&key).map(String::as_str)
    }

    fn covers(&self, change: &Move, key: Key, broker: BrokerId) -> bool {
        let list = self.config(ThrottleResource::Topic(change.topic.to_string()), key);
        let entry = format!("{}:{broker}", change.partition);
        ThrottledEntries::parse(list).cover(&[entry.into()].into())
    }

    /// Sources and new replicas are in the lists, and their brokers have a rate.
    fn is_paced(&self, change: &Move) {
        if self.world.pace == Pace::Unthrottled || change.added().next().is_none() {
            return;
        }
        let sources = change.from.iter().map(|id| (Key::LeaderReplicas, Key::LeaderRate, *id));
        let new = change.added().map(|id| (Key::FollowerReplicas, Key::FollowerRate, id));
        for (list, rate, id) in sources.chain(new) {
            assert!(self.covers(change, list, id), "{}: {id} is in no list", change.of());
            if self.cluster.live.contains(&id) && !self.cluster.mute.contains(&id) {
                let rate = self.config(ThrottleResource::Broker(id), rate);
                assert!(rate.is_some(), "{}: {id} has no rate", change.of());
            }
        }
    }

    fn ours_in_flight(&self) -> Vec<Move> {
        let runs = |change: &&Move| {
            let state = self.cluster.partitions.get(&change.of());
            let run = state.and_then(|state| state.run.as_ref());
            run.is_some_and(|run| run.target == change.to)
        };
        let moves = self.plan.moves.iter().filter(runs);
        moves.filter(|change| !self.foreign.contains(&change.of())).cloned().collect()
    }

    fn everything_in_flight_is_paced(&self) {
        for change in self.ours_in_flight() {
            self.is_paced(&change);
        }
        for id in self.copying() {
            self.copies_are_paced(id);
        }
    }

    /// The brokers that copy between their own log dirs.
    fn copying(&self) -> BTreeSet<BrokerId> {
        let all = self.cluster.partitions.values().flat_map(|state| &state.dirs);
        all.filter(|(_, lying)| lying.arriving.is_some()).map(|(id, _)| *id).collect()
    }

    /// A value is in the ledger before it is set.
    fn is_accounted_for(&self, setting: &Setting) {
        let ledger = Ledger::replay(self.ledger.clone());
        assert!(ledger.get(setting).is_some(), "{setting} is set without a word in the ledger");
    }

    fn takes_no_rate_from_copies(&self, setting: &Setting, value: Option<&str>) {
        if let ThrottleResource::Broker(id) = setting.resource
            && setting.key == Key::LogDirRate
            && self.world.pace != Pace::Unthrottled
            && self.copying().contains(&id)
        {
            assert_eq!(value, self.rate().as_deref(), "{setting} is changed under a copy");
        }
    }

    /// A move in flight never loses its throttle, not even for a moment.
    fn takes_nothing_from_what_runs(&self, setting: &Setting, value: Option<&str>) {
        if self.world.pace == Pace::Unthrottled {
            return;
        }
        for change in self.ours_in_flight() {
            let (brokers, rate): (Vec<BrokerId>, Key) = match setting.key {
                Key::LeaderRate | Key::LeaderReplicas => (change.from.to_vec(), Key::LeaderRate),
                Key::FollowerRate | Key::FollowerReplicas => {
                    (change.added().collect(), Key::FollowerRate)
                }
                Key::LogDirRate | Key::CordonedLogDirs => continue,
            };
            if change.added().next().is_none() {
                continue;
            }
            match &setting.resource {
                ThrottleResource::Broker(id) if brokers.contains(id) && setting.key == rate => {
                    let ours = self.rate();
                    assert_eq!(
                        value,
                        ours.as_deref(),
                        "{setting} is changed under {}",
                        change.of()
                    );
                }
                ThrottleResource::Topic(name) if **name == *change.topic => {
                    let entries =
                        brokers.iter().map(|id| format!("{}:{id}", change.partition).into());
                    let left = ThrottledEntries::parse(value).cover(&entries.collect());
                    assert!(left, "{setting} is taken from {}", change.of());
                }
                _ => {}
            }
        }
    }

    pub fn is_cancelled(&mut self) {
        self.aim = Aim::Cancel;
        self.outcome = None;
        self.resumes();
    }

    /// Brokers return, moves end, and the executor runs until it is done.
    pub fn calms_down(&mut self) {
        let all: Vec<BrokerId> = self.at_start.live.iter().copied().collect();
        // The broker that was last in sync must return before others can catch up.
        for _ in 0..2 {
            all.iter().for_each(|id| self.cluster.returns(*id));
        }
        self.outcome = None;
        self.cluster.hidden.clear();
        self.resumes();
        if !self.began {
            self.journal.clear();
        }
        for turn in 0..LONG {
            self.round(usize::MAX);
            match self.outcome {
                // After the moves of others are done, a new run continues.
                Some(ExecutionOutcome::HeldByOthers) => self.outcome = None,
                Some(_) => return,
                None => {}
            }
            let goes_on = |state: &State| {
                state.run.is_some() || state.dirs.values().any(|lying| lying.arriving.is_some())
            };
            let running = self.cluster.partitions.iter().filter(|(_, state)| goes_on(state));
            let running: Vec<TopicPartition> = running.map(|(of, _)| of.clone()).collect();
            // In any order, one at a time.
            if !running.is_empty() {
                let of = running[turn % running.len()].clone();
                self.progress(&of);
            }
        }
        panic!("it does not end: {:?}", self.journal);
    }

    /// Other tools' moves end, and every broker knows.
    pub fn others_are_done(&mut self) {
        let running = self.cluster.partitions.iter().filter(|(_, state)| state.run.is_some());
        let running: Vec<TopicPartition> = running.map(|(of, _)| of.clone()).collect();
        running.iter().for_each(|of| self.progress(of));
        self.cluster.is_known_to_all();
    }

    /// Another plan begins after the previous one. The ledger belongs to the cluster.
    pub fn begins(&mut self, plan: &Plan) {
        self.plan = legs(plan);
        self.journal.clear();
        self.began = false;
        self.changed_by_others.clear();
        self.standings.clear();
        self.journal_was_lost = false;
        self.at_start.configs = self.cluster.configs.clone();
    }

    pub fn ends_as_promised(&self) {
        assert_eq!(self.ours_in_flight(), [], "left in flight");
        assert!(self.copying().is_empty(), "left on its way to another dir");
        self.configs_are_as_they_were();
        match self.aim {
            Aim::CarryOut => self.plan_is_done(),
            Aim::Cancel => self.each_is_at_one_end(),
        }
    }

    pub fn is_complete(&self) {
        assert_eq!(self.outcome, Some(ExecutionOutcome::Complete));
    }

    /// The execution ends by itself. It names the cancelled move, has begun it once, and another run can continue it.
    pub fn leaves_what_was_cancelled(&mut self, index: usize) {
        for _ in 0..LONG {
            if self.outcome.is_some() {
                break;
            }
            self.round(usize::MAX);
        }
        assert_eq!(self.outcome, Some(ExecutionOutcome::Partly), "{:?}", self.journal);
        let history = ExecutionHistory::replay(self.journal.clone());
        assert_eq!(history.left_out.get(&index), Some(&WhyLeft::CancelledByOthers));
        let begun = |entry: &JournalEntry| matches!(entry, JournalEntry::Submitted { moves } if moves.contains(&index));
        assert_eq!(self.journal.iter().filter(|entry| begun(entry)).count(), 1);
        self.configs_are_as_they_were();
    }

    pub fn in_flight(&self) -> Vec<PartitionId> {
        let runs = self.cluster.partitions.iter().filter(|(_, state)| state.run.is_some());
        runs.map(|(of, _)| of.partition).collect()
    }

    pub fn has_begun_nothing(&self) {
        let begun = |entry: &JournalEntry| matches!(entry, JournalEntry::Submitted { .. });
        assert!(!self.journal.iter().any(begun), "{:?}", self.journal);
    }

    fn configs_are_as_they_were(&self) {
        assert!(Ledger::replay(self.ledger.clone()).is_empty(), "the ledger still holds something");
        for (resource, now) in &self.cluster.configs {
            assert_eq!(
                now, &self.at_start.configs[resource],
                "{resource}; strays: {:?}",
                self.strays
            );
        }
    }

    fn plan_is_done(&self) {
        let history = ExecutionHistory::replay(self.journal.clone());
        for (index, change) in self.plan.moves.iter().enumerate() {
            let of = change.of();
            let Some(state) = self.cluster.partitions.get(&of) else { continue };
            let goes_on = self.plan.moves.get(index + 1).is_some_and(|next| next.of() == of);
            if goes_on || self.changed_by_others.contains(&of) {
                continue;
            }
            if state.replicas != change.to {
                let standing = &self.standings[index];
                let waits = matches!(standing, MoveState::Hindered(_) | MoveState::Ready);
                let reported = waits && self.outcome == Some(ExecutionOutcome::Partly);
                let left = history.left_out.contains_key(&index);
                assert!(left || reported, "{of} is neither done nor reported");
                continue;
            }
            for (id, dir) in change.named_log_dirs() {
                let lies = state.dirs[&id].log_dir.as_deref();
                let reported = self.outcome == Some(ExecutionOutcome::Partly);
                assert!(lies == Some(dir) || reported, "{of} lies in {lies:?} of {id}, not {dir}");
            }
            if change.from.first() != change.to.first() {
                assert_eq!(state.leader, change.to.first().copied(), "{of}: its leader");
            }
        }
    }

    fn each_is_at_one_end(&self) {
        for change in &self.plan.moves {
            let Some(state) = self.cluster.partitions.get(&change.of()) else { continue };
            let legs = self.plan.moves.iter().filter(|leg| leg.of() == change.of());
            let ends: BTreeSet<_> = legs.flat_map(|leg| [&leg.from, &leg.to]).collect();
            // Only the journal knows who caused the order that a cancel has left.
            let same = |end: &&Replicas| {
                end.len() == state.replicas.len()
                    && end.iter().all(|id| state.replicas.contains(id))
            };
            let out_of_order = self.journal_was_lost || self.out_of_order.contains(&change.of());
            let at_one = match out_of_order {
                true => ends.iter().any(same),
                false => ends.contains(&state.replicas),
            };
            assert!(
                at_one || self.changed_by_others.contains(&change.of()),
                "{}: {:?}",
                change.of(),
                state.replicas
            );
        }
    }
}
