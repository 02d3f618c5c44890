//! Which messages are in flight, and how long the returned ones took. Reads no clock.

use super::CanaryReading;
use super::window::Window;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// After this time a message counts as lost, and this is its measured time.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The same before the first message has returned: the reader may have started after the message was written.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// The interval after a slow message. The next one goes out this soon, until it is known whether the delay was a single
/// pause.
pub(super) const HURRY: Duration = Duration::from_millis(20);
/// A message is slow if it takes more than this many times the usual time.
const TIMES: u32 = 2;
/// A message that takes less than this is never slow.
const NEVER: Duration = Duration::from_millis(5);

/// The messages to all brokers.
#[derive(Debug)]
pub(super) struct Flock {
    /// The interval between two messages to one broker.
    every: Duration,
    /// Incremented when the set of partitions to read changes.
    generation: u64,
    sent: usize,
    /// By target partition.
    birds: BTreeMap<i32, Bird>,
    forbidden: Option<String>,
    own: Own,
}

/// How late our own process is, measured by the times at which the sender should wake. Causes are a busy machine, or a
/// container above its CPU limit. A message's wait for our process must not count against its broker.
#[derive(Debug, Default)]
struct Own {
    due: Option<Instant>,
    late: Duration,
}

impl Own {
    /// The total delay until `now`.
    fn late(&self, now: Instant) -> Duration {
        let since = |due| now.saturating_duration_since(due);
        self.late + self.due.map(since).unwrap_or_default()
    }

    /// The sender is awake now, and should wake again at `next`.
    fn awake(&mut self, now: Instant, next: Instant) {
        self.late = self.late(now);
        self.due = Some(next);
    }
}

/// The messages to one broker, one at a time.
#[derive(Debug, Default)]
struct Bird {
    broker: i32,
    /// A message has returned since the reader started on this partition. From now on, a missing message is late.
    heard: bool,
    last: Option<Out>,
    produce: Window,
    end_to_end: Returns,
}

/// The round-trip times of messages.
#[derive(Debug, Default)]
struct Returns {
    took: Window,
    /// When the last message that counts for the usual time was sent.
    learned: Option<Instant>,
}

impl Returns {
    /// Records a returned message that was sent at `at`. Returns whether it was slow, and the earlier messages do not
    /// show the same yet.
    fn took(&mut self, at: Instant, took: Duration, every: Duration) -> bool {
        let usual = self.took.usual();
        let longer = |took| usual.is_some_and(|usual| took > (usual * TIMES).max(NEVER));
        self.took.push(took);
        if self.learned.is_none_or(|last| at.saturating_duration_since(last) >= every) {
            self.learned = Some(at);
            self.took.learn(took);
        }
        // Half of it, so that only messages at twice the limit for slow count.
        let known = self.took.now(None).is_some_and(|least| longer(least / 2));
        longer(took) && !known
    }
}

/// A sent message.
#[derive(Debug)]
struct Out {
    number: usize,
    at: Instant,
    /// Our own total delay at that time.
    late: Duration,
    acknowledged: bool,
    arrived: bool,
    /// When the next message goes out, after this one has returned.
    next: Instant,
}

impl Out {
    /// The time since it was sent, without our own delays.
    fn age(&self, now: Instant, own: &Own) -> Duration {
        let late = own.late(now).saturating_sub(self.late);
        now.saturating_duration_since(self.at).saturating_sub(late)
    }
}

impl Flock {
    /// No targets yet; messages to one broker go out at this interval.
    pub(super) fn new(every: Duration) -> Self {
        let (birds, own) = (BTreeMap::new(), Own::default());
        Self { every, generation: 0, sent: 0, birds, forbidden: None, own }
    }

