//! A real Kubernetes API on loopback, with real controllers and simulated nodes.
//!
//! In: nothing. Out: a running [`Kubernetes`], kubeconfigs for its administrator and for service accounts (RBAC is on),
//! and nodes that a test adds and removes. It ends with the process that started it, and leaves no file. The program
//! itself stays in the [cache](crate::cache).
//!
//! Admission, controllers, scheduler, watches and evictions are real. Only the kubelet is simulated: no container runs,
//! there are no probes, and the pods have no network. The rules of `kubernetes/stages.yaml` write the pods' status.
//! [`Brokers`](crate::Brokers) joins pods to real Kafka brokers. [`Nodes`](nodes::Nodes) has real kubelets instead.

mod apply;
mod component;
mod door;
mod files;
pub mod nodes;
mod program;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Node, Pod, ServiceAccount};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tempfile::TempDir;

use crate::error::{Error, file};
use crate::ports::Block;
use crate::process::{Process, Warden};
use crate::wait::until;
use component::{LOOPBACK, Net};
use door::Door;

pub use component::Component;
pub use door::Failure;
pub use program::build;

/// The indexes of the ports in the block.
const ETCD: u16 = 1;
const ETCD_PEER: u16 = 2;
const API: u16 = 3;
const MANAGER: u16 = 4;
const SCHEDULER: u16 = 5;
const KUBELETS: u16 = 6;

/// The label of a node. Its kubelet runs if the value is `up`.
pub(crate) const KUBELET: &str = "testbed/kubelet";
const ZONE: &str = "topology.kubernetes.io/zone";

/// Long enough for two busy cores. Only a broken component takes this long.
const SOON: Duration = Duration::from_secs(300);

/// A Kubernetes control plane. Dropping it ends every process and removes every file.
///
/// Its methods block. They also work inside a runtime.
#[derive(Debug)]
pub struct Kubernetes {
    // Fields drop in this order: client, processes, then files, then the warden.
    door: Door,
    processes: Mutex<BTreeMap<Component, Process>>,
    folder: TempDir,
    warden: Warden,
    ports: Block,
    net: &'static Net,
    program: PathBuf,
}

impl Kubernetes {
    /// Starts a control plane without nodes, and returns when it works (10 s). The first call on a machine
    /// [builds](build) the program.
    pub fn start() -> Result<Self, Error> {
        let program = build()?;
        let folder = tempfile::Builder::new().prefix("mappr-testbed-kubernetes-").tempdir();
        let folder = file(folder, "create", std::env::temp_dir())?;
        let warden = Warden::of(folder.path())?;
        let kubernetes = Self::prepare(program, folder, warden, &LOOPBACK, &[])?;
        kubernetes.begin(&Component::ALL)?;
        Ok(kubernetes)
    }

    /// Writes the files of a control plane. `of_nodes` are users with their groups.
    fn prepare(
        program: PathBuf,
        folder: TempDir,
        warden: Warden,
        net: &'static Net,
        of_nodes: &[(String, &str)],
    ) -> Result<Self, Error> {
        let ports = Block::take(&[Ipv4Addr::LOCALHOST, net.api])?;
        files::write(folder.path(), &ports, net, of_nodes)?;
        let door = Door::open(&files::kubeconfig_of(folder.path(), "admin"))?;
        Ok(Self { door, processes: Mutex::default(), folder, warden, ports, net, program })
    }

    /// Starts the first two one by one and the others together, and returns when they work.
    fn begin(&self, components: &[Component]) -> Result<(), Error> {
        self.resume(Component::Etcd)?;
        self.resume(Component::ApiServer)?;
        let others = &components[2..];
        others.iter().try_for_each(|component| self.launch(*component))?;
        others.iter().try_for_each(|component| self.await_ready(*component))?;
        self.await_account("default", "default")
    }

    /// The kubeconfig of the administrator, who has all rights.
    pub fn kubeconfig(&self) -> PathBuf {
        files::kubeconfig_of(self.path(), "admin")
    }

