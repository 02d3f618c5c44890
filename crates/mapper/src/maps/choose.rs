//! Chooses the brokers of each map.
//!
//! A count is a target. If more brokers fit, a map keeps those that hold its topics. If fewer fit, it takes all of them,
//! and the finding says whether lost brokers explain the difference.

use super::finding::MapFinding;
use super::number_of::choose_numbers;
use super::{Group, Map, MapFacts, MapSet, Target};
use crate::ids::BrokerId;
use crate::snapshot::{Broker, Snapshot};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The brokers of the maps.
pub(super) struct ChosenBrokers {
    /// For each map, in the order of the document.
    pub(super) by_map: Vec<BTreeSet<BrokerId>>,
    pub(super) findings: Vec<MapFinding>,
}

/// Gives each map its brokers. `topics` are those of each map.
pub(super) fn choose(
    maps: &MapSet,
    known: &MapFacts<'_>,
    topics: &[BTreeSet<String>],
) -> ChosenBrokers {
    let maps = maps.maps();
    let mut chosen = ChosenBrokers { by_map: Vec::with_capacity(maps.len()), findings: Vec::new() };
    for map in maps {
        let found = fitting(map, known);
        chosen.by_map.push(found.unwrap_or_else(|finding| {
            chosen.findings.push(finding);
            BTreeSet::new()
        }));
    }
    let wishes = wishes(maps, &chosen.by_map);
    let claimed = claimed(maps, &chosen.by_map);
    for wishes in wishes.values() {
        share_out(wishes, &claimed, known, topics, &mut chosen.by_map);
    }
    let others = maps
        .iter()
        .zip(&chosen.by_map)
        .filter(|(map, _)| !map.is_rest() && !matches!(map.target, Target::NumberOf { .. }));
    let claimed = others.flat_map(|(_, brokers)| brokers).copied().collect();
    choose_numbers(maps, known, topics, &claimed, &mut chosen.by_map);
    for (index, map) in maps.iter().enumerate() {
        let explained = chosen.findings.iter().any(|finding| finding.names(&map.name));
        if !explained {
            let finding = missing(map, &chosen.by_map[index], known, &topics[index]);
            chosen.findings.extend(finding);
        }
    }
    chosen
}

/// Every broker that fits the map's target, without regard to its count.
fn fitting(map: &Map, known: &MapFacts<'_>) -> Result<BTreeSet<BrokerId>, MapFinding> {
    let found = match &map.target {
        Target::Ids(ids) | Target::NumberOf { of: Some(ids), .. } => Some(ids.clone()),
        Target::All | Target::NumberOf { of: None, .. } => {
            let cluster = known.cluster.ok_or_else(|| MapFinding::NeedsCluster {
                map: map.name.clone(),
                target: map.target.clone(),
            })?;
            Some(cluster.brokers().iter().map(|broker| broker.id).collect())
        }
        Target::InstanceType { .. }
        | Target::StatefulSet { .. }
        | Target::KafkaNodePool { .. }
        | Target::NodeLabels { .. } => map.target.group().and_then(|group| members(&group, known)),
    };
    let (name, target) = (map.name.clone(), map.target.clone());
    match found {
        None => Err(MapFinding::NeedsKubernetes { map: name, target }),
        Some(found) if found.is_empty() => Err(MapFinding::NoBrokers { map: name, target }),
        Some(found) => Ok(found),
    }
}

/// The members of a group; `None` if neither the snapshot nor the Kubernetes API describes them.
fn members(group: &Group, known: &MapFacts<'_>) -> Option<BTreeSet<BrokerId>> {
    let told: Option<BTreeSet<BrokerId>> =
        known.groups.get(group).map(|members| members.keys().copied().collect());
    let brokers = known.cluster.map_or(&[][..], Snapshot::brokers);
    let described = brokers.iter().filter_map(|broker| Some((broker, is_member(broker, group)?)));
    // If the API has answered, the snapshot adds only lost brokers, because their nodes may be gone.
    let described = described.filter(|(broker, _)| told.is_none() || !broker.live);
    let snapshot_tells = described.clone().next().is_some();
    let described = described.filter(|(_, is_member)| *is_member).map(|(broker, _)| broker.id);
    let described: BTreeSet<BrokerId> = described.collect();
    match told {
        Some(told) => Some(&told | &described),
        None => snapshot_tells.then_some(described),
    }
}

