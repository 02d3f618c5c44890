//! Reads every throttle in a live cluster, and the copies that it may slow down.
//!
//! A broker that does not answer costs three seconds. The result names it, and no decision is made about it.

mod change;

use change::place;
pub use change::{FailedChanges, change};

use crate::error::Error;
use coordination::{LinesError, LinesFile, LinesKind};
use execute::{Accounts, InFlight, Key, Ledger, LedgerEntry, ThrottlePlace, ThrottleResource};
use kafka::admin::{Cluster, ConfigResource, Reassignment, Topics};
use kafka::{Client, in_parallel};
use mapper::{BrokerId, Snapshot, TopicPartition};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// The time limit for one request to a broker.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest number of topics in one request.
const TOPICS: usize = 500;

/// Config values by place and name.
pub type Set = BTreeMap<ThrottlePlace, BTreeMap<Key, String>>;

/// The result of a look.
#[derive(Debug, Default)]
pub struct Look {
    /// Throttle configs of each broker and topic, by config name.
    pub set: Set,
    /// Replicas being copied, with the brokers that may send them.
    pub in_flight: InFlight,
    /// Facts missing from this look; empty: it is complete.
    pub untold: Vec<Untold>,
}

/// A missing fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Untold {
    /// The missing fact, in words.
    pub what: String,
    /// The error, in words.
    pub why: String,
}

impl Untold {
    /// A missing fact; the reason is this error, with its hint if it has one.
    pub fn new(what: impl Into<String>, why: &kafka::Error) -> Self {
        let hint = why.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        Self { what: what.into(), why: format!("{why}{hint}") }
    }
}

/// The ledger in a file; empty if there is no file.
pub fn ledger_in(path: &Path) -> Result<Ledger, Error> {
    Ok(Ledger::replay(LinesFile::read(path, LinesKind::Ledger)?))
}

/// Opens and locks a ledger; an error names the process that has it.
pub(crate) fn open_ledger(
    path: &Path,
) -> Result<(LinesFile<LedgerEntry>, Vec<LedgerEntry>), Error> {
    match LinesFile::open(path, LinesKind::Ledger) {
        Err(LinesError::Locked { path }) => {
            let by = ledger_in(&path)?.last_holder().map(ToString::to_string);
            Err(Error::HeldBy { path, by: by.unwrap_or_else(|| "another process".to_owned()) })
        }
        opened => Ok(opened?),
    }
}

/// The accounts in a ledger; empty if there is none.
pub fn accounts(ledger: Option<&Path>) -> Result<Accounts, Error> {
    let read = |path| LinesFile::read_dated(path, LinesKind::Ledger);
    let lines = ledger.map(read).transpose()?.unwrap_or_default();
    Ok(Accounts::replay_dated(lines.into_iter().map(|(at, line)| (Some(at), line))))
}

/// The same, and locks the ledger on this machine until the store is dropped.
pub fn take(ledger: &Path) -> Result<(LinesFile<LedgerEntry>, Accounts), Error> {
    let (store, lines) = open_ledger(ledger)?;
    Ok((store, Accounts::replay(lines)))
}

/// Looks at the whole cluster. Reads reassignments first: a move that begins later then shows in the replicas.
pub async fn look(client: &Client) -> Result<Look, Error> {
    let running = client.reassignments().await?;
    let cluster = client.describe_cluster().await?;
    let topics = client.topics().await?;
    Ok(read(client, &cluster, &topics, &running).await)
}

/// The same, if the rest is known already; a snapshot has the moves in its partitions.
pub async fn of_snapshot(client: &Client, cluster: &Cluster, snapshot: &Snapshot) -> Look {
    let topics: Topics =
        snapshot.topics().iter().map(|topic| (topic.name.clone(), topic.clone())).collect();
    read(client, cluster, &topics, &BTreeMap::new()).await
}

async fn read(
    client: &Client,
    cluster: &Cluster,
    topics: &Topics,
    running: &BTreeMap<TopicPartition, Reassignment>,
) -> Look {
    let adding = running.iter();
    let adding: BTreeMap<TopicPartition, BTreeSet<BrokerId>> =
        adding.map(|(of, moving)| (of.clone(), moving.adding.iter().copied().collect())).collect();
    let mut look = Look { in_flight: InFlight::of(topics.values(), &adding), ..Look::default() };
    let (of_topics, of_brokers) =
        tokio::join!(topic_configs(client, topics), broker_configs(client, cluster));
    for (set, untold) in [of_topics, of_brokers] {
        look.set.extend(set);
        look.untold.extend(untold);
    }
    look.untold.extend(dead(cluster, topics));
    let paced = look.set.iter().filter(|(_, set)| set.contains_key(&Key::LogDirRate));
    let paced: BTreeSet<ThrottlePlace> = paced.map(|(place, _)| place.clone()).collect();
    between_log_dirs(client, cluster, &paced, &mut look).await;
    look
}

