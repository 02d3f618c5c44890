//! Stores the state, and holds its lock.

use super::shards::RecordShards;
use super::state_file;
use crate::error::Error;
use crate::file_lock::FileLock;
use crate::files::OutFile;
use crate::record_place::{self, RecordPlace, write_file};
use crate::runtime::us;
use crate::stores::take_lease;
use ::kubernetes::{Access, Kubernetes};
use coordination::Lead;
use std::path::{Path, PathBuf};
use topics::TopicsRunRecord;

/// The key of a state in a ConfigMap.
pub(super) const STATE_LABEL: &str = "topics-state.json";

/// A state and its place.
#[derive(Debug)]
pub(super) struct RunRecordStore {
    keeper: RecordKeeper,
    /// The stored state.
    stored: TopicsRunRecord,
}

#[derive(Debug)]
enum RecordKeeper {
    None,
    File(PathBuf),
    ConfigMaps(Box<RecordShards>),
}

/// The lock that excludes other runs; dropping or releasing it ends it.
#[derive(Debug)]
pub(super) enum Lock {
    Nothing,
    File { _lock: FileLock },
    Lease(Box<Lead>),
}

impl RunRecordStore {
    /// Reads a state without its lock, for a run that changes nothing.
    pub(super) async fn read(place: Option<&RecordPlace>, access: &Access) -> Result<Self, Error> {
        match place {
            None => Ok(Self { keeper: RecordKeeper::None, stored: TopicsRunRecord::default() }),
            Some(RecordPlace::File(path)) => {
                Ok(Self { keeper: RecordKeeper::File(path.clone()), stored: read_file(path)? })
            }
            Some(RecordPlace::StateTopic) => {
                let why = "the record of owned topics is in a file or a ConfigMap: --state";
                Err(local::Error::Flags(why.to_owned()).into())
            }
            Some(RecordPlace::ConfigMap(name)) => {
                let kubernetes = Kubernetes::connect(access).await?;
                let name = name.within(kubernetes.namespace());
                let (shards, stored) = RecordShards::read(kubernetes, name).await?;
                Ok(Self { keeper: RecordKeeper::ConfigMaps(Box::new(shards)), stored })
            }
        }
    }

    /// Takes the lock of a state, then reads the state.
    pub(super) async fn open(
        place: Option<&RecordPlace>,
        access: &Access,
    ) -> Result<(Self, Lock), Error> {
        let lock = match place {
            None | Some(RecordPlace::StateTopic) => Lock::Nothing,
            Some(RecordPlace::File(path)) => {
                // An unwritable path is detected before a topic is created.
                OutFile::at(path)?;
                Lock::File { _lock: FileLock::take(path, &us())? }
            }
            Some(RecordPlace::ConfigMap(name)) => {
                let lead = take_lease(access, name.clone()).await.map_err(|error| match error {
                    // The hint for executors names another manifest.
                    Error::LockRights(error) => Error::Kubernetes(error),
                    other => other,
                })?;
                Lock::Lease(Box::new(lead))
            }
        };
        Ok((Self::read(place, access).await?, lock))
    }

    /// The stored state.
    pub(super) fn state(&self) -> &TopicsRunRecord {
        &self.stored
    }

    /// Writes a state, if it differs from the stored one.
    pub(super) async fn write(&mut self, state: &TopicsRunRecord) -> Result<(), Error> {
        if *state == self.stored {
            return Ok(());
        }
        match &mut self.keeper {
            RecordKeeper::None => {}
            RecordKeeper::File(path) => write_file(path, &state_file::written(state))?,
            RecordKeeper::ConfigMaps(shards) => shards.write(state).await?,
        }
        self.stored = state.clone();
        Ok(())
    }
}

impl Lock {
    /// Runs `work` while this process holds the lock, then releases the lock.
    pub(super) async fn during<T>(
        self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match self {
            Self::Lease(lease) => lease.during(work).await,
            Self::Nothing | Self::File { .. } => work.await,
        }
    }
}

fn read_file(path: &Path) -> Result<TopicsRunRecord, Error> {
    let Some(text) = record_place::read_file(path)? else { return Ok(TopicsRunRecord::default()) };
    state_file::read(&text)
        .map_err(|problem| Error::State { place: path.display().to_string(), problem })
}
