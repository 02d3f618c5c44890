//! Makes one broker read its keystores and truststores again. It trusts only what new handshakes show.
//!
//! Kafka's behaviour, by experiment (3.9 with ZooKeeper, 4.3 with KRaft; a live test checks it):
//!
//! - Any change of a broker's own configs makes the broker check whether its store files have changed.
//! - With ZooKeeper, the broker reloads before it answers, and refuses a store that it cannot use.
//! - With KRaft, the broker answers first and reloads a moment later. Only its log shows a refusal.
//! - Each network thread reloads separately. After a refusal, the old store stays in service.

use super::goal::Goal;
use super::listeners::{Listener, listeners};
use super::look::PATIENCE;
use crate::error::Error;
use kafka::admin::{BrokerConfig, ConfigChange, ConfigResource, NoAnswer};
use kafka::certificates::{Served, Trust, served};
use kafka::{Address, Client};
use mapper::BrokerId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The time limit for one change of a broker's configs, and for a rollback to show in handshakes.
const ALTERING: Duration = Duration::from_secs(15);
/// The pause between two checks of a listener that has not changed yet.
const PAUSE: Duration = Duration::from_secs(1);
/// Checks after which the change is sent again: the kubelet brings a changed Secret to a pod only after about a
/// minute.
const ASK_AGAIN: u32 = 5;

/// A broker that is to read its stores again.
#[derive(Debug)]
pub struct Target {
    /// Its id: the resource name of its dynamic configs.
    pub broker: BrokerId,
    /// Its TLS listeners; only those that the operator named, if any.
    pub listeners: Vec<Listener>,
    configs: BTreeMap<String, BrokerConfig>,
}

/// The serial numbers of one listener's certificate before and after the reload.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Changed {
    /// Its name in `listener.security.protocol.map`.
    pub listener: String,
    /// Serial number in hex before the reload; empty if no certificate was served.
    pub was: String,
    /// Serial number in hex after the reload; empty if no certificate was served.
    pub now: String,
}

/// Why a broker has not reached the goal.
#[derive(Debug)]
pub struct Failed {
    /// What Kafka refused, or how a listener differs from the goal.
    pub why: String,
    /// The state of its listeners since then: unchanged, rolled back or unknown.
    pub since: String,
}

/// New store files, as paths on the broker.
#[derive(Debug, Clone, Default)]
pub struct NewStores {
    /// New `ssl.keystore.location`, with `{id}` for the broker id; `None`: unchanged.
    pub keystore: Option<String>,
    /// New `ssl.truststore.location`, with `{id}` for the broker id; `None`: unchanged.
    pub truststore: Option<String>,
}

