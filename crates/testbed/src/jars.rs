//! Kafka's jars, which Maven fetches into the cache once, completely or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::cache;
use crate::error::{Error, file};
use crate::spec::Version;

const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

const JMX_EXPORTER: &str = include_str!("../poms/jmx.xml");

/// The folder of a release: `libs/*.jar`, and the files made from them next to it.
#[derive(Debug, Clone)]
pub(crate) struct Jars {
    folder: PathBuf,
}

impl Jars {
    /// Finds the release in the cache, or fetches it.
    pub(crate) fn of(version: Version) -> Result<Self, Error> {
        let property = format!("-Dkafka.version={version}");
        Self::from(&format!("kafka-{version}"), pom(version), &[&property])
    }

    /// The same for the JMX exporter.
    pub(crate) fn of_jmx_exporter() -> Result<Self, Error> {
        Self::from("jmx-exporter", JMX_EXPORTER, &[])
    }

    /// The same for Strimzi's API.
    pub(crate) fn of_strimzi() -> Result<Self, Error> {
        Self::from("strimzi", include_str!("../poms/strimzi.xml"), &[])
    }

    /// The same for the remote storage that Kafka's own tests use.
    pub(crate) fn of_tiered_storage(version: Version) -> Result<Self, Error> {
        let property = format!("-Dkafka.version={version}");
        let pom = include_str!("../poms/kafka-tiered.xml");
        Self::from(&format!("kafka-tiered-{version}"), pom, &[&property])
    }

    fn from(name: &str, pom: &str, properties: &[&str]) -> Result<Self, Error> {
        let folder = cache::folder().join(format!("{name}-{}", key(pom)));
        let libs = folder.join("libs");
        if !libs.exists() {
            // One lock for all, because two Mavens must not fill ~/.m2 at the same time.
            let _lock = cache::lock("kafka")?;
            cache::whole(&libs, |part| fetch(name, pom, properties, part))?;
        }
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every jar, sorted by name. A class-data archive is valid only for exactly this list.
    pub(crate) fn classpath(&self) -> Result<String, Error> {
        let libs = self.folder.join("libs");
        let entries = file(fs::read_dir(&libs), "read", &libs)?;
        let mut jars: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.path().to_str()?.to_owned()))
            .filter(|path| path.ends_with(".jar"))
            .collect();
        jars.sort();
        Ok(jars.join(":"))
    }
}

fn pom(version: Version) -> &'static str {
    if version.is_before_4() {
        include_str!("../poms/kafka-3.xml")
    } else {
        include_str!("../poms/kafka-4.xml")
    }
}

fn key(pom: &str) -> String {
    Sha256::digest(pom).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn fetch(name: &str, pom: &str, properties: &[&str], into: &Path) -> Result<(), Error> {
    let path = into.join("pom.xml");
    file(fs::write(&path, pom), "write", &path)?;
    let out = Command::new("mvn")
        .args(["-q", "-B", "-ntp", "-f"])
        .arg(&path)
        .args(properties)
        .args([COPY, "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", into.display()))
        .output()
        .map_err(|source| Error::Missing { program: "mvn".into(), package: "maven", source })?;
    if out.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&out.stdout).into_owned();
    Err(Error::Fetch { what: name.to_owned(), status: out.status, output: tail(&output, 20) })
}

/// The last lines of a log, where the reason usually is.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
