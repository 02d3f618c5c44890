//! Reports what this machine lacks to build and test the workspace.
//!
//! In: the machine. Out: a line for each requirement, with the command that installs it (Debian).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::project::Outcome;

/// When a requirement applies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    Now,
    /// Only to build with the feature `highs`.
    Highs,
    /// Only for tests on real Kubernetes nodes. CI must have it.
    Nodes,
}

impl Needed {
    /// What runs without it, in words.
    fn only_for(self) -> &'static str {
        match self {
            Self::Now => "everything",
            Self::Highs => "--features highs",
            Self::Nodes => "tests on real Kubernetes nodes",
        }
    }
}

struct Prerequisite {
    name: &'static str,
    why: &'static str,
    install: &'static str,
    when: Needed,
    found: fn() -> Result<String, String>,
}

const RUSTUP: &str = "install rustup (https://rustup.rs)";

/// Debian 12 itself has Go 1.19, which cannot fetch a newer release.
const GO: &str = "apt-get install -t bookworm-backports golang-go (or https://go.dev/doc/install)";

const NEEDS: [Prerequisite; 20] = [
    need("cargo", "builds everything", RUSTUP, || version("cargo", &["--version"])),
    need("rustfmt", "formatting", "rustup component add rustfmt", || {
        version("cargo", &["fmt", "--version"])
    }),
    need("clippy", "lints", "rustup component add clippy", || {
        version("cargo", &["clippy", "--version"])
    }),
    need("cc", "builds librdkafka", "apt-get install gcc libc6-dev", || {
        version("cc", &["--version"])
    }),
    need("make", "builds librdkafka", "apt-get install make", || version("make", &["--version"])),
    need("pkg-config", "finds openssl's headers", "apt-get install pkg-config", || {
        version("pkg-config", &["--version"])
    }),
    need("openssl/ssl.h", "TLS of librdkafka", "apt-get install libssl-dev", || {
        header("openssl/ssl.h")
    }),
    need("zlib.h", "compression of librdkafka", "apt-get install zlib1g-dev", || header("zlib.h")),
    need("java >= 17", "runs Kafka", "apt-get install openjdk-17-jdk-headless", java),
    need("mvn", "fetches Kafka", "apt-get install maven", || version("mvn", &["--version"])),
    need("openssl", "makes certificates for tests", "apt-get install openssl", || {
        version("openssl", &["version"])
    }),
    need("python3", "makes and scores the benchmark's clusters", "apt-get install python3", || {
        version("python3", &["--version"])
    }),
    need("pip", "fetches a linter for tests", "apt-get install python3-pip", || {
        version("python3", &["-m", "pip", "--version"])
    }),
    need("prometheus", "scrapes the brokers of tests", "apt-get install prometheus", prometheus),
    need("chromium", "looks at the daemon's page in tests", "apt-get install chromium", || {
        let named = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        version(&named, &["--version"])
    }),
    need("go >= 1.24", "builds a Kubernetes API for tests", GO, go),
    Prerequisite {
        name: "real nodes",
        why: "run pods in tests, as root",
        install: "apt-get install containerd runc containernetworking-plugins iptables iproute2",
        when: Needed::Nodes,
        found: nodes,
    },
    highs("cmake", "apt-get install cmake", || version("cmake", &["--version"])),
    highs("c++", "apt-get install g++", || version("c++", &["--version"])),
    highs("libclang", "apt-get install libclang1", libclang),
];

const fn need(
    name: &'static str,
    why: &'static str,
    install: &'static str,
    found: fn() -> Result<String, String>,
) -> Prerequisite {
    Prerequisite { name, why, install, when: Needed::Now, found }
}

/// The tools that build HiGHS, and the library that reads its header for `bindgen`.
const fn highs(
    name: &'static str,
    install: &'static str,
    found: fn() -> Result<String, String>,
) -> Prerequisite {
    Prerequisite { name, why: "builds HiGHS", install, when: Needed::Highs, found }
}

/// Prints each requirement and its state. Fails if one that is needed now is missing.
pub(crate) fn run() -> Outcome {
    check(true, now())
}

/// The same at the start of another task. Prints nothing about existing requirements.
pub(crate) fn quiet() -> Outcome {
    check(false, now())
}

/// CI is root on Debian, so that it has no reason to leave a test out.
fn now() -> &'static [Needed] {
    let is_ci = std::env::var_os("CI").is_some_and(|set| set == "true");
    if is_ci { &[Needed::Now, Needed::Nodes] } else { &[Needed::Now] }
}

/// The same for a build with the feature `highs`.
pub(crate) fn quiet_with_highs() -> Outcome {
    check(false, &[Needed::Now, Needed::Highs])
}

