//! The page of a sidecar: OpenMetrics text, for the leader and for any Prometheus.

use super::pod::PodCounters;
use mapper::BrokerId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt;

/// The broker of the page, in the label `id`.
pub(super) const BROKER: &str = "autothrottle_sidecar_broker";
/// Counters. The text format adds `_total`.
pub(super) const TRANSMITTED: &str = "autothrottle_sidecar_network_transmit_bytes";
pub(super) const RECEIVED: &str = "autothrottle_sidecar_network_receive_bytes";
pub(super) const FREE: &str = "autothrottle_sidecar_volume_free_bytes";
pub(super) const SIZE: &str = "autothrottle_sidecar_volume_size_bytes";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfInterface {
    interface: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVolume {
    path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfBroker {
    id: u32,
    host_network: String,
}

/// The page with the counters of `broker`'s pod.
///
/// # Errors
/// The encoder's own errors. No broker or counter causes one.
pub fn page(broker: BrokerId, counters: &PodCounters) -> Result<String, fmt::Error> {
    let [sent, received] = std::array::from_fn(|_| Family::<OfInterface, Counter>::default());
    for (interface, carried) in &counters.interfaces {
        let of = OfInterface { interface: interface.clone() };
        sent.get_or_create(&of).inc_by(carried.transmitted_bytes);
        received.get_or_create(&of).inc_by(carried.received_bytes);
    }
    let [free, size] = std::array::from_fn(|_| Family::<OfVolume, Gauge>::default());
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    for (path, volume) in &counters.volumes {
        let of = OfVolume { path: path.display().to_string() };
        free.get_or_create(&of).set(signed(volume.free_bytes));
        size.get_or_create(&of).set(signed(volume.size_bytes));
    }
    let whose = Family::<OfBroker, Gauge>::default();
    let host_network = counters.host_network.to_string();
    whose.get_or_create(&OfBroker { id: broker.0, host_network }).set(1);

    let mut registry = Registry::default();
    registry.register(BROKER, "The broker beside this sidecar", whose);
    registry.register(TRANSMITTED, "Bytes that the pod's network has sent", sent);
    registry.register(RECEIVED, "Bytes that the pod's network has received", received);
    registry.register(FREE, "Bytes that are free on a volume", free);
    registry.register(SIZE, "Bytes that a volume holds", size);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}
