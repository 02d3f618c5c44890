//! What a cluster of real nodes might leave on the machine.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Everything that exists outside of folders: each item in words, so that a difference says what it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Machine(BTreeSet<String>);

impl Machine {
    pub(crate) fn look() -> Self {
        let mut all = BTreeSet::new();
        for (what, command) in [
            ("interface", "ip -o link | cut -d: -f2 | cut -d@ -f1"),
            ("route", "ip route show table all | grep -v ' metric '"),
            ("rule", "ip rule"),
            ("iptables", "iptables-save 2> /dev/null | grep -v '^#' | grep -v '^:'"),
            ("cgroup", "find /sys/fs/cgroup -type d -name 'mappr-*'"),
            ("mount", "cut -d' ' -f4,5 /proc/self/mountinfo"),
            (
                "setting",
                "sysctl vm.overcommit_memory kernel.panic kernel.panic_on_oops net.ipv4.ip_forward",
            ),
            ("folder", "ls -d \"${MAPPR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mappr}\"/nodes-*"),
        ] {
            let out = Command::new("sh").args(["-c", command]).output().unwrap();
            let text = String::from_utf8(out.stdout).unwrap();
            all.extend(text.lines().map(|line| format!("{what}: {}", line.trim())));
        }
        all.extend(processes());
        Self(all)
    }

    /// What is here and was not there.
    pub(crate) fn since(&self, before: &Self) -> Vec<String> {
        self.0.difference(&before.0).cloned().collect()
    }
}

/// The processes of nodes: by their command, or by mounts from the cluster's folder.
fn processes() -> BTreeSet<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let of = |process: std::path::PathBuf| {
        let read = |name| fs::read(process.join(name)).unwrap_or_default();
        let [line, mounts] = ["cmdline", "mountinfo"].map(read);
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let mounts = String::from_utf8_lossy(&mounts).into_owned();
        let is_ours = line.contains("/nodes-") || mounts.contains("/nodes-");
        is_ours.then(|| format!("process: {line}"))
    };
    processes.filter_map(of).collect()
}
