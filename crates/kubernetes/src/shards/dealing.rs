//! Distributes texts over ConfigMaps, and decides which ConfigMap to write first.

use super::Items;
use std::collections::BTreeSet;

/// The bytes that a text adds: itself, its key, and the separator.
fn size(about: &str, text: &str) -> usize {
    about.len() + text.len() + 2
}

/// Distributes the texts. Each stays where it was (in the last ConfigMap that has it). If that is too full, the text
/// moves to a later one with room. New texts go to the first one with room. A text that is too long for any gets its
/// own.
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
            // The first text always stays, whatever its size, because a text cannot be divided.
            if part.is_empty() || bytes + more <= most {
                bytes += more;
                part.insert(about, text);
            } else {
                // Only a later ConfigMap, because later ones are written first.
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

/// The order of writing. New ConfigMaps come first, each after its predecessor. Existing ones follow, the last one
/// first: when a text leaves one, a later one already contains it.
pub(super) fn order(there: usize, all: usize) -> impl Iterator<Item = usize> {
    (there..all).chain((0..there).rev())
}

/// The texts that no later ConfigMap contains, and whether any were removed.
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
