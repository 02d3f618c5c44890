//! Where the ledger and the overrides live, and who may write there.
//!
//! One process at a time has a place, and that process alone acts on the cluster. A place that was lost is said to be lost
//! ([`Error::Lost`]) by whatever is asked of it next: nothing is written to the cluster then, until it is taken again.

mod events;
mod file;
mod overrides;
mod store;

pub(crate) use file::FilePlace;
pub(crate) use store::{Cluster, StorePlace};

use crate::error::Error;
use crate::leader::Leader;
use execute::{Ledger, LedgerEntry};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::fmt;
use tokio::time::Instant;

/// This process, for people: the first word says that it is a daemon.
pub(crate) fn this_process() -> String {
    format!("autothrottle, process {} of {}", std::process::id(), crate::host())
}

/// A place for one cluster's ledger and overrides.
///
/// Calls may be dropped halfway: what they were to write then counts as not written, and is looked for when the place is
/// taken again.
pub(crate) trait Place: fmt::Debug + Send {
    /// As operators know it.
    fn name(&self) -> String;

    /// This process, as others that wait for the place know it.
    fn us(&self) -> String {
        this_process()
    }

    /// Where it tells who leads while it waits.
    fn leader(&self) -> Leader {
        Leader::default()
    }

    /// Waits until this process alone has it, if it is to wait at all, and tells what is written there.
    ///
    /// # Errors One of [`Status::Held`](topicmappr::Status::Held) if another process has it and the caller does not
    /// wait; any error of reading.
    fn take(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>>;

    /// Writes lines down: they outlive this process when it returns. `all` is the ledger with these lines in it.
    ///
    /// # Errors
    /// [`Error::Lost`]; whatever writing meets. The lines then count as not written.
    fn keep<'a>(
        &'a mut self,
        new: &'a [LedgerEntry],
        all: &'a Ledger,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Makes sure that this process alone still has it: asked before each write to the cluster.
    ///
    /// # Errors
    /// [`Error::Lost`]; whatever asking meets.
    fn hold(&mut self) -> BoxFuture<'_, Result<(), Error>>;

    /// Overrides that others have changed there since they were last told, as lines: asked in each round.
    ///
    /// # Errors
    /// [`Error::Lost`]; whatever reading meets.
    fn news(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>>;

    /// No write to the cluster may go on after this moment; `None`: the place is not lost by time alone.
    fn until(&self) -> Option<Instant> {
        None
    }

    /// Gives it back, so that another need not wait.
    fn leave(&mut self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}
