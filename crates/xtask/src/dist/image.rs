//! The image, as an OCI image layout in a tar: `topicmappr-VERSION.oci.tar`.
//!
//! Two layers: the Debian packages of the libraries that the programs load, with the roots of certificates, and the
//! programs. No registry and no container engine takes part. There is no shell in it.

use std::error::Error;

use serde_json::{Value, json};

use super::archive::gzip;
use super::contents::Contents;
use super::debian::Package;
use super::libraries::Linked;
use super::release::Release;
use super::tool;
use super::tree::{Entry, Tree};

/// The user and the group of every container, as in the chart and in `deploy/Dockerfile`.
const USER: &str = "65532";
/// Where OpenSSL and rustls look for roots.
const ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";
/// The name of this processor in an image, by its name in a platform.
const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "amd64"), ("aarch64", "arm64")];
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// One layer: its packed bytes, and the digest of the unpacked ones.
struct Layer {
    packed: Vec<u8>,
    unpacked_digest: String,
}

/// Writes the image, and returns its name.
pub(super) fn write(
    release: &Release,
    contents: &Contents,
    linked: &[Linked],
) -> Result<String, Box<dyn Error>> {
    let layers = [layer(release, &base(linked)?)?, layer(release, &programs(contents)?)?];
    let mut layout = Tree::default();
    let described: Vec<Value> = layers
        .iter()
        .map(|layer| blob(&mut layout, LAYER, layer.packed.clone()))
        .collect::<Result<_, _>>()?;
    let config = serde_json::to_vec(&config(release, &layers)?)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(&mut layout, CONFIG, config)?,
        "layers": described,
        "annotations": labels(release)?,
    });
    let mut manifest = blob(&mut layout, MANIFEST, serde_json::to_vec(&manifest)?)?;
    manifest["platform"] = json!({"architecture": architecture(release)?, "os": "linux"});
    // The first name is for tools that know this layout; containerd takes the second one.
    manifest["annotations"] = json!({
        "org.opencontainers.image.ref.name": release.version,
        "io.containerd.image.name": format!("docker.io/library/topicmappr:{}", release.version),
    });
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]});
    layout.file("index.json", serde_json::to_vec(&index)?);
    layout.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    release.artefact(".oci.tar", &layout.tar(release.epoch)?)
}

/// What the programs load, and what they read: roots of certificates, and names of users.
fn base(linked: &[Linked]) -> Result<Tree, Box<dyn Error>> {
    let mut tree = Tree::default();
    let mut packages: Vec<Package> = linked.iter().map(|one| one.package.clone()).collect();
    packages.sort();
    packages.dedup();
    for package in &packages {
        tree.merge(package.files()?);
    }
    let system = Package::named("base-files").files()?;
    tree.merge(system.only(|path| {
        path.ends_with("os-release")
            || path.starts_with("usr/share/common-licenses/")
            || path.starts_with("var/lib/dpkg/")
    }));
    let certificates = Package::named("ca-certificates").files()?;
    let is_root = |path: &str| path.starts_with("usr/share/ca-certificates/");
    let roots: Vec<u8> = certificates
        .files()
        .filter(|(path, _)| is_root(path))
        .flat_map(|(_, certificate)| certificate.iter().copied())
        .collect();
    tree.merge(certificates.only(|path| {
        path == "usr/share/doc/ca-certificates/copyright" || path.starts_with("var/lib/dpkg/")
    }));
    tree.file(ROOTS, roots);
    tree.file(
        "etc/passwd",
        format!(
            "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n"
        ),
    );
    tree.file("etc/group", format!("root:x:0:\nnonroot:x:{USER}:\n"));
    // The C library asks DNS only if this file names it.
    tree.file("etc/nsswitch.conf", "hosts: files dns\n");
    tree.add("tmp", Entry::Folder { mode: 0o1777 });
    Ok(tree)
}

/// The programs, at the places of `deploy/Dockerfile`.
fn programs(contents: &Contents) -> Result<Tree, Box<dyn Error>> {
    let mut tree = contents.programs_in("usr/local/bin", "usr/share")?;
    for (name, text) in &contents.documents {
        tree.file(&format!("usr/share/doc/topicmappr/{name}"), text.clone());
    }
    Ok(tree)
}

fn layer(release: &Release, tree: &Tree) -> Result<Layer, Box<dyn Error>> {
    let tar = tree.tar(release.epoch)?;
    Ok(Layer { unpacked_digest: digest(&tar)?, packed: gzip(&tar)? })
}

fn config(release: &Release, layers: &[Layer]) -> Result<Value, Box<dyn Error>> {
    let created = release.date("+%Y-%m-%dT%H:%M:%SZ")?;
    let digests: Vec<&str> = layers.iter().map(|layer| layer.unpacked_digest.as_str()).collect();
    let history: Vec<Value> = [
        "Debian packages of what the programs load",
        "topicmappr and autothrottle",
    ]
    .iter()
    .map(|what| json!({"created": created, "created_by": "cargo xtask dist", "comment": what}))
    .collect();
    Ok(json!({
        "created": created,
        "architecture": architecture(release)?,
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Env": [
                "PATH=/usr/local/bin",
                format!("SSL_CERT_FILE=/{ROOTS}"),
            ],
            "Entrypoint": ["/usr/local/bin/topicmappr"],
            "Cmd": ["--help"],
            "WorkingDir": "/",
            "Labels": labels(release)?,
        },
        "rootfs": {"type": "layers", "diff_ids": digests},
        "history": history,
    }))
}

fn labels(release: &Release) -> Result<Value, Box<dyn Error>> {
    let mut labels = json!({
        "org.opencontainers.image.title": "topicmappr",
        "org.opencontainers.image.description": "Plans which Kafka broker holds which replica, and paces replication",
        "org.opencontainers.image.version": release.version,
        "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
        "org.opencontainers.image.created": release.date("+%Y-%m-%dT%H:%M:%SZ")?,
    });
    if let Some(revision) = &release.revision {
        labels["org.opencontainers.image.revision"] = revision.as_str().into();
    }
    Ok(labels)
}

/// Adds a blob, and returns what a manifest says about it.
fn blob(layout: &mut Tree, media_type: &str, bytes: Vec<u8>) -> Result<Value, Box<dyn Error>> {
    let digest = digest(&bytes)?;
    let described = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
    layout.file(&format!("blobs/{}", digest.replace(':', "/")), bytes);
    Ok(described)
}

fn digest(bytes: &[u8]) -> Result<String, Box<dyn Error>> {
    let told = tool::filter(&mut tool::named("sha256sum"), bytes)?;
    let told = String::from_utf8(told)?;
    Ok(format!("sha256:{}", told.split(' ').next().unwrap_or_default()))
}

fn architecture(release: &Release) -> Result<&'static str, Box<dyn Error>> {
    let known = ARCHITECTURES.iter().find(|(name, _)| *name == release.arch());
    Ok(known.ok_or_else(|| format!("no image for {}", release.arch()))?.1)
}
