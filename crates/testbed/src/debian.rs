//! Programs of Debian packages, unpacked into the cache. This needs no installation, no service and no root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache;
use crate::error::{Error, file};
use crate::jars::tail;

/// The folder with the files of a package, which apt fetches the first time.
///
/// # Errors
/// [`Error::Missing`] and [`Error::Fetch`] if it cannot be fetched.
pub fn unpacked(package: &'static str) -> Result<PathBuf, Error> {
    let folder = folder(package);
    if !folder.exists() {
        let _lock = cache::lock(package)?;
        cache::whole(&folder, |into| unpack(package, into))?;
    }
    Ok(folder)
}

/// Where [`unpacked`] puts the files.
pub(crate) fn folder(package: &str) -> PathBuf {
    cache::folder().join(format!("{package}-debian"))
}

fn unpack(package: &'static str, into: &Path) -> Result<(), Error> {
    run(package, Command::new("apt-get").args(["-q", "download", package]).current_dir(into))?;
    let entries = file(fs::read_dir(into), "read", into)?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    for path in files.filter(|path| path.extension().is_some_and(|end| end == "deb")) {
        run(package, Command::new("dpkg-deb").arg("-x").arg(&path).arg(into))?;
        file(fs::remove_file(&path), "remove", &path)?;
    }
    Ok(())
}

fn run(package: &'static str, command: &mut Command) -> Result<(), Error> {
    let out = command.output();
    let missing = |source| Error::Missing { program: package.into(), package, source };
    let out = out.map_err(missing)?;
    if out.status.success() {
        return Ok(());
    }
    let output = tail(&String::from_utf8_lossy(&out.stderr), 20);
    let what = format!("{package} (else: apt-get install {package})");
    Err(Error::Fetch { what, status: out.status, output })
}
