//! How many partitions the controller is given in one request: as many as it answers soon.
//!
//! It takes requests one after the other. With ZooKeeper each move is several writes, of the whole topic's lists, too, and
//! whatever else there is to do waits until all moves of a request have begun: when a broker dies meanwhile, so do its
//! partitions for their new leaders.

use std::time::Duration;

/// Whoever takes longer has been given too much.
const LATE: Duration = Duration::from_secs(2);
/// Whoever is quicker can take twice as much.
const EARLY: Duration = Duration::from_millis(500);
const LEAST: usize = 20;
const MOST: usize = 500;

/// The most partitions that go in the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch(usize);

impl Default for Batch {
    /// Nothing is known of the controller yet.
    fn default() -> Self {
        Self(100)
    }
}

impl Batch {
    /// A count of partitions, at least one.
    pub fn partitions(self) -> usize {
        self.0
    }

    /// After a request for so many partitions was answered: half as many if that took too long, twice as many if it was
    /// full and could have been larger.
    #[must_use]
    pub fn after(self, asked: usize, answered_in: Duration) -> Self {
        if answered_in > LATE {
            return Self((self.0 / 2).max(LEAST));
        }
        if answered_in < EARLY && asked >= self.0 {
            return Self((self.0 * 2).min(MOST));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(answers: &[(usize, u64)]) -> usize {
        let answered = |batch: Batch, (asked, millis): &(usize, u64)| {
            batch.after(*asked, Duration::from_millis(*millis))
        };
        answers.iter().fold(Batch::default(), answered).partitions()
    }

    #[test]
    fn a_quick_controller_gets_more_and_more_up_to_five_hundred() {
        assert_eq!(after(&[]), 100);
        assert_eq!(after(&[(100, 200)]), 200);
        assert_eq!(after(&[(100, 200), (200, 300), (400, 400), (500, 450)]), 500);
    }

    #[test]
    fn a_late_one_gets_less_and_less_but_some() {
        assert_eq!(after(&[(100, 2_100)]), 50);
        assert_eq!(after(&[(100, 9_000); 9]), 20);
        assert_eq!(after(&[(100, 9_000), (50, 300)]), 100, "it may recover");
    }

    #[test]
    fn neither_a_small_request_nor_one_that_took_its_time_says_anything() {
        assert_eq!(after(&[(3, 5)]), 100);
        assert_eq!(after(&[(100, 1_000)]), 100);
    }
}
