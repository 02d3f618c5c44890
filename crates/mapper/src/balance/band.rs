//! The range of load that a broker should end in: its share, plus and minus the tolerance.

use crate::bytes::{Bytes, Ratio};

/// The range that a broker's used storage should end in, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) low: u64,
    pub(super) share: u64,
    pub(super) high: u64,
}

impl Band {
    pub(super) fn around(share: u64, tolerance: Ratio) -> Self {
        let width = tolerance.of(Bytes(share)).0;
        Self { low: share - width.min(share), share, high: share.saturating_add(width) }
    }

    /// The same for loads in whole pieces of `unit`. The range includes the whole numbers next to the share.
    pub(super) fn of_pieces(share: u64, tolerance: Ratio, unit: u64) -> Self {
        let Self { low, high, .. } = Self::around(share, tolerance);
        // A share is rounded as well, by far less than this.
        let near = unit / 64;
        let below = (share + near) / unit * unit;
        let above = share.saturating_sub(near).div_ceil(unit) * unit;
        Self { low: low.min(below), share, high: high.max(above) }
    }

    /// Distance from the band, in parts of the share per 2^30; 0 inside.
    pub(super) fn strain(self, used: u64) -> u64 {
        parts(used.saturating_sub(self.high).max(self.low.saturating_sub(used)), self.share)
    }

    /// The range from edge to edge, in the same parts.
    pub(super) fn width(self) -> u64 {
        parts(self.high - self.low, self.share)
    }

    /// Load in parts of the share per 2^30.
    pub(super) fn level(self, used: u64) -> u64 {
        parts(used, self.share)
    }

    /// The least load that makes so many parts.
    pub(super) fn of_parts(self, parts: u64) -> u64 {
        let load = (u128::from(parts) * u128::from(self.share)) >> 30;
        u64::try_from(load).unwrap_or(u64::MAX)
    }

    pub(super) fn holds(self, used: u64) -> bool {
        (self.low..=self.high).contains(&used)
    }
}

fn parts(bytes: u64, share: u64) -> u64 {
    let parts = (u128::from(bytes) << 30) / u128::from(share.max(1));
    u64::try_from(parts).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strain_is_none_inside_the_band_and_grows_outside() {
        let band = Band::around(1_000, Ratio::from_percent(1));
        assert_eq!((band.low, band.high), (990, 1_010));
        assert!(band.holds(990) && band.holds(1_010) && !band.holds(1_011));
        assert_eq!((band.strain(990), band.strain(1_010)), (0, 0));
        assert!(band.strain(980) < band.strain(1_030));
    }
}
