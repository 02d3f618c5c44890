//! Reads the records next to the lock, so that a machine without the journal can show an execution of another
//! machine.
//!
//! This module only reads.

use super::claims::seen;
use super::mirror::adopted;
use super::records::{Owner, Told};
use super::{Execution, Places};
use crate::cluster::ClaimBy;
use crate::error::Error;
use crate::events::{Note, RunContext};
use coordination::Seen;
use coordination::is_locked;
use execute::{ExecutionHistory, Ledger, LedgerEntry};

/// The state of an execution, as another machine recorded it.
#[derive(Debug)]
pub struct Beside {
    /// The history of this plan; empty if the records have none.
    pub history: ExecutionHistory,
    /// The configs that executions have set, with their original values.
    pub ledger: Ledger,
    /// A process holds the lock for this plan.
    pub runs: bool,
}

impl Beside {
    /// Reads the records, and notes what was found where. `None` if this machine has the journal or runs the
    /// execution.
    pub async fn of(
        client: &kafka::Client,
        cluster_id: &str,
        plan_id: &str,
        (claim, places): (&ClaimBy, &Places),
        context: &mut RunContext<'_>,
    ) -> Result<Option<Self>, Error> {
        let (journal, ledger) = places.files();
        let has_begun = journal.metadata().is_ok_and(|file| file.len() > 0);
        if has_begun || is_locked(ledger) {
            return Ok(None);
        }
        let seen = match seen(client, cluster_id, claim, context).await {
            Err(error) if !matches!(claim, ClaimBy::Lease(_)) => {
                let text = format!("what stands beside the cluster's lock is not known: {error}");
                context.note(&Note::new(text))?;
                return Ok(None);
            }
            seen => seen?,
        };
        let Some(seen) = seen else { return Ok(None) };
        let told = Told::by(&seen.records, plan_id)?;
        let Some(owner) = &told.owner else {
            let held = seen.holder.iter();
            let texts =
                held.map(|by| format!("{} is held by {by}, who has written nothing", seen.lock));
            texts.map(Note::new).try_for_each(|note| context.note(&note))?;
            return Ok(None);
        };
        context.note(&Note::new(words(&seen, owner, plan_id)))?;
        let runs = seen.holder.is_some() && owner.plan == plan_id;
        let mut ledger = told.ledger;
        let by = format!("{} since {} ({})", owner.name, owner.since, seen.lock);
        ledger.apply(LedgerEntry::Opened { by: by.into() });
        Ok(Some(Self { history: ExecutionHistory::replay(told.journal), ledger, runs }))
    }
}

impl Execution<'_> {
    /// Loads what an execution on this machine would take over, without taking it.
    pub(super) async fn look_beside(
        &mut self,
        claim: &ClaimBy,
        places: &Places,
        context: &mut RunContext<'_>,
    ) -> Result<(), Error> {
        let (client, plan) = (self.client, self.task.plan_id);
        let found =
            Beside::of(client, self.task.cluster_id, plan, (claim, places), context).await?;
        if let Some(Beside { history, ledger, .. }) = found {
            for line in adopted(&ledger, &self.ledger) {
                self.ledger.apply(line);
            }
            self.history = history;
            self.taken_up();
        }
        Ok(())
    }
}

/// Names the lock's holder, since when it holds the lock, and what was read next to the lock.
fn words(seen: &Seen, owner: &Owner, plan_id: &str) -> String {
    let Seen { lock: place, holder, .. } = seen;
    let Owner { name, since, plan, .. } = owner;
    let holds = match holder {
        Some(holder) if holder.starts_with(name.as_str()) => {
            format!("{place} is held by {name} since {since}")
        }
        Some(holder) => format!("{place} is held by {holder}, and was by {name} since {since}"),
        None => format!("{place} is held by nobody; {name} had it from {since}"),
    };
    match plan == plan_id {
        true => format!("{holds}; journal and ledger are read from beside it"),
        false => format!("{holds}, for another plan, {plan}; the ledger is read from beside it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coordination::Records;

    #[test]
    fn who_holds_the_lock_is_told_from_who_had_it() {
        let text = |text: &str| text.to_owned();
        let owner = Owner {
            name: text("process 7 of a"),
            place: text("l"),
            plan: text("p"),
            cluster_id: text("c"),
            since: text("2026-11-21T07:00:00Z"),
        };
        let told = |holder: Option<&str>, plan: &str| {
            let (lock, holder) = (text("lease k/l"), holder.map(text));
            words(&Seen { lock, holder, records: Records::new() }, &owner, plan)
        };
        assert_eq!(
            told(Some("process 7 of a, 00ff"), "p"),
            "lease k/l is held by process 7 of a since 2026-11-21T07:00:00Z; journal and ledger are read from beside it"
        );
        assert!(
            told(Some("process 8 of b"), "p").contains("by process 8 of b, and was by process 7")
        );
        assert!(told(None, "p").contains("by nobody; process 7 of a had it from 2026"));
        assert!(
            told(None, "q").ends_with("for another plan, p; the ledger is read from beside it")
        );
    }
}
