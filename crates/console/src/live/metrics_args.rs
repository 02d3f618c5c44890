//! Flags of metrics systems: where the metrics of brokers come from.

use crate::layers::Environment;
use crate::units;
use metrics::{
    BackendChoice, DatadogKeys, DatadogQuery, DatadogSettings, ExporterUrl, HeaderSecret,
    HttpSettings, MetricAt, MetricsSettings, PrometheusSettings, QueryFor, SidecarPeers,
};
use operate::watched::Watched;
use operate::{Error, files};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Prefixes for the names of keys in the environment; the last is Datadog's own.
const KEY_PREFIXES: [&str; 4] = ["AUTOTHROTTLE_", "TOPICMAPPR_", "METRICSFETCHER_", "DD_"];

/// The flags of metrics systems.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsArgs {
    /// Choose the metrics system
    ///
    /// Write auto, none, sidecar, exporter, prometheus or datadog. auto takes the first one that is set up and
    /// answers.
    #[arg(long, value_name = "BACKEND", default_value_t = BackendChoice::Auto)]
    metrics: BackendChoice,
    /// Read metrics from the sidecars at these URLs; repeatable
    ///
    /// http://{host}:8081 stands for all brokers by their hosts; {id} is the broker id. ID=URL is the sidecar of one
    /// broker. A name that resolves to all sidecars works too (a headless service).
    #[arg(long, value_name = "URL|ID=URL")]
    sidecar_peers: Vec<SidecarPeers>,
    /// Read metrics from the exporters at these URLs; repeatable
    ///
    /// http://{host}:9404/metrics stands for all brokers by their hosts; {id} is the broker id. ID=URL is the page of
    /// one broker.
    #[arg(long, value_name = "URL|ID=URL")]
    exporter_url: Vec<ExporterUrl>,
    /// Choose the exporter's metric for a number; repeatable
    ///
    /// For example: storage-free=node_filesystem_avail_bytes{mountpoint="/data"}.
    #[arg(long, value_name = "NUMBER=SELECTOR")]
    exporter_metric: Vec<MetricAt>,
    /// Query Prometheus, or a server with the same API
    #[arg(long, value_name = "URL")]
    prometheus_url: Option<String>,
    /// Match series to brokers by this Prometheus label
    ///
    /// Its value is the broker id, or the host with or without a port.
    #[arg(long, value_name = "LABEL", default_value = "instance")]
    prometheus_label: String,
    /// Set the Prometheus query for a number; repeatable
    ///
    /// {label} and {window} are filled in: tx=sum by ({label}) (rate(...[{window}])).
    #[arg(long, value_name = "NUMBER=PROMQL")]
    prometheus_query: Vec<QueryFor>,
    /// Read the bearer token for Prometheus from this file
    #[arg(long, value_name = "FILE")]
    prometheus_token_file: Option<PathBuf>,
    /// Set the URL of Datadog's API
    #[arg(long, value_name = "URL", default_value = DatadogSettings::DEFAULT_URL)]
    datadog_url: String,
    /// Read Datadog's API key from this file
    ///
    /// Without it, the key is DD_API_KEY in the environment.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Read Datadog's application key from this file
    ///
    /// Without it, the key is DD_APP_KEY in the environment.
    #[arg(long, value_name = "FILE")]
    app_key_file: Option<PathBuf>,
    /// Set Datadog's query for what hosts send
    #[arg(long, value_name = "QUERY", default_value = DatadogSettings::DEFAULT_TX)]
    net_tx_query: DatadogQuery,
    /// Set Datadog's query for what hosts receive
    #[arg(long, value_name = "QUERY", default_value = DatadogSettings::DEFAULT_RX)]
    net_rx_query: DatadogQuery,
    /// Read the broker id from this tag of a series or host
    #[arg(long, value_name = "TAG", default_value = "broker_id")]
    broker_id_tag: String,
    /// Read the instance type from this tag of a host
    #[arg(long, value_name = "TAG", default_value = "instance-type")]
    instance_type_tag: String,
    /// Average rates over this time; a bare number is seconds
    ///
    /// It applies to Prometheus and Datadog.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = units::seconds)]
    metrics_window: Duration,
    /// Wait this long for a metrics system; a bare number is seconds
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = units::seconds)]
    metrics_timeout: Duration,
    /// Trust these certificates (PEM) for metrics systems, not the system's
    #[arg(long, value_name = "FILE")]
    metrics_ca: Option<PathBuf>,
}

