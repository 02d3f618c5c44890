//! Cordons the brokers that a plan vacates, where Kafka has cordons (4.3 and later).
//!
//! A broker that refuses keeps the plan's order of moves: Kafka may place new partitions on it meanwhile, as with
//! earlier versions, and a sweep moves them.

use super::act::unless_lost;
use super::observe::Observer;
use crate::error::Error;
use execute::Key;
use kafka::admin::{ConfigChange, ConfigOp, ConfigResource};
use mapper::snapshot::EVERY_LOG_DIR;
use mapper::{BrokerId, Plan};
use std::collections::BTreeSet;
use std::time::Duration;

/// The time limit for a broker to accept a cordon.
const PATIENCE: Duration = Duration::from_secs(5);

/// Cordons these brokers. One that refuses is not asked again in this run.
///
/// # Errors
/// A connection that no retry can repair.
pub(super) async fn cordon(
    client: &kafka::Client,
    brokers: Vec<BrokerId>,
    observer: &mut Observer,
) -> Result<(), Error> {
    for broker in brokers {
        let resource = ConfigResource::Broker(broker);
        let key = Key::CordonedLogDirs.as_str().to_owned();
        let change = ConfigChange { resource, key, op: ConfigOp::Set(EVERY_LOG_DIR.to_owned()) };
        let refused = unless_lost(client.set_configs(&[change], PATIENCE).await)?;
        if let Some(refusal) = refused.and_then(|refused| refused.into_values().next()) {
            tracing::warn!(
                "broker {broker} is emptied without a cordon, so Kafka may place new partitions on it: it refuses \
                 cordoned.log.dirs ({refusal}). After the run, the same command with --resume --sweep moves them."
            );
            observer.refuses_cordons(broker);
        }
    }
    Ok(())
}

impl Observer {
    /// The live brokers among those that a plan vacates that can be cordoned.
    pub(super) async fn cordonable(
        &self,
        client: &kafka::Client,
        plan: &Plan,
        live: &BTreeSet<BrokerId>,
    ) -> BTreeSet<BrokerId> {
        let mut cordonable = BTreeSet::new();
        for id in plan.request.vacated() {
            let asks = live.contains(&id) && !self.rests(id) && !self.has_refused_cordons(id);
            if asks && client.has_cordons(id, PATIENCE).await.unwrap_or_default() {
                cordonable.insert(id);
            }
        }
        cordonable
    }
}
