//! Definitions within their maps: the brokers and the replication factor of each topic.

use crate::config::MIN_INSYNC_REPLICAS;
use crate::error::{DefinitionError, DefinitionErrors};
use crate::mistake::DefinitionMistake;
use crate::{Allowance, Definition, Definitions, Written, same_value};
use mapper::maps::{MapName, MapSet, Resolved, ResolvedMap};
use mapper::snapshot::Snapshot;

/// A definition with its map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped<'a> {
    /// The definition.
    pub definition: &'a Definition,
    /// Its map.
    pub map: &'a ResolvedMap,
    /// The replication factor: from the topic, else from its map, else from its document's defaults.
    pub replication: u32,
}

/// Finds each topic's map, in order of the topics' names.
///
/// # Errors
/// Every topic in no map or in two, and every factor that contradicts its map. Also every `min.insync.replicas` that
/// would stop writes: above the replication factor, or newly equal to it.
pub fn within<'a>(
    definitions: &'a Definitions,
    maps: &MapSet,
    resolved: &'a Resolved,
    snapshot: &Snapshot,
) -> Result<Vec<Mapped<'a>>, DefinitionErrors> {
    let (mut mapped, mut errors) = (Vec::new(), Vec::new());
    for definition in definitions.topics() {
        let one = one(definition, maps, resolved);
        let sound = one.and_then(|one| min_isr_leaves_room(&one, snapshot).map(|()| one));
        match sound {
            Ok(one) => mapped.push(one),
            Err(error) => errors.push(*error),
        }
    }
    errors.sort_by(|a, b| a.place.cmp(&b.place));
    if errors.is_empty() { Ok(mapped) } else { Err(DefinitionErrors(errors)) }
}

type Blamed<T> = Result<T, Box<DefinitionError>>;

fn blame<T, W>(
    topic: &Definition,
    written: Option<&Written<W>>,
    key: &str,
    mistake: DefinitionMistake,
) -> Blamed<T> {
    let place = written.map_or(&topic.place, |written| &written.place);
    Err(Box::new(DefinitionError::of(topic, place, key, mistake)))
}

fn one<'a>(
    definition: &'a Definition,
    maps: &MapSet,
    resolved: &'a Resolved,
) -> Blamed<Mapped<'a>> {
    let map = map_of(definition, resolved)?;
    let replication = replication(definition, maps, &map.name)?;
    Ok(Mapped { definition, map, replication })
}

fn map_of<'a>(definition: &Definition, resolved: &'a Resolved) -> Blamed<&'a ResolvedMap> {
    let name = &definition.name;
    let takes = |map: &&ResolvedMap| map.topics.as_ref().is_some_and(|t| t.contains(name));
    let takers: Vec<&ResolvedMap> = resolved.maps.iter().filter(takes).collect();
    let names = |maps: &[&ResolvedMap]| maps.iter().map(|map| map.name.clone()).collect();
    let all: Vec<&ResolvedMap> = resolved.maps.iter().collect();
    let said = definition.map.as_ref();
    let named = |said: &Written<MapName>| all.iter().find(|map| map.name == said.value).copied();
    match (said, takers.as_slice()) {
        (Some(said), _) if named(said).is_none() => {
            let mistake =
                DefinitionMistake::UnknownMap { name: said.value.to_string(), known: names(&all) };
            blame(definition, Some(said), "map", mistake)
        }
        (_, [_, _, ..]) => {
            blame(definition, said, "map", DefinitionMistake::ManyMaps { maps: names(&takers) })
        }
        (Some(said), [taker]) if taker.name != said.value => {
            let (named, taker) = (said.value.clone(), taker.name.clone());
            blame(definition, Some(said), "map", DefinitionMistake::OtherMap { named, taker })
        }
        (_, [taker]) => Ok(taker),
        // The regex of its map does not match it: no plan will move it off the map that it names.
        (Some(said), []) => named(said).map_or_else(
            || {
                blame(
                    definition,
                    Some(said),
                    "map",
                    DefinitionMistake::NoMap { known: names(&all) },
                )
            },
            Ok,
        ),
        (None, []) => {
            blame(definition, said, "map", DefinitionMistake::NoMap { known: names(&all) })
        }
    }
}

fn replication(definition: &Definition, maps: &MapSet, map: &MapName) -> Blamed<u32> {
    let map = maps.get(map.as_str());
    let of_map = map.and_then(|map| map.replication.map(|factor| (factor, map)));
    match (&definition.replication, of_map) {
        (Some(own), Some((of_map, map))) if own.own && own.value != of_map => {
            let mistake = DefinitionMistake::ReplicationOfMap {
                own: own.value,
                of_map,
                map: map.name.clone(),
                place: map.place.clone(),
            };
            blame(definition, Some(own), "replication", mistake)
        }
        (_, Some((of_map, _))) => Ok(of_map),
        (Some(written), None) => Ok(written.value),
        (None, None) => {
            let mistake = DefinitionMistake::Missing { by_default: true };
            blame(definition, None::<&Written<u32>>, "replication", mistake)
        }
    }
}

fn min_isr_leaves_room(topic: &Mapped<'_>, snapshot: &Snapshot) -> Blamed<()> {
    let definition = topic.definition;
    let Some(written) = definition.config.get(MIN_INSYNC_REPLICAS) else { return Ok(()) };
    let wrong = |mistake| {
        let key = format!("config.{MIN_INSYNC_REPLICAS}");
        blame(definition, Some(written), &key, mistake)
    };
    let replication = topic.replication;
    match written.value.trim().parse::<u32>() {
        Err(_) | Ok(0) => {
            wrong(DefinitionMistake::Number { most: 32_767, found: written.value.clone() })
        }
        Ok(min) if min > replication => wrong(DefinitionMistake::MinIsrAbove { min, replication }),
        Ok(min) if min == replication && replication > 1 => {
            let allowed = definition.allow.contains(&Allowance::MinIsr);
            if allowed || is_so_already(topic, written, snapshot) {
                Ok(())
            } else {
                wrong(DefinitionMistake::MinIsrEqual { min })
            }
        }
        Ok(_) => Ok(()),
    }
}

/// The cluster already has this setting: an error would block all other definitions.
fn is_so_already(topic: &Mapped<'_>, min: &Written<String>, snapshot: &Snapshot) -> bool {
    let Some(now) = snapshot.topic(&topic.definition.name) else { return false };
    let factor = |replicas: usize| u32::try_from(replicas) == Ok(topic.replication);
    let set = now.config.get(MIN_INSYNC_REPLICAS);
    set.is_some_and(|set| same_value(set, &min.value))
        && now.partitions.iter().all(|partition| factor(partition.replicas.len()))
}
