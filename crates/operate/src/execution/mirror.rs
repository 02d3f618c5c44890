//! Copies journal and ledger to the records next to the lock, so that another machine can resume without our files.
//!
//! The files are written first, and are authoritative on this machine. The records are written before a config is
//! set, but never delay it for long. A store that does not answer gets the missed records later.

use super::Execution;
use super::journal_records::{next_gist, put_gist, put_line};
use super::records::{Owner, Told, came_between, owner_in, put_owner};
use crate::error::Error;
use crate::events::{Note, RunContext};
use crate::ledger_records::put_setting;
use coordination::{Holder, Lead, LinesFile, LinesKind, Records};
use execute::{ExecutionHistory, JournalEntry, Ledger, LedgerEntry};
use mapper::counted;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// The time limit for a write of records; after it, the run goes on without them.
const WRITE: Duration = Duration::from_secs(10);
/// The pause after a failed write: each attempt can delay a round.
const QUIET: Duration = Duration::from_secs(20);
/// The most lines since the last gist, or bytes of them, before a new gist replaces them.
const LINES: usize = 500;
const BYTES: usize = 200_000;

/// The records that should be in the store.
#[derive(Debug)]
pub(super) struct Mirror {
    wanted: Records,
    /// The owner's record in the store, as this process has read or written it last.
    owner_there: Option<String>,
    plan: String,
    cluster_id: String,
    /// The number of the next journal line.
    next: usize,
    /// Lines since the last gist, and their size in bytes.
    lines: usize,
    bytes: usize,
    /// The history that all lines add up to.
    history: ExecutionHistory,
    quiet_until: Option<Instant>,
    /// A failure was logged already.
    said: bool,
}

impl Mirror {
    /// Those for these lines of the owner's journal, where earlier processes have left `there`.
    fn of(there: &Records, wanted: Records, owner: &Owner, journal: &[JournalEntry]) -> Self {
        let next = next_gist(there);
        let owner_there = owner_in(there).cloned();
        let (plan, cluster_id) = (owner.plan.clone(), owner.cluster_id.clone());
        let (quiet_until, history) = (None, ExecutionHistory::default());
        let (lines, bytes, said) = (0, 0, false);
        let mut mirror = Self {
            wanted,
            owner_there,
            plan,
            cluster_id,
            next: next.unwrap_or(0),
            lines,
            bytes,
            history,
            quiet_until,
            said,
        };
        mirror.written(journal);
        if next.is_some() {
            mirror.summed_up();
        }
        mirror
    }

    /// Adds journal lines.
    pub(super) fn written(&mut self, entries: &[JournalEntry]) {
        for entry in entries {
            self.bytes += put_line(&mut self.wanted, self.next, &self.plan, entry);
            self.lines += 1;
            self.next += 1;
            self.history.apply(entry.clone());
        }
        if self.lines >= LINES || self.bytes >= BYTES {
            self.summed_up();
        }
    }

    /// Replaces all lines by their gist.
    fn summed_up(&mut self) {
        let gist = self.history.gist(&self.cluster_id);
        put_gist(&mut self.wanted, self.next, &self.plan, gist);
        (self.lines, self.bytes) = (0, 0);
        self.next += 1;
    }

    /// Adds ledger lines, which `ledger` contains already.
    pub(super) fn accounted(&mut self, entries: &[LedgerEntry], ledger: &Ledger) {
        for entry in entries {
            match entry {
                LedgerEntry::Held { setting, .. } | LedgerEntry::Released { setting } => {
                    put_setting(&mut self.wanted, setting, ledger);
                }
                LedgerEntry::Opened { .. }
                | LedgerEntry::Asked { .. }
                | LedgerEntry::Withdrawn { .. } => {}
            }
        }
    }

