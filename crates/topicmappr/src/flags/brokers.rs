//! `--brokers`: ids, ranges, names of maps, and the two signs that only this command line knows.

use crate::error::Error;
use local::maps::Maps;
use mapper::snapshot::Topic;
use mapper::{BrokerId, Snapshot};
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// Past this many unknown ids a message names no more.
const NAMED: usize = 10;
/// No cluster has more brokers; a wider range is a typing error.
const WIDEST: u32 = 100_000;

/// The value of `--brokers`, not yet held against a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerList(Vec<Choice>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    /// One id, or a range with both its ends.
    Range(BrokerId, BrokerId),
    /// `-1`: those that hold the topics now, lost ones too.
    Holding,
    /// `-2`: every live one.
    AllLive,
    /// Those of a map.
    Map(String),
}

impl FromStr for BrokerList {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
        let choices: Vec<Choice> = items.map(choice).collect::<Result<_, _>>()?;
        if choices.is_empty() {
            return Err("name at least one broker".to_owned());
        }
        Ok(Self(choices))
    }
}

fn choice(item: &str) -> Result<Choice, String> {
    let id = |text: &str| text.parse::<BrokerId>().ok();
    if let Some((first, last)) = item.split_once("..") {
        return match (id(first), id(last.trim_start_matches('='))) {
            (Some(first), Some(last)) if first <= last && last.0 - first.0 < WIDEST => {
                Ok(Choice::Range(first, last))
            }
            _ => Err(format!("{item:?} is no range of ids: write 1001..1006")),
        };
    }
    match item {
        "-1" => Ok(Choice::Holding),
        "-2" => Ok(Choice::AllLive),
        _ if item.starts_with('-') => Err(format!(
            "{item} means nothing: -1 is the brokers that hold the topics, -2 all live ones"
        )),
        _ => Ok(id(item).map_or_else(|| Choice::Map(item.to_owned()), |id| Choice::Range(id, id))),
    }
}

impl BrokerList {
    /// The brokers meant in this cluster, `holding` being those that have the topics in scope.
    pub(crate) fn resolve(
        &self,
        snapshot: &Snapshot,
        holding: &BTreeSet<BrokerId>,
        maps: &BTreeMap<String, BTreeSet<BrokerId>>,
    ) -> Result<BTreeSet<BrokerId>, Error> {
        let mut brokers = BTreeSet::new();
        let mut unknown = Vec::new();
        let known = LazyCell::new(|| known_brokers(snapshot));
        for choice in &self.0 {
            match choice {
                Choice::Range(first, last) => {
                    let ids = (first.0..=last.0).map(BrokerId);
                    unknown.extend(ids.filter(|id| !known.contains(id)).take(NAMED));
                    brokers.extend(known.range(first..=last));
                }
                Choice::Holding => brokers.extend(holding),
                Choice::AllLive => {
                    let live = snapshot.brokers().iter().filter(|broker| broker.live);
                    brokers.extend(live.map(|broker| broker.id));
                }
                Choice::Map(name) => {
                    let named = maps.get(name).ok_or_else(|| Error::UnknownMap {
                        name: name.clone(),
                        known: maps.keys().cloned().collect(),
                    })?;
                    brokers.extend(named);
                }
            }
        }
        if unknown.is_empty() {
            Ok(brokers)
        } else {
            unknown.truncate(NAMED);
            Err(Error::UnknownBrokers { unknown, known: known.clone() })
        }
    }

    /// The brokers of a flag that says nothing about holders; none without it.
    pub(crate) fn named(
        list: Option<&Self>,
        snapshot: &Snapshot,
        maps: &Maps,
    ) -> Result<BTreeSet<BrokerId>, Error> {
        let named = |list: &Self| list.resolve(snapshot, &BTreeSet::new(), &maps.brokers(snapshot));
        list.map_or(Ok(BTreeSet::new()), named)
    }

    /// The ids that it spells out.
    pub(crate) fn ids(&self) -> BTreeSet<BrokerId> {
        let ranges = self.0.iter().filter_map(|choice| match choice {
            Choice::Range(first, last) => Some(first.0..=last.0),
            Choice::Holding | Choice::AllLive | Choice::Map(_) => None,
        });
        ranges.flatten().map(BrokerId).collect()
    }
}

/// Registered, listed, or in a replica list.
pub(crate) fn known_brokers(snapshot: &Snapshot) -> BTreeSet<BrokerId> {
    snapshot.known_brokers().into_iter().collect()
}

/// Ids that the cluster does not know are the caller's mistake.
pub(crate) fn refuse_unknown<'i>(
    snapshot: &Snapshot,
    ids: impl IntoIterator<Item = &'i BrokerId>,
) -> Result<(), Error> {
    let known = known_brokers(snapshot);
    let unknown: Vec<BrokerId> =
        ids.into_iter().copied().filter(|id| !known.contains(id)).collect();
    if unknown.is_empty() { Ok(()) } else { Err(Error::UnknownBrokers { unknown, known }) }
}

/// The brokers in the replica lists of these topics.
pub(crate) fn holders<'t>(topics: impl IntoIterator<Item = &'t Topic>) -> BTreeSet<BrokerId> {
    mapper::holders(topics).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &[u8] = br#"{"version":1,"brokers":[{"id":1},{"id":2},{"id":3,"live":false}],
        "topics":[{"name":"a","partitions":[{"id":0,"replicas":[1,4]}]}]}"#;

    fn resolve(list: &str) -> Result<Vec<u32>, Error> {
        let snapshot = Snapshot::from_json(CLUSTER).unwrap();
        let holding = holders(snapshot.topics());
        let maps = [("m".to_owned(), BTreeSet::from([BrokerId(2)]))].into();
        let list: BrokerList = list.parse().unwrap();
        let ids = list.resolve(&snapshot, &holding, &maps)?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    #[test]
    fn signs_ids_ranges_and_maps_may_be_mixed() {
        assert_eq!(resolve("-1").unwrap(), [1, 4]);
        assert_eq!(resolve("-2").unwrap(), [1, 2]);
        assert_eq!(resolve("1..3").unwrap(), [1, 2, 3]);
        assert_eq!(resolve("-1, m,3,3").unwrap(), [1, 2, 3, 4]);
    }

    #[test]
    fn ids_that_nobody_knows_are_named() {
        let error = resolve("-2,4..6").unwrap_err();
        assert_eq!(error.to_string(), "not registered, nor in any replica list: brokers 5, 6");
        assert!(matches!(resolve("n"), Err(Error::UnknownMap { .. })));
    }

    #[test]
    fn what_means_nothing_does_not_parse() {
        for list in ["", ",", "-3", "6..1", "1..x", "0..4000000000"] {
            assert!(list.parse::<BrokerList>().is_err(), "{list}");
        }
    }
}
