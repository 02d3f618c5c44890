//! The address of Datadog, the queries, and our keys.

use crate::base_url::{BaseUrl, base, is_open};
use crate::http::Http;
use crate::http_settings::{BadSettings, HttpSettings};
use crate::numbers::Number;
use crate::secret::{HeaderSecret, Shows};
use reqwest::header::HeaderName;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// The keys of an account. They come from the environment or a file, never from a flag that `ps` shows.
#[derive(Debug, Clone)]
pub struct DatadogKeys {
    /// `DD-API-KEY`.
    pub api: HeaderSecret,
    /// `DD-APPLICATION-KEY`.
    pub app: HeaderSecret,
}

/// The address of Datadog, and the queries.
#[derive(Debug, Clone)]
pub struct DatadogSettings {
    pub(super) url: BaseUrl,
    pub(super) keys: DatadogKeys,
    /// `--net-tx-query`: bytes per second that hosts send. The suffix `.rollup(avg, WINDOW)` is added.
    pub tx: DatadogQuery,
    /// `--net-rx-query`: bytes per second that hosts receive.
    pub rx: DatadogQuery,
    /// `--broker-storage-query`: free bytes. The suffix ` by {TAG}.fill(last)` is added.
    pub storage_free: DatadogQuery,
    /// `--partition-size-query`: bytes by topic and partition. The suffix `.rollup(avg, SPAN)` is added.
    pub partition_size: DatadogQuery,
    /// The tag with the broker id, on a series or on its host.
    pub broker_id_tag: String,
    /// The host tag with the instance type.
    pub instance_type_tag: String,
    /// The span over which rates are averaged.
    pub window: Duration,
    /// The span over which sizes are averaged.
    pub span: Duration,
}

/// A metrics query in Datadog's syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatadogQuery(String);

impl DatadogQuery {
    /// The query without the added suffixes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatadogQuery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.contains(':') && text.contains('{') && text.contains('}') {
            true => Ok(Self(text.to_owned())),
            false => Err("write AGGREGATION:METRIC{SCOPE}: avg:system.net.bytes_sent{service:kafka} by {host}".to_owned()),
        }
    }
}

impl DatadogSettings {
    /// The default URL of Datadog's API.
    pub const DEFAULT_URL: &str = "https://api.datadoghq.com";
    /// The default of `--net-tx-query`.
    pub const DEFAULT_TX: &str = "avg:system.net.bytes_sent{service:kafka} by {host}";
    /// The default of `--net-rx-query`.
    pub const DEFAULT_RX: &str = "avg:system.net.bytes_rcvd{service:kafka} by {host}";
    /// The default of `--broker-storage-query`.
    pub const DEFAULT_STORAGE: &str = "avg:system.disk.free{service:kafka,device:/data}";
    /// The default of `--partition-size-query`.
    pub const DEFAULT_SIZE: &str =
        "max:kafka.log.partition.size{service:kafka} by {topic,partition}";

    /// The site whose API is at `url` (see [`Self::DEFAULT_URL`]), with defaults for everything else.
    ///
    /// # Errors
    /// If `url` is not a URL, or if it is `http` to another machine, because the network could read the keys.
    pub fn at(url: &str, keys: DatadogKeys) -> Result<Self, BadSettings> {
        let url = base(url, "--datadog-url")?;
        if is_open(&url) {
            let problem = "keys are sent over https only, but to this machine".to_owned();
            return Err(BadSettings { flag: "--datadog-url", problem });
        }
        let query = |text: &str| DatadogQuery(text.to_owned());
        Ok(Self {
            url,
            keys,
            tx: query(Self::DEFAULT_TX),
            rx: query(Self::DEFAULT_RX),
            storage_free: query(Self::DEFAULT_STORAGE),
            partition_size: query(Self::DEFAULT_SIZE),
            broker_id_tag: "broker_id".to_owned(),
            instance_type_tag: "instance-type".to_owned(),
            window: Duration::from_secs(120),
            span: Duration::from_secs(3600),
        })
    }

    /// The queries with their suffixes.
    pub(super) fn queries(&self) -> BTreeMap<Number, String> {
        let (window, span) = (self.window.as_secs().max(1), self.span.as_secs().max(1));
        let rate = |query: &DatadogQuery| format!("{}.rollup(avg, {window})", query.0);
        let free = match self.storage_free.0.contains(" by {") {
            true => format!("{}.fill(last)", self.storage_free.0),
            false => format!("{} by {{{}}}.fill(last)", self.storage_free.0, self.broker_id_tag),
        };
        BTreeMap::from([
            (Number::Tx, rate(&self.tx)),
            (Number::Rx, rate(&self.rx)),
            (Number::StorageFree, free),
            (Number::PartitionSize, format!("{}.rollup(avg, {span})", self.partition_size.0)),
        ])
    }

    /// An HTTP client for the site that sends the keys in headers.
    pub(super) fn http(&self, http: &HttpSettings) -> Result<Http, BadSettings> {
        let shows = |name, flag, secret: &HeaderSecret| Shows {
            name: HeaderName::from_static(name),
            before: "",
            flag,
            secret: secret.clone(),
        };
        let api = shows("dd-api-key", "the Datadog API key", &self.keys.api);
        let app = shows("dd-application-key", "the Datadog application key", &self.keys.app);
        Http::new(http, vec![api, app])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> DatadogKeys {
        DatadogKeys { api: HeaderSecret::new("apple-4711\n"), app: HeaderSecret::new("pear-4712") }
    }

    #[test]
    fn queries_carry_their_suffixes() {
        let mut settings = DatadogSettings::at(DatadogSettings::DEFAULT_URL, keys()).unwrap();
        let queries = settings.queries();
        assert_eq!(
            queries[&Number::Tx],
            "avg:system.net.bytes_sent{service:kafka} by {host}.rollup(avg, 120)"
        );
        assert_eq!(
            queries[&Number::StorageFree],
            "avg:system.disk.free{service:kafka,device:/data} by {broker_id}.fill(last)"
        );
        settings.storage_free = "avg:a.b{c:d} by {host}".parse().unwrap();
        assert_eq!(settings.queries()[&Number::StorageFree], "avg:a.b{c:d} by {host}.fill(last)");
        assert!("nonsense".parse::<DatadogQuery>().is_err());
    }

    #[test]
    fn keys_go_nowhere_in_the_clear_and_show_nowhere() {
        assert!(DatadogSettings::at("http://api.datadoghq.com", keys()).is_err());
        let settings = DatadogSettings::at("http://127.0.0.1:1", keys()).unwrap();
        let http = settings.http(&HttpSettings::default()).unwrap();
        for shown in [format!("{settings:?}"), format!("{http:?}")] {
            assert!(!shown.contains("-471"), "{shown}");
        }
        let empty =
            DatadogKeys { api: HeaderSecret::new(" "), app: HeaderSecret::new("pear-4712") };
        let settings = DatadogSettings::at("http://127.0.0.1:1", empty).unwrap();
        assert_eq!(
            settings.http(&HttpSettings::default()).unwrap_err().to_string(),
            "the Datadog API key: empty"
        );
    }
}
