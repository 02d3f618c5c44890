//! Overrides in the znodes of kafka-kit's autothrottle: `/PREFIX/override_rate[/ID]`. Any client may change them, and each
//! round reads them.

use crate::error::Error;
use ::zookeeper::{Guarded, StoredOverride, ZooKeeper, override_path};
use execute::{LedgerEntry, RequestedRate};
use mapper::BrokerId;
use std::collections::BTreeMap;

/// Overrides of all brokers that copy (`None`), and of single brokers.
pub(super) type Overrides = BTreeMap<Option<BrokerId>, RequestedRate>;

/// Reads the overrides of this prefix.
pub(super) async fn read(zookeeper: &ZooKeeper, prefix: &str) -> Result<Overrides, Error> {
    let found = zookeeper.overrides(prefix).await?;
    for (path, wrong) in &found.unusable {
        tracing::warn!(path, %wrong, "skipped an override that makes no sense");
    }
    let asked = |stored: StoredOverride| RequestedRate {
        rate_bytes_per_second: stored.rate_bytes_per_second,
        autoremove: stored.autoremove,
    };
    Ok(found.asked.into_iter().map(|(broker, stored)| (broker, asked(stored))).collect())
}

/// Writes the znodes that differ.
pub(super) async fn write(
    guarded: &Guarded,
    prefix: &str,
    before: &Overrides,
    now: &Overrides,
) -> Result<(), Error> {
    Ok(guarded.write(&znodes(prefix, before, now)).await?)
}

fn znodes(prefix: &str, before: &Overrides, now: &Overrides) -> BTreeMap<String, Option<Vec<u8>>> {
    let data = |broker: &Option<BrokerId>| match (broker, now.get(broker).map(stored)) {
        // The folder of the others stays.
        (None, asked) => Some(StoredOverride::to_znode(asked)),
        (Some(_), asked) => asked.map(|asked| StoredOverride::to_znode(Some(asked))),
    };
    let brokers = before.keys().chain(now.keys());
    let changed = brokers.filter(|broker| before.get(broker) != now.get(broker));
    changed.map(|broker| (override_path(prefix, *broker), data(broker))).collect()
}

/// The lines that turn one into the other.
pub(super) fn lines(before: &Overrides, now: &Overrides) -> Vec<LedgerEntry> {
    let gone = before.keys().filter(|broker| !now.contains_key(broker));
    let gone = gone.map(|broker| LedgerEntry::Withdrawn { broker: *broker });
    let new = now.iter().filter(|(broker, asked)| before.get(broker) != Some(asked));
    let new = new.map(|(broker, asked)| LedgerEntry::Asked { broker: *broker, asked: *asked });
    gone.chain(new).collect()
}

fn stored(asked: &RequestedRate) -> StoredOverride {
    let RequestedRate { rate_bytes_per_second, autoremove } = *asked;
    StoredOverride { rate_bytes_per_second, autoremove }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapper::Rate;

    fn asked(rate: u64, autoremove: bool) -> RequestedRate {
        RequestedRate { rate_bytes_per_second: Rate(rate), autoremove }
    }

    #[test]
    fn overrides_stand_where_the_daemon_of_old_had_them() {
        let asked = asked(50_000_000, true);
        let now = Overrides::from([(None, asked), (Some(BrokerId(1001)), asked)]);
        let (none, prefix) = (Overrides::new(), "autothrottle");
        let written = znodes(prefix, &none, &now);
        let text = Some(br#"{"rate":50,"autoremove":true}"#.to_vec());
        assert_eq!(written["/autothrottle/override_rate"], text);
        assert_eq!(written["/autothrottle/override_rate/1001"], text);
        assert!(znodes(prefix, &now, &now).is_empty());
        let gone = znodes(prefix, &now, &none);
        assert!(gone["/autothrottle/override_rate"].is_some(), "it is the folder of the others");
        assert_eq!(gone["/autothrottle/override_rate/1001"], None);
    }

    #[test]
    fn what_others_change_comes_as_lines() {
        let asked = |rate| asked(rate, false);
        let before = Overrides::from([(None, asked(1)), (Some(BrokerId(1)), asked(2))]);
        let now = Overrides::from([(None, asked(3))]);
        let expected = vec![
            LedgerEntry::Withdrawn { broker: Some(BrokerId(1)) },
            LedgerEntry::Asked { broker: None, asked: asked(3) },
        ];
        assert_eq!(lines(&before, &now), expected);
        assert_eq!(lines(&now, &now), []);
    }
}
