//! What real nodes need of a machine, and what it lacks.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache;
use crate::error::Error;

/// Programs, with Debian's packages.
const PROGRAMS: [(&str, &str); 7] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
];
/// Where Debian has the plugins for networks of pods.
const PLUGINS: &str = "/usr/lib/cni";
const PLUGINS_PACKAGE: &str = "containernetworking-plugins";
/// Where packages put programs that users do not run. They may not be on the PATH.
const SYSTEM: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// The packages that are missing.
fn missing_packages() -> Vec<&'static str> {
    let missing = PROGRAMS.iter().filter(|(program, _)| find(program).is_none());
    let mut packages: Vec<&'static str> = missing.map(|(_, package)| *package).collect();
    if !Path::new(PLUGINS).join("bridge").exists() {
        packages.push(PLUGINS_PACKAGE);
    }
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Fails with the reason and a remedy if this machine cannot run real nodes.
///
/// # Errors
/// [`Error::NoNodes`] with the first thing that is missing.
pub fn check() -> Result<(), Error> {
    let lack = |why: &str, remedy: String| Err(Error::NoNodes { why: why.to_owned(), remedy });
    if !cfg!(target_os = "linux") {
        let there = "on Linux, as root: cargo xtask test --only real_nodes".to_owned();
        return lack("this is not Linux", there);
    }
    // The owner of this folder is the user of this process.
    if !fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        let again = "sudo --preserve-env=PATH,HOME cargo xtask test --only real_nodes".to_owned();
        return lack("only root can make namespaces, networks and cgroups", again);
    }
    let packages = missing_packages();
    if !packages.is_empty() {
        let packages = packages.join(" ");
        return lack(&format!("missing: {packages}"), format!("apt-get install {packages}"));
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "true"]);
    if !unshare.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        let remedy = "run them in a virtual machine, or in a privileged container".to_owned();
        return lack("this container may not make namespaces", remedy);
    }
    // A node has file systems of its own there.
    for (folder, variable) in [(cache::folder(), "MAPPR_CACHE"), (env::temp_dir(), "TMPDIR")] {
        if let Some(at) =
            ["/run", "/var/lib", "/var/log"].into_iter().find(|at| folder.starts_with(at))
        {
            let remedy = format!("set {variable} to another folder");
            return lack(&format!("{} is below {at}", folder.display()), remedy);
        }
    }
    Ok(())
}

fn find(program: &str) -> Option<PathBuf> {
    let search = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&search).chain(env::split_paths(SYSTEM)).collect();
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}
