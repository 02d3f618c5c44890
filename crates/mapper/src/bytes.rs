//! Sizes and shares, with their units in the type.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::iter::Sum;

/// A number of bytes.
///
/// Displayed in binary units (1 GiB = 2^30 bytes), as is usual for disks of brokers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Whether there are none, for serde.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(crate) fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// These bytes `count` times. Ends at the largest number: a plan file may state any size.
    #[must_use]
    pub fn times(self, count: usize) -> Self {
        Self(self.0.saturating_mul(u64::try_from(count).unwrap_or(u64::MAX)))
    }

    /// Both together. Ends at the largest number, as [`Self::times`].
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self(0), Self::plus)
    }
}

const UNITS: [(&str, u64); 4] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, unit)| self.0 >= *unit) {
            None => f.pad(&format!("{} B", self.0)),
            Some((name, unit)) => {
                let tenths = u128::from(self.0) * 10 / u128::from(*unit);
                f.pad(&format!("{}.{} {name}", tenths / 10, tenths % 10))
            }
        }
    }
}

/// A rate, in bytes per second: the unit of Kafka's throttle configs.
///
/// Displayed in MB/s (1 MB = 10^6 bytes), as is usual for links and throttles.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Rate(pub u64);

impl Rate {
    /// The nearest rate to `megabytes` (10^6 bytes) per second; `None` if it is negative, not finite or beyond 10^18
    /// bytes per second.
    pub fn from_megabytes(megabytes: f64) -> Option<Self> {
        Self::from_f64(megabytes * 1e6)
    }

    /// The nearest rate to `bytes_per_second`, with the same bounds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked just before"
    )]
    pub fn from_f64(bytes_per_second: f64) -> Option<Self> {
        (0.0..=1e18).contains(&bytes_per_second).then(|| Self(bytes_per_second.round() as u64))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = self.0 / 10_000 + u64::from(self.0 % 10_000 >= 5_000);
        f.pad(&format!("{}.{:02} MB/s", hundredths / 100, hundredths % 100))
    }
}

/// A share of a whole, in parts per million: exact, ordered and the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ratio(u32);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole.
    pub const ONE: Self = Self(1_000_000);

    /// `parts` of a million.
    pub const fn from_ppm(parts: u32) -> Self {
        Self(parts)
    }

    /// `percent` of a hundred.
    pub const fn from_percent(percent: u32) -> Self {
        Self(percent * 10_000)
    }

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// This share of `whole`, rounded down.
    pub fn of(self, whole: Bytes) -> Bytes {
        let part = u128::from(whole.0) * u128::from(self.0) / 1_000_000;
        Bytes(u64::try_from(part).unwrap_or(u64::MAX))
    }

    /// The nearest ratio to `value`; `None` if it is negative, not finite or above 4,294.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked just before"
    )]
    pub fn from_f64(value: f64) -> Option<Self> {
        let parts = (value * 1e6).round();
        (parts >= 0.0 && parts <= f64::from(u32::MAX)).then_some(Self(parts as u32))
    }

    /// For display and for JSON.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Self::from_f64(value)
            .ok_or_else(|| serde::de::Error::custom(format!("{value} is no ratio")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_binary_units() {
        assert_eq!(Bytes(1023).to_string(), "1023 B");
        assert_eq!(Bytes(3 << 29).to_string(), "1.5 GiB");
    }

    #[test]
    fn sums_of_any_bytes_end_at_the_largest_number() {
        let most = Bytes(u64::MAX);
        assert_eq!([most, Bytes(1)].into_iter().sum::<Bytes>(), most);
        assert_eq!((most.times(2), most.times(0), Bytes(3).times(2)), (most, Bytes(0), Bytes(6)));
    }

    #[test]
    fn rates_are_shown_in_decimal_units_and_what_is_no_rate_is_refused() {
        assert_eq!(Rate(12_345_678).to_string(), "12.35 MB/s");
        assert_eq!(Rate(u64::MAX).to_string(), "18446744073709.55 MB/s");
        assert_eq!(Rate::from_megabytes(1.5), Some(Rate(1_500_000)));
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e19] {
            assert_eq!(Rate::from_f64(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_share_of_the_largest_number_does_not_overflow() {
        assert_eq!(Ratio::ONE.of(Bytes(u64::MAX)), Bytes(u64::MAX));
        assert_eq!(Ratio::from_percent(10).of(Bytes(205)), Bytes(20));
    }
}
