//! The plan for each need, in a file that stays until it does not fit the cluster any more. So a plan that an operator
//! approves is the one that is carried out.

use crate::commands::scope::PlanScope;
use crate::error::Error;
use crate::facts::Facts;
use crate::planning::{self, Planned};
use execute::keep::{KeepPolicy, Need, PlannedNeed, SeenNeed, Trigger};
use local::files::{self, OutFile};
use mapper::{Plan, Snapshot};
use operate::execution::{plan_id, read_plan};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is planned with at one look.
pub(super) struct Planning<'a> {
    pub(super) facts: &'a Facts,
    /// The cluster as it is expected to be, if that is known.
    pub(super) later: Option<&'a Snapshot>,
    pub(super) policy: &'a KeepPolicy,
    pub(super) scope: PlanScope,
    /// The plans that ended in the last 24 hours.
    pub(super) ended: Vec<Plan>,
    pub(super) folder: PathBuf,
    /// Whether new plans are written. Otherwise nothing is.
    pub(super) writes: bool,
}

impl Planning<'_> {
    /// What calls for a plan, each with its plan. A need whose plan changes nothing is none.
    pub(super) fn seen(&self) -> Result<Vec<SeenNeed>, Error> {
        if self.writes {
            files::make_folder(&self.folder)?;
        }
        let (snapshot, later) = (&self.facts.snapshot, self.later);
        let mut seen = Vec::new();
        for need in execute::keep::needs(snapshot, later, &self.scope.assignments, self.policy)? {
            let plan = match self.planned(&need) {
                Ok(None) => continue,
                Ok(Some(planned)) => Ok(planned),
                // Without a plan, it is not known whether a load is uneven.
                Err(Error::NoPlan { .. }) if need.trigger == Trigger::Imbalance => continue,
                Err(error @ Error::NoPlan { .. }) => Err(error.to_string()),
                Err(error) => return Err(error),
            };
            seen.push(SeenNeed { need, plan });
        }
        if self.writes {
            self.remove_others(&seen)?;
        }
        Ok(seen)
    }

    /// The plan that was proposed before, if it still fits, or a new one.
    fn planned(&self, need: &Need) -> Result<Option<PlannedNeed>, Error> {
        let path = path(&self.folder, need);
        let snapshot = need.seen_in(&self.facts.snapshot, self.later);
        let proposed = read_plan(&path).ok().map(|(plan, _)| plan);
        let make = || {
            let request = |by| need.request(self.scope.assignments.clone(), by, self.policy);
            let (plan, _) = planning::by_known_facts(snapshot, request)?;
            planning::refuse_if_broken(snapshot, &plan)?;
            Ok::<_, Error>(plan)
        };
        let Some((plan, is_new)) = need.plan(proposed, snapshot, self.policy, make)? else {
            return Ok(None);
        };
        let of_need = need.planned(plan_id(&plan), &plan, &self.ended, self.policy);
        let planned = Planned {
            plan,
            placement: None,
            findings: self.scope.findings.clone(),
            unmapped: self.scope.unmapped.clone(),
        };
        let mut warnings = planning::codes(&planned, self.facts)?;
        if is_new && self.writes {
            let plan = &planned.plan;
            OutFile::at(&path)?.stage(|out| plan.write_json(out))?.publish_stored()?;
        }
        warnings.extend(of_need.warnings);
        Ok(Some(PlannedNeed { warnings, ..of_need }))
    }

    /// Removes the plans of needs that are gone: if one returns, it is planned anew, and needs another approval.
    fn remove_others(&self, seen: &[SeenNeed]) -> Result<(), Error> {
        let wanted: BTreeSet<PathBuf> =
            seen.iter().map(|seen| path(&self.folder, &seen.need)).collect();
        for path in files::in_folder(&self.folder, &["json"])? {
            if !wanted.contains(&path) {
                files::remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The file of a need's plan in the folder of proposals.
pub(super) fn path(folder: &Path, need: &Need) -> PathBuf {
    let name = need.to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    folder.join(format!("{name}.json"))
}
