//! A large snapshot's topics, read in two halves at once.
//!
//! The text is cut between two topics, at a place that is only a guess: every part has to be JSON of its own shape, up to
//! its last byte, and then so is the whole. Where one is not, there is no answer here, and the text is read in one piece.

use super::Topic;
use crate::both::{MANY, both};
use serde::de::DeserializeOwned;
use serde_json::Deserializer;

/// The least that a partition takes in a text.
const BYTES_A_PARTITION: usize = 64;

/// How the topics begin, in what programs write.
const TOPICS: &[u8] = b"\"topics\":[";
/// How a topic begins after another: one on each line, or all on one.
const NEXT: [&[u8]; 2] = [b",\n{\"name\":", b",{\"name\":"];

/// The text read with no topics in it, and the topics; `None`: it is to be read in one piece.
pub(super) fn read<H: DeserializeOwned>(text: &[u8]) -> Option<(H, Vec<Topic>)> {
    if text.len() / BYTES_A_PARTITION < MANY { None } else { read_large(text) }
}

fn read_large<H: DeserializeOwned>(text: &[u8]) -> Option<(H, Vec<Topic>)> {
    let begin = find(text, TOPICS)?;
    let (head, topics) = (&text[..begin], &text[begin + TOPICS.len()..]);
    // After a backslash, the quote would not begin a key.
    if head.ends_with(b"\\") {
        return None;
    }
    let head = serde_json::from_slice(&[head, TOPICS, b"]}"].concat()).ok()?;
    let topics = topics.trim_ascii_end().strip_suffix(b"}")?;
    let topics = topics.trim_ascii_end().strip_suffix(b"]")?;
    let middle = topics.len() / 2;
    let cut = middle + NEXT.iter().find_map(|next| find(&topics[middle..], next))?;
    let (first, second) = both(MANY, || elements(&topics[..cut]), || elements(&topics[cut + 1..]));
    let mut all = first?;
    all.extend(second?);
    Some((head, all))
}

/// Elements with a comma between each two, and nothing else.
fn elements(mut text: &[u8]) -> Option<Vec<Topic>> {
    let mut all = Vec::new();
    loop {
        let mut values = Deserializer::from_slice(text).into_iter();
        all.push(values.next()?.ok()?);
        text = text[values.byte_offset()..].trim_ascii_start();
        match text.split_first() {
            None => return Some(all),
            Some((b',', rest)) => text = rest,
            Some(_) => return None,
        }
    }
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
        let (_, topics) = read_large::<Value>(text.as_bytes())?;
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
        let (head, topics) = read_large::<Value>(text.as_bytes()).unwrap();
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
