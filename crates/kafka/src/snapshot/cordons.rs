//! The brokers and log dirs that get no new replicas.

use super::storage::Stored;
use super::{AT_ONCE, Notice};
use crate::admin::Cordons;
use crate::client::Client;
use crate::error::Error;
use futures::StreamExt;
use mapper::BrokerId;
use mapper::snapshot::{Broker, EVERY_LOG_DIR};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The deadline for one small answer of a broker that has just reported its log dirs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The cordons that brokers reported, and the brokers that did not report.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    told: BTreeMap<BrokerId, Cordons>,
    untold: BTreeMap<BrokerId, Error>,
}

/// Asks every broker that reported its log dirs. Only brokers of Kafka 4.3 or later get a request.
pub(super) async fn gather(client: &Client, stored: &Stored) -> Gathered {
    let asking = stored.keys().copied();
    let asking =
        asking.map(|broker| async move { (broker, client.cordons(broker, PATIENCE).await) });
    let mut answers = futures::stream::iter(asking).buffer_unordered(AT_ONCE);
    let mut gathered = Gathered::default();
    while let Some((broker, answer)) = answers.next().await {
        match answer {
            Ok(cordons) => drop(gathered.told.insert(broker, cordons)),
            Err(error) => drop(gathered.untold.insert(broker, error)),
        }
    }
    gathered
}

impl Gathered {
    /// Adds the cordons to their brokers, and the missing ones to the notices.
    pub(super) fn add_to(mut self, brokers: &mut [Broker], notices: &mut Vec<Notice>) {
        for broker in brokers {
            let Some(cordons) = self.told.remove(&broker.id) else { continue };
            broker.cordoned_log_dirs = cordons.log_dirs;
            // The config may spell a path differently from the broker's own report.
            if cordons.every && !broker.is_cordoned() {
                broker.cordoned_log_dirs = vec![EVERY_LOG_DIR.to_owned()];
            }
        }
        let brokers: BTreeSet<BrokerId> = self.untold.keys().copied().collect();
        if let Some((_, error)) = self.untold.pop_first() {
            notices.push(Notice::CordonsUntold { brokers, error });
        }
    }
}
