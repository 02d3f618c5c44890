//! The future of lost brokers by Kubernetes: which ones return, what blocks them, and what frees them.

use super::heading;
use crate::lost::LostBroker;
use std::fmt;

/// The lost brokers, one after the other.
pub(super) fn write(lost: &[LostBroker], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if lost.is_empty() {
        return Ok(());
    }
    heading(f, "Lost brokers, by Kubernetes")?;
    lost.iter().try_for_each(|broker| write!(f, "{broker}"))
}
