//! The scripts of `crates/xtask/bench`, which need nothing but Python 3.

use std::path::PathBuf;
use std::process::Command;

use crate::project;

/// The path of a file in that folder.
pub(super) fn script(name: &str) -> PathBuf {
    project::root().join("crates/xtask/bench").join(name)
}

/// The command for a script. With `-B`, Python leaves no compiled files in the tree.
pub(super) fn command(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(script(name));
    command
}
