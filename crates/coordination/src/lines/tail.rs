//! Appends to a file; text that is not written whole is cut off again.
//!
//! After a failure, nothing is appended until the file is cut to its last valid length and reads back correctly.
//! After a full disk has room again, appending goes on by itself.

use flate2::Crc;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// The operations on a file.
pub(super) trait Disk {
    /// Appends. After an error, a part may be written.
    fn add(&mut self, text: &[u8]) -> io::Result<()>;
    /// Returns when everything is on the disk.
    fn store(&mut self) -> io::Result<()>;
    /// Cuts the file to this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Reads the whole file.
    fn text(&mut self) -> io::Result<Vec<u8>>;
}

impl Disk for File {
    fn add(&mut self, text: &[u8]) -> io::Result<()> {
        self.write_all(text)
    }

    fn store(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn text(&mut self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        self.seek(SeekFrom::Start(0))?;
        self.read_to_end(&mut text)?;
        Ok(text)
    }
}

/// A file, and the part of it that is valid.
#[derive(Debug)]
pub(super) struct AppendFile<D> {
    disk: D,
    length: u64,
    crc: Crc,
    /// There may be bytes after the valid part.
    doubtful: bool,
}

impl<D: Disk> AppendFile<D> {
    /// A file with this text, of which the first `sound` bytes are valid.
    pub(super) fn of(disk: D, text: &[u8], sound: u64) -> Self {
        let length = usize::try_from(sound).unwrap_or(text.len()).min(text.len());
        let crc = crc(&text[..length]);
        Self { disk, length: length as u64, crc, doubtful: length < text.len() }
    }

    pub(super) fn disk(&self) -> &D {
        &self.disk
    }

    /// The length of the valid part, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Adds text, and returns when it is on the disk.
    ///
    /// # Errors
    /// The disk failed. None of the text counts, now or after a restart, unless the process ends before the file can
    /// be cut.
    pub(super) fn append(&mut self, text: &[u8]) -> io::Result<()> {
        self.mend()?;
        self.doubtful = true;
        if let Err(problem) = self.disk.add(text).and_then(|()| self.disk.store()) {
            // If this repair fails, the next call repeats it.
            let _ = self.mend();
            return Err(problem);
        }
        self.doubtful = false;
        self.length += text.len() as u64;
        self.crc.combine(&crc(text));
        Ok(())
    }

    /// Cuts off invalid bytes, and checks that the rest reads back correctly.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        if !self.doubtful {
            return Ok(());
        }
        self.disk.cut(self.length)?;
        self.disk.store()?;
        let text = self.disk.text()?;
        if text.len() as u64 != self.length || crc(&text).sum() != self.crc.sum() {
            return Err(io::Error::other("it does not read back as it was written"));
        }
        self.doubtful = false;
        Ok(())
    }
}

fn crc(text: &[u8]) -> Crc {
    let mut crc = Crc::new();
    crc.update(text);
    crc
}

#[cfg(test)]
mod tests;
