//! The last hour as sums over the cluster, for the chart of the page.

use crate::board::DoneRound;
use mapper::Rate;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use throttle::ReplicationRole;

/// How long samples are kept.
const SPAN: Duration = Duration::from_secs(3600);
/// Rounds within this time become one sample, so at most 360 are kept.
const STEP: Duration = Duration::from_secs(10);

/// The samples, the oldest first.
#[derive(Debug, Default, Clone)]
pub(crate) struct History(VecDeque<RoundSample>);

/// One round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoundSample {
    pub(crate) at: Instant,
    /// Partitions with replicas that are being filled.
    pub(crate) copies: u64,
    /// Bytes that are still to be copied, where that is known of each copy.
    pub(crate) remaining_bytes: Option<u64>,
    /// All that measured brokers send; `None`: none is measured.
    pub(crate) total_out: Option<Rate>,
    /// The rates of leaders, summed; `None`: there is none.
    pub(crate) rate: Option<Rate>,
}

impl History {
    /// Adds a round.
    pub(crate) fn learn(&mut self, round: &DoneRound) {
        let sample = RoundSample::of(round);
        while self.0.front().is_some_and(|old| sample.at.duration_since(old.at) > SPAN) {
            self.0.pop_front();
        }
        // Replace the last sample while it is near the one before it.
        let len = self.0.len();
        let near = len >= 2 && self.0[len - 1].at.duration_since(self.0[len - 2].at) < STEP;
        if near {
            self.0.pop_back();
        }
        self.0.push_back(sample);
    }

    /// The oldest first.
    pub(crate) fn samples(&self) -> impl Iterator<Item = &RoundSample> {
        self.0.iter()
    }
}

impl RoundSample {
    fn of(round: &DoneRound) -> Self {
        let left = round.copies.iter().flat_map(|copy| {
            let whole = copy.leader_bytes.map(|bytes| bytes.0);
            let done = copy.destinations.iter().map(|to| to.done.map(|bytes| bytes.0));
            done.map(move |done| Some(whole?.saturating_sub(done?)))
        });
        let sent = round.brokers.values().filter_map(|broker| Some(broker.traffic?.total.tx.0));
        let rates =
            round.decision.rates.iter().filter(|((_, role), _)| *role == ReplicationRole::Leader);
        Self {
            at: round.ended,
            copies: round.copies.len() as u64,
            remaining_bytes: left.sum(),
            total_out: sum(sent),
            rate: sum(rates.map(|(_, decided)| decided.rate.0)),
        }
    }
}

/// The sum; `None` without values, because that is not zero.
fn sum(all: impl Iterator<Item = u64>) -> Option<Rate> {
    all.reduce(u64::saturating_add).map(Rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: Instant) -> RoundSample {
        RoundSample { at, copies: 0, remaining_bytes: None, total_out: None, rate: None }
    }

    #[test]
    fn an_hour_is_kept_in_steps_of_ten_seconds() {
        let (mut history, start) = (History::default(), Instant::now());
        let mut round = crate::api::testing_round();
        for second in 0..2 * 3600 {
            round.ended = start + Duration::from_secs(second);
            history.learn(&round);
        }
        let ends = [history.samples().next(), history.samples().last()];
        let ends = ends.map(|sample| sample.unwrap().at.duration_since(start).as_secs());
        assert!(ends[0] >= 3599 && ends[1] == 7199, "{ends:?}");
        let count = history.samples().count();
        assert!((340..=362).contains(&count), "{count}");
        assert_eq!(history.samples().next().unwrap().rate, Some(Rate(80_000_000)));
        assert_eq!(sample(start).total_out, sum([].into_iter()));
    }
}
