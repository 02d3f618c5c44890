//! Reads and writes whole files; a failed write leaves no partial file. A name that ends in `.gz` is compressed.

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempPath};

/// Size in bytes from which a file is read in two halves in parallel. First access to new memory takes half of the
/// time.
const LARGE: usize = 1 << 20;

/// The most bytes read from one file: ten times a snapshot of a million partitions. A larger input is a wrong file or
/// a device.
pub const MOST: u64 = 1 << 31;
/// Bytes that any compressed file may expand to.
const MOST_OF_SMALL: u64 = 64 << 20;
/// A larger result may be at most this many times the compressed size. Snapshots and plans compress to a tenth or a
/// thirtieth. A file made to fill memory compresses to a thousandth.
const MOST_TIMES: u64 = 100;
/// Bytes checked for zeros: text contains none, while devices and sparse files begin with many.
const BEGINNING: usize = 1 << 12;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// An input is missing, forbidden or broken.
    #[error("cannot read {}: {problem}", .path.display())]
    Read {
        /// The input.
        path: PathBuf,
        /// What the operating system reports, or why the content is refused.
        problem: io::Error,
    },
    /// An output cannot be written at its path; detected before any planning.
    #[error("cannot write {}: {problem}", .path.display())]
    Unwritable {
        /// The output.
        path: PathBuf,
        /// Why the file cannot be created or replaced.
        problem: String,
    },
    /// The disk failed during a write; no partial file is left.
    #[error("writing {} failed: {problem}", .path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// What the operating system reports.
        problem: io::Error,
    },
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let wrong = |problem| FileError::Read { path: path.to_owned(), problem };
    let stored = stored(path).map_err(wrong)?;
    if !is_gzip(path) {
        return Ok(stored);
    }
    let most = MOST_OF_SMALL.max(MOST_TIMES.saturating_mul(stored.len() as u64)).min(MOST);
    let limit =
        || format!("it is compressed, and holds more than {most} bytes, the most for its size");
    bounded(MultiGzDecoder::new(stored.as_slice()), most, limit).map_err(wrong)
}

/// Reads everything, if it is text and at most `most` bytes.
fn bounded(from: impl Read, most: u64, limit: impl Fn() -> String) -> io::Result<Vec<u8>> {
    let mut from = from.take(most + 1);
    let mut bytes = Vec::new();
    (&mut from).take(BEGINNING as u64).read_to_end(&mut bytes)?;
    refuse_binary(&bytes)?;
    from.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, limit()));
    }
    Ok(bytes)
}

fn refuse_binary(beginning: &[u8]) -> io::Result<()> {
    match beginning.contains(&0) {
        true => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it is no text: it holds zero bytes"))
        }
        false => Ok(()),
    }
}

fn too_large() -> String {
    format!("it holds more than {MOST} bytes")
}

/// Refuses a file that begins like neither text nor compressed data.
fn beginning(file: &File, path: &Path) -> io::Result<()> {
    let mut bytes = [b' '; BEGINNING];
    let read = file.read_at(&mut bytes, 0)?;
    if is_gzip(path) { Ok(()) } else { refuse_binary(&bytes[..read]) }
}

/// The bytes of a file as stored, still compressed.
fn stored(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        // A pipe or a device has no length, and may have no end.
        return bounded(file, MOST, too_large);
    }
    if found.len() > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, too_large()));
    }
    beginning(&file, path)?;
    let length = usize::try_from(found.len()).unwrap_or(0);
    if length < LARGE {
        return read_to_most(file);
    }
    let mut bytes = vec![0; length];
    let (first, second) = bytes.split_at_mut(length / 2);
    let middle = first.len() as u64;
    let (of_first, of_second) = mapper::both(
        usize::MAX,
        || file.read_exact_at(first, 0),
        || file.read_exact_at(second, middle),
    );
    // If another process writes to the file during this read, it is read again in one piece.
    match (of_first, of_second, file.read_at(&mut [0], found.len())) {
        (Ok(()), Ok(()), Ok(0)) => Ok(bytes),
        _ => read_to_most(File::open(path)?),
    }
}

fn read_to_most(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    let sound = bytes.len() as u64 <= MOST;
    if sound { Ok(bytes) } else { Err(io::Error::new(io::ErrorKind::FileTooLarge, too_large())) }
}

/// Reads a whole text file.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    String::from_utf8(read(path)?).map_err(|error| FileError::Read {
        path: path.to_owned(),
        problem: io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()),
    })
}