/// Whether a broker belongs to a group; `None` if the snapshot does not say.
fn is_member(broker: &Broker, group: &Group) -> Option<bool> {
    match group {
        Group::InstanceType(wanted) => broker.instance_type.as_ref().map(|own| own == wanted),
        Group::StatefulSet { namespace, name } => {
            let own = broker.kubernetes.as_ref()?.stateful_set.as_deref();
            Some(own.and_then(|own| own.split_once('/')) == Some((namespace, name)))
        }
        Group::KafkaNodePool { namespace, name } => {
            let own = broker.kubernetes.as_ref()?.node_pool.as_deref();
            Some(own.and_then(|own| own.split_once('/')) == Some((namespace, name)))
        }
        Group::NodeLabels(labels) => {
            let own = &broker.kubernetes.as_ref()?.node_labels;
            Some(labels.iter().all(|(key, value)| own.get(key) == Some(value)))
        }
    }
}

/// A map that wants fewer brokers than fit.
struct Wish<'m> {
    index: usize,
    map: &'m Map,
    count: usize,
    group: BTreeSet<BrokerId>,
}

/// The wishes for each group. Maps of one group have to share its brokers.
fn wishes<'m>(maps: &'m [Map], fitting: &[BTreeSet<BrokerId>]) -> BTreeMap<Group, Vec<Wish<'m>>> {
    let mut wishes: BTreeMap<Group, Vec<Wish<'m>>> = BTreeMap::new();
    for (index, map) in maps.iter().enumerate() {
        if let (Some(group), Some(count)) = (map.target.group(), map.target.count()) {
            wishes.entry(group).or_default().push(Wish {
                index,
                map,
                count: usize::try_from(count).unwrap_or(usize::MAX),
                group: fitting[index].clone(),
            });
        }
    }
    wishes
}

/// Brokers that a map has without a choice. Any map may take the others.
fn claimed(maps: &[Map], fitting: &[BTreeSet<BrokerId>]) -> BTreeSet<BrokerId> {
    let firm = |(map, _): &(&Map, _)| map.target.count().is_none() && !map.is_rest();
    maps.iter().zip(fitting).filter(firm).flat_map(|(_, brokers)| brokers).copied().collect()
}

