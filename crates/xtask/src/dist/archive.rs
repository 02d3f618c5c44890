//! The archive for any Linux of this processor: `topicmappr-VERSION-ARCH-linux.tar.gz`.
//!
//! `bin` and `share` in it can be copied into `/usr/local` as they are.

use std::error::Error;

use super::contents::Contents;
use super::release::Release;
use super::tool;
use super::tree::Tree;

/// Writes the archive, and returns its name.
pub(super) fn write(release: &Release, contents: &Contents) -> Result<String, Box<dyn Error>> {
    let end = format!("-{}-linux", release.arch());
    let mut tree = contents.installed()?;
    for (name, text) in &contents.documents {
        tree.file(name, text.clone());
    }
    for (path, text) in &contents.examples {
        tree.file(path, text.clone());
    }
    let mut whole = Tree::default();
    whole.graft(&format!("topicmappr-{}{end}", release.version), tree);
    let packed = gzip(&whole.tar(release.epoch)?)?;
    release.artefact(&format!("{end}.tar.gz"), &packed)
}

/// Packs bytes without a name and a time.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    tool::filter(tool::named("gzip").args(["-9", "-n"]), bytes)
}
