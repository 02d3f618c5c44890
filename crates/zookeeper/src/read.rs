//! Reads znodes: one at a time or many in flight, each with a deadline.
//!
//! A znode that does not exist is an answer (`None`), not a failure.

use crate::connect::ZooKeeper;
use crate::error::{Error, ZnodeFault};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::{Duration, SystemTime};
use tokio::time::{sleep, timeout};
use zookeeper_client::Error as Reply;

/// Requests in flight at once. ZooKeeper answers a session's requests in order, so this number only has to cover the
/// network round trip. More than a few hundred would only queue at the server.
const IN_FLIGHT: usize = 256;
/// The pause between a lost connection and the next attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// The contents of a znode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Znode {
    pub(crate) data: Vec<u8>,
    /// When it was last written, by the clock of the ZooKeeper leader.
    pub(crate) modified: SystemTime,
}

impl ZooKeeper {
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Znode>, Error> {
        let answer = self.ask(path, || self.client.get_data(path)).await?;
        Ok(answer.map(|(data, stat)| Znode { data, modified: since_epoch(stat.mtime) }))
    }

    pub(crate) async fn children(&self, path: &str) -> Result<Option<BTreeSet<String>>, Error> {
        let path = if path.is_empty() { "/" } else { path };
        let answer = self.ask(path, || self.client.list_children(path)).await?;
        Ok(answer.map(BTreeSet::from_iter))
    }

    /// Synchronizes with the leader, so that a lagging server does not return old data.
    pub(crate) async fn catch_up(&self) -> Result<(), Error> {
        self.ask("/", || self.client.sync("/")).await.map(|_| ())
    }

    /// Reads and parses one znode.
    pub(crate) async fn parsed<T>(
        &self,
        path: &str,
        parse: impl Fn(&[u8]) -> Result<T, ZnodeFault>,
    ) -> Result<Option<T>, Error> {
        let read = |znode: Znode| parse(&znode.data).map_err(|wrong| Error::malformed(path, wrong));
        self.get(path).await?.map(read).transpose()
    }

    /// Reads and parses many znodes, each as it arrives. Leaves out those that do not exist.
    pub(crate) async fn parsed_each<K: Ord, T>(
        &self,
        wanted: impl IntoIterator<Item = (K, String)>,
        parse: impl Fn(&[u8]) -> Result<T, ZnodeFault>,
    ) -> Result<BTreeMap<K, T>, Error> {
        let parse = &parse;
        let reads = stream::iter(wanted).map(|(key, path)| async move {
            let found = self.parsed(&path, parse).await?;
            Ok(found.map(|value| (key, value)))
        });
        reads
            .buffer_unordered(IN_FLIGHT)
            .try_filter_map(async |found| Ok(found))
            .try_collect()
            .await
    }

    /// Sends a read, and repeats it after a lost connection, until the deadline.
    async fn ask<T, F>(&self, path: &str, request: impl Fn() -> F) -> Result<Option<T>, Error>
    where
        F: Future<Output = Result<T, Reply>>,
    {
        let answered = self.in_time(path, async {
            loop {
                match request().await {
                    // The library reports a socket's error as `Custom`.
                    Err(Reply::ConnectionLoss | Reply::Custom(_)) => sleep(PAUSE).await,
                    answer => break answer,
                }
            }
        });
        match answered.await? {
            Ok(answer) => Ok(Some(answer)),
            Err(Reply::NoNode) => Ok(None),
            Err(source) => Err(Error::refused(path, source)),
        }
    }

    /// The server's answer to one request, within the deadline.
    pub(crate) async fn in_time<T>(
        &self,
        path: &str,
        request: impl Future<Output = Result<T, Reply>>,
    ) -> Result<Result<T, Reply>, Error> {
        let waited = self.deadlines.request;
        let late = |_| Error::Timeout { path: path.to_owned(), waited };
        timeout(waited, request).await.map_err(late)
    }
}

/// ZooKeeper's times are milliseconds since 1970.
fn since_epoch(milliseconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
