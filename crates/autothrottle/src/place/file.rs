//! `--state-file`: a file of lines, on a disk that outlives the process. The system's lock on it is the place's; a mark
//! where others look says that it is there.

use super::{Marker, Place};
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
    /// None: there is nobody else to be told, says the operator.
    marker: Option<Marker>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    store: Store<LedgerEntry>,
    lines: usize,
    /// Something in the cluster is ours.
    holds: bool,
}

impl FilePlace {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), marker: None, open: None }
    }

    /// The same, with a mark where others look.
    pub(crate) fn marked(path: &Path, marker: Marker) -> Self {
        Self { marker: Some(marker), ..Self::at(path) }
    }

    /// The file first: whoever has that one is told from whoever has another.
    async fn taken(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        let entries = self.opened()?;
        if let Some(marker) = &mut self.marker {
            let before = Ledger::replay(entries.iter().cloned());
            let marked = marker.leave(&self.path, before.last_owner()).await;
            if marked.is_err() {
                self.open = None;
            }
            marked?;
        }
        Ok(entries)
    }

    /// What stays set is ours, and the mark says so.
    async fn left(&mut self) {
        let holds = self.open.as_ref().is_none_or(|open| open.holds);
        match &mut self.marker {
            Some(marker) if !holds => marker.remove().await,
            Some(_) | None => {}
        }
    }

    fn opened(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        // The system's lock knows nobody twice.
        self.open = None;
        let (store, entries) = Store::open(&self.path)?;
        let holds = !Ledger::replay(entries.iter().cloned()).is_empty();
        self.open = Some(Open { store, lines: entries.len(), holds });
        Ok(entries)
    }

    fn append(&mut self, new: &[LedgerEntry], all: &Ledger) -> Result<(), Error> {
        let Some(Open { store, lines, holds }) = &mut self.open else {
            return Err(Error::lost(&self.name(), "it was never taken"));
        };
        // Also where the disk fails midway: a line may be there.
        *holds |= !all.is_empty();
        store.append(new)?;
        *holds = !all.is_empty();
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
        self.taken().boxed()
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

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        self.left().boxed()
    }
}
