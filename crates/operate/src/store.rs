//! Files of lines that survive a crash: the journal and the ledger.
//!
//! Each line is a JSON object with its own checksum, and is on the disk before anybody acts on it. A last line that was
//! torn by a crash is dropped; anything else that we have not written is an error, and the file stays as it is.

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
    /// The file's name may not be on the disk yet: a crash would take the file with it.
    unnamed: bool,
    lines: PhantomData<T>,
}

impl<T: Filed> Store<T> {
    /// Opens a file, or makes it, for this process alone, and reads what it says.
    ///
    /// # Errors
    /// Another process has it; it cannot be written; a line of it cannot be believed, or it is something else: it is not
    /// changed then.
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
        // What a crash tore off is not added to.
        store.settle().map_err(unwritable)?;
        Ok((store, sound.undated()))
    }

    /// What a file says, without touching it; nothing if there is none.
    ///
    /// # Errors
    /// It cannot be read; a line of it cannot be believed; it is something else.
    pub fn read(path: &Path) -> Result<Vec<T>, Error> {
        Ok(Self::read_dated(path)?.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The same, each line with the time at which it was written: RFC 3339, UTC.
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
    /// The disk failed us: none of these lines counts. The next call tries to go on.
    pub fn append(&mut self, entries: &[T]) -> Result<(), Error> {
        let added = lines::written(entries).and_then(|text| {
            self.settle()?;
            self.tail.append(&text)
        });
        added.map_err(|problem| not_stored::<T>(&self.path, problem))
    }

    /// Puts a file of these lines alone in the place of this one, whole or not at all; it stays this process's.
    ///
    /// # Errors
    /// The disk failed us: the file is as it was.
    pub fn replace(&mut self, entries: &[T]) -> Result<(), Error> {
        let put = || -> io::Result<LinesFile<File>> {
            let text = lines::written(entries)?;
            let folder = folder(&self.path);
            let mut new = tempfile::Builder::new().append(true).tempfile_in(folder)?;
            new.write_all(&text)?;
            new.as_file().sync_all()?;
            // Ours before it has the name: nobody can take it in between.
            new.as_file().try_lock().map_err(io::Error::from)?;
            let file = new.persist(&self.path).map_err(|error| error.error)?;
            Ok(LinesFile::of(file, &text, text.len() as u64))
        };
        self.tail = put().map_err(|problem| not_stored::<T>(&self.path, problem))?;
        // The next line asks again for the name.
        self.unnamed = true;
        if let Err(error) = self.settle() {
            tracing::warn!(path = %self.path.display(), %error, "the new file's name is not stored yet");
        }
        Ok(())
    }

    /// Brings the file to what counts, and its name to the disk.
    fn settle(&mut self) -> io::Result<()> {
        self.tail.mend()?;
        if self.unnamed {
            File::open(folder(&self.path))?.sync_all()?;
            self.unnamed = false;
        }
        Ok(())
    }
}

/// A process that is being started just then has a copy of the descriptor for a moment, and with it the lock.
impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        if let Err(error) = self.tail.disk().unlock() {
            tracing::debug!(path = %self.path.display(), %error, "is not unlocked before it is closed");
        }
    }
}

/// Opens a ledger for this process alone; an error names the process that has it.
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

/// Whether another process has the file open for writing.
pub fn is_locked(path: &Path) -> bool {
    let locked = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    File::open(path).is_ok_and(locked)
}

/// Pipes and devices are waited for without an end.
fn refuse_what_is_no_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
        }
        // Whoever opens it hears why it cannot be.
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

/// The file's bytes, and what they say.
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
