//! The files of a planning command: their paths, checked before planning, and their content.

use crate::error::Error;
use crate::flags::PlanningArgs;
use local::files::{self, OutFile, Staged};
use mapper::{Plan, PlanFile, PlannedPartition, Snapshot, Stage};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The paths of the files, all known to be writable.
pub(crate) struct Outputs {
    plan: Option<OutFile>,
    folder: Option<PathBuf>,
    snapshot: Option<OutFile>,
    no_ops: bool,
}

/// The files that were written.
#[derive(Default)]
pub(super) struct Written {
    pub(super) plan: Option<PathBuf>,
    /// One file for each topic, by step.
    pub(super) steps: Vec<Vec<PathBuf>>,
    snapshot: Option<PathBuf>,
}

/// Files that are written, but not yet moved to their paths. A drop removes them.
#[derive(Default)]
pub(super) struct Staging {
    staged: Vec<Staged>,
    written: Written,
}

impl Staging {
    /// Moves every file to its path.
    pub(super) fn publish(self) -> Result<Written, Error> {
        for file in self.staged {
            file.publish()?;
        }
        Ok(self.written)
    }
}

impl Written {
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let steps = self.steps.iter().flatten();
        steps.chain(&self.plan).chain(&self.snapshot).cloned().collect()
    }
}

/// A file, not stdout: the report goes there.
fn own_file(flag: &str, path: &Path) -> Result<OutFile, Error> {
    if path == Path::new("-") {
        return Err(Error::flags(format!("{flag} needs a file here: stdout has the report")));
    }
    Ok(OutFile::at(path)?)
}

impl Outputs {
    /// Checks that everything can be written, before anything is planned.
    pub(crate) fn find(args: &PlanningArgs) -> Result<Self, Error> {
        if args.skip_no_ops && args.include_no_ops {
            let message = "--skip-no-ops and --include-no-ops deny each other";
            return Err(Error::flags(message));
        }
        let place = |flag, path: &Option<PathBuf>| {
            path.as_deref().map(|path| own_file(flag, path)).transpose()
        };
        if let Some(folder) = &args.out_path {
            files::probe_folder(folder)?;
        }
        let outputs = Self {
            plan: place("--out-file", &args.out_file)?,
            folder: args.out_path.clone(),
            snapshot: place("--save-snapshot", &args.save_snapshot)?,
            no_ops: args.include_no_ops,
        };
        if outputs.plan.is_some() && outputs.plan == outputs.snapshot {
            let message = "--out-file and --save-snapshot name the same file";
            return Err(Error::flags(message));
        }
        Ok(outputs)
    }

    /// Whether no file is requested.
    pub(crate) fn are_none(&self) -> bool {
        self.plan.is_none() && self.folder.is_none() && self.snapshot.is_none()
    }

    /// Writes temporary files next to their paths; [`Staging::publish`] moves them there.
    pub(super) fn stage(self, plan: &Plan, snapshot: &Snapshot) -> Result<Staging, Error> {
        let mut staged = Vec::new();
        let mut written = Written::default();
        let with_no_ops = self.no_ops.then(|| {
            let in_scope = scope(plan, snapshot);
            PlanFile::map_with_no_ops(plan, snapshot, &|topic| in_scope.contains(topic))
        });
        for step in self.per_topic(plan, with_no_ops.as_deref()) {
            let mut files = Vec::new();
            for (out, partitions) in step? {
                files.push(out.path().to_owned());
                let map = PlanFile { partitions, plan: None };
                staged.push(out.stage(|to| map.write_json(to))?);
            }
            written.steps.push(files);
        }
        if let Some(out) = self.plan {
            written.plan = Some(out.path().to_owned());
            staged.push(out.stage(|to| match &with_no_ops {
                Some(map) => plan.write_json_with(map, to),
                None => plan.write_json(to),
            })?);
        }
        if let Some(out) = self.snapshot {
            written.snapshot = Some(out.path().to_owned());
            staged.push(out.stage(|to| snapshot.write_json(to))?);
        }
        Ok(Staging { staged, written })
    }

    /// One partition map for each topic, and for each step if there are several; none without a folder.
    fn per_topic(
        &self,
        plan: &Plan,
        with_no_ops: Option<&[PlannedPartition]>,
    ) -> Vec<Result<Vec<TopicMap>, Error>> {
        let Some(folder) = &self.folder else {
            return Vec::new();
        };
        let by_topic = |entries: &[PlannedPartition], suffix: &str| {
            let topics = entries.chunk_by(|a, b| a.topic == b.topic);
            topics
                .map(|entries| {
                    let out = OutFile::at(&folder.join(file_name(&entries[0], suffix)))?;
                    self.refuse_if_taken(&out)?;
                    Ok((out, entries.to_vec()))
                })
                .collect()
        };
        if plan.steps.len() > 1 {
            let steps = plan.stages().into_iter().enumerate();
            let map = |stages: Vec<Stage<'_>>| PlanFile::of_step(&stages).partitions;
            let phase = |step| format!("-phase{step}");
            return steps.map(|(step, stages)| by_topic(&map(stages), &phase(step))).collect();
        }
        vec![match with_no_ops {
            Some(map) => by_topic(map, ""),
            None => by_topic(&PlanFile::map(plan), ""),
        }]
    }

    /// A topic may have the same name as the plan.
    fn refuse_if_taken(&self, out: &OutFile) -> Result<(), Error> {
        let others = [&self.plan, &self.snapshot];
        if others.into_iter().flatten().any(|other| other == out) {
            let path = out.path().display();
            let message = format!("two files would be {path}: --out-path names its files by topic");
            return Err(Error::flags(message));
        }
        Ok(())
    }
}

type TopicMap = (OutFile, Vec<PlannedPartition>);

/// No topic in a snapshot has a separator in its name: Kafka does not allow it.
fn file_name(entry: &PlannedPartition, suffix: &str) -> String {
    format!("{}{suffix}.json", entry.topic)
}

/// The names of the topics that the request covers.
fn scope<'s>(plan: &Plan, snapshot: &'s Snapshot) -> BTreeSet<&'s str> {
    let taken = mapper::assign(snapshot, &plan.request.terms().assignments).unwrap_or_default();
    let topics = snapshot.topics().iter().zip(taken);
    topics.filter(|(_, index)| index.is_some()).map(|(topic, _)| topic.name.as_str()).collect()
}
