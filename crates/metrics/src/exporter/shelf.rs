//! Remembers one broker's counters, and computes the rates from them.

use crate::measured::Reading;
use crate::numbers::{FoundNumbers, Number};
use crate::selector::Selector;
use mapper::Rate;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The shortest span for a rate. Within less, it returns the previous rates with their age.
const LEAST_SPAN: Duration = Duration::from_millis(900);
/// The longest span for a rate. A longer average says nothing about now.
const MOST_SPAN: Duration = Duration::from_secs(3600);

/// The numbers of one broker in one round.
#[derive(Debug, Default)]
pub(super) struct BrokerSums(BTreeMap<Number, Sum>);

/// The samples of one number.
#[derive(Debug)]
pub(super) struct Sum {
    /// The rank of the selector that matched them.
    rank: usize,
    counter: bool,
    factor: f64,
    at: Instant,
    /// By labels or topic, so that a new or missing series does not look like growth or a reset.
    series: BTreeMap<String, f64>,
}

impl BrokerSums {
    pub(super) fn add(
        &mut self,
        number: Number,
        rank: usize,
        by: &Selector,
        series: String,
        value: f64,
        at: Instant,
    ) {
        let new =
            || Sum { rank, counter: by.counter, factor: by.factor, at, series: BTreeMap::new() };
        let sum = self.0.entry(number).or_insert_with(new);
        if rank < sum.rank {
            *sum = new();
        }
        if rank == sum.rank {
            *sum.series.entry(series).or_default() += value;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, number: Number) -> Option<Sum> {
        self.0.remove(&number)
    }
}

/// The memory for one broker.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    counters: BTreeMap<Number, Sum>,
    rates: BTreeMap<Number, (f64, Instant)>,
}

impl Shelf {
    /// Adds a round and returns the numbers after it.
    pub(super) fn put(&mut self, sums: BrokerSums) -> FoundNumbers {
        let mut found = FoundNumbers::new();
        let before = std::mem::take(&mut self.rates);
        for (number, sum) in sums.0 {
            if !sum.counter {
                found.insert(number, Reading::now(sum.series.values().sum::<f64>() * sum.factor));
                continue;
            }
            let at = sum.at;
            let rate = self.rate(number, sum, before.get(&number).copied());
            if let Some((value, until)) = rate {
                found.insert(number, Reading { value, age: at.saturating_duration_since(until) });
                self.rates.insert(number, (value, until));
            }
        }
        found
    }

    /// The average rate since the previous round, and when that span ended.
    fn rate(
        &mut self,
        number: Number,
        now: Sum,
        known: Option<(f64, Instant)>,
    ) -> Option<(f64, Instant)> {
        let span = self.counters.get(&number).map(|old| now.at.saturating_duration_since(old.at));
        if span.is_some_and(|span| span < LEAST_SPAN) {
            return known;
        }
        let at = now.at;
        let growth = self.counters.get(&number).and_then(|old| now.growth(old));
        self.counters.insert(number, now);
        let span = span.filter(|span| *span <= MOST_SPAN)?;
        Some((growth? / span.as_secs_f64(), at))
    }
}

impl Sum {
    /// The rate of each series since `old`; `None` if that is too short or too long ago, or if one of them was reset. A new
    /// series has grown from zero.
    pub(super) fn rate_of_each(&self, old: &Self) -> Option<BTreeMap<String, Rate>> {
        let span = self.at.saturating_duration_since(old.at);
        let before = |series: &String| old.series.get(series).copied().unwrap_or(0.0);
        let grown = self.series.iter().all(|(series, now)| *now >= before(series));
        let goes_on =
            self.rank == old.rank && old.series.keys().all(|s| self.series.contains_key(s));
        let per_second = self.factor / span.as_secs_f64();
        let rate = |(series, now): (&String, &f64)| {
            let rate = Rate::from_f64((now - before(series)) * per_second)?;
            Some((series.clone(), rate))
        };
        let is_usable = grown && goes_on && (LEAST_SPAN..=MOST_SPAN).contains(&span);
        is_usable.then(|| self.series.iter().filter_map(rate).collect())
    }

