//! Probes: what a broker, a controller or a ZooKeeper server says of itself, who forces it to be ready, and what was
//! known before. What that comes to is decided by [`health::readiness`].

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
