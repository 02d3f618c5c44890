//! The folder for files that are fetched or built once and used by every later run.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, file};

/// The path: `$MAPPR_CACHE`, else `${XDG_CACHE_HOME:-~/.cache}/mappr`.
pub fn folder() -> PathBuf {
    let set = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("MAPPR_CACHE").unwrap_or_else(|| {
        set("XDG_CACHE_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".cache")))
            .unwrap_or_else(env::temp_dir)
            .join("mappr")
    })
}

/// Held while one process writes to the cache. The kernel releases it if that process dies.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "dropping it is what unlocks")] File);

/// Waits for the lock with this name.
pub fn lock(name: &str) -> Result<Lock, Error> {
    let folder = folder();
    file(fs::create_dir_all(&folder), "create", &folder)?;
    let path = folder.join(format!("{name}.lock"));
    let open = File::options().create(true).append(true).open(&path);
    let open = file(open, "open", &path)?;
    file(open.lock(), "lock", &path)?;
    Ok(Lock(open))
}

/// Creates `folder` completely or not at all. `fill` works in a temporary folder next to it, which is renamed after
/// success. It first removes what a killed run left. The caller must hold the lock.
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
        // Report the first failure. If this removal fails, the next run removes the folder.
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
        // What a killed run leaves behind.
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
