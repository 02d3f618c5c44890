//! Rates that stood on brokers while nothing moved: somebody's own, to be put back when all is over.

use execute::{Key, Ledger, Resource, Seen, Setting};
use std::collections::BTreeMap;

/// What was seen in quiet times.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    originals: BTreeMap<Setting, String>,
}

impl Quiet {
    /// Takes in what brokers told, if nothing moves. What the ledger holds is ours, and nobody's original.
    pub(crate) fn learn(&mut self, seen: &Seen, ledger: &Ledger) {
        if seen.running.values().any(|running| !running.adding.is_empty()) {
            return;
        }
        for (resource, set) in &seen.configs {
            let Resource::Broker(_) = resource else { continue };
            for key in Key::OF_BROKERS {
                let setting = Setting { resource: resource.clone(), key };
                match set.get(&key) {
                    Some(value) if ledger.get(&setting).is_none() => {
                        self.originals.insert(setting, value.clone());
                    }
                    Some(_) => {}
                    None => drop(self.originals.remove(&setting)),
                }
            }
        }
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
    use execute::{Running, rate_setting};
    use mapper::{BrokerId, PartitionId, TopicPartition};

    #[test]
    fn only_what_stands_while_nothing_moves_is_an_original() {
        let rate = rate_setting(BrokerId(1), Key::LeaderRate);
        let mut seen = seen_of("t", Vec::new());
        let set = |value: &str| [(Key::LeaderRate, value.to_owned())].into();
        seen.configs.insert(rate.resource.clone(), set("7"));
        let mut quiet = Quiet::default();
        quiet.learn(&seen, &Ledger::default());
        assert_eq!(quiet.originals()[&rate], "7");
        seen.configs.insert(rate.resource.clone(), set("8"));
        let of = TopicPartition { topic: "t".to_owned(), partition: PartitionId(0) };
        seen.running.insert(of, Running { target: ids(&[1, 2]), adding: ids(&[2]) });
        quiet.learn(&seen, &Ledger::default());
        assert_eq!(
            quiet.originals()[&rate],
            "7",
            "whoever began the move may have set it for the move"
        );
    }
}
