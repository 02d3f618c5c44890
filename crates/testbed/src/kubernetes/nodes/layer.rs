//! Layers of images: what is in each, and how it is packed.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::machine::run;
use crate::error::{Error, file};
use crate::jars::Jars;
use crate::jvm::FLAGS;
use crate::spec::Version;
use crate::tool;
use crate::{cache, debian};

/// The libraries of our programs and of Java, and what they read.
const BASE: [&str; 8] = [
    "base-files",
    "ca-certificates",
    "libc6",
    "libgcc-s1",
    "libssl3",
    "libstdc++6",
    "netbase",
    "zlib1g",
];
const JAVA: &str = "openjdk-17-jre-headless";
pub(super) const JAVA_HOME: &str = "/usr/lib/jvm/java-17-openjdk";
const BUSYBOX: &str = "busybox-static";
/// What an installation would write.
const ETC: [(&str, &str); 3] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/sbin/nologin\nappuser:x:1000:1000::/:/bin/sh\n\
         nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\nappuser:x:1000:\nnonroot:x:65532:\n"),
    // The C library asks DNS only if this file names it.
    ("etc/nsswitch.conf", "hosts: files dns\n"),
];
pub(super) const ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";
/// Java's own store of roots, which an installation makes.
const JAVA_ROOTS: &str = "etc/ssl/certs/java/cacerts";
/// What packages have for people.
const LEFT_OUT: [&str; 4] =
    ["./usr/share/doc", "./usr/share/man", "./usr/share/lintian", "./usr/share/locale"];
/// Kafka's scripts, with the names that [`tool::class`] knows.
const SCRIPTS: [(&str, &str); 10] = [
    ("kafka-configs.sh", "configs"),
    ("kafka-consumer-groups.sh", "groups"),
    ("kafka-features.sh", "features"),
    ("kafka-log-dirs.sh", "log-dirs"),
    ("kafka-metadata-quorum.sh", "quorum"),
    ("kafka-reassign-partitions.sh", "reassign"),
    ("kafka-server-start.sh", "kafka.Kafka"),
    ("kafka-storage.sh", "storage"),
    ("kafka-topics.sh", "topics"),
    ("zookeeper-server-start.sh", "org.apache.zookeeper.server.quorum.QuorumPeerMain"),
];
/// The JMX exporter, as an agent of Java.
const EXPORTER: &str = "opt/kafka/jmx-exporter.jar";
/// To stdout, which the kubelet collects: for Kafka 4, and for Kafka 3.
const LOGGING: [(&str, &str); 2] = [
    (
        "opt/kafka/config/log4j2.properties",
        "status = error\nappender.c.type = Console\nappender.c.name = C\n\
         appender.c.layout.type = PatternLayout\nappender.c.layout.pattern = [%d] %p %m (%c)%n\n\
         rootLogger.level = INFO\nrootLogger.appenderRef.c.ref = C\n",
    ),
    (
        "opt/kafka/config/log4j.properties",
        "log4j.rootLogger=INFO, C\nlog4j.appender.C=org.apache.log4j.ConsoleAppender\n\
         log4j.appender.C.layout=org.apache.log4j.PatternLayout\n\
         log4j.appender.C.layout.ConversionPattern=[%d] %p %m (%c)%n\n",
    ),
];
/// A layer, by what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layer {
    Base,
    Busybox,
    Java,
    Kafka(Version),
    /// Programs with their places, without symbols.
    Programs(&'static str, Vec<(PathBuf, &'static str)>),
}

impl Layer {
    fn name(&self) -> String {
        match self {
            Self::Base => "base".to_owned(),
            Self::Busybox => "busybox".to_owned(),
            Self::Java => "java".to_owned(),
            Self::Kafka(version) => format!("kafka-{version}"),
            Self::Programs(name, _) => (*name).to_owned(),
        }
    }

    /// Changes with what is in it.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Base => digest_of(format!("{BASE:?} {ETC:?}").as_bytes()),
            Self::Busybox => BUSYBOX.to_owned(),
            Self::Java => JAVA.to_owned(),
            Self::Kafka(version) => digest_of(
                format!("{version} {SCRIPTS:?} {LOGGING:?} {FLAGS:?} {EXPORTER}").as_bytes(),
            ),
            Self::Programs(_, programs) => {
                let now = programs.iter().map(|(path, place)| {
                    let seen = fs::metadata(path).ok();
                    (
                        path,
                        place,
                        seen.as_ref().map(fs::Metadata::len),
                        seen.and_then(|seen| seen.modified().ok()),
                    )
                });
                digest_of(format!("{:?}", now.collect::<Vec<_>>()).as_bytes())
            }
        }
    }

    /// The folder with `layer.tar` and its `digest`.
    pub(super) fn folder(&self) -> Result<PathBuf, Error> {
        made(&format!("layer-{}", self.name()), &self.key(), |folder| {
            let stage = folder.join("stage");
            file(fs::create_dir_all(&stage), "create", &stage)?;
            let mut roots = self.fill(&stage)?;
            roots.push(stage.clone());
            let tar = folder.join("layer.tar");
            let mut pack = Command::new("tar");
            pack.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"]);
            pack.args(LEFT_OUT.map(|path| format!("--exclude={path}")));
            pack.arg("-cf").arg(&tar);
            for root in roots {
                pack.arg("-C").arg(root).arg(".");
            }
            run(&mut pack)?;
            let sum = run(Command::new("sha256sum").arg(&tar))?;
            let sum = sum.split(' ').next().unwrap_or_default();
            file(fs::write(folder.join("digest"), sum), "write", folder)?;
            file(fs::remove_dir_all(&stage), "remove", &stage)
        })
    }

    /// Writes own files into `stage`, and returns the folders of packages.
    fn fill(&self, stage: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut packages = Vec::new();
        match self {
            Self::Base => {
                for package in BASE {
                    packages.push(debian::unpacked(package)?);
                }
                base(stage, &debian::unpacked("ca-certificates")?)?;
            }
            Self::Busybox => {
                let package = debian::unpacked(BUSYBOX)?;
                let program = package.join("bin/busybox");
                let bin = stage.join("bin");
                file(fs::create_dir_all(&bin), "create", &bin)?;
                let names = run(Command::new(program).arg("--list"))?;
                for name in names.lines().filter(|name| *name != "busybox") {
                    file(symlink("busybox", bin.join(name)), "link", bin.join(name))?;
                }
                packages.push(package);
            }
            Self::Java => {
                packages.push(debian::unpacked(JAVA)?);
                let java = format!("{JAVA_HOME}-{}/bin/java", debian_architecture());
                let bin = stage.join("usr/bin");
                file(fs::create_dir_all(&bin), "create", &bin)?;
                file(symlink(java, bin.join("java")), "link", bin.join("java"))?;
                if let Ok(roots) = fs::read(Path::new("/").join(JAVA_ROOTS)) {
                    put(stage, JAVA_ROOTS, &roots, 0o644)?;
                }
            }
            Self::Kafka(version) => kafka(stage, *version)?,
            Self::Programs(_, programs) => {
                for (program, place) in programs {
                    strip(program, &stage.join(place))?;
                }
            }
        }
        Ok(packages)
    }
}

