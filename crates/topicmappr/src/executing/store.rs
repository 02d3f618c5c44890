//! Files of lines that survive a crash: the journal and the ledger.
//!
//! Each line is a JSON object with its own checksum, and is on the disk before anybody acts on it. A last line that was
//! torn by a crash is dropped; a broken line before it is an error.

use crate::error::Error;
use crate::failure::Failure;
use crate::files::FileError;
use crate::live;
use flate2::Crc;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

const VERSION: u64 = 1;
/// Every line ends with this, eight hexadecimal digits, and `"}`.
const CHECKSUM: &str = ",\"crc32\":\"";

/// A file of lines.
#[derive(Debug)]
pub struct Store<T> {
    path: PathBuf,
    file: File,
    lines: PhantomData<T>,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    version: u64,
    at: String,
    #[serde(flatten)]
    entry: T,
}

/// What a file's lines say, and how far they are sound.
struct Sound<T> {
    /// Each with the time at which it was written.
    entries: Vec<(String, T)>,
    bytes: u64,
}

impl<T> Sound<T> {
    fn undated(self) -> Vec<T> {
        self.entries.into_iter().map(|(_, entry)| entry).collect()
    }
}

impl<T: Serialize + DeserializeOwned> Store<T> {
    /// Opens a file, or makes it, for this process alone, and reads what it says.
    ///
    /// # Errors
    /// Another process has it; it cannot be written; a line of it cannot be believed.
    pub fn open(path: &Path) -> Result<(Self, Vec<T>), Failure> {
        let unwritable = |problem: io::Error| {
            let problem = problem.to_string();
            Error::from(FileError::Unwritable { path: path.to_owned(), problem })
        };
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true);
        let mut file = options.open(path).map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked { path: path.to_owned() }.into());
            }
            Err(TryLockError::Error(problem)) => return Err(unwritable(problem).into()),
        }
        let sound = sound(path, &mut file)?;
        // What a crash tore off is not appended to.
        file.set_len(sound.bytes).map_err(unwritable)?;
        if let Some(Ok(folder)) = path.parent().map(File::open) {
            // The name of a new file has to survive, too.
            folder.sync_all().map_err(unwritable)?;
        }
        Ok((Self { path: path.to_owned(), file, lines: PhantomData }, sound.undated()))
    }

    /// What a file says, without touching it; nothing if there is none.
    ///
    /// # Errors
    /// It cannot be read; a line of it cannot be believed.
    pub fn read(path: &Path) -> Result<Vec<T>, Failure> {
        Ok(Self::read_dated(path)?.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The same, each line with the time at which it was written: RFC 3339, UTC.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_dated(path: &Path) -> Result<Vec<(String, T)>, Failure> {
        match File::open(path) {
            Ok(mut file) => Ok(sound(path, &mut file)?.entries),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(problem) => {
                Err(Error::from(FileError::Read { path: path.to_owned(), problem }).into())
            }
        }
    }

    /// Adds lines, and returns when they are on the disk.
    ///
    /// # Errors
    /// The disk failed us: what was added counts as not written.
    pub fn append(&mut self, entries: &[T]) -> Result<(), Failure> {
        let text = self.text(entries)?;
        self.file.write_all(&text).map_err(|error| self.failed(error))?;
        self.file.sync_data().map_err(|error| self.failed(error))
    }

    /// Puts a file of these lines alone in the place of this one, whole or not at all; it stays this process's.
    ///
    /// # Errors
    /// The disk failed us: the file is as it was.
    pub fn replace(&mut self, entries: &[T]) -> Result<(), Failure> {
        let text = self.text(entries)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let put = || -> io::Result<File> {
            let mut new = tempfile::Builder::new().append(true).tempfile_in(folder)?;
            new.write_all(&text)?;
            new.as_file().sync_all()?;
            // Ours before it has the name: nobody can take it in between.
            new.as_file().try_lock().map_err(io::Error::from)?;
            let file = new.persist(&self.path).map_err(|error| error.error)?;
            File::open(folder)?.sync_all()?;
            Ok(file)
        };
        self.file = put().map_err(|error| self.failed(error))?;
        Ok(())
    }

    fn text(&self, entries: &[T]) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        let at = live::now();
        for entry in entries {
            let line = Line { version: VERSION, at: at.clone(), entry };
            let json = serde_json::to_string(&line).map_err(|error| self.failed(error.into()))?;
            let body = json.strip_suffix('}').unwrap_or(&json);
            let sum = checksum(body);
            text.extend_from_slice(format!("{body}{CHECKSUM}{sum}\"}}\n").as_bytes());
        }
        Ok(text)
    }

    fn failed(&self, problem: io::Error) -> Failure {
        Error::from(FileError::Write { path: self.path.clone(), problem }).into()
    }
}

