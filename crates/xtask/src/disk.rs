//! A disk for tests: planners refuse brokers on a disk of which less than a tenth is free, as the machine's may be.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::project::{self, Outcome};

/// Set in the process that has such a disk, or has tried to make it.
const SEEN: &str = "MAPPR_TEST_DISK";

/// Starts this task again with an empty disk for temporary files, if it does not have one yet. The caller is root on a machine
/// that can make namespaces: other users go on with the machine's disk.
pub(crate) fn enter() -> Outcome {
    if env::var_os(SEEN).is_some() {
        return Ok(());
    }
    let mut again = Command::new("unshare");
    again.args(["--mount", "--propagation", "private", "sh", "-c", include_str!("disk.sh"), "sh"]);
    again
        .arg(project::root().join("target/disk"))
        .arg(env::current_exe()?)
        .args(env::args_os().skip(1));
    // Returns only if it cannot be started.
    Err(again.env(SEEN, "1").exec().into())
}
