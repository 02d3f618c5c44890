//! The URLs of brokers' pages, and the names of numbers on them.

use crate::error::MetricsError;
use crate::measured::BrokerAddress;
use crate::numbers::{self, Number};
use crate::selector::Selector;
use local::value_without_login;
use mapper::BrokerId;
use reqwest::Url;
use std::fmt;
use std::str::FromStr;

/// The pages of brokers.
#[derive(Debug, Clone, Default)]
pub struct ExporterSettings {
    /// `--exporter-url`. A broker with URLs for its id uses only those.
    pub urls: Vec<ExporterUrl>,
    /// `--exporter-metric`: replaces the default names.
    pub metrics: Vec<MetricAt>,
}

/// `http://{host}:9404/metrics` for each broker, or `1001=http://10.0.0.1:9404/metrics` for one.
#[derive(Clone, PartialEq, Eq)]
pub struct ExporterUrl {
    broker: Option<BrokerId>,
    template: String,
}

impl FromStr for ExporterUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let one = text.split_once('=').and_then(|(id, url)| Some((id.parse().ok()?, url)));
        let (broker, template) = match one {
            Some((id, url)) => (Some(id), url.trim().to_owned()),
            None => (None, text.to_owned()),
        };
        let url = Self { broker, template };
        if url.template.contains("{port}") {
            return Err("no broker tells the port of its page: write the number".to_owned());
        }
        match url.filled(BrokerId(1), "host") {
            Some(_) => Ok(url),
            None => {
                Err("write http://{host}:9404/metrics, or 1001=http://HOST:PORT/metrics".to_owned())
            }
        }
    }
}

impl fmt::Display for ExporterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.broker {
            Some(id) => write!(f, "{id}={}", value_without_login(&self.template)),
            None => f.write_str(&value_without_login(&self.template)),
        }
    }
}

impl fmt::Debug for ExporterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl ExporterUrl {
    fn filled(&self, id: BrokerId, host: &str) -> Option<Url> {
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let text = self.template.replace("{id}", &id.to_string()).replace("{host}", &bracketed);
        let sound = !text.contains(['{', '}']);
        let url = Url::parse(&text).ok()?;
        (sound && url.has_host() && matches!(url.scheme(), "http" | "https")).then_some(url)
    }
}

impl ExporterSettings {
    /// The URLs of a broker's pages.
    pub(crate) fn urls_of(&self, broker: &BrokerAddress) -> Result<Vec<Url>, MetricsError> {
        let own = || self.urls.iter().filter(|url| url.broker == Some(broker.id));
        let common = || self.urls.iter().filter(|url| url.broker.is_none());
        let urls: Vec<_> =
            if own().next().is_some() { own().collect() } else { common().collect() };
        // The host comes from the cluster. Put it into a URL only if it is a valid name.
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let host = broker.host.as_deref().filter(|host| host.chars().all(name));
        let filled = |url: &&ExporterUrl| match host {
            Some(host) => url.filled(broker.id, host),
            None if url.template.contains("{host}") => None,
            None => url.filled(broker.id, ""),
        };
        let filled: Vec<Url> = urls.iter().filter_map(filled).collect();
        match (urls.is_empty(), filled.is_empty()) {
            (true, _) => Err(MetricsError::NoUrl),
            (_, true) => Err(MetricsError::NoHost),
            _ => Ok(filled),
        }
    }
}

/// `storage-free=node_filesystem_avail_bytes{mountpoint="/data"}`: the metric for a number. Nothing after `=` disables
/// it.
#[derive(Debug, Clone)]
pub struct MetricAt {
    pub(super) number: Number,
    pub(super) selector: Option<Selector>,
}

impl FromStr for MetricAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, at) = numbers::named(text)?;
        let selector = if at.is_empty() { None } else { Some(at.parse()?) };
        Ok(Self { number, selector })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(settings: &[&str], id: u32, host: Option<&str>) -> Result<Vec<String>, MetricsError> {
        let urls = settings.iter().map(|text| text.parse().unwrap()).collect();
        let settings = ExporterSettings { urls, metrics: Vec::new() };
        let broker = BrokerAddress { id: BrokerId(id), host: host.map(str::to_owned) };
        Ok(settings.urls_of(&broker)?.iter().map(Url::to_string).collect())
    }

    #[test]
    fn a_broker_has_its_own_pages_or_the_common_ones() {
        let all = ["http://{host}:9404/metrics", "https://{host}:9100/{id}", "7=http://h:1/"];
        let found = urls(&all, 1, Some("kafka-1.local")).unwrap();
        assert_eq!(found, ["http://kafka-1.local:9404/metrics", "https://kafka-1.local:9100/1"]);
        assert_eq!(urls(&all, 7, None).unwrap(), ["http://h:1/"]);
        assert_eq!(urls(&all[..1], 1, Some("fe80::1")).unwrap(), ["http://[fe80::1]:9404/metrics"]);
    }

    #[test]
    fn a_host_that_is_no_name_reaches_no_url() {
        for host in [None, Some("evil/x"), Some("user@evil"), Some("a b")] {
            assert_eq!(urls(&["http://{host}:1/"], 1, host), Err(MetricsError::NoHost));
        }
        assert_eq!(urls(&["7=http://h:1/"], 1, Some("h")), Err(MetricsError::NoUrl));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "{host}:9404",
            "ftp://{host}/",
            "http://{host}:{port}/",
            "http://{hots}:1/",
            "x=http://h/{",
        ] {
            assert!(text.parse::<ExporterUrl>().is_err(), "{text}");
        }
    }
}
