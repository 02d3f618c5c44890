//! The address of Prometheus, and the queries.

use super::DEFAULT_WINDOW;
use crate::base_url::{BaseUrl, base};
use crate::http_settings::BadSettings;
use crate::numbers::{self, Number};
use crate::secret::HeaderSecret;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// The address of Prometheus, and the queries.
#[derive(Debug, Clone)]
pub struct PrometheusSettings {
    pub(super) url: BaseUrl,
    /// A bearer token, if Prometheus requires one.
    pub token: Option<HeaderSecret>,
    /// The label that identifies brokers. Its value is the id, or the host with or without a port.
    pub label: String,
    /// The span over which rates are averaged.
    pub window: Duration,
    /// `--prometheus-query`: replaces the default queries.
    pub queries: Vec<QueryFor>,
}

impl PrometheusSettings {
    /// A Prometheus at `--prometheus-url`, with defaults for everything else: label `instance`, rates over 2 minutes.
    ///
    /// # Errors
    /// If `url` is not a URL.
    pub fn at(url: &str) -> Result<Self, BadSettings> {
        Ok(Self {
            url: base(url, "--prometheus-url")?,
            token: None,
            label: "instance".to_owned(),
            window: DEFAULT_WINDOW,
            queries: Vec::new(),
        })
    }

    /// The queries, with label and window filled in.
    pub(super) fn queries(&self) -> BTreeMap<Number, String> {
        let mut queries = defaults();
        for own in &self.queries {
            queries.insert(own.number, own.query.clone());
        }
        queries.retain(|_, query| !query.is_empty());
        let window = format!("{}s", self.window.as_secs().max(1));
        for query in queries.values_mut() {
            *query = query.replace("{label}", &self.label).replace("{window}", &window);
        }
        queries
    }
}

/// `tx=sum by ({label}) (rate(node_network_transmit_bytes_total{device="eth0"}[{window}]))`: the query for a number.
/// Nothing after `=` disables it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryFor {
    pub(crate) number: Number,
    pub(crate) query: String,
}

impl FromStr for QueryFor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, query) = numbers::named(text)?;
        Ok(Self { number, query: query.to_owned() })
    }
}

/// The queries for the JMX exporter with its rules for Kafka, and for node exporter.
///
/// A metric that is scraped twice (by two jobs or two servers) must count once, so `max` surrounds each single series.
/// Free storage has no query, because the broker's data directory is not known.
fn defaults() -> BTreeMap<Number, String> {
    const CARDS: &str = r#"device!~"lo|veth.*|docker.*|br-.*|virbr.*|cali.*|cni.*|cilium.*|flannel.*|lxc.*|ovs.*|tun.*|tap.*|bond.*|dummy.*|kube-.*|nodelocaldns|.*\\..*""#;
    let card = |way| {
        format!(
            "sum by ({{label}}) (max by ({{label}}, device) (rate(node_network_{way}_bytes_total{{{CARDS}}}[{{window}}])))"
        )
    };
    let topics = |short| {
        format!(
            r#"max by ({{label}}) (rate(kafka_server_brokertopicmetrics_{short}_total{{topic=""}}[{{window}}]))"#
        )
    };
    let p99 = |request| {
        format!(
            r#"max by ({{label}}) (kafka_network_requestmetrics_totaltimems{{request="{request}",quantile="0.99"}})"#
        )
    };
    // The meter counts idle nanoseconds, so its growth per second is the idle share of that second. Exporters of
    // version 1 and later add `_total`.
    let idle = r#"min by ({label}) (rate({__name__=~"kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent_count(_total)?"}[{window}])) * 1e-9 or min by ({label}) (kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent)"#;
    // Node exporter has the same counter of its own process. Only a JVM has threads of this name.
    let cpu = "max by ({label}) (rate(process_cpu_seconds_total[{window}]) and on (job, instance) jvm_threads_current)";
    BTreeMap::from([
        (Number::Tx, card("transmit")),
        (Number::Rx, card("receive")),
        (Number::ClientOut, topics("bytesout")),
        (Number::ClientIn, topics("bytesin")),
        (Number::ReplicationOut, topics("replicationbytesout")),
        (Number::ReplicationIn, topics("replicationbytesin")),
        (Number::P99ProduceMs, p99("Produce")),
        (Number::P99FetchMs, p99("FetchConsumer")),
        (Number::RequestHandlerIdle, idle.to_owned()),
        (Number::Cpu, cpu.to_owned()),
        (
            Number::TopicOut,
            r#"max by ({label}, topic) (rate(kafka_server_brokertopicmetrics_bytesout_total{topic!=""}[{window}]))"#
                .to_owned(),
        ),
        (Number::PartitionSize, "max by (topic, partition) (kafka_log_log_size)".to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_carry_label_and_window() {
        let mut settings = PrometheusSettings::at("http://prometheus:9090/").unwrap();
        settings.label = "broker_id".to_owned();
        settings.queries = vec!["tx=up{a=\"{label}\"}".parse().unwrap(), "rx=".parse().unwrap()];
        let queries = settings.queries();
        assert_eq!(queries[&Number::Tx], "up{a=\"broker_id\"}");
        assert_eq!(queries.get(&Number::Rx), None);
        assert_eq!(
            queries[&Number::ClientOut],
            r#"max by (broker_id) (rate(kafka_server_brokertopicmetrics_bytesout_total{topic=""}[120s]))"#
        );
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in ["prometheus:9090", "", "file:///etc/passwd", "http://"] {
            let error = PrometheusSettings::at(url).unwrap_err();
            assert_eq!(error.flag, "--prometheus-url", "{url}");
        }
    }
}
