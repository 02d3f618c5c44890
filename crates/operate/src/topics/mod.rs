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

pub use carry::{Done, Outcome, Step};
pub use documents::{in_config_maps, in_files, read_all};
pub use run::{Applied, Asked, Looked, apply, look};
pub use store::StatePlace;
