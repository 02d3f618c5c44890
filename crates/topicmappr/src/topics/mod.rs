//! Topics by definition, joined from what knows nothing of each other: files and ConfigMaps, what earlier runs have
//! done, one run at a time, and a live cluster.

mod carry;
mod documents;
mod lock;
mod observe;
mod reread;
mod run;
mod shards;
mod state_file;
mod store;

pub(crate) use carry::{Done, Outcome, Step};
pub(crate) use documents::{in_config_maps, in_files, read_all};
pub(crate) use lock::{HeldBy, us};
pub(crate) use run::{Applied, Asked, Looked, apply, look};
pub(crate) use state_file::StateError;
pub(crate) use store::StatePlace;
