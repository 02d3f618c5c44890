//! What only programs need that reach a live cluster: flags of pods and metrics systems, and the log.

mod logger;
mod metrics_args;
mod pod_args;

pub use metrics_args::MetricsArgs;
pub use pod_args::PodArgs;
