//! The end of a file that is added to: what does not get there whole is taken away again.
//!
//! After a failure nothing is added until the file is cut to its last sound length and reads back as it was. A disk that
//! was full goes on by itself once there is room.

use flate2::Crc;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// What is asked of a file.
pub(super) trait Disk {
    /// Writes at the end. What fails may have been written in part.
    fn add(&mut self, text: &[u8]) -> io::Result<()>;
    /// Returns when everything is on the disk.
    fn store(&mut self) -> io::Result<()>;
    /// Takes away what is beyond this length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// The whole of it.
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

/// A file, and what of it counts.
#[derive(Debug)]
pub(super) struct LinesFile<D> {
    disk: D,
    length: u64,
    crc: Crc,
    /// Something beyond may be there.
    doubtful: bool,
}

impl<D: Disk> LinesFile<D> {
    /// Of a file that says this, of which so much counts.
    pub(super) fn of(disk: D, text: &[u8], sound: u64) -> Self {
        let length = usize::try_from(sound).unwrap_or(text.len()).min(text.len());
        let crc = crc(&text[..length]);
        Self { disk, length: length as u64, crc, doubtful: length < text.len() }
    }

    pub(super) fn disk(&self) -> &D {
        &self.disk
    }

    /// Adds text, and returns when it is on the disk.
    ///
    /// # Errors
    /// The disk failed us: nothing of it counts, now or after a restart, unless the process ends before the disk takes
    /// the cut.
    pub(super) fn append(&mut self, text: &[u8]) -> io::Result<()> {
        self.mend()?;
        self.doubtful = true;
        if let Err(problem) = self.disk.add(text).and_then(|()| self.disk.store()) {
            // Else the next one does.
            let _ = self.mend();
            return Err(problem);
        }
        self.doubtful = false;
        self.length += text.len() as u64;
        self.crc.combine(&crc(text));
        Ok(())
    }

    /// Cuts off what does not count, and makes sure that the rest is there.
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
