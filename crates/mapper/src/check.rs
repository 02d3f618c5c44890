//! An independent check of every plan. It shares no code with the planners that it checks: only the types, which `cargo
//! xtask house` lists.
//!
//! In: the snapshot before, and a plan or another tool's partition map. Out: every broken promise, at the end and at
//! each step; nothing if all are kept.

mod balance;
mod cordons;
mod figures;
mod leaders;
mod left_out;
mod log_dirs;
mod spread;
mod steps;
mod submissions;
mod topic_spread;
mod topics;
mod view;
mod violation;
mod zone;

pub use violation::Violation;

use crate::assignment::{Assignment, TopicSelection};
use crate::both::both;
use crate::bytes::{Bytes, Ratio};
use crate::ids::BrokerId;
use crate::plan::{Move, Plan, Reason};
use crate::plan_file::PlannedPartition;
use crate::request::{BaseLists, Mends, RackRule, Replace, Request};
use crate::scope::ScopeError;
use crate::snapshot::{Leader, Partition, Snapshot, Topic};
use leaders::Evacuation;
use std::cmp::Ordering;
use std::sync::Arc;
use view::{Allowed, CheckedSnapshot, Touched};

/// Every promise that `plan` breaks.
pub fn check(before: &Snapshot, plan: &Plan) -> Vec<Violation> {
    let view = plan.request.terms().view(before);
    let before = view.as_ref();
    let view = match CheckedSnapshot::new(before, &balance::assignments(&plan.request)) {
        Ok(view) => view,
        Err(problem) => return vec![Violation::Scope(problem)],
    };
    let many = plan.moves.len();
    let (first, second) = plan.moves.split_at(many / 2);
    // A look-up remembers its position, so each thread needs its own.
    let (of_second, of_whole) = (view.clone(), view.clone());
    let ((first, second), around) = both(
        many,
        || both(many, || of_moves(&view, plan, first), move || of_moves(&of_second, plan, second)),
        move || of_the_whole(&of_whole, before, plan),
    );
    let around = match around {
        Ok(around) => around,
        Err(problem) => return vec![Violation::Scope(problem)],
    };
    let mut broken = around.first;
    broken.extend(first.into_iter().chain(second));
    broken.extend(around.then);
    // After a worse violation, or with another cluster, wrong sums add no information.
    if broken.is_empty() { around.figures } else { broken }
}

/// The promises that one of these moves breaks.
fn of_moves(view: &CheckedSnapshot<'_>, plan: &Plan, moves: &[Move]) -> Vec<Violation> {
    let base = BaseLists::of(&plan.request);
    let touched = view.find.topics_of(moves).map(|(change, topic)| view.touched(change, topic));
    touched.flat_map(|touched| one_move(view, &plan.request, &base, &touched)).collect()
}

/// The promises that all moves together break, before and after those of single moves; and wrong figures.
struct OverallPromises {
    first: Vec<Violation>,
    then: Vec<Violation>,
    figures: Vec<Violation>,
}

fn of_the_whole(
    view: &CheckedSnapshot<'_>,
    before: &Snapshot,
    plan: &Plan,
) -> Result<OverallPromises, ScopeError> {
    let terms = plan.request.terms();
    let evacuation = Evacuation::of(before, &plan.request)?;
    let base = BaseLists::of(&plan.request);
    let moves = by_partition(&plan.moves);
    let mut first = each_change_stands_once(&moves);
    first.extend(steps::broken(view, plan));
    let mut then = left_out::nothing_is_forgotten(view, terms, &base, plan, &moves);
    then.extend(left_out::with_cause(view, plan, evacuation.as_ref()));
    if let Some(evacuation) = &evacuation {
        then.extend(leaders::evacuated(view, plan, evacuation));
    }
    then.extend(balance::broken(before, plan));
    then.extend(steps::capacity(view, terms.storage_headroom, &submissions::by_step(plan)));
    let mut figures = figures::wrong(before, plan, &view.all_allowed());
    figures.extend(topic_spread::wrong(view, plan, &moves));
    figures.extend(zone::wrong(view, plan, &moves));
    figures.extend(log_dirs::wrong_figures(view, plan));
    Ok(OverallPromises { first, then, figures })
}