impl Target {
    /// Reads a broker's TLS listeners; only those with these names, if any are given.
    pub async fn of(
        client: &Client,
        broker: BrokerId,
        host: &Address,
        names: &[String],
    ) -> Result<Self, Error> {
        let configs = client.broker_configs(broker, PATIENCE).await?;
        let mut listeners = listeners(&configs, &host.host);
        listeners.retain(|one| {
            names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(&one.name))
        });
        Ok(Self { broker, listeners, configs })
    }

    /// The result of a handshake with each of its listeners.
    pub async fn look(&self, trust: &Trust) -> Result<Vec<Served>, String> {
        let mut all = Vec::new();
        for one in &self.listeners {
            let seen = served(&one.address, Some(trust), PATIENCE).await;
            all.push(seen.map_err(|error| format!("{} at {}: {error}", one.name, one.address))?);
        }
        Ok(all)
    }

    /// A config of a listener: its own value, otherwise the value for all listeners.
    pub fn config(&self, listener: &str, key: &str) -> Option<&str> {
        let own = format!("{}{key}", prefix(listener));
        let found = self.configs.get(&own).or_else(|| self.configs.get(key));
        found.and_then(|config| config.value.as_deref())
    }

    /// Makes the broker read its stores again, or switch to other files. Waits until every network thread of every
    /// listener shows the goal. If one does not, the old location is restored.
    pub async fn reload(
        &self,
        client: &Client,
        goal: &Goal,
        trust: &Trust,
        moves: &NewStores,
        wait: Duration,
    ) -> Result<Vec<Changed>, Failed> {
        let before = self.look(trust).await.map_err(|why| Failed::before(&why))?;
        let (forth, back) = self.alterations(moves);
        let asked = self.alter(client, &forth).await;
        let mut unmet = match asked {
            Ok(()) => self.await_goal(client, goal, trust, (&forth, wait)).await,
            Err(why) => Some(why),
        };
        let Some(why) = unmet.take() else {
            return self.changed(&before, trust).await;
        };
        let since = match moves.is_empty() {
            true => self.standing(&before, trust).await,
            false => match self.alter(client, &back).await {
                Ok(()) => self.returned(&before, trust).await,
                Err(error) => format!("putting the old location back failed: {error}"),
            },
        };
        Err(Failed { why, since })
    }

    async fn await_goal(
        &self,
        client: &Client,
        goal: &Goal,
        trust: &Trust,
        (forth, wait): (&[ConfigChange], Duration),
    ) -> Option<String> {
        let until = Instant::now() + wait;
        for look in 1.. {
            let unmet = self.everywhere(trust, |served| goal.unmet(served)).await?;
            if Instant::now() > until {
                return Some(unmet);
            }
            tokio::time::sleep(PAUSE).await;
            if look % ASK_AGAIN == 0
                && let Err(why) = self.alter(client, forth).await
            {
                return Some(why);
            }
        }
        None
    }

    /// Why any listener fails the check. Each listener gets twice as many handshakes as network threads, because each
    /// thread reloads separately.
    async fn everywhere(
        &self,
        trust: &Trust,
        wrong: impl Fn(&Served) -> Option<String>,
    ) -> Option<String> {
        const THREADS: usize = 3;
        for one in &self.listeners {
            let threads = self.config(&one.name, "num.network.threads");
            let threads = threads.and_then(|text| text.parse().ok()).unwrap_or(THREADS);
            for _ in 0..threads * 2 {
                let why = match served(&one.address, Some(trust), PATIENCE).await {
                    Ok(seen) => wrong(&seen),
                    Err(error) => Some(error.to_string()),
                };
                if let Some(why) = why {
                    return Some(format!("{} at {}: {why}", one.name, one.address));
                }
            }
        }
        None
    }

    async fn changed(&self, before: &[Served], trust: &Trust) -> Result<Vec<Changed>, Failed> {
        let now = self.look(trust).await.map_err(|why| Failed::before(&why))?;
        let serial = |served: &Served| served.leaf().map_or_else(String::new, |l| l.serial.clone());
        let pairs = self.listeners.iter().zip(before.iter().zip(&now));
        Ok(pairs
            .map(|(one, (was, now))| Changed {
                listener: one.name.clone(),
                was: serial(was),
                now: serial(now),
            })
            .collect())
    }

    /// The state of a broker that did not reach the goal with the same files.
    async fn standing(&self, before: &[Served], trust: &Trust) -> String {
        match self.look(trust).await {
            Ok(now) if now == before => {
                "it serves what it served before, and would not start with the file as it is: put the right one in its \
                 place before any restart"
                    .to_owned()
            }
            Ok(_) => "some of its listeners have changed: put the file as it was, and run this again".to_owned(),
            Err(why) => format!("it does not answer now: {why}"),
        }
    }

    async fn returned(&self, before: &[Served], trust: &Trust) -> String {
        let until = Instant::now() + ALTERING;
        let old: Vec<Option<String>> =
            before.iter().map(|one| one.leaf().map(|leaf| leaf.fingerprint.clone())).collect();
        loop {
            let is_old = |served: &Served| {
                let leaf = served.leaf().map(|leaf| leaf.fingerprint.clone());
                (!old.contains(&leaf)).then(|| "it does not serve the old certificate".to_owned())
            };
            match self.everywhere(trust, is_old).await {
                None => return "rolled back: it serves what it served before".to_owned(),
                Some(why) if Instant::now() > until => {
                    return format!("rolled back, but: {why}");
                }
                Some(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The config changes that start the reload, and those that undo it.
    fn alterations(&self, moves: &NewStores) -> (Vec<ConfigChange>, Vec<ConfigChange>) {
        let resource = ConfigResource::Broker(self.broker);
        let change = |key: String, value: Option<String>| ConfigChange {
            resource: resource.clone(),
            key,
            op: value.into(),
        };
        let dynamic = |key: &str| {
            let own = self.configs.get(key).filter(|config| config.is_dynamic);
            own.and_then(|config| config.value.clone())
        };
        let stores = [("keystore", &moves.keystore), ("truststore", &moves.truststore)];
        let (mut forth, mut back) = (Vec::new(), Vec::new());
        for listener in &self.listeners {
            for (store, to) in stores {
                let key = format!("{}ssl.{store}.location", prefix(&listener.name));
                let was = dynamic(&key);
                if moves.is_empty() && forth.is_empty() {
                    // Setting the same value again triggers the reload. Deleting a value that is not set changes
                    // nothing else.
                    forth.push(change(key, was));
                } else if let Some(to) = to {
                    forth.push(change(key.clone(), Some(self.path(to))));
                    back.push(change(key, was));
                }
            }
        }
        (forth, back)
    }

    /// The path with the broker id in place of `{id}`.
    pub fn path(&self, pattern: &str) -> String {
        pattern.replace("{id}", &self.broker.to_string())
    }

    /// Without an answer, the broker may still be reading its stores: its listeners show the result.
    async fn alter(&self, client: &Client, changes: &[ConfigChange]) -> Result<(), String> {
        let refused = match client.set_configs(changes, ALTERING).await {
            Ok(refused) => refused,
            Err(NoAnswer::NotMade(error)) => return Err(error.to_string()),
            Err(NoAnswer::Unknown(error)) => {
                tracing::warn!(broker = %self.broker, %error, "waiting for what its listeners show");
                return Ok(());
            }
        };
        match refused.into_values().next() {
            Some(refusal) => Err(format!("Kafka refuses it: {refusal}")),
            None => Ok(()),
        }
    }
}

impl NewStores {
    fn is_empty(&self) -> bool {
        self.keystore.is_none() && self.truststore.is_none()
    }
}

impl Failed {
    fn before(why: &str) -> Self {
        Self { why: why.to_owned(), since: "nothing was done to it".to_owned() }
    }
}

/// The prefix of a listener's own configs.
fn prefix(listener: &str) -> String {
    format!("listener.name.{}.", listener.to_lowercase())
}
