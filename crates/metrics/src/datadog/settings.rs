//! Where Datadog is, what it is asked, and our keys.

use crate::http::Http;
use crate::numbers::Number;
use crate::secret::{Secret, Shows};
use crate::settings::{BadSettings, BaseUrl, HttpSettings, base, is_open};
use reqwest::header::HeaderName;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// What opens an account. From the environment or a file, never from a flag that `ps` shows.
#[derive(Debug, Clone)]
pub struct DatadogKeys {
    /// `DD-API-KEY`.
    pub api: Secret,
    /// `DD-APPLICATION-KEY`.
    pub app: Secret,
}

/// Where Datadog is, and what it is asked.
#[derive(Debug, Clone)]
pub struct DatadogSettings {
    pub(super) url: BaseUrl,
    pub(super) keys: DatadogKeys,
    /// `--net-tx-query`: what hosts send, in bytes per second; `.rollup(avg, WINDOW)` is added.
    pub tx: DatadogQuery,
    /// `--net-rx-query`: what they receive.
    pub rx: DatadogQuery,
    /// `--broker-storage-query`: free bytes; ` by {TAG}.fill(last)` is added.
    pub storage_free: DatadogQuery,
    /// `--partition-size-query`, by topic and partition; `.rollup(avg, SPAN)` is added.
    pub partition_size: DatadogQuery,
    /// The tag that holds the broker id, on a series or on its host.
    pub broker_id_tag: String,
    /// The tag of a host that holds the type of the machine.
    pub instance_type_tag: String,
    /// The span that rates are the mean of.
    pub window: Duration,
    /// The span that sizes are the mean of.
    pub span: Duration,
}

/// A query of metrics, as Datadog writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatadogQuery(String);

impl DatadogQuery {
    /// As it stands, without the suffixes that are added.
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
    /// The site whose API is at `url`; everything else as it is by default.
    pub const DEFAULT_URL: &str = "https://api.datadoghq.com";
    /// `--net-tx-query` by default.
    pub const DEFAULT_TX: &str = "avg:system.net.bytes_sent{service:kafka} by {host}";
    /// `--net-rx-query` by default.
    pub const DEFAULT_RX: &str = "avg:system.net.bytes_rcvd{service:kafka} by {host}";
    /// `--broker-storage-query` by default.
    pub const DEFAULT_STORAGE: &str = "avg:system.disk.free{service:kafka,device:/data}";
    /// `--partition-size-query` by default.
    pub const DEFAULT_SIZE: &str =
        "max:kafka.log.partition.size{service:kafka} by {topic,partition}";

    /// The site whose API is at `url` ([`Self::DEFAULT_URL`]); everything else as it is by default.
    ///
    /// # Errors
    /// What is no URL; `http` to anywhere but this machine, as keys would be readable on the way.
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

    /// What is asked, with the suffixes.
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

    /// A way to the site, with the keys in headers.
    pub(super) fn http(&self, http: &HttpSettings) -> Result<Http, BadSettings> {
        let shows = |name, flag, secret: &Secret| Shows {
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
        DatadogKeys { api: Secret::new("apple-4711\n"), app: Secret::new("pear-4712") }
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
            assert!(!shown.contains("471"), "{shown}");
        }
        let empty = DatadogKeys { api: Secret::new(" "), app: Secret::new("pear-4712") };
        let settings = DatadogSettings::at("http://127.0.0.1:1", empty).unwrap();
        assert_eq!(
            settings.http(&HttpSettings::default()).unwrap_err().to_string(),
            "the Datadog API key: empty"
        );
    }
}
