//! The folder for what is fetched or built once and used by every later run.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, file};

/// `$MAPPR_CACHE`, else `${XDG_CACHE_HOME:-~/.cache}/mappr`.
pub fn folder() -> PathBuf {
    let set = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("MAPPR_CACHE").unwrap_or_else(|| {
        set("XDG_CACHE_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".cache")))
            .unwrap_or_else(env::temp_dir)
            .join("mappr")
    })
}

/// Held while one process writes to the cache; the kernel releases it if that process dies.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "dropping it is what unlocks")] File);

/// Waits for the lock called `name`.
pub fn lock(name: &str) -> Result<Lock, Error> {
    let folder = folder();
    file(fs::create_dir_all(&folder), "create", &folder)?;
    let path = folder.join(format!("{name}.lock"));
    let open = File::options().create(true).append(true).open(&path);
    let open = file(open, "open", &path)?;
    file(open.lock(), "lock", &path)?;
    Ok(Lock(open))
}

/// Makes `folder` exist whole or not at all: `fill` works in a folder beside it, which is renamed
/// when it succeeds. A leftover of a killed run is removed first. Call it with the lock held.
pub fn whole<E: From<Error>>(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    if folder.exists() {
        return Ok(());
    }
    let part = folder.with_extension("part");
    if part.exists() {
        file(fs::remove_dir_all(&part), "remove", &part)?;
    }
    file(fs::create_dir_all(&part), "create", &part)?;
    if let Err(why) = fill(&part) {
        // The first failure is the one to report; the leftover is removed by the next run at latest.
        let _ = fs::remove_dir_all(&part);
        return Err(why);
    }
    Ok(file(fs::rename(&part, folder), "rename", &part)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("libs");
        // What a killed run leaves.
        fs::create_dir_all(home.path().join("libs.part/half")).unwrap();

        let failed = whole(&folder, |part| {
            assert!(!part.join("half").exists());
            file(fs::read("/no/such/file"), "read", "/no/such/file").map(drop)
        });
        assert!(matches!(failed, Err(Error::File { action: "read", .. })));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);

        whole(&folder, |part| file(fs::write(part.join("a"), "1"), "write", part)).unwrap();
        assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "1");
        whole::<Error>(&folder, |_| panic!("it is there already")).unwrap();
    }
}
