//! `rollback`: back to the replicas that a plan's partitions had before it. What is in flight is cancelled; what has
//! arrived returns by its own plan, which is checked like any other and carried out by the same engine.

use super::execute;
use super::follow_up::{FollowUpPlan, captured, ledger, on};
use crate::error::Error;
use crate::live::views::{PutBack, RollbackView};
use crate::planning;
use crate::session::Session;
use ::execute::{Aim, ExecutionTerms, Pace, WayBack, way_back};
use mapper::{
    Assignment, BaseReplicas, BrokerId, Mends, PlaceBy, Plan, PlanFile, PlanTerms, RackRule, Ratio,
    Rebuild, Request, Snapshot, TopicSelection,
};
use operate::Status;
use operate::events::Note;
use operate::execution::{Execution, Opened, Signals, Why};
use operate::files::OutFile;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The name in the files of a rollback.
const NAME: &str = "rollback";

/// Its flags are those of `execute`.
pub(super) fn run(args: &execute::Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    if args.sweep {
        let message = "there is nothing to sweep on the way back: leave out --sweep";
        return Err(Error::flags(message));
    }
    let meant = args.execution.files().plan()?;
    let place = FollowUpPlan::latest(&meant.journal, NAME)?;
    let begun = place.as_ref().is_some_and(|place| !place.is_over);
    if begun && !args.resume && !args.consent.dry_run {
        return Err(Error::JournalExists(place.map(|place| place.journal()).unwrap_or_default()));
    }
    session.needs_consent(args.consent)?;
    let talk = session.global.talk.clone();
    let (journal, resumes) = (meant.journal.clone(), args.resume || begun);
    if let Some(place) = place.as_ref().filter(|_| resumes) {
        let ledger = ledger(args, session)?;
        return execute::run(&on(args, &place.plan, &ledger, args.consent.yes), session);
    }
    let place = FollowUpPlan::next(&journal, NAME, place.as_ref());
    let prepared = talk.wait_for(async {
        let opened = Opened::of(&args.execution.files(), meant, &mut session.context()?).await?;
        prepare(args, &opened, &place, session).await
    })?;
    match prepared {
        PreparedRollback::Over(status) => Ok(status),
        PreparedRollback::Planned { ledger, whole } => {
            let status = execute::run(&on(args, &place.plan, &ledger, true), session)?;
            Ok(if whole || status != Status::Done { status } else { Status::Partly })
        }
    }
}

enum PreparedRollback {
    /// There is nothing more to do, or the operator did not agree.
    Over(Status),
    /// The plan is written. Not whole: some moves could not be cancelled, or do not return.
    Planned { ledger: PathBuf, whole: bool },
}

/// Shows the preview, asks, cancels, and plans the way back.
async fn prepare(
    args: &execute::Args,
    opened: &Opened,
    place: &FollowUpPlan,
    session: &mut Session<'_, '_>,
) -> Result<PreparedRollback, Error> {
    if args.resume {
        session.say(&Note::new("there is no rollback yet: beginning"))?;
    }
    let mut execution = opened.execution(cancelling(), args.consent.dry_run)?;
    if execution.history().plan.is_none() {
        // Another machine may have carried it out. Its moves and throttles must be known before the preview.
        execution
            .claim_where_there(&args.claim.by(), &opened.places, &mut session.context()?)
            .await?;
    }
    let look = execution.first_look().await?;
    if execution.history().plan.is_none() {
        session.say(&Note::new(
            "there is no journal: each state on the plan's way counts as the plan's work",
        ))?;
    }
    let back = way_back(&opened.plan, execution.history(), &look.seen);
    // The way back may fill brokers as far as the plan was allowed to.
    let headroom = opened.plan.request.terms().storage_headroom;
    let snapshot = captured(opened, session).await?;
    let plan = planned(&snapshot, &back, headroom)?;
    let put_back = PutBack::all(execution.ledger(), &execution.first_round(&look).strays);
    let way = (&back, plan.as_ref(), place.plan.as_path());
    session.event(&RollbackView::of(&opened.cluster_id, way, put_back))?;
    let holds = execution.holds_configs();
    if back.lists.is_empty() && back.in_flight.is_empty() && !holds {
        return Ok(PreparedRollback::Over(of_left(&back)));
    }
    if args.consent.dry_run {
        return Ok(PreparedRollback::Over(Status::Findings));
    }
    let question = format!("Roll back in cluster {}? Type yes:", opened.cluster_id);
    session.agrees(args.consent, &question, "yes")?;
    execution.claim(&args.claim.by(), &opened.places, true, &mut session.context()?).await?;
    if let Some(status) = cancel(&mut execution, session).await? {
        return Ok(PreparedRollback::Over(status));
    }
    // Some have arrived while others were being cancelled.
    let look = execution.first_look().await?;
    let back = way_back(&opened.plan, execution.history(), &look.seen);
    drop(execution);
    let snapshot = captured(opened, session).await?;
    let Some(plan) = planned(&snapshot, &back, headroom)? else {
        return Ok(PreparedRollback::Over(of_left(&back)));
    };
    let file = PlanFile::of(plan);
    OutFile::at(&place.plan)?.stage(|out| file.write_json(out))?.publish()?;
    let whole = back.left.is_empty() && back.in_flight.is_empty();
    Ok(PreparedRollback::Planned { ledger: opened.places.ledger.clone(), whole })
}

