//! Decides how fast replication may go.
//!
//! In: the [`ThrottleMemory`] of the round before, what was seen of the cluster since ([`ThrottleInputs`]), and the
//! [`ThrottleLimits`]. Out: the next memory, and a [`ThrottleDecision`]: the rate of each broker that copies, for each
//! role, and the replicas that are throttled. Reads no clock, file, socket or environment.
//!
//! The caller reads the cluster, asks [`decide`], writes the differences, and repeats. Facts may be unknown; the
//! decision then covers that case like any other.

mod average;
mod decide;
mod decision;
mod fair;
mod headroom;
mod health;
mod limits;
mod load;
mod note;
mod offer;
mod paced;
mod peak;
mod port;
mod seen;
mod stalls;
mod state;
mod wants;
mod watch;

pub use decide::decide;
pub use decision::{Decided, RateFloor, RateReason, ThrottleDecision, ThrottledReplicas};
pub use limits::{HealthLimits, InvalidLimit, Share, ThrottleLimits, ThrottleTerms};
pub use note::{Fallback, ThrottleNote, WhyIll, WhyNotThrottled};
pub use port::{PerDirection, ReplicationRole};
pub use seen::{
    BrokerHealth, BrokerSeen, BrokerTraffic, CanaryTimes, CopySeen, OverrideScope, RateOverride,
    RateOverrides, ReplicaToFill, ThrottleInputs, WhyNotInSync,
};
pub use state::ThrottleMemory;