    /// Sends to these brokers, by their partitions, and to no others. Keeps the measurements of brokers that stay.
    pub(super) fn watch(&mut self, partitions: &BTreeMap<i32, i32>) {
        let same = partitions.len() == self.birds.len()
            && partitions
                .iter()
                .all(|(id, p)| self.birds.get(p).is_some_and(|bird| bird.broker == *id));
        if same {
            return;
        }
        self.generation += 1;
        let mut before = std::mem::take(&mut self.birds);
        for (broker, partition) in partitions {
            let known = before.remove(partition).filter(|bird| bird.broker == *broker);
            // The reader starts again at the ends of the partitions, so it may never see messages in flight.
            let bird = Bird { heard: false, last: None, ..known.unwrap_or_default() };
            self.birds.insert(*partition, Bird { broker: *broker, ..bird });
        }
    }

    /// The partitions to read, and the generation of this set.
    pub(super) fn partitions(&self) -> (u64, Vec<i32>) {
        (self.generation, self.birds.keys().copied().collect())
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The due messages, as number and partition. The caller should call again at `next`.
    pub(super) fn send(&mut self, now: Instant, next: Instant) -> Vec<(usize, i32)> {
        self.own.awake(now, next);
        let late = self.own.late;
        let mut new = Vec::new();
        for (partition, bird) in &mut self.birds {
            if bird.is_due(now) {
                let (number, next) = (self.sent, now + self.every);
                let (acknowledged, arrived) = (false, false);
                bird.last = Some(Out { number, at: now, late, acknowledged, arrived, next });
                new.push((number, *partition));
                self.sent += 1;
            }
        }
        new
    }

    /// The broker has acknowledged the message.
    pub(super) fn acknowledged(&mut self, partition: i32, number: usize, now: Instant) {
        self.forbidden = None;
        let Some(bird) = self.birds.get_mut(&partition) else { return };
        if let Some(out) = bird.last.as_mut().filter(|out| out.number == number) {
            out.acknowledged = true;
            bird.produce.push(out.age(now, &self.own));
        }
    }

    /// The message has returned.
    pub(super) fn arrived(&mut self, partition: i32, number: usize, now: Instant) {
        let Some(bird) = self.birds.get_mut(&partition) else { return };
        bird.heard = true;
        let Some(out) = bird.last.as_mut().filter(|out| out.number == number) else { return };
        out.arrived = true;
        let took = out.age(now, &self.own);
        if bird.end_to_end.took(out.at, took, self.every) {
            out.next = out.at + self.every.min(HURRY);
        }
    }

    /// A right is missing.
    pub(super) fn forbidden(&mut self, why: String) {
        self.forbidden = Some(why);
    }

    pub(super) fn is_forbidden(&self) -> Option<String> {
        self.forbidden.clone()
    }

    /// The current measurements of each broker from which messages return.
    pub(super) fn readings(&self, now: Instant) -> BTreeMap<i32, CanaryReading> {
        let of = |bird: &Bird| Some((bird.broker, bird.reading(now, &self.own)?));
        self.birds.values().filter_map(of).collect()
    }
}

impl Bird {
    /// Whether the last message has returned or is lost, and the next one is due.
    fn is_due(&mut self, now: Instant) -> bool {
        let Some(out) = &self.last else { return true };
        if out.arrived {
            return now >= out.next;
        }
        let patience = if self.heard { PATIENCE } else { IMPATIENCE };
        let lost = now >= out.next && now.saturating_duration_since(out.at) >= patience;
        if lost && self.heard {
            if !out.acknowledged {
                self.produce.push(PATIENCE);
            }
            self.end_to_end.took(out.at, PATIENCE, PATIENCE);
        }
        lost
    }

