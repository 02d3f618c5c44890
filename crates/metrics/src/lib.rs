//! Brokers' traffic and storage from metrics systems, and the capacity of their networks.
//!
//! In: the addresses of brokers. Out: [`Measured`], with an answer for each requested broker. A broker without an
//! answer has its own error, which does not affect the others. A missing number is absent, never zero.
//!
//! ```no_run
//! # async fn measure() -> Result<(), Box<dyn std::error::Error>> {
//! use mappr_metrics::{Backend, BrokerAddress, MetricsSettings};
//! use mapper::BrokerId;
//!
//! let urls = vec!["http://{host}:9404/metrics".parse()?];
//! let mut backend = Backend::new(MetricsSettings::default().with_exporter(urls, Vec::new()))?;
//! let brokers = [BrokerAddress { id: BrokerId(1001), host: Some("10.0.0.1".to_owned()) }];
//! backend.fetch(&brokers).await; // the first round of counters knows no rates
//! tokio::time::sleep(std::time::Duration::from_secs(10)).await;
//! for (id, answer) in backend.fetch(&brokers).await.brokers {
//!     println!("{id}: {:?}", answer?.tx);
//! }
//! # Ok(())
//! # }
//! ```

mod answers;
mod backend;
mod base_url;
mod capacity;
mod datadog;
mod error;
mod exporter;
mod exposition;
mod http;
mod http_settings;
mod measured;
mod numbers;
mod prometheus;
mod secret;
mod selector;
mod settings;
mod sidecar;
mod webhook;

pub use backend::Backend;
pub use base_url::{BaseUrl, api_url, warn_if_open};
pub use capacity::{BadCapMap, CapMap, Capacities, Capacity, CapacityFrom, Ports};
pub use datadog::{DatadogKeys, DatadogQuery, DatadogSettings, Event, Events, EventsFull};
pub use error::MetricsError;
pub use exporter::{ExporterSettings, ExporterUrl, MetricAt};
pub use http::cause;
pub use http_settings::{BadSettings, HttpSettings};
pub use local::{value_without_login, without_login};
pub use measured::{
    BrokerAddress, BrokerMetrics, Consumed, Measured, MetricsSource, PartitionSizes, Reading, Sized,
};
pub use numbers::Number;
pub use prometheus::{PrometheusSettings, QueryFor};
pub use secret::HeaderSecret;
pub use settings::{BackendChoice, MetricsSettings};
pub use sidecar::{Carried, PodCounters, PodError, PodView, SidecarPeers, Volume, page};
pub use webhook::{Webhook, WebhookFormat};

#[cfg(test)]
mod tests {
    mod fuzz;
}
