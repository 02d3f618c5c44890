//! `controllers add`, `remove` and `replace`, in words.

use super::heading;
use execute::controllers::{
    NextVoterChange, QuorumScene, VoterChange, VotersGoal, changes, majority,
};
use kafka::admin::ControllerEndpoint;
use mapper::{BrokerId, DirectoryId, joined};
use operate::controllers::{ControllersSight, VotersChanged, VotersEnd};
use operate::words::counted;
use serde::Serialize;
use std::fmt;

/// What would be changed.
#[derive(Debug, Serialize)]
pub(crate) struct VotersPlan {
    voters: Vec<BrokerId>,
    changes: Vec<ChangeView>,
    voters_after: Vec<BrokerId>,
    /// How many of the new voters may fail, if all run.
    may_fail_after: usize,
    #[serde(skip)]
    may_fail_now: usize,
    /// What is in the way now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    change: &'static str,
    id: BrokerId,
    directory: DirectoryId,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    endpoints: Vec<String>,
    /// It is the active controller: another one takes over.
    active: bool,
}

impl ChangeView {
    fn of(change: &VoterChange, sight: &ControllersSight) -> Self {
        let (name, key) = match change {
            VoterChange::Add(key) => ("add", key),
            VoterChange::Remove(key) => ("remove", key),
        };
        let endpoints = sight.endpoints.get(&key.id).filter(|_| name == "add");
        Self {
            change: name,
            id: key.id,
            directory: key.directory.clone(),
            endpoints: endpoints.into_iter().flatten().map(ControllerEndpoint::to_string).collect(),
            active: name == "remove" && sight.scene.leader == Some(key.id),
        }
    }
}

impl VotersPlan {
    /// The changes that are left for this goal.
    pub(crate) fn of(
        sight: &ControllersSight,
        goal: VotersGoal,
        next: &NextVoterChange,
    ) -> Result<Self, operate::Error> {
        let left = changes(&sight.scene, goal).map_err(operate::Error::Voters)?;
        let mut after: Vec<BrokerId> = ids(&sight.scene);
        for change in &left {
            match change {
                VoterChange::Add(key) => after.push(key.id),
                VoterChange::Remove(key) => after.retain(|id| *id != key.id),
            }
        }
        after.sort_unstable();
        let tolerance = |voters: usize| voters.saturating_sub(majority(voters));
        let findings = match next {
            NextVoterChange::Wait(hindrance) => vec![hindrance.to_string()],
            NextVoterChange::Refuse(refusal) => vec![refusal.to_string()],
            NextVoterChange::Done | NextVoterChange::Make(_) => Vec::new(),
        };
        Ok(Self {
            voters: ids(&sight.scene),
            changes: left.iter().map(|change| ChangeView::of(change, sight)).collect(),
            may_fail_after: tolerance(after.len()),
            may_fail_now: tolerance(sight.scene.voters.len()),
            voters_after: after,
            findings,
        })
    }
}

fn ids(scene: &QuorumScene) -> Vec<BrokerId> {
    let mut ids: Vec<BrokerId> = scene.voters.iter().map(|voter| voter.id).collect();
    ids.sort_unstable();
    ids
}

impl fmt::Display for VotersPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() && self.findings.is_empty() {
            return writeln!(f, "Nothing to change: the voters are {}.", joined(&self.voters));
        }
        writeln!(f, "Voters now: {}", joined(&self.voters))?;
        for (number, change) in (1..).zip(&self.changes) {
            let ChangeView { change: name, id, directory, .. } = change;
            let at = match change.endpoints.is_empty() {
                true => String::new(),
                false => format!(", {}", joined(&change.endpoints)),
            };
            let directory = match directory.0.is_empty() {
                true => String::new(),
                false => format!(", log dir {directory}"),
            };
            let active =
                if change.active { ": it is active, and another one takes over" } else { "" };
            writeln!(f, "  {number}. {name} controller {id}{directory}{at}{active}")?;
        }
        writeln!(f, "Voters then: {}", joined(&self.voters_after))?;
        match (self.may_fail_after, self.may_fail_now) {
            (0, _) => writeln!(f, "Then no voter may fail.")?,
            (after, now) if after != now => {
                writeln!(f, "Then {} may fail; now {now}.", counted(after, "voter"))?;
            }
            _ => {}
        }
        if !self.findings.is_empty() {
            heading(f, "Before the first change")?;
            self.findings.iter().try_for_each(|finding| writeln!(f, "  {finding}"))?;
        }
        Ok(())
    }
}

/// How it ended.
#[derive(Debug, Serialize)]
pub(crate) struct VotersSummary {
    outcome: &'static str,
    added: Vec<BrokerId>,
    removed: Vec<BrokerId>,
    voters: Vec<BrokerId>,
    took_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl VotersSummary {
    pub(crate) fn of(changed: &VotersChanged) -> Self {
        let added = changed.made.iter().filter_map(|change| match change {
            VoterChange::Add(key) => Some(key.id),
            VoterChange::Remove(_) => None,
        });
        let removed = changed.made.iter().filter_map(|change| match change {
            VoterChange::Remove(key) => Some(key.id),
            VoterChange::Add(_) => None,
        });
        let (outcome, why) = match &changed.why {
            VotersEnd::Done => ("done", None),
            VotersEnd::Left(_) => ("left", None),
            VotersEnd::Stuck(why) => ("stuck", Some(why.clone())),
        };
        let mut voters = changed.voters.clone();
        voters.sort_unstable();
        Self {
            outcome,
            added: added.collect(),
            removed: removed.collect(),
            voters,
            took_seconds: changed.took.as_secs(),
            why,
        }
    }
}

impl fmt::Display for VotersSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.outcome {
            "done" => "Done",
            "left" => "Interrupted",
            _ => "Stopped",
        };
        write!(f, "{word} after {} s", self.took_seconds)?;
        for (name, ids) in [("added", &self.added), ("removed", &self.removed)] {
            if !ids.is_empty() {
                write!(f, "; {name} {}", joined(ids))?;
            }
        }
        match self.voters.is_empty() {
            true => writeln!(f, ".")?,
            false => writeln!(f, "; the voters are {}.", joined(&self.voters))?,
        }
        self.why.iter().try_for_each(|why| writeln!(f, "  {why}"))?;
        let gone: Vec<&BrokerId> =
            self.removed.iter().filter(|id| !self.voters.contains(id)).collect();
        if !gone.is_empty() && self.outcome == "done" {
            writeln!(f, "A removed controller runs on as an observer. Stop {}.", joined(gone))?;
        }
        Ok(())
    }
}
