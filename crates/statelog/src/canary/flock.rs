//! Which messages are out, and what those that came back took. Reads no clock.

use super::Reading;
use super::window::Window;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// After so long a message counts as lost, and as having taken so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The messages to all brokers.
#[derive(Debug, Default)]
pub(super) struct Flock {
    /// Another one whenever other partitions are to be read.
    generation: u64,
    sent: usize,
    birds: BTreeMap<i32, Bird>,
    forbidden: Option<String>,
}

/// The messages to one broker.
#[derive(Debug, Default)]
struct Bird {
    partition: i32,
    /// One has come back since the partition is read: from now on, one that does not is late.
    heard: bool,
    out: BTreeMap<usize, Out>,
    produce: Window,
    end_to_end: Window,
}

#[derive(Debug)]
struct Out {
    at: Instant,
    acknowledged: bool,
    arrived: bool,
}

impl Flock {
    /// Goes to these brokers, by their partitions, and to no others. What is known of those that stay is kept.
    pub(super) fn watch(&mut self, partitions: &BTreeMap<i32, i32>) {
        let same = partitions.len() == self.birds.len()
            && partitions
                .iter()
                .all(|(id, p)| self.birds.get(id).is_some_and(|b| b.partition == *p));
        if same {
            return;
        }
        self.generation += 1;
        let mut before = std::mem::take(&mut self.birds);
        for (id, partition) in partitions {
            let known = before.remove(id).filter(|bird| bird.partition == *partition);
            // Who reads begins anew, at the ends: what is on its way may never be read.
            let bird = Bird { heard: false, out: BTreeMap::new(), ..known.unwrap_or_default() };
            self.birds.insert(*id, Bird { partition: *partition, ..bird });
        }
    }

    /// Which partitions are to be read, and since which change.
    pub(super) fn partitions(&self) -> (u64, Vec<i32>) {
        (self.generation, self.birds.values().map(|bird| bird.partition).collect())
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// One message more to each broker: their numbers, and the partitions.
    pub(super) fn send(&mut self, now: Instant) -> Vec<(usize, i32)> {
        let mut new = Vec::with_capacity(self.birds.len());
        for bird in self.birds.values_mut() {
            bird.give_up(now);
            bird.out.insert(self.sent, Out { at: now, acknowledged: false, arrived: false });
            new.push((self.sent, bird.partition));
            self.sent += 1;
        }
        new
    }

    /// The broker has it.
    pub(super) fn acknowledged(&mut self, number: usize, now: Instant) {
        self.forbidden = None;
        let Some(bird) = self.birds.values_mut().find(|bird| bird.out.contains_key(&number)) else {
            return;
        };
        if let Some(out) = bird.out.get_mut(&number) {
            out.acknowledged = true;
            bird.produce.push(now.saturating_duration_since(out.at));
        }
        bird.forget(number);
    }

    /// It has come back.
    pub(super) fn arrived(&mut self, number: usize, now: Instant) {
        let Some(bird) = self.birds.values_mut().find(|bird| bird.out.contains_key(&number)) else {
            return;
        };
        bird.heard = true;
        if let Some(out) = bird.out.get_mut(&number) {
            out.arrived = true;
            bird.end_to_end.push(now.saturating_duration_since(out.at));
        }
        bird.forget(number);
    }

    /// A right is missing.
    pub(super) fn forbidden(&mut self, why: String) {
        self.forbidden = Some(why);
    }

    pub(super) fn is_forbidden(&self) -> Option<String> {
        self.forbidden.clone()
    }

    /// What it is like at this moment, of each broker from which messages come back.
    pub(super) fn readings(&self, now: Instant) -> BTreeMap<i32, Reading> {
        self.birds.iter().filter_map(|(id, bird)| Some((*id, bird.reading(now)?))).collect()
    }
}

impl Bird {
    /// Those that are out for too long are lost.
    fn give_up(&mut self, now: Instant) {
        let late = |out: &Out| now.saturating_duration_since(out.at) >= PATIENCE;
        for (_, lost) in self.out.extract_if(.., |_, out| late(out)) {
            if self.heard && !lost.acknowledged {
                self.produce.push(PATIENCE);
            }
            if self.heard && !lost.arrived {
                self.end_to_end.push(PATIENCE);
            }
        }
    }

