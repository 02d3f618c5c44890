//! Measures what producers write to partitions, from looks at the leaders' logs.
//!
//! In: looks at all partitions, each fact with the time of its answer. Out: the rates of each partition, or why they are
//! unknown.
//!
//! A log grows by what producers write. Retention and compaction delete segments meanwhile, so its growth between two
//! looks may be too small, or negative. An interval in which segments were deleted is left out: the log became smaller, or
//! starts at a later record. The other intervals give the rate. Three looks or more leave some intervals.

use crate::bytes::{Bytes, Rate};
use crate::ids::{BrokerId, TopicPartition};
use crate::snapshot::{MeasuredRates, ProducedRate, Unmeasured};
use std::collections::BTreeMap;

/// The log of a partition's leader, as one look found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSeen {
    /// The leader.
    pub leader: BrokerId,
    /// `None`: the leader did not report it.
    pub size: Option<LogSizeSeen>,
    /// `None`: the leader did not report them.
    pub offsets: Option<LogOffsetsSeen>,
}

/// The size of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSizeSeen {
    /// On the leader's disk.
    pub bytes: Bytes,
    /// When the answer arrived, on any clock that only runs forward.
    pub at_milliseconds: u64,
}

/// The first and the last record of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOffsetsSeen {
    /// The offset of the first record.
    pub start: u64,
    /// The offset after the last record.
    pub end: u64,
    /// When the answer arrived, on the same clock.
    pub at_milliseconds: u64,
}

/// One look at the logs of all partitions. A partition without a leader is missing.
pub type LogLook = BTreeMap<TopicPartition, LogSeen>;

/// Adds up looks, so that only the last one is kept.
#[derive(Debug, Clone, Default)]
pub struct RateMeter {
    logs: BTreeMap<TopicPartition, Result<MeteredLog, Unmeasured>>,
    has_looked: bool,
}

/// A log with the same leader in every look so far.
#[derive(Debug, Clone, Copy)]
struct MeteredLog {
    /// As the last look with a size found it.
    last: LogSeen,
    /// The first offsets that were reported.
    first_offsets: Option<LogOffsetsSeen>,
    last_offsets: Option<LogOffsetsSeen>,
    /// Over the intervals in which nothing was deleted.
    whole: Grown,
    /// Over the intervals in which the log grew, but also starts later: perhaps too little.
    trimmed: Grown,
    has_interval: bool,
}

/// Bytes, and the milliseconds in which they were written.
#[derive(Debug, Clone, Copy, Default)]
struct Grown {
    bytes: u64,
    milliseconds: u64,
}

impl RateMeter {
    /// Adds a look. The first one starts the measurement.
    pub fn see(&mut self, look: &LogLook) {
        for (of, log) in &mut self.logs {
            match (&mut *log, look.get(of)) {
                (Ok(_), None) => *log = Err(Unmeasured::NotLedThroughout),
                (Ok(old), Some(now)) if old.last.leader != now.leader => {
                    *log = Err(Unmeasured::LeaderChanged);
                }
                (Ok(old), Some(now)) => old.advance(now),
                (Err(_), _) => {}
            }
        }
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        for (of, now) in look {
            if !self.logs.contains_key(of) {
                let log = if is_first {
                    Ok(MeteredLog::new(now))
                } else {
                    Err(Unmeasured::NotLedThroughout)
                };
                self.logs.insert(of.clone(), log);
            }
        }
    }

    /// The rates of each partition in any look, or why they are unknown.
    pub fn rates(&self) -> MeasuredRates {
        let rate = |log: &Result<MeteredLog, Unmeasured>| log.and_then(|log| log.rate());
        self.logs.iter().map(|(of, log)| (of.clone(), rate(log))).collect()
    }
}

impl MeteredLog {
    fn new(first: &LogSeen) -> Self {
        Self {
            last: *first,
            first_offsets: first.offsets,
            last_offsets: first.offsets,
            whole: Grown::default(),
            trimmed: Grown::default(),
            has_interval: false,
        }
    }

