//! What a pod's network and volumes carry, as the kernel counts it.
//!
//! A pod has an interface of its own: that of the default route. With `hostNetwork` the node's cards are what clients
//! share: each card once, and no bridge, bond, tunnel or pod's cable that leads over one.

use procfs_core::net::{InterfaceDeviceStatus, RouteEntries};
use procfs_core::{FromBufRead as _, FromRead as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Flags of a route: it is up; it turns packets away.
const UP: u16 = 0x1;
const REJECT: u16 = 0x200;

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodView {
    /// What `proc` and `sys` are below: `/`.
    pub root: PathBuf,
    /// The broker's log dirs, as they are mounted here.
    pub log_dirs: Vec<PathBuf>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodCounters {
    /// By the name of the interface.
    pub interfaces: BTreeMap<String, Carried>,
    /// By path; log dirs of one volume are one.
    pub volumes: BTreeMap<PathBuf, Volume>,
    /// The interfaces are the node's.
    pub host_network: bool,
}

/// What an interface has carried since it was made.
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
    /// Bytes that it holds.
    pub size_bytes: u64,
    /// Bytes that a process without privileges may still write.
    pub free_bytes: u64,
}

/// Why nobody knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PodError {
    /// A file that cannot be read, or says what is not understood.
    #[error("{}: {problem}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// No route leads out.
    #[error("{} and ipv6_route have no default route, so no interface is the pod's", .path.display())]
    NoDefaultRoute {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The default route's interface is not counted.
    #[error("{}: no interface {interface}, which the default route is for", .path.display())]
    NoInterface {
        /// Where it was looked for.
        path: PathBuf,
        /// Which.
        interface: String,
    },
}

impl PodView {
    /// Reads all counters, at one moment.
    ///
    /// # Errors
    /// [`PodError`], naming the file.
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

    /// The interface of the default route; of several, the one that the kernel prefers.
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

    /// Hardware, or leads over hardware: such an interface is no pod's own.
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

    /// The node's cards. One that another card masters is counted by that one.
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

/// Nothing where there is nothing: a pod may be denied the folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// `::/0` with the least metric; the kernel lists one of its own, on `lo`, that turns everything away.
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
