use super::*;
use proptest::collection::btree_map;
use proptest::prelude::*;

const MOST: usize = 100;

fn texts(numbers: std::ops::Range<usize>) -> Items {
    numbers.map(|n| (format!("held {n:04}"), "x".repeat(89))).collect()
}

fn all(parts: &[Items]) -> Items {
    parts.iter().flatten().map(|(about, text)| (about.clone(), text.clone())).collect()
}

fn refs(parts: &[Items]) -> Vec<&Items> {
    parts.iter().collect()
}

#[test]
fn what_is_too_much_for_one_goes_to_new_ones_and_then_stays_where_it_is() {
    let first = dealt(&[], texts(0..100), 2_500);
    assert_eq!((first.len(), all(&first)), (4, texts(0..100)));
    assert_eq!(dealt(&refs(&first), texts(0..100), 2_500), first);
    let fewer = dealt(&refs(&first), texts(90..100), 2_500);
    assert_eq!((fewer.len(), all(&fewer)), (4, texts(90..100)));
    assert!(fewer[0].is_empty());
}

#[test]
fn what_is_new_fills_what_others_have_left() {
    let mut parts = dealt(&[], texts(0..100), 2_500);
    // An endless log that drops old lines.
    for from in 0..1_000 {
        parts = dealt(&refs(&parts), texts(from..from + 100), 2_500);
        assert_eq!(all(&parts), texts(from..from + 100));
    }
    assert_eq!(parts.len(), 4, "no more of them than its texts need");
}

#[test]
fn a_text_that_is_longer_than_that_has_one_of_its_own() {
    let long: Items = [("a", 9_000), ("b", 10), ("c", 9_000)]
        .map(|(about, bytes)| (about.to_owned(), "x".repeat(bytes)))
        .into();
    let parts = dealt(&[], long.clone(), 1_000);
    assert_eq!(all(&parts), long);
    assert!(parts.iter().all(|part| part.len() == 1), "{parts:?}");
}

#[test]
fn nothing_is_kept_in_one_that_is_there() {
    assert_eq!(dealt(&[], Items::new(), MOST), [Items::new()]);
    assert_eq!(dealt(&[&texts(0..1)], Items::new(), MOST), [Items::new()]);
}

#[test]
fn a_text_that_a_killed_writer_left_in_two_counts_as_the_later_one_says() {
    let (old, new) = (texts(0..3), texts(2..5));
    let read = without_copies(vec![old, new]);
    assert_eq!(read, [(texts(0..2), true), (texts(2..5), false)]);
}

fn some_texts() -> impl Strategy<Value = Items> {
    let about = (0..12_u32).prop_map(|n| format!("{n:02}"));
    btree_map(about, (0..130_usize).prop_map(|bytes| "x".repeat(bytes)), 0..12)
}

/// The ConfigMaps after each write. The last entry is complete.
fn written(before: &[Items], now: &Items) -> Vec<Vec<Items>> {
    let parts = dealt(&refs(before), now.clone(), MOST);
    let mut there = before.to_vec();
    let mut states = vec![there.clone()];
    for at in order(before.len(), parts.len()) {
        match there.get_mut(at) {
            Some(part) => *part = parts[at].clone(),
            None => {
                assert_eq!(at, there.len(), "one that nothing leads to is not found");
                there.push(parts[at].clone());
            }
        }
        states.push(there.clone());
    }
    states
}

fn read_back(there: &[Items]) -> Items {
    let parts = without_copies(there.to_vec()).into_iter().map(|(items, _)| items);
    let parts: Vec<Items> = parts.collect();
    let texts = all(&parts);
    assert_eq!(texts.len(), parts.iter().map(Items::len).sum::<usize>(), "each counts once");
    texts
}

proptest! {
    #[test]
    fn a_writer_that_is_killed_at_any_write_loses_no_text(
        history in proptest::collection::vec((some_texts(), any::<u8>()), 1..8),
    ) {
        let (mut there, mut said) = (Vec::new(), Items::new());
        for (now, killed_after) in history {
            let states = written(&there, &now);
            for state in &states {
                for (about, text) in read_back(state) {
                    let known = [said.get(&about), now.get(&about)];
                    prop_assert!(known.contains(&Some(&text)), "{about} is what nobody wrote");
                }
                let kept = said.keys().filter(|about| now.contains_key(*about));
                for about in kept {
                    prop_assert!(read_back(state).contains_key(about), "{about} is lost");
                }
            }
            let whole = &states[states.len() - 1];
            prop_assert_eq!(&read_back(whole), &now);
            for part in whole {
                let bytes: usize = part.iter().map(|(about, text)| size(about, text)).sum();
                prop_assert!(bytes <= MOST || part.len() == 1, "{bytes} bytes in one");
            }
            // The next writer finds the result of the killed one, and first removes the duplicates.
            let killed = &states[usize::from(killed_after) % states.len()];
            said = read_back(killed);
            there = without_copies(killed.clone()).into_iter().map(|(items, _)| items).collect();
        }
    }
}
