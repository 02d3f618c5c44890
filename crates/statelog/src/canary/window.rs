//! The times of a broker's last messages, and the usual time.

use std::collections::VecDeque;
use std::time::Duration;

/// How many successive messages count as now. A pause makes one of them slow, an overload all of them.
const RECENT: usize = 3;
/// One message that takes this long counts like several slow ones. A garbage collection should never take that long.
const LONG: Duration = Duration::from_millis(500);
/// How many messages form one median for the usual time.
const BLOCK: usize = 30;
/// How many medians are kept: half an hour at five messages per second, longer at fewer.
const BLOCKS: usize = 300;

/// Times of messages: the last ones, and the medians for the usual time.
#[derive(Debug, Default)]
pub(super) struct Window {
    recent: VecDeque<Duration>,
    block: Vec<Duration>,
    medians: VecDeque<Duration>,
    usual: Option<Duration>,
}

impl Window {
    pub(super) fn push(&mut self, took: Duration) {
        count(&mut self.recent, took);
    }

    /// Adds a time for the usual value. Callers add at the same rate in trouble as in calm.
    pub(super) fn learn(&mut self, took: Duration) {
        self.block.push(took);
        if self.block.len() == BLOCK {
            self.block.sort_unstable();
            push(&mut self.medians, self.block[BLOCK / 2], BLOCKS);
            self.block.clear();
            self.usual = self.medians.iter().min().copied();
        }
    }

    /// The smallest of the last times. A message in flight counts with its age if that raises the result. `None`
    /// before there are enough messages.
    pub(super) fn now(&self, waiting: Option<Duration>) -> Option<Duration> {
        let mut with = self.recent.clone();
        if let Some(age) = waiting {
            count(&mut with, age);
        }
        least(&self.recent).max(least(&with))
    }

    /// The smallest median: the time without disturbance. `None` before there is one.
    pub(super) fn usual(&self) -> Option<Duration> {
        self.usual
    }
}

fn count(recent: &mut VecDeque<Duration>, took: Duration) {
    let times = if took >= LONG { RECENT } else { 1 };
    (0..times).for_each(|_| push(recent, took, RECENT));
}

/// Drops the oldest entry when the queue is full.
fn push(queue: &mut VecDeque<Duration>, new: Duration, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(new);
}

fn least(recent: &VecDeque<Duration>) -> Option<Duration> {
    recent.iter().min().copied().filter(|_| recent.len() == RECENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn of(took: impl IntoIterator<Item = u64>) -> Window {
        let mut window = Window::default();
        took.into_iter().for_each(|took| window.push(ms(took)));
        window
    }

    #[test]
    fn two_slow_messages_say_nothing_and_three_in_a_row_do() {
        assert_eq!(of([9, 9]).now(None), None);
        assert_eq!(of([3, 90, 90]).now(None), Some(ms(3)));
        assert_eq!(of([3, 90, 70, 80]).now(None), Some(ms(70)));
        assert_eq!(of([90, 90, 90, 4]).now(None), Some(ms(4)));
    }

    #[test]
    fn one_on_its_way_counts_once_it_is_late_and_not_before() {
        let slow = of([3, 80, 90]);
        assert_eq!(slow.now(Some(ms(2))), Some(ms(3)));
        assert_eq!(slow.now(Some(ms(60))), Some(ms(60)));
        assert_eq!(of([80, 80, 80]).now(Some(ms(1))), Some(ms(80)));
    }

    #[test]
    fn one_that_takes_long_is_enough() {
        assert_eq!(of([3, 3, 3]).now(Some(ms(499))), Some(ms(3)));
        assert_eq!(of([3, 3, 3]).now(Some(ms(500))), Some(ms(500)));
        assert_eq!(of([3, 3, 3, 600]).now(Some(ms(1))), Some(ms(600)), "the next is just out");
        assert_eq!(of([3, 3, 3, 600, 5]).now(None), Some(ms(5)));
    }

    #[test]
    fn what_is_usual_is_what_calm_was_like_for_half_an_hour_of_trouble() {
        let mut window = Window::default();
        (1..BLOCK).for_each(|_| window.learn(ms(4)));
        assert_eq!(window.usual(), None);
        window.learn(ms(4));
        assert_eq!(window.usual(), Some(ms(4)));
        (0..BLOCK * (BLOCKS - 1)).for_each(|_| window.learn(ms(500)));
        assert_eq!(window.usual(), Some(ms(4)));
        (0..BLOCK).for_each(|_| window.learn(ms(500)));
        assert_eq!(window.usual(), Some(ms(500)), "it is no trouble any more");
    }
}
