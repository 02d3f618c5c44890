//! `cargo xtask licences`: lists the code in the two programs and its licences, with the texts.
//!
//! In: `cargo metadata`, and the packages that cargo has fetched. Out: a text for the image. `deny.toml` decides which
//! licences are allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::Value;

use crate::project::{Outcome, cargo};

/// The packages of the programs that are shipped.
const SHIPPED: [&str; 2] = ["mappr-topicmappr", "mappr-autothrottle"];
/// The platform of the image. Other platforms have the same crates, except for a few of the system's own.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// How many folder levels below a crate may contain third-party licences.
const VENDORED: u32 = 3;

/// The flags of `licences`.
#[derive(Parser)]
pub(crate) struct Args {
    /// The file to write
    #[arg(long, default_value = "THIRD-PARTY-LICENCES.txt")]
    out_file: PathBuf,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let text = list(&metadata()?)?;
    fs::write(&args.out_file, text)?;
    println!("{}", args.out_file.display());
    Ok(())
}

fn metadata() -> Result<Value, Box<dyn Error>> {
    let asked = ["metadata", "--format-version=1", "--locked", "--filter-platform", PLATFORM];
    let out = cargo(asked).output()?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&out.stdout)?)
}

/// One line for each crate, then each text once, with the crates that it is for.
fn list(metadata: &Value) -> Result<String, Box<dyn Error>> {
    let shipped = shipped(metadata);
    let packages = array(&metadata["packages"]).filter(|one| shipped.contains(text(&one["id"])));
    let mut lines = BTreeSet::new();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // A package with a source is not ours.
    for package in packages.filter(|one| one["source"].is_string()) {
        let name = format!("{} {}", text(&package["name"]), text(&package["version"]));
        let licence = text(&package["license"]);
        if licence.is_empty() {
            return Err(format!("{name} names no licence").into());
        }
        lines.insert(format!("{name}: {licence}; {}", text(&package["repository"])));
        let manifest = Path::new(text(&package["manifest_path"]));
        for found in licence_texts(manifest.parent().unwrap_or(manifest), VENDORED)? {
            texts.entry(found).or_default().insert(name.clone());
        }
    }
    let mut list = String::from("topicmappr and autothrottle hold code of others:\n\n");
    for line in lines {
        writeln!(list, "{line}")?;
    }
    for (text, of) in texts {
        let of: Vec<String> = of.into_iter().collect();
        writeln!(list, "\n{}\n{}\n\n{}", "=".repeat(80), of.join(", "), text.trim())?;
    }
    Ok(list)
}

/// The ids of all packages that are in a program. Excludes build scripts and tests.
fn shipped(metadata: &Value) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Value> =
        array(&metadata["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
    let roots = array(&metadata["packages"]).filter(|one| SHIPPED.contains(&text(&one["name"])));
    let mut waiting: Vec<&str> = roots.map(|one| text(&one["id"])).collect();
    let mut found = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !found.insert(id) {
            continue;
        }
        let Some(node) = nodes.get(id) else { continue };
        let is_normal = |dep: &&Value| array(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null());
        waiting.extend(array(&node["deps"]).filter(is_normal).map(|dep| text(&dep["pkg"])));
    }
    found
}

/// The licence texts in a folder and up to `levels` below it, because crates bundle C code of other authors.
fn licence_texts(folder: &Path, levels: u32) -> Result<Vec<String>, std::io::Error> {
    const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_dir() && levels > 0 {
            found.extend(licence_texts(&path, levels - 1)?);
        } else if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            found.push(String::from_utf8_lossy(&fs::read(&path)?).into_owned());
        }
    }
    found.sort();
    Ok(found)
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_named_and_what_only_tests_need_is_not() {
        let list = list(&metadata().unwrap()).unwrap();
        assert!(list.contains("\nrustls 0."), "{list}");
        assert!(!list.contains("\nproptest "));
        assert!(!list.contains("\nmappr-"), "ours are not others'");
        assert!(list.contains("Apache License"));
    }
}