fn base(stage: &Path, certificates: &Path) -> Result<(), Error> {
    for (path, text) in ETC {
        put(stage, path, text.as_bytes(), 0o644)?;
    }
    let folder = certificates.join("usr/share/ca-certificates/mozilla");
    let entries = file(fs::read_dir(&folder), "read", &folder)?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut roots = Vec::new();
    for path in paths {
        roots.extend(file(fs::read(&path), "read", &path)?);
    }
    put(stage, ROOTS, &roots, 0o644)?;
    let tmp = stage.join("tmp");
    file(fs::create_dir_all(&tmp), "create", &tmp)?;
    file(fs::set_permissions(&tmp, fs::Permissions::from_mode(0o1777)), "open up", &tmp)
}

fn kafka(stage: &Path, version: Version) -> Result<(), Error> {
    let exporter = PathBuf::from(Jars::of_jmx_exporter()?.classpath()?);
    let exporter = file(fs::read(&exporter), "read", &exporter)?;
    put(stage, EXPORTER, &exporter, 0o644)?;
    let libs = Jars::of(version)?.folder().join("libs");
    for entry in file(fs::read_dir(&libs), "read", &libs)? {
        let path = file(entry, "read", &libs)?.path();
        if path.extension().is_some_and(|end| end == "jar") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let jar = file(fs::read(&path), "read", &path)?;
            put(stage, &format!("opt/kafka/libs/{name}"), &jar, 0o644)?;
        }
    }
    for (path, text) in LOGGING {
        put(stage, path, text.as_bytes(), 0o644)?;
    }
    let java = format!(
        "#!/bin/sh\nexec java ${{KAFKA_HEAP_OPTS:--Xmx256m}} ${{KAFKA_JVM_PERFORMANCE_OPTS:-{}}} \
         -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.properties \
         -Dlog4j.configuration=file:/opt/kafka/config/log4j.properties ${{KAFKA_OPTS:-}} \
         -cp '/opt/kafka/libs/*'",
        FLAGS.join(" ")
    );
    let run_class = format!("{java} \"$@\"\n");
    put(stage, "opt/kafka/bin/kafka-run-class.sh", run_class.as_bytes(), 0o755)?;
    for (name, of) in SCRIPTS {
        let text = format!("{java} {} \"$@\"\n", tool::class(of, version));
        put(stage, &format!("opt/kafka/bin/{name}"), text.as_bytes(), 0o755)?;
    }
    Ok(())
}

/// Two thirds of a debug build of ours are symbols and debug information, and every node stores an image twice.
fn strip(program: &Path, to: &Path) -> Result<(), Error> {
    // It says which file is missing: build it with cargo, or run the tests with `cargo xtask test`.
    file(fs::metadata(program), "read", program)?;
    let folder = to.parent().unwrap_or(to);
    file(fs::create_dir_all(folder), "create", folder)?;
    let mut strip = Command::new("strip");
    run(strip.arg("--strip-all").arg("-o").arg(to).arg(program)).map(drop)
}

/// Writes a file, and the folders above it.
fn put(root: &Path, path: &str, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let path = root.join(path);
    let folder = path.parent().unwrap_or(root);
    file(fs::create_dir_all(folder), "create", folder)?;
    file(fs::write(&path, bytes), "write", &path)?;
    file(fs::set_permissions(&path, fs::Permissions::from_mode(mode)), "open up", &path)
}

/// A folder in the cache with contents of this key. Older contents go. The caller holds the lock.
pub(super) fn made(
    name: &str,
    key: &str,
    fill: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let folder = cache::folder().join(name);
    if fs::read_to_string(folder.join("key")).is_ok_and(|had| had == key) {
        return Ok(folder);
    }
    if folder.exists() {
        file(fs::remove_dir_all(&folder), "remove", &folder)?;
    }
    cache::whole(&folder, |part| {
        fill(part)?;
        file(fs::write(part.join("key"), key), "write", part)
    })?;
    Ok(folder)
}

pub(super) fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The processor, as Debian, Go and images call it.
pub(super) fn debian_architecture() -> &'static str {
    match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
