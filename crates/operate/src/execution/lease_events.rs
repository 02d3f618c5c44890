//! The Events that an execution writes on its Lease.

use execute::Entry;

/// The Event for a journal line: its reason, and a note. `None` for lines that no operator waits for.
pub(super) fn event(entry: &Entry, plan: &str) -> Option<(&'static str, String)> {
    match entry {
        Entry::Started { .. } => Some(("ExecutionBegun", format!("plan {plan}"))),
        Entry::Resumed { .. } => Some(("ExecutionResumed", format!("plan {plan}"))),
        Entry::Paused { partitions } => {
            let names: Vec<String> = partitions.iter().map(ToString::to_string).collect();
            Some(("ExecutionPaused", format!("new moves wait for {}", names.join(", "))))
        }
        Entry::Unpaused => Some(("ExecutionUnpaused", "new moves go on".to_owned())),
        Entry::Detached => {
            Some(("ExecutionDetached", "moves and throttle go on without it".to_owned()))
        }
        Entry::Finished { outcome } => {
            Some(("ExecutionEnded", format!("{outcome:?}, plan {plan}")))
        }
        _ => None,
    }
}
