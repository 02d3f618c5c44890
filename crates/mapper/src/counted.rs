//! Numbers of things, and lists of them, in sentences.

use std::fmt::Display;

/// `3 partitions`, `1 partition`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    format!("{count} {what}{}", plural(count, "", "s"))
}

/// The form of a word after a number: `is` for one, `are` for all others.
pub fn plural<'a, N: Copy + PartialEq + From<u8>>(
    count: N,
    one: &'a str,
    others: &'a str,
) -> &'a str {
    if count == N::from(1) { one } else { others }
}

/// `1003, 1001`.
pub fn joined<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    texts.join(", ")
}

/// The first `most`, and the number of the rest: `1001, 1002 and 7 more`.
pub fn few<T: Display>(all: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut all = all.into_iter();
    let first = joined(all.by_ref().take(most));
    match all.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!(counted(0_usize, "move") + plural(0_usize, " is", " are"), "0 moves are");
        assert_eq!(counted(1_u64, "move") + plural(1_u64, " is", " are"), "1 move is");
        assert_eq!(counted(2_u32, "move"), "2 moves");
    }
}
