//! Go programs, built into the cache. Each change of their sources builds them once, completely or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::cache;
use crate::error::{Error, file};
use crate::jars::tail;

/// A Go module with one program, or with several.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The names of files and their contents. `go.sum` pins every module.
    pub(crate) sources: &'static [(&'static str, &'static str)],
    /// The packages with a program each, as `go build` names them; none if the module is one program.
    pub(crate) packages: &'static [&'static str],
    /// A module that needs a change.
    pub(crate) patch: Option<Patch>,
    /// Options for the linker, besides those that remove debug information.
    pub(crate) link: Vec<String>,
}

/// A published module without the lines that contain a word. `go.mod` replaces it by the folder `patched`.
pub(crate) struct Patch {
    /// The module with its release, as `go mod download` takes it.
    pub(crate) module: &'static str,
    /// What `go.sum` would contain. A replaced module is not checked against it.
    pub(crate) sum: &'static str,
    pub(crate) path: &'static str,
    pub(crate) word: &'static str,
}

impl Program {
    /// Finds the program in the cache, or builds it.
    pub(crate) fn built(&self) -> Result<PathBuf, Error> {
        Ok(self.folder()?.join(self.name))
    }

    /// The same for the folder with all programs, each under the last name of its package.
    pub(crate) fn folder(&self) -> Result<PathBuf, Error> {
        let folder = cache::folder().join(format!("{}-{}", self.name, self.key()));
        if !folder.exists() {
            let _lock = cache::lock(self.name)?;
            cache::whole(&folder, |part| self.compile(part))?;
        }
        Ok(folder)
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
            let path = sources.join(name);
            let folder = path.parent().unwrap_or(&sources);
            file(fs::create_dir_all(folder), "create", folder)?;
            file(fs::write(&path, text), "write", &path)?;
        }
        if let Some(patch) = &self.patch {
            patch.apply(&sources.join("patched"))?;
        }
        let out = Command::new("go")
            .args(self.arguments(part))
            .current_dir(&sources)
            .env("CGO_ENABLED", "0")
            // The compiler collects garbage for a tenth of its time, and each of its runs is short.
            .envs([("GOGC", "off"), ("GOMEMLIMIT", "3GiB")])
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
        arguments.push("-o".to_owned());
        if self.packages.is_empty() {
            let program = into.join(self.name).display().to_string();
            arguments.extend([program, ".".to_owned()]);
        } else {
            // The slash says that it is a folder.
            arguments.push(format!("{}/", into.display()));
            arguments.extend(self.packages.iter().map(|&package| package.to_owned()));
        }
        arguments
    }
}

impl Patch {
    /// Writes the changed module into a folder.
    fn apply(&self, into: &Path) -> Result<(), Error> {
        let out = Command::new("go")
            .args(["mod", "download", "-json", self.module])
            // Outside of a module, so that no replacement counts.
            .current_dir("/")
            .output()
            .map_err(|source| Error::Missing { program: "go".into(), package: "golang", source })?;
        let told = String::from_utf8_lossy(&out.stdout).into_owned();
        let found: serde_json::Value = serde_json::from_str(&told).unwrap_or_default();
        let (Some(folder), Some(sum)) = (found["Dir"].as_str(), found["Sum"].as_str()) else {
            let what = self.module.to_owned();
            return Err(Error::Fetch { what, status: out.status, output: tail(&told, 20) });
        };
        if sum != self.sum {
            let output = format!("its sum is {sum}, not {}", self.sum);
            return Err(Error::Fetch { what: self.module.to_owned(), status: out.status, output });
        }
        copy(Path::new(folder), into)?;
        let path = into.join(self.path);
        let text = file(fs::read_to_string(&path), "read", &path)?;
        let lines = text.lines().filter(|line| !line.contains(self.word));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        file(fs::write(&path, text), "write", &path)
    }
}

/// Copies a folder of Go's cache, where nothing may be written.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    file(fs::create_dir_all(to), "create", to)?;
    for entry in file(fs::read_dir(from), "read", from)? {
        let from = file(entry, "read", from)?.path();
        let to = to.join(from.file_name().unwrap_or_default());
        if from.is_dir() {
            copy(&from, &to)?;
        } else {
            let bytes = file(fs::read(&from), "read", &from)?;
            file(fs::write(&to, bytes), "write", &to)?;
        }
    }
    Ok(())
}
