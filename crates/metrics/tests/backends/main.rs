//! Backends against servers on loopback that use the documented formats.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it says")]

mod auto;
mod datadog;
mod exporter;
mod limits;
mod prometheus;
mod server;
mod webhook;

use mapper::BrokerId;
use mappr_metrics::BrokerAddress;

/// Brokers with these ids, on these hosts.
fn brokers<const N: usize>(all: [(u32, &str); N]) -> Vec<BrokerAddress> {
    all.map(|(id, host)| BrokerAddress { id: BrokerId(id), host: Some(host.to_owned()) }).to_vec()
}
