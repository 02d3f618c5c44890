//! What a policy would do over days: the decisions of [`keep`], the planners' plans, and a cluster that changes only in
//! memory.
//!
//! A plan that begins has all its replicas in their new places when its copies have had the time that they take. A proposal
//! without warnings is approved at once, others never.

use super::{
    ClusterFaults, DAY_SECONDS, KeepLook, KeepNotes, KeepPolicy, Need, PlanAnswers, ProposalState,
    SeenNeed, Trigger, bytes_back, keep, needs,
};
use health::{Ailment, ailments};
use mapper::snapshot::{Broker, Parts, Topic};
use mapper::{
    Assignment, BrokerId, Bytes, NoPlan, PartitionId, PlaceBy, Plan, Snapshot, SnapshotError, plan,
};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

mod clairvoyant;
mod expected;
mod recorded;
mod seeded;

pub use clairvoyant::clairvoyant;
use expected::Expected;
pub use recorded::RecordedCourse;
pub use seeded::SeededWeek;

/// Something that happens to a cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A broker dies.
    Lost(BrokerId),
    /// A broker is back, with what it held.
    Back(BrokerId),
    /// A broker is new.
    Joined(Box<Broker>),
    /// An operator cordons a broker.
    Cordoned(BrokerId),
    /// An operator ends the cordon of a broker.
    Uncordoned(BrokerId),
    /// A topic is new, or its last partitions are.
    Grown(Box<Topic>),
    /// A topic is gone.
    Deleted(String),
}

/// What happens to a cluster, whatever is planned.
pub trait Course {
    /// The sizes of a topic's partitions at this time, by their ids; `None` or missing: as before.
    fn sizes(&self, topic: &str, at_seconds: u64) -> Cow<'_, [Option<Bytes>]>;

    /// What producers write to a topic at this time, in bytes per second; `None`: unknown.
    fn bytes_in(&self, _topic: &str, _at_seconds: u64) -> Option<u64> {
        None
    }

    /// What happens to brokers and topics after the first of these times, up to the second, each with its time.
    fn happenings(&self, after_seconds: u64, until_seconds: u64) -> Vec<(u64, Happening)>;
}

/// One plan of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReplayedPlan {
    /// When it began, in seconds since 1970.
    pub at_seconds: u64,
    /// Why.
    pub need: Need,
    /// What it copied.
    pub bytes: Bytes,
    /// How long that took.
    pub seconds: u64,
}

/// What a replay came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The plans, in order.
    pub plans: Vec<ReplayedPlan>,
    /// What all of them copied.
    pub bytes: Bytes,
    /// What plans copied to brokers from which a plan that had ended in the last 24 hours had taken it. Those for lost brokers do
    /// not count: a lost replica has to be somewhere.
    pub bytes_back: Bytes,
    /// How long disks were fuller than the mark, added up over brokers.
    pub broker_seconds_over_mark: u64,
}

/// Why a replay cannot go on.
#[derive(Debug)]
pub enum ReplayError {
    /// The course contradicts the cluster.
    Snapshot(SnapshotError),
    /// The assignments contradict it.
    Assignments(NoPlan),
}

/// A plan whose copies are on their way.
struct PlanUnderWay {
    plan: Plan,
    until_seconds: u64,
}

/// A replay under way.
struct ReplayState<'a, C> {
    policy: &'a KeepPolicy,
    course: &'a C,
    parts: Parts,
    notes: KeepNotes,
    /// The plans that wait.
    proposed: BTreeMap<Need, Plan>,
    flight: Option<PlanUnderWay>,
    expected: Expected,
    /// Plans that have ended, with their ends; those of the last 24 hours are among them.
    ended: Vec<(u64, Plan)>,
    replayed: Replayed,
}

