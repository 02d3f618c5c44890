//! What is wrong with a cluster, which of its servers are ready, and what a broker would erase.
//!
//! In: a snapshot, or what servers report of themselves. Out: [`Ailment`]s, a [`readiness::ReadinessVerdict`],
//! [`Erasure`]s. Changes nothing and does no IO.

mod ailment;
mod last_copy;
pub mod readiness;

pub use ailment::{Ailment, ailments};
pub use last_copy::{Erasure, UnknownErasure, WhyErased, would_erase};
