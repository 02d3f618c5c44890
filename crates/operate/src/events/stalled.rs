//! Describes stalled copies.

use crate::words::counted;
use execute::{LimitingSide, Stall, StallCause};
use mapper::{BrokerId, TopicPartition};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// The stalled copies of one broker in one direction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stalled {
    broker: BrokerId,
    direction: LimitingSide,
    cause: StallCause,
    for_seconds: u64,
    partitions: BTreeSet<TopicPartition>,
}

impl Stalled {
    /// The stalls at this time, in seconds on the clock of `Seen`.
    pub fn all(stalls: &[Stall], now_seconds: u64) -> Vec<Self> {
        let told = stalls.iter().map(|stall| Self {
            broker: stall.broker,
            direction: stall.direction,
            cause: stall.cause,
            for_seconds: now_seconds.saturating_sub(stall.since_seconds),
            partitions: stall.partitions.clone(),
        });
        told.collect()
    }
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (broker, for_seconds) = (self.broker, self.for_seconds);
        let count = counted(self.partitions.len(), "partition");
        write!(f, "{count} got nothing for {for_seconds} s: ")?;
        match (self.cause, self.direction) {
            (StallCause::Dead, _) => write!(f, "broker {broker} is not live, and has to return"),
            (StallCause::NoLeader, _) => {
                write!(f, "there is no leader; broker {broker} has to return")
            }
            (StallCause::UsedUp, LimitingSide::Outgoing) => {
                write!(f, "what {broker} may send is used up; topicmappr throttle set raises it")
            }
            (StallCause::UsedUp, LimitingSide::Incoming) => {
                write!(f, "what {broker} may take in is used up; topicmappr throttle set raises it")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_names_the_broker_and_what_to_do() {
        let stall = Stall {
            broker: BrokerId(1001),
            direction: LimitingSide::Outgoing,
            cause: StallCause::UsedUp,
            since_seconds: 100,
            partitions: BTreeSet::new(),
        };
        let told = Stalled::all(&[stall], 820)[0].to_string();
        assert!(told.contains("for 720 s") && told.contains("what 1001 may send"), "{told}");
        assert!(told.contains("throttle set"), "{told}");
    }
}
