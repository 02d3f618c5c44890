//! How many partitions the controller gets in one request: as many as it answers quickly.
//!
//! The controller handles one request after the other. With ZooKeeper, each move needs several writes, which include
//! the lists of the whole topic. All other work waits until every move of a request has begun. If a broker dies in that
//! time, its partitions wait for new leaders.

use std::time::Duration;

/// An answer that takes longer means that the request was too large.
const LATE: Duration = Duration::from_secs(2);
/// An answer that comes sooner means that the next request can be twice as large.
const EARLY: Duration = Duration::from_millis(500);
const LEAST: usize = 20;
const MOST: usize = 500;

/// The most partitions in the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch(usize);

impl Default for Batch {
    /// The size of the first request, before the controller has answered any.
    fn default() -> Self {
        Self(100)
    }
}

impl Batch {
    /// The count of partitions, at least one.
    pub fn partitions(self) -> usize {
        self.0
    }

    /// The size after a request for `asked` partitions was answered. It is halved if the answer took too long. It is
    /// doubled if the answer was quick and the request was full.
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
