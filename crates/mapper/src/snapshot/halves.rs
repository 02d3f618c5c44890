//! Reads a snapshot's topics in two halves at once, if there are many.
//!
//! The text is cut between two topics, and a topic where its partitions begin. Both places are guesses. Therefore every
//! part has to be JSON of its own shape up to its last byte, which proves the whole. If one part is not, this module
//! returns `None`, and the caller reads the text in one piece.

use super::partition::PartitionIn;
use super::{Topic, plain};
use crate::both::both;
use serde::de::DeserializeOwned;
use serde_json::Deserializer;

/// The least bytes of a partition in the text. The quotient is an upper estimate of the number of partitions.
const BYTES_A_PARTITION: usize = 64;

/// How the topics begin in files that programs write.
const TOPICS: &[u8] = b"\"topics\":[";
/// How the next topic begins: on a new line, or on the same line.
const NEXT: [&[u8]; 2] = [b",\n{\"name\":", b",{\"name\":"];
/// How the partitions of a topic begin.
const PARTITIONS: &[u8] = b"\"partitions\":[";

/// The text without its topics, and the topics. `None`: the caller has to read the text in one piece.
pub(super) fn read<H: DeserializeOwned>(text: &[u8]) -> Option<(H, Vec<Topic>)> {
    let (head, topics) = head(text, TOPICS)?;
    let topics = topics.trim_ascii_end().strip_suffix(b"}")?;
    let topics = topics.trim_ascii_end().strip_suffix(b"]")?;
    let middle = topics.len() / 2;
    let cut = middle + NEXT.iter().find_map(|next| find(&topics[middle..], next))?;
    let (first, second) = both(
        text.len() / BYTES_A_PARTITION,
        || all_topics(&topics[..cut]),
        || all_topics(&topics[cut + 1..]),
    );
    let mut all = first?;
    all.extend(second?);
    Some((head, all))
}

/// Reads an object as if it ended with this list, and the list were empty. Also returns the text of the list's elements.
fn head<'t, H: DeserializeOwned>(text: &'t [u8], list: &[u8]) -> Option<(H, &'t [u8])> {
    let begin = find(text, list)?;
    // After a backslash, the quote would not begin a key.
    if text[..begin].ends_with(b"\\") {
        return None;
    }
    let (head, elements) = text.split_at(begin + list.len());
    Some((serde_json::from_slice(&[head, b"]}"].concat()).ok()?, elements))
}

/// Topics with a comma between each two, and nothing else.
fn all_topics(mut text: &[u8]) -> Option<Vec<Topic>> {
    let mut all = Vec::new();
    loop {
        let (topic, rest) = topic(text)?;
        all.push(topic);
        let rest = rest.trim_ascii_start();
        match rest.split_first() {
            None => return Some(all),
            Some((b',', rest)) => text = rest,
            Some(_) => return None,
        }
    }
}

/// A topic whose last key is its partitions, at least one, and the text after it.
fn topic(text: &[u8]) -> Option<(Topic, &[u8])> {
    let (mut topic, mut text): (Topic, _) = head(text, PARTITIONS)?;
    loop {
        let (partition, rest) = match plain::partition(text) {
            Some((partition, rest)) => (PartitionIn::from(partition), rest),
            None => value(text)?,
        };
        topic.add(partition).ok()?;
        match rest.trim_ascii_start().split_first()? {
            (b',', rest) => text = rest,
            (b']', rest) => {
                topic.partitions.shrink_to_fit();
                return Some((topic, rest.trim_ascii_start().strip_prefix(b"}")?));
            }
            _ => return None,
        }
    }
}

/// The value at the start of a text, and the text after it.
fn value<T: DeserializeOwned>(text: &[u8]) -> Option<(T, &[u8])> {
    let mut values = Deserializer::from_slice(text).into_iter();
    let value = values.next()?.ok()?;
    Some((value, &text[values.byte_offset()..]))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const A: &str = r#"{"name":"a","partitions":[{"id":0,"replicas":[1,2]}]}"#;
    const B: &str =
        r#"{"name":"b","config":{"x":"]},{\"name\":"},"partitions":[{"id":0,"replicas":[2]}]}"#;

    fn names(text: &str) -> Option<Vec<String>> {
        let (_, topics) = read::<Value>(text.as_bytes())?;
        Some(topics.into_iter().map(|topic| topic.name).collect())
    }

    #[test]
    fn topics_are_read_in_their_order_on_lines_or_on_one() {
        for between in [",", ",\n", " ,\n"] {
            let topics = [A, B, A, B, B].join(between);
            let text = format!("{{\"version\":1,\"topics\":[\n{topics}\n] }}\n");
            assert_eq!(names(&text).unwrap(), ["a", "b", "a", "b", "b"], "{text}");
        }
    }

    #[test]
    fn the_head_is_all_that_stands_before_the_topics() {
        let text = format!(r#"{{"version":1,"brokers":[{{"id":1}}],"topics":[{B},{A},{A}]}}"#);
        let (head, topics) = read::<Value>(text.as_bytes()).unwrap();
        assert_eq!(head, serde_json::json!({"version": 1, "brokers": [{"id": 1}], "topics": []}));
        assert_eq!(topics.len(), 3);
    }

    #[test]
    fn any_other_shape_is_left_to_be_read_in_one_piece() {
        let four = [A; 4].join(",");
        assert!(names(&format!(r#"{{"topics":[{four}]}}"#)).is_some());
        let other = [
            format!(r#"{{"topics":[{four}],"version":1}}"#),
            format!(r#"{{"of":{{"topics":[{four}]}},"topics":[{four}]}}"#),
            format!(r#"{{"of":{{"topics":[{four}]}}}}"#),
            format!(r#"{{"a\"topics":[{four}]}}"#),
            format!(r#"{{"topics":[{four},]}}"#),
            format!(r#"{{"topics":[{four}}}]}}"#),
            format!(r#"{{"topics":[{A},,{four}]}}"#),
            format!(r#"{{"topics":[{A} {four}]}}"#),
            format!(r#"{{"topics":[{four},{{"name":1}}]}}"#),
            format!(r#"{{"topics":[{A}]}}"#),
            format!(r#"[{{"topics":[{four}]}}]"#),
            r#"{"topics":[]}"#.to_owned(),
            String::new(),
        ];
        for text in other {
            assert_eq!(names(&text), None, "{text}");
        }
    }
}
