//! The daemon that keeps its ledger in a file of its own: what it has set in the cluster, as far as we can read it.
//!
//! In: its mark, where all find it. Out, in each round: what it accounts for. With its file out of reach, whatever stands
//! and is not in our own ledger may be its: it is left as it is, and never recorded as what stood there before.

use super::claims::common;
use super::{Execution, Places, Store};
use crate::error::Error;
use crate::flags::ClaimArgs;
use crate::marks::{Mark, MarkError, host};
use crate::session::Session;
use crate::source::Note;
use crate::throttles;
use execute::{Accounts, Ledger, LedgerEntry, Others};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// For so long what was learned counts as known.
const STILL: Duration = Duration::from_secs(60);
/// How long whoever can do without waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A daemon beside us, or none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Neighbour {
    /// None that anybody has told of; or one whose ledger is ours.
    #[default]
    Nobody,
    /// Its ledger is in this file of this machine.
    Here(Box<Mark>, PathBuf),
    /// Its ledger is elsewhere.
    Away(Box<Mark>),
}

impl Neighbour {
    /// Who left this mark, seen from this host, by whoever has `ours` for a ledger, if any.
    pub(crate) fn of(mark: Option<Mark>, host: &str, ours: Option<&Path>) -> Self {
        let Some(mark) = mark else { return Self::Nobody };
        let file = mark.file().to_owned();
        let is_ours = ours.and_then(|ours| fs::canonicalize(ours).ok()).is_some_and(|o| o == file);
        match (mark.is_of(host), is_ours) {
            (true, true) => Self::Nobody,
            (true, false) if file.exists() => Self::Here(Box::new(mark), file),
            _ => Self::Away(Box::new(mark)),
        }
    }

