//! Kafka's replication quota: an average over eleven seconds, asked before each fetch. After a pause it lets a burst of
//! as many seconds' worth pass at full speed.

use std::collections::VecDeque;

const SAMPLES: u64 = 11;

#[derive(Debug, Clone, Default)]
pub(crate) struct Quota {
    /// Bytes of each whole second in which there were any.
    seconds: VecDeque<(u64, u64)>,
}

impl Quota {
    pub(crate) fn record(&mut self, now_ms: u64, bytes: u64) {
        let second = now_ms / 1000;
        match self.seconds.back_mut() {
            Some((last, sum)) if *last == second => *sum += bytes,
            Some(_) | None => self.seconds.push_back((second, bytes)),
        }
    }

    pub(crate) fn exceeds(&mut self, now_ms: u64, rate: u64) -> bool {
        let oldest = (now_ms / 1000 + 1).saturating_sub(SAMPLES);
        while self.seconds.pop_front_if(|(second, _)| *second < oldest).is_some() {}
        let sum: u64 = self.seconds.iter().map(|(_, bytes)| bytes).sum();
        let elapsed = (now_ms - oldest * 1000).max((SAMPLES - 1) * 1000);
        sum * 1000 / elapsed > rate
    }
}

#[test]
fn a_burst_of_ten_seconds_passes_and_then_nothing_until_it_is_forgotten() {
    let mut quota = Quota::default();
    let mut passed = [0_u64; 30];
    for tick in 0..300_u64 {
        let now = tick * 100;
        if !quota.exceeds(now, 3_000_000) {
            quota.record(now, 4_000_000);
            passed[(tick / 10) as usize] += 4;
        }
    }
    assert_eq!(passed[..3], [32, 0, 0]);
    let average = passed.iter().sum::<u64>() as f64 / 30.0;
    assert!((2.7..4.5).contains(&average), "{average}");
}
