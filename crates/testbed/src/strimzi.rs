//! Strimzi's CustomResourceDefinitions, which its own generator makes from the classes of its API.

use std::fs;
use std::process::Command;

use crate::cache;
use crate::error::{Error, file};
use crate::jars::Jars;
use crate::jvm;
use crate::tool;

const VERSION: &str = "v1beta2";
/// The classes of the kinds, and the files that the generator writes.
const KINDS: [(&str, &str); 2] = [
    ("io.strimzi.api.kafka.model.nodepool.KafkaNodePool", "nodepools.yaml"),
    ("io.strimzi.api.kafka.model.podset.StrimziPodSet", "podsets.yaml"),
];
/// The names of the definitions.
pub(crate) const DEFINITIONS: [&str; 2] =
    ["kafkanodepools.kafka.strimzi.io", "strimzipodsets.core.strimzi.io"];

/// The definitions of KafkaNodePool and StrimziPodSet.
pub(crate) fn definitions() -> Result<String, Error> {
    let jars = Jars::of_strimzi()?;
    let folder = jars.folder().join("crds");
    if !folder.exists() {
        let _lock = cache::lock("strimzi")?;
        cache::whole(&folder, |part| {
            let mut command = Command::new(jvm::java());
            command.args(jvm::FLAGS).args(["-classpath", &jars.classpath()?]);
            command.arg("io.strimzi.crdgenerator.CrdGenerator").arg("--yaml");
            command.args(["--target-kube", "1.25+", "--crd-api-version", "v1"]);
            command.args(["--api-versions", VERSION, "--storage-version", VERSION]);
            let into = |(class, name)| format!("{class}={}", part.join(name).display());
            command.args(KINDS.map(into));
            tool::output(command, "openjdk-17-jdk-headless").map(drop)
        })?;
    }
    let mut all = String::new();
    for (_, name) in KINDS {
        let path = folder.join(name);
        all += &format!("---\n{}\n", file(fs::read_to_string(&path), "read", &path)?);
    }
    Ok(all)
}