    fn reading(&self, now: Instant, own: &Own) -> Option<CanaryReading> {
        let out = self.last.as_ref();
        let age = |out: &Out| out.age(now, own);
        let sent = out.filter(|out| !out.acknowledged).map(age);
        let away = out.filter(|out| !out.arrived).map(age);
        Some(CanaryReading {
            produce: self.produce.now(sent),
            end_to_end: self.end_to_end.took.now(away).filter(|_| self.heard)?,
            usual: self.end_to_end.took.usual(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(200);
    const CALM: Duration = Duration::from_millis(6);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Brokers in virtual time, advanced by the millisecond. The sender wakes at its shortest interval.
    struct Sky {
        flock: Flock,
        start: Instant,
        millisecond: u64,
        /// Number, partition, time sent, and time returned.
        out: Vec<(usize, i32, u64, u64)>,
        sent: usize,
    }

    impl Sky {
        fn over(brokers: &[(i32, i32)]) -> Self {
            let mut flock = Flock::new(EVERY);
            flock.watch(&brokers.iter().copied().collect());
            Self { flock, start: Instant::now(), millisecond: 0, out: Vec::new(), sent: 0 }
        }

        fn now(&self) -> Instant {
            self.start + ms(self.millisecond)
        }

        /// Lets time pass. `back` returns when a message sent to a partition at a millisecond returns. Returns how long
        /// the reading of 1001 was above a limit, and when first.
        fn pass(
            &mut self,
            time: Duration,
            above: Duration,
            back: impl Fn(i32, u64) -> Option<u64>,
        ) -> (u64, Option<u64>) {
            let (mut long, mut first) = (0, None);
            let end = self.millisecond + time.as_millis() as u64;
            while self.millisecond < end {
                let (now, millisecond) = (self.now(), self.millisecond);
                if millisecond.is_multiple_of(HURRY.as_millis() as u64) {
                    for (number, partition) in self.flock.send(now, now + HURRY) {
                        self.sent += 1;
                        let back = back(partition, millisecond);
                        self.out.extend(back.map(|back| (number, partition, millisecond, back)));
                    }
                }
                for (number, partition, ..) in self.out.extract_if(.., |out| out.3 <= millisecond) {
                    self.flock.acknowledged(partition, number, now);
                    self.flock.arrived(partition, number, now);
                }
                let reading = self.flock.readings(now).remove(&1001);
                if reading.is_some_and(|reading| reading.end_to_end > above) {
                    long += 1;
                    first = first.or(Some(millisecond));
                }
                self.millisecond += 1;
            }
            (long, first)
        }

        fn is_calm(&mut self, time: Duration) {
            let calm = |_, sent| Some(sent + CALM.as_millis() as u64);
            assert_eq!(self.pass(time, CALM, calm).0, 0);
        }

        fn reading(&self, broker: i32) -> Option<CanaryReading> {
            self.flock.readings(self.now()).remove(&broker)
        }
    }

    #[test]
    fn a_pause_of_a_moment_is_no_overload_whenever_it_comes() {
        for offset in (0..200).step_by(10) {
            let mut sky = Sky::over(&[(1001, 0)]);
            sky.is_calm(ms(10_000));
            let (from, until) = (10_000 + offset, 10_000 + offset + 450);
            let paused = |_, sent: u64| {
                let held = (from..until).contains(&sent);
                Some(if held { until } else { sent } + 6)
            };
            assert_eq!(sky.pass(ms(5_000), ms(15), paused), (0, None), "{offset}");
        }
    }

    /// The kernel stops a container above its CPU limit for most of each tenth of a second.
    #[test]
    fn what_a_message_waits_for_us_is_not_its_brokers() {
        let (mut flock, start) = (Flock::new(EVERY), Instant::now());
        flock.watch(&[(1001, 0)].into());
        let mut now = start;
        for round in 0..500 {
            let stalled = if round >= 300 { ms(80) } else { ms(0) };
            for (number, partition) in flock.send(now, now + HURRY) {
                // The message returns during the stall. The process sees it at the end of the stall, before the sender
                // wakes.
                let heard = now + CALM.max(HURRY + stalled);
                flock.acknowledged(partition, number, heard);
                flock.arrived(partition, number, heard);
            }
            now += HURRY + stalled;
        }
        let reading = flock.readings(now).remove(&1001).unwrap();
        assert!(reading.end_to_end <= HURRY, "{reading:?}");
        assert!(reading.produce <= Some(HURRY), "{reading:?}");
    }

    #[test]
    fn a_queue_that_grows_is_heard_within_a_third_of_a_second() {
        for offset in (0..200).step_by(10) {
            let mut sky = Sky::over(&[(1001, 0)]);
            sky.is_calm(ms(10_000));
            let from = 10_000 + offset;
            // From this moment on, each message waits for 30 ms.
            let queue = |_, sent: u64| Some(sent + 6 + if sent >= from { 30 } else { 0 });
            let (_, first) = sky.pass(ms(2_000), ms(25), queue);
            assert!(first.is_some_and(|first| first <= from + 330), "{offset}: {first:?}");
        }
    }

    #[test]
    fn a_slow_broker_gets_more_messages_until_it_is_known_and_one_at_a_time() {
        let mut sky = Sky::over(&[(1001, 0)]);
        sky.is_calm(ms(10_000));
        assert_eq!(std::mem::take(&mut sky.sent), 50);
        sky.pass(ms(10_000), ms(0), |_, sent| Some(sent + 30));
        assert_eq!(std::mem::take(&mut sky.sent), 52, "the second and the third come sooner");
        sky.pass(ms(10_000), ms(0), |_, sent| Some(sent + 400));
        assert!((22..=25).contains(&sky.sent), "{}", sky.sent);
        assert_eq!(sky.reading(1001).unwrap().usual, Some(CALM), "it is for half an hour");
    }

    #[test]
    fn a_broker_that_does_not_answer_is_slow_before_its_messages_are_lost() {
        let mut sky = Sky::over(&[(1001, 0), (1002, 1)]);
        assert_eq!(sky.reading(1001), None, "nothing has come back");
        sky.is_calm(ms(10_000));
        let calm = CanaryReading { produce: Some(CALM), end_to_end: CALM, usual: Some(CALM) };
        assert_eq!((sky.reading(1001), sky.reading(1002)), (Some(calm), Some(calm)));
        let silent = |partition, sent| (partition == 1).then_some(sent + 6);
        let (_, first) = sky.pass(ms(4_000), ms(50), silent);
        assert_eq!(first, Some(10_500));
        assert_eq!(sky.reading(1002), Some(calm));
        sky.pass(ms(10_000), ms(50), silent);
        assert_eq!(sky.reading(1001).unwrap().produce, Some(PATIENCE));
    }

    #[test]
    fn who_joins_costs_the_others_nothing_that_is_known() {
        let mut sky = Sky::over(&[(1001, 0)]);
        sky.is_calm(ms(10_000));
        let out = sky.flock.send(sky.now(), sky.now() + HURRY);
        sky.flock.watch(&[(1001, 0), (1003, 1)].into());
        assert_eq!(sky.flock.partitions(), (2, vec![0, 1]));
        assert_eq!((out.len(), sky.reading(1001)), (1, None), "they are read anew");
        sky.is_calm(ms(1_000));
        assert_eq!(sky.reading(1001).unwrap().usual, Some(CALM));
        sky.flock.watch(&[(1003, 1)].into());
        assert_eq!(sky.flock.partitions(), (3, vec![1]));
        sky.flock.watch(&[(1003, 1)].into());
        assert_eq!(sky.flock.generation(), 3, "nothing has changed");
        sky.flock.watch(&[(1001, 1)].into());
        assert_eq!(sky.reading(1001), None, "another broker has the partition");
    }

    #[test]
    fn who_is_never_heard_is_asked_each_second_and_heard_however_late() {
        let mut sky = Sky::over(&[(1001, 0)]);
        sky.pass(ms(3_000), ms(0), |_, _| None);
        assert_eq!(sky.sent, 3);
        sky.pass(ms(8_000), ms(0), |_, sent| Some(sent + 1_700));
        assert!(sky.reading(1001).is_some_and(|reading| reading.end_to_end >= ms(1_700)));
    }
}
