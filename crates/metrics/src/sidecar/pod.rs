//! The traffic and the volumes of a pod, from the kernel's counters.
//!
//! A pod has its own network interface, which is the one of the default route. With `hostNetwork`, clients use the
//! node's cards. It then counts each card once, and no bridge, bond, tunnel or pod's veth over a card.

use procfs_core::net::{InterfaceDeviceStatus, RouteEntries};
use procfs_core::{FromBufRead as _, FromRead as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Flags of a route: it is up; it rejects packets.
const UP: u16 = 0x1;
const REJECT: u16 = 0x200;

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodView {
    /// The directory with `proc` and `sys`: `/`.
    pub root: PathBuf,
    /// The broker's log dirs, as mounted in this container.
    pub log_dirs: Vec<PathBuf>,
}

/// The counters of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodCounters {
    /// By the name of the interface.
    pub interfaces: BTreeMap<String, Carried>,
    /// By path. Log dirs on one volume appear once.
    pub volumes: BTreeMap<PathBuf, Volume>,
    /// Whether the interfaces are the node's.
    pub host_network: bool,
}

/// The traffic of an interface since its creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Carried {
    /// Bytes that it has sent.
    pub transmitted_bytes: u64,
    /// Bytes that it has received.
    pub received_bytes: u64,
}

/// A mounted file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Its total bytes.
    pub size_bytes: u64,
    /// Bytes that a process without privileges may still write.
    pub free_bytes: u64,
}

/// Why the counters could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PodError {
    /// A file that cannot be read or parsed.
    #[error("{}: {problem}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// There is no default route.
    #[error("{} and ipv6_route have no default route, so no interface is the pod's", .path.display())]
    NoDefaultRoute {
        /// The file that was searched.
        path: PathBuf,
    },
    /// The default route's interface has no counters.
    #[error("{}: no interface {interface}, which the default route is for", .path.display())]
    NoInterface {
        /// The file that was searched.
        path: PathBuf,
        /// The interface.
        interface: String,
    },
}

impl PodView {
    /// Reads all counters, at one moment.
    ///
    /// # Errors
    /// [`PodError`] with the file.
    pub fn read(&self) -> Result<PodCounters, PodError> {
        let own = self.default_interface()?;
        let host_network = self.is_nodes(&own);
        let wanted = match host_network {
            true => self.cards(),
            false => BTreeSet::from([own]),
        };
        Ok(PodCounters {
            interfaces: self.carried(wanted)?,
            volumes: self.volumes()?,
            host_network,
        })
    }

    fn carried(&self, wanted: BTreeSet<String>) -> Result<BTreeMap<String, Carried>, PodError> {
        let path = self.root.join("proc/net/dev");
        let InterfaceDeviceStatus(counted) = read(&path, |file| {
            InterfaceDeviceStatus::from_buf_read(BufReader::new(file)).map_err(|e| e.to_string())
        })?;
        let one = |interface: String| match counted.get(&interface) {
            Some(found) => {
                let (transmitted_bytes, received_bytes) = (found.sent_bytes, found.recv_bytes);
                Ok((interface, Carried { transmitted_bytes, received_bytes }))
            }
            None => Err(PodError::NoInterface { path: path.clone(), interface }),
        };
        wanted.into_iter().map(one).collect()
    }

    /// The interface of the default route. Of several routes, the kernel's preferred one counts.
    fn default_interface(&self) -> Result<String, PodError> {
        let path = self.root.join("proc/net/route");
        let RouteEntries(routes) =
            read(&path, |file| RouteEntries::from_read(file).map_err(|error| error.to_string()))?;
        let leads_out = |flags: u16| flags & UP != 0 && flags & REJECT == 0;
        let by_default = routes.iter().filter(|route| {
            route.destination.is_unspecified()
                && route.mask.is_unspecified()
                && leads_out(route.flags)
        });
        let best = by_default.min_by_key(|route| (route.metrics, &route.iface));
        best.map(|route| route.iface.clone())
            .or_else(|| default_of_ipv6(&self.root.join("proc/net/ipv6_route")))
            .ok_or(PodError::NoDefaultRoute { path })
    }

    fn sys(&self, interface: &str) -> PathBuf {
        self.root.join("sys/class/net").join(interface)
    }

    /// Whether it is hardware, or an interface over hardware. Such an interface does not belong to a pod.
    fn is_nodes(&self, interface: &str) -> bool {
        self.is_card(interface)
            || names(&self.sys(interface))
                .iter()
                .filter_map(|name| name.strip_prefix("lower_"))
                .any(|lower| lower != interface && self.is_nodes(lower))
    }

    fn is_card(&self, interface: &str) -> bool {
        self.sys(interface).join("device").exists()
    }

    /// The node's cards. If a card has another card as its master, only the master counts.
    fn cards(&self) -> BTreeSet<String> {
        let mastered = |interface: &String| {
            let master = self.sys(interface).join("master").read_link();
            let master = master.ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
            master.is_some_and(|master| self.is_card(&master))
        };
        let all = names(&self.root.join("sys/class/net")).into_iter();
        all.filter(|name| self.is_card(name)).filter(|name| !mastered(name)).collect()
    }

    fn volumes(&self) -> Result<BTreeMap<PathBuf, Volume>, PodError> {
        let (mut devices, mut volumes) = (BTreeSet::new(), BTreeMap::new());
        for path in &self.log_dirs {
            let failed = |problem: io::Error| PodError::Unreadable {
                path: path.clone(),
                problem: problem.to_string(),
            };
            if devices.insert(std::fs::metadata(path).map_err(failed)?.dev()) {
                let stat = rustix::fs::statvfs(path).map_err(|error| failed(error.into()))?;
                let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
                let volume =
                    Volume { size_bytes: bytes(stat.f_blocks), free_bytes: bytes(stat.f_bavail) };
                volumes.insert(path.clone(), volume);
            }
        }
        Ok(volumes)
    }
}

fn read<T>(path: &Path, parse: impl FnOnce(File) -> Result<T, String>) -> Result<T, PodError> {
    let read = File::open(path).map_err(|error| error.to_string()).and_then(parse);
    read.map_err(|problem| PodError::Unreadable { path: path.to_owned(), problem })
}

/// The names in a folder. Empty if it cannot be read, because a pod may have no access to it.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The interface of `::/0` with the lowest metric. Skips the kernel's own route on `lo`, which rejects everything.
fn default_of_ipv6(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [to, length, _, _, _, metric, _, _, _, interface] = fields[..] else { return None };
        let by_default = length == "00" && to.bytes().all(|digit| digit == b'0');
        let metric = u32::from_str_radix(metric, 16).ok()?;
        (by_default && interface != "lo").then(|| (metric, interface.to_owned()))
    };
    text.lines().filter_map(route).min().map(|(_, interface)| interface)
}