    /// The growth since `old`; `None` if the series differ, or if one of them was reset.
    fn growth(&self, old: &Self) -> Option<f64> {
        let same = self.rank == old.rank && self.series.keys().eq(old.series.keys());
        let pairs = || self.series.values().zip(old.series.values());
        let grown = same && pairs().all(|(now, before)| now >= before);
        grown.then(|| pairs().map(|(now, before)| now - before).sum::<f64>() * self.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition;

    fn put(shelf: &mut Shelf, at: Instant, page: &str) -> Option<Reading<f64>> {
        let selectors: [Selector; 2] =
            ["rate(good)", "rate(poor) * 2"].map(|text| text.parse().unwrap());
        let mut sums = BrokerSums::default();
        for sample in exposition::samples(page).map(Result::unwrap) {
            let rank = selectors.iter().position(|selector| selector.takes(&sample)).unwrap();
            let labels = format!("{:?}", sample.labels);
            sums.add(Number::Tx, rank, &selectors[rank], labels, sample.value, at);
        }
        shelf.put(sums).get(&Number::Tx).copied()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn counters_become_rates_between_two_rounds() {
        let (mut shelf, start) = (Shelf::default(), Instant::now());
        assert_eq!(put(&mut shelf, start, "good{a=\"1\"} 100\ngood{a=\"2\"} 0"), None);
        let rate = put(&mut shelf, start + 10 * SECOND, "good{a=\"2\"} 50\ngood{a=\"1\"} 200");
        assert_eq!(rate, Some(Reading::now(15.0)));
    }

    #[test]
    fn a_reset_counter_gives_no_rate_once() {
        let (mut shelf, start) = (Shelf::default(), Instant::now());
        put(&mut shelf, start, "good 100");
        assert_eq!(put(&mut shelf, start + SECOND, "good 5"), None);
        assert_eq!(put(&mut shelf, start + 2 * SECOND, "good 8"), Some(Reading::now(3.0)));
    }

    #[test]
    fn a_counter_more_is_no_growth() {
        let (mut shelf, start) = (Shelf::default(), Instant::now());
        put(&mut shelf, start, "good{a=\"1\"} 100");
        assert_eq!(put(&mut shelf, start + SECOND, "good{a=\"1\"} 100\ngood{a=\"2\"} 9"), None);
        let rate = put(&mut shelf, start + 2 * SECOND, "good{a=\"1\"} 101\ngood{a=\"2\"} 9");
        assert_eq!(rate, Some(Reading::now(1.0)));
    }

    #[test]
    fn the_better_metric_is_taken_wherever_it_stands() {
        let (mut shelf, start) = (Shelf::default(), Instant::now());
        put(&mut shelf, start, "poor 0\ngood 0");
        let rate = put(&mut shelf, start + SECOND, "poor 100\ngood 1\npoor 0");
        assert_eq!(rate, Some(Reading::now(1.0)));
        assert_eq!(put(&mut shelf, start + 2 * SECOND, "poor 200"), None, "another counter");
        assert_eq!(put(&mut shelf, start + 3 * SECOND, "poor 210"), Some(Reading::now(20.0)));
    }

    #[test]
    fn rounds_that_follow_at_once_tell_the_old_rate_with_its_age() {
        let (mut shelf, start) = (Shelf::default(), Instant::now());
        put(&mut shelf, start, "good 0");
        put(&mut shelf, start + SECOND, "good 7");
        let soon = start + SECOND + Duration::from_millis(100);
        let rate = put(&mut shelf, soon, "good 8").unwrap();
        assert_eq!((rate.value, rate.age), (7.0, Duration::from_millis(100)));
        assert_eq!(put(&mut shelf, start + 2 * SECOND, "good 9"), Some(Reading::now(2.0)));
        assert_eq!(put(&mut shelf, start + 4000 * SECOND, "good 10"), None, "too long ago");
    }
}
