//! `execute --sweep`: carries out a plan that drains brokers, then moves what was placed on them meanwhile, until
//! they hold nothing more of the plan's topics. Each sweep has its own plan, which is checked like any other, and
//! carried out by the same engine.

use super::execute::{self, Args};
use super::follow_up::{FollowUpPlan, captured, is_over, ledger, on};
use crate::error::Error;
use crate::live::views::SweepView;
use crate::planning;
use crate::session::Session;
use mapper::{PlaceBy, Plan, PlanFile, Request, Snapshot, sweep, undrained};
use operate::Status;
use operate::events::Note;
use operate::execution::Opened;
use operate::files::OutFile;
use std::path::{Path, PathBuf};

/// What a sweep's files are called after.
const NAME: &str = "sweep";

/// The most sweeps of one run. Clients may create partitions faster than a sweep moves them.
const SWEEPS: usize = 3;

pub(super) fn run(args: &Args, session: &mut Session<'_, '_>) -> Result<Status, Error> {
    let meant = args.execution.files().plan()?;
    if meant.plan.request.emptied().is_empty() {
        let message = "the plan drains no broker, so there is nothing to sweep: leave out --sweep";
        return Err(Error::flags(message));
    }
    session.needs_consent(args.consent)?;
    let begun = FollowUpPlan::latest(&meant.journal, NAME)?.filter(|place| !place.is_over);
    let status = match begun.filter(|_| args.resume) {
        // A sweep begins only after the plan is over.
        Some(place) => {
            let ledger = ledger(args, session)?;
            execute::once(&on(args, &place.plan, &ledger, args.consent.yes), session)?
        }
        None => execute::once(args, session)?,
    };
    swept(args, &meant.journal, status, session)
}

/// Sweeps until nothing is left, or a sweep ends otherwise than asked.
fn swept(
    args: &Args,
    journal: &Path,
    status: Status,
    session: &mut Session<'_, '_>,
) -> Result<Status, Error> {
    for turn in 0..=SWEEPS {
        if !matches!(status, Status::Done | Status::Partly | Status::NoPlan) || !is_over(journal)? {
            return Ok(status);
        }
        let (place, ledger) = match prepare(args, session)? {
            // What the plan left out for good stays its outcome; what it found on the brokers is swept.
            PreparedSweep::Clean if status == Status::Partly => return Ok(Status::Done),
            PreparedSweep::Clean => return Ok(status),
            PreparedSweep::Immovable => return Ok(Status::Partly),
            PreparedSweep::Planned { place, ledger } => (place, ledger),
        };
        if args.consent.dry_run {
            return Ok(Status::Findings);
        }
        if turn == SWEEPS {
            break;
        }
        let swept = execute::once(&on(args, &place, &ledger, args.consent.yes), session)?;
        if swept != Status::Done {
            return Ok(swept);
        }
    }
    let text = format!("after {SWEEPS} sweeps there are new partitions again: --resume goes on");
    session.say(&Note::new(&text))?;
    Ok(Status::Partly)
}

enum PreparedSweep {
    /// The brokers hold nothing of the plan's topics.
    Clean,
    /// What they hold cannot be moved now.
    Immovable,
    /// The sweep's plan is written, unless this is a rehearsal.
    Planned { place: PathBuf, ledger: PathBuf },
}

/// Looks at what is left on the brokers, and plans to move it.
fn prepare(args: &Args, session: &mut Session<'_, '_>) -> Result<PreparedSweep, Error> {
    let (meant, talk) = (args.execution.files().plan()?, session.global.talk.clone());
    let journal = meant.journal.clone();
    talk.wait_for(async {
        let opened = Opened::of(&args.execution.files(), meant, &mut session.context()?).await?;
        let snapshot = captured(&opened, session).await?;
        let Some(plan) = planned(&opened.plan.request, &snapshot)? else {
            return Ok(PreparedSweep::Clean);
        };
        let last = FollowUpPlan::latest(&journal, NAME)?;
        let place = FollowUpPlan::next(&journal, NAME, last.as_ref()).plan;
        let left = undrained(&opened.plan.request, snapshot.topics());
        session.event(&SweepView::of(&left, &plan, &place))?;
        if plan.moves.is_empty() {
            return Ok(PreparedSweep::Immovable);
        }
        if !args.consent.dry_run {
            let file = PlanFile::of(plan);
            OutFile::at(&place)?.stage(|out| file.write_json(out))?.publish()?;
        }
        Ok(PreparedSweep::Planned { place, ledger: opened.places.ledger })
    })
}

/// The sweep's plan, checked: by storage where every fact is known, else by count; none where nothing is left.
fn planned(request: &Request, snapshot: &Snapshot) -> Result<Option<Plan>, Error> {
    let by = |placement| sweep(request, snapshot, placement);
    let (Some(by_storage), Some(by_count)) = (by(PlaceBy::Storage), by(PlaceBy::Count)) else {
        return Ok(None);
    };
    let plan = match mapper::plan(snapshot, &by_storage) {
        Err(mapper::NoPlan::MissingFact { .. }) => planning::plan(snapshot, &by_count),
        plan => plan.map_err(|why| planning::refused(snapshot, &by_storage, why)),
    }?;
    planning::refuse_if_broken(snapshot, &plan)?;
    Ok(Some(plan))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::snapshot::Partition;
    use mapper::{
        Assignment, Balance, BrokerId, PartitionId, PlanTerms, Ratio, Scale, TopicSelection,
    };
    use std::collections::BTreeSet;

    fn draining(id: BrokerId, snapshot: &Snapshot) -> Request {
        let brokers = snapshot.brokers().iter().map(|broker| broker.id).collect();
        let assignments = vec![Assignment::new(TopicSelection::Rest, brokers)];
        let terms = PlanTerms::new(assignments, Ratio::from_percent(10));
        Request::Scale(Scale {
            terms,
            balance: Balance { drain: BTreeSet::from([id]), ..Balance::default() },
        })
    }

    /// The size of the new partition is not known: it is placed by count, and nothing else moves.
    #[test]
    fn a_sweep_moves_what_came_and_nothing_else() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/three-racks.json");
        let before = Snapshot::from_json(&std::fs::read(path).unwrap()).unwrap();
        let id = before.brokers()[0].id;
        let request = draining(id, &before);
        let drained = before.after(&mapper::plan(&before, &request).unwrap());
        assert!(planned(&request, &drained).unwrap().is_none());
        let mut parts = drained.into_parts();
        let topic = &mut parts.topics[0];
        let new = PartitionId(u32::try_from(topic.partitions.len()).unwrap());
        let holders = topic.partitions[0].replicas.iter().copied();
        let replicas = std::iter::once(id).chain(holders.skip(1));
        topic.partitions.push(Partition::new(new, replicas));
        let now = Snapshot::new(parts).unwrap();
        let plan = planned(&request, &now).unwrap().unwrap();
        let moved: Vec<PartitionId> = plan.moves.iter().map(|change| change.partition).collect();
        assert_eq!(moved, [new]);
        assert_eq!(plan.moves[0].removed().collect::<Vec<_>>(), [id]);
        assert!(undrained(&request, now.after(&plan).topics()).is_empty());
    }
}
