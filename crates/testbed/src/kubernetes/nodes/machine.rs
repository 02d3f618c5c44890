//! What real nodes need of the machine itself: a lock, a bridge with a cable to each node, routes and cgroups.
//!
//! All names are fixed, because there is one cluster at a time. So `sh/clear-nodes.sh` finds what a dead cluster left.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::component::Net;
use crate::error::{Error, file};

/// The name of the bridge.
const BRIDGE: &str = "mappr-nodes";
/// The cgroup in each hierarchy; nodes and the control plane are below it.
pub(super) const GROUP: &str = "mappr-nodes";
/// Root's, so that it is the same file for every cache.
const LOCK: &str = "/run/mappr-nodes.lock";
const GROUPS: &str = "/sys/fs/cgroup";
/// Removes all that this file creates.
pub(super) const CLEAR: &str = include_str!("../../sh/clear-nodes.sh");
const JOIN: &str = include_str!("../../sh/join.sh");

/// Other ranges than those of kubeadm, minikube and kind, which the same machine may route.
pub(in super::super) const BRIDGED: Net = Net {
    api: Ipv4Addr::new(10, 213, 0, 1),
    pods: "10.214.0.0/16",
    services: "10.215.0.0/16",
    api_service: "10.215.0.1",
};
/// The Service of the cluster's names.
pub(super) const DNS: &str = "10.215.0.10";

/// The address of a node.
pub(super) fn address(index: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 213, 0, 10 + index)
}

/// The range of its pods.
pub(super) fn pods(index: u8) -> String {
    format!("10.214.{index}.0/24")
}

/// The machine's end of its cable.
fn cable(index: u8) -> String {
    format!("mappr-node-{index}")
}

/// What all processes with real nodes on this machine wait for. It holds the folder of the last cluster.
pub(super) fn lock() -> Result<File, Error> {
    let open = File::options().create(true).read(true).write(true).truncate(false).open(LOCK);
    let open = file(open, "open", LOCK)?;
    file(open.lock(), "lock", LOCK)?;
    Ok(open)
}

/// Removes what a cluster left whose process and warden were both killed, and notes the folder of the next one.
pub(super) fn take_over(mut lock: &File, next: &Path) -> Result<(), Error> {
    let mut last = String::new();
    file(lock.read_to_string(&mut last), "read", LOCK)?;
    clear()?;
    // The prefix is that of `Nodes`: a damaged file must not name another folder.
    let last = PathBuf::from(last);
    let is_ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(super::PREFIX);
    if last.is_absolute() && last.file_name().is_some_and(is_ours) && last.exists() {
        file(fs::remove_dir_all(&last), "remove", &last)?;
    }
    let noted = lock.rewind().and_then(|()| lock.set_len(0));
    let noted = noted.and_then(|()| lock.write_all(next.as_os_str().as_encoded_bytes()));
    file(noted, "write", LOCK)
}

/// Ends all processes of nodes, and removes all that they need of the machine.
pub(super) fn clear() -> Result<(), Error> {
    run(Command::new("sh").args(["-c", CLEAR])).map(drop)
}

/// Creates the bridge. Fails if the machine routes one of the ranges elsewhere.
pub(super) fn bridge() -> Result<(), Error> {
    let routes = run(Command::new("ip").args(["-4", "route"]))?;
    let taken =
        |line: &&str| ["10.213.", "10.214.", "10.215."].iter().any(|range| line.starts_with(range));
    if let Some(line) = routes.lines().find(taken) {
        let why = format!("this machine already has the route {line:?}");
        return Err(Error::NoNodes { why, remedy: format!("ip route del {}", line.trim()) });
    }
    let address = format!("{}/24", BRIDGED.api);
    ip(&["link", "add", BRIDGE, "type", "bridge"])?;
    ip(&["addr", "add", &address, "dev", BRIDGE])?;
    ip(&["link", "set", BRIDGE, "up"])
}

