//! A week made from a seed: some topics grow until their retention ends that, all breathe with the day, and brokers are lost,
//! return, are cordoned and join.

use super::{Course, DAY_SECONDS, Happening};
use mapper::snapshot::Broker;
use mapper::{BrokerId, Bytes, Snapshot};
use std::borrow::Cow;
use std::collections::BTreeMap;

const HOUR_SECONDS: u64 = 3_600;
/// Parts of the whole, so that no size depends on rounding of the machine.
const PERMILLE: u64 = 1_000;

/// How one topic's sizes change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TopicCourse {
    /// Of the first size, for each day.
    growth_permille: u64,
    /// What retention keeps, of the first size.
    most_permille: u64,
    /// How much more there is at the peak of the day.
    season_permille: u64,
    /// When the peak is, in seconds after midnight (UTC).
    peak_seconds: u64,
}

/// A course that depends on nothing but a seed and the first snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct SeededWeek {
    from_seconds: u64,
    topics: BTreeMap<String, (TopicCourse, Vec<Option<Bytes>>)>,
    happenings: Vec<(u64, Happening)>,
}

impl SeededWeek {
    /// A week that begins with this snapshot.
    #[must_use]
    pub fn new(start: &Snapshot, seed: u64, from_seconds: u64) -> Self {
        let mut dice = Dice(seed);
        let topics = start.topics().iter().map(|topic| {
            let sizes = topic.partitions.iter().map(|partition| partition.size).collect();
            (topic.name.clone(), (TopicCourse::drawn(&mut dice), sizes))
        });
        let topics = topics.collect();
        let happenings = happenings(start, from_seconds, &mut dice);
        Self { from_seconds, topics, happenings }
    }
}

impl Course for SeededWeek {
    fn sizes(&self, topic: &str, at_seconds: u64) -> Cow<'_, [Option<Bytes>]> {
        let Some((course, sizes)) = self.topics.get(topic) else { return Cow::Borrowed(&[]) };
        let (now, then) = course.of(self.from_seconds, at_seconds);
        let size = |first: Bytes| {
            let size = u128::from(first.0) * u128::from(now) / u128::from(then.max(1));
            Bytes(u64::try_from(size).unwrap_or(u64::MAX))
        };
        sizes.iter().map(|first| first.map(size)).collect()
    }

    fn happenings(&self, after_seconds: u64, until_seconds: u64) -> Vec<(u64, Happening)> {
        super::between(&self.happenings, after_seconds, until_seconds)
    }
}

impl TopicCourse {
    /// Most topics keep their size, some grow slowly, few fast.
    fn drawn(dice: &mut Dice) -> Self {
        let growth_permille = match dice.below(100) {
            0..80 => 0,
            80..95 => dice.below(60),
            _ => 60 + dice.below(240),
        };
        Self {
            growth_permille,
            most_permille: PERMILLE + dice.below(2 * PERMILLE),
            season_permille: dice.below(200),
            peak_seconds: dice.below(24) * HOUR_SECONDS,
        }
    }

    /// What a size is at a time, as a part of the first size.
    fn of(&self, from_seconds: u64, at_seconds: u64) -> (u64, u64) {
        let trend = |at: u64| {
            let grown = self.growth_permille * at.saturating_sub(from_seconds) / DAY_SECONDS;
            (PERMILLE + grown).min(self.most_permille.max(PERMILLE))
        };
        // The first size has its season, too.
        (trend(at_seconds) * self.season(at_seconds), PERMILLE * self.season(from_seconds))
    }

    /// A triangle: highest at the peak, lowest twelve hours later.
    fn season(&self, at_seconds: u64) -> u64 {
        let away = (at_seconds % DAY_SECONDS).abs_diff(self.peak_seconds);
        let away = away.min(DAY_SECONDS - away);
        let near = DAY_SECONDS / 2 - away;
        PERMILLE + self.season_permille * near / (DAY_SECONDS / 2)
    }
}

/// One broker is lost for good, one for a quarter of an hour each day, one is cordoned, and one joins in the rack of the lost
/// one, each on its own day.
fn happenings(start: &Snapshot, from_seconds: u64, dice: &mut Dice) -> Vec<(u64, Happening)> {
    let brokers: Vec<&Broker> = start.brokers().iter().filter(|broker| broker.live).collect();
    let mut drawn: Vec<&Broker> = Vec::new();
    while drawn.len() < 3 && brokers.len() > 6 {
        let at = usize::try_from(dice.below(brokers.len() as u64)).unwrap_or_default();
        let Some(broker) = brokers.get(at) else { break };
        if !drawn.iter().any(|other| other.id == broker.id) {
            drawn.push(broker);
        }
    }
    let [lost, flaps, leaves] = drawn.as_slice() else { return Vec::new() };
    let mut on = |day: u64| from_seconds + day * DAY_SECONDS + dice.below(DAY_SECONDS);
    let next = brokers.iter().map(|broker| broker.id.0).max().unwrap_or_default() + 1;
    let new = Broker {
        id: BrokerId(next),
        live: true,
        storage_free: lost.storage_total,
        ..(*lost).clone()
    };
    let mut happenings = vec![
        (on(1), Happening::Lost(lost.id)),
        (on(3), Happening::Joined(Box::new(new))),
        (on(5), Happening::Cordoned(leaves.id)),
    ];
    for day in 0..7 {
        let gone = on(day);
        happenings.push((gone, Happening::Lost(flaps.id)));
        happenings.push((gone + HOUR_SECONDS / 4, Happening::Back(flaps.id)));
    }
    happenings.sort_by_key(|(at, _)| *at);
    happenings
}

/// Splitmix64 (Steele, Lea and Flood 2014): the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}
