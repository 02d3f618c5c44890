//! Stores metrics for [`StoredMetrics`](crate::StoredMetrics) to read, in the format of kafka-kit's tools.

use crate::connect::ZooKeeper;
use crate::error::Error;
use crate::stored::{StoredFree, StoredSize, znodes};
use flate2::{Compression, GzBuilder};
use mapper::{BrokerId, Bytes, PartitionId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use zookeeper_client::{CreateMode, Error as Reply};

/// The largest znode that a server accepts by default (`jute.maxbuffer`), minus the rest of the request.
const MOST_BYTES: usize = (1 << 20) - 1024;

/// Sizes and free space to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToStore {
    /// The size of one replica of each partition, by topic.
    pub partition_sizes: BTreeMap<String, BTreeMap<PartitionId, Bytes>>,
    /// The free bytes on each broker's volume.
    pub broker_free: BTreeMap<BrokerId, Bytes>,
    /// Whether to compress with gzip. Readers detect it themselves.
    pub compress: bool,
}

impl ToStore {
    /// `{"topic":{"0":{"Size":1024}}}`
    fn sizes(&self) -> std::io::Result<Vec<u8>> {
        let wire = |size: &Bytes| StoredSize { size: *size };
        let topics = self.partition_sizes.iter().map(|(topic, partitions)| {
            (topic, partitions.iter().map(|(id, size)| (id, wire(size))).collect())
        });
        self.packed(&topics.collect::<BTreeMap<_, BTreeMap<_, _>>>())
    }

    /// `{"1001":{"StorageFree":1024}}`
    fn free(&self) -> std::io::Result<Vec<u8>> {
        let brokers = self.broker_free.iter().map(|(id, free)| (id, StoredFree { free: *free }));
        self.packed(&brokers.collect::<BTreeMap<_, _>>())
    }

    fn packed(&self, value: &impl Serialize) -> std::io::Result<Vec<u8>> {
        let plain = serde_json::to_vec(value)?;
        if !self.compress {
            return Ok(plain);
        }
        let mut packer = GzBuilder::new().write(Vec::new(), Compression::best());
        packer.write_all(&plain)?;
        packer.finish()
    }
}

impl ZooKeeper {
    /// Stores metrics under `prefix` (default: [`DEFAULT_METRICS_PREFIX`](crate::DEFAULT_METRICS_PREFIX)). Creates
    /// missing znodes. It writes both znodes or neither.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or the error of a write.
    pub async fn store_metrics(&self, prefix: &str, metrics: &ToStore) -> Result<(), Error> {
        let packed = |path: String, data: std::io::Result<Vec<u8>>| match data {
            Ok(data) if data.len() <= MOST_BYTES => Ok((path, data)),
            Ok(data) => Err(Error::TooLarge { path, bytes: data.len() }),
            Err(source) => Err(Error::Unpacked { path, source }),
        };
        let [sizes, free] = znodes(prefix);
        let znodes = [packed(sizes, metrics.sizes())?, packed(free, metrics.free())?];
        let open = CreateMode::Persistent.with_acls(self.acls());
        let refused = |path: &str, answer: Result<(), Reply>| {
            answer.map_err(|source| Error::refused(path, source))
        };
        for (path, _) in &znodes {
            refused(path, self.in_time(path, self.client.mkdir(path, &open)).await?)?;
        }
        let mut both = self.client.new_multi_writer();
        for (path, data) in &znodes {
            let added = both.add_set_data(path, data, None);
            added.map_err(|source| Error::Failed { path: path.clone(), source })?;
        }
        let [(path, _), _] = &znodes;
        let commit = async { both.commit().await.map(drop).map_err(Reply::from) };
        refused(path, self.in_time(path, commit).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(compress: bool) -> ToStore {
        let sizes = BTreeMap::from([(PartitionId(0), Bytes(1024)), (PartitionId(12), Bytes(7))]);
        ToStore {
            partition_sizes: BTreeMap::from([("events".to_owned(), sizes)]),
            broker_free: BTreeMap::from([(BrokerId(1001), Bytes(950_000_000_000))]),
            compress,
        }
    }

    #[test]
    fn the_format_is_that_of_the_tools_of_old() {
        let plain = metrics(false);
        let text = String::from_utf8(plain.sizes().unwrap()).unwrap();
        assert_eq!(text, r#"{"events":{"0":{"Size":1024},"12":{"Size":7}}}"#);
        let text = String::from_utf8(plain.free().unwrap()).unwrap();
        assert_eq!(text, r#"{"1001":{"StorageFree":950000000000}}"#);
    }

    #[test]
    fn what_is_packed_is_read_back_and_packs_to_the_same_bytes() {
        let packed = metrics(true).sizes().unwrap();
        assert_eq!(crate::stored::partition_sizes(&packed).unwrap(), metrics(true).partition_sizes);
        assert_eq!(packed, metrics(true).sizes().unwrap());
    }
}