    fn forget(&mut self, number: usize) {
        if self.out.get(&number).is_some_and(|out| out.acknowledged && out.arrived) {
            self.out.remove(&number);
        }
    }

    fn reading(&self, now: Instant) -> Option<Reading> {
        let out = self.out.values().filter(|_| self.heard);
        let age = |out: &Out| now.saturating_duration_since(out.at);
        let sent = out.clone().filter(|out| !out.acknowledged).map(age);
        let away = out.filter(|out| !out.arrived).map(age);
        Some(Reading {
            produce: self.produce.now(sent),
            end_to_end: self.end_to_end.now(away).filter(|_| self.heard)?,
            usual: self.end_to_end.usual(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// One message each second that takes so long, out and back.
    fn fly(flock: &mut Flock, start: Instant, seconds: std::ops::Range<u64>, took: Duration) {
        for second in seconds {
            let at = start + Duration::from_secs(second);
            for (number, _) in flock.send(at) {
                flock.acknowledged(number, at + took / 2);
                flock.arrived(number, at + took);
            }
        }
    }

    #[test]
    fn a_broker_that_does_not_answer_is_slow_before_its_messages_are_lost() {
        let (mut flock, start) = (Flock::default(), Instant::now());
        flock.watch(&[(1001, 0), (1002, 1)].into());
        assert_eq!(flock.readings(start), BTreeMap::new(), "nothing has come back");
        fly(&mut flock, start, 0..40, ms(6));
        let now = start + Duration::from_secs(40);
        let calm = Reading { produce: Some(ms(3)), end_to_end: ms(6), usual: Some(ms(6)) };
        assert_eq!(flock.readings(now), [(1001, calm), (1002, calm)].into());

        let silent = |flock: &mut Flock, second| {
            let at = start + Duration::from_secs(second);
            for (number, partition) in flock.send(at) {
                if partition == 0 {
                    flock.acknowledged(number, at + ms(3));
                    flock.arrived(number, at + ms(6));
                }
            }
        };
        (40..43).for_each(|second| silent(&mut flock, second));
        let slow = flock.readings(start + ms(42_500));
        assert_eq!(slow[&1001], calm);
        assert_eq!((slow[&1002].end_to_end, slow[&1002].usual), (ms(1500), Some(ms(6))));
        (43..60).for_each(|second| silent(&mut flock, second));
        assert_eq!(flock.readings(start + ms(59_500))[&1002].produce, Some(PATIENCE));
    }

    #[test]
    fn who_joins_costs_the_others_nothing_that_is_known() {
        let (mut flock, start) = (Flock::default(), Instant::now());
        flock.watch(&[(1001, 0)].into());
        fly(&mut flock, start, 0..30, ms(6));
        let out = flock.send(start + Duration::from_secs(30));
        flock.watch(&[(1001, 0), (1003, 1)].into());
        assert_eq!(flock.partitions(), (2, vec![0, 1]));
        flock.arrived(out[0].0, start + Duration::from_secs(39));
        let now = start + Duration::from_secs(40);
        assert_eq!(flock.readings(now), BTreeMap::new(), "they are read anew");
        fly(&mut flock, start, 40..41, ms(6));
        assert_eq!(flock.readings(now)[&1001].usual, Some(ms(6)));
        flock.watch(&[(1003, 1)].into());
        assert_eq!(flock.partitions(), (3, vec![1]));
        flock.watch(&[(1003, 1)].into());
        assert_eq!(flock.generation(), 3, "nothing has changed");
    }
}
