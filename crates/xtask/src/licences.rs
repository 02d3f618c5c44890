//! `cargo xtask licences`: lists the code in the two programs and its licences, with the texts.
//!
//! In: the crates of the programs, and the packages that cargo has fetched. Out: a text for the artefacts. `deny.toml` decides which
//! licences are allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;

use crate::project::Outcome;
use crate::shipped::{Crate, crates};

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
    fs::write(&args.out_file, list(&crates(PLATFORM)?)?)?;
    println!("{}", args.out_file.display());
    Ok(())
}

/// One line for each crate, then each text once, with the crates that it is for.
pub(crate) fn list(crates: &[Crate]) -> Result<String, Box<dyn Error>> {
    let mut lines = BTreeSet::new();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in crates.iter().filter(|one| !one.ours) {
        let name = format!("{} {}", one.name, one.version);
        lines.insert(format!("{name}: {}; {}", one.licence, one.repository));
        for found in licence_texts(&one.folder, VENDORED)? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_named_and_what_only_tests_need_is_not() {
        let list = list(&crates(PLATFORM).unwrap()).unwrap();
        assert!(list.contains("\nrustls 0."), "{list}");
        assert!(!list.contains("\nproptest "));
        assert!(!list.contains("\nmappr-"), "ours are not others'");
        assert!(list.contains("Apache License"));
    }
}
