//! What a policy would do over days: the decisions of [`keep`], the planners' plans, and a cluster that changes only in
//! memory.
//!
//! A plan that begins has all its replicas in their new places when its copies have had the time that they take. A proposal
//! without warnings is approved at once, others never.

use super::{
    ClusterFaults, DAY_SECONDS, KeepLook, KeepNotes, KeepPolicy, Need, PlanAnswers, ProposalState,
    SeenNeed, Trigger, TriggerTerms, bytes_back, keep, needs,
};
use health::{Ailment, ailments};
use mapper::snapshot::{Broker, Parts, Topic};
use mapper::{
    Assignment, BrokerId, Bytes, NoPlan, PartitionId, PlaceBy, Plan, Rate, Snapshot, SnapshotError,
    plan,
};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// How often a clairvoyant looks after each event, at most: more often than it has needs.
const CLAIRVOYANT_LOOKS: u64 = 40;
/// What calls for plans as sizes change. A clairvoyant does it at the end.
const LOADS: [Trigger; 3] = [Trigger::FullDisk, Trigger::FillingDisk, Trigger::Imbalance];

mod recorded;
mod seeded;

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

/// What the same policy would copy if it knew what lasts: it answers each loss, cordon, new broker and drift at once, but none that
/// ends by itself, and relieves and evens disks one time, at the end. No wait, no limit and no fault of the cluster holds it up.
///
/// # Errors
/// [`ReplayError`].
pub fn clairvoyant<C: Course>(
    start: &Snapshot,
    course: &C,
    (from_seconds, until_seconds): (u64, u64),
    policy: &KeepPolicy,
    scope: &dyn Fn(&Snapshot) -> Vec<Assignment>,
) -> Result<Bytes, ReplayError> {
    let at_once = |terms: &TriggerTerms| TriggerTerms {
        for_seconds: 0,
        rest_seconds: 0,
        max_bytes: None,
        ..*terms
    };
    let triggers = policy.triggers.iter().map(|(trigger, terms)| (*trigger, at_once(terms)));
    let at_the_end = KeepPolicy {
        triggers: triggers.collect(),
        throttle: Rate(u64::MAX),
        bytes_per_day: None,
        hours: None,
        ..policy.clone()
    };
    let mut meanwhile = at_the_end.clone();
    meanwhile.triggers.retain(|trigger, _| !LOADS.contains(trigger));
    let mut run = ReplayState::new(start, course, policy);
    for (at, happening) in lasting(course.happenings(from_seconds.saturating_sub(1), until_seconds))
    {
        run.happen(happening);
        run.answer(at, &meanwhile, scope)?;
    }
    run.answer(until_seconds, &at_the_end, scope)?;
    Ok(run.replayed.bytes)
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

/// Without losses and cordons that end, and without their ends.
fn lasting(all: Vec<(u64, Happening)>) -> Vec<(u64, Happening)> {
    let ends = |of: &Happening| match of {
        Happening::Lost(id) => Some(Happening::Back(*id)),
        Happening::Cordoned(id) => Some(Happening::Uncordoned(*id)),
        Happening::Back(_)
        | Happening::Uncordoned(_)
        | Happening::Joined(_)
        | Happening::Grown(_)
        | Happening::Deleted(_) => None,
    };
    let is_among =
        |these: &[(u64, Happening)], what: &Happening| these.iter().any(|(_, it)| it == what);
    let lasts = |at: usize| {
        let (earlier, later) = (&all[..at], &all[at..]);
        let what = &all[at].1;
        let has_end = ends(what).is_some_and(|end| is_among(later, &end));
        let is_end = earlier.iter().any(|(_, it)| ends(it).as_ref() == Some(what));
        !has_end && !is_end
    };
    (0..all.len()).filter(|at| lasts(*at)).map(|at| all[at].clone()).collect()
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
            ended: Vec::new(),
            replayed: Replayed::default(),
        }
    }

    fn happen(&mut self, happening: Happening) {
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

    /// Carries out one plan after the other, until nothing calls for one. A need for evenness has to last for a second.
    fn answer(
        &mut self,
        at: u64,
        policy: &KeepPolicy,
        scope: &dyn Fn(&Snapshot) -> Vec<Assignment>,
    ) -> Result<(), ReplayError> {
        (self.notes, self.ended) = (KeepNotes::default(), Vec::new());
        let mut idle = false;
        for now in at..at + CLAIRVOYANT_LOOKS {
            self.pass(now)?;
            self.look(now, policy, scope, |_| ClusterFaults::default())?;
            match self.flight.take() {
                Some(flight) => {
                    self.arrive(flight.plan, now)?;
                    idle = false;
                }
                None if idle => break,
                None => idle = true,
            }
        }
        Ok(())
    }

    fn arrive(&mut self, plan: Plan, now: u64) -> Result<(), ReplayError> {
        let before = Snapshot::new(self.parts.clone()).map_err(ReplayError::Snapshot)?;
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
        let found =
            needs(snapshot, None, &assignments, policy).map_err(ReplayError::Assignments)?;
        let mut before = std::mem::take(&mut self.proposed);
        let mut seen = Vec::new();
        for need in found {
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