    /// Writes the differences. A store that does not answer is no error; a lost lock is.
    async fn catch_up(&mut self, lock: &mut Lead) -> Result<(), Error> {
        if self.quiet_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let why = match timeout(WRITE, lock.write(&self.wanted)).await {
            Ok(Ok(())) => {
                self.owner_there = owner_in(&self.wanted).cloned();
                self.quiet_until = None;
                return Ok(());
            }
            Ok(Err(error)) if error.is_for_good() => return Err(error.into()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", WRITE.as_secs()),
        };
        if !self.said {
            tracing::warn!(%why, "journal and ledger are only in the files of this machine for now; going on");
        }
        (self.said, self.quiet_until) = (true, Some(Instant::now() + QUIET));
        Ok(())
    }

    /// Accepts the records in the store after the lock was taken again.
    ///
    /// # Errors
    /// Another process held the lock since our last write.
    pub(super) fn is_as_left(&mut self, now: &Records) -> Result<(), Error> {
        let known = [self.owner_there.as_ref(), owner_in(&self.wanted)];
        if let Some(by) = came_between(now, known)? {
            let lock = format!("the lock of cluster {}", self.cluster_id);
            return Err(Error::LockLost { lock, why: format!("{by} had it meanwhile") });
        }
        self.owner_there = owner_in(now).cloned();
        (self.quiet_until, self.said) = (None, false);
        Ok(())
    }
}

/// The records next to the cluster's lock for these lines of a journal and a ledger.
pub fn beside_the_lock(
    plan: &str,
    cluster_id: &str,
    journal: &[JournalEntry],
    ledger: &[LedgerEntry],
) -> Records {
    let us = format!("process {}", std::process::id());
    let owner = Owner::now(&Holder::new(us, ""), plan, cluster_id);
    let ledger = Ledger::replay(ledger.to_vec());
    Mirror::of(&Records::new(), owned(&owner, &ledger), &owner, journal).wanted
}

/// The records of the owner and of the configs in the ledger.
fn owned(owner: &Owner, ledger: &Ledger) -> Records {
    let mut records = Records::new();
    put_owner(&mut records, owner);
    ledger.held().for_each(|(setting, _)| put_setting(&mut records, setting, ledger));
    records
}

impl Execution<'_> {
    /// Takes over the records that another machine left next to the lock: first into our own files. Then writes our
    /// records.
    ///
    /// Our files are authoritative if this machine wrote the records last. Otherwise the records are: the other
    /// machine may have restored values that our old lines still list. A config that only our lines list stays in the
    /// ledger. It is harmless: a value that we did not set is left alone.
    pub(super) async fn take_over(
        &mut self,
        us: &Holder,
        journal: &Path,
        resumes: bool,
        context: &mut RunContext<'_>,
    ) -> Result<(), Error> {
        let Some(books) = self.books.as_mut() else { return Ok(()) };
        let Some(lock) = books.lock.as_mut() else { return Ok(()) };
        let there = lock.read().await?.clone();
        let told = Told::by(&there, self.task.plan_id)?;
        let is_ours = |owner: &Owner| owner.place == us.place && !self.is_new;
        let other = told.owner.as_ref().filter(|owner| !is_ours(owner));
        if let Some(owner) = other {
            let adopted = adopted(&told.ledger, &self.ledger);
            let lines = if resumes { told.journal } else { Vec::new() };
            let text = format!(
                "taking over from {}: {} in its ledger, {} of its journal",
                owner.name,
                counted(told.ledger.held().count(), "config"),
                counted(lines.len(), "line")
            );
            self.adopt(adopted, lines)?;
            context.note(&Note::new(text))?;
        }
        let mirror = self.mirror_of(us, &there, journal)?;
        if let Some(books) = self.books.as_mut() {
            books.mirror = Some(mirror);
        }
        self.mirror().await
    }

    /// Writes another machine's lines to our own files.
    fn adopt(&mut self, ledger: Vec<LedgerEntry>, journal: Vec<JournalEntry>) -> Result<(), Error> {
        let Some(books) = self.books.as_mut() else { return Ok(()) };
        books.accounts.append(&ledger)?;
        ledger.into_iter().for_each(|entry| self.ledger.apply(entry));
        // A journal without its first line would be misleading, so it is skipped.
        if matches!(journal.first(), Some(JournalEntry::Started { .. })) {
            books.journal.append(&journal)?;
            self.history = ExecutionHistory::replay(journal);
            self.history.apply(JournalEntry::Resumed { pace: self.task.terms.pace });
        }
        Ok(())
    }

    /// The mirror of our files from now on.
    fn mirror_of(&self, us: &Holder, there: &Records, journal: &Path) -> Result<Mirror, Error> {
        let owner = Owner::now(us, self.task.plan_id, self.task.cluster_id);
        let wanted = owned(&owner, &self.ledger);
        Ok(Mirror::of(there, wanted, &owner, &LinesFile::read(journal, LinesKind::Journal)?))
    }

    /// Writes the current content of the files to the records next to the lock.
    pub(super) async fn mirror(&mut self) -> Result<(), Error> {
        let Some(books) = self.books.as_mut() else { return Ok(()) };
        match (&mut books.mirror, &mut books.lock) {
            (Some(_), Some(_)) if books.away.has_ended => {
                tracing::debug!("written into the files of this machine alone");
                Ok(())
            }
            (Some(mirror), Some(lock)) => mirror.catch_up(lock).await,
            _ => Ok(()),
        }
    }
}

