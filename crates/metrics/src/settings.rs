//! What an operator says about metrics systems.

use crate::datadog::DatadogSettings;
use crate::exporter::ExporterSettings;
use crate::prometheus::PrometheusSettings;
use crate::sidecar::SidecarPeers;
use reqwest::Url;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A setting that cannot be used. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{flag}: {problem}")]
pub struct BadSettings {
    /// The flag, as both programs spell it.
    pub flag: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// How servers are spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// The longest that an answer may take.
    pub timeout: Duration,
    /// Certificates in PEM to trust instead of the system's.
    pub ca: Option<Vec<u8>>,
    /// Go through the proxy of the environment (`HTTPS_PROXY`), where it names one.
    pub proxy: bool,
}

impl Default for HttpSettings {
    /// 10 s, as Prometheus itself waits for a page; the system's certificates.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), ca: None, proxy: true }
    }
}

/// Which backend is wanted: `--metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The first of those that are set up which answers: sidecar, exporter, Prometheus, Datadog; else none.
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

impl Choice {
    /// As `--metrics` spells it.
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

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Choice {
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
        all.into_iter().find(|choice| choice.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = all.iter().map(|choice| choice.as_str()).collect();
            format!("write one of {}", known.join(", "))
        })
    }
}

/// All that there is to know before anybody is asked.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Which backend is wanted.
    pub choice: Choice,
    /// How all of them are spoken to.
    pub http: HttpSettings,
    /// Where brokers have their sidecars; none: no such backend.
    pub sidecars: Vec<SidecarPeers>,
    /// Where brokers have their pages.
    pub exporter: Option<ExporterSettings>,
    /// Where Prometheus is.
    pub prometheus: Option<PrometheusSettings>,
    /// Where Datadog is, and our keys.
    pub datadog: Option<DatadogSettings>,
}

/// The base of an API: `http://prometheus:9090`, with a path where a proxy stands before it.
pub(crate) fn base(text: &str, flag: &'static str) -> Result<Url, BadSettings> {
    let bad = |problem: String| BadSettings { flag, problem };
    let url = Url::parse(text.trim()).map_err(|error| bad(format!("no URL: {error}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(bad("write http://HOST:PORT or https://HOST:PORT".to_owned())),
    }
}

/// A URL below a base, whatever slash it ends with.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let joined = format!("{}/{path}", base.path().trim_end_matches('/'));
    url.set_path(&joined);
    url
}
