//! The control plane as a single program.

use std::path::PathBuf;

use crate::error::Error;
use crate::go::Program;

/// The program's sources. A test checks that the release matches `go.mod`.
const SOURCES: &[(&str, &str)] = &[
    ("go.mod", include_str!("../../kubernetes/go.mod")),
    ("go.sum", include_str!("../../kubernetes/go.sum")),
    ("main.go", include_str!("../../kubernetes/main.go")),
];

/// The answer of `/version`. Without linker options, it would be `v0.0.0-master`.
const RELEASE: (&str, &str, &str) = ("v1.33.13", "1", "33");

/// The program with etcd, the components of the control plane and the simulated kubelet.
///
/// Finds it in the cache, or builds it once for each change of its sources. A build takes minutes (8 of CPU), 3 GB in
/// Go's own caches, and the network.
pub fn build() -> Result<PathBuf, Error> {
    let link = link();
    Program { name: "kubelab", sources: SOURCES, packages: &[], patch: None, link }.built()
}

/// The release that the components tell.
pub(super) fn link() -> Vec<String> {
    let (release, major, minor) = RELEASE;
    let set = |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    vec![
        set("gitVersion", release),
        set("gitMajor", major),
        set("gitMinor", minor),
        set("gitTreeState", "clean"),
        set("buildDate", "1970-01-01T00:00:00Z"),
    ]
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