/// The lines that add to our ledger everything that another ledger has.
#[must_use]
pub fn adopted(theirs: &Ledger, ours: &Ledger) -> Vec<LedgerEntry> {
    let mut lines = Vec::new();
    for (setting, held) in theirs.held() {
        let mut held = held.clone();
        if let Some(own) = ours.get(setting) {
            // Our line may be older than the original value in theirs.
            lines.push(LedgerEntry::Released { setting: setting.clone() });
            held.ours.extend(own.ours.iter().cloned());
        }
        lines.push(held.line(setting));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Key, Pace, Setting, rate_setting};
    use mapper::BrokerId;

    fn held(broker: u32, before: &str, ours: &str) -> LedgerEntry {
        LedgerEntry::Held {
            setting: setting(broker),
            before: Some(before.to_owned()),
            found: None,
            ours: [ours.into()].into(),
            met: [].into(),
            owner: "p".to_owned().into(),
        }
    }

    fn setting(broker: u32) -> Setting {
        rate_setting(BrokerId(broker), Key::LeaderRate)
    }

    #[test]
    fn a_long_journal_keeps_its_place_small_and_tells_who_goes_on_all_it_needs() {
        let owner = Owner::now(&Holder::new("a", "b"), "p", "c");
        let (plan, cluster_id, ill) = ("p".to_owned(), "c".to_owned(), [].into());
        let started = JournalEntry::Started { plan, cluster_id, pace: Pace::Unthrottled, ill };
        let mut whole = ExecutionHistory::replay([started.clone()]);
        let mut mirror = Mirror::of(&Records::new(), Records::new(), &owner, &[started]);
        for index in 0..2_000 {
            let moves = || vec![index];
            let entries = [
                JournalEntry::Submitted { moves: moves() },
                JournalEntry::Cancelled { moves: moves() },
                JournalEntry::Submitted { moves: moves() },
                JournalEntry::Completed { moves: moves() },
            ];
            mirror.written(&entries);
            entries.into_iter().for_each(|entry| whole.apply(entry));
            assert!(mirror.wanted.len() <= LINES + 4, "{}", mirror.wanted.len());
        }
        let told =
            |records: &Records| ExecutionHistory::replay(Told::by(records, "p").unwrap().journal);
        assert_eq!(told(&mirror.wanted), whole);

        // Another process resumes, and is killed before it has removed the old records.
        let adopted = whole.gist("c");
        let next = Mirror::of(&mirror.wanted, Records::new(), &owner, &adopted);
        assert_eq!(told(&next.wanted), whole);
        let mut both = mirror.wanted.clone();
        both.extend(next.wanted.clone());
        assert_eq!(told(&both), whole);
        // A process that starts over has no lines of the old journal.
        let anew = Mirror::of(&mirror.wanted, Records::new(), &owner, &[]);
        assert_eq!(told(&anew.wanted), ExecutionHistory::default());
    }

    #[test]
    fn a_lock_that_somebody_else_had_meanwhile_is_told_from_one_that_nobody_had() {
        let owner = |name: &str| {
            let mut records = Records::new();
            put_owner(&mut records, &Owner::now(&Holder::new(name, "x"), "p", "c"));
            records
        };
        let of = |there: &Records| {
            let ours = Owner::now(&Holder::new("ours", "x"), "p", "c");
            Mirror::of(there, owned(&ours, &Ledger::default()), &ours, &[])
        };
        let mut written = of(&owner("ours"));
        written.wanted = owner("ours");
        written.is_as_left(&owner("ours")).unwrap();
        for (now, by) in [(owner("another"), "another"), (Records::new(), "another process")] {
            let error = written.is_as_left(&now).unwrap_err();
            assert!(error.to_string().contains(by), "{error}");
            assert_eq!(error.status(), crate::status::Status::Held);
        }
        // Our owner record was never written: the earlier owner is still there.
        of(&owner("before")).is_as_left(&owner("before")).unwrap();
        of(&Records::new()).is_as_left(&Records::new()).unwrap();
        of(&owner("before")).is_as_left(&owner("another")).unwrap_err();
    }

    #[test]
    fn what_another_machine_found_before_is_the_original() {
        let theirs = Ledger::replay([held(1, "7", "20"), held(2, "8", "20")]);
        let mut ours = Ledger::replay([held(1, "20", "10"), held(3, "9", "10")]);
        for line in adopted(&theirs, &ours) {
            ours.apply(line);
        }
        let first = ours.get(&setting(1)).unwrap();
        assert_eq!(first.before.as_deref(), Some("7"));
        assert_eq!(first.ours, ["10".into(), "20".into()].into());
        assert_eq!(ours.get(&setting(2)).unwrap().before.as_deref(), Some("8"));
        assert!(ours.get(&setting(3)).is_some(), "what we alone know of is not forgotten");
    }
}