/// A process that is being started just then has a copy of the descriptor for a moment, and with it the lock.
impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::debug!(path = %self.path.display(), %error, "is not unlocked before it is closed");
        }
    }
}

/// Whether another process has the file open for writing.
pub(crate) fn is_locked(path: &Path) -> bool {
    let locked = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    File::open(path).is_ok_and(locked)
}

fn sound<T: DeserializeOwned>(path: &Path, file: &mut File) -> Result<Sound<T>, Error> {
    let mut text = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut text));
    read.map_err(|problem| FileError::Read { path: path.to_owned(), problem })?;
    let mut sound = Sound { entries: Vec::new(), bytes: 0 };
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    for (index, line) in lines.iter().enumerate() {
        match entry(line) {
            Ok(entry) => {
                sound.entries.push(entry);
                sound.bytes += line.len() as u64;
            }
            Err(_) if index + 1 == lines.len() => break,
            Err(problem) => {
                let (path, line) = (path.to_owned(), index + 1);
                return Err(Error::BrokenLine { path, line, problem });
            }
        }
    }
    Ok(sound)
}

fn entry<T: DeserializeOwned>(line: &[u8]) -> Result<(String, T), String> {
    let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
    let text = text.strip_suffix('\n').ok_or("it does not end")?;
    let parts = text.rsplit_once(CHECKSUM).and_then(|(body, end)| {
        let sum = end.strip_suffix("\"}")?;
        Some((body, sum))
    });
    let (body, sum) = parts.ok_or("it has no checksum")?;
    if checksum(body) != sum {
        return Err("its checksum is another".to_owned());
    }
    let line: Line<T> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if line.version != VERSION {
        return Err(format!("it has version {}, this program reads version 1", line.version));
    }
    Ok((line.at, line.entry))
}

fn checksum(text: &str) -> String {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    format!("{:08x}", crc.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::Entry;
    use std::fs;

    fn entries() -> Vec<Entry> {
        vec![Entry::Submitted { moves: vec![1, 2] }, Entry::Unpaused, Entry::Detached]
    }

    fn written(path: &Path) {
        let (mut store, found) = Store::<Entry>::open(path).unwrap();
        assert_eq!(found, []);
        store.append(&entries()[..2]).unwrap();
        store.append(&entries()[2..]).unwrap();
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        written(&path);
        assert_eq!(Store::<Entry>::read(&path).unwrap(), entries());
        assert_eq!(Store::<Entry>::open(&path).unwrap().1, entries());
    }

    #[test]
    fn a_crash_at_any_byte_costs_the_last_line_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        written(&path);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let complete = whole[..length].iter().filter(|byte| **byte == b'\n').count();
            let (mut store, found) = Store::<Entry>::open(&path).unwrap();
            assert_eq!(found, entries()[..complete]);
            store.append(&[Entry::Detached]).unwrap();
            drop(store);
            let found = Store::<Entry>::read(&path).unwrap();
            assert_eq!((found.len(), found.last()), (complete + 1, Some(&Entry::Detached)));
        }
    }

    #[test]
    fn a_line_that_somebody_changed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        written(&path);
        let text = fs::read_to_string(&path).unwrap().replace("[1,2]", "[1,3]");
        fs::write(&path, text).unwrap();
        let error = Error::from(Store::<Entry>::open(&path).unwrap_err());
        assert!(matches!(error, Error::BrokenLine { line: 1, .. }), "{error}");
    }

    #[test]
    fn a_second_process_is_told_that_the_file_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let first = Store::<Entry>::open(&path).unwrap();
        assert!(is_locked(&path));
        assert!(Store::<Entry>::open(&path).unwrap_err().is_locked());
        drop(first);
        assert!(!is_locked(&path));
    }

    #[test]
    fn a_file_that_is_written_anew_stays_ours_and_is_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        written(&path);
        let (mut store, _) = Store::<Entry>::open(&path).unwrap();
        store.replace(&entries()[1..2]).unwrap();
        assert!(Store::<Entry>::open(&path).unwrap_err().is_locked());
        store.append(&entries()[2..]).unwrap();
        drop(store);
        assert_eq!(Store::<Entry>::open(&path).unwrap().1, entries()[1..]);
    }
}
