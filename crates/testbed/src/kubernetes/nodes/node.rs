//! One node: a set of namespaces that one process holds, and its files.
//!
//! Its folder has `disk` (containers, images, volumes: what a wiped node loses), `log`, and the files that its first
//! process (`sh/node.sh`) reads: configurations, `network.sh`, and `sysctl`, values that the kubelet must find set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::{ZONE, files};
use super::image::Image;
use super::machine::{self, BRIDGED, DNS, GROUP};
use crate::certificates;
use crate::error::{Error, file};
use crate::jars::tail;
use crate::process::{Process, Warden};
use crate::wait::until;

const CONTAINERD: &str = include_str!("../../../kubernetes/nodes/containerd.toml");
const KUBELET: &str = include_str!("../../../kubernetes/nodes/kubelet.yaml");
const NETWORK: &str = include_str!("../../../kubernetes/nodes/cni.conflist");
const FIRST: &str = include_str!("../../sh/node.sh");

/// What the kubelet would otherwise set for the whole machine.
const SYSCTL: [(&str, &str); 6] = [
    ("kernel.keys.root_maxbytes", "25000000"),
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.panic", "10"),
    ("kernel.panic_on_oops", "1"),
    ("vm.overcommit_memory", "1"),
    ("vm.panic_on_oom", "0"),
];
/// Local volumes of a node.
const VOLUMES: usize = 8;
/// For namespaces and containerd, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A node. Dropping it cuts its power.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) zone: String,
    pub(super) index: u8,
    home: PathBuf,
    process: Option<Process>,
}

impl Node {
    /// The folder of its process in the cluster's folder.
    fn folder(name: &str) -> String {
        format!("node-{name}")
    }

    /// Writes the files of a node that is off. `all` are the indexes of all nodes.
    pub(super) fn prepare(
        root: &Path,
        (name, zone): (&str, &str),
        index: u8,
        all: std::ops::RangeInclusive<u8>,
    ) -> Result<Self, Error> {
        let home = root.join(Self::folder(name));
        let pki = root.join("pki");
        let names = format!("subjectAltName=DNS:{name},IP:{}", machine::address(index));
        certificates::leaf(&pki, "ca", &Self::folder(name), &names)?;
        let values = [
            ("@home@", home.display().to_string()),
            ("@pki@", pki.display().to_string()),
            ("@name@", name.to_owned()),
            ("@group@", format!("{GROUP}/{name}")),
            ("@dns@", DNS.to_owned()),
            ("@pods@", machine::pods(index)),
        ];
        let fill = |text: &str| {
            values.iter().fold(text.to_owned(), |text, (key, value)| text.replace(key, value))
        };
        let proxy = files::kubeconfig_of(root, super::PROXY);
        let proxy = file(fs::read_to_string(&proxy), "read", &proxy)?;
        let mut texts = vec![
            ("containerd.toml".to_owned(), fill(CONTAINERD)),
            ("kubelet.yaml".to_owned(), fill(KUBELET)),
            ("cni/10-testbed.conflist".to_owned(), fill(NETWORK)),
            ("kube-proxy.kubeconfig".to_owned(), proxy),
            ("cluster-cidr".to_owned(), BRIDGED.pods.to_owned()),
            ("resolv.conf".to_owned(), format!("nameserver {DNS}\n")),
            ("network.sh".to_owned(), network(index, all)),
            ("log/.keep".to_owned(), String::new()),
            ("plugins/.keep".to_owned(), String::new()),
        ];
        texts.extend(SYSCTL.map(|(key, value)| (format!("sysctl/{key}"), format!("{value}\n"))));
        for (path, text) in texts {
            let path = home.join(path);
            let folder = path.parent().unwrap_or(&home);
            file(fs::create_dir_all(folder), "create", folder)?;
            file(fs::write(&path, text), "write", &path)?;
        }
        let node =
            Self { name: name.to_owned(), zone: zone.to_owned(), index, home, process: None };
        node.make_disk()?;
        Ok(node)
    }