    fn advance(&mut self, now: &LogSeen) {
        self.first_offsets = self.first_offsets.or(now.offsets);
        self.last_offsets = now.offsets.or(self.last_offsets);
        let Some(size) = now.size else { return };
        let before = std::mem::replace(&mut self.last, *now);
        let Some(old) = before.size else { return };
        let milliseconds = size.at_milliseconds.saturating_sub(old.at_milliseconds);
        self.has_interval = true;
        let grown = size.bytes.0.checked_sub(old.bytes.0);
        let offsets = before.offsets.zip(now.offsets);
        let (sum, bytes) = match (grown, offsets) {
            // Records that were there are gone: the log was truncated.
            (_, Some((old, now))) if now.end < old.end => return,
            (Some(grown), Some((old, now))) if now.start == old.start => (&mut self.whole, grown),
            (Some(grown), None) => (&mut self.whole, grown),
            // Whatever was deleted, no record was written.
            (_, Some((old, now))) if now.end == old.end => (&mut self.whole, 0),
            (Some(grown), Some(_)) => (&mut self.trimmed, grown),
            (None, _) => return,
        };
        sum.bytes = sum.bytes.saturating_add(bytes);
        sum.milliseconds = sum.milliseconds.saturating_add(milliseconds);
    }

    fn rate(&self) -> Result<ProducedRate, Unmeasured> {
        let why = if self.has_interval { Unmeasured::LogCut } else { Unmeasured::NoSize };
        let bytes = self.whole.per_second().or_else(|| self.trimmed.per_second()).ok_or(why)?;
        Ok(ProducedRate { bytes: Rate(bytes), records: self.records() })
    }

    fn records(&self) -> Option<u64> {
        let (first, last) = self.first_offsets.zip(self.last_offsets)?;
        let milliseconds = last.at_milliseconds.checked_sub(first.at_milliseconds)?;
        Grown { bytes: last.end.checked_sub(first.end)?, milliseconds }.per_second()
    }
}

