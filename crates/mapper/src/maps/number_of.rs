//! Chooses brokers for maps that want a number of some brokers: `6 of all`, `6 of [1001..1020]`.
//!
//! Such maps never get the same broker, so their topics are kept apart. A map keeps the brokers that hold its topics, if they
//! are not too many. The others are spread over racks as evenly as can be, because fewer racks would hold more replicas of a
//! partition. Of the brokers of a rack, those come first that hold its topics.

use super::choose::replicas_held;
use super::{Map, MapFacts, Target};
use crate::ids::BrokerId;
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A map that wants a number of brokers.
struct NumberWish<'m> {
    index: usize,
    map: &'m Map,
    count: usize,
    /// The brokers that it may have.
    among: BTreeSet<BrokerId>,
    /// The replicas of its topics on each broker.
    held: BTreeMap<BrokerId, u64>,
}

/// Reduces the brokers of such maps in `by_map` to those that they get. `topics` are those of each map; `claimed`: the brokers
/// that other maps have, which are taken last.
pub(super) fn choose_numbers(
    maps: &[Map],
    known: &MapFacts<'_>,
    topics: &[BTreeSet<String>],
    claimed: &BTreeSet<BrokerId>,
    by_map: &mut [BTreeSet<BrokerId>],
) {
    let mut wishes: Vec<NumberWish<'_>> = Vec::new();
    for (index, map) in maps.iter().enumerate() {
        if let Target::NumberOf { count, .. } = &map.target {
            wishes.push(NumberWish {
                index,
                map,
                count: usize::try_from(*count).unwrap_or(usize::MAX),
                among: std::mem::take(&mut by_map[index]),
                held: replicas_held(known, &topics[index]),
            });
        }
    }
    // The order in the document changes nothing.
    wishes.sort_by(|one, other| one.map.name.cmp(&other.map.name));
    let (rest, apart): (Vec<_>, Vec<_>) = wishes.into_iter().partition(|wish| wish.map.is_rest());
    in_rounds(&apart, known, claimed, by_map);
    // The map of all other topics shares its brokers with each map.
    in_rounds(&rest, known, &BTreeSet::new(), by_map);
}