/// Every promise that another tool's partition map breaks if it is submitted as one step. The map has no scope and no
/// request, so the check covers only what is harmful in any case.
pub fn check_map(before: &Snapshot, map: &[PlannedPartition], headroom: Ratio) -> Vec<Violation> {
    let mut broken = Vec::new();
    let brokers = before.brokers().iter().filter(|b| b.live).map(|b| b.id).collect();
    let everywhere = Assignment::new(TopicSelection::Rest, brokers);
    let view = match CheckedSnapshot::new(before, std::slice::from_ref(&everywhere)) {
        Ok(view) => view,
        Err(problem) => return vec![Violation::Scope(problem)],
    };
    let moves: Vec<Move> = map.iter().map(|entry| as_move(before, entry)).collect();
    broken.extend(each_change_stands_once(&by_partition(&moves)));
    let changes = |m: &Move| m.from != m.to || m.between_volumes().next().is_some();
    let changed: Vec<Move> = moves.into_iter().filter(changes).collect();
    for (change, topic) in view.find.topics_of(&changed) {
        broken.extend(any_move(&view, RackRule::Spread, &view.touched(change, topic)));
        if !change.from.is_empty() && change.from.len() != change.to.len() {
            let (asked, found) = (change.from.len(), change.to.len());
            broken.push(Violation::Factor { of: change.of(), asked, found });
        }
    }
    let step = changed.iter().flat_map(submissions::of_move).collect();
    broken.extend(steps::capacity(&view, headroom, &[step]));
    broken
}

fn as_move(before: &Snapshot, entry: &PlannedPartition) -> Move {
    let partition = before.partition(&entry.topic, entry.partition);
    let from = partition.map(|p| p.replicas.clone()).unwrap_or_default();
    let mut change = Move {
        topic: Arc::clone(&entry.topic),
        partition: entry.partition,
        from,
        via: Box::default(),
        disk_bytes: Bytes(0),
        to: entry.replicas.clone(),
        log_dirs: entry.log_dirs.clone(),
        reason: Reason::Forced,
        bytes: None,
    };
    let copies = change.added().count();
    let each = partition.and_then(|p| Some(p.copied(size(before, p)?)));
    change.bytes = each.map(|each| each.times(copies));
    if let Some((topic, partition)) = before.topic(&entry.topic).zip(partition) {
        change.disk_bytes = log_dirs::disk_bytes(topic, partition, &change);
    }
    change
}

/// Checks that no partition is changed twice. `moves` are in order of topic and partition.
fn each_change_stands_once(moves: &[&Move]) -> Vec<Violation> {
    let twice = moves.array_windows().filter(|[one, next]| of_one_partition(one, next));
    twice.map(|[_, next]| Violation::ChangedTwice { of: next.of() }).collect()
}

/// The moves by topic and partition. Our own plans already have this order, so sorting is one pass.
fn by_partition(moves: &[Move]) -> Vec<&Move> {
    let mut order: Vec<&Move> = moves.iter().collect();
    let topics = |one: &Move, other: &Move| match Arc::ptr_eq(&one.topic, &other.topic) {
        true => Ordering::Equal,
        false => one.topic.cmp(&other.topic),
    };
    order.sort_by(|one, other| topics(one, other).then(one.partition.cmp(&other.partition)));
    order
}

fn of_one_partition(one: &Move, other: &Move) -> bool {
    one.partition == other.partition && one.topic == other.topic
}

/// The checks for one move of our own plans.
fn one_move(
    view: &CheckedSnapshot<'_>,
    request: &Request,
    base: &BaseLists<'_>,
    touched: &Touched<'_>,
) -> Vec<Violation> {
    let (change, terms) = (touched.change, request.terms());
    let covered = base.cover(&change.topic, change.partition);
    let Some(allowed) = touched.allowed.filter(|_| covered) else {
        return vec![Violation::OutOfScope { of: change.of() }];
    };
    let given = base.get(&change.topic, change.partition);
    let mut broken = any_move(view, terms.racks, touched);
    broken.extend(log_dirs::are_named(view, change));
    broken.extend(
        allowed
            .refuses(&change.to, terms.mends, &change.from)
            .map(|broker| Violation::NotAllowed { of: change.of(), broker }),
    );
    if touched.partition.is_some() {
        broken.extend(factor(given, allowed, change));
    }
    if given.is_none() {
        broken.extend(reason(view, request, allowed, touched));
    }
    broken
}

