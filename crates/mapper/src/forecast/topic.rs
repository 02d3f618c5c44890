//! How much one topic comes to hold: what producers write, and what leaves by retention.

use super::HORIZON_DAYS;

const WEEK: usize = 7;

/// One day of a topic; day 0 is the 24 hours before the newest record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Day {
    /// The sum of the recorded rates, in bytes per second.
    pub(super) rates: u64,
    /// The number of records with a rate.
    pub(super) records: u32,
    /// The size at the last record of the day.
    pub(super) size: Option<(i64, u64)>,
}

/// How long a topic keeps its data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Retention {
    /// For this many days.
    Days(f64),
    /// For ever, or until compaction removes it.
    Unlimited,
}

/// A topic in days to come.
#[derive(Debug, Clone)]
pub(super) struct TopicGrowth {
    /// The growth from now to the end of each day, in bytes; day 0 is now.
    pub(super) bytes: Vec<f64>,
    /// Recorded minus fitted bytes of each past day.
    pub(super) residuals: Vec<f64>,
    /// How many numbers were fitted to them.
    pub(super) fitted: usize,
    /// The variance of the growth until the end of each day, as a multiple of that of one day's writes.
    pub(super) variance: Vec<f64>,
}

/// What producers write each day: a line over weeks, times the weekday's share of a week.
struct Inflow {
    /// Past days, the newest first.
    past: Vec<f64>,
    /// The share of each day of a week, by its position in [`Self::past`].
    shares: [f64; WEEK],
    /// Bytes of the newest week, and its difference to the week before, on the line.
    week: f64,
    week_trend: f64,
    /// Whole weeks; with fewer than two, weekdays and noise are not told apart.
    weeks: usize,
}

impl Inflow {
    fn of(past: Vec<f64>) -> Self {
        let weeks: Vec<f64> = past.chunks_exact(WEEK).map(|days| days.iter().sum()).collect();
        let all: f64 = weeks.iter().sum();
        let mut shares = [1.0 / WEEK as f64; WEEK];
        if all > 0.0 {
            for (at, share) in shares.iter_mut().enumerate() {
                *share = past.chunks_exact(WEEK).map(|days| days[at]).sum::<f64>() / all;
            }
        }
        let level = if weeks.is_empty() { mean(&past) * WEEK as f64 } else { mean(&weeks) };
        let flat = Self { past, shares, week: level, week_trend: 0.0, weeks: weeks.len() };
        if weeks.len() < 2 {
            return flat;
        }
        // Least squares over weeks. A trend that the days' own noise explains does not count.
        let middle = (weeks.len() - 1) as f64 / 2.0;
        let ago = |week: usize| middle - week as f64;
        let squares = squares(weeks.len());
        let slope = weeks.iter().enumerate().map(|(at, it)| ago(at) * it).sum::<f64>() / squares;
        let line = Self { week: level + slope * middle, week_trend: slope, ..flat };
        let noises: Vec<f64> = line.residuals().into_iter().map(|it| it.powi(2)).collect();
        let noise = mean(&noises) * WEEK as f64 / squares;
        let certain = if slope == 0.0 { 0.0 } else { slope.powi(2) / (slope.powi(2) + noise) };
        let week_trend = slope * certain;
        Self { week: level + week_trend * middle, week_trend, ..line }
    }

    /// The fitted bytes of a day; negative: days to come, -1 is the next.
    fn on(&self, days_ago: i64) -> f64 {
        let week = WEEK as i64;
        let weeks_ago = days_ago.div_euclid(week);
        let share = self.shares[usize::try_from(days_ago.rem_euclid(week)).unwrap_or(0)];
        (self.week - self.week_trend * weeks_ago as f64).max(0.0) * share
    }

    fn residuals(&self) -> Vec<f64> {
        if self.weeks < 2 {
            let mean = mean(&self.past);
            return self.past.iter().map(|bytes| bytes - mean).collect();
        }
        self.past.iter().zip(0..).map(|(bytes, ago)| bytes - self.on(ago)).collect()
    }

    /// The numbers that are fitted to the days: the mean, and then the trend and the shares of a week.
    fn fitted(&self) -> usize {
        if self.weeks < 2 { 1 } else { WEEK + 2 }
    }

    /// The variance of the level of the days up to this one, as a multiple of that of one day: a mean of all days, or a line
    /// through weeks that goes on.
    fn level_variance(&self, day: usize) -> f64 {
        let weeks = self.weeks as f64;
        if self.weeks < 2 {
            return 1.0 / self.past.len().max(1) as f64;
        }
        let middle = (weeks - 1.0) / 2.0;
        let ahead = middle + (day as f64 / WEEK as f64 + 1.0) / 2.0;
        (1.0 / weeks + ahead * ahead / squares(self.weeks)) / WEEK as f64
    }
}

/// The sum of the squared distances of weeks from their middle.
fn squares(weeks: usize) -> f64 {
    let weeks = weeks as f64;
    weeks * (weeks * weeks - 1.0) / 12.0
}

/// 0 if there are none.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

impl TopicGrowth {
    /// Of a topic with these days, the newest first, and this size now. `most`: the bytes that it holds at most.
    pub(super) fn of(days: &[Day], size: f64, retention: Retention, most: Option<f64>) -> Self {
        let rate = |day: &Day| {
            (day.records > 0).then(|| day.rates as f64 / f64::from(day.records) * 86_400.0)
        };
        let growth = match retention {
            Retention::Days(kept) if days.iter().any(|day| day.records > 0) => {
                Self::by_writes(filled(days.iter().map(rate).collect()), size, kept)
            }
            Retention::Days(_) | Retention::Unlimited => Self::by_sizes(days),
        };
        growth.within(size, most)
    }