fn check(all: bool, asked: &[Needed]) -> Outcome {
    let mut missing = 0;
    for need in &NEEDS {
        match (need.found)() {
            Ok(version) if all => println!("ok       {:<14} {version}", need.name),
            Ok(_) => {}
            Err(why) if asked.contains(&need.when) => {
                missing += 1;
                println!("MISSING  {:<14} {} ({why})", need.name, need.why);
                println!("         {:<14} install it: {}", "", need.install);
            }
            Err(why) if all => {
                let only = need.when.only_for();
                println!("absent   {:<14} {}: only for {only} ({why})", need.name, need.why);
                println!("         {:<14} install it: {}", "", need.install);
            }
            Err(_) => {}
        }
    }
    if missing == 0 {
        return Ok(());
    }
    Err(format!("{missing} of the things that this workspace needs are missing").into())
}

/// The first line that the program prints about its version.
fn version(program: &str, args: &[&str]) -> Result<String, String> {
    let out = Command::new(program).args(args).stdin(Stdio::null()).output();
    let out = out.map_err(|why| why.to_string())?;
    if !out.status.success() {
        return Err(format!("{program} {} ended with {}", args.join(" "), out.status));
    }
    // Java prints to stderr, and Maven prints in bold.
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text).replace("\u{1b}[1m", "").replace("\u{1b}[m", "");
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Whether the C compiler finds a header.
fn header(name: &str) -> Result<String, String> {
    let mut child = Command::new("cc")
        .args(["-E", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|why| format!("cc cannot be asked: {why}"))?;
    if let Some(mut source) = child.stdin.take() {
        // A compiler that stops reading has failed, and its status shows that.
        let _ = writeln!(source, "#include <{name}>");
    }
    match child.wait() {
        Ok(status) if status.success() => Ok("found".into()),
        Ok(_) => Err("cc does not find it".into()),
        Err(why) => Err(why.to_string()),
    }
}

fn java() -> Result<String, String> {
    let home = std::env::var("JAVA_HOME").ok().filter(|home| !home.is_empty());
    let program = home.map_or_else(|| "java".into(), |home| format!("{home}/bin/java"));
    let line = version(&program, &["-version"])?;
    match major(&line) {
        Some(17..) => Ok(line),
        _ => Err(format!("this is {line}")),
    }
}

/// If Prometheus is missing, the testbed unpacks Debian's package into the cache. This checks only whether it can.
fn prometheus() -> Result<String, String> {
    version("prometheus", &["--version"]).or_else(|absent| {
        let unpacked = testbed::prometheus::unpacked().display().to_string();
        version(&unpacked, &["--version"])
            .or_else(|_| version("apt-get", &["-qq", "--print-uris", "download", "prometheus"]))
            .map_err(|_| absent)
    })
}

fn nodes() -> Result<String, String> {
    testbed::kubernetes::nodes::check().map_err(|why| why.to_string())?;
    version("containerd", &["--version"])
}

/// Since 1.21, Go fetches the release that a module requires, unless it is configured not to.
fn go() -> Result<String, String> {
    let line = version("go", &["version"])?;
    match minor(&line) {
        Some(24..) => Ok(line),
        Some(21..) if version("go", &["env", "GOTOOLCHAIN"])? != "local" => {
            Ok(format!("{line}, which will fetch 1.24"))
        }
        _ => Err(format!("this is {line}")),
    }
}

/// The usual ones of the places that `bindgen` searches.
fn libclang() -> Result<String, String> {
    let named = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from);
    let llvm = entries(Path::new("/usr/lib")).filter(|path| begins_with(path, "llvm-"));
    let usual = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu"];
    let folders = named.into_iter().chain(llvm.map(|path| path.join("lib")));
    let mut folders = folders.chain(usual.map(PathBuf::from));
    // The C++ library has a similar name, but nothing that bindgen needs.
    let library = |folder: PathBuf| {
        entries(&folder).find(|p| {
            begins_with(p, "libclang.so")
                || begins_with(p, "libclang-") && !begins_with(p, "libclang-cpp")
        })
    };
    let found = folders.find_map(library).map(|path| path.display().to_string());
    found.ok_or_else(|| "no libclang.so where bindgen looks; LIBCLANG_PATH may name one".to_owned())
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path())
}

fn begins_with(path: &Path, start: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
}

/// `go version go1.24.0 linux/amd64` gives 24.
fn minor(line: &str) -> Option<u32> {
    line.split("go1.").nth(1)?.split(['.', ' ', 'r']).next()?.parse().ok()
}

/// `openjdk version "17.0.15" 2025-04-15` gives 17.
fn major(line: &str) -> Option<u32> {
    line.split('"').nth(1)?.split(['.', '-', '+']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_java_is_read() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(major("java version \"1.8.0_402\""), Some(1));
        assert_eq!(major("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(major("sh: java: not found"), None);
    }

    #[test]
    fn the_minor_version_of_go_is_read() {
        assert_eq!(minor("go version go1.24.0 linux/amd64"), Some(24));
        assert_eq!(minor("go version go1.27rc1 linux/amd64"), Some(27));
        assert_eq!(minor("go version go1.19 linux/amd64"), Some(19));
    }

    #[test]
    fn a_header_that_does_not_exist_is_missed() {
        assert!(header("no/such/header.h").is_err());
    }
}
