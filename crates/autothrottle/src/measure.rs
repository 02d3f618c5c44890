//! What brokers' networks carry now: from a metrics backend to what `throttle` asks for.

use mapper::BrokerId;
use metrics::{Backend, BrokerAddress, BrokerMetrics, Measured, MetricsSource};
use std::collections::BTreeMap;
use std::time::Duration;
use throttle::{BrokerHealth, BrokerTraffic, PerDirection};

/// One round's numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    pub(crate) brokers: BTreeMap<BrokerId, BrokerMetrics>,
    /// The span over which rates are averaged. Zero means since the previous round.
    pub(crate) window: Duration,
    /// The source of the numbers; `None` before the first answer.
    pub(crate) source: Option<MetricsSource>,
    /// Brokers that could not be measured.
    pub(crate) failures: usize,
}

/// Measures all brokers. A broker that does not answer is absent, and delays no other. `window` is the span over
/// which a metrics server averages.
pub(crate) async fn measure(
    backend: &mut Backend,
    brokers: &[BrokerAddress],
    window: Duration,
) -> Numbers {
    let Measured { brokers, notices, source } = backend.fetch(brokers).await;
    for notice in notices {
        tracing::info!("{notice}");
    }
    let window = match source {
        // Counters, which become rates from one round to the next.
        MetricsSource::None | MetricsSource::Exporter | MetricsSource::Sidecar => Duration::ZERO,
        _ => window,
    };
    let mut numbers = Numbers { window, source: Some(source), ..Numbers::default() };
    for (id, answer) in brokers {
        match answer {
            Ok(found) => drop(numbers.brokers.insert(id, found)),
            Err(error) => {
                numbers.failures += 1;
                tracing::warn!(broker = id.0, %error, "no metrics");
            }
        }
    }
    numbers
}

/// What `throttle` asks of a broker's traffic: nothing is assumed of a direction that is not told.
pub(crate) fn traffic(metrics: &BrokerMetrics, window: Duration) -> Option<BrokerTraffic> {
    let total = PerDirection { tx: metrics.tx?.value, rx: metrics.rx?.value };
    let replication = metrics.replication_out.zip(metrics.replication_in);
    let replication = replication.map(|(out, into)| PerDirection { tx: out.value, rx: into.value });
    Some(BrokerTraffic { total, replication, window })
}

/// The same of its health, but for its partitions and the canary.
pub(crate) fn health(metrics: &BrokerMetrics) -> BrokerHealth {
    BrokerHealth {
        p99_produce: metrics.p99_produce.map(|reading| reading.value),
        p99_fetch: metrics.p99_fetch.map(|reading| reading.value),
        request_handler_idle: metrics.request_handler_idle.map(|reading| reading.value),
        ..BrokerHealth::default()
    }
}