    /// What is written stays for as long as retention says. Where the records do not reach back as far, the older data came
    /// at the usual rate.
    fn by_writes(past: Vec<f64>, size: f64, kept: f64) -> Self {
        let (recorded, mean) = (past.len() as f64, mean(&past));
        let older = (size - mean * recorded).max(0.0);
        let inflow = Inflow::of(past);
        let older_days = if mean > 0.0 { older / mean } else { kept }.min(kept - recorded);
        let held = |day: usize| {
            let now = day as f64;
            let part = |from: f64, days: f64, bytes: f64| {
                let stays = (kept - from).clamp(0.0, days);
                if days > 0.0 { bytes * stays / days } else { 0.0 }
            };
            let coming = (1..=day).map(|at| part(now - at as f64, 1.0, inflow.on(-(at as i64))));
            let past = inflow.past.iter().enumerate();
            let past = past.map(|(ago, it)| part(now + ago as f64, 1.0, *it));
            coming.chain(past).sum::<f64>() + part(now + recorded, older_days.max(0.0), older)
        };
        let now = held(0);
        let bytes = (0..=HORIZON_DAYS).map(|day| held(day) - now).collect();
        let variance = (0..=HORIZON_DAYS).map(|day| {
            let written = (day as f64).min(kept);
            written + written * written * inflow.level_variance(day)
        });
        let (residuals, fitted) = (inflow.residuals(), inflow.fitted());
        Self { bytes, residuals, fitted, variance: variance.collect() }
    }

    /// The size goes on as it went: a compacted topic, or one that deletes nothing.
    fn by_sizes(days: &[Day]) -> Self {
        let sizes: Vec<f64> = days.iter().filter_map(|day| Some(day.size?.1 as f64)).collect();
        let daily: Vec<f64> = sizes.windows(2).map(|pair| pair[0] - pair[1]).collect();
        let mean = mean(&daily);
        let (all_days, count) = (|| (0..=HORIZON_DAYS).map(|day| day as f64), daily.len() as f64);
        Self {
            bytes: all_days().map(|day| day * mean).collect(),
            residuals: daily.into_iter().map(|growth| growth - mean).collect(),
            fitted: 1,
            variance: all_days().map(|day| day + day * day / count.max(1.0)).collect(),
        }
    }

    fn within(mut self, size: f64, most: Option<f64>) -> Self {
        for bytes in &mut self.bytes {
            *bytes = bytes.max(-size);
            if let Some(most) = most {
                *bytes = bytes.min((most - size).max(0.0));
            }
        }
        self
    }
}

/// Days without a record count as the mean of the others.
fn filled(days: Vec<Option<f64>>) -> Vec<f64> {
    let mean = mean(&days.iter().flatten().copied().collect::<Vec<_>>());
    days.iter().map(|day| day.unwrap_or(mean)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(bytes: &[u64]) -> Vec<Day> {
        bytes.iter().map(|it| Day { rates: it / 86_400, records: 1, size: None }).collect()
    }

    const GB: u64 = 86_400 * 10_000;

    #[test]
    fn growth_ends_where_retention_begins() {
        // Written for four days, kept for seven: it grows for three more.
        let growth = TopicGrowth::of(&days(&[GB; 4]), 4.0 * GB as f64, Retention::Days(7.0), None);
        let in_days: Vec<f64> = growth.bytes.iter().map(|it| (it / GB as f64).round()).collect();
        assert_eq!(in_days[..6], [0.0, 1.0, 2.0, 3.0, 3.0, 3.0]);
        // Written for seven days and more, it stays.
        let growth = TopicGrowth::of(&days(&[GB; 4]), 7.0 * GB as f64, Retention::Days(7.0), None);
        assert!(growth.bytes.iter().all(|it| it.abs() < 1.0), "{growth:?}");
    }

    #[test]
    fn what_nobody_writes_to_any_more_empties() {
        let mut past = [GB; 14];
        past[..7].fill(0);
        let growth = TopicGrowth::of(&days(&past), 7.0 * GB as f64, Retention::Days(14.0), None);
        assert_eq!((growth.bytes[7] / GB as f64).round(), -7.0);
        assert!(growth.bytes[HORIZON_DAYS] >= -7.0 * GB as f64);
    }

    #[test]
    fn a_weekday_repeats_and_a_trend_goes_on() {
        let past: Vec<f64> = (0..21_i64)
            .map(|ago| {
                let weekday = if (ago % 7) < 2 { 1.0 } else { 2.0 };
                weekday * (10 - ago / 7) as f64
            })
            .collect();
        let inflow = Inflow::of(past);
        assert!((inflow.week_trend - 12.0).abs() < 1e-6, "{}", inflow.week_trend);
        // The next day is the weekday of six days ago, and the last of the coming week that of today.
        assert!((inflow.on(-1) - 22.0).abs() < 1e-6 && (inflow.on(-7) - 11.0).abs() < 1e-6);
    }

    #[test]
    fn without_retention_the_size_goes_on_as_it_went() {
        let size = |ago: u64| Day { size: Some((0, (100 - ago) * GB)), ..Day::default() };
        let history: Vec<Day> = (0..5).map(size).collect();
        let growth = TopicGrowth::of(&history, 100.0 * GB as f64, Retention::Unlimited, None);
        assert_eq!(growth.bytes[10], 10.0 * GB as f64);
        let most = Some(104.0 * GB as f64);
        let growth = TopicGrowth::of(&history, 100.0 * GB as f64, Retention::Unlimited, most);
        assert_eq!(growth.bytes[10], 4.0 * GB as f64, "retention.bytes");
    }
}
