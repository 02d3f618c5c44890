//! Probes: a server's own report, emergency overrides, and earlier verdicts. [`health::readiness`] decides from them.

mod broker;
mod controller;
mod forces;
mod memory;
mod port;
mod process;
mod serve;

pub use broker::ask_broker;
pub use controller::{ask_controller, ask_zookeeper};
pub use forces::{Forces, Subject, in_documents, in_inventory};
pub use memory::Memory;
pub use port::answers;
pub use process::runs;
pub use serve::{Latest, serve};