/// Gives each map one broker after the other, until all have enough or none is left.
fn in_rounds(
    wishes: &[NumberWish<'_>],
    known: &MapFacts<'_>,
    claimed: &BTreeSet<BrokerId>,
    by_map: &mut [BTreeSet<BrokerId>],
) {
    let mut given = keep(wishes, known, claimed, by_map);
    loop {
        let before = given.len();
        for wish in wishes {
            if by_map[wish.index].len() >= wish.count {
                continue;
            }
            let held_by_others = |id: &BrokerId| {
                let others = wishes.iter().filter(|other| other.index != wish.index);
                others.filter_map(|other| other.held.get(id)).sum::<u64>()
            };
            let mine = &by_map[wish.index];
            let in_rack =
                |id: &BrokerId| mine.iter().filter(|own| same_rack(known, **own, *id)).count();
            let free = wish.among.iter().filter(|id| !given.contains(*id));
            let best = free.min_by_key(|id| {
                let held = wish.held.get(id).copied().unwrap_or(0);
                let is_last = (!known.is_live(**id), claimed.contains(id));
                (is_last, in_rack(id), Reverse(held), held_by_others(id), **id)
            });
            let best = best.copied();
            if let Some(best) = best {
                given.insert(best);
                by_map[wish.index].insert(best);
            }
        }
        if given.len() == before {
            break;
        }
    }
    for (at, wish) in wishes.iter().enumerate() {
        while by_map[wish.index].len() < wish.count && take_over(wishes, at, by_map) {}
    }
}

/// Leaves each map the brokers that hold its topics, unless it has to give some of them up. Of two maps, the one with more
/// replicas keeps a broker. So a map that has its brokers keeps them, and no data moves. Returns these brokers.
fn keep(
    wishes: &[NumberWish<'_>],
    known: &MapFacts<'_>,
    claimed: &BTreeSet<BrokerId>,
    by_map: &mut [BTreeSet<BrokerId>],
) -> BTreeSet<BrokerId> {
    let mut kept = BTreeSet::new();
    for (at, wish) in wishes.iter().enumerate() {
        let held = |wish: &NumberWish<'_>, id: &BrokerId| wish.held.get(id).copied().unwrap_or(0);
        let is_own = |id: &&BrokerId| {
            let own = held(wish, id);
            let mut others = wishes.iter().enumerate().filter(|(other, _)| *other != at);
            let most =
                others.all(|(other, of)| (held(of, id), Reverse(other)) < (own, Reverse(at)));
            own > 0 && most && known.is_live(**id) && !claimed.contains(*id)
        };
        let own: BTreeSet<BrokerId> = wish.among.iter().filter(is_own).copied().collect();
        if own.len() <= wish.count {
            kept.extend(&own);
            by_map[wish.index] = own;
        }
    }
    kept
}

/// Lets a map that has too few brokers take one of another map, which takes a free one instead, or one of a third map.
/// Returns whether there is a way. Where there is none, no choice of brokers serves more.
fn take_over(wishes: &[NumberWish<'_>], first: usize, by_map: &mut [BTreeSet<BrokerId>]) -> bool {
    // For each map that was reached: the map that takes one of its brokers, and this broker.
    let mut reached: BTreeMap<usize, Option<(usize, BrokerId)>> = [(first, None)].into();
    let mut queue = VecDeque::from([first]);
    while let Some(at) = queue.pop_front() {
        for id in &wishes[at].among {
            let owner = wishes.iter().position(|wish| by_map[wish.index].contains(id));
            let Some(owner) = owner else {
                let (mut taker, mut taken) = (at, *id);
                while let Some(&Some((next, given))) = reached.get(&taker) {
                    by_map[wishes[taker].index].remove(&given);
                    by_map[wishes[taker].index].insert(taken);
                    (taker, taken) = (next, given);
                }
                by_map[wishes[taker].index].insert(taken);
                return true;
            };
            if let Entry::Vacant(new) = reached.entry(owner) {
                new.insert(Some((at, *id)));
                queue.push_back(owner);
            }
        }
    }
    false
}

/// Whether two brokers are in one rack. A broker without one is in a rack of its own.
fn same_rack(known: &MapFacts<'_>, one: BrokerId, other: BrokerId) -> bool {
    let rack = |id: BrokerId| known.cluster?.broker(id)?.rack.as_deref();
    one == other || rack(one).is_some_and(|own| rack(other) == Some(own))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{maps, said};
    use super::super::{MapFacts, Resolved, resolve};
    use crate::ids::{BrokerId, PartitionId};
    use crate::snapshot::{Broker, Partition, Parts, Snapshot, Topic};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Brokers 1.. in these racks, and topics whose partitions are on these brokers.
    fn cluster(racks: &[u32], topics: &[(&str, &[u32])]) -> Snapshot {
        let broker = |(id, rack): (u32, &u32)| Broker {
            rack: Some(format!("rack-{rack}")),
            ..Broker::new(BrokerId(id))
        };
        let topic = |(name, brokers): &(&str, &[u32])| Topic {
            name: (*name).to_owned(),
            partitions: (0..)
                .zip(*brokers)
                .map(|(id, broker)| Partition::new(PartitionId(id), [BrokerId(*broker)]))
                .collect(),
            ..Topic::default()
        };
        let brokers = (1..).zip(racks).map(broker).collect();
        let topics = topics.iter().map(topic).collect();
        Snapshot::new(Parts { brokers, topics, ..Parts::default() }).unwrap()
    }

    fn chosen(lines: &str, cluster: &Snapshot) -> Resolved {
        resolve(&maps(lines), &MapFacts::of(cluster))
    }

    fn ids(resolved: &Resolved, map: usize) -> Vec<u32> {
        resolved.maps[map].brokers.iter().map(|member| member.id.0).collect()
    }

    #[test]
    fn two_maps_never_get_the_same_broker_and_the_rest_has_all() {
        let cluster = cluster(&[0, 1, 2, 0, 1, 2], &[("a", &[1, 2]), ("b", &[1, 5]), ("c", &[1])]);
        let lines = "a: \"a\" => 3 of all\nb: \"b\" => 3 of all\nrest: => all";
        let resolved = chosen(lines, &cluster);
        assert_eq!((ids(&resolved, 0), ids(&resolved, 1)), (vec![1, 2, 3], vec![4, 5, 6]));
        assert_eq!(ids(&resolved, 2), [1, 2, 3, 4, 5, 6]);
        assert_eq!(said(&resolved), [""; 0]);
    }

    #[test]
    fn a_tenant_keeps_the_brokers_that_hold_its_topics_in_each_rack() {
        let cluster = cluster(&[0, 0, 0, 1, 1, 1], &[("a", &[3, 3, 2, 6])]);
        assert_eq!(ids(&chosen("a: \"a\" => 2 of all", &cluster), 0), [3, 6]);
        assert_eq!(ids(&chosen("a: \"a\" => 3 of [1..4]", &cluster), 0), [2, 3, 4]);
    }

    #[test]
    fn too_few_brokers_and_unknown_ones_are_named() {
        let cluster = cluster(&[0, 1], &[("a", &[1])]);
        let resolved = chosen("a: \"a\" => 3 of all", &cluster);
        assert_eq!(said(&resolved), ["map a asks for 3 brokers and has 2 live ones; 0 lost"]);
        let resolved = chosen("a: \"a\" => 2 of [2,7]", &cluster);
        let unknown = "map a lists broker 7, neither registered nor in any replica list";
        assert_eq!(said(&resolved), [unknown]);
        let two =
            chosen("a: \"a\" => 2 of all\nb: \"a.*\" => 1 of all, allow=[no-topics]", &cluster);
        assert_eq!(two.maps[0].brokers.len() + two.maps[1].brokers.len(), 2);
    }

    proptest! {
        #[test]
        fn brokers_are_apart_over_racks_and_stay(
            racks in vec(0_u32..4, 2..16),
            counts in (1_usize..6, 1_usize..6),
            a in vec(1_u32..16, 1..20),
            b in vec(1_u32..16, 1..20),
        ) {
            let known = |on: &[u32]| -> Vec<u32> {
                on.iter().map(|id| 1 + id % u32::try_from(racks.len()).unwrap()).collect()
            };
            let lines = format!("a: \"a\" => {} of all\nb: \"b\" => {} of all", counts.0, counts.1);
            let first = cluster(&racks, &[("a", &known(&a)), ("b", &known(&b))]);
            let resolved = chosen(&lines, &first);
            let (own, other) = (ids(&resolved, 0), ids(&resolved, 1));
            let (mine, theirs): (BTreeSet<u32>, BTreeSet<u32>) =
                (own.iter().copied().collect(), other.iter().copied().collect());
            prop_assert!(mine.is_disjoint(&theirs));
            prop_assert!(own.len() <= counts.0 && other.len() <= counts.1);
            prop_assert_eq!(own.len() + other.len(), racks.len().min(counts.0 + counts.1));
            // Once the topics are there, the same brokers are chosen again.
            let moved = cluster(&racks, &[("a", &own), ("b", &other)]);
            let again = chosen(&lines, &moved);
            prop_assert_eq!((ids(&again, 0), ids(&again, 1)), (own.clone(), other));
            // Alone, a map has as many racks as it can.
            let alone = ids(&chosen(&format!("a: \"a\" => {} of all", counts.0), &first), 0);
            let of = |id: &u32| racks[*id as usize - 1];
            let used: BTreeSet<u32> = alone.iter().map(of).collect();
            let all: BTreeSet<u32> = racks.iter().copied().collect();
            let holders: BTreeSet<u32> = known(&a).into_iter().collect();
            if holders.len() > counts.0 {
                prop_assert_eq!(used.len(), all.len().min(counts.0));
            } else {
                prop_assert!(holders.iter().all(|id| alone.contains(id)));
            }
        }

        #[test]
        fn maps_of_listed_brokers_get_as_many_as_any_choice_gives_and_keep_them(
            racks in vec(0_u32..3, 4..12),
            lists in vec((1_usize..5, vec(1_u32..12, 1..8)), 2..4),
            held in vec(1_u32..12, 3),
        ) {
            let known = |id: &u32| 1 + id % u32::try_from(racks.len()).unwrap();
            let lists: Vec<(usize, BTreeSet<u32>)> =
                lists.iter().map(|(count, ids)| (*count, ids.iter().map(known).collect())).collect();
            let names = ["a", "b", "c"];
            let line = |(name, (count, ids)): (&&str, &(usize, BTreeSet<u32>))| {
                let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
                format!("{name}: \"{name}\" => {count} of [{}]", ids.join(","))
            };
            let lines: Vec<String> = names.iter().zip(&lists).map(line).collect();
            let on: Vec<Vec<u32>> = held.iter().map(|id| vec![known(id)]).collect();
            let topics = |on: &[Vec<u32>]| -> Snapshot {
                let named: Vec<(&str, &[u32])> =
                    names.iter().zip(on).map(|(name, on)| (*name, on.as_slice())).collect();
                cluster(&racks, &named)
            };
            let resolved = chosen(&lines.join("\n"), &topics(&on));
            let got: Vec<Vec<u32>> = (0..lists.len()).map(|at| ids(&resolved, at)).collect();
            let all: BTreeSet<u32> = got.iter().flatten().copied().collect();
            let total: usize = got.iter().map(Vec::len).sum();
            prop_assert_eq!(all.len(), total);
            // What any set of maps can get at most: its own brokers. The others: what they ask for.
            let most = (0..1_usize << lists.len()).map(|set| {
                let (of_set, others): (Vec<_>, Vec<_>) =
                    lists.iter().enumerate().partition(|(at, _)| set >> at & 1 == 1);
                let own: BTreeSet<u32> = of_set.iter().flat_map(|(_, (_, ids))| ids).copied().collect();
                own.len() + others.iter().map(|(_, (count, _))| count).sum::<usize>()
            });
            prop_assert_eq!(total, most.min().unwrap());
            if got.iter().all(|own| !own.is_empty()) {
                let again = chosen(&lines.join("\n"), &topics(&got));
                let kept: Vec<Vec<u32>> = (0..lists.len()).map(|at| ids(&again, at)).collect();
                prop_assert_eq!(kept, got);
            }
        }
    }
}