/// Connects the node in the network namespace of this process.
pub(super) fn connect(index: u8, process: u32) -> Result<(), Error> {
    let (cable, process) = (cable(index), process.to_string());
    disconnect(index);
    ip(&["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &process])?;
    ip(&["link", "set", &cable, "master", BRIDGE, "up"])?;
    ip(&["route", "replace", &pods(index), "via", &address(index).to_string(), "dev", BRIDGE])
}

/// Removes a node's cable, if it is there.
pub(super) fn disconnect(index: u8) {
    let mut command = Command::new("ip");
    command.args(["link", "del", &cable(index)]).stdout(Stdio::null()).stderr(Stdio::null());
    // An error means that it has gone with its namespace.
    let _ = command.status();
}

/// Lets the machine reach Services through this node.
pub(super) fn route_services(index: u8) -> Result<(), Error> {
    let node = address(index).to_string();
    ip(&["route", "replace", BRIDGED.services, "via", &node, "dev", BRIDGE])
}

/// Creates a cgroup below [`GROUP`], in each hierarchy.
pub(super) fn group(name: &str) -> Result<(), Error> {
    for root in hierarchies()? {
        let mut folder = root.clone();
        for part in Path::new(GROUP).join(name).iter() {
            let above = folder.clone();
            folder.push(part);
            file(fs::create_dir_all(&folder), "create", &folder)?;
            if root.ends_with("cpuset") {
                // It accepts no process before it has these.
                for of in ["cpuset.cpus", "cpuset.mems"] {
                    let all = file(fs::read(above.join(of)), "read", above.join(of))?;
                    file(fs::write(folder.join(of), all), "write", folder.join(of))?;
                }
            }
            // Version 2 has one hierarchy, whose controllers each level passes on. Some may not exist. It has not been
            // tried: the machines of this project have version 1.
            let passed = above.join("cgroup.subtree_control");
            for controller in ["+cpu", "+cpuset", "+io", "+memory", "+pids"] {
                let _ = passed.exists().then(|| fs::write(&passed, controller));
            }
        }
    }
    Ok(())
}

/// Removes a node's cgroups, and returns whether none is left: its processes end one after another.
pub(super) fn ungroup(name: &str) -> Result<bool, Error> {
    let folders = hierarchies()?.into_iter().map(|root| root.join(GROUP).join(name));
    let folders: Vec<PathBuf> = folders.filter(|folder| folder.exists()).collect();
    for folder in &folders {
        let mut find = Command::new("find");
        find.arg(folder).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
        // It fails as long as there are processes.
        let _ = find.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
    Ok(!folders.iter().any(|folder| folder.exists()))
}

/// The root of version 2, or those of all hierarchies of version 1.
fn hierarchies() -> Result<Vec<PathBuf>, Error> {
    let root = PathBuf::from(GROUPS);
    if root.join("cgroup.procs").exists() {
        return Ok(vec![root]);
    }
    let entries = file(fs::read_dir(&root), "read", &root)?;
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    // `unified` is version 2 without controllers, which nothing here uses.
    let usable = |path: &PathBuf| path.join("cgroup.procs").exists() && !path.ends_with("unified");
    // Some names are links to others.
    Ok(folders.filter(|path| usable(path) && !path.is_symlink()).collect())
}

/// A command that runs in a cgroup below [`GROUP`].
pub(in super::super) fn joined(
    name: &str,
    command: Vec<std::ffi::OsString>,
) -> Vec<std::ffi::OsString> {
    let join = ["sh", "-c", JOIN, "sh", &format!("{GROUP}/{name}")].map(Into::into);
    join.into_iter().chain(command).collect()
}

/// What all processes of the cluster have used since its start, pods and control plane included.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// Time of all cores together.
    pub cpu: Duration,
    /// Memory without the file cache.
    pub mebibytes: u64,
}

/// Reads it from the cgroups.
pub(super) fn used() -> Result<Used, Error> {
    let root = PathBuf::from(GROUPS);
    let read = |path: PathBuf| file(fs::read_to_string(&path), "read", &path);
    let line = |text: &str, name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        found.unwrap_or_default()
    };
    if root.join("cgroup.procs").exists() {
        let group = root.join(GROUP);
        let cpu = line(&read(group.join("cpu.stat"))?, "usage_usec ");
        let bytes: u64 = line(&read(group.join("memory.stat"))?, "anon ");
        return Ok(Used { cpu: Duration::from_micros(cpu), mebibytes: bytes >> 20 });
    }
    let cpu = line(&read(root.join("cpuacct").join(GROUP).join("cpuacct.usage"))?, "");
    let bytes: u64 =
        line(&read(root.join("memory").join(GROUP).join("memory.stat"))?, "total_rss ");
    Ok(Used { cpu: Duration::from_nanos(cpu), mebibytes: bytes >> 20 })
}

fn ip(args: &[&str]) -> Result<(), Error> {
    run(Command::new("ip").args(args)).map(drop)
}

/// Runs a program to its end, and returns what it prints.
pub(super) fn run(command: &mut Command) -> Result<String, Error> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let out = command.stdin(Stdio::null()).output().map_err(|source| Error::Missing {
        program: tool.clone(),
        package: "iproute2 util-linux tar",
        source,
    })?;
    let stdout = String::from_utf8_lossy(&out.stdout).into_owned();
    if out.status.success() {
        return Ok(stdout);
    }
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    Err(Error::Tool { tool, args, status: out.status.to_string(), stdout, stderr })
}
