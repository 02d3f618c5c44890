//! Which text goes into which ConfigMap, and which of them is written first.

use super::Items;
use std::collections::BTreeSet;

/// What a text adds: itself, its name, and what stands between it and the next.
fn size(about: &str, text: &str) -> usize {
    about.len() + text.len() + 2
}

/// Deals texts out: each where it was (in the last of those that have it), what is too much for one to a later one with
/// room, and new texts to the first with room. What is too long for any has one of its own.
pub(super) fn dealt(before: &[&Items], now: Items, most: usize) -> Vec<Items> {
    let mut parts = vec![Items::new(); before.len().max(1)];
    let mut new = Vec::new();
    for (about, text) in now {
        match before.iter().rposition(|part| part.contains_key(&about)) {
            Some(at) => drop(parts[at].insert(about, text)),
            None => new.push((0, about, text)),
        }
    }
    let (mut sizes, mut spilt) = (Vec::new(), Vec::new());
    for (at, part) in parts.iter_mut().enumerate() {
        let mut bytes = 0;
        for (about, text) in std::mem::take(part) {
            let more = size(&about, &text);
            // The first stays, whatever its size: a text cannot be divided.
            if part.is_empty() || bytes + more <= most {
                bytes += more;
                part.insert(about, text);
            } else {
                // Only later: those are written before.
                spilt.push((at + 1, about, text));
            }
        }
        sizes.push(bytes);
    }
    for (from, about, text) in spilt.into_iter().chain(new) {
        let more = size(&about, &text);
        let room = (from..parts.len()).find(|at| sizes[*at] == 0 || sizes[*at] + more <= most);
        let at = room.unwrap_or_else(|| {
            parts.push(Items::new());
            sizes.push(0);
            parts.len() - 1
        });
        sizes[at] += more;
        parts[at].insert(about, text);
    }
    parts
}

/// The order of writing: first the new ones, each after the one that leads to it; then those that are there already, the
/// last first: what goes out of one is in a later one by then.
pub(super) fn order(there: usize, all: usize) -> impl Iterator<Item = usize> {
    (there..all).chain((0..there).rev())
}

/// What each says that no later one says, and whether one did.
pub(super) fn without_copies(read: Vec<Items>) -> Vec<(Items, bool)> {
    let mut later = BTreeSet::new();
    let mut parts: Vec<(Items, bool)> = Vec::new();
    for mut items in read.into_iter().rev() {
        let all = items.len();
        items.retain(|about, _| later.insert(about.clone()));
        let has_copies = items.len() < all;
        parts.push((items, has_copies));
    }
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests;
