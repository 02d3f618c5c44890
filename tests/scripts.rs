//! Scripts of command lines with their expected output: each `scripts/NAME.script` has a `NAME.golden` next to it.
//!
//! `BLESS=1` rewrites the goldens. For each command, a golden contains its stdout, its stderr after `!`, its exit code,
//! and every file that it wrote. Any other output fails the test.

#[path = "command.rs"]
mod command;

use command::{Command, Ran, enter};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most lines in a golden: a reader must be able to check all of it.
const LONGEST: usize = 60;
/// For larger plans, the golden has only the first lines and the hash.
const MOST_PARTITIONS: usize = 3;

#[test]
fn every_script_puts_out_what_its_golden_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let mut wrong = Vec::new();
    for script in scripts(&root) {
        let golden = script.with_extension("golden");
        let found = transcript(&root, &fs::read_to_string(&script).unwrap());
        let lines = found.lines().count();
        assert!(lines <= LONGEST, "{}: {lines} lines, more than {LONGEST}", golden.display());
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{}:\n{}", golden.display(), difference(&expected, &found)));
        }
    }
    assert!(wrong.is_empty(), "BLESS=1 accepts what was found\n{}", wrong.join("\n"));
}

fn scripts(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("tests/scripts")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut scripts: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "script")).collect();
    scripts.sort();
    assert!(!scripts.is_empty());
    scripts
}

/// Runs a script's commands, one on each line, in a separate folder.
///
/// The folder looks like the repository's root to them, and also has an empty folder `steps`.
fn transcript(root: &Path, script: &str) -> String {
    let folder = enter(root);
    fs::create_dir(folder.path().join("steps")).unwrap();
    let mut text = String::new();
    let lines = script.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let before = files(Path::new(""));
        let ran = told(&Command::parse(line).run());
        writeln!(text, "$ {line}\n{ran}").unwrap();
        let after = files(Path::new(""));
        let changed = after.iter().filter(|(name, content)| before.get(*name) != Some(*content));
        text.extend(changed.map(|(name, content)| written(name, content)));
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        text.extend(gone.map(|name| format!("- {}\n", name.display())));
    }
    std::env::set_current_dir(root).unwrap();
    text
}

/// The output of a command in the form of a golden.
fn told(ran: &Ran) -> String {
    let mut text = String::new();
    for line in &ran.out {
        writeln!(text, "{line}").unwrap();
    }
    for line in &ran.err {
        writeln!(text, "! {line}").unwrap();
    }
    text + &format!("= {}", ran.code)
}

/// The files below a folder. Skips links, which lead back to the repository.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for name in fs::read_dir(here).unwrap().map(|entry| entry.unwrap().file_name()) {
        let path = folder.join(name);
        if path.is_symlink() {
            continue;
        } else if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// A small partition map as its replica lists, and anything else as its hash.
fn written(name: &Path, content: &[u8]) -> String {
    let content = unpacked(content);
    let hash = Sha256::digest(&content);
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let json: serde_json::Value = serde_json::from_slice(&content).unwrap_or_default();
    let mut text = format!("+ {} {hash}\n", name.display());
    let partitions = json["partitions"].as_array();
    for entry in partitions.into_iter().flatten().take(MOST_PARTITIONS) {
        let topic = entry["topic"].as_str().unwrap();
        writeln!(text, "    {topic}-{} {}", entry["partition"], entry["replicas"]).unwrap();
    }
    let more = partitions.map_or(0, |all| all.len().saturating_sub(MOST_PARTITIONS));
    if more > 0 {
        writeln!(text, "    and {more} more").unwrap();
    }
    text
}

/// The contents of a file, decompressed if necessary.
fn unpacked(content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    match MultiGzDecoder::new(content).read_to_end(&mut bytes) {
        Ok(_) => bytes,
        Err(_) => content.to_vec(),
    }
}

/// The lines that are only on one side.
fn difference(expected: &str, found: &str) -> String {
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) =
        (expected.lines().collect(), found.lines().collect());
    let gone = expected.lines().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = found.lines().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}