/// Replays a course from one time to another, with a look every so many seconds. `scope`: which topics belong to which
/// brokers of a cluster.
///
/// # Errors
/// [`ReplayError`].
pub fn replay<C: Course>(
    start: &Snapshot,
    course: &C,
    (from_seconds, until_seconds, look_seconds): (u64, u64, u64),
    policy: &KeepPolicy,
    scope: &dyn Fn(&Snapshot) -> Vec<Assignment>,
) -> Result<Replayed, ReplayError> {
    let mut run = ReplayState::new(start, course, policy);
    let step = look_seconds.max(1);
    let mut now = from_seconds;
    while now < until_seconds {
        for (_, happening) in course.happenings(now.saturating_sub(step), now) {
            run.happen(happening);
        }
        run.pass(now)?;
        run.record(now);
        run.replayed.broker_seconds_over_mark += step * run.over_mark();
        // No look is taken while a plan is carried out.
        if run.flight.is_none() && !policy.triggers.is_empty() {
            run.look(now, policy, scope, ClusterFaults::of)?;
        }
        now += step;
    }
    Ok(run.replayed)
}

/// What a replay follows of a cluster: the disks of a broker count as one, and the replicas of a partition have one size.
fn followed_parts(start: &Snapshot) -> Parts {
    let mut parts = start.clone().into_parts();
    parts.brokers = parts.brokers.into_iter().map(followed).collect();
    parts.topics.iter_mut().for_each(follow);
    parts
}

fn followed(mut broker: Broker) -> Broker {
    broker.forget_log_dirs();
    broker
}

fn follow(topic: &mut Topic) {
    topic.log_dir_paths.clear();
    for facts in topic.partitions.iter_mut().filter_map(|partition| partition.facts.as_mut()) {
        facts.log_dirs.clear();
        facts.replica_sizes.clear();
    }
}

/// Those after the first of these times, up to the second.
fn between(
    all: &[(u64, Happening)],
    after_seconds: u64,
    until_seconds: u64,
) -> Vec<(u64, Happening)> {
    let now = all.iter().filter(|(at, _)| *at > after_seconds && *at <= until_seconds);
    now.cloned().collect()
}

/// Kafka numbers partitions from 0.
fn position(id: PartitionId) -> usize {
    usize::try_from(id.0).unwrap_or_default()
}

impl<'a, C: Course> ReplayState<'a, C> {
    fn new(start: &Snapshot, course: &'a C, policy: &'a KeepPolicy) -> Self {
        Self {
            policy,
            course,
            parts: followed_parts(start),
            notes: KeepNotes::default(),
            proposed: BTreeMap::new(),
            flight: None,
            expected: Expected::default(),
            ended: Vec::new(),
            replayed: Replayed::default(),
        }
    }

    fn happen(&mut self, happening: Happening) {
        self.expected.forget();
        let mut with = |id: BrokerId, change: fn(&mut Broker)| {
            self.parts.brokers.iter_mut().filter(|broker| broker.id == id).for_each(change);
        };
        match happening {
            Happening::Lost(id) => with(id, |broker| broker.live = false),
            Happening::Back(id) => with(id, |broker| broker.live = true),
            Happening::Cordoned(id) => with(id, |broker| {
                broker.cordoned_log_dirs = vec![mapper::snapshot::EVERY_LOG_DIR.to_owned()];
            }),
            Happening::Uncordoned(id) => with(id, |broker| broker.cordoned_log_dirs.clear()),
            Happening::Joined(broker) => self.parts.brokers.push(followed(*broker)),
            Happening::Grown(mut topic) => {
                follow(&mut topic);
                recorded::grow(&mut self.parts.topics, *topic);
            }
            Happening::Deleted(name) => self.parts.topics.retain(|it| it.name != name),
        }
    }

    /// Time passes: a plan arrives, and partitions have other sizes.
    fn pass(&mut self, now: u64) -> Result<(), ReplayError> {
        if let Some(flight) = self.flight.take_if(|flight| flight.until_seconds <= now) {
            self.arrive(flight.plan, now)?;
        }
        let mut used: BTreeMap<BrokerId, u64> = BTreeMap::new();
        for topic in &mut self.parts.topics {
            let sizes = self.course.sizes(&topic.name, now);
            for partition in &mut topic.partitions {
                let known = sizes.get(position(partition.id)).copied().flatten();
                partition.size = known.or(partition.size);
                let size = partition.size.unwrap_or_default().0;
                for id in &partition.replicas {
                    *used.entry(*id).or_default() += size;
                }
            }
        }
        for broker in &mut self.parts.brokers {
            let used = used.get(&broker.id).copied().unwrap_or_default();
            broker.storage_free =
                broker.storage_total.map(|total| Bytes(total.0.saturating_sub(used)));
        }
        Ok(())
    }

