//! The control plane as one program, built by Go into the cache: once, and whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::cache;
use crate::error::{Error, file};
use crate::jars::tail;

/// What the program is made of. `go.sum` pins every module; a test holds the release to `go.mod`.
const SOURCES: [(&str, &str); 3] = [
    ("go.mod", include_str!("../../kubernetes/go.mod")),
    ("go.sum", include_str!("../../kubernetes/go.sum")),
    ("main.go", include_str!("../../kubernetes/main.go")),
];

/// What `/version` says; without the linker's help it would say `v0.0.0-master`.
const RELEASE: (&str, &str, &str) = ("v1.33.13", "1", "33");

/// The program that holds etcd, the components of the control plane and the fake kubelet.
///
/// Finds it in the cache, or builds it: that takes minutes (8 of CPU), 3 GB in Go's own caches and the
/// network, once for each change of its sources.
pub fn build() -> Result<PathBuf, Error> {
    let folder = cache::folder().join(format!("kubelab-{}", key()));
    if !folder.exists() {
        let _lock = cache::lock("kubelab")?;
        cache::whole(&folder, compile)?;
    }
    Ok(folder.join("kubelab"))
}

fn key() -> String {
    let mut hash = Sha256::new();
    for (name, text) in SOURCES {
        hash.update(name);
        hash.update([0]);
        hash.update(text);
    }
    for argument in arguments(Path::new("")) {
        hash.update(argument);
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn compile(part: &Path) -> Result<(), Error> {
    let sources = part.join("src");
    file(fs::create_dir_all(&sources), "create", &sources)?;
    for (name, text) in SOURCES {
        file(fs::write(sources.join(name), text), "write", sources.join(name))?;
    }
    let out = Command::new("go")
        .args(arguments(part))
        .current_dir(&sources)
        .env("CGO_ENABLED", "0")
        .output()
        .map_err(|source| Error::Missing { program: "go".into(), package: "golang", source })?;
    if !out.status.success() {
        let output = String::from_utf8_lossy(&out.stderr).into_owned();
        return Err(Error::Build { status: out.status, output: tail(&output, 20) });
    }
    file(fs::remove_dir_all(&sources), "remove", &sources)
}

/// No debug information, no paths of this machine: 127 MB in place of twice that.
fn arguments(into: &Path) -> Vec<String> {
    let (release, major, minor) = RELEASE;
    let set = |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    let link = [
        "-s -w".to_owned(),
        set("gitVersion", release),
        set("gitMajor", major),
        set("gitMinor", minor),
        set("gitTreeState", "clean"),
        set("buildDate", "1970-01-01T00:00:00Z"),
    ];
    let mut arguments: Vec<String> =
        ["build", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"]
            .map(String::from)
            .into();
    arguments.push(format!("-ldflags={}", link.join(" ")));
    arguments.extend(["-o".to_owned(), into.join("kubelab").display().to_string(), ".".to_owned()]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_that_of_the_module() {
        let (release, major, minor) = RELEASE;
        assert!(SOURCES[0].1.contains(&format!("\tk8s.io/kubernetes {release}\n")));
        assert!(release.starts_with(&format!("v{major}.{minor}.")));
    }
}
