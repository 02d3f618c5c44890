//! Parts of messages.

use mapper::BrokerId;

pub use mapper::{counted, few};

/// Ids in the given order: `1003, 1001`.
pub fn listed(ids: &[BrokerId]) -> String {
    mapper::joined(ids)
}

/// Sorted ids, with consecutive ones as ranges: `1001..1006, 1010`.
pub fn ranges(ids: &[BrokerId]) -> String {
    let runs = ids.chunk_by(|a, b| a.0 + 1 == b.0);
    let texts: Vec<String> = runs
        .map(|run| match run {
            [first, _, .., last] => format!("{first}..{last}"),
            few => listed(few),
        })
        .collect();
    if texts.is_empty() { "no broker".to_owned() } else { texts.join(", ") }
}

/// A time in words: `90 s`, `3 min`, `5 h`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

/// The Kafka command that ends a cordon of brokers (KIP-1066).
pub fn uncordon(brokers: &[BrokerId]) -> String {
    let name = match brokers {
        [one] => one.to_string(),
        _ => "ID".to_owned(),
    };
    format!(
        "kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type brokers \
         --entity-name {name} --delete-config cordoned.log.dirs"
    )
}

/// As a shell reads it back.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_shown_as_ranges() {
        let some: Vec<BrokerId> = [1, 2, 3, 7, 9, 10].map(BrokerId).into();
        assert_eq!(ranges(&some), "1..3, 7, 9, 10");
        assert_eq!(ranges(&[]), "no broker");
    }
}
