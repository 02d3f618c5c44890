//! Import cycles between the top-level modules of a crate.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::Crate;

/// The lines of the largest set of modules that all depend on each other, and its crate.
pub(super) fn largest(crates: &[Crate]) -> (usize, String) {
    let mut most = (0, String::new());
    for one in crates {
        let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
        for file in &one.files {
            *lines.entry(&file.module).or_default() += file.lines;
        }
        let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for file in &one.files {
            let named = file.uses.iter().map(String::as_str);
            let others = named.filter(|name| *name != file.module && lines.contains_key(name));
            uses.entry(&file.module).or_default().extend(others);
        }
        for module in lines.keys() {
            let there = reached(module, &uses);
            let cycle: Vec<&str> = there
                .iter()
                .copied()
                .filter(|other| reached(other, &uses).contains(module))
                .collect();
            let size = cycle.iter().map(|module| lines[module]).sum();
            if cycle.len() > 1 && size > most.0 {
                most = (size, format!("{}: {} modules", one.name, cycle.len()));
            }
        }
    }
    most
}

/// Every module that this one depends on, directly or indirectly.
fn reached<'a>(from: &'a str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        for name in uses.get(next).into_iter().flatten() {
            if reached.insert(*name) {
                open.push(name);
            }
        }
    }
    reached
}
