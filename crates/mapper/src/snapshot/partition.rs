//! Reads a partition's JSON directly into its dense form: a snapshot has a million of them, most with only three keys.

use super::{Leader, Partition, PartitionFacts, RareFacts};
use crate::bytes::Bytes;
use crate::ids::{BrokerId, PartitionId, Replicas};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use smallvec::SmallVec;
use std::fmt;

/// A partition without its log dirs, because the topic numbers them.
pub(super) struct PartitionIn {
    pub(super) partition: Partition,
    pub(super) log_dirs: LogDirs,
}

impl From<Partition> for PartitionIn {
    fn from(partition: Partition) -> Self {
        Self { partition, log_dirs: LogDirs::new() }
    }
}

/// For each replica the path of its log dir, where known.
pub(super) type LogDirs = SmallVec<[Option<String>; 1]>;

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum PartitionKey {
    Id,
    Replicas,
    SizeBytes,
    Isr,
    Leader,
    Offline,
    Elr,
    LastKnownElr,
    ReplicaSizeBytes,
    CopiedBytes,
    RemoteBytes,
    LogDirs,
    BytesInPerSecond,
    RecordsInPerSecond,
    BytesOutPerSecond,
    Adding,
    Removing,
    #[serde(other)]
    Unknown,
}

/// The keys in JSON, in the order of [`PartitionKey`].
const KEYS: [&str; 17] = [
    "id",
    "replicas",
    "size_bytes",
    "isr",
    "leader",
    "offline",
    "elr",
    "last_known_elr",
    "replica_size_bytes",
    "copied_bytes",
    "remote_bytes",
    "log_dirs",
    "bytes_in_per_second",
    "records_in_per_second",
    "bytes_out_per_second",
    "adding",
    "removing",
];

impl<'de> Deserialize<'de> for PartitionIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Partition", &KEYS, PartitionKeys::default())
    }
}

/// The values of a partition's keys that were read so far.
#[derive(Default)]
struct PartitionKeys {
    id: Option<PartitionId>,
    replicas: Option<Replicas>,
    size: Option<Bytes>,
    facts: Option<Box<PartitionFacts>>,
    log_dirs: LogDirs,
    rare: RareFacts,
    /// One bit for each key that was read.
    seen: u32,
}

impl<'de> Visitor<'de> for PartitionKeys {
    type Value = PartitionIn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a partition")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(key) = map.next_key()? {
            self.take(key, &mut map)?;
        }
        if self.rare != RareFacts::default() {
            self.facts().rare = std::mem::take(&mut self.rare).into();
        }
        let id = self.id.ok_or_else(|| Error::missing_field(KEYS[PartitionKey::Id as usize]))?;
        let replicas = self.replicas;
        let replicas =
            replicas.ok_or_else(|| Error::missing_field(KEYS[PartitionKey::Replicas as usize]))?;
        let partition = Partition { id, replicas, size: self.size, facts: self.facts };
        Ok(PartitionIn { partition, log_dirs: self.log_dirs })
    }
}

impl PartitionKeys {
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        key: PartitionKey,
        map: &mut A,
    ) -> Result<(), A::Error> {
        self.is_new(key)?;
        match key {
            PartitionKey::Id => self.id = Some(map.next_value()?),
            PartitionKey::Replicas => self.replicas = Some(map.next_value()?),
            PartitionKey::SizeBytes => self.size = map.next_value()?,
            PartitionKey::Isr => self.facts().isr = map.next_value()?,
            PartitionKey::Leader => {
                self.facts().leader = leader(map.next_value()?).map_err(Error::custom)?;
            }
            PartitionKey::Offline => self.rare.offline = map.next_value()?,
            PartitionKey::Elr => self.rare.elr = map.next_value()?,
            PartitionKey::LastKnownElr => self.rare.last_known_elr = map.next_value()?,
            PartitionKey::ReplicaSizeBytes => self.facts().replica_sizes = map.next_value()?,
            PartitionKey::CopiedBytes => self.rare.copied = map.next_value()?,
            PartitionKey::RemoteBytes => self.rare.remote = map.next_value()?,
            PartitionKey::LogDirs => {
                self.facts();
                self.log_dirs = map.next_value()?;
            }
            PartitionKey::BytesInPerSecond => self.facts().bytes_in = map.next_value()?,
            PartitionKey::RecordsInPerSecond => self.facts().records_in = map.next_value()?,
            PartitionKey::BytesOutPerSecond => self.facts().bytes_out = map.next_value()?,
            PartitionKey::Adding => self.rare.adding = map.next_value()?,
            PartitionKey::Removing => self.rare.removing = map.next_value()?,
            PartitionKey::Unknown => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }

    fn is_new<E: Error>(&mut self, key: PartitionKey) -> Result<(), E> {
        let bit = 1 << key as u32;
        let before = self.seen;
        self.seen |= bit;
        match KEYS.get(key as usize) {
            Some(name) if before & bit != 0 => Err(Error::duplicate_field(name)),
            Some(_) | None => Ok(()),
        }
    }

    fn facts(&mut self) -> &mut PartitionFacts {
        self.facts.get_or_insert_default()
    }
}

