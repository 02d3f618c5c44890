//! `--state-file`: a file of lines, on a disk that outlives the process. The system's lock on it is the place's. No other
//! process discovers such a daemon, so it works alone (`Beside`).

use super::Place;
use crate::error::Error;
use execute::{Ledger, LedgerEntry};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use operate::store::Store;
use std::path::{Path, PathBuf};

/// A file with more lines is rewritten with the lines that still count.
const LONG: usize = 10_000;
/// If the disk has no room for that, it is tried again after this many more lines.
const LATER: usize = 1_000;

/// A file. A second process is turned away, and never waits.
#[derive(Debug)]
pub(crate) struct FilePlace {
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    store: Store<LedgerEntry>,
    lines: usize,
    /// The file is rewritten beyond this many lines.
    most: usize,
}

impl FilePlace {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), open: None }
    }

    fn opened(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        // The system refuses its lock a second time to this process too, so release it first.
        self.open = None;
        let (store, entries) = Store::open(&self.path)?;
        self.open = Some(Open { store, lines: entries.len(), most: LONG });
        Ok(entries)
    }

    fn append(&mut self, new: &[LedgerEntry], all: &Ledger) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            return Err(Error::lost(&self.name(), "it was never taken"));
        };
        open.store.append(new)?;
        open.lines += new.len();
        open.shorten(all);
        Ok(())
    }
}

impl Open {
    /// Rewrites a file that has grown long. The lines are stored by now: that there is no room for a second file is
    /// no reason to call them lost.
    fn shorten(&mut self, all: &Ledger) {
        if self.lines <= self.most {
            return;
        }
        let rest = all.entries();
        // A ledger that is long itself is rewritten only when it has doubled.
        if rest.len() >= self.lines / 2 {
            return;
        }
        match self.store.replace(&rest) {
            Ok(()) => (self.lines, self.most) = (rest.len(), LONG),
            Err(error) => {
                self.most = self.lines + LATER;
                tracing::warn!(%error, "the ledger file could not be rewritten, and stays long");
            }
        }
    }
}

impl Place for FilePlace {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn take(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        ready(self.opened()).boxed()
    }

    fn keep<'a>(
        &'a mut self,
        new: &'a [LedgerEntry],
        all: &'a Ledger,
    ) -> BoxFuture<'a, Result<(), Error>> {
        ready(self.append(new, all)).boxed()
    }

    /// The system's lock ends with the process, and not before.
    fn hold(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        ready(Ok(())).boxed()
    }

    /// No other process writes to a locked file.
    fn news(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        ready(Ok(Vec::new())).boxed()
    }
}
