//! Tracks consecutive failures: how long to pause after each, and which of them to log.
//!
//! A server may be down for hours while it is asked every second, so repeated failures are logged at intervals only.

use std::time::Duration;
use tokio::time::Instant;

/// The pause after the first failure. It doubles after each further failure.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// The first failures are all logged because they differ: a connection ends, then the next one is refused.
const TOLD_AT_ONCE: u64 = 3;
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// An outage, or none.
#[derive(Debug)]
pub struct Outage {
    longest_rest: Duration,
    failures: u64,
    rest: Duration,
    told: Option<Instant>,
}

impl Outage {
    /// No outage. `longest_rest` bounds the pause, as does one minute.
    pub fn none(longest_rest: Duration) -> Self {
        let longest_rest = longest_rest.clamp(FIRST_REST, LONGEST_REST);
        Self { longest_rest, failures: 0, rest: FIRST_REST, told: None }
    }

    /// Records a failure. Returns the pause, and whether to log the failure.
    pub fn goes_on(&mut self, now: Instant) -> (Duration, bool) {
        self.failures += 1;
        let rest = self.rest;
        self.rest = (rest * 2).min(self.longest_rest);
        let due = self.told.is_none_or(|told| now - told >= TOLD_EVERY);
        let tell = self.failures <= TOLD_AT_ONCE || due;
        if tell {
            self.told = Some(now);
        }
        (rest, tell)
    }

    /// Ends the outage; returns the number of failures, 0 if there was none.
    pub fn ends(&mut self) -> u64 {
        let failures = self.failures;
        *self = Self::none(self.longest_rest);
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds of the attempts, and of those that were logged, within this time.
    fn of(outage: &mut Outage, seconds: u64) -> (Vec<u64>, Vec<u64>) {
        let (start, mut at) = (Instant::now(), 0);
        let (mut tried, mut told) = (Vec::new(), Vec::new());
        while at < seconds {
            let (rest, tell) = outage.goes_on(start + Duration::from_secs(at));
            tried.push(at);
            told.extend(tell.then_some(at));
            at += rest.as_secs();
        }
        (tried, told)
    }

    #[test]
    fn it_is_tried_later_and_later_but_no_later_than_an_interval() {
        let mut slow = Outage::none(Duration::from_secs(180));
        assert_eq!(of(&mut slow, 200).0, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
        let mut quick = Outage::none(Duration::from_secs(2));
        assert_eq!(of(&mut quick, 8).0, [0, 1, 3, 5, 7]);
    }

    #[test]
    fn a_long_outage_is_told_once_a_minute_and_the_next_one_anew() {
        let mut outage = Outage::none(Duration::from_secs(2));
        assert_eq!(of(&mut outage, 200).1, [0, 1, 3, 63, 123, 183]);
        assert!(outage.ends() > 90);
        assert_eq!(of(&mut outage, 8).1, [0, 1, 3]);
        assert_eq!(outage.ends(), 5);
        assert_eq!(outage.ends(), 0, "it is told once that it is over");
    }
}
