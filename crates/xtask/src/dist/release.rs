//! What an artefact is called, and when it was made.
//!
//! In: the checkout, cargo, and `SOURCE_DATE_EPOCH`. Out: plain values. No artefact has another time in it.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::tool;
use crate::project::{cargo, root};

/// One release of both programs for one platform.
pub(super) struct Release {
    pub(super) version: String,
    /// Seconds since 1970: the time of everything in the artefacts.
    pub(super) epoch: u64,
    /// The commit; `-dirty` follows if files differ from it. None outside a repository.
    pub(super) revision: Option<String>,
    /// The platform as rustc names it.
    pub(super) target: String,
    /// Cargo's folder for builds.
    pub(super) target_folder: PathBuf,
}

impl Release {
    /// The release that this checkout makes on this machine.
    pub(super) fn of_checkout() -> Result<Self, Box<dyn Error>> {
        let metadata =
            cargo(["metadata", "--format-version=1", "--no-deps", "--locked"]).output()?;
        let metadata: Value = serde_json::from_slice(&metadata.stdout)?;
        let folder = metadata["target_directory"].as_str().ok_or("cargo names no target folder")?;
        let rustc = tool::output(tool::named("rustc").arg("-vV").current_dir(root()))?;
        let target = rustc.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: epoch()?,
            revision: git(&["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]).ok(),
            target: target.ok_or("rustc names no host")?.to_owned(),
            target_folder: folder.into(),
        })
    }

    /// The name of the processor, as in the platform's: `x86_64`.
    pub(super) fn arch(&self) -> &str {
        self.target.split('-').next().unwrap_or_default()
    }

    /// The folder of all artefacts.
    pub(super) fn folder(&self) -> PathBuf {
        self.target_folder.join("dist")
    }

    /// The time in the form that a program of coreutils prints: `date -u -d @TIME FORMAT`.
    pub(super) fn date(&self, format: &str) -> Result<String, Box<dyn Error>> {
        let at = format!("@{}", self.epoch);
        let date = tool::output(tool::named("date").args(["-u", "-d", &at, format]))?;
        Ok(date.trim().to_owned())
    }

    /// Writes `topicmappr-VERSION` with this end, and returns the file's name.
    pub(super) fn artefact(&self, end: &str, bytes: &[u8]) -> Result<String, Box<dyn Error>> {
        let name = format!("topicmappr-{}{end}", self.version);
        fs::write(self.folder().join(&name), bytes)?;
        Ok(name)
    }
}

fn epoch() -> Result<u64, Box<dyn Error>> {
    if let Ok(set) = env::var("SOURCE_DATE_EPOCH") {
        return Ok(set.parse().map_err(|_| format!("SOURCE_DATE_EPOCH is no number: {set}"))?);
    }
    let time = git(&["log", "-1", "--format=%ct"])
        .map_err(|why| format!("set SOURCE_DATE_EPOCH, because git knows no commit here: {why}"))?;
    Ok(time.parse()?)
}

fn git(args: &[&str]) -> Result<String, Box<dyn Error>> {
    Ok(tool::output(tool::named("git").args(args).current_dir(root()))?.trim().to_owned())
}
