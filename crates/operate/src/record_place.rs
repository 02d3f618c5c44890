//! Where a command keeps what it has to remember between runs: a file, a ConfigMap, or the topic of shared state.

use crate::files::{self, FileError, OutFile};
use kubernetes::Name;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

const CONFIG_MAP: &str = "configmap:";
const STATE_TOPIC: &str = "state-topic";

/// A file, a ConfigMap, or a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordPlace {
    /// This file.
    File(PathBuf),
    /// This ConfigMap. Without a namespace: in that of the context.
    ConfigMap(Name),
    /// The topic `__mappr_state` of the cluster itself.
    StateTopic,
}

impl From<&str> for RecordPlace {
    fn from(text: &str) -> Self {
        match text.strip_prefix(CONFIG_MAP) {
            Some(name) => Self::ConfigMap(Name::parsed(name, "")),
            None if text == STATE_TOPIC => Self::StateTopic,
            None => Self::File(PathBuf::from(text)),
        }
    }
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::ConfigMap(name) => write!(f, "{CONFIG_MAP}{name}"),
            Self::StateTopic => f.write_str(STATE_TOPIC),
        }
    }
}

/// Reads a file of records; `None` if it does not exist yet.
pub(crate) fn read_file(path: &Path) -> Result<Option<String>, FileError> {
    match files::read_text(path) {
        Err(FileError::Read { problem, .. }) if problem.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Replaces a file of records. It outlives a crash of the machine when this returns.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<(), FileError> {
    OutFile::at(path)?.stage(|out| out.write_all(text.as_bytes()))?.publish_stored()
}
