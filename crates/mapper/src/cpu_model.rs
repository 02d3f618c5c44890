//! What brokers' CPU is spent on. [`CpuModel::fit`] finds it.

use crate::bytes::Ratio;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The cost of what brokers do, in CPU time. A nanocore is a nanosecond of CPU time in each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuModel {
    /// What a broker without replicas takes.
    pub idle_nanocores: u64,
    /// For each byte that a broker receives or sends: producers, consumers and replication.
    pub picoseconds_per_byte: u64,
    /// For each record that producers write to a leader.
    pub nanoseconds_per_record: u64,
    /// For each replica, whatever its traffic.
    pub nanocores_per_replica: u64,
    /// The brokers that it was fitted to.
    pub brokers: usize,
    /// The error (root mean square) of a broker that is predicted by the others, as a part of the mean CPU of all.
    #[serde(rename = "error_ratio")]
    pub error: Ratio,
}

impl CpuModel {
    /// The largest error of a model that plans may use.
    pub const MOST_ERROR: Ratio = Ratio::from_percent(10);

    /// Whether it is good enough to plan by.
    pub fn is_close(&self) -> bool {
        self.error <= Self::MOST_ERROR
    }

    /// How well it fits, in words.
    pub fn fit_in_words(&self) -> String {
        let (brokers, percent) = (self.brokers, self.error.as_f64() * 100.0);
        format!("of {brokers} brokers; each is predicted by the others to {percent:.1} %")
    }
}

/// The costs, in units in which operators compare them.
impl fmt::Display for CpuModel {
    #[expect(clippy::cast_precision_loss, reason = "for display; no decision rests on it")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "idle {:.2} cores; a MB {:.1} ms, 1,000 records {:.1} ms, a replica {:.2} ms/s",
            self.idle_nanocores as f64 / 1e9,
            self.picoseconds_per_byte as f64 / 1e3,
            self.nanoseconds_per_record as f64 / 1e3,
            self.nanocores_per_replica as f64 / 1e6
        )
    }
}
