//! `--state-file`: a file of lines, on a disk that outlives the process. The system's lock on it is the place's.

use super::Place;
use crate::error::Error;
use execute::{Ledger, LedgerEntry};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::path::{Path, PathBuf};
use topicmappr::shared::Store;

/// A file of so many lines is written anew with what still counts.
const LONG: usize = 10_000;

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
}

impl FilePlace {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), open: None }
    }

    fn opened(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        // The system's lock knows nobody twice.
        self.open = None;
        let (store, entries) = Store::open(&self.path)?;
        self.open = Some(Open { store, lines: entries.len() });
        Ok(entries)
    }

    fn append(&mut self, new: &[LedgerEntry], all: &Ledger) -> Result<(), Error> {
        let Some(Open { store, lines }) = &mut self.open else {
            return Err(Error::lost(&self.name(), "it was never taken"));
        };
        store.append(new)?;
        *lines += new.len();
        if *lines > LONG {
            let rest = all.entries();
            // A ledger that is long itself is written anew only when it has doubled.
            if rest.len() < *lines / 2 {
                store.replace(&rest)?;
                *lines = rest.len();
            }
        }
        Ok(())
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

    /// Nobody else writes to a file that is locked.
    fn news(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        ready(Ok(Vec::new())).boxed()
    }
}
