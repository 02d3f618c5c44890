//! Rates that brokers had while nothing moved: an operator's original values, restored at the end.
//!
//! An execution sets its rate some seconds before its first move begins. So a rate that appears while we watch counts
//! as an operator's only after a while. A rate from before our first look always does, with one exception: moves that
//! no ledger lists have ended since. An execution removes its rate some seconds after its last move.

use execute::{Key, Ledger, Seen, Setting, ThrottleResource};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// An execution never sets its rate this long before its first move.
const SETTLED: Duration = Duration::from_secs(60);

/// The rates seen while nothing moved.
#[derive(Debug, Clone, Default)]
pub struct Quiet {
    originals: BTreeMap<Setting, String>,
    /// The brokers whose configs were seen before.
    known: BTreeSet<ThrottleResource>,
    /// The rates that have appeared, and when they were first seen. As all times here, since any fixed moment.
    young: BTreeMap<Setting, (String, Duration)>,
    /// Moves ran that no ledger lists: their throttle may still be set.
    unsettled: bool,
    /// Since when nothing moves, if that counts.
    calm: Option<Duration>,
}

impl Quiet {
    /// Whether a new value would now count as an operator's original.
    pub fn would_settle(&self, seen: &Seen, ledger: &Ledger, now: Duration) -> bool {
        let mut next = self.clone();
        next.learn(seen, ledger, now);
        next.originals.iter().any(|(setting, value)| self.originals.get(setting) != Some(value))
    }

    /// Learns the brokers' rates if nothing moves. Rates in the ledger are ours, rates of other ledgers are theirs.
    /// Neither counts as an original value.
    pub fn learn(&mut self, seen: &Seen, ledger: &Ledger, now: Duration) {
        if seen.copied().next().is_some() {
            // The tool that began the move may have set it for the move.
            self.young.clear();
            self.calm = None;
            return;
        }
        let calm = *self.calm.get_or_insert(now);
        self.unsettled &= now - calm < SETTLED;
        for (resource, set) in &seen.configs {
            let ThrottleResource::Broker(_) = resource else { continue };
            for key in Key::OF_BROKERS {
                let setting = Setting { resource: resource.clone(), key };
                match set.get(&key) {
                    Some(value) if seen.others.may_have_set(&setting, &value.as_str().into()) => {
                        self.young.insert(setting, (value.to_owned(), now));
                    }
                    Some(value) if ledger.get(&setting).is_none() => {
                        self.learn_of(setting, value, now);
                    }
                    Some(_) => {}
                    None => {
                        self.originals.remove(&setting);
                        self.young.remove(&setting);
                    }
                }
            }
            self.known.insert(resource.clone());
        }
    }

    fn learn_of(&mut self, setting: Setting, value: &str, now: Duration) {
        let since = match self.young.get(&setting) {
            Some((young, since)) if young == value => *since,
            Some(_) | None => now,
        };
        let is_first = !self.known.contains(&setting.resource) && !self.unsettled;
        let settled = is_first || now - since >= SETTLED;
        let same = self.originals.get(&setting).is_some_and(|original| original == value);
        if settled || same {
            self.young.remove(&setting);
            self.originals.insert(setting, value.to_owned());
        } else {
            self.young.insert(setting, (value.to_owned(), since));
        }
    }

    /// Notes moves that no ledger lists, under a throttle that we found.
    pub fn unsettle(&mut self) {
        self.unsettled = true;
        self.calm = None;
    }

    /// Whether their throttle may still be set although nothing moves.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// The rates of the original values, by config.
    pub fn originals(&self) -> &BTreeMap<Setting, String> {
        &self.originals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ids, seen_of};
    use execute::{Others, Running, rate_setting};
    use mapper::{BrokerId, PartitionId, TopicPartition};

