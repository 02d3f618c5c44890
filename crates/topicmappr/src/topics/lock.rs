//! One run at a time for one state: a lock file beside it. The operating system gives the lock back when a run ends,
//! however it ends.

use crate::error::Error;
use crate::files::FileError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Who is at it already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("another run holds {lock}: {holder}")]
pub(crate) struct HeldBy {
    /// The lock.
    pub(crate) lock: String,
    /// What it says of itself.
    pub(crate) holder: String,
}

/// A lock that is ours until it is dropped.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of the state in this file.
    pub(super) fn take(state: &Path, us: &str) -> Result<Self, Error> {
        let mut name = state.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let unwritable = |problem: std::io::Error| FileError::Unwritable {
            path: path.clone(),
            problem: problem.to_string(),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // It may be writing its name at this moment.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "it has not said who it is" } else { holder };
                let (lock, holder) = (path.display().to_string(), holder.to_owned());
                return Err(Error::Held(HeldBy { lock, holder }));
            }
            Err(TryLockError::Error(problem)) => return Err(unwritable(problem).into()),
        }
        let said = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{us}"))
            .and_then(|()| file.flush());
        said.map_err(unwritable)?;
        Ok(Self { _file: file })
    }
}

/// Who we are, told to those who wait.
pub(crate) fn us() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "this host" } else { host };
    format!("process {} on {host}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_told_who_holds_the_lock_and_a_third_finds_it_free() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("t.yaml.state");
        let held = FileLock::take(&state, "the first").unwrap();
        let Err(Error::Held(by)) = FileLock::take(&state, "the second") else {
            panic!("taken twice")
        };
        assert_eq!(by.holder, "the first");
        assert!(by.lock.ends_with("t.yaml.state.lock"));
        drop(held);
        FileLock::take(&state, "the third").unwrap();
    }
}
