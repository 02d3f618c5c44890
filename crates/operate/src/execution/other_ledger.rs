//! Reads the ledger of the other role: for an execution, what daemons have set in the cluster; for a daemon, what
//! executions have set. Such a value is left alone, and never recorded as an original value.

use crate::cluster::ClaimBy;
use crate::error::Error;
use crate::events::{Note, RunContext};
use crate::{ledger_records, stores};
use coordination::Store;
use execute::{Accounts, DAEMON, Ledger, LedgerEntry, LedgerHolder, Others};
use std::time::Duration;
use tokio::time::timeout;

/// The time limit for a read that the caller can do without.
const READ: Duration = Duration::from_secs(5);

/// The ledger of the other role, with at least one config.
#[derive(Debug)]
pub struct OtherLedger {
    store: String,
    lines: Vec<LedgerEntry>,
    ledger: Ledger,
}

/// The answer for a command that only shows it.
#[derive(Debug, Default)]
pub struct Shown {
    /// The ledger, if it lists a config.
    pub ledger: Option<OtherLedger>,
    /// Why it may be missing here; `None`: the store was read.
    pub untold: Option<String>,
}

impl OtherLedger {
    /// Reads the ledger in this store, whether or not its process runs; `None`: it lists no config. Only reads.
    ///
    /// # Errors
    /// The store does not answer, or a record is not understood.
    pub async fn read(client: &kafka::Client, store: &Store) -> Result<Option<Self>, Error> {
        if !stores::exists(client, store).await? {
            return Ok(None);
        }
        let lines = ledger_records::lines_in(store, &store.records().await?)?;
        Ok(Self::of(store.name(), lines))
    }

    fn of(store: String, lines: Vec<LedgerEntry>) -> Option<Self> {
        let ledger = Ledger::replay(lines.iter().cloned());
        let holds = !ledger.is_empty();
        holds.then_some(Self { store, lines, ledger })
    }

    /// The same, with a short time limit.
    pub(super) async fn soon(client: &kafka::Client, store: &Store) -> Result<Option<Self>, Error> {
        let why = || format!("no answer in {} s", READ.as_secs());
        let late = || coordination::Error::Silent { store: store.name(), why: why() };
        timeout(READ, Self::read(client, store)).await.unwrap_or_else(|_| Err(late().into()))
    }

    /// Reads it for a command that can do without.
    pub async fn shown(client: &kafka::Client, store: &Store) -> Shown {
        match Self::soon(client, store).await {
            Ok(ledger) => Shown { ledger, untold: None },
            Err(error) => Shown { ledger: None, untold: Some(error.to_string()) },
        }
    }

    /// The daemons' ledger, for a command without a claim. Notes say what was found, or why it may be missing.
    pub async fn of_daemons(
        client: &kafka::Client,
        context: &mut RunContext<'_>,
    ) -> Result<Shown, Error> {
        let store = stores::daemons(&ClaimBy::Default, &context.access)?;
        let shown = Self::shown(client, &store).await;
        let stays = || Some("until it can be read, nothing counts as a stray".to_owned());
        let unknown = shown.untold.iter().map(|why| Note { hint: stays(), ..unknown(why) });
        let found = shown.ledger.iter().map(Self::note);
        unknown.chain(found).try_for_each(|note| context.note(&note))?;
        Ok(shown)
    }

    /// The ledger's owner and store, in words.
    pub fn owner(&self) -> String {
        let name = match self.ledger.last_holder() {
            Some(LedgerHolder::Daemon(name)) => name.clone(),
            Some(LedgerHolder::Execution(name)) => format!("{DAEMON}, {name}"),
            None => DAEMON.to_owned(),
        };
        format!("{name}, with its ledger in {}", self.store)
    }

    /// The note that names the daemon and how its values are treated.
    pub(super) fn note(&self) -> Note {
        Note::new(format!(
            "rates are set here by {}; what it has set is left as it is",
            self.owner()
        ))
    }

    /// The configs that it lists.
    pub fn others(&self) -> Others {
        Others::of(&self.ledger)
    }

    /// The same, with the original values in its lines.
    pub fn accounts(&self) -> Accounts {
        Accounts::replay(self.lines.iter().cloned())
    }
}

impl Shown {
    /// These accounts, together with those of the other ledger. If that could not be read, no config is certainly a
    /// stray.
    #[must_use]
    pub fn beside(&self, accounts: Accounts) -> Accounts {
        match (&self.ledger, &self.untold) {
            (_, Some(_)) => accounts.beside_unread(),
            (Some(other), None) => accounts.beside(other.accounts()),
            (None, None) => accounts,
        }
    }
}

/// The note that the daemons' ledger could not be read, and why.
pub(super) fn unknown(why: &str) -> Note {
    Note::new(format!("whether autothrottle has rates of its own here is not known: {why}"))
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn beside_a_ledger_that_cannot_be_read_nothing_is_a_stray() {
        let shown = |lines: &[LedgerEntry], untold: Option<&str>| {
            let ledger = OtherLedger::of("p".to_owned(), lines.to_vec());
            Shown { ledger, untold: untold.map(str::to_owned) }.beside(Accounts::default())
        };
        let unread = Accounts::default().beside_unread();
        assert_eq!(shown(&[], Some("no answer")), unread);
        assert_eq!(shown(&[], None), Accounts::default());
        let beside = Accounts::default().beside(Accounts::replay([held()]));
        assert_eq!(shown(&[held()], None), beside);
        assert!(beside != Accounts::default() && beside != unread);
    }

    #[test]
    fn a_ledger_counts_for_as_long_as_it_lists_a_config() {
        let of = |lines: &[LedgerEntry]| OtherLedger::of("p".to_owned(), lines.to_vec());
        assert!(of(&[]).is_none());
        assert!(of(&[opened("a")]).is_none(), "it has put back all that was its");
        let ledger = of(&[held(), opened("autothrottle, process 7")]).unwrap();
        assert_eq!(ledger.owner(), "autothrottle, process 7, with its ledger in p");
        assert!(matches!(ledger.others(), Others::Known(all) if all.len() == 1));
        // A pod's name does not show which program runs in it.
        let of_a_pod = of(&[held(), opened("pod-1")]).unwrap();
        assert_eq!(of_a_pod.owner(), "autothrottle, pod-1, with its ledger in p");
    }
}
