//! Has one broker read its stores again, and believes only what new handshakes show.
//!
//! What Kafka does, by experiment (3.9 with ZooKeeper, 4.3 with KRaft; held by a live test): any alteration of a broker's
//! own configs makes it look whether the files of its stores have changed. With ZooKeeper it does so before it answers, and
//! refuses what it cannot use; with KRaft it answers first, changes a moment later, and tells of a refusal in its log only.
//! Each network thread changes for itself. A refused store leaves the old one in service.

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

/// How long a broker may take for an alteration.
const ALTERING: Duration = Duration::from_secs(15);
/// Between two looks at what has not changed yet.
const PAUSE: Duration = Duration::from_secs(1);
/// Looks after which a broker is asked again: the files of a Secret reach a pod a minute after it has changed.
const ASK_AGAIN: u32 = 5;

/// A broker whose stores are to be read again.
#[derive(Debug)]
pub struct Target {
    /// Its id: dynamic broker configs are altered under it.
    pub broker: BrokerId,
    /// Its TLS listeners, only the named ones if names were given.
    pub listeners: Vec<Listener>,
    configs: BTreeMap<String, BrokerConfig>,
}

/// What one listener showed before and after; both ends of a serial.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Changed {
    /// Its name, as in `listener.security.protocol.map`.
    pub listener: String,
    /// Serial number in hex before the reload; empty if no certificate was served.
    pub was: String,
    /// Serial number in hex after the reload; empty if no certificate was served.
    pub now: String,
}

/// Why a broker has not got there.
#[derive(Debug)]
pub struct Failed {
    /// What Kafka refused, or how a listener differs from the goal.
    pub why: String,
    /// What became of it.
    pub since: String,
}

/// Files to go over to, as the broker sees them.
#[derive(Debug, Clone, Default)]
pub struct Moves {
    /// New `ssl.keystore.location`, with `{id}` for the broker id; `None`: stays as it is.
    pub keystore: Option<String>,
    /// New `ssl.truststore.location`, with `{id}` for the broker id; `None`: stays as it is.
    pub truststore: Option<String>,
}

impl Target {
    /// Learns a broker's TLS listeners; only those with these names, if any are given.
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

    /// What each of its listeners shows.
    pub async fn look(&self, trust: &Trust) -> Result<Vec<Served>, String> {
        let mut all = Vec::new();
        for one in &self.listeners {
            let seen = served(&one.address, Some(trust), PATIENCE).await;
            all.push(seen.map_err(|error| format!("{} at {}: {error}", one.name, one.address))?);
        }
        Ok(all)
    }

    /// A config of a listener: its own, else that of all listeners.
    pub fn config(&self, listener: &str, key: &str) -> Option<&str> {
        let own = format!("{}{key}", prefix(listener));
        let found = self.configs.get(&own).or_else(|| self.configs.get(key));
        found.and_then(|config| config.value.as_deref())
    }

    /// Reads the stores again, or goes over to other files; waits until every thread of every listener shows the goal.
    /// What does not get there is put back as it was.
    pub async fn reload(
        &self,
        client: &Client,
        goal: &Goal,
        trust: &Trust,
        moves: &Moves,
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

    /// What is wrong with any listener in as many handshakes as reach every network thread twice over.
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

    /// What a broker that was asked to read the same files does since.
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

    /// The alterations that bring it about, and those that take it back.
    fn alterations(&self, moves: &Moves) -> (Vec<ConfigChange>, Vec<ConfigChange>) {
        let resource = ConfigResource::Broker(self.broker);
        let change = |key: String, value: Option<String>| ConfigChange {
            resource: resource.clone(),
            key,
            value,
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
                    // The same value again; where there is none, to unset what is not set leaves nothing behind.
                    forth.push(change(key, was));
                } else if let Some(to) = to {
                    forth.push(change(key.clone(), Some(self.path(to))));
                    back.push(change(key, was));
                }
            }
        }
        (forth, back)
    }

    /// `{id}` stands for the broker.
    pub fn path(&self, pattern: &str) -> String {
        pattern.replace("{id}", &self.broker.to_string())
    }

    async fn alter(&self, client: &Client, changes: &[ConfigChange]) -> Result<(), String> {
        let refused = client.set_configs(changes, ALTERING).await;
        let refused = refused.map_err(|error| match error {
            NoAnswer::NotMade(error) | NoAnswer::Unknown(error) => error.to_string(),
        })?;
        match refused.into_values().next() {
            Some(refusal) => Err(format!("Kafka refuses it: {refusal}")),
            None => Ok(()),
        }
    }
}

impl Moves {
    fn is_empty(&self) -> bool {
        self.keystore.is_none() && self.truststore.is_none()
    }
}

impl Failed {
    fn before(why: &str) -> Self {
        Self { why: why.to_owned(), since: "nothing was done to it".to_owned() }
    }
}

/// How a listener's own configs begin.
fn prefix(listener: &str) -> String {
    format!("listener.name.{}.", listener.to_lowercase())
}
