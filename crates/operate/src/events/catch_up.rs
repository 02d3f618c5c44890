//! Describes the progress of a broker that returns under its id.

use mapper::BrokerId;
use serde::Serialize;
use std::fmt;

/// The progress of a broker that returns under its id.
#[derive(Debug, Serialize)]
pub struct CatchUpProgress {
    /// Id of the broker that returns.
    pub broker: BrokerId,
    /// Kafka lists it as live.
    pub registered: bool,
    pub(crate) partitions_behind: usize,
    /// Partitions that it has lagged in since the start, including those in sync by now.
    pub partitions: usize,
    pub(crate) waited_seconds: u64,
    /// No partition got in sync for 10 minutes, although the broker is live.
    pub stalled: bool,
}

impl fmt::Display for CatchUpProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { broker, partitions_behind, partitions, waited_seconds, .. } = self;
        if !self.registered {
            return writeln!(f, "waiting ({waited_seconds} s): broker {broker} is not registered");
        }
        write!(
            f,
            "copying ({waited_seconds} s): broker {broker} is in sync in {} of {partitions}",
            partitions - partitions_behind
        )?;
        match self.stalled {
            true => writeln!(
                f,
                "; no partition was finished for 10 minutes: is the rate below what producers write to these brokers?"
            ),
            false => writeln!(f),
        }
    }
}
