//! A cluster and its brokers, as it lists them.

use crate::address::Address;
use mapper::BrokerId;
use std::collections::BTreeMap;

/// A cluster and its brokers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cluster {
    /// The cluster's id. Very old brokers do not report one.
    pub id: Option<String>,
    /// The controller. In KRaft this is a random live broker, which forwards requests to the controller.
    pub controller: Option<BrokerId>,
    /// The registered brokers: the live ones, and with Kafka 4.0 and later also the fenced ones.
    pub brokers: BTreeMap<BrokerId, ClusterBroker>,
}

/// A broker, as the cluster lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterBroker {
    /// Its address on the listener that we use.
    pub address: Option<Address>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Not fenced: the broker is registered and sends heartbeats.
    pub live: bool,
}

impl Cluster {
    /// The ids of the live brokers, in order.
    pub fn live(&self) -> impl Iterator<Item = BrokerId> {
        self.brokers.iter().filter(|(_, broker)| broker.live).map(|(id, _)| *id)
    }
}
