//! Paths of an execution's files, and the hash of its plan.

use crate::error::Error;
use crate::files;
use coordination::{LinesFile, LinesKind};
use execute::{ExecutionHistory, ExecutionOutcome, legs};
use mapper::{Plan, PlanFile};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};

/// The files of an execution: the journal belongs to a plan, the ledger to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// What the plan's executions requested, did and found, one line each.
    pub journal: PathBuf,
    /// Each config set in the cluster, with its original value.
    pub ledger: PathBuf,
}

impl Places {
    /// By default the journal is next to the plan, and the ledger next to the journal.
    pub fn of(
        plan: &Path,
        journal: Option<&Path>,
        ledger: Option<&Path>,
        cluster_id: &str,
    ) -> Self {
        let journal = journal_of(plan, journal);
        let name = plain(cluster_id);
        let beside = || journal.with_file_name(format!("topicmappr-{name}.ledger"));
        let ledger = ledger.map_or_else(beside, Path::to_owned);
        Self { journal, ledger }
    }

    /// The journal, and the ledger.
    pub fn files(&self) -> (&Path, &Path) {
        (&self.journal, &self.ledger)
    }
}

/// A cluster's id in characters that file names allow.
pub(super) fn plain(cluster_id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    cluster_id.chars().map(plain).collect()
}

/// The journal of plan `P`: `P.journal`, unless the operator names another file.
pub fn journal_of(plan: &Path, journal: Option<&Path>) -> PathBuf {
    let beside = || {
        let mut name = plan.as_os_str().to_owned();
        name.push(".journal");
        PathBuf::from(name)
    };
    journal.map_or_else(beside, Path::to_owned)
}

/// Reads a plan file of this program; returns the plan and its hash.
pub fn read_plan(path: &Path) -> Result<(Plan, String), Error> {
    let text = files::read(path)?;
    let wrong = |problem| local::Error::PlanFile { name: path.display().to_string(), problem };
    let file = PlanFile::from_json(&text).map_err(wrong)?;
    let plan = file.plan.ok_or_else(|| local::Error::NotOurs(path.to_owned()))?;
    let id = plan_id(&plan);
    Ok((plan, id))
}

/// Whether no move of this plan is left, as its journal says: all have arrived, or those in flight were cancelled. Of an execution
/// that ends in part, then only configs are left, on brokers that do not answer.
pub fn moves_are_over(path: &Path) -> Result<bool, Error> {
    let (plan, _) = read_plan(path)?;
    let lines = LinesFile::read(&journal_of(path, None), LinesKind::Journal)?;
    let ExecutionHistory { completed, finished, .. } = ExecutionHistory::replay(lines);
    let mut moves = 0..legs(&plan).moves.len();
    Ok(finished == Some(ExecutionOutcome::Cancelled)
        || moves.all(|index| completed.contains(&index)))
}

/// The hash of a plan as this program writes it. It does not depend on the file's compression or layout.
pub fn plan_id(plan: &Plan) -> String {
    struct Hashing(Sha256);
    impl io::Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hashing = Hashing(Sha256::new());
    // Writing to a hash cannot fail.
    let _ = plan.write_json(&mut hashing);
    let hex: String = hashing.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_beside_the_plan_and_the_ledger_beside_the_journal() {
        let places = Places::of(Path::new("a/p.json.gz"), None, None, "x/y");
        assert_eq!(places.journal, Path::new("a/p.json.gz.journal"));
        assert_eq!(places.ledger, Path::new("a/topicmappr-x_y.ledger"));
        let places = Places::of(Path::new("p"), Some(Path::new("j/k")), None, "c");
        assert_eq!(places.ledger, Path::new("j/topicmappr-c.ledger"));
    }
}
