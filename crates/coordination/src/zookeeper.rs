//! The lead in ZooKeeper: an ephemeral znode in `FOLDER/lock`, which ends with the session of its holder.
//!
//! Each write is one request together with a check of that znode. A process that slept past the end of its session
//! therefore writes nothing.

use crate::{Error, Holder, RecordChanges, Records, Seen, Wait, texts, unique};
use ::zookeeper::{Deadlines, Guarded, ZooKeeper, ZooKeeperAddress};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long a dead holder's znode may stay: its session expires after ten seconds.
const DEAD: Duration = Duration::from_secs(15);
/// How often to read who leads while waiting.
const LOOK: Duration = Duration::from_secs(2);
/// The znode in `FOLDER/taken` that names the last leader.
const LAST: &str = "by";

/// A lock that this process holds.
#[derive(Debug)]
pub(crate) struct ZooKeeperLead {
    zookeeper: ZooKeeper,
    guarded: Guarded,
    folder: String,
    /// The unique name of this process.
    us: String,
}

impl ZooKeeperLead {
    pub(crate) async fn records(
        address: &ZooKeeperAddress,
        folder: &str,
    ) -> Result<Records, Error> {
        let zookeeper = ZooKeeper::connect(address, Deadlines::default()).await?;
        read(&zookeeper, folder).await
    }

    pub(crate) async fn seen(address: &ZooKeeperAddress, folder: &str) -> Result<Seen, Error> {
        let zookeeper = ZooKeeper::connect(address, Deadlines::default()).await?;
        let holder = zookeeper.holder(&lock(folder)).await?;
        let records = read(&zookeeper, folder).await?;
        Ok(Seen { lock: shown(folder), holder, records })
    }

    pub(crate) async fn leader(
        address: &ZooKeeperAddress,
        folder: &str,
    ) -> Result<Option<String>, Error> {
        let zookeeper = ZooKeeper::connect(address, Deadlines::default()).await?;
        Ok(zookeeper.holder(&lock(folder)).await?)
    }

    pub(crate) async fn take(
        address: &ZooKeeperAddress,
        folder: &str,
        holder: &Holder,
        wait: Wait,
        tell: impl FnMut(&str) + Send,
    ) -> Result<Self, Error> {
        // A session that is over never comes back, so each attempt has a new one.
        let zookeeper = ZooKeeper::connect(address, Deadlines::default()).await?;
        let us = unique(holder);
        let lock = lock(folder);
        let taken = async {
            tokio::select! {
                guarded = zookeeper.guard(&lock, &us) => guarded,
                never = tell_holders(&zookeeper, &lock, tell) => match never {},
            }
        };
        let guarded = match wait {
            Wait::Forever => taken.await?,
            Wait::ForTheDead => match timeout(DEAD, taken).await {
                Ok(taken) => taken?,
                Err(_) => {
                    let holder = zookeeper.holder(&lock).await?;
                    let holder =
                        holder.unwrap_or_else(|| "a process that has just ended".to_owned());
                    return Err(Error::Held { lock: shown(folder), holder });
                }
            },
        };
        let lead = Self { zookeeper, guarded, folder: folder.to_owned(), us };
        // This process writes its name before it acts, even if it never writes a record. So a former leader sees that
        // the lead was taken.
        let last = (format!("{folder}/taken/{LAST}"), Some(lead.us.clone().into_bytes()));
        lead.guarded.write(&[last].into()).await?;
        Ok(lead)
    }

    pub(crate) async fn read(&self) -> Result<Records, Error> {
        read(&self.zookeeper, &self.folder).await
    }

    /// New records first, so that whatever replaces a record is stored before that record is removed.
    pub(crate) async fn write(&self, changes: &RecordChanges) -> Result<(), Error> {
        let znode = |(name, text): (&String, &Option<String>)| {
            (records(&self.folder) + "/" + name, text.clone().map(String::into_bytes))
        };
        let (new, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            changes.iter().map(znode).partition(|(_, text)| text.is_some());
        for part in [new, gone] {
            self.guarded.write(&part).await.map_err(|error| self.not_ours(error))?;
        }
        Ok(())
    }

    pub(crate) async fn check(&self) -> Result<(), Error> {
        self.guarded.check().await.map_err(|error| self.not_ours(error))
    }

    /// Takes the lock again in a new session. The old znode may remain for some seconds.
    pub(crate) async fn take_again(&mut self) -> Result<Records, Error> {
        let zookeeper = ZooKeeper::connect(self.zookeeper.address(), Deadlines::default()).await?;
        let lock = lock(&self.folder);
        let holder = zookeeper.holder(&lock).await?;
        if let Some(holder) = holder.filter(|holder| *holder != self.us) {
            return Err(Error::Held { lock: shown(&self.folder), holder });
        }
        let guarded = zookeeper.guard(&lock, &self.us).await?;
        let taken = zookeeper.records(&format!("{}/taken", self.folder)).await?;
        let last = texts(taken).remove(LAST);
        if last.as_ref() != Some(&self.us) {
            let last = last.unwrap_or_else(|| "another process".to_owned());
            let why = format!("{last} had it meanwhile");
            return Err(Error::Lost { lock: shown(&self.folder), why });
        }
        let records = read(&zookeeper, &self.folder).await?;
        (self.zookeeper, self.guarded) = (zookeeper, guarded);
        Ok(records)
    }

    pub(crate) fn session(&self) -> (&ZooKeeper, &Guarded) {
        (&self.zookeeper, &self.guarded)
    }

    fn not_ours(&self, error: ::zookeeper::Error) -> Error {
        match error.is_session_over() {
            true => Error::Ended { lock: shown(&self.folder), why: error.to_string() },
            false => error.into(),
        }
    }
}

/// Tells who has the lock for as long as it is waited for; never ends.
async fn tell_holders(zookeeper: &ZooKeeper, lock: &str, mut tell: impl FnMut(&str)) -> Infallible {
    loop {
        // If the session is over, the wait for the lock fails.
        if let Ok(Some(holder)) = zookeeper.holder(lock).await {
            tell(&holder);
        }
        sleep(LOOK).await;
    }
}

async fn read(zookeeper: &ZooKeeper, folder: &str) -> Result<Records, Error> {
    Ok(texts(zookeeper.records(&records(folder)).await?))
}

fn records(folder: &str) -> String {
    format!("{folder}/records")
}

fn lock(folder: &str) -> String {
    format!("{folder}/lock")
}

fn shown(folder: &str) -> String {
    format!("lock {} in ZooKeeper", lock(folder))
}
