//! The seeded clusters. The generator makes them once, and the cache keeps them.
//!
//! A file's name contains the hash of the generator and its arguments. A changed generator makes new files and never
//! reads old ones.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use testbed::cache;

use super::cases::{Scenario, Size};
use super::python;

const GENERATOR: &str = "gen_snapshot.py";

/// A snapshot file, and the brokers that commands name.
pub(super) struct Cluster {
    pub(super) file: PathBuf,
    /// Live brokers that stay.
    pub(super) allowed: Vec<u32>,
    /// Brokers to be drained.
    pub(super) drain: Vec<u32>,
}

impl Cluster {
    /// Finds a cluster in the cache, or makes it.
    pub(super) fn of(scenario: &Scenario, size: Size, seed: u64) -> Result<Self, Box<dyn Error>> {
        let seed = (seed + scenario.seed).to_string();
        let args: Vec<&str> = ["--size", size.name(), "--seed", &seed]
            .into_iter()
            .chain(scenario.args.iter().copied())
            .collect();
        let folder = cache::folder().join("bench");
        fs::create_dir_all(&folder)?;
        let hash = hash_of(&fs::read(python::script(GENERATOR))?, &args);
        let file = folder.join(format!("{}-{}-{hash}.json", size.name(), scenario.name));
        if !file.exists() {
            let _lock = cache::lock("bench")?;
            generate(&args, &file)?;
        }
        Self::read(file)
    }

    /// Reads the brokers and stops; the generator writes them first, one on each line. Reading all of a large cluster
    /// would make this process large. That would raise the lowest memory that it can measure (see `measure`).
    fn read(file: PathBuf) -> Result<Self, Box<dyn Error>> {
        let mut lines = BufReader::new(File::open(&file)?).lines();
        let head = lines.next().ok_or("the snapshot is empty")??;
        let head = head.strip_suffix(r#","brokers":["#).ok_or("the snapshot has another head")?;
        let head: Head = serde_json::from_str(&format!("{head}}}"))?;
        let mut allowed = Vec::new();
        for line in lines {
            let line = line?;
            let broker = line.trim_end_matches(r#"],"topics":["#).trim_end_matches(',');
            if !broker.is_empty() {
                let broker: Broker = serde_json::from_str(broker)?;
                allowed.extend((!head.scenario.drain.contains(&broker.id)).then_some(broker.id));
            }
            if line.ends_with('[') {
                break;
            }
        }
        Ok(Self { file, allowed, drain: head.scenario.drain })
    }

    /// The arguments of a planner, with the ids of this cluster filled in.
    pub(super) fn fill<'w>(&self, args: impl Iterator<Item = &'w str>) -> Vec<String> {
        args.map(|arg| match arg {
            "{allowed}" => list(&self.allowed),
            "{drain}" => list(&self.drain),
            arg => arg.to_owned(),
        })
        .collect()
    }
}

#[derive(Deserialize)]
struct Head {
    scenario: Happened,
}

#[derive(Deserialize)]
struct Happened {
    drain: Vec<u32>,
}

#[derive(Deserialize)]
struct Broker {
    id: u32,
}

fn list(ids: &[u32]) -> String {
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// Does nothing if another process made the file while this one waited for the lock.
fn generate(args: &[&str], file: &Path) -> Result<(), Box<dyn Error>> {
    if file.exists() {
        return Ok(());
    }
    eprintln!("makes {}", file.display());
    let part = file.with_extension("part");
    let mut command: Command = python::command(GENERATOR);
    let out = command.args(args).arg("--out").arg(&part).output()?;
    if !out.status.success() {
        return Err(format!("{GENERATOR}: {}", String::from_utf8_lossy(&out.stderr)).into());
    }
    Ok(fs::rename(part, file)?)
}

/// A part of the hash that is long enough to distinguish files.
fn hash_of(generator: &[u8], args: &[&str]) -> String {
    let mut hash = Sha256::new_with_prefix(generator);
    for arg in args {
        hash.update([0]);
        hash.update(arg);
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_generator_or_another_argument_makes_another_file() {
        let hash = hash_of(b"v1", &["--size", "S"]);
        assert_eq!(hash, hash_of(b"v1", &["--size", "S"]));
        assert_ne!(hash, hash_of(b"v2", &["--size", "S"]));
        assert_ne!(hash, hash_of(b"v1", &["--sizeS"]));
    }

    #[test]
    fn a_cluster_names_the_brokers_that_may_hold_replicas() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = concat!(
            r#"{"version":1,"params":{},"scenario":{"name":"decommission","drain":[2]},"brokers":["#,
            "\n{\"id\":1},\n{\"id\":2},\n{\"id\":3}],\"topics\":[\n{\"name\":\"t\"}]}\n"
        );
        fs::write(file.path(), text).unwrap();
        let cluster = Cluster::read(file.path().to_owned()).unwrap();
        assert_eq!(
            cluster.fill(["--brokers", "{allowed}", "{drain}"].into_iter()),
            ["--brokers", "1,3", "2"]
        );
    }
}
