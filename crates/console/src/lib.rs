//! What both binaries need for a command line: flags in layers, units, logs and common flags.

mod bug;
mod error;
mod layers;
#[cfg(feature = "live")]
mod live;
mod logs;
pub mod units;
mod values;

pub use bug::end_on_panic;
pub use error::{Error, is_help};
pub use layers::{Environment, parse};
#[cfg(feature = "live")]
pub use live::{MetricsArgs, PodArgs};
pub use logs::LogArgs;
pub use values::{NamedValue, one_of};
