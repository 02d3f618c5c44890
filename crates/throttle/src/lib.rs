//! Decides how fast replication may go.
//!
//! In: the [`State`] of the round before, what is [`Seen`] of the cluster now, and the [`Limits`]. Out: the next
//! [`State`], and a [`Decision`]: the rate of each broker that copies, for each role, and the replicas that are
//! throttled. Reads no clock, file, socket or environment.
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
pub use decision::{Decided, Decision, Floor, ThrottledReplicas, Why};
pub use limits::{HealthLimits, InvalidLimit, Limits, Share, Terms};
pub use note::{Fallback, Note, Unpaced, WhyIll};
pub use port::{Ports, Role};
pub use seen::{
    BrokerSeen, Canary, Cause, CopySeen, Destination, Health, Override, OverrideScope, Overrides,
    Seen, Traffic,
};
pub use state::State;
