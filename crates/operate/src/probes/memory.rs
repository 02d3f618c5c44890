//! The memory of probes, in a file: the last verdict, for processes that cannot ask the broker, and the controller's
//! last confirmation, for while it is unavailable.

use crate::error::Error;
use crate::files::{self, FileError, OutFile};
use health::readiness::{ConfirmedReadiness, ReadinessVerdict};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const VERSION: u32 = 1;

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    version: u32,
    /// The server: `broker 1001`.
    subject: String,
    /// The last verdict.
    pub ready: bool,
    /// The verdict as a sentence.
    pub sentence: String,
    /// The time of the verdict, in seconds since 1970.
    pub checked_at_seconds: u64,
    /// What the controller last confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<ConfirmedReadiness>,
}

impl Memory {
    /// A verdict made at `now`, in seconds since 1970; without a new confirmation, `before` stays.
    pub fn of(
        subject: &str,
        verdict: &ReadinessVerdict,
        before: Option<ConfirmedReadiness>,
        now: u64,
    ) -> Self {
        Self {
            version: VERSION,
            subject: subject.to_owned(),
            ready: verdict.ready,
            sentence: verdict.to_string(),
            checked_at_seconds: now,
            confirmed: verdict.confirmed.clone().or(before),
        }
    }

    /// Reads the memory of the subject; `None` if there is no file. Memory of another subject, or memory that cannot
    /// be parsed, is ignored: it must not fail a pod's probe.
    pub fn read(path: &Path, subject: &str) -> Result<Option<Self>, Error> {
        let bytes = match files::read(path) {
            Ok(bytes) => bytes,
            Err(files::FileError::Read { problem, .. })
                if problem.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let memory = serde_json::from_slice::<Self>(&bytes).inspect_err(|error| {
            tracing::warn!(path = %path.display(), %error, "what was remembered cannot be read");
        });
        Ok(memory.ok().filter(|memory| memory.version == VERSION && memory.subject == subject))
    }

    /// Replaces the whole file; refuses to replace a file of another kind.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        if !path.metadata().is_ok_and(|found| !found.is_file()) && !is_ours(path) {
            let problem = "it is not what probes remember; name another file".to_owned();
            return Err(FileError::Unwritable { path: path.to_owned(), problem }.into());
        }
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        let text = text.map_err(local::Error::Stream)?;
        OutFile::at(path)?.stage(|out| out.write_all(&text))?.publish()?;
        Ok(())
    }
}

/// Whether a file is missing, or begins like a memory file. A crash may have cut it short, so a shorter start counts,
/// too.
fn is_ours(path: &Path) -> bool {
    const HEAD: &[u8] = b"{\n  \"version\": ";
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start));
    match read {
        Err(_) => true,
        Ok(_) if start.len() < HEAD.len() => HEAD.starts_with(&start),
        Ok(_) => start.starts_with(HEAD) && start.windows(9).any(|word| word == b"\"subject\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_memory_of_ones_own_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.json");
        assert_eq!(Memory::read(&path, "broker 1").unwrap(), None);
        let known = ConfirmedReadiness { ready: true, reason: "r".to_owned(), at_seconds: 5 };
        let verdict = ReadinessVerdict {
            ready: false,
            reason: "away".to_owned(),
            forced: None,
            expired: Vec::new(),
            confirmed: None,
        };
        let memory = Memory::of("broker 1", &verdict, Some(known.clone()), 9);
        memory.write(&path).unwrap();
        let read = Memory::read(&path, "broker 1").unwrap().unwrap();
        assert_eq!((read.confirmed.clone(), read), (Some(known), memory.clone()));
        assert_eq!(Memory::read(&path, "broker 2").unwrap(), None);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(Memory::read(&path, "broker 1").unwrap(), None);
        memory.write(&path).unwrap();
        for text in ["{\n  \"version\": 1,\n  \"topics\": []\n}", "hunter2", "{\"version\":1}"] {
            std::fs::write(&path, text).unwrap();
            assert!(memory.write(&path).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
