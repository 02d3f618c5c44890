//! Flags that name a ledger where there is no plan to find it by.

use crate::error::Error;
use operate::execution::Places;
use operate::files::FileError;
use std::io;
use std::path::{Path, PathBuf};

/// Where executions of this cluster keep what they have set.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LedgerArgs {
    /// Use this ledger of the cluster's executions
    ///
    /// Default: topicmappr-CLUSTER_ID.ledger in the current folder, or next to --journal.
    #[arg(long, value_name = "FILE", visible_alias = "ledger")]
    state_file: Option<PathBuf>,
    /// Look for the ledger next to this journal of an execution
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

impl LedgerArgs {
    /// The ledger, if there is one. A ledger that a flag names must exist.
    pub(crate) fn find(&self, cluster_id: Option<&str>) -> Result<Option<PathBuf>, Error> {
        if let Some(path) = &self.state_file {
            return is_there(path).map(Some);
        }
        let Some(id) = cluster_id else { return Ok(None) };
        let beside = self.journal.as_deref();
        let journal = beside.unwrap_or(Path::new("journal"));
        let ledger = Places::of(journal, Some(journal), None, id).ledger;
        match (beside, ledger.exists()) {
            (_, true) => Ok(Some(ledger)),
            (Some(_), false) => is_there(&ledger).map(Some),
            (None, false) => Ok(None),
        }
    }
}

fn is_there(path: &Path) -> Result<PathBuf, Error> {
    if path.exists() {
        return Ok(path.to_owned());
    }
    let problem = io::Error::from(io::ErrorKind::NotFound);
    Err(FileError::Read { path: path.to_owned(), problem }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_was_named_has_to_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let named = |state_file, journal| LedgerArgs { state_file, journal };
        assert!(named(Some(at("l")), None).find(Some("c")).is_err());
        assert!(named(None, Some(at("j"))).find(Some("c")).is_err());
        std::fs::write(at("topicmappr-c.ledger"), "").unwrap();
        let found = named(None, Some(at("j"))).find(Some("c")).unwrap();
        assert_eq!(found, Some(at("topicmappr-c.ledger")));
        assert_eq!(named(None, None).find(Some("no-such-cluster")).unwrap(), None);
    }
}
