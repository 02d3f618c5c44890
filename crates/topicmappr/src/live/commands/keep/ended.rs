//! The plans that were carried out lately, in files: a plan that takes data back waits for an approval.

use crate::error::Error;
use execute::keep::KeepNotes;
use local::files;
use mapper::Plan;
use operate::execution::read_plan;
use std::collections::BTreeSet;
use std::path::Path;

/// The plans that ended in the last 24 hours. `last`: the plan that was carried out last, if its file is still there. With
/// `writes` it gets a place among the others, and those that are too old are removed.
pub(super) fn plans(
    work_dir: &Path,
    last: &Path,
    notes: &KeepNotes,
    now_seconds: u64,
    writes: bool,
) -> Result<Vec<Plan>, Error> {
    let folder = work_dir.join("keep").join("ended");
    if writes {
        files::make_folder(&folder)?;
    }
    let recent: BTreeSet<&str> =
        notes.of_the_last_day(now_seconds).map(|plan| plan.plan_id.as_str()).collect();
    let earlier = if folder.exists() { files::in_folder(&folder, &["json"])? } else { Vec::new() };
    let last = last.exists().then(|| last.to_owned());
    let mut found = Vec::new();
    for path in earlier.into_iter().chain(last) {
        let (plan, id) = read_plan(&path)?;
        let place = folder.join(format!("{}.json", id.trim_start_matches("sha256:")));
        let is_recent = recent.contains(id.as_str());
        match (writes, is_recent) {
            (true, true) => files::rename(&path, &place)?,
            (true, false) if path.starts_with(&folder) => files::remove(&path)?,
            // The folder of the last plan is the operator's: only what was noted as ours moves away.
            (true, false) | (false, _) => {}
        }
        found.extend(is_recent.then_some(plan));
    }
    Ok(found)
}
