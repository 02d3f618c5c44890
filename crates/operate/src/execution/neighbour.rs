//! Finds daemons of this cluster, and the values that they have set, as far as their ledgers can be read.
//!
//! In: marks and ledgers in the common place. Out: the values that daemons account for. If a ledger cannot be read,
//! any value outside our own ledger may be a daemon's. Such a value is left alone, and never recorded as an original
//! value.

use super::Store;
use super::claims::common;
use crate::cluster::ClaimBy;
use crate::error::Error;
use crate::events::{Note, RunContext};
use crate::marks::{Common, Kept, Left, Mark, MarkError, host};
use crate::throttles;
use execute::{Accounts, Ledger, LedgerEntry, Others};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;

/// The time limit for a search that the caller can do without.
const PATIENCE: Duration = Duration::from_secs(5);

/// A daemon found by its mark or its ledger.
#[derive(Debug)]
enum Neighbour {
    /// Its ledger is this file on this machine.
    Here(Mark, PathBuf),
    /// Its ledger is on another machine, or missing.
    Away(Mark),
    /// Its ledger is in the common place, and was read.
    Read(Kept),
}

/// The daemons found. A daemon with our own ledger does not count.
#[derive(Debug, Default)]
pub struct Neighbours(Vec<Neighbour>);

/// Daemons found by a read-only command, and why the list may be incomplete.
#[derive(Debug, Default)]
pub struct Shown {
    /// Daemons that left a mark or a ledger in the common place.
    pub daemons: Neighbours,
    /// Why daemons may be missing from the list; `None`: the common place was read.
    pub untold: Option<String>,
}

impl Neighbours {
    /// The daemons behind these marks and ledgers, as seen from this host. `ours` is the caller's own ledger, if any.
    fn of(left: Left, host: &str, ours: Option<&Path>) -> Self {
        let marked = left.mark.and_then(|mark| Neighbour::of(mark, host, ours));
        Self(marked.into_iter().chain(left.kept.map(Neighbour::Read)).collect())
    }

    /// Finds daemons that left a mark or a ledger in this place. Only reads.
    pub(super) async fn at(
        place: &Common,
        client: &kafka::Client,
        ours: Option<&Path>,
    ) -> Result<Self, MarkError> {
        Ok(Self::of(place.left(client).await?, &host(), ours))
    }

    /// The same, with a short time limit.
    pub(super) async fn soon_at(
        place: &Common,
        client: &kafka::Client,
        ours: Option<&Path>,
    ) -> Result<Self, MarkError> {
        let asked = timeout(PATIENCE, Self::at(place, client, ours));
        asked.await.unwrap_or_else(|_| Err(late()))
    }

    /// Finds daemons for a read-only command: if the place does not answer soon, the list is empty and says why.
    pub async fn shown(client: &kafka::Client, place: &Common, ours: Option<&Path>) -> Shown {
        match Self::soon_at(place, client, ours).await {
            Ok(daemons) => Shown { daemons, untold: None },
            Err(error) => Shown { daemons: Self::default(), untold: Some(error.to_string()) },
        }
    }

    /// The same, and reports them.
    pub async fn told(
        client: &kafka::Client,
        ours: Option<&Path>,
        context: &mut RunContext<'_>,
    ) -> Result<Self, Error> {
        let place = common(&ClaimBy::Default, &context.access)?;
        let Shown { daemons, untold } = Self::shown(client, &place, ours).await;
        if let Some(why) = untold {
            context.note(&unknown(&why))?;
        }
        daemons.notes().iter().try_for_each(|note| context.note(note))?;
        Ok(daemons)
    }

    /// A note for each daemon: its name, and how its values are treated.
    pub(super) fn notes(&self) -> Vec<Note> {
        self.0.iter().map(Neighbour::note).collect()
    }

    /// The daemons whose ledgers are out of reach.
    pub fn away(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter().filter_map(|one| match one {
            Neighbour::Away(mark) => Some(mark),
            Neighbour::Here(..) | Neighbour::Read(_) => None,
        })
    }

