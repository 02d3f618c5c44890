//! Files of lines that survive a crash: the journal and the ledger.
//!
//! Each line is a JSON object with a checksum, and is on disk before any action that depends on it. A last line that
//! a crash cut off is dropped. Any other line that this program did not write is an error, and the file stays
//! unchanged.

mod lines;
mod tail;

pub use lines::Filed;

use crate::error::Error;
use crate::files::FileError;
use execute::{Ledger, LedgerEntry};
use lines::{NotOurLine, START, Sound, check_start};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use tail::LinesFile;

/// A file of lines.
#[derive(Debug)]
pub struct Store<T> {
    path: PathBuf,
    tail: LinesFile<File>,
    /// The folder's entry for the file may not be on disk yet: a crash could lose the file.
    unnamed: bool,
    lines: PhantomData<T>,
}

impl<T: Filed> Store<T> {
    /// Opens or creates a file, locks it for this process, and reads its lines.
    ///
    /// # Errors
    /// Another process has locked the file; it cannot be written; a line is damaged; or it is another kind of file. A
    /// refused file stays unchanged.
    pub fn open(path: &Path) -> Result<(Self, Vec<T>), Error> {
        let unwritable = |problem: io::Error| match problem.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                not_stored::<T>(path, problem)
            }
            _ => {
                let problem = problem.to_string();
                Error::from(FileError::Unwritable { path: path.to_owned(), problem })
            }
        };
        refuse_what_is_no_file(path).map_err(unwritable)?;
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let mut file = options.open(path).map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked { path: path.to_owned() });
            }
            Err(TryLockError::Error(problem)) => return Err(unwritable(problem)),
        }
        let (text, sound) = sound::<T>(path, &mut file)?;
        let tail = LinesFile::of(file, &text, sound.bytes);
        let mut store =
            Self { path: path.to_owned(), tail, unnamed: text.is_empty(), lines: PhantomData };
        // Removes a torn last line before new lines are added.
        store.settle().map_err(unwritable)?;
        Ok((store, sound.undated()))
    }

    /// Reads a file without changing it; a missing file has no lines.
    ///
    /// # Errors
    /// The file cannot be read; a line is damaged; or it is another kind of file.
    pub fn read(path: &Path) -> Result<Vec<T>, Error> {
        Ok(Self::read_dated(path)?.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The same, with the time of each line: RFC 3339, UTC.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub(crate) fn read_dated(path: &Path) -> Result<Vec<(String, T)>, Error> {
        match refuse_what_is_no_file(path).and_then(|()| File::open(path)) {
            Ok(mut file) => Ok(sound(path, &mut file)?.1.entries),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(problem) => Err(Error::from(FileError::Read { path: path.to_owned(), problem })),
        }
    }

    /// Adds lines, and returns when they are on the disk.
    ///
    /// # Errors
    /// The disk failed, and none of these lines counts. The next call repairs the file first.
    pub fn append(&mut self, entries: &[T]) -> Result<(), Error> {
        let added = lines::written(entries).and_then(|text| {
            self.settle()?;
            self.tail.append(&text)
        });
        added.map_err(|problem| not_stored::<T>(&self.path, problem))
    }

    /// Atomically replaces the file by one with only these lines. This process keeps it locked.
    ///
    /// # Errors
    /// The disk failed; the file is unchanged.
    pub fn replace(&mut self, entries: &[T]) -> Result<(), Error> {
        let put = || -> io::Result<LinesFile<File>> {
            let text = lines::written(entries)?;
            let folder = folder(&self.path);
            let mut new = tempfile::Builder::new().append(true).tempfile_in(folder)?;
            new.write_all(&text)?;
            new.as_file().sync_all()?;
            // The new file is locked before it gets its name, so that no other process can lock it first.
            new.as_file().try_lock().map_err(io::Error::from)?;
            let file = new.persist(&self.path).map_err(|error| error.error)?;
            Ok(LinesFile::of(file, &text, text.len() as u64))
        };
        self.tail = put().map_err(|problem| not_stored::<T>(&self.path, problem))?;
        // The next line tries again to store the folder's entry.
        self.unnamed = true;
        if let Err(error) = self.settle() {
            tracing::warn!(path = %self.path.display(), %error, "the new file's name is not stored yet");
        }
        Ok(())
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
}

/// Unlocks explicitly: a child process that is just being started holds a copy of the descriptor, and thus the lock,
/// for a moment.
impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        if let Err(error) = self.tail.disk().unlock() {
            tracing::debug!(path = %self.path.display(), %error, "is not unlocked before it is closed");
        }
    }
}

/// Opens and locks a ledger; an error names the process that has it.
pub(crate) fn open_ledger(path: &Path) -> Result<(Store<LedgerEntry>, Vec<LedgerEntry>), Error> {
    match Store::open(path) {
        Err(Error::Locked { path }) => {
            let ledger = Ledger::replay(Store::read(&path)?);
            let by = ledger.last_holder().map(ToString::to_string);
            Err(Error::HeldBy { path, by: by.unwrap_or_else(|| "another process".to_owned()) })
        }
        opened => opened,
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

fn not_stored<T: Filed>(path: &Path, problem: io::Error) -> Error {
    Error::NotStored { path: path.to_owned(), kind: T::KIND, problem }
}

/// The file's bytes and its valid lines.
fn sound<T: Filed>(path: &Path, file: &mut File) -> Result<(Vec<u8>, Sound<T>), Error> {
    let unread = |unread| {
        let (path, kind) = (path.to_owned(), T::KIND);
        match unread {
            NotOurLine::Foreign { seems } => Error::NotOurLines { path, kind, seems },
            NotOurLine::Newer { version } => Error::NewerLines { path, kind, version },
            NotOurLine::Broken { line, problem } => Error::BrokenLine { path, kind, line, problem },
        }
    };
    let unreadable = |problem| FileError::Read { path: path.to_owned(), problem };
    let mut text = Vec::new();
    file.take(START).read_to_end(&mut text).map_err(unreadable)?;
    check_start::<T>(&text).map_err(unread)?;
    file.read_to_end(&mut text).map_err(unreadable)?;
    let sound = lines::read(&text).map_err(unread)?;
    Ok((text, sound))
}

#[cfg(test)]
mod tests;