/// Makes a folder, if it is not there.
pub fn make_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(|problem| FileError::Write { path: path.to_owned(), problem })
}

/// Gives a file another name, instead of the file that had it.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(|problem| FileError::Write { path: to.to_owned(), problem })
}

/// Removes a file.
pub fn remove(path: &Path) -> Result<(), FileError> {
    fs::remove_file(path).map_err(|problem| FileError::Write { path: path.to_owned(), problem })
}

/// The file itself, or the files in this folder whose names end in one of `endings`, sorted by name.
pub fn in_folder(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, FileError> {
    let unreadable = |problem| FileError::Read { path: path.to_owned(), problem };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let ending = path.extension().and_then(|extension| extension.to_str());
        if ending.is_some_and(|ending| endings.contains(&ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// The path of an output, checked to be writable when this value was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutFile {
    /// The path as the operator named it.
    path: PathBuf,
    /// The target after following links.
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// A regular file, which may not exist yet.
    File(PathBuf),
    /// A pipe or a device, which cannot be replaced by a file.
    Stream(PathBuf),
}

impl OutFile {
    /// Checks that a file can be written there, by creating a temporary file next to it.
    pub fn at(path: &Path) -> Result<Self, FileError> {
        let unwritable = |problem: String| FileError::Unwritable { path: path.to_owned(), problem };
        let place = match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(unwritable("it is a folder; name a file in it".to_owned()));
            }
            Ok(found) if found.is_file() => {
                Place::File(fs::canonicalize(path).map_err(|error| unwritable(error.to_string()))?)
            }
            Ok(_) => Place::Stream(path.to_owned()),
            Err(_) => Place::File(path.to_owned()),
        };
        let out = Self { path: path.to_owned(), place };
        out.probe().map_err(|error| unwritable(error.to_string()))?;
        Ok(out)
    }

    /// The path as the operator named it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn probe(&self) -> io::Result<()> {
        match &self.place {
            Place::File(path) => temporary(folder(path)).map(drop),
            Place::Stream(path) => OpenOptions::new().write(true).open(path).map(drop),
        }
    }

    /// Writes the content to a temporary file; [`Staged::publish`] moves it into place.
    pub fn stage(
        self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Staged, FileError> {
        let wrong = |problem| FileError::Write { path: self.path.clone(), problem };
        let written = match &self.place {
            Place::File(path) => temporary(folder(path)).and_then(|file| {
                let (file, temporary) = file.into_parts();
                fill(&file, is_gzip(path), content)?;
                if path.exists() {
                    begin_to_store(&file);
                }
                Ok(Some((temporary, path.clone())))
            }),
            Place::Stream(path) => OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|file| fill(&file, is_gzip(path), content).map(|()| None)),
        };
        let written = written.map_err(wrong)?;
        Ok(Staged { path: self.path, written })
    }
}

/// Checks that files can be written to a folder.
pub fn probe_folder(folder: &Path) -> Result<(), FileError> {
    let probed = temporary(folder).map(drop);
    probed.map_err(|error| FileError::Unwritable {
        path: folder.to_owned(),
        problem: error.to_string(),
    })
}

/// The folder of a path; the current folder if the path names none.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Creates a temporary file in the folder of its target, so that it can be renamed. Its mode follows the umask, like
/// that of any new file.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".topicmappr-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::new(
                io::ErrorKind::NotFound,
                format!("there is no folder {}", folder.display()),
            ),
            // The name of the temporary file does not help the operator.
            kind => io::Error::new(kind, kind.to_string()),
        })
}

/// Asks the kernel to start writing the file to disk while the plan is still being checked. ext4 writes a replacement
/// to disk before the rename (`auto_da_alloc`). If the kernel ignores the request, the rename takes longer.
fn begin_to_store(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

fn fill(
    file: &File,
    gzip: bool,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    if gzip {
        let mut compressed = GzEncoder::new(&mut out, Compression::default());
        content(&mut compressed)?;
        compressed.finish()?;
    } else {
        content(&mut out)?;
    }
    out.flush()
}

/// A written file that is not in place yet. Dropping it deletes the file.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    written: Option<(TempPath, PathBuf)>,
}

