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
        parts(self.distance(used), self.share)
    }

    /// Whether the strain is less than this. It takes no division, of which a search needs millions.
    pub(super) fn strains_less(self, used: u64, strain: u64) -> bool {
        u128::from(self.distance(used)) << 30 < u128::from(strain) * u128::from(self.share.max(1))
    }

    /// Whether a broker that changes from one load to another is strained no more. Divides only if the loads nearly agree.
    pub(super) fn keeps(self, old: u64, new: u64) -> bool {
        let (was, is) = (self.distance(old), self.distance(new));
        let near = u128::from(is.saturating_sub(was)) << 30 < u128::from(self.share.max(1));
        is <= was || (near && self.strain(new) <= self.strain(old))
    }

    fn distance(self, used: u64) -> u64 {
        used.saturating_sub(self.high).max(self.low.saturating_sub(used))
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

    #[test]
    fn strains_are_compared_as_their_quotients_are() {
        let loads = [0, 1, 2, 979, 989, 990, 1_010, 1_011, 1_012, 2_000, 1 << 33];
        for share in [0, 1, 1_000, 1 << 40, u64::MAX - 1_000] {
            let band = Band { low: 990.min(share), share, high: share.max(1_010) };
            for (old, new) in loads.into_iter().flat_map(|old| loads.map(|new| (old, new))) {
                let (was, is) = (band.strain(old), band.strain(new));
                assert_eq!(band.keeps(old, new), is <= was, "{share}: {old}, {new}");
                for strain in [0, 1, was, was.saturating_add(1)] {
                    assert_eq!(band.strains_less(new, strain), is < strain, "{share}: {new}");
                }
            }
        }
    }
}