/// The checks for any move, from any tool.
fn any_move(view: &CheckedSnapshot<'_>, rule: RackRule, touched: &Touched<'_>) -> Vec<Violation> {
    let change = touched.change;
    let of = || change.of();
    let Some(partition) = touched.partition else {
        return vec![Violation::UnknownPartition { of: of() }];
    };
    let mut broken = Vec::new();
    if change.from != partition.replicas {
        broken.push(Violation::OtherStart { of: of(), found: partition.replicas.to_vec() });
    }
    if change.to.is_empty() {
        broken.push(Violation::NoReplicas { of: of() });
    }
    broken.extend(repeated(&change.to).map(|broker| Violation::Repeated { of: of(), broker }));
    for broker in change.added().filter(|id| !view.is_live(*id)) {
        broken.push(Violation::NotLive { of: of(), broker });
    }
    if !led(view, partition) {
        broken.push(Violation::NoLeader { of: of() });
    }
    if partition.is_moving() {
        broken.push(Violation::Reassigning { of: of() });
    }
    let topic = view.find.topic(&change.topic);
    if let Some(config) = topic.and_then(Topic::diskless).map(str::to_owned) {
        broken.push(Violation::Diskless { of: of(), config });
    }
    broken.extend(log_dirs::exist(view.snapshot, change));
    broken.extend(cordons::kept(view, touched));
    if let Some((before, after)) = view.racks_get_worse(rule, touched) {
        broken.push(Violation::Racks { of: of(), before, after });
    }
    let expected = size(view.snapshot, partition);
    let copies = change.added().count();
    let each = expected.map(|size| partition.copied(size));
    let bytes = if copies == 0 { Some(Bytes(0)) } else { each.map(|each| each.times(copies)) };
    if change.bytes != bytes {
        broken.push(Violation::Bytes { of: of(), stated: change.bytes, found: bytes });
    }
    broken.extend(log_dirs::wrong_bytes(view, touched));
    broken
}

fn repeated(list: &[BrokerId]) -> Option<BrokerId> {
    let mut each = list.iter().enumerate();
    each.find(|(at, id)| list[..*at].contains(id)).map(|(_, id)| *id)
}

/// The partition's own size, otherwise that of its largest live replica.
fn size(snapshot: &Snapshot, partition: &Partition) -> Option<Bytes> {
    let live = |id: &BrokerId| snapshot.is_live(*id);
    let replicas = || partition.replicas.iter().filter(|id| live(id));
    partition.size.or_else(|| replicas().filter_map(|id| partition.size_on(*id)).max())
}

/// Whether it has a live leader, or may have one if the leader is unknown.
fn led(view: &CheckedSnapshot<'_>, partition: &Partition) -> bool {
    match partition.leader() {
        Leader::Broker(id) => view.is_live(id),
        Leader::None => false,
        Leader::Unknown => {
            let up = |id: &&BrokerId| view.is_live(**id) && !partition.offline().contains(id);
            partition.replicas.iter().any(|id| up(&id))
        }
    }
}

/// Checks that the replication factor is the requested one.
fn factor(
    given: Option<&[Option<BrokerId>]>,
    allowed: &Allowed,
    change: &Move,
) -> Option<Violation> {
    let asked = allowed.replication.or(given.map(<[_]>::len)).unwrap_or(change.from.len());
    let found = change.to.len();
    (asked != found).then(|| Violation::Factor { of: change.of(), asked, found })
}

/// Checks that a healthy seat moves only if the request gives a reason.
fn reason(
    view: &CheckedSnapshot<'_>,
    request: &Request,
    allowed: &Allowed,
    touched: &Touched<'_>,
) -> Option<Violation> {
    let change = touched.change;
    let rebuild = match request {
        Request::Rebuild(rebuild) => rebuild,
        Request::Replace(replace) => return only_the_outgoing(replace, change),
        Request::Leaders(_) => return leaders::only_reorders(view, change),
        // An even load is a reason for any seat in scope.
        Request::Rebalance(_) | Request::Scale(_) => return None,
    };
    if rebuild.force || rebuild.terms.fix_racks {
        return None;
    }
    let partition = touched.partition?;
    let right: Vec<BrokerId> = change
        .removed()
        .filter(|id| view.is_live(*id) && allowed.brokers.contains(*id))
        .filter(|id| !partition.offline().contains(id))
        .collect();
    let fewer = change.from.len().saturating_sub(change.to.len());
    let wrong = change.removed().count() - right.len();
    let more = change.to.len().saturating_sub(change.from.len());
    // A smaller replication factor may drop healthy seats; copies still need a fault or a larger factor as a reason.
    let excused = right.len() <= fewer && change.added().count() <= wrong + more;
    (!excused).then(|| Violation::NoReason { of: change.of(), brokers: right })
}

fn only_the_outgoing(replace: &Replace, change: &Move) -> Option<Violation> {
    let others: Vec<BrokerId> = change.removed().filter(|id| *id != replace.outgoing).collect();
    (!others.is_empty()).then(|| Violation::NoReason { of: change.of(), brokers: others })
}

impl Allowed {
    /// Brokers of the new list that the assignment does not name. If the request mends only one broker's seats, those
    /// of the old list may stay.
    fn refuses<'l>(
        &'l self,
        to: &'l [BrokerId],
        mends: Mends,
        from: &'l [BrokerId],
    ) -> impl Iterator<Item = BrokerId> + 'l {
        let stays = move |id: &BrokerId| match mends {
            Mends::Everything => false,
            Mends::SeatsOf(outgoing) => *id != outgoing && from.contains(id),
            Mends::Nothing => from.contains(id),
        };
        to.iter().copied().filter(move |id| !self.brokers.contains(*id) && !stays(id))
    }
}