/// Moves in flight keep their throttle.
pub(super) fn cancelling() -> ExecutionTerms {
    ExecutionTerms { join: true, ..ExecutionTerms::new(Aim::Cancel, Pace::Unthrottled) }
}

/// The status if a signal ends the command here.
async fn cancel(
    execution: &mut Execution<'_>,
    session: &mut Session<'_, '_>,
) -> Result<Option<Status>, Error> {
    let ended = execution.run(Signals::listen()?, &mut session.context()?).await?;
    match ended.why {
        Why::Left(_) => execute::tell(execution.task.plan, &ended, session).map(Some),
        Why::Over(_) => Ok(None),
    }
}

/// Everything that could return has; what stays was left out for good.
fn of_left(back: &WayBack) -> Status {
    match (back.in_flight.is_empty(), back.left.is_empty()) {
        (false, _) => Status::Partly,
        (true, false) => Status::NoPlan,
        (true, true) => Status::Done,
    }
}

/// The checked plan of the way back; `None` if nothing returns.
fn planned(snapshot: &Snapshot, back: &WayBack, headroom: Ratio) -> Result<Option<Plan>, Error> {
    if back.lists.is_empty() {
        return Ok(None);
    }
    // A way back restores the old state, also on cordoned brokers.
    let snapshot = &snapshot.taking_back();
    let request = request(snapshot, back, headroom);
    let plan = planning::plan(snapshot, &request)?;
    planning::refuse_if_broken(snapshot, &plan)?;
    Ok(Some(plan))
}

/// The old replica lists. Neither racks nor evenness are checked again.
fn request(snapshot: &Snapshot, back: &WayBack, headroom: Ratio) -> Request {
    let brokers: BTreeSet<BrokerId> =
        snapshot.brokers().iter().filter(|broker| broker.live).map(|broker| broker.id).collect();
    let topics = back.lists.keys().map(|of| of.topic.clone()).collect();
    let base = back.lists.iter().map(|(of, list)| BaseReplicas {
        topic: of.topic.clone(),
        partition: of.partition,
        replicas: list.iter().copied().map(Some).collect(),
    });
    let all =
        PlanTerms::new(vec![Assignment::new(TopicSelection::Named(topics), brokers)], headroom);
    let terms = PlanTerms { mends: Mends::Nothing, racks: RackRule::AtLeast(0), ..all };
    Request::Rebuild(Rebuild {
        // The lists must keep their order.
        sub_affinity: true,
        base: base.collect(),
        ..Rebuild::new(terms, PlaceBy::Count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::{PartitionId, TopicPartition};

    /// Lists that break the rack rule and lead otherwise than the cluster now: a rollback judges neither.
    #[test]
    fn the_old_lists_come_back_to_the_letter() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/three-racks.json");
        let snapshot = Snapshot::from_json(&std::fs::read(path).unwrap()).unwrap();
        let live: Vec<BrokerId> = snapshot.brokers().iter().map(|broker| broker.id).collect();
        let mut back = WayBack::default();
        for (index, topic) in snapshot.topics().iter().enumerate().take(6) {
            let partition = &topic.partitions[0];
            let factor = partition.replicas.len();
            let list = live.iter().rev().cycle().skip(index).take(factor).copied();
            let of = TopicPartition { topic: topic.name.clone(), partition: PartitionId(0) };
            back.lists.insert(of, list.collect());
        }
        let plan = planned(&snapshot, &back, Ratio::from_percent(10)).unwrap().unwrap();
        assert!(!plan.moves.is_empty());
        for change in &plan.moves {
            assert_eq!(Some(&change.to), back.lists.get(&change.of()), "{}", change.of());
        }
        let changes = |(of, list): &(&TopicPartition, &mapper::Replicas)| {
            snapshot.partition(&of.topic, of.partition).unwrap().replicas != **list
        };
        assert_eq!(plan.moves.len(), back.lists.iter().filter(changes).count());
    }
}
