//! Small records that one session alone may write: a lock on their folder, and writes that Kafka's ZooKeeper refuses to
//! whoever has lost it.
//!
//! The lock is Curator's recipe, an ephemeral znode: it ends with the session, however its process ended. Each write is
//! one request with the check that the lock's znode is still there, so a process that slept through the end of its
//! session writes nothing.

use crate::connect::ZooKeeper;
use crate::error::Error;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use tokio::time::timeout;
use zookeeper_client::{
    Acls, CreateMode, Error as Reply, LockOptions, LockPrefix, OwnedLockClient,
};

/// What one request may carry: well below the megabyte that servers take (`jute.maxbuffer`).
const BATCH_BYTES: usize = 512 << 10;
/// Others may make or remove a znode between our look and our write.
const ATTEMPTS: usize = 3;

/// The right to write, for as long as the session lives. Dropped, it is given back.
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
    /// Waits until this session alone may write; `folder` is the lock's, by its full path, and `by` is told to others.
    /// Dropped meanwhile, nothing of it stays.
    ///
    /// # Errors
    /// [`Error::LockLost`] if the session ends first; what a request met.
    pub async fn guard(&self, folder: &str, by: &str) -> Result<Guarded, Error> {
        let failed = |source| failed(folder, source);
        let open = CreateMode::Persistent.with_acls(Acls::anyone_all());
        let options = LockOptions::new(Acls::anyone_all());
        let options = options.with_ancestor_options(open).map_err(failed)?;
        let prefix = LockPrefix::new_curator(folder, "lock-").map_err(failed)?;
        let lock = self.client.lock(prefix, by.as_bytes(), options).await.map_err(failed)?;
        Ok(Guarded { zookeeper: self.clone(), lock: lock.into_owned() })
    }

    /// Who has the lock of this folder, in its own words; `None`: nobody.
    ///
    /// # Errors
    /// What a read met.
    pub async fn holder(&self, folder: &str) -> Result<Option<String>, Error> {
        // Curator's names end with the number of the contender: the lowest has it.
        let contenders = self.children(folder).await?.unwrap_or_default();
        let number = |name: &String| name.rsplit_once("lock-").map(|(_, n)| n.to_owned());
        let first = contenders.into_iter().filter(|name| number(name).is_some()).min_by_key(number);
        let Some(first) = first else { return Ok(None) };
        let found = self.get(&format!("{folder}/{first}")).await?;
        Ok(found.map(|znode| String::from_utf8_lossy(&znode.data).into_owned()))
    }

    /// What the znodes of this folder hold, by name; nothing where there is no such folder.
    ///
    /// # Errors
    /// What a read met.
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
    /// [`Error::LockLost`]; what the request met.
    pub async fn check(&self) -> Result<(), Error> {
        let check = self.lock.new_check_writer().commit();
        self.asked(self.lock.lock_path(), async { check.await.map(drop).map_err(Reply::from) })
            .await
    }

    /// Writes (`Some`) and removes (`None`) znodes, by their full paths; makes what is not there. What fits into one
    /// request is written at once, or not at all; in the order of the paths.
    ///
    /// # Errors
    /// [`Error::LockLost`]: nothing more was written. [`Error::TooLarge`]; what a request met: some of it may have been
    /// written.
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

    /// One attempt; the inner error is ZooKeeper's word on it.
    async fn try_batch(&self, batch: &[(&str, Option<&[u8]>)]) -> Result<Result<(), Reply>, Error> {
        let Some((first, _)) = batch.first() else { return Ok(Ok(())) };
        let open = CreateMode::Persistent.with_acls(Acls::anyone_all());
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

    /// Folders are made without the lock: an empty one says nothing.
    async fn folder_of(&self, path: &str) -> Result<(), Error> {
        match path.rsplit_once('/') {
            Some((folder, _)) if !folder.is_empty() => {
                let open = CreateMode::Persistent.with_acls(Acls::anyone_all());
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
        let waited = self.zookeeper.deadlines.request;
        match timeout(waited, request).await {
            Err(_) => Err(Error::Timeout { path: path.to_owned(), waited }),
            Ok(answer) => answer.map_err(|source| failed(path, source)),
        }
    }
}

fn failed(path: &str, source: Reply) -> Error {
    let path = path.to_owned();
    match source {
        // The library's word for a lock whose znode is gone, and for a session that is over.
        Reply::RuntimeInconsistent | Reply::SessionExpired | Reply::ClientClosed => {
            Error::LockLost { path, source }
        }
        Reply::NoAuth | Reply::AuthFailed => Error::Denied { path, source },
        source => Error::Failed { path, source },
    }
}