type Told = (Set, Vec<Untold>);

async fn topic_configs(client: &Client, topics: &Topics) -> Told {
    let names: Vec<ConfigResource> = topics.keys().cloned().map(ConfigResource::Topic).collect();
    let keys = Key::OF_TOPICS.map(Key::as_str);
    let asked =
        names.chunks(TOPICS).map(async |some| client.configs_set(some, &keys, PATIENCE * 3).await);
    let (mut set, mut untold) = (Set::new(), Vec::new());
    for answer in in_parallel(asked).await {
        match answer {
            Ok(told) => set.extend(told.into_iter().filter_map(known)),
            Err(error) => untold.push(Untold::new("throttles of topics", &error)),
        }
    }
    (set, untold)
}

async fn broker_configs(client: &Client, cluster: &Cluster) -> Told {
    let keys = Key::RATES.map(Key::as_str);
    let brokers = cluster.live().map(ConfigResource::Broker);
    let all: Vec<ConfigResource> = brokers.chain([ConfigResource::EveryBroker]).collect();
    let asked = all.iter().map(async |resource| {
        let one = std::slice::from_ref(resource);
        (resource, client.configs_set(one, &keys, PATIENCE).await)
    });
    let (mut set, mut untold) = (Set::new(), BTreeMap::new());
    for (resource, answer) in in_parallel(asked).await {
        match answer {
            Ok(told) => set.extend(told.into_iter().filter_map(known)),
            Err(error) => {
                let name = match resource {
                    ConfigResource::Broker(id) => format!("throttles of broker {id}"),
                    ConfigResource::EveryBroker | ConfigResource::Topic(_) => {
                        "the default throttles of brokers".to_owned()
                    }
                };
                untold.insert(resource, Untold::new(name, &error));
            }
        }
    }
    (set, untold.into_values().collect())
}

/// A dead broker does not answer, but its configs apply again when it returns.
fn dead(cluster: &Cluster, topics: &Topics) -> Vec<Untold> {
    let partitions = topics.values().flat_map(|topic| &topic.partitions);
    let holders = partitions.flat_map(|partition| partition.replicas.iter().copied());
    let fenced = cluster.brokers.iter().filter(|(_, broker)| !broker.live).map(|(id, _)| *id);
    let mut dead: BTreeSet<BrokerId> = holders.chain(fenced).collect();
    dead.retain(|id| !cluster.brokers.get(id).is_some_and(|broker| broker.live));
    let untold = dead.into_iter().map(|id| Untold {
        what: format!("throttles of broker {id}"),
        why: "it is not live".to_owned(),
    });
    untold.collect()
}

/// Reads copies between log dirs, only from brokers with a throttle for them.
async fn between_log_dirs(
    client: &Client,
    cluster: &Cluster,
    paced: &BTreeSet<ThrottlePlace>,
    look: &mut Look,
) {
    let every = paced.contains(&ThrottlePlace::EveryBroker);
    let concerned = cluster
        .live()
        .filter(|id| every || paced.contains(&ThrottlePlace::On(ThrottleResource::Broker(*id))));
    let asked = concerned.map(async |id| (id, client.between_log_dirs(id, PATIENCE * 3).await));
    for (id, answer) in in_parallel(asked).await {
        if let Err(error) = &answer {
            look.untold.push(Untold::new(format!("copies between log dirs of {id}"), error));
        }
        look.in_flight.between_log_dirs(id, answer.ok());
    }
}

/// The values of a place; `None` if there are none.
fn known(
    (resource, set): (ConfigResource, BTreeMap<String, String>),
) -> Option<(ThrottlePlace, BTreeMap<Key, String>)> {
    // An empty list counts as no list: Kafka writes one for topics whose list was emptied.
    let set = set.into_iter().filter(|(_, value)| !value.is_empty());
    let set: BTreeMap<Key, String> =
        set.filter_map(|(key, value)| Some((Key::named(&key)?, value))).collect();
    (!set.is_empty()).then(|| (place(resource), set))
}
