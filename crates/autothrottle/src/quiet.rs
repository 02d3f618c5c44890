//! Rates that stood on brokers while nothing moved: somebody's own, to be put back when all is over.
//!
//! An execution sets its rate some seconds before its first move begins, when nothing moves yet. So what appears under our
//! eyes is somebody's own only when it has stood for a while; what stood there when we first looked always is, unless moves
//! that nobody accounts for have ended since: an execution takes its rate away some seconds after its last move.

use execute::{Key, Ledger, Resource, Seen, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// No execution has its rate there for so long before something moves.
const SETTLED: Duration = Duration::from_secs(60);

/// What was seen in quiet times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quiet {
    originals: BTreeMap<Setting, String>,
    /// Whose configs were seen before.
    known: BTreeSet<Resource>,
    /// What has appeared, and when it was first seen.
    young: BTreeMap<Setting, (String, Instant)>,
    /// Moves ran that nobody accounts for: what paced them may stand yet.
    unsettled: bool,
    /// Since when nothing moves, where that counts.
    calm: Option<Instant>,
}

impl Quiet {
    /// Whether something would count as somebody's own that did not before.
    pub(crate) fn would_settle(&self, seen: &Seen, ledger: &Ledger, now: Instant) -> bool {
        let mut next = self.clone();
        next.learn(seen, ledger, now);
        next.originals.iter().any(|(setting, value)| self.originals.get(setting) != Some(value))
    }

    /// Takes in what brokers told, if nothing moves. What the ledger holds is ours, what others account for is theirs, and
    /// neither anybody's original.
    pub(crate) fn learn(&mut self, seen: &Seen, ledger: &Ledger, now: Instant) {
        if seen.copied().next().is_some() {
            // Whoever began the move may have set it for the move.
            self.young.clear();
            self.calm = None;
            return;
        }
        let calm = *self.calm.get_or_insert(now);
        self.unsettled &= now - calm < SETTLED;
        for (resource, set) in &seen.configs {
            let Resource::Broker(_) = resource else { continue };
            for key in Key::OF_BROKERS {
                let setting = Setting { resource: resource.clone(), key };
                match set.get(&key) {
                    Some(value) if seen.others.may_have_set(&setting, value) => {
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

    fn learn_of(&mut self, setting: Setting, value: &str, now: Instant) {
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

    /// Moves run that nobody accounts for, under a throttle that we have met.
    pub(crate) fn unsettle(&mut self) {
        self.unsettled = true;
        self.calm = None;
    }

    /// Whether what paced them may stand yet, though nothing moves.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// By config.
    pub(crate) fn originals(&self) -> &BTreeMap<Setting, String> {
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
        let (mut quiet, now) = (Quiet::default(), Instant::now());
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
        let (mut quiet, start) = (Quiet::default(), Instant::now());
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
        let (mut quiet, now, ledger) = (Quiet::default(), Instant::now(), Ledger::default());
        let mut seen = seen_of("t", Vec::new());
        let set = [(Key::LeaderRate, "7".to_owned())].into();
        seen.configs.insert(rate.resource.clone(), set);
        assert!(quiet.would_settle(&seen, &ledger, now), "it has to be asked for");
        seen.others = Others::Known([(rate.clone(), ["7".to_owned()].into())].into());
        quiet.learn(&seen, &ledger, now);
        assert!(quiet.originals().is_empty());
        let later = now + SETTLED;
        seen.others = Others::Nobody;
        assert!(quiet.would_settle(&seen, &ledger, later), "and again, before it would be one");
        quiet.learn(&seen, &ledger, later);
        assert_eq!(quiet.originals()[&rate], "7");
        assert!(!quiet.would_settle(&seen, &ledger, later + SETTLED), "once is enough");
    }

    #[test]
    fn what_stands_when_moves_of_others_have_just_ended_is_no_original() {
        let rate = rate_setting(BrokerId(1), Key::LeaderRate);
        let (mut quiet, start) = (Quiet::default(), Instant::now());
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
