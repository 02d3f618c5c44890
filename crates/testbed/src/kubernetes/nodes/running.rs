//! The cluster of real nodes that runs in this process: how it starts, is tidied for the next test, and ends.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tempfile::TempDir;

use super::super::{Component, Failure, Kubernetes, SOON};
use super::image::Image;
use super::machine::{self, BRIDGED, DNS};
use super::node::Node;
use super::{PREFIX, PROXY, STORAGE, build, user};
use crate::error::{Error, file};
use crate::process::Warden;
use crate::wait::until;

const DNS_MANIFESTS: &str = include_str!("../../../kubernetes/nodes/coredns.yaml");
/// Namespaces that are not a test's.
const OWN_NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// A cluster that runs.
#[derive(Debug)]
pub(super) struct Running {
    // Fields drop in this order: nodes, control plane, lock.
    nodes: Mutex<Vec<Node>>,
    pub(super) kubernetes: Kubernetes,
    images: Mutex<Vec<Image>>,
    program: PathBuf,
    _lock: File,
}

impl Running {
    pub(super) fn start(zones: &[(&str, &str)]) -> Result<Self, Error> {
        let programs = build()?;
        let control = super::super::build()?;
        let lock = machine::lock()?;
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir();
        let folder = file(folder, "create", env::temp_dir())?;
        machine::take_over(&lock, folder.path())?;
        let started = Self::start_in(folder, lock, &programs, control, zones);
        if started.is_err() {
            // The first failure is the one to report. The next start tries again, too.
            let _ = machine::clear();
        }
        started
    }

    fn start_in(
        folder: TempDir,
        lock: File,
        programs: &Path,
        control: PathBuf,
        zones: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let afterwards = folder.path().join("afterwards");
        file(fs::write(&afterwards, machine::CLEAR), "write", &afterwards)?;
        let held = file(lock.try_clone(), "open", folder.path())?;
        let warden = Warden::holding(folder.path(), held)?;
        machine::bridge()?;
        machine::group("control")?;
        let users = zones.iter().map(|(name, _)| (user(name), "system:nodes"));
        let users: Vec<(String, &str)> = users.chain([(PROXY.to_owned(), "")]).collect();
        let kubernetes = Kubernetes::prepare(control, folder, warden, &BRIDGED, &users)?;
        let running = Self {
            nodes: Mutex::default(),
            kubernetes,
            images: Mutex::new(vec![Image::pause(), Image::coredns(programs.join("coredns"))]),
            program: programs.join("nodelab"),
            _lock: lock,
        };
        running.begin(zones)?;
        Ok(running)
    }

    fn begin(&self, zones: &[(&str, &str)]) -> Result<(), Error> {
        let root = self.kubernetes.path();
        let pki = root.join("pki");
        let client = ("kubelet-client", "testbed/O=system:masters");
        crate::certificates::leaf_of(&pki, "ca", client, "extendedKeyUsage=clientAuth")?;
        let count = u8::try_from(zones.len()).unwrap_or(u8::MAX);
        let nodes: Result<Vec<Node>, Error> = (1..=count)
            .zip(zones)
            .map(|(index, zone)| Node::prepare(root, *zone, index, 1..=count))
            .collect();
        *self.nodes() = nodes?;
        let parts = [Component::Etcd, Component::ApiServer];
        let parts = parts.into_iter().chain([Component::ControllerManager, Component::Scheduler]);
        self.kubernetes.begin(&parts.collect::<Vec<_>>())?;
        self.apply_nodes()?;
        for image in &*self.images() {
            image.folder()?;
        }
        self.boot_all()?;
        self.kubernetes.apply(&DNS_MANIFESTS.replace("@dns@", DNS))?;
        self.kubernetes.ready_pods("kube-system", "k8s-app=kube-dns", 2).map(drop)
    }

    /// Switches on all nodes that are off, and returns when they are ready for pods.
    fn boot_all(&self) -> Result<(), Error> {
        let images = self.images().clone();
        let mut nodes = self.nodes();
        let off = nodes.iter_mut().filter(|node| !node.is_on());
        all(off, |node| node.boot(&self.kubernetes.warden, &self.program, &images))?;
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        drop(nodes);
        self.route_services()?;
        names.iter().try_for_each(|name| self.await_ready(name))
    }

    pub(super) fn start_node(&self, name: &str) -> Result<(), Error> {
        let images = self.images().clone();
        // It may have been deleted from the API.
        let manifest = self.with(name, |node| Ok(node.manifest().to_string()))?;
        self.kubernetes.apply(&manifest)?;
        self.with(name, |node| match node.is_on() {
            true => Err(Error::WrongNode { name: node.name.clone(), state: "on" }),
            false => node.boot(&self.kubernetes.warden, &self.program, &images),
        })?;
        self.route_services()?;
        self.await_ready(name)
    }

