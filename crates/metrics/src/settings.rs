//! The operator's settings for metrics systems.

use crate::datadog::DatadogSettings;
use crate::exporter::ExporterSettings;
use crate::http::shown;
use crate::prometheus::PrometheusSettings;
use crate::sidecar::SidecarPeers;
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

/// A setting that cannot be used. Contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{flag}: {problem}")]
pub struct BadSettings {
    /// The flag, as written in both programs.
    pub flag: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// How to connect to servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// The deadline for an answer.
    pub timeout: Duration,
    /// Certificates in PEM to trust instead of the system's.
    pub ca: Option<Vec<u8>>,
    /// Whether to use the proxy of the environment (`HTTPS_PROXY`), if there is one.
    pub proxy: bool,
}

impl Default for HttpSettings {
    /// 10 s, Prometheus' own timeout for a page; the system's certificates.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), ca: None, proxy: true }
    }
}

/// The chosen backend: `--metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
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

impl Choice {
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

/// All settings of metrics.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The chosen backend.
    pub choice: Choice,
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

/// The URL of a server. It may contain a user and a password, which `Debug` leaves out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BaseUrl(pub(crate) Url);

impl std::ops::Deref for BaseUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

/// Whether the network can read what is sent there: plain HTTP to another machine.
pub(crate) fn is_open(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    url.scheme() == "http" && !here
}

/// Warns if a secret goes over plain HTTP to another machine.
pub fn warn_if_open(url: &str, secret: &str, flag: &str) {
    if let Some(url) = Url::parse(url).ok().filter(is_open) {
        let url = shown(&url);
        tracing::warn!(
            "{secret} is sent to {url} over plain HTTP, where anything on the way can read it; {flag} takes https://"
        );
    }
}

/// The base of an API: `http://prometheus:9090`, with a path if a proxy needs one.
pub(crate) fn base(text: &str, flag: &'static str) -> Result<BaseUrl, BadSettings> {
    let bad = |problem: String| BadSettings { flag, problem };
    let url = Url::parse(text.trim()).map_err(|error| bad(format!("no URL: {error}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(BaseUrl(url)),
        _ => Err(bad("write http://HOST:PORT or https://HOST:PORT".to_owned())),
    }
}

/// A URL below a base, with or without a trailing slash in the base.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let joined = format!("{}/{path}", base.path().trim_end_matches('/'));
    url.set_path(&joined);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_a_url_is_not_shown() {
        let base = base("http://u:p@h:1/x?token=t", "--prometheus-url").unwrap();
        assert_eq!(format!("{base:?}"), "http://h:1/x");
    }

    #[test]
    fn plain_http_is_open_but_to_this_machine() {
        let open = |url: &str| is_open(&Url::parse(url).unwrap());
        assert!(open("http://prometheus:9090") && open("http://10.0.0.1"));
        for closed in ["https://h", "http://localhost:1", "http://127.0.0.1", "http://[::1]:8080"] {
            assert!(!open(closed), "{closed}");
        }
    }
}
