//! Parses values with units into exact numbers.

use bytesize::ByteSize;
use jiff::SignedDuration;
use mapper::{Bytes, Rate, Ratio};
use std::time::Duration;

/// A size: `500GB` (1 GB = 10^9 bytes), `2TiB` (1 TiB = 2^40 bytes). A bare number is bytes.
///
/// # Errors
/// A sentence, for any other text.
pub fn size(text: &str) -> Result<Bytes, String> {
    text.trim()
        .parse::<ByteSize>()
        .map(|size| Bytes(size.as_u64()))
        .map_err(|_| format!("{:?} is no size: write 500GB or 2TiB", text.trim()))
}

/// A duration: `30s`, `10m`.
///
/// # Errors
/// A sentence, for any other text.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed =
        text.trim().parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    parsed.ok_or_else(|| format!("{:?} is no duration: write 30s or 10m", text.trim()))
}

/// A duration above 0: `90s`, `2m`. A bare number is seconds, as in earlier versions.
///
/// # Errors
/// A sentence, for any other text.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let span = match text.trim().parse::<u32>() {
        Ok(seconds) => Duration::from_secs(u64::from(seconds)),
        Err(_) => duration(text)?,
    };
    if span.is_zero() { Err("write a time above 0: 30s".to_owned()) } else { Ok(span) }
}

/// A rate above 0, in bytes per second: `10MB/s` (10^6 bytes), `10MiB/s` (2^20 bytes). `/s` may be left out.
///
/// A bare number is refused: older autothrottle flags read it as MB/s, and Kafka's tools read it as bytes.
///
/// # Errors
/// A sentence, for any other text.
pub fn rate(text: &str) -> Result<Rate, String> {
    let text = text.trim();
    let number = text.strip_suffix("/s").unwrap_or(text);
    if number.trim().parse::<f64>().is_ok_and(|number| number > 0.0) {
        return Err("a rate needs its unit: 50MB/s is 50,000,000 bytes a second".to_owned());
    }
    match size(number).map(|bytes| bytes.0) {
        Ok(rate @ 1..) => Ok(Rate(rate)),
        Ok(0) | Err(_) => Err("write a rate above 0: 10MB/s".to_owned()),
    }
}

/// A ratio below 1: `10%` or `0.1`.
///
/// # Errors
/// A sentence, for any other text.
pub fn percent(text: &str) -> Result<Ratio, String> {
    let text = text.trim();
    let (number, whole) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 100.0),
        None => (text, 1.0),
    };
    let ratio = number.parse::<f64>().ok().and_then(|value| Ratio::from_f64(value / whole));
    match ratio {
        Some(ratio) if ratio < Ratio::ONE => Ok(ratio),
        _ => Err("write a share below the whole: 10% or 0.1".to_owned()),
    }
}

/// A ratio from 0 to below 1: `0.005` or `20%`.
///
/// # Errors
/// A sentence, for any other text.
pub fn share(text: &str) -> Result<Ratio, String> {
    percent(text).map_err(|_| "write a ratio from 0 to below 1: 0.005 or 0.5%".to_owned())
}

/// A price: `0.01`, to a millionth.
///
/// # Errors
/// A sentence, for any other text.
pub fn price(text: &str) -> Result<Ratio, String> {
    let value = text.trim().parse::<f64>().ok();
    let price = value.and_then(Ratio::from_f64).filter(|price| *price > Ratio::ZERO);
    price.ok_or_else(|| "write a price above 0 and below 4294: 0.01".to_owned())
}

/// A number of MiB (2^20 bytes), as in earlier versions.
///
/// # Errors
/// A sentence, for any other text.
pub fn mebibytes(text: &str) -> Result<Bytes, String> {
    units_of(text, 20)
}

/// A number of GiB (2^30 bytes), as in earlier versions.
///
/// # Errors
/// A sentence, for any other text.
pub fn gibibytes(text: &str) -> Result<Bytes, String> {
    units_of(text, 30)
}

