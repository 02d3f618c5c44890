//! Images of containers, made of Debian's packages and files of this machine, without a registry or a container engine.
//!
//! An image is a folder in the cache, in the layout of OCI. Its layers are shared with other images, by links and in
//! containerd. A change of what is in a layer replaces it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::layer::{JAVA_HOME, Layer, ROOTS, debian_architecture, digest_of, made};
use crate::cache;
use crate::error::{Error, file};
use crate::spec::Version;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image that nodes can [load](super::Nodes::load).
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// The name of its folder in the cache.
    file: String,
    name: String,
    layers: Vec<Layer>,
    config: Value,
}

impl Image {
    /// `docker.io/apache/kafka:VERSION`: Kafka's jars below `/opt/kafka/libs` and its scripts in `/opt/kafka/bin`, a
    /// shell, and the user 1000. The scripts read `KAFKA_HEAP_OPTS`, `KAFKA_JVM_PERFORMANCE_OPTS` and `KAFKA_OPTS`. The
    /// JMX exporter is `/opt/kafka/jmx-exporter.jar`.
    pub fn kafka(version: Version) -> Self {
        Self {
            file: format!("kafka-{version}"),
            name: format!("docker.io/apache/kafka:{version}"),
            layers: vec![Layer::Base, Layer::Busybox, Layer::Java, Layer::Kafka(version)],
            config: json!({
                "Cmd": ["/bin/sh"], "User": "1000:1000",
                "Env": [PATH, format!("JAVA_HOME={JAVA_HOME}-{}", debian_architecture())],
            }),
        }
    }

    /// `docker.io/library/topicmappr:VERSION`: both programs of this workspace at the places of `deploy/Dockerfile`, the
    /// user 65532, and no shell. The programs are those that `cargo xtask test` names, or those next to the test.
    pub fn ours() -> Self {
        let programs = [
            (ours("topicmappr"), "usr/local/bin/topicmappr"),
            (ours("autothrottle"), "usr/local/bin/autothrottle"),
        ];
        Self {
            file: "topicmappr".to_owned(),
            name: format!("docker.io/library/topicmappr:{}", env!("CARGO_PKG_VERSION")),
            layers: vec![Layer::Base, Layer::Programs("ours", programs.into())],
            config: json!({
                "Entrypoint": ["/usr/local/bin/topicmappr"], "Cmd": ["--help"], "User": "65532:65532",
                "Env": [PATH, format!("SSL_CERT_FILE=/{ROOTS}")],
            }),
        }
    }

    /// `docker.io/testbed/busybox:1`: a shell and its usual programs.
    pub fn busybox() -> Self {
        Self {
            file: "busybox".to_owned(),
            name: "docker.io/testbed/busybox:1".to_owned(),
            layers: vec![Layer::Busybox],
            config: json!({"Cmd": ["/bin/sh"], "Env": [PATH]}),
        }
    }

    /// What holds the namespaces of a pod.
    pub(super) fn pause() -> Self {
        Self {
            file: "pause".to_owned(),
            name: "docker.io/testbed/pause:1".to_owned(),
            // Ends by SIGKILL only, which is how containerd ends it.
            config: json!({"Entrypoint": ["/bin/busybox", "sleep", "2147483647"], "User": "65535:65535"}),
            layers: vec![Layer::Busybox],
        }
    }

    /// The cluster's names.
    pub(super) fn coredns(program: PathBuf) -> Self {
        Self {
            file: "coredns".to_owned(),
            name: "docker.io/testbed/coredns:1".to_owned(),
            layers: vec![Layer::Programs("coredns", vec![(program, "coredns")])],
            config: json!({"Entrypoint": ["/coredns"], "Env": [PATH]}),
        }
    }

    /// Its name, as manifests write it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes with what is in it.
    pub(super) fn key(&self) -> String {
        let layers: Vec<String> = self.layers.iter().map(Layer::key).collect();
        digest_of(format!("{} {} {layers:?}", self.name, self.config).as_bytes())
    }

    /// Its folder in the cache, made if it is missing or of older contents.
    pub(super) fn folder(&self) -> Result<PathBuf, Error> {
        let _lock = cache::lock("images")?;
        made(&format!("image-{}", self.file), &self.key(), |folder| self.make(folder))
    }

    fn make(&self, folder: &Path) -> Result<(), Error> {
        let blobs = folder.join("blobs/sha256");
        file(fs::create_dir_all(&blobs), "create", &blobs)?;
        let (mut layers, mut digests) = (Vec::new(), Vec::new());
        for layer in &self.layers {
            let made = layer.folder()?;
            let [tar, digest] = ["layer.tar", "digest"].map(|name| made.join(name));
            let digest = file(fs::read_to_string(&digest), "read", &digest)?;
            let size = file(fs::metadata(&tar), "read", &tar)?.len();
            file(fs::hard_link(&tar, blobs.join(&digest)), "link", &tar)?;
            let digest = format!("sha256:{digest}");
            let media = "application/vnd.oci.image.layer.v1.tar";
            layers.push(json!({"mediaType": media, "digest": digest, "size": size}));
            digests.push(digest);
        }
        let blob = |media: &str, value: &Value| {
            let text = value.to_string();
            let digest = digest_of(text.as_bytes());
            let path = blobs.join(&digest);
            file(fs::write(&path, &text), "write", &path)?;
            let digest = format!("sha256:{digest}");
            Ok::<_, Error>(json!({"mediaType": media, "digest": digest, "size": text.len()}))
        };
        let config = json!({
            "architecture": debian_architecture(), "os": "linux", "config": self.config,
            "rootfs": {"type": "layers", "diff_ids": digests},
        });
        let config = blob("application/vnd.oci.image.config.v1+json", &config)?;
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        let mut manifest = blob(MANIFEST, &manifest)?;
        manifest["annotations"] = json!({"io.containerd.image.name": self.name});
        let index = json!({"schemaVersion": 2, "manifests": [manifest]}).to_string();
        for (name, text) in
            [("index.json", index.as_str()), ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)]
        {
            file(fs::write(folder.join(name), text), "write", folder.join(name))?;
        }
        Ok(())
    }
}

/// A program of this workspace.
fn ours(name: &str) -> PathBuf {
    let named = env::var_os(format!("MAPPR_{}", name.to_uppercase())).map(PathBuf::from);
    named.unwrap_or_else(|| {
        // Cargo puts tests into a folder below that of the programs.
        let test = env::current_exe().unwrap_or_default();
        test.ancestors().nth(2).unwrap_or(Path::new("target/debug")).join(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_makes_another_image() {
        let home = tempfile::tempdir().unwrap();
        let program = home.path().join("program");
        fs::write(&program, "one").unwrap();
        let image = Image::coredns(program.clone());
        let before = image.key();
        assert_eq!(image.key(), before);
        fs::write(&program, "other").unwrap();
        assert_ne!(image.key(), before);
    }

    #[test]
    fn images_have_names_that_kubernetes_does_not_pull() {
        for image in [Image::kafka(Version::V4_3), Image::ours(), Image::busybox(), Image::pause()]
        {
            let (_, tag) = image.name().rsplit_once(':').unwrap();
            assert_ne!(tag, "latest");
        }
    }
}
