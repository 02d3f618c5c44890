//! The ledger in ConfigMaps: `NAME`, `NAME-1`, ... each small, each under its own version.

use execute::LedgerEntry;
use kubernetes::shards::{Shards, ShardsError};
use kubernetes::{Kubernetes, Name};
use operate::marks::lines::{self, Lines, beside, entries};

/// The ConfigMaps of one ledger, as we left them.
#[derive(Debug)]
pub(super) struct Records {
    shards: Shards,
    form: Lines,
}

/// Why a record is not written.
pub(super) type RecordsError = ShardsError<String>;

impl Records {
    /// Reads all records and makes them ours: an earlier writer can write no more.
    pub(super) async fn claim(
        kubernetes: Kubernetes,
        lease: &Name,
        holder: &str,
    ) -> Result<(Self, Vec<LedgerEntry>), RecordsError> {
        let form = Lines::of(holder);
        let shards = Shards::claim(kubernetes, beside(lease), &form).await?;
        let entries = entries(&shards);
        Ok((Self { shards, form }, entries))
    }

    /// Reads all records without claiming them.
    pub(super) async fn read(
        kubernetes: Kubernetes,
        lease: &Name,
    ) -> Result<Vec<LedgerEntry>, RecordsError> {
        let form = Lines::of("");
        Ok(entries(&Shards::read(kubernetes, beside(lease), &form).await?))
    }

    /// Writes what has changed.
    pub(super) async fn write(&mut self, entries: &[LedgerEntry]) -> Result<(), RecordsError> {
        self.shards.write(lines::items(entries), &self.form).await
    }

    /// Asks whether the first is as we left it.
    pub(super) async fn confirm(&self) -> Result<(), RecordsError> {
        self.shards.confirm().await
    }
}
