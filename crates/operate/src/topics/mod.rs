//! Topics by definition: joins files and ConfigMaps, the state of earlier runs, a lock, and a live cluster.

mod carry;
mod documents;
mod observe;
mod reread;
mod run;
mod shards;
mod state_file;
mod store;

pub use carry::{Done, Outcome, Step};
pub use documents::{in_config_maps, in_files, read_all, replicas};
pub use run::{Applied, TopicsLook, TopicsRun, apply, look};
