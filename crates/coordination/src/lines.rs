//! Files of lines that survive a crash: the records of a store, and an executor's journal and ledger.
//!
//! Each line is a JSON object with a checksum, and is on disk before any action that depends on it. A last line that
//! a crash cut off is dropped. Any other line that this program did not write is an error, and the file stays
//! unchanged.

mod error;
mod tail;
mod text;

pub use error::{LinesError, LinesKind, NotOurLine};

use local::files::FileError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tail::AppendFile;
use text::{START, Sound, check_start};

/// A file of lines, locked for this process.
#[derive(Debug)]
pub struct LinesFile<T> {
    path: PathBuf,
    kind: LinesKind,
    tail: AppendFile<File>,
    /// The folder's entry for the file may not be on disk yet: a crash could lose the file.
    unnamed: bool,
    lines: PhantomData<T>,
}

/// What the path of an open file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtPath {
    /// The open file.
    Ours,
    /// A file that has replaced it.
    Another,
    /// The file was removed.
    Nothing,
}

impl<T: Serialize + DeserializeOwned> LinesFile<T> {
    /// Opens or creates a file, locks it for this process, and reads its lines.
    ///
    /// # Errors
    /// Another process has locked the file; it cannot be written; a line is damaged; or it is another kind of file. A
    /// refused file stays unchanged.
    pub fn open(path: &Path, kind: LinesKind) -> Result<(Self, Vec<T>), LinesError> {
        let unwritable = |problem: io::Error| match problem.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                LinesError::NotStored { path: path.to_owned(), kind, problem }
            }
            _ => {
                let problem = problem.to_string();
                FileError::Unwritable { path: path.to_owned(), problem }.into()
            }
        };
        refuse_what_is_no_file(path).map_err(unwritable)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let mut file = options.open(path).map_err(unwritable)?;
        let locked = || LinesError::Locked { path: path.to_owned() };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked()),
            Err(TryLockError::Error(problem)) => return Err(unwritable(problem)),
        }
        // Another process may have replaced the file before it was locked here.
        if at_path(path, &file).map_err(unwritable)? != AtPath::Ours {
            return Err(locked());
        }
        let (text, sound) = sound(path, kind, &mut file)?;
        let tail = AppendFile::of(file, &text, sound.bytes);
        let (unnamed, lines) = (text.is_empty(), PhantomData);
        let mut opened = Self { path: path.to_owned(), kind, tail, unnamed, lines };
        // Removes a torn last line before new lines are added.
        opened.settle().map_err(unwritable)?;
        Ok((opened, sound.undated()))
    }

    /// Reads a file without changing it; a missing file has no lines.
    ///
    /// # Errors
    /// The file cannot be read; a line is damaged; or it is another kind of file.
    pub fn read(path: &Path, kind: LinesKind) -> Result<Vec<T>, LinesError> {
        Ok(Self::read_dated(path, kind)?.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The same, with the time of each line: RFC 3339, UTC.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_dated(path: &Path, kind: LinesKind) -> Result<Vec<(String, T)>, LinesError> {
        match refuse_what_is_no_file(path).and_then(|()| File::open(path)) {
            Ok(mut file) => Ok(sound(path, kind, &mut file)?.1.entries),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(problem) => Err(FileError::Read { path: path.to_owned(), problem }.into()),
        }
    }

    /// Adds lines, and returns when they are on the disk.
    ///
    /// # Errors
    /// The disk failed, and none of these lines counts. The next call repairs the file first.
    pub fn append(&mut self, entries: &[T]) -> Result<(), LinesError> {
        let added = text::written(entries).and_then(|text| {
            self.settle()?;
            self.tail.append(&text)
        });
        added.map_err(|problem| self.not_stored(problem))
    }

    /// Atomically replaces the file by one with only these lines. This process keeps it locked. A file that was removed
    /// is written again, but never over one that another process has put there meanwhile.
    ///
    /// # Errors
    /// The disk failed, or there is another file; it is unchanged.
    pub(crate) fn replace(&mut self, entries: &[T]) -> Result<(), LinesError> {
        let put = || -> io::Result<AppendFile<File>> {
            let text = text::written(entries)?;
            let folder = folder(&self.path);
            let mut new = tempfile::Builder::new().append(true).tempfile_in(folder)?;
            new.write_all(&text)?;
            new.as_file().sync_all()?;
            // The new file is locked before it gets its name, so that no other process can lock it first.
            new.as_file().try_lock().map_err(io::Error::from)?;
            let put = match at_path(&self.path, self.tail.disk())? {
                AtPath::Ours => new.persist(&self.path),
                AtPath::Nothing | AtPath::Another => new.persist_noclobber(&self.path),
            };
            let file = put.map_err(|error| error.error)?;
            Ok(AppendFile::of(file, &text, text.len() as u64))
        };
        self.tail = put().map_err(|problem| self.not_stored(problem))?;
        // The next line tries again to store the folder's entry.
        self.unnamed = true;
        if let Err(error) = self.settle() {
            tracing::warn!(path = %self.path.display(), %error, "the new file's name is not stored yet");
        }
        Ok(())
    }

    /// The length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.tail.length()
    }

    /// Whether the path still names this file.
    pub(crate) fn at_path(&self) -> Result<AtPath, LinesError> {
        let unreadable = |problem| FileError::Read { path: self.path.clone(), problem };
        Ok(at_path(&self.path, self.tail.disk()).map_err(unreadable)?)
    }

    /// Repairs the file, and stores its entry in the folder on disk.
    fn settle(&mut self) -> io::Result<()> {
        self.tail.mend()?;
        if self.unnamed {
            File::open(folder(&self.path))?.sync_all()?;
            self.unnamed = false;
        }
        Ok(())
    }

    fn not_stored(&self, problem: io::Error) -> LinesError {
        LinesError::NotStored { path: self.path.clone(), kind: self.kind, problem }
    }
}

/// Unlocks explicitly: a child process that is just being started holds a copy of the descriptor, and thus the lock,
/// for a moment.
impl<T> Drop for LinesFile<T> {
    fn drop(&mut self) {
        if let Err(error) = self.tail.disk().unlock() {
            tracing::debug!(path = %self.path.display(), %error, "is not unlocked before it is closed");
        }
    }
}

/// Whether another process has locked the file.
pub fn is_locked(path: &Path) -> bool {
    let locked = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    File::open(path).is_ok_and(locked)
}

/// Refuses pipes and devices: opening them could block forever.
fn refuse_what_is_no_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
        }
        // The attempt to open the file reports the error.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

fn at_path(path: &Path, file: &File) -> io::Result<AtPath> {
    let there = match fs::metadata(path) {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(AtPath::Nothing),
        there => there?,
    };
    let ours = file.metadata()?;
    let same = (there.dev(), there.ino()) == (ours.dev(), ours.ino());
    Ok(if same { AtPath::Ours } else { AtPath::Another })
}

/// The file's bytes and its valid lines.
fn sound<T: DeserializeOwned>(
    path: &Path,
    kind: LinesKind,
    file: &mut File,
) -> Result<(Vec<u8>, Sound<T>), LinesError> {
    let refused = |why| LinesError::Refused { path: path.to_owned(), kind, why };
    let unreadable = |problem| FileError::Read { path: path.to_owned(), problem };
    let mut text = Vec::new();
    file.take(START).read_to_end(&mut text).map_err(unreadable)?;
    check_start(&text, kind).map_err(refused)?;
    file.read_to_end(&mut text).map_err(unreadable)?;
    let sound = text::read(&text, kind).map_err(refused)?;
    Ok((text, sound))
}

#[cfg(test)]
mod tests;
