//! The shape of maps in YAML for serde. Other modules interpret the values.

use super::Allowance;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value};
use serde_saphyr::Spanned;
use std::fmt;
use std::marker::PhantomData;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentIn {
    pub(super) version: Spanned<u64>,
    pub(super) maps: Spanned<OrderedMapping<MapIn>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapIn {
    pub(super) topics: Option<Spanned<String>>,
    pub(super) brokers: Spanned<BrokersIn>,
    pub(super) replication: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) allow: Vec<Allowance>,
}

pub(super) enum BrokersIn {
    /// `all`, `6x TYPE`, or any other target in its one-line form.
    Text(String),
    /// Ids and ranges.
    Ids(Vec<Spanned<String>>),
    /// A StatefulSet, a node pool of Strimzi, or node labels.
    Group(Box<GroupIn>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct GroupIn {
    pub(super) stateful_set: Option<Spanned<String>>,
    pub(super) kafka_node_pool: Option<Spanned<String>>,
    pub(super) node_labels: Option<OrderedMapping<Spanned<String>>>,
    pub(super) count: Option<Spanned<String>>,
}

/// A mapping in the order of the document, with the places of its keys.
pub(super) struct OrderedMapping<V>(pub(super) Vec<(Spanned<String>, V)>);

/// Read if the full shape is refused, because another version may have another shape.
#[derive(Deserialize)]
pub(super) struct VersionIn {
    pub(super) version: Spanned<u64>,
}

/// Read if a key occurs twice, to find the place of the first one.
#[derive(Deserialize)]
pub(super) struct NamesIn {
    pub(super) maps: OrderedMapping<IgnoredAny>,
}

impl<'de> Deserialize<'de> for BrokersIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BrokersVisitor)
    }
}

struct BrokersVisitor;

impl<'de> Visitor<'de> for BrokersVisitor {
    type Value = BrokersIn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "brokers: [1001..1006], 3x TYPE, {statefulSet: NS/NAME}, {kafkaNodePool: NS/NAME}, {nodeLabels: {k: v}}, or all",
        )
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<BrokersIn, E> {
        Ok(BrokersIn::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<BrokersIn, A::Error> {
        let list = value::SeqAccessDeserializer::new(list);
        Vec::deserialize(list).map(BrokersIn::Ids)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BrokersIn, A::Error> {
        let map = value::MapAccessDeserializer::new(map);
        GroupIn::deserialize(map).map(|group| BrokersIn::Group(Box::new(group)))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for OrderedMapping<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
    type Value = OrderedMapping<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OrderedMapping<V>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(OrderedMapping(pairs))
    }
}
