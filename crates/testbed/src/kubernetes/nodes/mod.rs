//! Real nodes: a kubelet, containerd, runc, kube-proxy and a network of pods each, so that pods run.
//!
//! In: names and zones. Out: [`Nodes`], with a [`Kubernetes`] whose pods start containers from [images](Image) of Kafka
//! and of this workspace. Probes, init containers, volumes, Services and names are real.
//!
//! A node is a set of namespaces that one process holds, so its power is cut by one signal. The machine itself has a
//! bridge with a cable to each node, some routes and cgroups; the rules of kube-proxy are in the nodes. This needs root
//! ([`check`]).
//!
//! One cluster at a time runs on a machine, and the tests of one process take turns with it. It ends with the last of
//! them, or with their process, however that ends: a warden removes everything, and the next start looks again.
//!
//! ```no_run
//! use mappr_testbed::{Error, Image, Nodes, Version};
//!
//! # let (manifests, job) = ("", "");
//! let nodes = Nodes::start(&[("a", "eu-1a"), ("b", "eu-1b"), ("c", "eu-1c")])?;
//! nodes.load(&Image::kafka(Version::V4_3))?;
//! nodes.load(&Image::ours())?;
//! nodes.kubernetes().apply(manifests)?;
//! nodes.ready_pods("kafka", "app=kafka", 3)?;
//! nodes.crash("a")?;
//! nodes.await_lost("a")?;
//! nodes.wipe_node("a")?;
//! nodes.start_node("a")?;
//! println!("{}", nodes.job("kafka", job)?);
//! # Ok::<(), Error>(())
//! ```

mod image;
mod layer;
mod machine;
mod needs;
mod node;
mod pods;
mod program;
mod running;

use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Kubernetes;
use crate::error::{Error, file};
use machine::DNS;
use node::Node;
use running::{Running, all};

pub use image::Image;
pub use machine::Used;
pub use needs::check;
pub use program::build;

pub(super) use machine::joined;

/// The start of the name of a cluster's folder.
const PREFIX: &str = "nodes-";
/// Its StorageClass, the default one: folders of the nodes, for pods that are placed before their volumes.
const STORAGE: &str = "local";
const REGION: &str = "topology.kubernetes.io/region";
/// The user of kube-proxy, which Kubernetes' own roles know.
const PROXY: &str = "system:kube-proxy";

/// The cluster of this process, if it runs.
static RUNNING: Mutex<Option<Running>> = Mutex::new(None);
/// How many tests wait for it.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The right of one test to use real nodes. Dropping it passes them on to the next test, or ends them.
///
/// Its methods block. They also work inside a runtime.
#[derive(Debug)]
pub struct Nodes {
    // It contains a cluster as long as this value exists.
    running: MutexGuard<'static, Option<Running>>,
}

impl Nodes {
    /// Nodes with these names and zones, ready for pods (40 s). Waits until no other test uses real nodes. The first call
    /// on a machine [builds](build) programs and makes images.
    ///
    /// The next test of this process finds the same nodes on, without the namespaces and volumes of the test before.
    ///
    /// # Errors
    /// [`Error::NoNodes`] if this machine cannot run them.
    pub fn start(zones: &[(&str, &str)]) -> Result<Self, Error> {
        check()?;
        WAITING.fetch_add(1, Ordering::SeqCst);
        // A test that panicked has ended its cluster.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        WAITING.fetch_sub(1, Ordering::SeqCst);
        let reused = running.as_ref().is_some_and(|running| {
            running.has(zones) && running.tidy().inspect_err(|why| eprintln!("{why}")).is_ok()
        });
        if !reused {
            drop(running.take());
            *running = Some(Running::start(zones)?);
        }
        Ok(Self { running })
    }

    fn inner(&self) -> &Running {
        let Some(running) = &*self.running else {
            unreachable!("the cluster is taken in drop only");
        };
        running
    }

    /// The control plane: manifests, pods, accounts.
    pub fn kubernetes(&self) -> &Kubernetes {
        &self.inner().kubernetes
    }

    /// The kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubernetes().kubeconfig()
    }

    /// Loads an image into every node that is on; the others get it when they start.
    pub fn load(&self, image: &Image) -> Result<(), Error> {
        let running = self.inner();
        let mut images = running.images();
        if !images.contains(image) {
            images.push(image.clone());
        }
        // Made once, before all nodes want it.
        image.folder()?;
        let nodes = running.nodes();
        all(nodes.iter().filter(|node| node.is_on()), |node| node.import(image))
    }

    /// Cuts a node's power with one SIGKILL. Returns when nothing on it runs. Its disk stays.
    ///
    /// The API counts it as lost 8 s later: [`await_lost`](Self::await_lost).
    pub fn crash(&self, name: &str) -> Result<(), Error> {
        self.inner().with(name, Node::crash)?;
        self.inner().route_services()
    }

    /// Waits until the API counts a node as lost.
    pub fn await_lost(&self, name: &str) -> Result<(), Error> {
        self.kubernetes().await_node(name, "Unknown")
    }

    /// Switches a node on again, and returns when it is ready for pods. What ran before the crash starts again a moment
    /// later.
    pub fn start_node(&self, name: &str) -> Result<(), Error> {
        self.inner().start_node(name)
    }

    /// Replaces the disk of a node that is off by an empty one: containers, images, volumes.
    pub fn wipe_node(&self, name: &str) -> Result<(), Error> {
        self.inner().with(name, |node| match node.is_on() {
            true => Err(Error::WrongNode { name: node.name.clone(), state: "on" }),
            false => node.wipe(),
        })
    }

    /// A program of this machine that runs on a node: in its network, with its processes and mounts.
    pub fn on_node(&self, name: &str, program: &str) -> Result<Command, Error> {
        self.inner().with(name, |node| node.enter(program))
    }

    /// A program of this machine that resolves the cluster's names. The machine reaches Services, pods and nodes.
    pub fn resolving(&self, program: impl AsRef<OsStr>) -> Result<Command, Error> {
        let path = self.kubernetes().path().join("resolv.conf");
        let text =
            format!("nameserver {DNS}\nsearch svc.cluster.local cluster.local\noptions ndots:3\n");
        file(fs::write(&path, text), "write", &path)?;
        let mut command = Command::new("unshare");
        let script = "mount --bind \"$1\" /etc/resolv.conf; shift; exec \"$@\"";
        command.args(["--mount", "sh", "-ec", script, "sh"]).arg(path).arg(program);
        Ok(command)
    }

    /// The address of a node. The machine reaches its NodePorts there.
    pub fn address(&self, name: &str) -> Result<Ipv4Addr, Error> {
        self.inner().with(name, |node| Ok(machine::address(node.index)))
    }

    /// What the whole cluster has used since its start.
    pub fn used(&self) -> Result<Used, Error> {
        machine::used()
    }

    /// Ends the cluster, whether or not another test waits for it.
    pub fn end(mut self) {
        drop(self.running.take());
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        // What a panic left may not be what the next test needs, and idle nodes take a tenth of a core.
        if thread::panicking() || WAITING.load(Ordering::SeqCst) == 0 {
            drop(self.running.take());
        }
    }
}

/// The user of a node's kubelet.
fn user(node: &str) -> String {
    format!("system:node:{node}")
}
