//! The files of components and clients: certificates, tokens, kubeconfigs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::component::Net;
use crate::certificates;
use crate::config::new_id;
use crate::error::{Error, file};
use crate::ports::Block;

/// The users in the static token file, each with the group that gives its rights.
const USERS: [(&str, &str); 4] = [
    ("admin", "system:masters"),
    ("kwok", "system:masters"),
    // Kubernetes' own roles are bound to these two user names.
    ("system:kube-controller-manager", ""),
    ("system:kube-scheduler", ""),
];

/// Fills `folder` with `pki/`, a kubeconfig for each of [`USERS`] and of the users of real nodes, and the rules of the
/// simulated kubelets.
pub(super) fn write(
    folder: &Path,
    ports: &Block,
    net: &Net,
    of_nodes: &[(String, &str)],
) -> Result<(), Error> {
    let pki = folder.join("pki");
    file(fs::create_dir_all(&pki), "create", &pki)?;
    certificates::authority(&pki, "ca", "mappr testbed kubernetes")?;
    let names = format!(
        "subjectAltName=DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:{},IP:{}",
        net.api, net.api_service
    );
    certificates::leaf(&pki, "ca", "server", &names)?;
    // One half of the key signs the service accounts' tokens, and the other half verifies them.
    let curve = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    certificates::openssl(&pki, &[&curve[..], &["-out", "sa.key"]].concat())?;
    certificates::openssl(&pki, &["pkey", "-in", "sa.key", "-pubout", "-out", "sa.pub"])?;
    let mut tokens = String::new();
    let of_nodes = of_nodes.iter().map(|(user, group)| (user.as_str(), *group));
    for (user, group) in USERS.into_iter().chain(of_nodes) {
        let token = new_id()?;
        tokens += &format!("{token},{user},{user},\"{group}\"\n");
        kubeconfig(folder, ports, net, user, &token)?;
    }
    let stages = include_str!("../../kubernetes/stages.yaml");
    for (name, text) in [("pki/tokens.csv", tokens.as_str()), ("stages.yaml", stages)] {
        file(fs::write(folder.join(name), text), "write", folder.join(name))?;
    }
    Ok(())
}

/// The path of a user's kubeconfig.
pub(super) fn kubeconfig_of(folder: &Path, user: &str) -> PathBuf {
    folder.join(format!("{}.kubeconfig", user.replace([':', '/'], "-")))
}

/// Writes a kubeconfig with this token.
pub(super) fn kubeconfig(
    folder: &Path,
    ports: &Block,
    net: &Net,
    user: &str,
    token: &str,
) -> Result<PathBuf, Error> {
    let server = format!("https://{}:{}", net.api, ports.at(super::API));
    let authority = folder.join("pki/ca.crt");
    // JSON is valid YAML.
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "testbed",
        "clusters": [{"name": "testbed", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
    });
    let path = kubeconfig_of(folder, user);
    file(fs::write(&path, format!("{text:#}\n")), "write", &path)?;
    Ok(path)
}
