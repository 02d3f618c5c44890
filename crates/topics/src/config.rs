//! Topic configs: when two values are the same, and which keys a definition cannot have.

use mapper::ThrottleKey;

/// Whether a tool sets this config while it carries out a reassignment.
pub(crate) fn is_throttle(key: &str) -> bool {
    ThrottleKey::OF_TOPICS.iter().any(|own| own.as_str() == key)
}

/// How many replicas must have a write before Kafka acknowledges it with `acks=all`.
pub(crate) const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// Whether Kafka treats both values as the same: it answers `0.5` where `0.50` was set, and lists without blanks.
///
/// ```
/// use mappr_topics::same_value;
///
/// assert!(same_value("0.50", "0.5") && same_value("compact, delete", "compact,delete"));
/// assert!(!same_value("1", "10"));
/// ```
pub fn same_value(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    one == other || both(one, other, whole) || both(one, other, fraction) || same_words(one, other)
}

fn both<T: PartialEq>(one: &str, other: &str, read: impl Fn(&str) -> Option<T>) -> bool {
    let (one, other) = (read(one), read(other));
    one.is_some() && one == other
}

fn whole(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Used only if one of the values has a fraction: large whole numbers are compared digit by digit.
fn fraction(text: &str) -> Option<u64> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    if !text.chars().all(plain) || whole(text).is_some_and(|n| n.unsigned_abs() > 1 << 52) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    // Equal numbers have equal bits, except for the two zeros.
    number.is_finite().then_some(if number == 0.0 { 0 } else { number.to_bits() })
}

/// Compares booleans without regard to case, and lists without regard to blanks.
fn same_words(one: &str, other: &str) -> bool {
    let boolean = |text: &str| {
        let known = ["true", "false"];
        known.into_iter().find(|word| text.eq_ignore_ascii_case(word))
    };
    both(one, other, boolean)
        || (one.contains(',') && one.split(',').map(str::trim).eq(other.split(',').map(str::trim)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kafka_takes_for_the_same_is_the_same() {
        for (one, other) in [
            ("604800000", " 604800000"),
            ("0.50", "0.5"),
            ("1", "1.0"),
            ("-1", "-1"),
            ("True", "true"),
            ("compact, delete", "compact,delete"),
            ("", ""),
        ] {
            assert!(same_value(one, other) && same_value(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("1", "10"),
            ("", "delete"),
            ("compact", "compact,delete"),
            ("9223372036854775807", "9223372036854775806"),
            ("nan", "NaN"),
            ("true", "1"),
        ] {
            assert!(!same_value(one, other) && !same_value(other, one), "{one} {other}");
        }
    }
}
