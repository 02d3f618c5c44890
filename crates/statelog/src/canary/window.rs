//! What a broker's last messages took, and what they usually take.

use std::collections::VecDeque;
use std::time::Duration;

/// Messages that count as now.
const RECENT: usize = 10;
/// Messages whose median is one of those that tell what is usual.
const BLOCK: usize = 30;
/// How many of them are kept: half an hour of messages that go out each second.
const BLOCKS: usize = 60;

/// Times of messages, the last ones and those of calm.
#[derive(Debug, Default)]
pub(super) struct Window {
    recent: VecDeque<Duration>,
    block: Vec<Duration>,
    medians: VecDeque<Duration>,
}

impl Window {
    pub(super) fn push(&mut self, took: Duration) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(took);
        self.block.push(took);
        if self.block.len() == BLOCK {
            self.block.sort_unstable();
            if self.medians.len() == BLOCKS {
                self.medians.pop_front();
            }
            self.medians.push_back(self.block[BLOCK / 2]);
            self.block.clear();
        }
    }

    /// The second longest of the last ones and of those that are still on their way: a single one may be a pause of
    /// ours. `None` before there are two.
    pub(super) fn now(&self, waiting: impl Iterator<Item = Duration>) -> Option<Duration> {
        let mut all: Vec<Duration> = self.recent.iter().copied().chain(waiting).collect();
        all.sort_unstable();
        all.len().checked_sub(2).map(|second| all[second])
    }

    /// The least median: what it is like when nothing disturbs. `None` before there is one.
    pub(super) fn usual(&self) -> Option<Duration> {
        self.medians.iter().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn one_slow_message_says_nothing_and_two_of_ten_do() {
        let mut window = Window::default();
        assert_eq!(window.now([ms(9)].into_iter()), None);
        [3, 3, 90].map(ms).into_iter().for_each(|took| window.push(took));
        assert_eq!(window.now([].into_iter()), Some(ms(3)));
        assert_eq!(window.now([ms(70)].into_iter()), Some(ms(70)), "one is on its way for so long");
        (0..10).for_each(|_| window.push(ms(3)));
        assert_eq!(window.now([ms(70)].into_iter()), Some(ms(3)), "the slow one is long ago");
    }

    #[test]
    fn what_is_usual_is_what_calm_was_like_for_half_an_hour_of_trouble() {
        let mut window = Window::default();
        (0..29).for_each(|_| window.push(ms(4)));
        assert_eq!(window.usual(), None);
        window.push(ms(4));
        assert_eq!(window.usual(), Some(ms(4)));
        (0..BLOCK * (BLOCKS - 1)).for_each(|_| window.push(ms(500)));
        assert_eq!(window.usual(), Some(ms(4)));
        (0..BLOCK).for_each(|_| window.push(ms(500)));
        assert_eq!(window.usual(), Some(ms(500)), "it is no trouble any more");
    }
}
