//! The Events that an execution writes on its Lease.

use execute::JournalEntry;
use mapper::joined;

/// The Event for a journal line: its reason, and a note. `None` for lines that no operator waits for.
pub(super) fn event(entry: &JournalEntry, plan: &str) -> Option<(&'static str, String)> {
    match entry {
        JournalEntry::Started { .. } => Some(("ExecutionBegun", format!("plan {plan}"))),
        JournalEntry::Resumed { .. } => Some(("ExecutionResumed", format!("plan {plan}"))),
        JournalEntry::Paused { partitions } => {
            Some(("ExecutionPaused", format!("new moves wait for {}", joined(partitions))))
        }
        JournalEntry::Unpaused => Some(("ExecutionUnpaused", "new moves go on".to_owned())),
        JournalEntry::Detached => {
            Some(("ExecutionDetached", "moves and throttle go on without it".to_owned()))
        }
        JournalEntry::Finished { outcome } => {
            Some(("ExecutionEnded", format!("{outcome:?}, plan {plan}")))
        }
        _ => None,
    }
}