impl Staged {
    /// Moves the file into place, and syncs it to disk before and after: for data that no other file has.
    pub fn publish_stored(self) -> Result<(), FileError> {
        let path = self.path.clone();
        let wrong = |problem| FileError::Write { path: path.clone(), problem };
        let place = self.written.as_ref().map(|(temporary, place)| {
            File::open(temporary).and_then(|file| file.sync_all()).map(|()| place.clone())
        });
        let place = place.transpose().map_err(wrong)?;
        self.publish()?;
        let stored =
            place.map(|place| File::open(folder(&place)).and_then(|folder| folder.sync_all()));
        stored.transpose().map(drop).map_err(wrong)
    }

    /// Moves the file into place, and replaces any earlier file.
    pub fn publish(self) -> Result<(), FileError> {
        let Some((temporary, place)) = self.written else {
            return Ok(());
        };
        temporary
            .persist(place)
            .map_err(|error| FileError::Write { path: self.path, problem: error.error })
    }
}

/// A text from an operator, with the name that errors use.
pub struct Document {
    /// The file, or the key of a ConfigMap.
    pub name: String,
    /// Its content.
    pub text: String,
}

impl Document {
    /// Reads the file at this path, or the files in this folder whose names end in one of `endings`.
    ///
    /// # Errors
    /// A file cannot be read, or is not text.
    pub fn in_files(path: &Path, endings: &[&str]) -> Result<Vec<Self>, FileError> {
        let read = |path: PathBuf| -> Result<Self, FileError> {
            Ok(Self { name: path.display().to_string(), text: read_text(&path)? })
        };
        in_folder(path, endings)?.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) -> Result<(), FileError> {
        let staged = OutFile::at(path)?.stage(|out| out.write_all(text.as_bytes()))?;
        staged.publish_stored()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_read_back_compressed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["plan.json", "plan.json.gz"] {
            let path = folder.path().join(name);
            write(&path, "{}\n").unwrap();
            assert_eq!(read_text(&path).unwrap(), "{}\n");
        }
        let compressed = fs::read(folder.path().join("plan.json.gz")).unwrap();
        assert_eq!(compressed[..2], [0x1f, 0x8b]);
    }

    #[test]
    fn a_large_file_is_read_like_a_small_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.json");
        for length in [LARGE - 1, LARGE, LARGE + 1] {
            let text: String = ('0'..='9').cycle().take(length).collect();
            write(&path, &text).unwrap();
            assert!(read(&path).unwrap() == text.as_bytes(), "{length}");
        }
    }

    #[test]
    fn a_small_file_that_becomes_a_large_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bomb.json.gz");
        let blanks = vec![b' '; 1 << 20];
        let staged = OutFile::at(&path)
            .unwrap()
            .stage(|out| (0..=MOST_OF_SMALL >> 20).try_for_each(|_| out.write_all(&blanks)));
        staged.unwrap().publish().unwrap();
        let refused = read(&path).unwrap_err().to_string();
        assert!(
            refused.ends_with("holds more than 67108864 bytes, the most for its size"),
            "{refused}"
        );
    }

    #[test]
    fn what_has_no_end_and_what_is_no_text_is_refused_at_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let holes = folder.path().join("holes.json");
        File::create(&holes).unwrap().set_len(MOST).unwrap();
        let huge = folder.path().join("huge.json");
        File::create(&huge).unwrap().set_len(MOST + 1).unwrap();
        for (path, why) in [
            (Path::new("/dev/zero"), "zero bytes"),
            (Path::new("/dev/urandom"), "zero bytes"),
            (&holes, "zero bytes"),
            (&huge, "more than 2147483648 bytes"),
        ] {
            let refused = read(path).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
        assert_eq!(read(Path::new("/dev/null")).unwrap(), b"");
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        write(&path, "old").unwrap();
        let full = OutFile::at(&path).unwrap().stage(|out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(matches!(full, Err(FileError::Write { .. })));
        assert_eq!(read_text(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["plan.json"]);
    }

    #[test]
    fn a_missing_folder_is_found_before_writing() {
        let error = OutFile::at(Path::new("/nowhere/plan.json")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot write /nowhere/plan.json: there is no folder /nowhere"
        );
    }

    #[test]
    fn a_full_device_fails_the_write_and_stays_a_device() {
        let staged = OutFile::at(Path::new("/dev/full")).unwrap().stage(|out| out.write_all(b"{}"));
        assert!(matches!(staged, Err(FileError::Write { .. })));
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read_text(&real).unwrap(), "new");
    }
}
