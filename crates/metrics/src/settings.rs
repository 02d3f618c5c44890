//! The operator's settings for metrics systems.

use crate::datadog::DatadogSettings;
use crate::exporter::{ExporterSettings, ExporterUrl, MetricAt};
use crate::http_settings::HttpSettings;
use crate::prometheus::PrometheusSettings;
use crate::sidecar::SidecarPeers;
use std::fmt;
use std::str::FromStr;

/// The chosen backend: `--metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// The first configured one that answers: sidecar, exporter, Prometheus, Datadog. Without any of them, none.
    #[default]
    Auto,
    /// None.
    None,
    /// The sidecar of each broker.
    Sidecar,
    /// Each broker's own page.
    Exporter,
    /// Prometheus.
    Prometheus,
    /// Datadog.
    Datadog,
}

impl BackendChoice {
    /// As written in `--metrics`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Sidecar => "sidecar",
            Self::Exporter => "exporter",
            Self::Prometheus => "prometheus",
            Self::Datadog => "datadog",
        }
    }
}

impl fmt::Display for BackendChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BackendChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [
            Self::Auto,
            Self::None,
            Self::Sidecar,
            Self::Exporter,
            Self::Prometheus,
            Self::Datadog,
        ];
        let found = all.into_iter().find(|choice| choice.as_str() == text);
        found.ok_or_else(|| format!("write one of {}", mapper::joined(all)))
    }
}

/// All settings of metrics.
#[derive(Debug, Clone, Default)]
pub struct MetricsSettings {
    /// The chosen backend.
    pub choice: BackendChoice,
    /// How to connect to all of them.
    pub http: HttpSettings,
    /// The sidecars of brokers. If empty, there is no such backend.
    pub sidecars: Vec<SidecarPeers>,
    /// The pages of brokers.
    pub exporter: Option<ExporterSettings>,
    /// The Prometheus server.
    pub prometheus: Option<PrometheusSettings>,
    /// The Datadog site, and our keys.
    pub datadog: Option<DatadogSettings>,
}

impl MetricsSettings {
    /// Adds `--exporter-url` and `--exporter-metric`. Without a URL, there is no exporter.
    pub fn with_exporter(mut self, urls: Vec<ExporterUrl>, metrics: Vec<MetricAt>) -> Self {
        self.exporter = (!urls.is_empty()).then_some(ExporterSettings { urls, metrics });
        self
    }
}
