//! What daemons left in the common place: the mark of a daemon whose ledger is elsewhere, and the ledger of a daemon
//! that keeps it there.

use super::line::{Unread, read_all};
use super::{Mark, MarkError};
use execute::{Accounts, DAEMON, Ledger, LedgerEntry, LedgerHolder, Others};
use std::collections::BTreeMap;

/// A mark and a ledger, if they exist.
#[derive(Debug, Default)]
pub struct Left {
    /// The mark.
    pub mark: Option<Mark>,
    /// The ledger, if it lists any config.
    pub kept: Option<Kept>,
}

/// A ledger in the common place, as it was read.
#[derive(Debug)]
pub struct Kept {
    place: String,
    lines: Vec<LedgerEntry>,
    ledger: Ledger,
}

impl Kept {
    /// A ledger of these lines in this place; `None` if it lists no config.
    pub(super) fn of(place: impl Into<String>, lines: Vec<LedgerEntry>) -> Option<Self> {
        let ledger = Ledger::replay(lines.iter().cloned());
        let (place, holds) = (place.into(), ledger.held().next().is_some());
        holds.then_some(Self { place, lines, ledger })
    }

    /// The same from records with one line each.
    pub(super) fn read(
        place: String,
        records: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Option<Self>, MarkError> {
        match read_all(records) {
            Ok(lines) => Ok(Self::of(place, lines)),
            Err((name, unread)) => Err(not_understood(format!("{place}, {name}"), &unread)),
        }
    }

    /// The ledger's owner and place, in words.
    pub fn owner(&self) -> String {
        let name = match self.ledger.last_holder() {
            Some(LedgerHolder::Daemon(name)) => name.clone(),
            Some(LedgerHolder::Execution(name)) => format!("{DAEMON}, {name}"),
            None => DAEMON.to_owned(),
        };
        format!("{name}, with its ledger in {}", self.place)
    }

    /// The configs that the daemon has set, for a ledger that must not record them as an operator's.
    pub fn others(&self) -> Others {
        Others::of(&self.ledger)
    }

    /// The configs that the daemon has set, with the original values in its lines.
    pub fn accounts(&self) -> Accounts {
        Accounts::replay(self.lines.iter().cloned())
    }
}

fn not_understood(place: String, unread: &Unread) -> MarkError {
    MarkError::Ledger { place, problem: unread.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::line::written;
    use super::*;
    use execute::{Key, rate_setting};
    use mapper::BrokerId;

    fn opened(by: &str) -> LedgerEntry {
        LedgerEntry::Opened { by: by.to_owned().into() }
    }

    fn held() -> LedgerEntry {
        LedgerEntry::Held {
            setting: rate_setting(BrokerId(1), Key::LeaderRate),
            before: None,
            found: None,
            ours: ["7".into()].into(),
            met: [].into(),
            owner: execute::Owner::Daemon,
        }
    }

    fn read(lines: &[(&str, LedgerEntry)]) -> Option<Kept> {
        let record = |(name, line): &(&str, LedgerEntry)| ((*name).to_owned(), written(line));
        Kept::read("p".to_owned(), &lines.iter().map(record).collect()).unwrap()
    }

    #[test]
    fn a_ledger_counts_for_as_long_as_it_holds_something() {
        assert!(read(&[]).is_none());
        assert!(read(&[("owner", opened("a"))]).is_none(), "it has put back all that was its");
        let kept = read(&[("ledger:x", held()), ("owner", opened("autothrottle, process 7"))]);
        let kept = kept.unwrap();
        assert_eq!(kept.owner(), "autothrottle, process 7, with its ledger in p");
        assert!(matches!(kept.others(), Others::Known(all) if all.len() == 1));
        // A pod's name does not show which program runs in it.
        let of_a_pod = read(&[("ledger:x", held()), ("owner", opened("pod-1"))]).unwrap();
        assert_eq!(of_a_pod.owner(), "autothrottle, pod-1, with its ledger in p");
    }

    #[test]
    fn a_record_that_is_not_understood_is_named() {
        let records = [("ledger:x".to_owned(), b"{\"version\":2}".to_vec())].into();
        let error = Kept::read("p".to_owned(), &records).unwrap_err();
        let told = "the daemon's ledger in p, ledger:x is not understood: it has version 2, this program reads version 1";
        assert_eq!(error.to_string(), told);
    }
}
