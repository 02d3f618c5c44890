//! `--zookeeper`: overrides in the znodes of kafka-kit's autothrottle, the ledger next to them, and a lock that ends
//! with the session.
//!
//! Any client may change `/<prefix>/override_rate[/<id>]`; each round reads them. `/<prefix>/ledger/...` has a znode
//! for each config that is ours. `/<prefix>/lock` names the daemon that acts. A config that Kafka accepts fits into a
//! record, because both have the same limit.

use super::{Leader, Place};
use crate::error::Error;
use execute::{Ledger, LedgerEntry, RequestedRate};
use futures::FutureExt;
use futures::future::BoxFuture;
use mapper::BrokerId;
use operate::marks::line::{name, read_all, written};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;
use zookeeper::{Address, Deadlines, Guarded, StoredOverride, ZooKeeper, override_path};

/// How often a waiting daemon asks which one leads.
const LOOK: Duration = Duration::from_secs(2);
/// The record of who has had the ledger.
const OWNER: &str = "owner";

type Overrides = BTreeMap<Option<BrokerId>, RequestedRate>;

/// A prefix of one ensemble.
#[derive(Debug)]
pub(crate) struct ZooKeeperPlace {
    address: Address,
    prefix: String,
    /// Who waits for its turn; others are turned away.
    waits: bool,
    leader: Leader,
    taken: Option<Taken>,
}

#[derive(Debug)]
struct Taken {
    zookeeper: ZooKeeper,
    guarded: Guarded,
    /// As they were read or written last.
    overrides: Overrides,
}

impl ZooKeeperPlace {
    pub(crate) fn at(address: Address, prefix: &str, waits: bool) -> Self {
        let prefix = prefix.trim_matches('/').to_owned();
        Self { address, prefix, waits, leader: Leader::default(), taken: None }
    }

    fn folder(&self, name: &str) -> String {
        format!("/{}/{name}", self.prefix)
    }

    async fn taking(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        // A session that is over never comes back, so each attempt has a new one.
        self.taken = None;
        let zookeeper = ZooKeeper::connect(&self.address, Deadlines::default()).await?;
        let lock = self.folder("lock");
        let by = self.us();
        if !self.waits
            && let Some(by) = zookeeper.holder(&lock).await?
        {
            return Err(Error::Held { place: self.name(), by });
        }
        let guarded = tokio::select! {
            guarded = zookeeper.guard(&lock, &by) => guarded?,
            never = hears(&zookeeper, &lock, &self.leader) => match never {},
        };
        let mut entries = ledger(&zookeeper, &self.folder("ledger")).await?;
        let overrides = overrides(&zookeeper, &self.prefix).await?;
        entries.extend(changes(&Overrides::new(), &overrides));
        self.taken = Some(Taken { zookeeper, guarded, overrides });
        Ok(entries)
    }

    fn taken(&mut self) -> Result<&mut Taken, Error> {
        let name = self.name();
        self.taken.as_mut().ok_or_else(|| Error::lost(&name, "it is not taken"))
    }

    /// The znodes that these lines change.
    fn znodes(&self, new: &[LedgerEntry], all: &Ledger) -> BTreeMap<String, Option<Vec<u8>>> {
        let mut znodes = BTreeMap::new();
        for entry in new {
            let (path, data) = match entry {
                LedgerEntry::Opened { .. } => (self.record(OWNER), Some(written(entry))),
                LedgerEntry::Held { setting, .. } | LedgerEntry::Released { setting } => {
                    let held = all.get(setting).map(|held| held.line(setting));
                    (self.record(&name(setting)), held.as_ref().map(written))
                }
                LedgerEntry::Asked { broker, .. } | LedgerEntry::Withdrawn { broker } => {
                    let asked = all.asked().get(broker).map(stored);
                    let data = match (broker, asked) {
                        // The folder of the others.
                        (None, asked) => Some(StoredOverride::to_znode(asked)),
                        (Some(_), Some(asked)) => Some(StoredOverride::to_znode(Some(asked))),
                        (Some(_), None) => None,
                    };
                    (override_path(&self.prefix, *broker), data)
                }
            };
            znodes.insert(path, data);
        }
        znodes
    }

    fn record(&self, name: &str) -> String {
        format!("{}/{name}", self.folder("ledger"))
    }

    async fn keeping(&mut self, new: &[LedgerEntry], all: &Ledger) -> Result<(), Error> {
        let znodes = self.znodes(new, all);
        let taken = self.taken()?;
        taken.guarded.write(&znodes).await?;
        taken.overrides.clone_from(all.asked());
        Ok(())
    }

    async fn telling(&mut self) -> Result<Vec<LedgerEntry>, Error> {
        let prefix = self.prefix.clone();
        let taken = self.taken()?;
        let now = overrides(&taken.zookeeper, &prefix).await?;
        let changes = changes(&taken.overrides, &now);
        taken.overrides = now;
        Ok(changes)
    }
}

impl Place for ZooKeeperPlace {
    fn name(&self) -> String {
        format!("zookeeper {}, /{}", self.address.servers().join(","), self.prefix)
    }

