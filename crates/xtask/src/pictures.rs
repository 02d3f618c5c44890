//! Makes every picture of `docs` again, from real runs.
//!
//! In: names of pictures, or none for all. Out: their files in `docs`. Each picture has one command that makes it, so
//! no picture shows what nothing can show again.

use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::project::{self, Outcome};

/// What one run shows.
struct Picture {
    name: &'static str,
    /// The task that makes it.
    task: &'static [&'static str],
    /// Its files in `docs`.
    files: &'static [&'static str],
}

/// The folder that the tests of pages write their pictures to.
const FOLDER: &str = "MAPPR_PICTURES";
const PICTURES: [Picture; 4] = [
    // A move next to clients, on real brokers, in a real browser.
    Picture {
        name: "page",
        task: &["test", "--only", "whatever_happens_to_the_daemon"],
        files: &["autothrottle.png", "autothrottle-phone.png"],
    },
    // A plan that an operator approves there.
    Picture {
        name: "keep",
        task: &["test", "--only", "keep::a_lost_broker"],
        files: &["keep.png", "keep-phone.png", "keep-prometheus.png"],
    },
    // The daemon's move with gigabytes, many times.
    Picture {
        name: "closed-loop",
        task: &["test", "soak", "--only", "gigabytes_move"],
        files: &["figures/closed-loop-kraft.svg", "figures/closed-loop-zookeeper.svg"],
    },
    // All planners on all sizes.
    Picture { name: "benchmarks", task: &["bench", "--save-baseline"], files: &["benchmarks.svg"] },
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The pictures to make: page, keep, benchmarks (minutes), closed-loop (an hour). Without a name, all of them.
    #[arg(value_parser = PICTURES.map(|picture| picture.name))]
    names: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let chosen = |picture: &&Picture| {
        args.names.is_empty() || args.names.iter().any(|name| name == picture.name)
    };
    PICTURES.iter().filter(chosen).try_for_each(Picture::make)
}

impl Picture {
    fn make(&self) -> Outcome {
        let docs = project::root().join("docs");
        let start = SystemTime::now();
        println!("=== {}: cargo xtask {}", self.name, self.task.join(" "));
        let task = Command::new(std::env::current_exe()?)
            .args(self.task)
            .env(FOLDER, &docs)
            .stdin(Stdio::null())
            .status()?;
        if !task.success() {
            return Err(format!("cargo xtask {} failed ({task})", self.task.join(" ")).into());
        }
        for file in self.files {
            let written = fs::metadata(docs.join(file)).and_then(|file| file.modified());
            if written.map_err(|why| missing(file, &why))? < start {
                return Err(format!("docs/{file} is older than this run").into());
            }
        }
        Ok(())
    }
}

fn missing(file: &str, why: &std::io::Error) -> Box<dyn Error> {
    format!("docs/{file}: {why}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_picture_of_the_docs_has_the_run_that_makes_it() {
        let docs = project::root().join("docs");
        let mut found = BTreeSet::new();
        for folder in ["", "figures/", "runbook/", "schema/"] {
            for entry in fs::read_dir(docs.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if [".png", ".svg", ".jpg", ".gif"].iter().any(|ending| name.ends_with(ending)) {
                    found.insert(format!("{folder}{name}"));
                }
            }
        }
        let made = PICTURES.iter().flat_map(|picture| picture.files);
        assert_eq!(found, made.map(|file| (*file).to_owned()).collect());
    }
}
