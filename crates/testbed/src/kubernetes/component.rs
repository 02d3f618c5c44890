//! The processes of a control plane: how to start each, and how to find out whether it is ready.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;

use super::{API, ETCD, ETCD_PEER, KUBELETS, MANAGER, SCHEDULER, files};
use crate::ports::Block;

/// Where the API is, and the addresses that the cluster uses.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) api: Ipv4Addr,
    pub(super) pods: &'static str,
    pub(super) services: &'static str,
    /// The first address of the services: the API's own.
    pub(super) api_service: &'static str,
}

/// For simulated nodes: nothing outside of the machine, and no pod has a network.
pub(super) const LOOPBACK: Net = Net {
    api: Ipv4Addr::LOCALHOST,
    pods: "10.244.0.0/16",
    services: "10.96.0.0/16",
    api_service: "10.96.0.1",
};

impl Net {
    /// Whether the nodes are real.
    pub(super) fn has_nodes(&self) -> bool {
        !self.api.is_loopback()
    }
}

/// One process of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The store behind the API.
    Etcd,
    /// The API itself.
    ApiServer,
    /// The controllers: stateful sets, jobs, nodes, garbage, ...
    ControllerManager,
    /// Assigns pods to nodes.
    Scheduler,
    /// Kwok: the simulated kubelets of all nodes.
    Kubelets,
}

/// Collecting garbage is half the work of an API server at its start. Without it, one needs 2.5 CPU seconds and 440 MiB
/// until it is ready.
const COLLECT_LATE: [&str; 3] = ["env", "GOGC=off", "GOMEMLIMIT=1GiB"];

impl Component {
    /// In start order.
    pub(super) const ALL: [Self; 5] =
        [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::Scheduler, Self::Kubelets];

    /// The name of its folder, and of the program's mode.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelets => "kwok",
        }
    }

    /// The address and path that answer when it is ready.
    pub(super) fn probe(self, ports: &Block, net: &Net) -> (String, &'static str) {
        let (scheme, port, path) = match self {
            Self::Etcd => ("http", ETCD, "/health"),
            Self::ApiServer => ("https", API, "/readyz"),
            Self::ControllerManager => ("https", MANAGER, "/healthz"),
            Self::Scheduler => ("https", SCHEDULER, "/readyz"),
            Self::Kubelets => ("http", KUBELETS, "/healthz"),
        };
        let host = if self == Self::ApiServer { net.api } else { Ipv4Addr::LOCALHOST };
        (format!("{scheme}://{host}:{}", ports.at(port)), path)
    }

    /// The command line.
    pub(super) fn command(
        self,
        program: &Path,
        folder: &Path,
        ports: &Block,
        net: &Net,
    ) -> Vec<OsString> {
        let own = match self {
            Self::Etcd => etcd(folder, ports),
            Self::ApiServer => api_server(folder, ports, net),
            Self::ControllerManager => controller_manager(folder, ports, net),
            Self::Scheduler => scheduler(folder, ports),
            Self::Kubelets => kubelets(folder, ports),
        };
        let start = COLLECT_LATE.iter().map(OsString::from);
        let start = start.chain([program.as_os_str().to_owned(), self.name().into()]);
        start.chain(own.into_iter().map(OsString::from)).collect()
    }
}

fn etcd(folder: &Path, ports: &Block) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", ports.at(ETCD));
    let peer = format!("http://127.0.0.1:{}", ports.at(ETCD_PEER));
    vec![
        "--name=testbed".into(),
        format!("--data-dir={}", folder.join("etcd/data").display()),
        // The store ends with its test, so it need not wait for the disk.
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
        "--logger=zap".into(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=testbed={peer}"),
    ]
}

fn api_server(folder: &Path, ports: &Block, net: &Net) -> Vec<String> {
    let pki = folder.join("pki");
    let pki = pki.display();
    let mut flags = vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.at(ETCD)),
        format!("--advertise-address={}", net.api),
        format!("--client-ca-file={pki}/ca.crt"),
        format!("--cert-dir={pki}"),
        format!("--token-auth-file={pki}/tokens.csv"),
        "--anonymous-auth=false".into(),
        "--authorization-mode=Node,RBAC".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-key-file={pki}/sa.pub"),
        format!("--service-account-signing-key-file={pki}/sa.key"),
        format!("--service-cluster-ip-range={}", net.services),
    ];
    if net.has_nodes() {
        flags.extend([
            // Pods find the API through the Service `kubernetes`.
            "--endpoint-reconciler-type=lease".into(),
            "--allow-privileged".into(),
            format!("--kubelet-client-certificate={pki}/kubelet-client.crt"),
            format!("--kubelet-client-key={pki}/kubelet-client.key"),
            format!("--kubelet-certificate-authority={pki}/ca.crt"),
            "--kubelet-preferred-address-types=InternalIP".into(),
        ]);
    } else {
        flags.push("--endpoint-reconciler-type=none".into());
    }
    flags.extend(serving(folder, net.api, ports.at(API)));
    flags
}

fn controller_manager(folder: &Path, ports: &Block, net: &Net) -> Vec<String> {
    let pki = folder.join("pki");
    let pki = pki.display();
    let mut flags = vec![
        kubeconfig(folder, "system:kube-controller-manager"),
        "--leader-elect=false".into(),
        "--use-service-account-credentials".into(),
        format!("--service-account-private-key-file={pki}/sa.key"),
        format!("--root-ca-file={pki}/ca.crt"),
        "--allocate-node-cidrs".into(),
        format!("--cluster-cidr={}", net.pods),
        // A silent node counts as lost after 8 s instead of 50.
        "--node-monitor-period=1s".into(),
        "--node-monitor-grace-period=8s".into(),
    ];
    flags.extend(serving(folder, Ipv4Addr::LOCALHOST, ports.at(MANAGER)));
    flags
}

fn scheduler(folder: &Path, ports: &Block) -> Vec<String> {
    let mut flags = vec![
        kubeconfig(folder, "system:kube-scheduler"),
        "--leader-elect=false".into(),
        // If an event comes between two looks at a pod, the pod waits for this. By default, that is five minutes.
        "--pod-max-in-unschedulable-pods-duration=20s".into(),
    ];
    flags.extend(serving(folder, Ipv4Addr::LOCALHOST, ports.at(SCHEDULER)));
    flags
}

fn kubelets(folder: &Path, ports: &Block) -> Vec<String> {
    vec![
        kubeconfig(folder, "kwok"),
        format!("--config={}", folder.join("stages.yaml").display()),
        format!("--manage-nodes-with-label-selector={}=up", super::KUBELET),
        "--node-lease-duration-seconds=8".into(),
        "--node-ip=127.0.0.1".into(),
        format!("--server-address=127.0.0.1:{}", ports.at(KUBELETS)),
    ]
}

/// The address and certificates of a component.
fn serving(folder: &Path, host: Ipv4Addr, port: u16) -> [String; 5] {
    let pki = folder.join("pki");
    let pki = pki.display();
    [
        format!("--bind-address={host}"),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={pki}/server.crt"),
        format!("--tls-private-key-file={pki}/server.key"),
        "--profiling=false".into(),
    ]
}

fn kubeconfig(folder: &Path, user: &str) -> String {
    format!("--kubeconfig={}", files::kubeconfig_of(folder, user).display())
}