    fn leader(&self) -> Leader {
        self.leader.clone()
    }

    fn take(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        self.taking().boxed()
    }

    fn keep<'a>(
        &'a mut self,
        new: &'a [LedgerEntry],
        all: &'a Ledger,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.keeping(new, all).boxed()
    }

    fn hold(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        async { Ok(self.taken()?.guarded.check().await?) }.boxed()
    }

    fn news(&mut self) -> BoxFuture<'_, Result<Vec<LedgerEntry>, Error>> {
        self.telling().boxed()
    }
}

/// Tells who has the lock for as long as it is waited for; never ends.
async fn hears(zookeeper: &ZooKeeper, lock: &str, leader: &Leader) -> Infallible {
    loop {
        // What is wrong with the session, the wait for the lock says.
        if let Ok(Some(holder)) = zookeeper.holder(lock).await {
            leader.is(&holder);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What is written there, without taking it.
pub(crate) async fn glance(address: &Address, prefix: &str) -> Result<Vec<LedgerEntry>, Error> {
    let zookeeper = ZooKeeper::connect(address, Deadlines::default()).await?;
    let prefix = prefix.trim_matches('/');
    let mut entries = ledger(&zookeeper, &format!("/{prefix}/ledger")).await?;
    entries.extend(changes(&Overrides::new(), &overrides(&zookeeper, prefix).await?));
    Ok(entries)
}

async fn overrides(zookeeper: &ZooKeeper, prefix: &str) -> Result<Overrides, Error> {
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

/// The lines that make one of the other.
fn changes(before: &Overrides, now: &Overrides) -> Vec<LedgerEntry> {
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

async fn ledger(zookeeper: &ZooKeeper, folder: &str) -> Result<Vec<LedgerEntry>, Error> {
    let lines = read_all(&zookeeper.records(folder).await?);
    lines.map_err(|(name, unread)| Error::Record {
        path: format!("{folder}/{name}"),
        problem: unread.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use execute::{Key, rate_setting};
    use mapper::Rate;
    use operate::marks::line::read;

    fn place() -> ZooKeeperPlace {
        ZooKeeperPlace::at("localhost:2181".parse().unwrap(), "/autothrottle/", true)
    }

    fn held(ours: &str) -> LedgerEntry {
        LedgerEntry::Held {
            setting: rate_setting(BrokerId(1001), Key::LeaderRate),
            before: Some("7".to_owned()),
            found: None,
            ours: [ours.into()].into(),
            met: [].into(),
            owner: "p".to_owned().into(),
        }
    }

    #[test]
    fn a_config_has_one_znode_with_all_that_is_known_of_it() {
        let new = vec![held("20")];
        let all = Ledger::replay([held("10"), held("20")]);
        let znodes = place().znodes(&new, &all);
        let path = "/autothrottle/ledger/broker:1001:leader.replication.throttled.rate";
        let data = znodes[path].as_ref().unwrap();
        let again = Ledger::replay([read(data).unwrap()]);
        assert_eq!(again.held().collect::<Vec<_>>(), all.held().collect::<Vec<_>>());

        let setting = rate_setting(BrokerId(1001), Key::LeaderRate);
        let released = vec![LedgerEntry::Released { setting }];
        let znodes = place().znodes(&released, &Ledger::default());
        assert_eq!(znodes[path], None);
    }

    #[test]
    fn overrides_stand_where_the_daemon_of_old_had_them() {
        let asked = RequestedRate { rate_bytes_per_second: Rate(50_000_000), autoremove: true };
        let of = |broker| LedgerEntry::Asked { broker, asked };
        let new = vec![of(None), of(Some(BrokerId(1001)))];
        let znodes = place().znodes(&new, &Ledger::replay(new.clone()));
        let text = Some(br#"{"rate":50,"autoremove":true}"#.to_vec());
        assert_eq!(znodes["/autothrottle/override_rate"], text);
        assert_eq!(znodes["/autothrottle/override_rate/1001"], text);
        let gone: Vec<LedgerEntry> =
            [None, Some(BrokerId(1001))].map(|broker| LedgerEntry::Withdrawn { broker }).into();
        let znodes = place().znodes(&gone, &Ledger::default());
        assert!(znodes["/autothrottle/override_rate"].is_some(), "it is the folder of the others");
        assert_eq!(znodes["/autothrottle/override_rate/1001"], None);
    }

    #[test]
    fn what_others_change_comes_as_lines() {
        let asked = |rate| RequestedRate { rate_bytes_per_second: Rate(rate), autoremove: false };
        let before = Overrides::from([(None, asked(1)), (Some(BrokerId(1)), asked(2))]);
        let now = Overrides::from([(None, asked(3))]);
        let expected = vec![
            LedgerEntry::Withdrawn { broker: Some(BrokerId(1)) },
            LedgerEntry::Asked { broker: None, asked: asked(3) },
        ];
        assert_eq!(changes(&before, &now), expected);
        assert_eq!(changes(&now, &now), []);
    }
}
