//! The operator's settings for metrics systems.

use crate::datadog::DatadogSettings;
use crate::exporter::{ExporterSettings, ExporterUrl, MetricAt};
use crate::http_settings::HttpSettings;
use crate::measured::MetricsSource;
use crate::prometheus::PrometheusSettings;
use crate::sidecar::SidecarPeers;
use std::str::FromStr;
use std::{fmt, iter};

/// The chosen backend: `--metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// The first configured one that answers: sidecar, exporter, Prometheus, Datadog. Without any of them, none.
    #[default]
    Auto,
    /// This one.
    Only(MetricsSource),
}

impl fmt::Display for BackendChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Only(source) => source.fmt(f),
        }
    }
}

impl FromStr for BackendChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = iter::once(Self::Auto).chain(MetricsSource::ALL.map(Self::Only));
        let found = all.clone().find(|choice| choice.to_string() == text);
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