    fn make_disk(&self) -> Result<(), Error> {
        for folder in ["containerd", "kubelet", "cni"].map(|name| self.disk().join(name)) {
            file(fs::create_dir_all(&folder), "create", &folder)?;
        }
        for index in 0..VOLUMES {
            let folder = self.volume(index);
            file(fs::create_dir_all(&folder), "create", &folder)?;
        }
        Ok(())
    }

    fn disk(&self) -> PathBuf {
        self.home.join("disk")
    }

    fn volume(&self, index: usize) -> PathBuf {
        self.disk().join("volumes").join(index.to_string())
    }

    /// Whether it is on.
    pub(super) fn is_on(&self) -> bool {
        self.process.is_some()
    }

    /// The node for the API, made here and not by its kubelet, so that the range of its pods is that of its bridge.
    pub(super) fn manifest(&self) -> Value {
        let pods = machine::pods(self.index);
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": self.name, "labels": {
                "kubernetes.io/hostname": self.name, ZONE: self.zone, super::REGION: self.region(),
            }},
            "spec": {"podCIDR": pods, "podCIDRs": [pods]},
        })
    }

    /// The local volumes for the API.
    pub(super) fn volumes(&self) -> Vec<Value> {
        let on = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [self.name]});
        let one = |index: usize| {
            json!({
                "apiVersion": "v1", "kind": "PersistentVolume",
                "metadata": {"name": format!("{}-{index}", self.name)},
                "spec": {
                    // On paper: it is a folder of the machine's disk.
                    "capacity": {"storage": "4Ti"}, "accessModes": ["ReadWriteOnce"],
                    "storageClassName": super::STORAGE, "persistentVolumeReclaimPolicy": "Retain",
                    "local": {"path": self.volume(index)},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [on]}]}},
                },
            })
        };
        (0..VOLUMES).map(one).collect()
    }

    /// A zone without its last letter, as clouds name them.
    fn region(&self) -> &str {
        self.zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase())
    }

    /// Switches it on, and returns when containerd works and has the images.
    pub(super) fn boot(
        &mut self,
        warden: &Warden,
        program: &Path,
        images: &[Image],
    ) -> Result<(), Error> {
        let ready = self.home.join("ready");
        // Left from before a crash, if there was one.
        let _ = fs::remove_file(&ready);
        machine::group(&self.name)?;
        machine::group(&format!("{}/agents", self.name))?;
        let command = machine::joined(&format!("{}/agents", self.name), self.command(program));
        let mut process = warden.launch(&Self::folder(&self.name), &command)?;
        let ended = until(format!("namespaces of node {}", self.name), SOON, || {
            process.ended().map(Some).or_else(|| ready.exists().then_some(None))
        })?;
        if let Some(status) = ended {
            return Err(self.died(status.to_string()));
        }
        machine::connect(self.index, process.id())?;
        self.process = Some(process);
        until(format!("containerd of node {}", self.name), SOON, || {
            let mut version = self.enter("ctr").ok()?;
            version.arg("version").stdout(Stdio::null()).stderr(Stdio::null());
            version.status().ok().filter(std::process::ExitStatus::success)
        })
        .map_err(|why| match why {
            Error::Timeout { what, within, .. } => Error::Timeout { what, within, log: self.log() },
            other => other,
        })?;
        images.iter().try_for_each(|image| self.import(image))
    }

    fn command(&self, program: &Path) -> Vec<std::ffi::OsString> {
        let namespaces =
            "unshare --mount --net --pid --uts --ipc --fork --kill-child --propagation private";
        let labels = format!("{ZONE}={},{}={}", self.zone, super::REGION, self.region());
        let config = self.home.join("kubelet.yaml").display().to_string();
        let root = self.home.parent().unwrap_or(&self.home);
        let user = files::kubeconfig_of(root, &super::user(&self.name)).display().to_string();
        let disk = self.disk().join("kubelet").display().to_string();
        let mut command: Vec<String> = namespaces.split(' ').map(str::to_owned).collect();
        command.extend(["sh", "-c", FIRST, "sh"].map(str::to_owned));
        command.extend([self.home.display().to_string(), self.name.clone()]);
        command.extend([
            program.display().to_string(),
            format!("--config={config}"),
            format!("--kubeconfig={user}"),
            format!("--root-dir={disk}"),
            format!("--cert-dir={disk}/pki"),
            format!("--hostname-override={}", self.name),
            format!("--node-ip={}", machine::address(self.index)),
            format!("--node-labels={labels}"),
        ]);
        command.into_iter().map(Into::into).collect()
    }

    /// Cuts its power: one SIGKILL. Returns when nothing of it is left; its disk stays.
    pub(super) fn crash(&mut self) -> Result<(), Error> {
        drop(self.process.take());
        machine::disconnect(self.index);
        let gone = || machine::ungroup(&self.name).map(|gone| gone.then_some(())).transpose();
        until(format!("end of node {}", self.name), SOON, gone)?
    }

    /// Replaces its disk by an empty one.
    pub(super) fn wipe(&self) -> Result<(), Error> {
        file(fs::remove_dir_all(self.disk()), "remove", self.disk())?;
        self.make_disk()
    }

    /// Empties its volumes.
    pub(super) fn empty_volumes(&self) -> Result<(), Error> {
        let volumes = self.disk().join("volumes");
        file(fs::remove_dir_all(&volumes), "remove", &volumes)?;
        self.make_disk()
    }

    /// Loads an image, unless its disk has it.
    pub(super) fn import(&self, image: &Image) -> Result<(), Error> {
        let noted = self.disk().join("loaded");
        let had = fs::read_to_string(&noted).unwrap_or_default();
        let line = format!("{}\n", image.key());
        if had.contains(&line) {
            return Ok(());
        }
        let folder = image.folder()?;
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(&folder).args(["-c", "."]).stdout(Stdio::piped()).stderr(Stdio::null());
        let missing = |source| Error::Missing { program: "tar".into(), package: "tar", source };
        let mut tar = tar.spawn().map_err(missing)?;
        let mut import = self.enter("ctr")?;
        import.args(["--namespace", "k8s.io", "images", "import", "-"]);
        let input = tar.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let done = run_with(&mut import, input);
        // It has ended: either ctr has read all of it, or ctr has ended, too.
        let _ = tar.wait();
        done?;
        file(fs::write(&noted, had + &line), "write", &noted)
    }

    /// A program in the namespaces of the node.
    pub(super) fn enter(&self, program: &str) -> Result<Command, Error> {
        let Some(process) = &self.process else {
            return Err(Error::WrongNode { name: self.name.clone(), state: "off" });
        };
        let id = process.id();
        let mut command = Command::new("nsenter");
        command.args(["--target", &id.to_string(), "--mount", "--net", "--uts", "--ipc"]);
        // That process itself is outside: its children are the first in the namespace.
        command.arg(format!("--pid=/proc/{id}/ns/pid_for_children"));
        command.args(["--", program]);
        Ok(command)
    }

    /// The end of its agents' logs.
    pub(super) fn log(&self) -> String {
        let logs = ["log/containerd.log", "log/kubelet.log", "log/kube-proxy.log", "stdout.log"];
        let ends = logs.map(|name| {
            let text = fs::read(self.home.join(name)).unwrap_or_default();
            format!("\n{} {name}:\n{}", self.name, tail(&String::from_utf8_lossy(&text), 8))
        });
        ends.concat()
    }

    fn died(&self, status: String) -> Error {
        Error::Died { node: format!("node {}", self.name), status, log: self.log() }
    }
}

/// The addresses and routes of a node, for its first process.
fn network(index: u8, all: std::ops::RangeInclusive<u8>) -> String {
    let mut text = format!(
        "ip addr add {}/24 dev eth0\nip link set eth0 up\nip route add default via {}\n",
        machine::address(index),
        BRIDGED.api
    );
    for other in all.filter(|other| *other != index) {
        text += &format!("ip route add {} via {}\n", machine::pods(other), machine::address(other));
    }
    text
}

/// Runs a program of the node to its end, with an input.
fn run_with(command: &mut Command, input: Stdio) -> Result<(), Error> {
    let out = command.stdin(input).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let out = out.map_err(|source| Error::Missing {
        program: "nsenter".into(),
        package: "util-linux",
        source,
    })?;
    if out.status.success() {
        return Ok(());
    }
    Err(Error::Tool {
        tool: "ctr".into(),
        args: command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        status: out.status.to_string(),
        stdout: String::new(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    })
}
