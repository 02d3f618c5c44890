//! What both binaries need for a command line: flags in layers, units, logs and common flags.

mod error;
mod layers;
mod logs;
mod metrics_args;
mod pod_args;
pub mod units;

pub use error::{Error, is_help};
pub use layers::{Environment, parse};
pub use logs::LogArgs;
pub use metrics_args::MetricsArgs;
pub use pod_args::PodArgs;
