//! Go programs, built into the cache. Each change of their sources builds them once, completely or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::cache;
use crate::error::{Error, file};
use crate::jars::tail;

/// A Go module with one program.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The names of files and their contents. `go.sum` pins every module.
    pub(crate) sources: [(&'static str, &'static str); 3],
    /// Options for the linker, besides those that remove debug information.
    pub(crate) link: Vec<String>,
}

impl Program {
    /// Finds the program in the cache, or builds it.
    pub(crate) fn built(&self) -> Result<PathBuf, Error> {
        let folder = cache::folder().join(format!("{}-{}", self.name, self.key()));
        if !folder.exists() {
            let _lock = cache::lock(self.name)?;
            cache::whole(&folder, |part| self.compile(part))?;
        }
        Ok(folder.join(self.name))
    }

    fn key(&self) -> String {
        let mut hash = Sha256::new();
        for (name, text) in self.sources {
            hash.update(name);
            hash.update([0]);
            hash.update(text);
        }
        for argument in self.arguments(Path::new("")) {
            hash.update(argument);
        }
        hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }

    fn compile(&self, part: &Path) -> Result<(), Error> {
        let sources = part.join("src");
        file(fs::create_dir_all(&sources), "create", &sources)?;
        for (name, text) in self.sources {
            file(fs::write(sources.join(name), text), "write", sources.join(name))?;
        }
        let out = Command::new("go")
            .args(self.arguments(part))
            .current_dir(&sources)
            .env("CGO_ENABLED", "0")
            .output()
            .map_err(|source| Error::Missing { program: "go".into(), package: "golang", source })?;
        if !out.status.success() {
            let output = String::from_utf8_lossy(&out.stderr).into_owned();
            return Err(Error::Build { status: out.status, output: tail(&output, 20) });
        }
        file(fs::remove_dir_all(&sources), "remove", &sources)
    }

    /// No debug information, no paths of this machine: half the size.
    fn arguments(&self, into: &Path) -> Vec<String> {
        let link = std::iter::once("-s -w".to_owned()).chain(self.link.iter().cloned());
        let link: Vec<String> = link.collect();
        let mut arguments: Vec<String> =
            ["build", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"]
                .map(String::from)
                .into();
        arguments.push(format!("-ldflags={}", link.join(" ")));
        let program = into.join(self.name).display().to_string();
        arguments.extend(["-o".to_owned(), program, ".".to_owned()]);
        arguments
    }
}