    #[test]
    fn only_what_stands_while_nothing_moves_is_an_original() {
        let rate = rate_setting(BrokerId(1), Key::LeaderRate);
        let mut seen = seen_of("t", Vec::new());
        let set = |value: &str| [(Key::LeaderRate, value.to_owned())].into();
        seen.configs.insert(rate.resource.clone(), set("7"));
        let (mut quiet, now) = (Quiet::default(), Duration::ZERO);
        quiet.learn(&seen, &Ledger::default(), now);
        assert_eq!(quiet.originals()[&rate], "7");
        seen.configs.insert(rate.resource.clone(), set("8"));
        let of = TopicPartition { topic: "t".to_owned(), partition: PartitionId(0) };
        seen.running.insert(of, Running { target: ids(&[1, 2]), adding: ids(&[2]) });
        quiet.learn(&seen, &Ledger::default(), now);
        assert_eq!(
            quiet.originals()[&rate],
            "7",
            "whoever began the move may have set it for the move"
        );
    }

    #[test]
    fn a_rate_that_an_execution_sets_before_its_first_move_is_no_original() {
        let rate = rate_setting(BrokerId(1), Key::LeaderRate);
        let (mut quiet, start) = (Quiet::default(), Duration::ZERO);
        let mut look = |value: &[&str], seconds| {
            let mut seen = seen_of("t", Vec::new());
            let set = value.iter().map(|value| (Key::LeaderRate, (*value).to_owned()));
            seen.configs.insert(rate.resource.clone(), set.collect());
            quiet.learn(&seen, &Ledger::default(), start + Duration::from_secs(seconds));
            quiet.originals().get(&rate).cloned()
        };
        let original = |value: &str| Some(value.to_owned());
        assert_eq!(look(&[], 0), None);
        assert_eq!(look(&["10"], 30), None, "it has just appeared");
        assert_eq!(look(&["11"], 80), None, "another one, which has just appeared");
        assert_eq!(look(&["11"], 139), None);
        assert_eq!(look(&["11"], 140), original("11"), "it has stood for a minute");
        assert_eq!(look(&["12"], 150), original("11"), "what stood there before is known");
        assert_eq!(look(&["11"], 160), original("11"));
        assert_eq!(look(&["12"], 211), original("11"), "it began anew");
        assert_eq!(look(&[], 300), None);
    }

    #[test]
    fn what_an_execution_accounts_for_is_no_original_however_long_it_stands() {
        let rate = rate_setting(BrokerId(1), Key::LeaderRate);
        let (mut quiet, now, ledger) = (Quiet::default(), Duration::ZERO, Ledger::default());
        let mut seen = seen_of("t", Vec::new());
        let set = [(Key::LeaderRate, "7".to_owned())].into();
        seen.configs.insert(rate.resource.clone(), set);
        assert!(quiet.would_settle(&seen, &ledger, now), "it has to be asked for");
        seen.others = Others::Known([(rate.clone(), ["7".into()].into())].into());
        quiet.learn(&seen, &ledger, now);
        assert!(quiet.originals().is_empty());
        let later = now + SETTLED;
        seen.others = Others::None;
        assert!(quiet.would_settle(&seen, &ledger, later), "and again, before it would be one");
        quiet.learn(&seen, &ledger, later);
        assert_eq!(quiet.originals()[&rate], "7");
        assert!(!quiet.would_settle(&seen, &ledger, later + SETTLED), "once is enough");
    }

    #[test]
    fn what_stands_when_moves_of_others_have_just_ended_is_no_original() {
        let rate = rate_setting(BrokerId(1), Key::LeaderRate);
        let (mut quiet, start) = (Quiet::default(), Duration::ZERO);
        quiet.unsettle();
        let mut look = |value: &str, seconds| {
            let mut seen = seen_of("t", Vec::new());
            let set = [(Key::LeaderRate, value.to_owned())].into();
            seen.configs.insert(rate.resource.clone(), set);
            quiet.learn(&seen, &Ledger::default(), start + Duration::from_secs(seconds));
            (quiet.originals().get(&rate).cloned(), quiet.is_unsettled())
        };
        assert_eq!(look("10", 0), (None, true), "whoever set it is about to take it away");
        assert_eq!(look("7", 1), (None, true));
        assert_eq!(look("7", 60), (None, false));
        assert_eq!(look("7", 61), (Some("7".to_owned()), false));
    }
}
