//! Metrics that a fetcher has stored in ZooKeeper: partition sizes, and the free space of brokers.
//!
//! There are two znodes under one prefix at the root of the ensemble, outside Kafka's chroot, in the format of
//! kafka-kit's tools. They contain JSON with sizes in bytes, plain or gzip (detected by its magic bytes).

use crate::connect::ZooKeeper;
use crate::error::{Error, ZnodeFault};
use crate::read::Znode;
use flate2::read::MultiGzDecoder;
use mapper::snapshot::SnapshotError;
use mapper::{BrokerId, Bytes, PartitionId, Snapshot};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::time::SystemTime;

/// The default prefix of metrics.
pub const DEFAULT_METRICS_PREFIX: &str = "topicmappr";

/// The limit for decompressed data, in bytes: five times the sizes of a million partitions.
const MOST_BYTES: u64 = 256 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Sizes and free space at the time of the fetcher's run. What it did not see is missing, never 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMetrics {
    /// The size of one replica of each partition, by topic.
    pub partition_sizes: BTreeMap<String, BTreeMap<PartitionId, Bytes>>,
    /// The free bytes on each broker's volume.
    pub broker_free: BTreeMap<BrokerId, Bytes>,
    /// When the older of the two znodes was written, by ZooKeeper's clock. Compare it with `--metrics-age`.
    pub captured: SystemTime,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredSize<T> {
    #[serde(rename = "Size", alias = "size")]
    pub(crate) size: T,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredFree<T> {
    #[serde(rename = "StorageFree", alias = "storagefree")]
    pub(crate) free: T,
}

/// The fetcher's numbers are floating-point, because an average may have decimals.
#[derive(Deserialize, Clone, Copy)]
#[serde(untagged)]
enum Amount {
    Whole(u64),
    Real(f64),
}

/// The paths of both znodes under a prefix.
pub(crate) fn znodes(prefix: &str) -> [String; 2] {
    let prefix = match prefix.trim_matches('/') {
        "" => String::new(),
        name => format!("/{name}"),
    };
    ["partitionmeta", "brokermetrics"].map(|name| format!("{prefix}/{name}"))
}

impl ZooKeeper {
    /// Reads the metrics under `prefix` (default: [`DEFAULT_METRICS_PREFIX`]; empty: at the root).
    ///
    /// # Errors
    /// [`Error::NoMetrics`] with the missing znode, [`Error::Malformed`], or the error of a read.
    pub async fn stored_metrics(&self, prefix: &str) -> Result<StoredMetrics, Error> {
        let [sizes_path, free_path] = znodes(prefix);
        let (sizes, free) = tokio::try_join!(self.stored(&sizes_path), self.stored(&free_path))?;
        let malformed = |path: String| move |wrong| Error::Malformed { path, wrong };
        Ok(StoredMetrics {
            captured: sizes.modified.min(free.modified),
            partition_sizes: partition_sizes(&sizes.data).map_err(malformed(sizes_path))?,
            broker_free: broker_free(&free.data).map_err(malformed(free_path))?,
        })
    }

    async fn stored(&self, path: &str) -> Result<Znode, Error> {
        self.get(path).await?.ok_or_else(|| Error::NoMetrics { path: path.to_owned() })
    }
}

impl StoredMetrics {
    /// Adds the sizes and the free space that `snapshot` lacks. Facts in the snapshot stay, because they are newer.
    ///
    /// # Errors
    /// If a broker would have more free space than its disks have in total.
    pub fn complete(&self, snapshot: Snapshot) -> Result<Snapshot, SnapshotError> {
        let mut parts = snapshot.into_parts();
        for broker in &mut parts.brokers {
            broker.storage_free =
                broker.storage_free.or_else(|| self.broker_free.get(&broker.id).copied());
        }
        for topic in &mut parts.topics {
            let Some(sizes) = self.partition_sizes.get(&topic.name) else {
                continue;
            };
            for partition in &mut topic.partitions {
                partition.size = partition.size.or_else(|| sizes.get(&partition.id).copied());
            }
        }
        Snapshot::new(parts)
    }
}

/// `{"topic":{"0":{"Size":1024}}}`
pub(crate) fn partition_sizes(
    data: &[u8],
) -> Result<BTreeMap<String, BTreeMap<PartitionId, Bytes>>, ZnodeFault> {
    let wire: BTreeMap<String, BTreeMap<PartitionId, StoredSize<Option<Amount>>>> =
        serde_json::from_slice(&unpacked(data, MOST_BYTES)?)?;
    let sizes = |partitions: BTreeMap<_, StoredSize<_>>| {
        known(partitions.into_iter().map(|(id, p)| (id, p.size)))
    };
    wire.into_iter().map(|(topic, partitions)| Ok((topic, sizes(partitions)?))).collect()
}

/// `{"1001":{"StorageFree":1024}}`
fn broker_free(data: &[u8]) -> Result<BTreeMap<BrokerId, Bytes>, ZnodeFault> {
    let wire: BTreeMap<BrokerId, StoredFree<Option<Amount>>> =
        serde_json::from_slice(&unpacked(data, MOST_BYTES)?)?;
    known(wire.into_iter().map(|(id, broker)| (id, broker.free)))
}

fn known<K: Ord>(
    all: impl Iterator<Item = (K, Option<Amount>)>,
) -> Result<BTreeMap<K, Bytes>, ZnodeFault> {
    all.filter_map(|(key, amount)| Some((key, amount?)))
        .map(|(key, amount)| Ok((key, bytes(amount)?)))
        .collect()
}

fn bytes(amount: Amount) -> Result<Bytes, ZnodeFault> {
    match amount {
        Amount::Whole(bytes) => Ok(Bytes(bytes)),
        // 2^63: more than any file system holds, and exact in both types.
        Amount::Real(real) if (0.0..9_223_372_036_854_775_808.0).contains(&real) => {
            Ok(Bytes(real.round() as u64))
        }
        Amount::Real(real) => Err(ZnodeFault::Size(real)),
    }
}

/// Decompresses gzip data up to `limit_bytes`, because a few kilobytes can decompress to gigabytes.
fn unpacked(data: &[u8], limit_bytes: u64) -> Result<Cow<'_, [u8]>, ZnodeFault> {
    if data.trim_ascii().is_empty() {
        return Err(ZnodeFault::Empty);
    }
    if !data.starts_with(&GZIP) {
        return Ok(Cow::Borrowed(data));
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(data)
        .take(limit_bytes + 1)
        .read_to_end(&mut plain)
        .map_err(ZnodeFault::Gzip)?;
    if plain.len() as u64 > limit_bytes {
        return Err(ZnodeFault::TooLarge { limit_bytes });
    }
    Ok(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    const SIZES: &str =
        r#"{"events":{"0":{"Size":1024},"1":{"Size":2048.6},"2":{}},"empty":{"0":{"Size":0}}}"#;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn events() -> BTreeMap<String, BTreeMap<PartitionId, Bytes>> {
        partition_sizes(SIZES.as_bytes()).unwrap()
    }

    #[test]
    fn sizes_are_whole_bytes_and_a_missing_one_stays_missing() {
        let read = events();
        assert_eq!(
            read["events"],
            BTreeMap::from([(PartitionId(0), Bytes(1024)), (PartitionId(1), Bytes(2049))])
        );
        assert_eq!(read["empty"][&PartitionId(0)], Bytes(0));
    }

    #[test]
    fn gzip_and_plain_read_alike() {
        assert_eq!(partition_sizes(&gzip(SIZES.as_bytes())).unwrap(), events());
        let free = broker_free(&gzip(br#"{"1001":{"StorageFree":9.5e11}}"#)).unwrap();
        assert_eq!(free, BTreeMap::from([(BrokerId(1001), Bytes(950_000_000_000))]));
    }

    #[test]
    fn a_gzip_bomb_is_refused_at_the_limit() {
        let bomb = gzip(&vec![b' '; 1_000_000]);
        assert!(bomb.len() < 2_000, "{}", bomb.len());
        let wrong = unpacked(&bomb, 100_000).unwrap_err();
        assert!(matches!(wrong, ZnodeFault::TooLarge { limit_bytes: 100_000 }));
        assert_eq!(unpacked(&gzip(&[b' '; 100]), 100).unwrap().len(), 100);
    }

    #[test]
    fn a_gzip_stream_that_is_cut_off_is_malformed() {
        let whole = gzip(SIZES.as_bytes());
        for cut in [2, 9, whole.len() / 2, whole.len() - 1] {
            assert!(matches!(partition_sizes(&whole[..cut]), Err(ZnodeFault::Gzip(_))), "{cut}");
        }
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for size in ["-1", "1e30"] {
            let text = format!(r#"{{"events":{{"0":{{"Size":{size}}}}}}}"#);
            assert!(matches!(partition_sizes(text.as_bytes()), Err(ZnodeFault::Size(_))), "{size}");
        }
        assert!(matches!(
            partition_sizes(br#"{"events":{"x":{"Size":1}}}"#),
            Err(ZnodeFault::Json(_))
        ));
        assert!(matches!(broker_free(br#"{"a":{"StorageFree":1}}"#), Err(ZnodeFault::Json(_))));
        assert!(matches!(broker_free(b""), Err(ZnodeFault::Empty)));
    }

    #[test]
    fn a_snapshot_is_completed_and_not_overruled() {
        let text = br#"{"version":1,"brokers":[{"id":1,"storage_free_bytes":7},{"id":2},{"id":3}],
            "topics":[{"name":"events","partitions":[
                {"id":0,"replicas":[1],"size_bytes":5},{"id":1,"replicas":[1]},{"id":2,"replicas":[1]}]}]}"#;
        let broker_free = BTreeMap::from([(BrokerId(1), Bytes(100)), (BrokerId(2), Bytes(200))]);
        let stored = StoredMetrics {
            partition_sizes: events(),
            broker_free,
            captured: SystemTime::UNIX_EPOCH,
        };
        let completed = stored.complete(Snapshot::from_json(text).unwrap()).unwrap();
        let free: Vec<_> = completed.brokers().iter().map(|broker| broker.storage_free).collect();
        assert_eq!(free, [Some(Bytes(7)), Some(Bytes(200)), None]);
        let sizes: Vec<_> =
            completed.topics()[0].partitions.iter().map(|partition| partition.size).collect();
        assert_eq!(sizes, [Some(Bytes(5)), Some(Bytes(2049)), None]);
    }
}
