//! The scripts of `crates/xtask/bench`, which need nothing but Python 3.

use std::path::PathBuf;
use std::process::Command;

use crate::project;

/// Where a file of that folder is.
pub(super) fn script(name: &str) -> PathBuf {
    project::root().join("crates/xtask/bench").join(name)
}

/// Runs a script; `-B`: Python leaves no compiled files in the tree.
pub(super) fn command(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(script(name));
    command
}
