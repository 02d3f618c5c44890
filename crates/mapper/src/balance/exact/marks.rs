//! The loads between which each broker has to end, and the distance of each group's worst broker from them.

use super::super::band::Band;
use super::super::shares::BrokerGroup;
use crate::dense::BrokerIx;

/// The limits for one broker's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoadMark {
    pub(super) low: u64,
    pub(super) high: u64,
    /// The bytes that the disk holds at most, whatever the band says.
    pub(super) room: u64,
    /// The share that distances from the marks are measured against.
    pub(super) share: u64,
}

/// For each broker its marks; `None` for brokers that are not evened.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    pub(super) of: Vec<Option<LoadMark>>,
}

/// A distance from a band, as an exact fraction of a share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strain {
    bytes: u64,
    share: u64,
}

impl Strain {
    pub(super) const NONE: Self = Self { bytes: 0, share: 1 };

    pub(super) fn is_none(self) -> bool {
        self.bytes == 0
    }

    pub(super) fn exceeds(self, other: Self) -> bool {
        let product = |a: u64, b: u64| u128::from(a) * u128::from(b);
        product(self.bytes, other.share) > product(other.bytes, self.share)
    }

    /// This fraction of another share, rounded up, so that a load with this strain stays inside.
    fn of(self, share: u64) -> u64 {
        let bytes = u128::from(share) * u128::from(self.bytes);
        u64::try_from(bytes.div_ceil(u128::from(self.share))).unwrap_or(u64::MAX)
    }

    #[expect(clippy::cast_precision_loss, reason = "a bound for a solver's column")]
    pub(super) fn as_f64(self) -> f64 {
        self.bytes as f64 / self.share as f64
    }
}

impl Marks {
    /// `limit`: the usable bytes of each disk; `before`: the bytes used. A broker beyond its limit may keep them.
    pub(super) fn new(bands: &[Option<Band>], limit: &[Option<u64>], before: &[u64]) -> Self {
        let mark = |at: usize| {
            let Band { low, share, high } = bands[at]?;
            let room = limit[at].unwrap_or(u64::MAX).max(before[at]);
            Some(LoadMark { low, high, room, share: share.max(1) })
        };
        Self { of: (0..bands.len()).map(mark).collect() }
    }

    /// The strain of the worst broker of a group.
    pub(super) fn strain(&self, used: &[u64], group: &BrokerGroup) -> Strain {
        let strain = |broker: &BrokerIx| {
            let at = *broker as usize;
            let LoadMark { low, high, share, .. } = self.of[at]?;
            let bytes = used[at].saturating_sub(high).max(low.saturating_sub(used[at]));
            Some(Strain { bytes, share })
        };
        let all = group.brokers.iter().filter_map(strain);
        all.fold(Strain::NONE, |worst, one| if one.exceeds(worst) { one } else { worst })
    }

    /// The marks, widened by each group's strain and by 2^-20 of a share, the resolution of evenness.
    pub(super) fn widened(&self, used: &[u64], groups: &[BrokerGroup]) -> Self {
        let mut wider = self.clone();
        for group in groups {
            let strain = self.strain(used, group);
            if strain.is_none() {
                continue;
            }
            for broker in &group.brokers {
                if let Some(mark) = &mut wider.of[*broker as usize] {
                    let by = strain.of(mark.share).saturating_add(mark.share >> 20);
                    mark.low = mark.low.saturating_sub(by);
                    mark.high = mark.high.saturating_add(by);
                }
            }
        }
        wider
    }

    pub(super) fn hold(&self, used: &[u64]) -> bool {
        let held = |(mark, used): (&Option<LoadMark>, &u64)| {
            mark.is_none_or(|m| (m.low..=m.high.min(m.room)).contains(used))
        };
        self.of.iter().zip(used).all(held)
    }

    pub(super) fn have_room(&self, used: &[u64]) -> bool {
        self.of.iter().zip(used).all(|(mark, used)| mark.is_none_or(|mark| *used <= mark.room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_widen_by_the_strain_of_the_worst() {
        // A millionth of these shares is less than a byte.
        let band = |share: u64| Some(Band { low: share - 10, share, high: share + 10 });
        let bands = [band(100), band(200), None];
        let marks = Marks::new(&bands, &[None, Some(205), None], &[150, 0, 0]);
        let group = BrokerGroup { brokers: vec![0, 1] };
        let used = [150, 150, 7];
        assert!(marks.strain(&used, &group).exceeds(Strain { bytes: 39, share: 100 }));
        let wider = marks.widened(&used, &[group]);
        assert!(wider.hold(&[150, 110, 0]) && !wider.hold(&[151, 110, 0]));
        assert!(!wider.hold(&[100, 206, 0]), "beyond the limit of the disk");
    }
}
