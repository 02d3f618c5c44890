//! One round: from the state of the cluster to the actions.

use crate::action::Action;
use crate::cancel::{cancel, cancel_for_the_dead};
use crate::dirs::{self, LogDirDestination};
use crate::elections::{elections, to_elect};
use crate::health;
use crate::journal::{ExecutionHistory, ExecutionOutcome, JournalEntry};
use crate::ledger::Ledger;
use crate::move_state::{MoveState, WhyLeft};
use crate::pace::{Keep, covers, pace};
use crate::progress::{ATTEMPTS, PlanProgress};
use crate::reconcile::Holding;
use crate::room::FreeRoom;
use crate::round::{NoNewMoves, Round, news};
use crate::seen::Seen;
use crate::task::{Aim, MOVES_PER_BROKER, Pace, Task};
use crate::window::CopyWindow;
use mapper::{BrokerId, Move, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// What to do now.
pub fn next(task: &Task<'_>, history: &ExecutionHistory, ledger: &Ledger, seen: &Seen) -> Round {
    let course = PlanProgress::of(task, history, seen);
    let mut round = Round::of(course);
    match task.terms.aim {
        Aim::CarryOut => carry_out(task, history, ledger, seen, &mut round),
        Aim::Cancel => cancel(task, history, ledger, seen, &mut round),
    }
    round.actions.sort_by_key(turn);
    round
}

/// The topics whose throttle the next round has to know: those of moves in flight, and of moves that may begin. The
/// topics of the ledger have to be known as well.
pub fn throttled_topics(
    task: &Task<'_>,
    history: &ExecutionHistory,
    seen: &Seen,
) -> BTreeSet<String> {
    let about = match (task.terms.pace, task.terms.aim) {
        (Pace::Unthrottled, _) => return BTreeSet::new(),
        (_, Aim::Cancel) => Vec::new(),
        (_, Aim::CarryOut) => {
            pick(task, seen, &mut PlanProgress::of(task, history, seen)).all().collect()
        }
    };
    let about = about.into_iter().filter_map(|index| task.of(index));
    task.running(seen).chain(about).map(|change| change.topic.to_string()).collect()
}

/// Journal lines come first, then configs, then moves, then the end.
fn turn(action: &Action) -> u8 {
    match action {
        Action::Write(_) => 0,
        Action::Account(_) => 1,
        Action::Set { .. } => 2,
        Action::Place { .. } => 3,
        Action::Submit { .. }
        | Action::Cancel { .. }
        | Action::Reorder { .. }
        | Action::Elect { .. } => 4,
        Action::Stop(_) => 5,
    }
}

fn carry_out(
    task: &Task<'_>,
    history: &ExecutionHistory,
    ledger: &Ledger,
    seen: &Seen,
    round: &mut Round,
) {
    let ill_at_start = match history.plan {
        Some(_) => history.ill.clone(),
        None => health::ill(seen).into_keys().collect(),
    };
    if history.plan.is_none() {
        // Our moves are in flight: the journal was lost, and the other tools came later.
        let ours = round.course.count(|standing| *standing == MoveState::Moving) > 0;
        let under_way = ours || !ledger.is_empty();
        if !round.course.foreign.is_empty() && !task.terms.join && !under_way {
            round.held = Some(NoNewMoves::OtherTools(round.course.foreign.clone()));
            round.actions.push(Action::Stop(ExecutionOutcome::HeldByOthers));
            return;
        }
        round.actions.push(Action::Write(JournalEntry::Started {
            plan: task.plan_id.to_owned(),
            cluster_id: task.cluster_id.to_owned(),
            pace: task.terms.pace,
            ill: ill_at_start.clone(),
        }));
    }
    round.actions.extend(news(task, history, seen, &round.course));
    round.held = held(task, &ill_at_start, seen, &round.course);
    round.actions.extend(pauses(history, round.held.as_ref()));
    // Always called: it marks the moves that lack room.
    let mut picked = pick(task, seen, &mut round.course);
    // A step is over when its first replicas lead.
    let elected = elections(task, history, seen, &round.course);
    let over = history.gave_up || is_late(task, seen);
    if over || round.held.is_some() || !elected.is_empty() {
        picked = PickedMoves::default();
    }
    let keep = match over {
        true => Keep::default(),
        false => brokers_of_open(task, &round.course),
    };
    let about: Vec<usize> = picked.all().collect();
    let mut pacing = pace(task, ledger, seen, &about, &keep);
    if pacing.sets_cordons() {
        picked = PickedMoves::default();
    }
    if task.terms.keep_cordons && round.course.standings.iter().all(|of| *of == MoveState::Done) {
        pacing.leave_cordons();
    }
    if task.terms.pace == Pace::Auto {
        round.to_announce = picked.all().collect();
    }
    let covered = |index: &usize| {
        task.of(*index).is_some_and(|change| covers(&pacing, task, ledger, seen, change))
    };
    let moves: Vec<usize> = picked.now.into_iter().filter(covered).collect();
    round.actions.append(&mut pacing.actions);
    round.strays = pacing.strays.iter().cloned().collect();
    submit(task, history, seen, moves, round);
    cancel_for_the_dead(task, history, seen, round);
    if !elected.is_empty() {
        round.actions.push(Action::Write(JournalEntry::Elected { moves: elected.clone() }));
        round.actions.push(Action::Elect { moves: elected });
    }
    finish(task, history, seen, &pacing, round);
}

fn submit(
    task: &Task<'_>,
    history: &ExecutionHistory,
    seen: &Seen,
    moves: Vec<usize>,
    round: &mut Round,
) {
    let change = |index: usize| Some((index, task.of(index)?));
    // A log dir that was refused this often is not requested again while the move is in flight.
    let may_tell = |index: usize| history.refused.get(&index).is_none_or(|(n, _)| *n < ATTEMPTS);
    let runs = |(index, change): &(usize, &Move)| {
        seen.running.contains_key(&change.of()) && may_tell(*index)
    };
    let moving = round.course.all(|standing| *standing == MoveState::Moving).filter_map(change);
    let about = moving.filter(runs).chain(moves.iter().copied().filter_map(change));
    let places: Vec<LogDirDestination> =
        about.flat_map(|(i, c)| dirs::to_tell(seen, i, c)).collect();
    if !places.is_empty() {
        round.actions.push(Action::Place { places });
    }
    if moves.is_empty() {
        return;
    }
    round.actions.push(Action::Write(JournalEntry::Submitted { moves: moves.clone() }));
    // A move that changes only log dirs needs no reassignment.
    let elsewhere = |index: &usize| task.of(*index).is_some_and(|c| !seen.has_arrived(c));
    let moves: Vec<usize> = moves.into_iter().filter(elsewhere).collect();
    if !moves.is_empty() {
        round.actions.push(Action::Submit { moves });
    }
}

/// Whether the time of `--until` has passed.
fn is_late(task: &Task<'_>, seen: &Seen) -> bool {
    task.terms.limits.until_seconds.is_some_and(|until| seen.clock_seconds >= until)
}

/// The reason that keeps every new move from being submitted, if there is one.
fn held(
    task: &Task<'_>,
    ill_at_start: &BTreeSet<TopicPartition>,
    seen: &Seen,
    course: &PlanProgress,
) -> Option<NoNewMoves> {
    if course.count(is_open) == 0 || is_late(task, seen) {
        return None;
    }
    let others = &course.foreign - &seen.abandoned;
    if !others.is_empty() && !task.terms.join {
        return Some(NoNewMoves::OtherTools(others));
    }
    let ill = health::reasons_to_pause(task, ill_at_start, seen);
    (!ill.is_empty()).then_some(NoNewMoves::Paused(ill))
}

fn pauses(history: &ExecutionHistory, held: Option<&NoNewMoves>) -> Option<Action> {
    let partitions = match held {
        Some(NoNewMoves::Paused(ill)) => Some(ill.keys().cloned().collect()),
        Some(NoNewMoves::OtherTools(_) | NoNewMoves::Stuck(_) | NoNewMoves::NotPaced(_)) | None => {
            None
        }
    };
    if history.paused == partitions {
        return None;
    }
    Some(Action::Write(match partitions {
        Some(partitions) => JournalEntry::Paused { partitions },
        None => JournalEntry::Unpaused,
    }))
}

/// Whether a move is neither begun nor given up.
fn is_open(standing: &MoveState) -> bool {
    matches!(standing, MoveState::Ready | MoveState::Hindered(_))
}

/// The moves of the first step that is not finished, in the order of their [turns](crate::window::Turn).
#[derive(Debug, Default)]
struct PickedMoves {
    /// Those to submit now.
    now: Vec<usize>,
    /// Those that come next. Their configs are set now, so that no port waits for configs.
    ahead: Vec<usize>,
}

impl PickedMoves {
    fn all(&self) -> impl Iterator<Item = usize> {
        self.now.iter().chain(&self.ahead).copied()
    }
}

/// Picks from the first step that is not finished. Marks moves that lack room.
fn pick(task: &Task<'_>, seen: &Seen, course: &mut PlanProgress) -> PickedMoves {
    let mut earlier: Vec<usize> = Vec::new();
    for step in &task.plan.steps {
        let moves = step.iter().any(|index| course.is(*index, &MoveState::Moving));
        let ready: Vec<usize> =
            step.iter().copied().filter(|index| course.is(*index, &MoveState::Ready)).collect();
        if !moves && ready.is_empty() {
            earlier.extend(step);
            continue;
        }
        let mut room = FreeRoom::of(task, course, seen, &earlier);
        let ready: Vec<(usize, &Move)> =
            ready.into_iter().filter_map(|index| Some((index, task.of(index)?))).collect();
        return within_limits(task, seen, course, ready, &mut room);
    }
    PickedMoves::default()
}

fn within_limits(
    task: &Task<'_>,
    seen: &Seen,
    course: &mut PlanProgress,
    ready: Vec<(usize, &Move)>,
    room: &mut FreeRoom,
) -> PickedMoves {
    let mut busy: BTreeMap<BrokerId, usize> = BTreeMap::new();
    let moving = course.all(|standing| *standing == MoveState::Moving).filter_map(|i| task.of(i));
    let under_way: Vec<&Move> = moving.filter(|change| !waits_for_the_dead(seen, change)).collect();
    for broker in under_way.iter().flat_map(|change| taking_part(seen, change)) {
        *busy.entry(broker).or_default() += 1;
    }
    let free = task.terms.limits.moves.saturating_sub(under_way.len()).min(task.terms.limits.batch);
    let (mut window, turns) = CopyWindow::of(task, seen, &under_way, ready);
    let mut picked = PickedMoves::default();
    for turn in turns {
        if picked.now.len() + picked.ahead.len() >= free {
            break;
        }
        if let Some(hindrance) = room.hindrance(seen, turn.change) {
            course.standings[turn.index] = MoveState::Hindered(hindrance);
            continue;
        }
        let part = taking_part(seen, turn.change);
        let limit = task.terms.limits.moves_per_broker.unwrap_or(MOVES_PER_BROKER);
        if part.iter().any(|id| busy.get(id).is_some_and(|count| *count >= limit)) {
            continue;
        }
        if window.has_place(&turn) {
            room.take(turn.change);
            picked.now.push(turn.index);
        } else if window.comes_next(&turn) {
            picked.ahead.push(turn.index);
        } else {
            continue;
        }
        window.take(turn);
        part.into_iter().for_each(|id| *busy.entry(id).or_default() += 1);
    }
    picked
}

/// Whether the move copies nothing until a dead broker returns. Such a move uses no broker's capacity, and keeps no
/// other move from beginning.
fn waits_for_the_dead(seen: &Seen, change: &Move) -> bool {
    change.added().next().is_some() && change.added().all(|id| !seen.live.contains(&id))
}

/// The brokers that send, receive, or copy from one of their dirs to another.
fn taking_part(seen: &Seen, change: &Move) -> BTreeSet<BrokerId> {
    let leader = seen.leader(change).filter(|_| change.added().next().is_some());
    change.added().chain(leader).chain(dirs::copying(seen, change)).collect()
}

/// The brokers of every move that is not over: those that copy, and those that the plan vacates.
fn brokers_of_open(task: &Task<'_>, course: &PlanProgress) -> Keep {
    let open = course.all(|standing| is_open(standing) || *standing == MoveState::Moving);
    let open: Vec<&Move> = open.filter_map(|index| task.of(index)).collect();
    let copying = open.iter().filter(|change| change.added().next().is_some());
    let rates = copying.flat_map(|c| c.added().chain(c.from.iter().copied())).collect();
    let vacated = task.plan.request.vacated();
    let cordons = open.iter().flat_map(|change| change.removed());
    Keep { rates, cordons: cordons.filter(|id| vacated.contains(id)).collect() }
}

fn finish(
    task: &Task<'_>,
    history: &ExecutionHistory,
    seen: &Seen,
    pacing: &Holding,
    round: &mut Round,
) {
    let acts = |action: &Action| match action {
        Action::Write(entry) => matches!(entry, JournalEntry::Completed { .. }),
        Action::Account(_) => false,
        Action::Set { .. }
        | Action::Place { .. }
        | Action::Submit { .. }
        | Action::Cancel { .. }
        | Action::Reorder { .. }
        | Action::Elect { .. }
        | Action::Stop(_) => true,
    };
    let moving = round.course.count(|standing| *standing == MoveState::Moving);
    let copies = task.plan.moves.iter().any(|change| dirs::under_way(seen, change));
    if moving > 0 || copies || round.held.is_some() || round.actions.iter().any(acts) {
        return;
    }
    let open = round.course.count(is_open);
    let unreachable =
        round.strays.iter().any(|stray| matches!(stray, crate::Stray::Unreachable { .. }));
    let unelected = (0..task.plan.moves.len())
        .any(|index| to_elect(task, seen, &round.course, index).is_some());
    let rest = open > 0 || unreachable || unelected;
    if rest && !history.gave_up && !is_late(task, seen) {
        let since = history.stuck_since_seconds;
        let waited = since.map_or(0, |since| seen.at_seconds.saturating_sub(since));
        round.held = Some(match round.to_announce.is_empty() {
            true => NoNewMoves::Stuck(waited),
            false => NoNewMoves::NotPaced(waited),
        });
        if since.is_none() {
            let at_seconds = seen.at_seconds;
            round.actions.push(Action::Write(JournalEntry::Stuck { at_seconds }));
        } else if waited >= task.terms.limits.patience_seconds {
            round.actions.push(Action::Write(JournalEntry::GaveUp));
        }
        return;
    }
    if !pacing.clean {
        return;
    }
    let left = |standing: &MoveState| match standing {
        MoveState::Left(why) => *why != WhyLeft::Gone,
        MoveState::Done | MoveState::Moving | MoveState::Ready | MoveState::Hindered(_) => false,
    };
    // Another run tries the cancelled move again.
    let cancelled = MoveState::Left(WhyLeft::CancelledByOthers);
    let rest = rest || round.course.standings.contains(&cancelled);
    let outcome = match (rest, round.course.count(left)) {
        (true, _) => ExecutionOutcome::Partly,
        (false, 0) => ExecutionOutcome::Complete,
        (false, _) => ExecutionOutcome::LeftOut,
    };
    round.stop(outcome);
}