fn units_of(text: &str, power: u32) -> Result<Bytes, String> {
    let count = text.trim().parse::<u64>().ok();
    let bytes = count.and_then(|count| count.checked_mul(1 << power)).map(Bytes);
    bytes.ok_or_else(|| "write a whole number".to_owned())
}

/// A factor above 0: `1.2`.
///
/// # Errors
/// A sentence, for any other text.
pub fn size_factor(text: &str) -> Result<Ratio, String> {
    let factor = text.trim().parse::<f64>().ok().and_then(Ratio::from_f64);
    factor
        .filter(|factor| *factor > Ratio::ZERO)
        .ok_or_else(|| "write a factor above 0 and below 4294: 1.2".to_owned())
}

/// An age: `90s`, `2h`. A bare number is minutes, as in earlier versions.
///
/// # Errors
/// A sentence, for any other text.
pub fn minutes(text: &str) -> Result<SignedDuration, String> {
    let age = match text.trim().parse::<u32>() {
        Ok(minutes) => SignedDuration::from_mins(i64::from(minutes)),
        Err(_) => text
            .trim()
            .parse()
            .map_err(|_| "write a duration: 90s, 2h; a bare number is minutes".to_owned())?,
    };
    if age.is_negative() {
        return Err("an age is not negative".to_owned());
    }
    Ok(age)
}

/// An age: `7d`, `12h`, `90s`. A day is 24 hours.
///
/// # Errors
/// A sentence, for any other text.
pub fn days(text: &str) -> Result<SignedDuration, String> {
    let text = text.trim();
    let of_days = text.strip_suffix('d').and_then(|days| days.trim().parse::<u32>().ok());
    let time = match of_days {
        Some(days) => SignedDuration::from_hours(i64::from(days) * 24),
        None => text.parse().map_err(|_| "write a time with its unit: 7d, 12h, 90s".to_owned())?,
    };
    if time.is_negative() { Err("a time is not negative".to_owned()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_and_binary_sizes_differ() {
        assert_eq!(size("500GB"), Ok(Bytes(500_000_000_000)));
        assert_eq!(size(" 2TiB"), Ok(Bytes(2 << 40)));
        assert!(size("big").is_err());
    }

    #[test]
    fn a_rate_is_a_size_in_a_second() {
        assert_eq!(rate("10MB/s"), Ok(Rate(10_000_000)));
        assert_eq!(rate("1MiB"), Ok(Rate(1 << 20)));
        assert_eq!(rate("500B"), Ok(Rate(500)));
        assert!(rate("0").is_err(), "that would stop everything");
        for bare in ["50", "50/s", " 50 ", "0.5", "50000000"] {
            assert!(rate(bare).unwrap_err().contains("50MB/s"), "{bare}");
        }
        assert!(rate("fast").is_err());
    }

    #[test]
    fn a_share_is_a_percentage_or_a_ratio() {
        assert_eq!(percent("10%"), Ok(Ratio::from_percent(10)));
        assert_eq!(percent("0.1"), Ok(Ratio::from_percent(10)));
        assert!(percent("10").is_err(), "10 times the storage is a slip");
        assert!(percent("100%").is_err());
        assert!(percent("-1%").is_err());
    }

    #[test]
    fn a_price_is_a_number_above_0() {
        assert_eq!(price("0.01"), Ok(Ratio::from_percent(1)));
        assert_eq!(price("2"), Ok(Ratio::from_percent(200)));
        assert!(
            ["0", "-1", "1e-9", "cheap", "nan", "99999"].iter().all(|text| price(text).is_err())
        );
    }

    #[test]
    fn a_day_has_24_hours() {
        assert_eq!(days("7d"), Ok(SignedDuration::from_hours(168)));
        assert_eq!(days("90s"), Ok(SignedDuration::from_secs(90)));
        assert!(days("7").is_err() && days("-1h").is_err());
    }

    #[test]
    fn a_bare_age_is_in_minutes() {
        assert_eq!(minutes("60"), Ok(SignedDuration::from_hours(1)));
        assert_eq!(minutes("90s"), Ok(SignedDuration::from_secs(90)));
        assert!(minutes("soon").is_err());
    }
}