    /// The kubeconfig of a service account, which has the rights that roles grant. Creates the account and its
    /// namespace if they do not exist.
    pub fn service_account(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        self.apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}\n---\n\
             {{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {name}, namespace: {namespace}}}}}"
        ))?;
        let (within, account) = (namespace.to_owned(), name.to_owned());
        let what = format!("a token for {namespace}/{name}");
        let token = self.run(&what, move |client| async move {
            let accounts: Api<ServiceAccount> = Api::namespaced(client, &within);
            let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                                 "spec": {"audiences": [], "expirationSeconds": 86400}});
            let made: TokenRequest = accounts
                .create_subresource("token", &account, &PostParams::default(), &request)
                .await?;
            Ok(made.status.map(|status| status.token).unwrap_or_default())
        })?;
        let user = format!("system:serviceaccount:{namespace}:{name}");
        files::kubeconfig(self.path(), &self.ports, self.net, &user, &token)
    }

    /// Adds a node, and returns when it is ready for pods.
    pub fn node(&self, name: &str, zone: &str, labels: &[(&str, &str)]) -> Result<(), Error> {
        let mut all = BTreeMap::from([
            (KUBELET, "up"),
            (ZONE, zone),
            ("kubernetes.io/hostname", name),
            ("kubernetes.io/os", "linux"),
        ]);
        all.extend(labels.iter().copied());
        let node =
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": all}});
        self.apply(&node.to_string())?;
        self.await_node(name, "True")
    }

    /// Stops a node's kubelet, and returns when the node counts as lost (8 s).
    pub fn node_down(&self, name: &str) -> Result<(), Error> {
        self.label_node(name, "down")?;
        self.await_node(name, "Unknown")
    }

    /// Starts a node's kubelet again, and returns when the node is ready for pods.
    pub fn node_up(&self, name: &str) -> Result<(), Error> {
        self.label_node(name, "up")?;
        self.await_node(name, "True")
    }

    /// Deletes a node. The controllers remove its pods up to 75 s later.
    pub fn delete_node(&self, name: &str) -> Result<(), Error> {
        let node = name.to_owned();
        self.run(&format!("deletion of node {name}"), move |client| async move {
            Api::<Node>::all(client).delete(&node, &DeleteParams::default()).await?;
            Ok(())
        })
    }

    /// Deletes a pod. Its controller, if any, creates another.
    pub fn delete_pod(&self, namespace: &str, name: &str) -> Result<(), Error> {
        self.delete_pod_with(namespace, name, DeleteParams::default())
    }

    /// Deletes a pod without waiting for a silent kubelet, as an operator does after the loss of a node.
    pub fn force_delete_pod(&self, namespace: &str, name: &str) -> Result<(), Error> {
        self.delete_pod_with(namespace, name, DeleteParams::default().grace_period(0))
    }

    fn delete_pod_with(&self, namespace: &str, name: &str, how: DeleteParams) -> Result<(), Error> {
        let (within, pod) = (namespace.to_owned(), name.to_owned());
        self.run(&format!("deletion of pod {namespace}/{name}"), move |client| async move {
            Api::<Pod>::namespaced(client, &within).delete(&pod, &how).await?;
            Ok(())
        })
    }

    /// Applies manifests, as `kubectl apply --server-side --force-conflicts` does.
    pub fn apply(&self, manifests: &str) -> Result<(), Error> {
        let manifests = manifests.to_owned();
        self.run("manifests to apply", |client| apply::all(client, manifests))
    }

    /// Adds the ServiceMonitor kind to the API, as Prometheus' operator does.
    pub fn add_service_monitors(&self) -> Result<(), Error> {
        self.apply(include_str!("../../crds/servicemonitors.yaml"))?;
        self.run("the kind ServiceMonitor", |client| {
            apply::until_served(client, "servicemonitors.monitoring.coreos.com")
        })
    }

    /// Adds the kinds KafkaNodePool and StrimziPodSet to the API, as an installation of Strimzi does.
    pub fn add_strimzi(&self) -> Result<(), Error> {
        self.apply(&crate::strimzi::definitions()?)?;
        crate::strimzi::DEFINITIONS
            .iter()
            .try_for_each(|name| self.run(name, |client| apply::until_served(client, name)))
    }

    /// Waits until exactly `count` pods match the selector and all are ready. Returns them sorted by name.
    pub fn ready_pods(
        &self,
        namespace: &str,
        selector: &str,
        count: usize,
    ) -> Result<Vec<Pod>, Error> {
        let what = format!("{count} ready pods in {namespace} with {selector:?}");
        self.pods(&what, namespace, selector, move |pods| {
            (pods.len() == count && pods.iter().all(is_ready)).then(|| pods.to_vec())
        })
    }

    /// Watches the pods that match the selector, sorted by name, until `look` returns something.
    pub fn pods<T: Send + 'static>(
        &self,
        what: &str,
        namespace: &str,
        selector: &str,
        look: impl Fn(&[Pod]) -> Option<T> + Send + 'static,
    ) -> Result<T, Error> {
        let api = |client| Api::<Pod>::namespaced(client, namespace);
        self.door.watch(what, SOON, api, selector, move |pods| {
            look(&pods.values().cloned().collect::<Vec<_>>())
        })
    }

    /// Runs any other work against the API, as the administrator. Errors contain `what`.
    pub fn run<T, F>(&self, what: &str, work: impl FnOnce(Client) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        self.door.run(what, SOON, work)
    }

    /// Passes all objects of a kind to `tell`, and again after each change, until `tell` stops it.
    pub(crate) fn follow<K>(
        &self,
        api: impl FnOnce(Client) -> Api<K>,
        tell: impl Fn(&BTreeMap<String, K>) -> bool + Send + 'static,
    ) where
        K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
    {
        self.door.follow(api, tell);
    }

    /// Kills a process at once. Its state is in etcd.
    pub fn stop(&self, component: Component) {
        // Dropping a process kills it.
        self.processes().remove(&component);
    }

    /// Starts a stopped process, and returns when it works.
    pub fn resume(&self, component: Component) -> Result<(), Error> {
        self.launch(component)?;
        self.await_ready(component)
    }

    /// Its folder, for a test's files that must not outlive it.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The map is valid even after a test panicked while it held the lock.
    fn processes(&self) -> MutexGuard<'_, BTreeMap<Component, Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn launch(&self, component: Component) -> Result<(), Error> {
        let mut command = component.command(&self.program, self.path(), &self.ports, self.net);
        if self.net.has_nodes() {
            command = nodes::joined("control", command);
        }
        let process = self.warden.launch(component.name(), &command)?;
        self.processes().insert(component, process);
        Ok(())
    }

    /// Probes a component until it is ready, and fails at once if it ends instead.
    fn await_ready(&self, component: Component) -> Result<(), Error> {
        let name = component.name();
        let probe = component.probe(&self.ports, self.net);
        let seen = until(format!("start of {name}"), SOON, || {
            let ended = self.processes().get_mut(&component).and_then(Process::ended);
            ended.map(Some).or_else(|| self.door.answers(&probe).then_some(None))
        });
        let log = || self.last_words(name);
        match seen {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                Err(Error::Died { node: name.to_owned(), status: status.to_string(), log: log() })
            }
            Err(Error::Timeout { what, within, .. }) => {
                Err(Error::Timeout { what, within, log: format!("\n{}", log()) })
            }
            Err(other) => Err(other),
        }
    }

    fn last_words(&self, name: &str) -> String {
        let out = std::fs::read(self.path().join(name).join("stdout.log")).unwrap_or_default();
        crate::jars::tail(&String::from_utf8_lossy(&out), 12)
    }

    fn label_node(&self, name: &str, kubelet: &str) -> Result<(), Error> {
        let patch = json!({"metadata": {"labels": {KUBELET: kubelet}}});
        let node = name.to_owned();
        self.run(&format!("label of node {name}"), move |client| async move {
            let nodes = Api::<Node>::all(client);
            nodes.patch(&node, &PatchParams::default(), &Patch::Merge(patch)).await?;
            Ok(())
        })
    }

    /// A ready node without a taint accepts pods. A lost node gets its taint before its pods are evicted.
    fn await_node(&self, name: &str, ready: &'static str) -> Result<(), Error> {
        let node = name.to_owned();
        self.door.watch(
            &format!("node {name}: Ready={ready}"),
            SOON,
            Api::<Node>::all,
            &format!("kubernetes.io/hostname={name}"),
            move |nodes| {
                let node = nodes.get(&node)?;
                let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
                let tainted = taints.is_some_and(|taints| !taints.is_empty());
                let conditions = node.status.as_ref()?.conditions.as_ref()?;
                let is = conditions.iter().find(|is| is.type_ == "Ready")?.status.as_str();
                (is == ready && tainted == (ready != "True")).then_some(())
            },
        )
    }

    /// A namespace accepts no pod before its service account exists.
    fn await_account(&self, namespace: &str, name: &str) -> Result<(), Error> {
        let account = name.to_owned();
        self.door.watch(
            &format!("service account {namespace}/{name}"),
            SOON,
            |client| Api::<ServiceAccount>::namespaced(client, namespace),
            "",
            move |accounts| accounts.contains_key(&account).then_some(()),
        )
    }
}

impl Drop for Kubernetes {
    fn drop(&mut self) {
        // In parallel, because each takes a moment to free its memory.
        let processes = std::mem::take(&mut *self.processes());
        std::thread::scope(|scope| {
            for process in processes.into_values() {
                scope.spawn(move || drop(process));
            }
        });
    }
}

/// Whether a pod is ready and not being deleted.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = |all: &Vec<_>| {
        all.iter().any(|is: &k8s_openapi::api::core::v1::PodCondition| {
            is.type_ == "Ready" && is.status == "True"
        })
    };
    pod.metadata.deletion_timestamp.is_none() && conditions.is_some_and(ready)
}
