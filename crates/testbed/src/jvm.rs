//! Starts JVMs cheaply, for short lives.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::jars::Jars;
use crate::spec::{Mode, Version};

/// Only the C1 compiler, the serial collector and no perf-data file. A server with a short life does not benefit from
/// more.
pub(crate) const FLAGS: [&str; 8] = [
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-XX:CICompilerCount=1",
    "-XX:ReservedCodeCacheSize=64m",
    "-Xss512k",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
];

/// The purpose of a JVM. Each role loads other classes and has its own class-data archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    ZooKeeper,
    Controller,
    Broker,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::ZooKeeper => "zookeeper",
            Self::Controller => "controller",
            Self::Broker => "broker",
        }
    }
}

/// How to use class-data archives.
#[derive(Debug, Clone)]
pub(crate) enum Sharing {
    /// Start with the existing ones.
    Use,
    /// Write new ones to this folder. Each is written when its JVM ends.
    Record(PathBuf),
}

/// A Java command for one release of Kafka.
#[derive(Debug, Clone)]
pub(crate) struct Jvm {
    java: PathBuf,
    classpath: String,
    archives: PathBuf,
    sharing: Sharing,
}

impl Jvm {
    pub(crate) fn of(version: Version, mode: Mode, sharing: Sharing) -> Result<Self, Error> {
        let jars = Jars::of(version)?;
        let java = java();
        let archives = jars.folder().join(format!("{}-{mode:?}", identity(&java)));
        Ok(Self { classpath: jars.classpath()?, java, archives, sharing })
    }

    /// Adds a folder of classes at the end: archives stay valid.
    pub(crate) fn add_to_classpath(&mut self, folder: &Path) {
        self.classpath = format!("{}:{}", self.classpath, folder.display());
    }

    pub(crate) fn classpath(&self) -> &str {
        &self.classpath
    }

    /// The compiler of this Java.
    pub(crate) fn compiler(&self) -> PathBuf {
        self.java.with_file_name("javac")
    }

    /// The folder of the archives. It exists once they are recorded.
    pub(crate) fn archives(&self) -> &Path {
        &self.archives
    }

    /// The command line up to and with the main class.
    pub(crate) fn command(
        &self,
        role: Role,
        heap_mib: u32,
        folder: &Path,
        log: &Path,
        options: &[&str],
        class: &str,
    ) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.java.clone().into(), "-Xms32m".into()];
        command.push(format!("-Xmx{heap_mib}m").into());
        command.extend(FLAGS.iter().chain(options).map(OsString::from));
        command.extend(self.sharing_flags(role));
        command.extend([
            format!("-Dtestbed.log={}", log.display()).into(),
            format!("-Dlog4j.configuration=file:{}/log4j.properties", folder.display()).into(),
            format!("-Dlog4j2.configurationFile={}/log4j2.properties", folder.display()).into(),
            "-cp".into(),
            self.classpath.clone().into(),
            class.into(),
        ]);
        command
    }

    fn sharing_flags(&self, role: Role) -> Vec<OsString> {
        match &self.sharing {
            Sharing::Record(into) => {
                let archive = into.join(format!("{}.jsa", role.name()));
                vec![format!("-XX:ArchiveClassesAtExit={}", archive.display()).into()]
            }
            Sharing::Use => {
                let archive = self.archives.join(format!("{}.jsa", role.name()));
                if !archive.exists() {
                    return Vec::new();
                }
                vec![
                    format!("-XX:SharedArchiveFile={}", archive.display()).into(),
                    "-Xshare:auto".into(),
                    "-Xlog:cds=off".into(),
                    "-Xlog:cds+dynamic=off".into(),
                ]
            }
        }
    }
}

pub(crate) fn java() -> PathBuf {
    match env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Path::new(&home).join("bin/java"),
        None => "java".into(),
    }
}

/// An id of this Java installation. Another one ignores the archives, and checking them would only cost time.
fn identity(java: &Path) -> String {
    let search = env::var_os("PATH").unwrap_or_default();
    let found = if java.is_absolute() {
        Some(java.to_owned())
    } else {
        env::split_paths(&search).map(|dir| dir.join(java)).find(|path| path.exists())
    };
    let real = found.and_then(|path| fs::canonicalize(path).ok()).unwrap_or_default();
    let changed = fs::metadata(&real).and_then(|data| data.modified()).ok();
    let digest = Sha256::digest(format!("{} {changed:?}", real.display()));
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
