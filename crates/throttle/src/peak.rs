//! The peak of what clients need, and for how long it is kept free when they need less.
//!
//! Clients that leave for good lose their room soon, and a move gets it. Clients that were seen to come back keep it
//! for as long as they usually stay away. If that is too long, it is better to follow them.

use crate::average::towards;
use mapper::Rate;
use serde::{Deserialize, Serialize};

/// How long a peak is held for clients that were not seen to come back, in milliseconds.
const HELD: u64 = 15_000;
/// The longest time that a peak is held, in milliseconds.
const LONGEST: u64 = 120_000;
/// How long the return of clients counts, in milliseconds.
const REMEMBERED: u64 = 600_000;
/// How slowly a single spike is forgotten while clients stay near it, in milliseconds.
const SPIKE: u64 = 20_000;

/// The recent peak of what clients needed. Rates in bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peak {
    pub(crate) height: Rate,
    /// When clients last needed that much.
    since_milliseconds: u64,
    /// How long it is held.
    held_milliseconds: u64,
    /// When clients were last seen to come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    back_milliseconds: Option<u64>,
    /// The peak that was released: its rate, and when clients left it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gone: Option<(Rate, u64)>,
}

impl Peak {
    /// The peak one round later; `elapsed` milliseconds since the round before.
    pub(crate) fn next(before: Option<Self>, needed: Rate, elapsed: u64, now: u64) -> Self {
        let known = before.filter(|peak| peak.since_milliseconds <= now);
        let Some(peak) = known.map(|peak| peak.forget(now)) else {
            return Self::begun(needed, now);
        };
        let left = peak.since_milliseconds;
        if needed > peak.height {
            peak.risen(needed, now)
        } else if now - left >= peak.held_milliseconds {
            Self { height: needed, gone: peak.let_go(needed), ..peak }
        } else if is_part(needed, peak.height, 9, 10) {
            let height = towards(Some(peak.height), needed, elapsed, SPIKE);
            Self { height, since_milliseconds: now, ..peak.came_back(left, now) }
        } else {
            peak
        }
    }

    fn begun(height: Rate, now: u64) -> Self {
        Self {
            height,
            since_milliseconds: now,
            held_milliseconds: HELD,
            back_milliseconds: None,
            gone: None,
        }
    }

    fn risen(self, needed: Rate, now: u64) -> Self {
        let risen = Self { height: needed, since_milliseconds: now, ..self };
        match self.gone {
            // Clients that come back are detected before all of their traffic is back.
            Some((rate, left)) if is_part(needed, rate, 3, 4) => {
                Self { gone: None, ..risen.came_back(left, now) }
            }
            Some(_) => risen,
            None => risen.came_back(self.since_milliseconds, now),
        }
    }

    /// The peak to remember when this one is released; a much lower one is not kept.
    fn let_go(self, needed: Rate) -> Option<(Rate, u64)> {
        let left = self.since_milliseconds;
        let fell = !is_part(needed, self.height, 9, 10);
        match self.gone {
            Some((_, before)) if before == left => self.gone,
            Some((rate, _)) if !is_part(self.height, rate, 1, 2) => self.gone,
            gone if !fell => gone,
            _ => Some((self.height, left)),
        }
    }

    /// Clients that stay away for longer than any peak is held are followed.
    fn came_back(self, left: u64, now: u64) -> Self {
        let away = now - left;
        let long = (away * 3 / 2).min(LONGEST);
        if away <= LONGEST && long > HELD && long >= self.held_milliseconds * 2 / 3 {
            Self { held_milliseconds: long, back_milliseconds: Some(now), ..self }
        } else {
            self
        }
    }

    fn forget(self, now: u64) -> Self {
        let old = |at: u64| now.saturating_sub(at) >= REMEMBERED;
        let held_milliseconds = match self.back_milliseconds {
            Some(at) if !old(at) => self.held_milliseconds,
            Some(_) | None => HELD,
        };
        Self { held_milliseconds, gone: self.gone.filter(|(_, left)| !old(*left)), ..self }
    }
}

/// Whether a rate is at least `parts` out of `of` of a peak.
fn is_part(rate: Rate, height: Rate, parts: u128, of: u128) -> bool {
    u128::from(rate.0) * of >= u128::from(height.0) * parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The peaks in rounds of five seconds, from 0 on.
    fn heights(needs: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut peak = None;
        let rounds = needs.into_iter().zip((0..).step_by(5_000));
        let height = |(needed, now)| {
            let next = Peak::next(peak, Rate(needed), 5_000, now);
            peak = Some(next);
            next.height.0
        };
        rounds.map(height).collect()
    }

    fn wave(high: usize, low: usize) -> impl Iterator<Item = u64> {
        (0..).map(move |round| if round % (high + low) < high { 100 } else { 20 })
    }

    #[test]
    fn who_leaves_for_good_is_held_for_a_quarter_of_a_minute() {
        let heights = heights(std::iter::repeat_n(100, 4).chain(std::iter::repeat_n(20, 4)));
        assert_eq!(heights, [100, 100, 100, 100, 100, 100, 20, 20]);
    }

    #[test]
    fn who_came_back_within_a_minute_is_held_until_it_comes_back_again() {
        let heights = heights(wave(6, 9).take(90));
        assert!(heights[..15].contains(&20), "it was not known: {heights:?}");
        assert!(heights[15..].iter().all(|height| *height == 100), "{heights:?}");
    }

    #[test]
    fn who_stays_away_for_longer_than_can_be_waited_for_is_followed_each_time() {
        let heights = heights(wave(60, 60).take(600));
        for wave in heights.chunks(120) {
            let low = wave.iter().filter(|height| **height == 20).count();
            assert!(low > 55, "{wave:?}");
        }
    }

    #[test]
    fn a_spike_is_not_held_for_those_who_stay_near_it() {
        let heights = heights([110_000].into_iter().chain(std::iter::repeat_n(100_000, 60)));
        assert!(*heights.last().unwrap() <= 101_000, "{heights:?}");
    }

    #[test]
    fn a_higher_height_of_once_does_not_hide_those_that_come_back() {
        let heights = heights(std::iter::repeat_n(180, 3).chain(wave(6, 9).take(90)));
        assert!(heights[40..].iter().all(|height| *height >= 100), "{heights:?}");
    }

    #[test]
    fn a_clock_of_another_process_means_that_nothing_is_known() {
        let before = Peak::next(None, Rate(100), 0, 1_000_000);
        assert_eq!(Peak::next(Some(before), Rate(20), 5, 5).height, Rate(20));
    }
}
