//! A token bucket: decides when the next bytes may pass.

use std::time::{Duration, Instant};

/// How much idle time is saved for later. It compensates for timers that fire late on a busy machine, and is much
/// shorter than the span of any measured rate.
const SLACK: Duration = Duration::from_millis(50);
/// How many pieces pass per second, which bounds how long one piece blocks the line.
const PIECES_PER_SECOND: u64 = 200;
const LEAST: u64 = 1024;
const MOST: u64 = 64 * 1024;

/// The bucket, stored as the time at which everything admitted so far has passed.
#[derive(Debug, Default)]
pub(super) struct Pace {
    per_second: Option<u64>,
    passed_at: Option<Instant>,
}

impl Pace {
    pub(super) fn limit(&mut self, per_second: Option<u64>) {
        assert!(per_second != Some(0), "a cap of zero is a dead card: kill the broker instead");
        self.per_second = per_second;
    }

    pub(super) fn piece(&self) -> usize {
        let piece = self.per_second.map_or(MOST, |rate| rate / PIECES_PER_SECOND);
        piece.clamp(LEAST, MOST) as usize
    }

    /// When these bytes have passed. The bytes of the next call come after them.
    pub(super) fn admit(&mut self, now: Instant, bytes: usize) -> Instant {
        let Some(rate) = self.per_second else {
            self.passed_at = None;
            return now;
        };
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        let start = self.passed_at.map_or(now, |last| last.max(earliest));
        let end = start + Duration::from_secs_f64(bytes as f64 / rate as f64);
        self.passed_at = Some(end);
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_at_the_rate_and_an_idle_time_saves_up_no_more_than_the_slack() {
        let mut pace = Pace::default();
        pace.limit(Some(1_000));
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(pace.admit(start, 100), after(100));
        assert_eq!(pace.admit(after(40), 200), after(300));
        // A minute later, 50 ms are saved.
        assert_eq!(pace.admit(after(60_000), 100), after(60_050));
        pace.limit(Some(2_000));
        assert_eq!(pace.admit(after(60_050), 100), after(60_100));
        pace.limit(None);
        assert_eq!(pace.admit(after(60_060), 1_000_000), after(60_060));
    }

    #[test]
    fn a_piece_is_small_against_the_rate() {
        let mut pace = Pace::default();
        assert_eq!(pace.piece(), 64 * 1024);
        pace.limit(Some(2_000_000));
        assert_eq!(pace.piece(), 10_000);
        pace.limit(Some(1));
        assert_eq!(pace.piece(), 1024);
    }
}
