//! Topics that an earlier run created and that are no longer defined, and what prevents the deletion of each.

use crate::decide::{Observed, Options};
use crate::owned::Absence;
use crate::{Definitions, TopicsRunRecord};
use mapper::PartitionId;
use std::collections::BTreeMap;

/// The end offset of each partition of a topic: the offset that its next record gets.
pub type EndOffsets = BTreeMap<PartitionId, u64>;

/// A topic that an earlier run created and that is no longer defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    /// Its name.
    pub topic: String,
    /// How long it has been neither defined nor written to, in seconds.
    pub quiet_seconds: i64,
    /// What prevents its deletion; none if nothing does.
    pub refusal: Option<PruneRefusal>,
}

/// What prevents the deletion of a topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PruneRefusal {
    /// The operator did not ask for deletions.
    #[error("kept: --prune was not given")]
    NotAsked,
    /// It has not been quiet for long enough.
    #[error("kept: neither defined nor written to for {quiet} s, and --prune-after is {after} s")]
    TooSoon {
        /// How long it has been quiet, in seconds.
        quiet: i64,
        /// How long it has to be quiet, in seconds.
        after: i64,
    },
    /// Records were written after its definition was removed.
    #[error("kept: records were written to it since the last look")]
    Traffic,
    /// The end offsets of its partitions are unknown.
    #[error("kept: not every partition tells where it ends, so traffic cannot be ruled out")]
    OffsetsUnknown,
    /// It is an internal topic of Kafka.
    #[error("kept: it is an internal topic")]
    Internal,
    /// The limit is used up by other topics.
    #[error("kept: --max-deletes allows {most}")]
    TooMany {
        /// The most topics that a run deletes.
        most: usize,
    },
}

/// Evaluates each created topic that is no longer defined, and records in `state` what it saw. Topics are in order of
/// name.
pub(crate) fn candidates(
    definitions: &Definitions,
    observed: &Observed<'_>,
    options: &Options,
    state: &mut TopicsRunRecord,
) -> Vec<Prune> {
    for (name, topic) in &mut state.topics {
        if definitions.get(name).is_some() {
            topic.absent = None;
        }
    }
    let mut found = Vec::new();
    let mut deletes = 0;
    let names: Vec<String> = state.topics.keys().cloned().collect();
    for name in names.into_iter().filter(|name| definitions.get(name).is_none()) {
        if !state.owns(&name, observed.ids.get(&name)) || !options.covers(&name) {
            continue;
        }
        let (quiet, unquiet) = look(&name, observed, state);
        let refusal = unquiet.or_else(|| refusal(&name, quiet, deletes, observed, options));
        deletes += usize::from(refusal.is_none());
        found.push(Prune { topic: name, quiet_seconds: quiet, refusal });
    }
    found
}

/// How long it has been quiet, and whether something prevents that now.
fn look(
    name: &str,
    observed: &Observed<'_>,
    state: &mut TopicsRunRecord,
) -> (i64, Option<PruneRefusal>) {
    let now = observed.now;
    let partitions = observed.snapshot.topic(name).map_or(0, |topic| topic.partitions.len());
    let told = observed.end_offsets.get(name).filter(|ends| ends.len() == partitions);
    let Some(topic) = state.topics.get_mut(name) else { return (0, None) };
    let Some(ends) = told else {
        return (0, Some(PruneRefusal::OffsetsUnknown));
    };
    match &topic.absent {
        Some(absent) if absent.end_offsets == *ends => ((now - absent.since).max(0), None),
        before => {
            let unquiet = before.is_some().then_some(PruneRefusal::Traffic);
            topic.absent = Some(Absence { since: now, end_offsets: ends.clone() });
            (0, unquiet)
        }
    }
}

fn refusal(
    name: &str,
    quiet: i64,
    deletes: usize,
    observed: &Observed<'_>,
    options: &Options,
) -> Option<PruneRefusal> {
    let internal = observed.snapshot.topic(name).is_some_and(|topic| topic.is_internal());
    let Some(prune) = options.prune else {
        return Some(PruneRefusal::NotAsked);
    };
    if internal || name.starts_with("__") {
        Some(PruneRefusal::Internal)
    } else if quiet < prune.after_seconds {
        Some(PruneRefusal::TooSoon { quiet, after: prune.after_seconds })
    } else {
        (deletes >= prune.max).then_some(PruneRefusal::TooMany { most: prune.max })
    }
}
