//! The crates in the two shipped programs.
//!
//! In: `cargo tree`, which knows the features of exactly this build, and `cargo metadata`, which knows the rest. Out: one
//! value for each crate, in the order of names.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::PathBuf;

use serde_json::Value;

use crate::project::cargo;

/// The packages of the programs that are shipped.
pub(crate) const SHIPPED: [&str; 2] = ["mappr-topicmappr", "mappr-autothrottle"];
/// The programs that build C or assembly: a crate that depends on one of them carries such code, or looks for it.
const C_BUILDERS: [&str; 3] = ["cc", "cmake", "pkg-config"];

/// One crate of the programs.
pub(crate) struct Crate {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression.
    pub(crate) licence: String,
    pub(crate) repository: String,
    pub(crate) folder: PathBuf,
    /// Whether it is in this workspace.
    pub(crate) ours: bool,
    /// Whether it only runs in the compiler, as a procedural macro or as a part of one.
    pub(crate) only_compiles: bool,
    /// Whether its build script builds or looks for C code.
    pub(crate) has_c: bool,
    /// The crates that it uses, as name and version.
    pub(crate) uses: Vec<(String, String)>,
}

/// All crates of the programs for this platform. Excludes build scripts and tests.
pub(crate) fn crates(platform: &str) -> Result<Vec<Crate>, Box<dyn Error>> {
    let all = tree(platform, "normal")?;
    let linked = tree(platform, "normal,no-proc-macro")?;
    let asked = ["metadata", "--format-version=1", "--locked", "--filter-platform", platform];
    let metadata: Value = serde_json::from_str(&output(&asked)?)?;
    let key = |one: &Value| (text(&one["name"]).to_owned(), text(&one["version"]).to_owned());
    let ids: BTreeMap<&str, (String, String)> =
        array(&metadata["packages"]).map(|one| (text(&one["id"]), key(one))).collect();
    let uses: BTreeMap<&str, Vec<(String, String)>> = array(&metadata["resolve"]["nodes"])
        .map(|node| {
            (text(&node["id"]), normal(node).filter_map(|id| ids.get(id).cloned()).collect())
        })
        .collect();
    let mut crates = Vec::new();
    for package in array(&metadata["packages"]).filter(|one| all.contains(&key(one))) {
        let used = uses.get(text(&package["id"])).into_iter().flatten();
        crates.push(Crate {
            only_compiles: !linked.contains(&key(package)),
            uses: used.filter(|one| all.contains(*one)).cloned().collect(),
            ..described(package)?
        });
    }
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    if crates.len() != all.len() {
        let found = crates.len();
        return Err(
            format!("cargo tree has {} crates, cargo metadata {found} of them", all.len()).into()
        );
    }
    Ok(crates)
}

fn described(package: &Value) -> Result<Crate, Box<dyn Error>> {
    let name = text(&package["name"]).to_owned();
    // Older packages write "MIT/Apache-2.0", which is no SPDX expression.
    let licence = text(&package["license"]).replace(" / ", "/").replace('/', " OR ");
    if licence.is_empty() {
        return Err(format!("{name} names no licence").into());
    }
    let builds = |dep: &Value| dep["kind"] == "build" && C_BUILDERS.contains(&text(&dep["name"]));
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    Ok(Crate {
        name,
        version: text(&package["version"]).to_owned(),
        licence,
        repository: text(&package["repository"]).to_owned(),
        folder: manifest.parent().map(Into::into).unwrap_or_default(),
        ours: package["source"].is_null(),
        only_compiles: false,
        has_c: array(&package["dependencies"]).any(builds),
        uses: Vec::new(),
    })
}

/// The ids that a node depends on in a program. Leaves out build scripts and tests.
fn normal(node: &Value) -> impl Iterator<Item = &str> {
    let is_normal = |dep: &&Value| array(&dep["dep_kinds"]).any(|kind| kind["kind"].is_null());
    array(&node["deps"]).filter(is_normal).map(|dep| text(&dep["pkg"]))
}

/// Name and version of each crate that `cargo tree` reaches over these edges.
fn tree(platform: &str, edges: &str) -> Result<BTreeSet<(String, String)>, Box<dyn Error>> {
    let [first, second] = SHIPPED;
    let packages = ["tree", "--locked", "--package", first, "--package", second];
    let shape = ["--target", platform, "--prefix", "none", "--edges", edges];
    let lines = output(&[&packages[..], &shape[..]].concat())?;
    let one = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    Ok(lines.lines().filter_map(one).collect())
}

fn output(args: &[&str]) -> Result<String, Box<dyn Error>> {
    let out = cargo(args.iter().copied()).output()?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into_owned().into());
    }
    Ok(String::from_utf8(out.stdout)?)
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