    /// The one that stands where all look for it. Takes and makes nothing; where nobody can tell, whoever only looks goes on
    /// without.
    pub(crate) async fn found(
        client: &kafka::Client,
        args: &ClaimArgs,
        (ours, only_looks): (Option<&Path>, bool),
        session: &mut Session<'_, '_>,
    ) -> Result<Self, Error> {
        let common = common(args, session)?;
        let asked = common.mark(client);
        let does_without = only_looks || args.sole_executor;
        let answer = match does_without {
            true => timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(late())),
            false => asked.await,
        };
        match answer {
            Ok(mark) => Ok(Self::of(mark, &host(), ours)),
            Err(error) if does_without || is_missing_right(&error) => {
                let text =
                    format!("whether autothrottle has rates of its own here is not known: {error}");
                session.say(&Note::new(text))?;
                Ok(Self::Nobody)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The same for whoever only looks, or has no place to name; and said.
    pub(crate) async fn shown(
        client: &kafka::Client,
        ours: Option<&Path>,
        session: &mut Session<'_, '_>,
    ) -> Result<Self, Error> {
        let met = Self::found(client, &ClaimArgs::unnamed(), (ours, true), session).await?;
        met.note().map_or(Ok(()), |note| session.say(&note))?;
        Ok(met)
    }

    /// Whose it is, and what comes of it; nothing where there is nobody.
    pub(crate) fn note(&self) -> Option<Note> {
        let (mark, how) = match self {
            Self::Nobody => return None,
            Self::Here(mark, _) => (mark, "what it has set is left as it is"),
            Self::Away(mark) => (
                mark,
                "that file is not read from here: every rate that stands and is not ours is left as it is",
            ),
        };
        Some(Note::new(format!("rates are set here by {mark}; {how}")))
    }

    /// Who left it, where its ledger is out of reach.
    pub(crate) fn away(&self) -> Option<&Mark> {
        match self {
            Self::Away(mark) => Some(mark),
            Self::Nobody | Self::Here(..) => None,
        }
    }

    /// What ledgers tell, its own included.
    pub(crate) fn beside(&self, accounts: Accounts) -> Accounts {
        match self {
            Self::Nobody => accounts,
            Self::Away(_) => accounts.beside_unread(),
            Self::Here(_, file) => match throttles::accounts(Some(file)) {
                Ok(theirs) => accounts.beside(theirs),
                Err(_) => accounts.beside_unread(),
            },
        }
    }

    /// What it accounts for now.
    pub(crate) fn accounts_for(&self) -> Others {
        match self {
            Self::Nobody => Others::Nobody,
            Self::Away(_) => Others::Unread,
            Self::Here(_, file) => match Store::<LedgerEntry>::read(file) {
                // Who has taken it away meanwhile has not put the rates back by that.
                Ok(lines) if lines.is_empty() => Others::Unread,
                Ok(lines) => Others::of(&Ledger::replay(lines)),
                Err(error) => {
                    tracing::debug!(%error, "the daemon's ledger is not read");
                    Others::Unread
                }
            },
        }
    }
}

impl Execution<'_> {
    /// Looks whether a daemon is beside us, and says so when that is new. Somebody may have thought for long about what was
    /// told then.
    pub(crate) async fn meet(
        &mut self,
        args: &ClaimArgs,
        places: &Places,
        session: &mut Session<'_, '_>,
    ) -> Result<(), Error> {
        if self.met.is_some_and(|met| met.elapsed() < STILL) {
            return Ok(());
        }
        self.met = Some(Instant::now());
        let terms = (Some(places.ledger.as_path()), self.books.is_none());
        let met = Neighbour::found(self.client, args, terms, session).await?;
        if met != self.neighbour {
            met.note().map_or(Ok(()), |note| session.say(&note))?;
            self.neighbour = met;
        }
        Ok(())
    }
}

fn late() -> MarkError {
    let why = format!("no answer in {} s", PATIENCE.as_secs());
    MarkError::Busy { place: "where daemons leave their marks".to_owned(), why }
}

/// A pod may well do without: its role was made before there were marks.
fn is_missing_right(error: &MarkError) -> bool {
    matches!(error, MarkError::Kubernetes(error) if matches!(**error, ::kubernetes::Error::Forbidden { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Key, rate_setting};
    use mapper::BrokerId;

    fn mark(file: &Path) -> Option<Mark> {
        let text = |text: &str| text.to_owned();
        Some(Mark::now(text("autothrottle, process 7 of a"), text("a"), file.to_owned(), text("c")))
    }

    fn held(file: &Path) {
        let (mut store, _) = Store::open(file).unwrap();
        let line = LedgerEntry::Held {
            setting: rate_setting(BrokerId(1), Key::LeaderRate),
            before: None,
            found: None,
            ours: ["7".to_owned()].into(),
            plan: "autothrottle".to_owned(),
        };
        store.append(&[line]).unwrap();
    }

    #[test]
    fn a_ledger_is_read_on_its_own_machine_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("state");
        let met = |host: &str| Neighbour::of(mark(&file), host, None);
        assert_eq!(met("a").accounts_for(), Others::Unread, "it is not there");
        held(&file);
        assert!(matches!(met("a").accounts_for(), Others::Known(all) if all.len() == 1));
        assert_eq!(met("b").accounts_for(), Others::Unread);
        assert!(met("b").note().unwrap().text.contains("not read from here"));
        assert_eq!(Neighbour::of(None, "a", None), Neighbour::Nobody);
        fs::write(&file, "").unwrap();
        assert_eq!(met("a").accounts_for(), Others::Unread, "what it told is lost");
    }

    #[test]
    fn whoever_has_the_daemons_own_file_has_nobody_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("state");
        held(&file);
        assert_eq!(Neighbour::of(mark(&file), "a", Some(&file)), Neighbour::Nobody);
        let other = folder.path().join("other");
        assert_ne!(Neighbour::of(mark(&file), "a", Some(&other)), Neighbour::Nobody);
        assert_ne!(Neighbour::of(mark(&file), "b", Some(&file)), Neighbour::Nobody);
    }
}
