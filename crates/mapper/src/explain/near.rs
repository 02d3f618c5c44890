//! Similar names, for a name that is probably misspelled.

/// How many names are suggested. More would hide the right one.
const OFFERED: usize = 3;

/// The names most similar to `asked`: at most a third of the letters differ, or one name contains the other.
pub(super) fn names<'n>(asked: &str, known: impl Iterator<Item = &'n str>) -> Vec<String> {
    let lower = asked.to_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .filter_map(|name| {
            let other = name.to_lowercase();
            let away = distance(&lower, &other);
            let holds = !lower.is_empty() && (other.contains(&lower) || lower.contains(&other));
            (holds || away * 3 <= lower.chars().count()).then_some((away, name))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(OFFERED).map(|(_, name)| name.to_owned()).collect()
}

/// The number of letters to add, remove or change (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let changed = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_near_and_another_word_is_not() {
        assert_eq!(distance("kitten", "sitting"), 3);
        let known = ["events.raw", "events.orders", "cache"];
        assert_eq!(names("event.raw", known.into_iter()), ["events.raw"]);
        assert_eq!(names("raw", known.into_iter()), ["events.raw"]);
        assert!(names("zzz", known.into_iter()).is_empty());
    }
}
