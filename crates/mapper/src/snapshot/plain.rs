//! Reads a partition in the form that our programs write: known order of keys, no blanks. The reader then needs no
//! look-ahead, which matters because a snapshot has a million partitions.

use super::Partition;
use crate::bytes::Bytes;
use crate::ids::{BrokerId, PartitionId, Replicas};

/// The partition at the start of a text, and the text after it; `None` if it has another form or more keys.
pub(super) fn partition(text: &[u8]) -> Option<(Partition, &[u8])> {
    let (id, text) = narrow(text.strip_prefix(b"{\"id\":")?)?;
    let (replicas, text) = brokers(text.strip_prefix(b",\"replicas\":[")?)?;
    let (size, text) = match text.strip_prefix(b",\"size_bytes\":") {
        Some(text) => number(text).map(|(size, text)| (Some(Bytes(size)), text))?,
        None => (None, text),
    };
    let text = text.strip_prefix(b"}")?;
    Some((Partition { id: PartitionId::read(id)?, replicas, size, facts: None }, text))
}

/// At least one broker, and the end of the list.
fn brokers(mut text: &[u8]) -> Option<(Replicas, &[u8])> {
    let mut brokers = Replicas::new();
    loop {
        let (id, rest) = narrow(text)?;
        brokers.push(BrokerId(id));
        match rest.split_first()? {
            (b',', rest) => text = rest,
            (b']', rest) => return Some((brokers, rest)),
            _ => return None,
        }
    }
}

fn narrow(text: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = number(text)?;
    Some((number.try_into().ok()?, rest))
}

/// Digits. A decimal point or an exponent is left in the text, where the caller does not expect it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut number, mut digits) = (0_u64, 0);
    for byte in text.iter().take(MOST_DIGITS + 1) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        digits += 1;
    }
    // A JSON number has no leading zeros.
    let ends = digits == 1 || (digits > 1 && digits <= MOST_DIGITS && text[0] != b'0');
    ends.then(|| (number, &text[digits..]))
}

/// Any number with this many digits fits into 64 bits. A longer one is left to the general reader.
const MOST_DIGITS: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::partition::PartitionIn;

    #[test]
    fn what_is_read_is_what_serde_reads() {
        for text in [
            r#"{"id":0,"replicas":[1]}"#,
            r#"{"id":2147483647,"replicas":[1,0,7,1003,2147483647],"size_bytes":0}"#,
            r#"{"id":12,"replicas":[1,2],"size_bytes":9999999999999999999}"#,
        ] {
            let by_serde: PartitionIn = serde_json::from_str(text).unwrap();
            let behind = format!("{text},more");
            assert_eq!(partition(behind.as_bytes()), Some((by_serde.partition, &b",more"[..])));
        }
    }

    #[test]
    fn any_other_shape_is_left_to_serde() {
        for text in [
            r#"{"id": 0,"replicas":[1]}"#,
            r#"{"id":0,"replicas":[]}"#,
            r#"{"id":0,"replicas":[1,]}"#,
            r#"{"id":0,"replicas":[1 ,2]}"#,
            r#"{"id":0,"replicas":[01]}"#,
            r#"{"id":0,"replicas":[-1]}"#,
            r#"{"id":00,"replicas":[1]}"#,
            r#"{"id":,"replicas":[1]}"#,
            r#"{"id":2147483648,"replicas":[1]}"#,
            r#"{"id":4294967296,"replicas":[1]}"#,
            r#"{"replicas":[1],"id":0}"#,
            r#"{"id":0,"replicas":[1],"size_bytes":1.5}"#,
            r#"{"id":0,"replicas":[1],"size_bytes":1e3}"#,
            r#"{"id":0,"replicas":[1],"size_bytes":null}"#,
            r#"{"id":0,"replicas":[1],"size_bytes":18446744073709551615}"#,
            r#"{"id":0,"replicas":[1],"size_bytes":99999999999999999999}"#,
            r#"{"id":0,"replicas":[1],"size_bytes":1,"leader":1}"#,
            r#"{"id":0,"replicas":[1"#,
            "",
        ] {
            assert_eq!(partition(text.as_bytes()), None, "{text}");
        }
    }
}
