//! What both binaries need of this machine and of nothing else: files, text for terminals, words, the exit status, and
//! plain values that name a cluster.
//!
//! No socket, no runtime, no flag: the drivers (`operate`) and the command lines (`console`) both build on it, so a command
//! line that only plans from files needs no driver.

mod error;
pub mod files;
mod hidden;
pub mod maps;
mod note;
pub mod plain;
pub mod source;
pub mod status;
pub mod words;

pub use error::Error;
pub use hidden::{value_without_login, without_login};
pub use note::Note;
pub use status::Status;
