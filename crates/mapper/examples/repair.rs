//! Plans the repair of a cluster. In: a snapshot and maps. Out: a plan that Kafka's own tool accepts, too.
//!
//! `cargo run --example repair fixtures/lost-broker.json maps/production.yaml > plan.json`
#![expect(clippy::disallowed_methods, reason = "a program; the library does no IO")]

use mappr_mapper::maps::{MapFacts, MapSet, resolve};
use mappr_mapper::{PlaceBy, Plan, PlanTerms, Ratio, Rebuild, Snapshot, check, rebuild};
use std::error::Error;

fn repair(snapshot: &[u8], maps: &str) -> Result<Plan, Box<dyn Error>> {
    let snapshot = Snapshot::from_json(snapshot)?;
    let maps = resolve(&MapSet::parse("the maps", maps)?, &MapFacts::of(&snapshot));
    let terms = PlanTerms::new(maps.assignments()?.to_vec(), Ratio::from_percent(10));
    let plan = rebuild(&snapshot, &Rebuild::new(terms, PlaceBy::Storage))?;
    let broken = check(&snapshot, &plan);
    if broken.is_empty() { Ok(plan) } else { Err(format!("{broken:?}").into()) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [snapshot, maps] = &paths[..] else { return Err("usage: repair SNAPSHOT MAPS".into()) };
    let plan = repair(&std::fs::read(snapshot)?, &std::fs::read_to_string(maps)?)?;
    Ok(plan.write_json(&mut std::io::stdout())?)
}

#[cfg(test)]
mod tests {
    use super::repair;
    use mappr_mapper::BrokerId;

    const MAPS: &str = include_str!("../maps/production.yaml");

    #[test]
    fn every_replica_of_the_lost_broker_gets_a_new_place() {
        let plan = repair(include_bytes!("../fixtures/lost-broker.json"), MAPS).unwrap();
        assert_eq!(plan.moves.len(), 69);
        assert!(plan.moves.iter().all(|m| !m.to.contains(&BrokerId(1003))));
    }

    #[test]
    fn without_room_the_answer_is_the_reason() {
        let fixture = include_bytes!("../fixtures/no-space.json");
        let why = repair(fixture, "rest: => all").unwrap_err().to_string();
        assert!(why.contains("rack eu-1c lacks 61.4 GiB"), "{why}");
    }
}