/// Kafka writes -1 for "no leader", and so do snapshots. `null` means the same.
fn leader(told: Option<i64>) -> Result<Leader, String> {
    match told {
        None | Some(-1) => Ok(Leader::None),
        Some(id) => u32::try_from(id)
            .map(|id| Leader::Broker(BrokerId(id)))
            .map_err(|_| format!("leader {id} is no broker id")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PartitionIn, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_partition_without_a_leader_names_the_brokers_that_may_lead_it() {
        let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<Replicas>();
        let heals = |isr: &[u32], elr: &[u32], last: &[u32]| {
            let (isr, elr, last_known_elr) = (Some(ids(isr)), ids(elr), ids(last));
            let rare = RareFacts { elr, last_known_elr, ..RareFacts::default() }.into();
            let facts = PartitionFacts { isr, rare, ..PartitionFacts::default() };
            let partition = Partition::new(PartitionId(0), ids(&[3, 1, 2]));
            Partition { facts: Some(Box::new(facts)), ..partition }.heals()
        };
        assert_eq!(heals(&[2], &[1], &[3]), ids(&[1, 2]).to_vec());
        assert_eq!(heals(&[], &[1], &[3]), ids(&[1]).to_vec());
        assert_eq!(heals(&[], &[], &[3]), ids(&[3]).to_vec(), "only the last leader has it all");
        assert_eq!(heals(&[], &[], &[]), ids(&[1, 2, 3]).to_vec());
        assert_eq!(Partition::new(PartitionId(0), ids(&[3, 1])).heals(), ids(&[1, 3]).to_vec());
    }

    #[test]
    fn every_key_is_told_once_and_stands_in_its_place() {
        let values = ["3", "[1,2]", "7", "[1]", "2", "[4]", "[5]", "[6]", "[8,null]"];
        let values =
            values.into_iter().chain(["12", "13", "[\"/a\",null]", "9", "14", "10", "[2]", "[11]"]);
        let pairs: Vec<String> =
            KEYS.iter().zip(values).map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let all = pairs.join(",");
        let PartitionIn { partition, log_dirs } =
            read(&format!("{{\"new\":{{}},{all},\"new\":1}}")).unwrap();
        let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<Replicas>();
        let facts = PartitionFacts {
            isr: Some(ids(&[1])),
            leader: Leader::Broker(BrokerId(2)),
            replica_sizes: [Some(Bytes(8)), None].into_iter().collect(),
            log_dirs: SmallVec::new(),
            bytes_in: Some(9),
            records_in: Some(14),
            bytes_out: Some(10),
            rare: RareFacts {
                offline: ids(&[4]),
                elr: ids(&[5]),
                last_known_elr: ids(&[6]),
                copied: Some(Bytes(12)),
                remote: Some(Bytes(13)),
                adding: ids(&[2]),
                removing: ids(&[11]),
            }
            .into(),
        };
        let (id, replicas) = (PartitionId(3), ids(&[1, 2]));
        let told = Partition { id, replicas, size: Some(Bytes(7)), facts: Some(Box::new(facts)) };
        assert_eq!(partition, told);
        assert_eq!(log_dirs.as_slice(), [Some("/a".to_owned()), None]);
        for (key, pair) in KEYS.iter().zip(&pairs) {
            let twice = read(&format!("{{{all},{pair}}}")).err().unwrap();
            assert!(twice.starts_with(&format!("duplicate field `{key}`")), "{twice}");
        }
    }

    #[test]
    fn what_no_partition_lacks_has_to_be_told() {
        for (text, missing) in [("{\"replicas\":[]}", "id"), ("{\"id\":1}", "replicas")] {
            let error = read(text).err().unwrap();
            assert!(error.starts_with(&format!("missing field `{missing}`")), "{error}");
        }
        let least = read(r#"{"id":1,"replicas":[],"size_bytes":null}"#).unwrap().partition;
        assert_eq!(least, Partition::new(PartitionId(1), []));
    }
}