impl Grown {
    /// The nearest whole rate; `None` if no time has passed.
    fn per_second(self) -> Option<u64> {
        let milliseconds = u128::from(self.milliseconds);
        let rounded = u128::from(self.bytes) * 1000 + milliseconds / 2;
        Some(u64::try_from(rounded.checked_div(milliseconds)?).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PartitionId;

    fn of() -> TopicPartition {
        TopicPartition { topic: "t".to_owned(), partition: PartitionId(0) }
    }

    /// A look at one partition: leader, size, start, end, time.
    fn look(leader: u32, bytes: u64, start: u64, end: u64, at_milliseconds: u64) -> LogLook {
        let size = Some(LogSizeSeen { bytes: Bytes(bytes), at_milliseconds });
        let offsets = Some(LogOffsetsSeen { start, end, at_milliseconds });
        [(of(), LogSeen { leader: BrokerId(leader), size, offsets })].into()
    }

    fn without_size(mut look: LogLook) -> LogLook {
        look.values_mut().for_each(|seen| seen.size = None);
        look
    }

    fn without_offsets(mut look: LogLook) -> LogLook {
        look.values_mut().for_each(|seen| seen.offsets = None);
        look
    }

    fn measured(looks: &[LogLook]) -> Result<ProducedRate, Unmeasured> {
        let mut meter = RateMeter::default();
        looks.iter().for_each(|look| meter.see(look));
        meter.rates()[&of()]
    }

    fn rate(bytes: u64, records: u64) -> Result<ProducedRate, Unmeasured> {
        Ok(ProducedRate { bytes: Rate(bytes), records: Some(records) })
    }

    #[test]
    fn growth_is_what_producers_write() {
        let looks = [look(1, 500, 0, 10, 5_000), look(1, 4_500, 0, 50, 7_000)];
        assert_eq!(measured(&looks), rate(2_000, 20));
        // The nearest whole number.
        let looks = [look(1, 0, 0, 0, 0), look(1, 5, 0, 1, 3_000)];
        assert_eq!(measured(&looks), rate(2, 0));
    }

    #[test]
    fn an_idle_partition_has_the_rate_zero_even_while_old_segments_go() {
        assert_eq!(measured(&[look(1, 500, 0, 10, 0), look(1, 500, 0, 10, 9)]), rate(0, 0));
        assert_eq!(measured(&[look(1, 500, 0, 10, 0), look(1, 100, 8, 10, 9)]), rate(0, 0));
        assert_eq!(measured(&[look(1, 0, 7, 7, 0), look(1, 0, 7, 7, 9)]), rate(0, 0));
    }

    #[test]
    fn an_interval_in_which_segments_were_deleted_does_not_count() {
        let (a, b) = (look(1, 10_000, 0, 100, 0), look(1, 12_000, 0, 120, 1_000));
        // The log becomes smaller; later it grows although a small segment goes.
        let (c, d) = (look(1, 4_000, 100, 140, 2_000), look(1, 5_500, 110, 160, 3_000));
        assert_eq!(measured(&[a.clone(), b.clone(), c.clone(), d.clone()]), rate(2_000, 20));
        // What is left may be too little, and is all there is.
        assert_eq!(measured(&[c.clone(), d]), rate(1_500, 20));
        assert_eq!(measured(&[a, c]), Err(Unmeasured::LogCut));
    }

    #[test]
    fn a_compacted_log_is_measured_while_it_grows() {
        let looks = [look(1, 9_000, 0, 90, 0), look(1, 5_000, 0, 95, 1_000)];
        assert_eq!(measured(&looks), Err(Unmeasured::LogCut));
        let [a, b] = looks;
        assert_eq!(measured(&[a, b, look(1, 5_600, 0, 101, 2_000)]), rate(600, 6));
    }

    #[test]
    fn a_new_leader_makes_the_rate_unknown_also_if_it_comes_back() {
        let (a, b) = (look(1, 500, 0, 10, 0), look(2, 700, 0, 12, 1_000));
        let back = look(1, 900, 0, 14, 2_000);
        assert_eq!(measured(&[a.clone(), b.clone()]), Err(Unmeasured::LeaderChanged));
        assert_eq!(measured(&[a, b, back]), Err(Unmeasured::LeaderChanged));
    }

    #[test]
    fn a_partition_that_was_not_led_all_the_time_is_unknown() {
        let (a, b) = (look(1, 500, 0, 10, 0), look(1, 700, 0, 12, 1_000));
        let none = LogLook::new();
        let unknown = Err(Unmeasured::NotLedThroughout);
        assert_eq!(measured(&[none.clone(), a.clone(), b.clone()]), unknown);
        assert_eq!(measured(&[a.clone(), none.clone(), b]), unknown);
        assert_eq!(measured(&[a, none]), unknown);
    }

    #[test]
    fn a_restarted_broker_with_less_in_its_log_is_not_measured_by_the_loss() {
        // Records that were not flushed are gone.
        let (a, cut) = (look(1, 9_000, 0, 90, 0), look(1, 6_000, 0, 60, 1_000));
        assert_eq!(measured(&[a.clone(), cut.clone()]), Err(Unmeasured::LogCut));
        let bytes = measured(&[a, cut, look(1, 6_500, 0, 65, 2_000)]).unwrap();
        assert_eq!(bytes, ProducedRate { bytes: Rate(500), records: None });
    }

    #[test]
    fn a_leader_that_is_silent_once_is_measured_over_a_longer_time() {
        let (a, b, c) =
            (look(1, 0, 0, 0, 0), look(1, 1_000, 0, 10, 1_000), look(1, 4_000, 0, 40, 2_000));
        let silent = without_size(without_offsets(b));
        assert_eq!(measured(&[a.clone(), silent.clone(), c]), rate(2_000, 20));
        assert_eq!(measured(&[a.clone(), silent.clone()]), Err(Unmeasured::NoSize));
        assert_eq!(measured(&[silent, a]), Err(Unmeasured::NoSize));
    }

    #[test]
    fn sizes_alone_give_bytes_alone() {
        let looks = [look(1, 0, 0, 0, 0), look(1, 3_000, 0, 0, 2_000)].map(without_offsets);
        let bytes = ProducedRate { bytes: Rate(1_500), records: None };
        assert_eq!(measured(&looks), Ok(bytes));
        let [_, last] = &looks;
        let same_time = [last.clone(), last.clone()];
        assert_eq!(measured(&same_time), Err(Unmeasured::LogCut));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let looks = [look(1, 0, 0, 0, 0), look(1, u64::MAX, 0, u64::MAX, 1)];
        assert_eq!(measured(&looks), rate(u64::MAX, u64::MAX));
    }
}