/// Shares one group's brokers among the maps that want some of them. Each broker goes to one map.
///
/// Live brokers come first, then those that no other map has in any case. A broker goes to the map with the most
/// replicas on it. Names and ids break ties, so the order of the maps in the document changes nothing.
fn share_out(
    wishes: &[Wish<'_>],
    claimed: &BTreeSet<BrokerId>,
    known: &MapFacts<'_>,
    topics: &[BTreeSet<String>],
    by_map: &mut [BTreeSet<BrokerId>],
) {
    if let [only] = wishes
        && only.group.len() <= only.count
    {
        return; // Counting replicas takes time, and there is nothing to choose.
    }
    let mut pairs = Vec::new();
    for wish in wishes {
        let held = replicas_held(known, &topics[wish.index]);
        for id in &wish.group {
            let held = held.get(id).copied().unwrap_or(0);
            let preference = (!known.is_live(*id), claimed.contains(id), Reverse(held));
            pairs.push((preference, &wish.map.name, *id, wish));
        }
        by_map[wish.index].clear();
    }
    pairs.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    let mut given = BTreeSet::new();
    for (_, _, id, wish) in pairs {
        let mine = &mut by_map[wish.index];
        if mine.len() < wish.count && given.insert(id) {
            mine.insert(id);
        }
    }
}

/// The number of replicas of these topics on each broker.
pub(super) fn replicas_held(
    known: &MapFacts<'_>,
    topics: &BTreeSet<String>,
) -> BTreeMap<BrokerId, u64> {
    let mut held = BTreeMap::new();
    let existing = topics.iter().filter_map(|name| known.cluster?.topic(name));
    for partition in existing.flat_map(|topic| &topic.partitions) {
        for id in &partition.replicas {
            *held.entry(*id).or_insert(0) += 1;
        }
    }
    held
}

/// The finding about the number of the map's brokers, or about their ids.
fn missing(
    map: &Map,
    brokers: &BTreeSet<BrokerId>,
    known: &MapFacts<'_>,
    topics: &BTreeSet<String>,
) -> Option<MapFinding> {
    if let Target::Ids(ids) | Target::NumberOf { of: Some(ids), .. } = &map.target
        && let Some(cluster) = known.cluster
    {
        let (map, brokers) = (map.name.clone(), unknown(cluster, ids));
        if !brokers.is_empty() {
            return Some(MapFinding::UnknownBrokers { map, brokers });
        }
    }
    match (&map.target, map.target.count()) {
        (_, Some(_)) if brokers.is_empty() => {
            Some(MapFinding::NoBrokers { map: map.name.clone(), target: map.target.clone() })
        }
        (_, Some(wanted)) => too_few(map, wanted, brokers, known, topics),
        (_, None) => None,
    }
}

/// The finding if too few brokers are live: do lost brokers explain it?
fn too_few(
    map: &Map,
    wanted: u32,
    brokers: &BTreeSet<BrokerId>,
    known: &MapFacts<'_>,
    topics: &BTreeSet<String>,
) -> Option<MapFinding> {
    let is_live = |id: &BrokerId| known.is_live(*id);
    let (live, mut lost): (BTreeSet<BrokerId>, BTreeSet<BrokerId>) =
        brokers.iter().copied().partition(is_live);
    let (map, live) = (map.name.clone(), live.len());
    let short = usize::try_from(wanted).unwrap_or(usize::MAX).saturating_sub(live);
    if short == 0 {
        return None;
    }
    lost.extend(untyped_holders(known, topics));
    Some(if lost.len() >= short {
        MapFinding::FewerByLoss { map, wanted, live, lost }
    } else {
        MapFinding::TooFew { map, wanted, live, lost }
    })
}

/// Ids that are neither registered nor in any replica list.
fn unknown(cluster: &Snapshot, ids: &BTreeSet<BrokerId>) -> BTreeSet<BrokerId> {
    let mut unknown: BTreeSet<BrokerId> =
        ids.iter().copied().filter(|id| cluster.broker(*id).is_none()).collect();
    if unknown.is_empty() {
        return unknown; // No need to look through a million replica lists.
    }
    for partition in cluster.topics().iter().flat_map(|topic| &topic.partitions) {
        for id in &partition.replicas {
            unknown.remove(id);
        }
    }
    unknown
}

/// Lost brokers that hold these topics and whose type is unknown. They may have been the map's.
fn untyped_holders(known: &MapFacts<'_>, topics: &BTreeSet<String>) -> Vec<BrokerId> {
    let Some(cluster) = known.cluster else {
        return Vec::new();
    };
    let untyped_and_lost = |id: &BrokerId| {
        cluster.broker(*id).is_none_or(|broker| !broker.live && broker.instance_type.is_none())
    };
    replicas_held(known, topics).into_keys().filter(untyped_and_lost).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{maps, said, snapshot};
    use super::super::{MapFacts, Resolved, resolve};
    use crate::snapshot::{KubernetesFacts, Snapshot};

    fn chosen(lines: &str, cluster: &Snapshot) -> Resolved {
        resolve(&maps(lines), &MapFacts::of(cluster))
    }

    fn ids(resolved: &Resolved, map: usize) -> Vec<u32> {
        resolved.maps[map].brokers.iter().map(|member| member.id.0).collect()
    }

    const FOUR: [(u32, &str); 4] = [(1, "big"), (2, "big"), (3, "big"), (4, "big")];

    #[test]
    fn a_map_keeps_the_brokers_that_hold_most_of_its_replicas() {
        let cluster = snapshot(&FOUR, &[("a1", &[4, 3]), ("a2", &[4]), ("b", &[1])]);
        assert_eq!(ids(&chosen("a: \"a.*\" => 2x big", &cluster), 0), [3, 4]);
        assert_eq!(ids(&chosen("a: \"a.*\" => 3x big", &cluster), 0), [1, 3, 4]);
    }

    #[test]
    fn maps_of_one_type_share_it_out() {
        let cluster = snapshot(&FOUR, &[("a", &[1, 4]), ("b", &[1])]);
        let resolved = chosen("a: \"a\" => 2x big\nb: \"b\" => 2x big", &cluster);
        assert_eq!((ids(&resolved, 0), ids(&resolved, 1)), (vec![1, 4], vec![2, 3]));
        assert_eq!(said(&resolved), [""; 0]);
    }

    #[test]
    fn a_map_that_others_leave_nothing_to_has_no_broker() {
        let cluster = snapshot(&FOUR, &[("a", &[1]), ("b", &[9])]);
        let resolved = chosen("a: \"a\" => 4x big\nb: \"b\" => 2x big", &cluster);
        assert_eq!(said(&resolved), ["map b has no broker: none is left for 2x big"]);
    }

    #[test]
    fn brokers_that_another_map_lists_are_taken_last() {
        let cluster = snapshot(&FOUR, &[("a", &[1]), ("b", &[2])]);
        let resolved = chosen("a: \"a\" => 2x big\nb: \"b\" => [1,2]", &cluster);
        assert_eq!(ids(&resolved, 0), [3, 4]);
    }

    #[test]
    fn a_live_broker_is_taken_before_a_lost_one() {
        let mut parts = snapshot(&FOUR, &[("a", &[1, 2])]).into_parts();
        parts.brokers[0].live = false;
        let cluster = Snapshot::new(parts).unwrap();
        let resolved = chosen("a: \"a\" => 3x big", &cluster);
        assert_eq!(ids(&resolved, 0), [2, 3, 4]);
        assert_eq!(said(&resolved), [""; 0]);
    }

    #[test]
    fn a_lost_broker_of_unknown_type_that_holds_the_topics_explains_a_gap() {
        let cluster = snapshot(&FOUR, &[("a", &[1, 9]), ("b", &[1])]);
        let resolved = chosen("a: \"a\" => 5x big", &cluster);
        assert_eq!(
            said(&resolved),
            ["map a asks for 5 brokers and has 4 live ones: broker 9 lost"]
        );
        let resolved = chosen("b: \"b\" => 5x big", &cluster);
        assert_eq!(said(&resolved), ["map b asks for 5 brokers and has 4 live ones; 0 lost"]);
        assert_eq!(resolved.findings[0].code(), "map-count");
        assert!(resolved.assignments().is_ok());
    }

    #[test]
    fn a_snapshot_that_knows_the_pods_needs_no_kubernetes() {
        let mut parts = snapshot(&FOUR, &[("a", &[1])]).into_parts();
        for broker in &mut parts.brokers[1..3] {
            broker.kubernetes = Some(Box::new(KubernetesFacts {
                pod: format!("kafka/logs-{}", broker.id),
                stateful_set: Some("kafka/logs".to_owned()),
                node_pool: Some(format!("kafka/pool-{}", broker.id)),
                node_labels: [("pool".to_owned(), format!("p{}", broker.id))].into(),
                ..KubernetesFacts::default()
            }));
        }
        let cluster = Snapshot::new(parts).unwrap();
        assert_eq!(ids(&chosen("a: \"a\" => statefulSet kafka/logs", &cluster), 0), [2, 3]);
        assert_eq!(ids(&chosen("a: \"a\" => nodeLabels pool=p3", &cluster), 0), [3]);
        assert_eq!(ids(&chosen("a: \"a\" => kafkaNodePool kafka/pool-2", &cluster), 0), [2]);
        let none = chosen("a: \"a\" => statefulSet other/logs", &cluster);
        assert_eq!(said(&none), ["map a has no broker: none is left for statefulSet other/logs"]);
    }

    #[test]
    fn no_broker_of_a_type_is_told_from_no_type_known() {
        let typed = snapshot(&FOUR, &[("a", &[1])]);
        let resolved = chosen("a: \"a\" => 1x small", &typed);
        assert_eq!(said(&resolved), ["map a has no broker: none is left for 1x small"]);
        let untyped = snapshot(&[(1, "")], &[("a", &[1])]);
        let resolved = chosen("a: \"a\" => 1x small", &untyped);
        assert_eq!(
            said(&resolved),
            ["map a needs the Kubernetes API to find its brokers: 1x small"]
        );
    }
}
