//! Journal and ledger beside the lock, so that another machine can go on without our files.
//!
//! The files come first, and are the truth on this machine. What is written besides is waited for before a config is set,
//! but not for long: a place that does not answer holds nothing up, and gets what it missed later.

use super::lock::{
    Lock, NotOurs, Owner, Records, Told, changes, line, put_line, put_owner, put_setting,
};
use super::{Execution, Store};
use crate::error::Error;
use crate::live;
use crate::session::Session;
use crate::source::Note;
use execute::{Entry, History, Ledger, LedgerEntry};
use statelog::Holder;
use std::path::Path;
use std::time::{Duration, Instant};

/// After a failure nothing is tried for so long: each try may hold a round up.
const QUIET: Duration = Duration::from_secs(20);

/// What is there, and what is to be there.
#[derive(Debug)]
pub(super) struct Mirror {
    there: Records,
    wanted: Records,
    /// Lines of the journal.
    lines: usize,
    quiet_until: Option<Instant>,
    /// A failure is told once.
    said: bool,
}

impl Mirror {
    /// Takes lines of the journal in.
    pub(super) fn written(&mut self, plan: &str, entries: &[Entry]) {
        for entry in entries {
            put_line(&mut self.wanted, self.lines, plan, entry);
            self.lines += 1;
        }
    }

    /// Takes lines of the ledger in, which `ledger` has by now.
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

    /// Writes what differs. A place that does not answer is an answer; a lock that is lost is not.
    async fn catch_up(&mut self, lock: &Lock) -> Result<(), Error> {
        let changes = changes(&self.there, &self.wanted);
        let is_quiet = self.quiet_until.is_some_and(|until| Instant::now() < until);
        if changes.is_empty() || is_quiet {
            return Ok(());
        }
        match lock.write(&changes).await {
            Ok(()) => {
                self.there.clone_from(&self.wanted);
                self.quiet_until = None;
                Ok(())
            }
            Err(NotOurs::ForNow(why)) => {
                if !self.said {
                    tracing::warn!(%why, "journal and ledger stand in the files of this machine alone; going on");
                }
                self.said = true;
                self.quiet_until = Some(Instant::now() + QUIET);
                Ok(())
            }
            Err(NotOurs::ForGood(error)) => Err(error),
        }
    }
}

impl Execution<'_> {
    /// Takes over what another machine has left beside the lock, into our own files first, and puts there what we have.
    ///
    /// Our files are the truth if they wrote there last. Else the other's is: it may have put back what our old lines still
    /// name. A config that our lines alone name stays in the ledger: whoever has not set it leaves it alone.
    pub(super) async fn take_over(
        &mut self,
        us: &Holder,
        journal: &Path,
        resumes: bool,
        session: &mut Session<'_, '_>,
    ) -> Result<(), Error> {
        let Some(books) = &self.books else { return Ok(()) };
        let Some(lock) = &books.lock else { return Ok(()) };
        let Some(there) = lock.records().await? else { return Ok(()) };
        let told = Told::by(&there, self.plan_id)?;
        let is_ours = |owner: &Owner| owner.place == us.place && !self.is_new;
        let other = told.owner.as_ref().filter(|owner| !is_ours(owner));
        if let Some(owner) = other {
            let adopted = adopted(&told.ledger, &self.ledger);
            let lines = if resumes { told.journal } else { Vec::new() };
            let text = format!(
                "taking over from {}: {} config(s) in its ledger, {} line(s) of its journal",
                owner.name,
                told.ledger.held().count(),
                lines.len()
            );
            self.adopt(adopted, lines)?;
            session.say(&Note::new(text))?;
        }
        let mirror = self.mirror_of(us, there, journal)?;
        if let Some(books) = self.books.as_mut() {
            books.mirror = Some(mirror);
        }
        self.mirror().await
    }

    /// Writes another machine's lines into our own files.
    fn adopt(&mut self, ledger: Vec<LedgerEntry>, journal: Vec<Entry>) -> Result<(), Error> {
        let Some(books) = self.books.as_mut() else { return Ok(()) };
        books.accounts.append(&ledger)?;
        ledger.into_iter().for_each(|entry| self.ledger.apply(entry));
        // What does not begin with the beginning tells less than nothing.
        if matches!(journal.first(), Some(Entry::Started { .. })) {
            books.journal.append(&journal)?;
            self.history = History::replay(journal);
            self.history.apply(Entry::Resumed { pace: self.terms.pace });
        }
        Ok(())
    }

    /// What is to be there from now on.
    fn mirror_of(&self, us: &Holder, there: Records, journal: &Path) -> Result<Mirror, Error> {
        let mut wanted = Records::new();
        let owner = Owner {
            name: us.name.clone(),
            place: us.place.clone(),
            plan: self.plan_id.to_owned(),
            cluster_id: self.cluster_id.to_owned(),
            since: live::now(),
        };
        put_owner(&mut wanted, &owner);
        for (setting, _) in self.ledger.held() {
            put_setting(&mut wanted, setting, &self.ledger);
        }
        let mut mirror = Mirror { there, wanted, lines: 0, quiet_until: None, said: false };
        mirror.written(self.plan_id, &Store::read(journal)?);
        Ok(mirror)
    }

    /// Puts beside the lock what the files have by now.
    pub(super) async fn mirror(&mut self) -> Result<(), Error> {
        let Some(books) = self.books.as_mut() else { return Ok(()) };
        match (&mut books.mirror, &books.lock) {
            (Some(mirror), Some(lock)) => mirror.catch_up(lock).await,
            _ => Ok(()),
        }
    }
}

/// The lines that make our ledger tell what another's tells, and what it alone tells, too.
fn adopted(theirs: &Ledger, ours: &Ledger) -> Vec<LedgerEntry> {
    let mut lines = Vec::new();
    for (setting, held) in theirs.held() {
        let mut held = held.clone();
        if let Some(own) = ours.get(setting) {
            // Our line may be older than what stood there before theirs.
            lines.push(LedgerEntry::Released { setting: setting.clone() });
            held.ours.extend(own.ours.iter().cloned());
        }
        lines.push(line(setting, &held));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Key, Setting, rate_setting};
    use mapper::BrokerId;

    fn held(broker: u32, before: &str, ours: &str) -> LedgerEntry {
        LedgerEntry::Held {
            setting: setting(broker),
            before: Some(before.to_owned()),
            found: None,
            ours: [ours.to_owned()].into(),
            plan: "p".to_owned(),
        }
    }

    fn setting(broker: u32) -> Setting {
        rate_setting(BrokerId(broker), Key::LeaderRate)
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
        assert_eq!(first.ours, ["10".to_owned(), "20".to_owned()].into());
        assert_eq!(ours.get(&setting(2)).unwrap().before.as_deref(), Some("8"));
        assert!(ours.get(&setting(3)).is_some(), "what we alone know of is not forgotten");
    }
}