    /// These accounts together with those of the daemons.
    pub fn beside(&self, accounts: Accounts) -> Accounts {
        let (mut theirs, mut unread) = (Vec::new(), false);
        for one in &self.0 {
            match one {
                Neighbour::Away(_) => unread = true,
                Neighbour::Here(_, file) => match throttles::accounts(Some(file)) {
                    Ok(accounts) => theirs.push(accounts),
                    Err(_) => unread = true,
                },
                Neighbour::Read(kept) => theirs.push(kept.accounts()),
            }
        }
        let theirs = theirs.into_iter().reduce(Accounts::beside);
        let accounts = if unread { accounts.beside_unread() } else { accounts };
        theirs.into_iter().fold(accounts, Accounts::beside)
    }

    /// The values that the daemons account for. A ledger file is read now; other ledgers count as they were read.
    pub(crate) fn accounts_for(&self) -> Others {
        self.0.iter().map(Neighbour::accounts_for).fold(Others::Nobody, Others::or)
    }
}

impl Neighbour {
    fn of(mark: Mark, host: &str, ours: Option<&Path>) -> Option<Self> {
        let file = mark.file().to_owned();
        let is_ours = ours.and_then(|ours| fs::canonicalize(ours).ok()).is_some_and(|o| o == file);
        match (mark.is_of(host), is_ours) {
            (true, true) => None,
            (true, false) if file.exists() => Some(Self::Here(mark, file)),
            _ => Some(Self::Away(mark)),
        }
    }

    fn note(&self) -> Note {
        let left = "what it has set is left as it is";
        let (who, how) = match self {
            Self::Here(mark, _) => (mark.to_string(), left),
            Self::Read(kept) => (kept.owner(), left),
            Self::Away(mark) => (
                mark.to_string(),
                "that file is not read from here: every rate that stands and is not ours is left as it is",
            ),
        };
        Note::new(format!("rates are set here by {who}; {how}"))
    }

    fn accounts_for(&self) -> Others {
        match self {
            Self::Away(_) => Others::Unread,
            Self::Read(kept) => kept.others(),
            Self::Here(_, file) => match Store::<LedgerEntry>::read(file) {
                // If the file was removed or emptied since, the daemon's rates may still be set.
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

/// The note that the search for daemons failed, and why.
pub(super) fn unknown(why: &str) -> Note {
    Note::new(format!("whether autothrottle has rates of its own here is not known: {why}"))
}

fn late() -> MarkError {
    let why = format!("no answer in {} s", PATIENCE.as_secs());
    MarkError::Busy { place: "where daemons leave word of themselves".to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Key, rate_setting};
    use mapper::BrokerId;

    fn met(file: &Path, host: &str, ours: Option<&Path>) -> Neighbours {
        let text = |text: &str| text.to_owned();
        let name = text("autothrottle, process 7 of a");
        let mark = Some(Mark::now(name, text("a"), file.to_owned(), text("c")));
        Neighbours::of(Left { mark, kept: None }, host, ours)
    }

    fn held(file: &Path) {
        let (mut store, _) = Store::open(file).unwrap();
        let line = LedgerEntry::Held {
            setting: rate_setting(BrokerId(1), Key::LeaderRate),
            before: None,
            found: None,
            ours: ["7".into()].into(),
            met: [].into(),
            owner: "autothrottle".to_owned().into(),
        };
        store.append(&[line]).unwrap();
    }

    #[test]
    fn a_ledger_is_read_on_its_own_machine_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("state");
        let seen_from = |host: &str| met(&file, host, None);
        assert_eq!(seen_from("a").accounts_for(), Others::Unread, "it is not there");
        held(&file);
        assert!(matches!(seen_from("a").accounts_for(), Others::Known(all) if all.len() == 1));
        assert_eq!(seen_from("b").accounts_for(), Others::Unread);
        assert!(seen_from("b").notes()[0].text.contains("not read from here"));
        let nobody = Neighbours::of(Left::default(), "a", None);
        assert!(nobody.notes().is_empty() && nobody.accounts_for() == Others::Nobody);
        fs::write(&file, "").unwrap();
        assert_eq!(seen_from("a").accounts_for(), Others::Unread, "what it told is lost");
    }

    #[test]
    fn whoever_has_the_daemons_own_file_has_nobody_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("state");
        held(&file);
        let is_alone = |host: &str, ours: &Path| met(&file, host, Some(ours)).0.is_empty();
        assert!(is_alone("a", &file));
        assert!(!is_alone("a", &folder.path().join("other")) && !is_alone("b", &file));
    }
}
