//! Probes: what a broker, a controller or a ZooKeeper server says of itself, who forces it to be ready, and what was
//! known before. What that comes to is decided by [`mapper::readiness`].

mod broker;
mod controller;
mod forces;
mod memory;
mod port;
mod process;
mod serve;

pub(crate) use broker::ask_broker;
pub(crate) use controller::{ask_controller, ask_zookeeper};
pub(crate) use forces::{Forces, Subject, in_documents, on_pod};
pub(crate) use memory::Memory;
pub(crate) use port::answers;
pub(crate) use process::runs;
pub(crate) use serve::{Latest, serve};