impl MetricsArgs {
    /// The settings from the flags and from the keys in the environment. Sends no request.
    ///
    /// # Errors
    /// A file that cannot be read, an invalid URL, or a requested backend that is not set up.
    pub fn settings(&self, environment: &Environment) -> Result<MetricsSettings, Error> {
        let ca = self.metrics_ca.as_deref().map(files::read).transpose()?;
        let http = HttpSettings { timeout: self.metrics_timeout, ca, ..HttpSettings::default() };
        let settings = MetricsSettings {
            choice: self.metrics,
            http,
            sidecars: self.sidecar_peers.clone(),
            prometheus: self.prometheus()?,
            datadog: self.datadog(environment)?,
            ..MetricsSettings::default()
        };
        Ok(settings.with_exporter(self.exporter_url.clone(), self.exporter_metric.clone()))
    }

    fn prometheus(&self) -> Result<Option<PrometheusSettings>, Error> {
        let Some(url) = &self.prometheus_url else {
            return Ok(None);
        };
        let file = self.prometheus_token_file.as_deref();
        let token = file.map(|path| in_file(path, "--prometheus-token-file")).transpose()?;
        let mut settings = PrometheusSettings::at(url)?;
        if token.is_some() {
            metrics::warn_if_open(url, "the token of --prometheus-token-file", "--prometheus-url");
        } else if url.contains('@') {
            metrics::warn_if_open(url, "the password in --prometheus-url", "it");
        }
        settings.token = token;
        settings.label.clone_from(&self.prometheus_label);
        settings.window = self.metrics_window;
        settings.queries.clone_from(&self.prometheus_query);
        Ok(Some(settings))
    }

    /// Datadog needs both keys. A single key in the environment belongs to Datadog's agent, so it is ignored.
    fn datadog(&self, environment: &Environment) -> Result<Option<DatadogSettings>, Error> {
        let key = |file: &Option<PathBuf>, flag, name: &str| match file {
            Some(path) => in_file(path, flag).map(Some),
            None => Ok(KEY_PREFIXES
                .iter()
                .find_map(|prefix| environment.get(&format!("{prefix}{name}")))
                .map(HeaderSecret::new)),
        };
        let api = key(&self.api_key_file, "--api-key-file", "API_KEY")?;
        let keys = api.zip(key(&self.app_key_file, "--app-key-file", "APP_KEY")?);
        let Some((api, app)) = keys else {
            return Ok(None);
        };
        let mut settings = DatadogSettings::at(&self.datadog_url, DatadogKeys { api, app })?;
        settings.tx.clone_from(&self.net_tx_query);
        settings.rx.clone_from(&self.net_rx_query);
        settings.broker_id_tag.clone_from(&self.broker_id_tag);
        settings.instance_type_tag.clone_from(&self.instance_type_tag);
        settings.window = self.metrics_window;
        Ok(Some(settings))
    }
}

/// Reads a secret from a file, and again whenever the file changes.
fn in_file(path: &Path, flag: &'static str) -> Result<HeaderSecret, Error> {
    let watched = Watched::open(&[path], move |texts| {
        let text = String::from_utf8_lossy(&texts[0]).trim().to_owned();
        HeaderSecret::new(&text).check(flag)?;
        Ok::<_, Error>(text)
    })?;
    Ok(HeaderSecret::asked_for(move || watched.now()))
}