    fn await_ready(&self, name: &str) -> Result<(), Error> {
        self.kubernetes.await_node(name, "True").map_err(|why| match why {
            Error::Timeout { what, within, .. } => {
                let log = self.with(name, |node| Ok(node.log())).unwrap_or_default();
                Error::Timeout { what, within, log }
            }
            other => other,
        })?;
        self.await_services(name)
    }

    /// Waits until kube-proxy has set its rules on a node. A pod that starts before them reaches no Service.
    fn await_services(&self, name: &str) -> Result<(), Error> {
        until(format!("rules of kube-proxy on node {name}"), SOON, || {
            let rules = self.with(name, |node| {
                let rules = ["--wait", "--table", "nat", "--list-rules", "KUBE-SERVICES"];
                Ok(node.enter("iptables")?.args(rules).output())
            });
            let rules = rules.ok().and_then(Result::ok)?.stdout;
            String::from_utf8_lossy(&rules).contains("default/kubernetes").then_some(())
        })
    }

    /// The nodes and their volumes for the API.
    fn apply_nodes(&self) -> Result<(), Error> {
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {
                "name": STORAGE,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Retain",
        });
        let mut manifests = class.to_string();
        for node in &*self.nodes() {
            for manifest in std::iter::once(node.manifest()).chain(node.volumes()) {
                manifests += &format!("\n---\n{manifest}");
            }
        }
        self.kubernetes.apply(&manifests)
    }

    /// The machine reaches Services through the first node that is on.
    pub(super) fn route_services(&self) -> Result<(), Error> {
        let nodes = self.nodes();
        let on = nodes.iter().find(|node| node.is_on());
        on.map_or(Ok(()), |node| machine::route_services(node.index))
    }

    pub(super) fn has(&self, zones: &[(&str, &str)]) -> bool {
        let nodes = self.nodes();
        nodes.iter().map(|node| (node.name.as_str(), node.zone.as_str())).eq(zones.iter().copied())
    }

    /// Switches all nodes on, and removes the namespaces and volumes of the test before.
    pub(super) fn tidy(&self) -> Result<(), Error> {
        self.apply_nodes()?;
        self.boot_all()?;
        self.kubernetes.run("namespaces of the test before", |client| async move {
            let namespaces: Api<Namespace> = Api::all(client.clone());
            for name in names_of(&namespaces).await? {
                namespaces.delete(&name, &DeleteParams::default()).await?;
                // Nothing starts there any more, and no pod needs the time of a clean stop.
                let pods: Api<Pod> = Api::namespaced(client.clone(), &name);
                let soon = DeleteParams::default().grace_period(1);
                pods.delete_collection(&soon, &ListParams::default()).await?;
            }
            Ok(())
        })?;
        until("end of the namespaces of the test before", SOON, || {
            let left = self.kubernetes.run("namespaces", |client| async move {
                names_of(&Api::<Namespace>::all(client)).await
            });
            left.is_ok_and(|names| names.is_empty()).then_some(())
        })?;
        self.kubernetes.run("volumes of the test before", |client| async move {
            let volumes: Api<PersistentVolume> = Api::all(client);
            volumes.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
            while !volumes.list(&ListParams::default()).await?.items.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            Ok(())
        })?;
        self.nodes().iter().try_for_each(Node::empty_volumes)?;
        self.apply_nodes()
    }

    pub(super) fn with<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut Node) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut nodes = self.nodes();
        let node = nodes.iter_mut().find(|node| node.name == name);
        let missing = || Error::WrongNode { name: name.to_owned(), state: "not in this cluster" };
        work(node.ok_or_else(missing)?)
    }

    /// The nodes are valid even after a test panicked while it held the lock.
    pub(super) fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn images(&self) -> MutexGuard<'_, Vec<Image>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The power of all nodes first: it ends what is on them.
        self.nodes().clear();
        for component in Component::ALL {
            self.kubernetes.stop(component);
        }
        // A failure here cannot be handled, and the next start tries again.
        if let Err(why) = machine::clear() {
            eprintln!("{why}");
        }
    }
}

/// The namespaces that tests have made.
async fn names_of(namespaces: &Api<Namespace>) -> Result<Vec<String>, Failure> {
    let all = namespaces.list(&ListParams::default()).await?;
    let names = all.iter().map(ResourceExt::name_any);
    Ok(names.filter(|name| !OWN_NAMESPACES.contains(&name.as_str())).collect())
}

/// Does the same to all nodes at a time. The error is that of the first node that has one.
pub(super) fn all<N: Send>(
    nodes: impl Iterator<Item = N>,
    work: impl Fn(N) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let (nodes, work): (Vec<N>, _) = (nodes.collect(), &work);
    thread::scope(|scope| {
        let tasks: Vec<_> = nodes.into_iter().map(|node| scope.spawn(move || work(node))).collect();
        let died = || Error::Died {
            node: "a node's thread".to_owned(),
            status: "panic".to_owned(),
            log: String::new(),
        };
        let mut ends = tasks.into_iter().map(|task| task.join().unwrap_or_else(|_| Err(died())));
        ends.find(Result::is_err).unwrap_or(Ok(()))
    })
}
