//! Describes the return of a broker under its id.

use crate::words::counted;
use mapper::BrokerId;
use serde::Serialize;
use std::fmt;

/// The result for a broker that has returned under its id.
#[derive(Debug, Serialize)]
pub struct CatchUpDone {
    /// Id of the broker that returned.
    pub broker: BrokerId,
    /// Partitions that it has copied or caught up with.
    pub partitions: usize,
    /// Partitions that it leads again, as their preferred leader.
    pub elected: usize,
    pub(crate) not_elected: Vec<String>,
    /// Time from the start of this run, in seconds.
    pub took_seconds: u64,
}

impl fmt::Display for CatchUpDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Done in {} s: broker {} is in sync everywhere ({} copied), leads {} more, and no throttle is left.",
            self.took_seconds,
            self.broker,
            counted(self.partitions, "partition"),
            counted(self.elected, "partition")
        )?;
        self.not_elected.iter().try_for_each(|why| writeln!(f, "  not elected: {why}"))
    }
}
