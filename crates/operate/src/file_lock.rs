//! One process at a time for one file: a lock file next to it. The operating system releases the lock when the run ends,
//! even after a crash.

use crate::error::{Error, HeldBy};
use crate::files::FileError;
use crate::runtime::PROCESS;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The largest content of a lock file, in bytes: a host name and some more text.
const LONGEST: u64 = 1024;

/// A lock that this process holds until it is dropped.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of this file.
    pub(crate) fn take(state: &Path, us: &str) -> Result<Self, Error> {
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
                // The holder may be writing its name at this moment.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "it has not said who it is" } else { holder };
                let (lock, holder) = (path.display().to_string(), holder.to_owned());
                return Err(Error::Held(HeldBy { lock, holder }));
            }
            Err(TryLockError::Error(problem)) => return Err(unwritable(problem).into()),
        }
        refuse_what_is_no_lock(&mut file).map_err(unwritable)?;
        let said = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{us}"))
            .and_then(|()| file.flush());
        said.map_err(unwritable)?;
        Ok(Self { _file: file })
    }
}

/// Refuses to overwrite a file that has this name by chance, such as `Cargo.lock`.
fn refuse_what_is_no_lock(file: &mut File) -> std::io::Result<()> {
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    let line = text.strip_suffix(b"\n").unwrap_or(&text);
    if text.is_empty() || (line.starts_with(PROCESS.as_bytes()) && !line.contains(&b'\n')) {
        return Ok(());
    }
    Err(std::io::Error::other("it is not a lock of this program; name another state file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::us;

    #[test]
    fn a_second_run_is_told_who_holds_the_lock_and_a_third_finds_it_free() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("t.yaml.state");
        let held = FileLock::take(&state, "process 1 on a").unwrap();
        let Err(Error::Held(by)) = FileLock::take(&state, &us()) else { panic!("taken twice") };
        assert_eq!(by.holder, "process 1 on a");
        assert!(by.lock.ends_with("t.yaml.state.lock"));
        drop(held);
        FileLock::take(&state, &us()).unwrap();
        FileLock::take(&state, &us()).unwrap();
    }

    #[test]
    fn a_file_that_only_has_the_name_of_a_lock_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (state, path) = (folder.path().join("Cargo"), folder.path().join("Cargo.lock"));
        for text in ["version = 4\n", "process 1 on a\nand more\n", "\n"] {
            std::fs::write(&path, text).unwrap();
            let error = FileLock::take(&state, &us()).unwrap_err();
            assert_eq!(error.status(), crate::status::Status::BadInput, "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
