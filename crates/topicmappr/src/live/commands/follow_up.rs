//! Plans that follow from the execution of another: its rollback, its sweep. Each has a file next to the journal.

use super::execute;
use crate::error::Error;
use crate::facts::with_storage;
use crate::session::Session;
use ::execute::{ExecutionHistory, ExecutionOutcome};
use coordination::{LinesFile, LinesKind};
use mapper::Snapshot;
use operate::execution::{Opened, journal_of};
use operate::live;
use std::path::{Path, PathBuf};

/// Where such a plan is kept.
pub(super) struct FollowUpPlan {
    pub(super) plan: PathBuf,
    number: u32,
    /// It was carried out as far as possible.
    pub(super) is_over: bool,
}

impl FollowUpPlan {
    fn at(journal: &Path, what: &str, number: u32) -> Self {
        let name = journal.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".journal").unwrap_or(&name);
        let stem = stem.strip_suffix(".gz").unwrap_or(stem);
        let stem = stem.strip_suffix(".json").unwrap_or(stem);
        let nth = if number > 1 { format!("-{number}") } else { String::new() };
        let plan = journal.with_file_name(format!("{stem}.{what}{nth}.json"));
        Self { plan, number, is_over: false }
    }

    /// The last plan that was begun, if there is one.
    pub(super) fn latest(journal: &Path, what: &str) -> Result<Option<Self>, Error> {
        let all = (1..).map(|number| Self::at(journal, what, number));
        let Some(mut last) = all.take_while(|place| place.plan.exists()).last() else {
            return Ok(None);
        };
        last.is_over = is_over(&last.journal())?;
        Ok(Some(last))
    }

    pub(super) fn next(journal: &Path, what: &str, last: Option<&Self>) -> Self {
        Self::at(journal, what, last.map_or(1, |last| last.number + 1))
    }

    pub(super) fn journal(&self) -> PathBuf {
        journal_of(&self.plan, None)
    }
}

/// Whether an execution has ended as far as possible.
pub(super) fn is_over(journal: &Path) -> Result<bool, Error> {
    let lines = LinesFile::read(journal, LinesKind::Journal).map_err(operate::Error::from)?;
    let history = ExecutionHistory::replay(lines);
    Ok(match history.finished {
        Some(
            ExecutionOutcome::Complete | ExecutionOutcome::LeftOut | ExecutionOutcome::Cancelled,
        ) => true,
        Some(
            ExecutionOutcome::Partly
            | ExecutionOutcome::CancelledPartly
            | ExecutionOutcome::HeldByOthers,
        )
        | None => false,
    })
}

/// The same flags for the plan that follows.
pub(super) fn on(args: &execute::Args, plan: &Path, ledger: &Path, agreed: bool) -> execute::Args {
    let mut on = args.clone();
    on.execution = args.execution.on(plan, ledger);
    on.consent.yes = agreed;
    on.sweep = false;
    on
}

/// The cluster as it is now, with the capacities that are given by hand.
pub(super) async fn captured(
    opened: &Opened,
    session: &Session<'_, '_>,
) -> Result<Snapshot, Error> {
    let captured = live::captured(&opened.client).await?;
    with_storage(captured.snapshot, &session.global.source)
}

/// The place of an execution's ledger.
pub(super) fn ledger(
    args: &execute::Args,
    session: &mut Session<'_, '_>,
) -> Result<PathBuf, Error> {
    let (meant, talk) = (args.execution.files().plan()?, session.global.talk.clone());
    talk.wait_for(async {
        let opened = Opened::of(&args.execution.files(), meant, &mut session.context()?).await?;
        Ok(opened.places.ledger)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::execute::JournalEntry;

    #[test]
    fn each_has_a_plan_of_its_own_beside_the_journal() {
        let at =
            |journal: &str, number| FollowUpPlan::at(Path::new(journal), "rollback", number).plan;
        assert_eq!(at("a/p.json.journal", 1), Path::new("a/p.rollback.json"));
        assert_eq!(at("a/p.json.gz.journal", 2), Path::new("a/p.rollback-2.json"));
        assert_eq!(at("j", 1), Path::new("j.rollback.json"));
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("p.json.journal");
        let latest = || FollowUpPlan::latest(&journal, "sweep").unwrap();
        assert!(latest().is_none());
        std::fs::write(FollowUpPlan::at(&journal, "sweep", 1).plan, "").unwrap();
        let begun = latest().unwrap();
        assert_eq!((begun.number, begun.is_over), (1, false), "it has no journal yet");
        let (mut store, _) =
            LinesFile::<JournalEntry>::open(&begun.journal(), LinesKind::Journal).unwrap();
        store.append(&[JournalEntry::Finished { outcome: ExecutionOutcome::Complete }]).unwrap();
        let over = latest().unwrap();
        assert!(over.is_over);
        assert_eq!(
            FollowUpPlan::next(&journal, "sweep", Some(&over)).plan,
            folder.path().join("p.sweep-2.json")
        );
    }
}