    /// Records sizes and rates, each hour, if the policy looks ahead.
    fn record(&mut self, now: u64) {
        if self.policy.looks_ahead_days().is_some() {
            let (course, topics) = (self.course, &self.parts.topics);
            self.expected.record(now, topics, |topic| course.bytes_in(topic, now));
        }
    }

    fn arrive(&mut self, plan: Plan, now: u64) -> Result<(), ReplayError> {
        let before = Snapshot::new(self.parts.clone()).map_err(ReplayError::Snapshot)?;
        self.expected.forget();
        self.parts = before.after(&plan).into_parts();
        self.ended.push((now, plan));
        self.ended.retain(|(at, _)| now - at < DAY_SECONDS);
        Ok(())
    }

    fn over_mark(&self) -> u64 {
        let over = |broker: &&Broker| {
            let sums = broker.storage_total.zip(broker.storage_free);
            sums.is_some_and(|(total, free)| total.0 - free.0 > self.policy.full.of(total).0)
        };
        self.parts.brokers.iter().filter(|broker| broker.live).filter(over).count() as u64
    }

    fn look(
        &mut self,
        now: u64,
        policy: &KeepPolicy,
        scope: &dyn Fn(&Snapshot) -> Vec<Assignment>,
        faults: fn(&[Ailment]) -> ClusterFaults,
    ) -> Result<(), ReplayError> {
        let snapshot = &Snapshot::new(self.parts.clone()).map_err(ReplayError::Snapshot)?;
        let assignments = scope(snapshot);
        let later = self.expected.at(now, snapshot, policy).map_err(ReplayError::Snapshot)?;
        let later = later.as_deref();
        let found =
            needs(snapshot, later, &assignments, policy).map_err(ReplayError::Assignments)?;
        let mut before = std::mem::take(&mut self.proposed);
        let mut seen = Vec::new();
        for need in found {
            let snapshot = need.seen_in(snapshot, later);
            let asks = || need.request(assignments.clone(), PlaceBy::Storage, policy);
            let make = || plan(snapshot, &asks());
            let made = need.plan(before.remove(&need), snapshot, policy, make);
            let planned = match made {
                Ok(None) => continue,
                Ok(Some((plan, _))) => {
                    let planned = need.planned(need.to_string(), &plan, self.late(now), policy);
                    self.proposed.insert(need.clone(), plan);
                    Ok(planned)
                }
                Err(why) => Err(why.to_string()),
            };
            seen.push(SeenNeed { need, plan: planned });
        }
        let planned = seen.iter().filter_map(|it| it.plan.as_ref().ok());
        let clear = planned.filter(|plan| plan.warnings.is_empty());
        let approved = clear.map(|plan| plan.plan_id.clone()).collect();
        let answers = PlanAnswers { approved, rejected: BTreeSet::new() };
        let faults = faults(&ailments(snapshot));
        let look = KeepLook { at_seconds: now, needs: seen, faults };
        let (proposals, notes) = keep(&look, &self.notes, &answers, policy);
        self.notes = notes;
        let begins = proposals.into_iter().find(|it| it.state == ProposalState::Begins);
        let Some((need, planned)) = begins.and_then(|it| Some((it.need, it.plan?))) else {
            return Ok(());
        };
        let Some(plan) = self.proposed.remove(&need) else { return Ok(()) };
        let (bytes, seconds) = (planned.bytes, planned.seconds);
        let repairs = need.trigger == Trigger::LostBroker;
        let back = if repairs { Bytes(0) } else { bytes_back(&plan, self.late(now)) };
        self.replayed.bytes = self.replayed.bytes.plus(bytes);
        self.replayed.bytes_back = self.replayed.bytes_back.plus(back);
        self.replayed.plans.push(ReplayedPlan { at_seconds: now, need, bytes, seconds });
        self.flight = Some(PlanUnderWay { plan, until_seconds: now + seconds });
        Ok(())
    }

    /// The plans that ended in the last 24 hours.
    fn late(&self, now: u64) -> impl Iterator<Item = &Plan> {
        self.ended.iter().filter(move |(at, _)| now - at < DAY_SECONDS).map(|(_, plan)| plan)
    }
}

#[cfg(test)]
mod tests;
