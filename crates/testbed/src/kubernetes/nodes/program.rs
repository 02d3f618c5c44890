//! The agents of a node as one program, and CoreDNS, in a Go module of their own.
//!
//! The control plane, which other tests use, has its own program, and its build takes no longer. The module uses the same
//! releases of all libraries that both need, so Go compiles them once for both.

use std::path::PathBuf;

use super::super::program;
use crate::error::Error;
use crate::go::{Patch, Program};

const SOURCES: &[(&str, &str)] = &[
    ("go.mod", include_str!("../../../kubernetes/nodes/go.mod")),
    ("go.sum", include_str!("../../../kubernetes/nodes/go.sum")),
    ("nodelab/main.go", include_str!("../../../kubernetes/nodes/nodelab/main.go")),
    ("coredns/main.go", include_str!("../../../kubernetes/nodes/coredns/main.go")),
];

/// CoreDNS sets a field that this release of Kubernetes' client no longer has.
const COREDNS: Patch = Patch {
    module: "github.com/coredns/coredns@v1.12.0",
    sum: "h1:54YoUFOPewOgv4fybLISnbd5aSi7cQH4tFP2X24FVBc=",
    path: "plugin/kubernetes/object/informer.go",
    word: "RetryOnError",
};

/// The folder with `nodelab` (kubelet and kube-proxy) and `coredns`.
///
/// Finds it in the cache, or builds it once for each change of its sources. After a build of the control plane, that
/// takes two minutes of CPU more.
///
/// # Errors
/// If Go or its modules are missing.
pub fn build() -> Result<PathBuf, Error> {
    let packages = &["./nodelab", "./coredns"];
    let link = program::link();
    Program { name: "nodelab", sources: SOURCES, packages, patch: Some(COREDNS), link }.folder()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The modules of a `go.mod`, each with the release that counts.
    fn releases(text: &str) -> BTreeMap<&str, &str> {
        let lines = || text.lines().filter_map(|line| line.strip_prefix('\t'));
        let plain = lines().filter(|line| !line.contains("=>")).filter_map(|l| l.split_once(' '));
        let replaced = lines().filter_map(|line| line.split_once(" => ")?.1.split_once(' '));
        let all = plain.chain(replaced);
        all.map(|(module, release)| (module, release.trim_end_matches(" // indirect"))).collect()
    }

    #[test]
    fn all_programs_have_the_releases_of_the_control_plane() {
        let control = releases(include_str!("../../../kubernetes/go.mod"));
        let helm = releases(include_str!("../../../helm/go.mod"));
        let nodes = releases(SOURCES[0].1);
        assert!(control.len() > 100 && helm.len() > 100);
        // Else, Go compiles libraries twice.
        assert_eq!(control.iter().find(|(of, release)| nodes.get(*of) != Some(release)), None);
        let differs = |of: &str, release| helm.get(of).is_some_and(|other| other != release);
        assert_eq!(control.iter().find(|(of, release)| differs(of, *release)), None);
        let (module, release) = COREDNS.module.split_once('@').unwrap();
        assert_eq!(nodes.get(module), Some(&release));
    }
}
