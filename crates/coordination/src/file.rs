//! The lead in a file: the system's lock on it, which ends with the process. Each record is a line.
//!
//! In: changes. They are lines at the end of the file, and on the disk before a call returns. A new whole file follows
//! when dead lines outweigh the records. Another file at the same path ends the lead.

use crate::lines::{AtPath, LinesError, LinesFile, LinesKind};
use crate::{Error, Holder, RecordChanges, Records, Seen, Wait, unique};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// A shorter file is never rewritten, in bytes: it is read in milliseconds.
const SHORT: u64 = 1 << 20;
/// How often a process that waits tries to lock the file.
const LOOK: Duration = Duration::from_millis(500);

/// A locked file.
#[derive(Debug)]
pub(crate) struct FileLead {
    path: PathBuf,
    file: LinesFile<RecordLine>,
    /// The unique name of this process.
    us: String,
    /// A longer file is replaced by one with the records alone, in bytes.
    most: u64,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
enum RecordLine {
    /// A process has taken the lead.
    Led { by: String },
    /// A record, in place of earlier ones with its name.
    Written { name: String, text: String },
    /// There is no record with this name any more.
    Removed { name: String },
}

impl FileLead {
    pub(crate) fn seen(path: &Path) -> Result<Seen, Error> {
        let (last, records) = read(path)?;
        let holder = last.filter(|_| crate::lines::is_locked(path));
        Ok(Seen { lock: path.display().to_string(), holder, records })
    }

    pub(crate) async fn take(
        path: &Path,
        holder: &Holder,
        wait: Wait,
        mut tell: impl FnMut(&str),
    ) -> Result<Self, Error> {
        let (path, us) = (path.to_owned(), unique(holder));
        loop {
            match LinesFile::open(&path, LinesKind::Records) {
                Ok((mut file, _)) => {
                    file.append(&[RecordLine::Led { by: us.clone() }])?;
                    return Ok(Self { path, file, us, most: SHORT });
                }
                // The lock of a dead process has ended with it.
                Err(LinesError::Locked { .. }) => {
                    let holder = read(&path)?.0.unwrap_or_else(|| "another process".to_owned());
                    if wait == Wait::ForTheDead {
                        return Err(Error::Held { lock: path.display().to_string(), holder });
                    }
                    tell(&holder);
                    sleep(LOOK).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(crate) fn read(&self) -> Result<Records, Error> {
        self.check()?;
        Ok(read(&self.path)?.1)
    }

    /// All changes, or none. `wanted` is what they lead to.
    pub(crate) fn write(&mut self, changes: RecordChanges, wanted: &Records) -> Result<(), Error> {
        if self.at_path()? == AtPath::Nothing {
            // A file that was removed is written again as a whole: nothing else has its records.
            return self.replace(wanted);
        }
        let line = |(name, text)| match text {
            Some(text) => RecordLine::Written { name, text },
            None => RecordLine::Removed { name },
        };
        self.file.append(&changes.into_iter().map(line).collect::<Vec<_>>())?;
        if self.file.length() > self.most {
            // The changes are stored by now. A disk without room for a second file is no reason to call them lost.
            if let Err(error) = self.replace(wanted) {
                tracing::warn!(%error, "the file could not be rewritten, and stays long");
            }
            self.most = SHORT.max(2 * self.file.length());
        }
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.at_path().map(drop)
    }

    fn at_path(&self) -> Result<AtPath, Error> {
        match self.file.at_path()? {
            AtPath::Another => {
                let why = "another file has taken its place".to_owned();
                Err(Error::Lost { lock: self.path.display().to_string(), why })
            }
            at_path => Ok(at_path),
        }
    }

    fn replace(&mut self, records: &Records) -> Result<(), Error> {
        let written = |(name, text)| RecordLine::Written { name, text };
        let mut lines = vec![RecordLine::Led { by: self.us.clone() }];
        lines.extend(records.clone().into_iter().map(written));
        Ok(self.file.replace(&lines)?)
    }
}

/// The process that led last, and the records.
fn read(path: &Path) -> Result<(Option<String>, Records), LinesError> {
    let (mut last, mut records) = (None, Records::new());
    for line in LinesFile::read(path, LinesKind::Records)? {
        match line {
            RecordLine::Led { by } => last = Some(by),
            RecordLine::Written { name, text } => drop(records.insert(name, text)),
            RecordLine::Removed { name } => drop(records.remove(&name)),
        }
    }
    Ok((last, records))
}
