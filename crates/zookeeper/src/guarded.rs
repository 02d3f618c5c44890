//! Small records that only one session may write: a lock on their folder, and writes that ZooKeeper refuses after the
//! lock is lost.
//!
//! The lock is Curator's recipe, an ephemeral znode. It ends with the session, however the process ended. Each write is
//! one request, together with a check that the lock's znode still exists. A process that slept past the end of its
//! session therefore writes nothing.

use crate::connect::ZooKeeper;
use crate::error::Error;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use zookeeper_client::{CreateMode, Error as Reply, LockOptions, LockPrefix, OwnedLockClient};

/// The most bytes in one request: well below the megabyte that servers accept (`jute.maxbuffer`).
const BATCH_BYTES: usize = 512 << 10;
/// How often a write is retried, because others may create or delete a znode between our read and our write.
const ATTEMPTS: usize = 3;

/// The right to write while the session is alive. Dropping it releases the lock.
pub struct Guarded {
    zookeeper: ZooKeeper,
    lock: OwnedLockClient,
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("lock", &self.lock.lock_path()).finish_non_exhaustive()
    }
}

impl ZooKeeper {
    /// Waits until only this session may write. `folder` is the full path of the lock's folder; other processes see
    /// `by` as the holder. If the future is dropped, it leaves nothing behind.
    ///
    /// # Errors
    /// [`Error::LockLost`] if the session ends first; otherwise the error of a request.
    pub async fn guard(&self, folder: &str, by: &str) -> Result<Guarded, Error> {
        let failed = |source| failed(folder, source);
        let acls = self.acls();
        let open = CreateMode::Persistent.with_acls(acls);
        let options = LockOptions::new(acls);
        let options = options.with_ancestor_options(open).map_err(failed)?;
        let prefix = LockPrefix::new_curator(folder, "lock-").map_err(failed)?;
        let lock = self.client.lock(prefix, by.as_bytes(), options).await.map_err(failed)?;
        Ok(Guarded { zookeeper: self.clone(), lock: lock.into_owned() })
    }

    /// The holder of this folder's lock, as it describes itself; `None` if there is none.
    ///
    /// # Errors
    /// The error of a read.
    pub async fn holder(&self, folder: &str) -> Result<Option<String>, Error> {
        // Curator's names end with a sequence number. The lowest one holds the lock.
        let contenders = self.children(folder).await?.unwrap_or_default();
        let number = |name: &String| name.rsplit_once("lock-").map(|(_, n)| n.to_owned());
        let first = contenders.into_iter().filter(|name| number(name).is_some()).min_by_key(number);
        let Some(first) = first else { return Ok(None) };
        let found = self.get(&format!("{folder}/{first}")).await?;
        Ok(found.map(|znode| String::from_utf8_lossy(&znode.data).into_owned()))
    }

    /// The contents of the znodes in this folder, by name. Empty if the folder does not exist.
    ///
    /// # Errors
    /// The error of a read.
    pub async fn records(&self, folder: &str) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        self.catch_up().await?;
        let names = self.children(folder).await?.unwrap_or_default();
        let wanted = names.into_iter().map(|name| {
            let path = format!("{folder}/{name}");
            (name, path)
        });
        self.parsed_each(wanted, |data| Ok(data.to_vec())).await
    }
}

impl Guarded {
    /// Makes sure that this session still has the lock.
    ///
    /// # Errors
    /// [`Error::LockLost`]; otherwise the error of the request.
    pub async fn check(&self) -> Result<(), Error> {
        let check = self.lock.new_check_writer().commit();
        self.asked(self.lock.lock_path(), async { check.await.map(drop).map_err(Reply::from) })
            .await
    }

    /// Writes (`Some`) and deletes (`None`) znodes, by full path and in path order. Creates missing ones. All changes
    /// that fit into one request are atomic.
    ///
    /// # Errors
    /// [`Error::LockLost`]: nothing more was written. [`Error::TooLarge`], or the error of a request: some changes may
    /// have been written.
    pub async fn write(&self, changes: &BTreeMap<String, Option<Vec<u8>>>) -> Result<(), Error> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (path, data) in changes {
            let size = path.len() + data.as_ref().map_or(0, Vec::len);
            if size > BATCH_BYTES {
                return Err(Error::TooLarge { path: path.clone(), bytes: size });
            }
            if bytes + size > BATCH_BYTES {
                self.write_batch(&batch).await?;
                batch.clear();
                bytes = 0;
            }
            batch.push((path.as_str(), data.as_deref()));
            bytes += size;
        }
        self.write_batch(&batch).await
    }

    async fn write_batch(&self, batch: &[(&str, Option<&[u8]>)]) -> Result<(), Error> {
        let Some((first, _)) = batch.first() else { return Ok(()) };
        for attempt in 1.. {
            match self.try_batch(batch).await? {
                Ok(()) => break,
                Err(Reply::NoNode | Reply::NodeExists) if attempt < ATTEMPTS => {}
                Err(source) => return Err(failed(first, source)),
            }
        }
        Ok(())
    }

    /// One attempt. The inner error is ZooKeeper's answer.
    async fn try_batch(&self, batch: &[(&str, Option<&[u8]>)]) -> Result<Result<(), Reply>, Error> {
        let Some((first, _)) = batch.first() else { return Ok(Ok(())) };
        let open = CreateMode::Persistent.with_acls(self.zookeeper.acls());
        let mut writer = self.lock.new_check_writer();
        for (path, data) in batch {
            let there = self.zookeeper.get(path).await?.is_some();
            let added = match (data, there) {
                (Some(data), true) => writer.add_set_data(path, data, None),
                (Some(data), false) => {
                    self.folder_of(path).await?;
                    writer.add_create(path, data, &open)
                }
                (None, true) => writer.add_delete(path, None),
                (None, false) => Ok(()),
            };
            added.map_err(|source| failed(path, source))?;
        }
        let commit = writer.commit();
        let answer = async {
            match commit.await.map(drop).map_err(Reply::from) {
                Err(reply @ (Reply::NoNode | Reply::NodeExists)) => Ok(Err(reply)),
                other => other.map(Ok),
            }
        };
        self.asked(first, answer).await
    }

    /// Creates folders without the lock, because an empty folder has no meaning.
    async fn folder_of(&self, path: &str) -> Result<(), Error> {
        match path.rsplit_once('/') {
            Some((folder, _)) if !folder.is_empty() => {
                let open = CreateMode::Persistent.with_acls(self.zookeeper.acls());
                self.asked(folder, self.zookeeper.client.mkdir(folder, &open)).await
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn asked<T>(
        &self,
        path: &str,
        request: impl Future<Output = Result<T, Reply>>,
    ) -> Result<T, Error> {
        let answer = self.zookeeper.in_time(path, request).await?;
        answer.map_err(|source| failed(path, source))
    }
}

fn failed(path: &str, source: Reply) -> Error {
    match source {
        // The library's errors for a lock whose znode is gone, and for a session that has ended.
        Reply::RuntimeInconsistent | Reply::SessionExpired | Reply::ClientClosed => {
            Error::LockLost { path: path.to_owned(), source }
        }
        source => Error::refused(path, source),
    }
}
